"""A net, people and a background, and what the libraries make of them, called as their users call them."""

from __future__ import annotations

import warnings
from functools import cached_property

import captum.attr
import numpy as np
import shap
import shapiq
import torch
from lime.lime_tabular import LimeTabularExplainer
from torch import nn

import dlx
from dlx.encoder import Encoder
from dlx.model import NeuralModel
from dlx.schema import Feature, Schema, Target

HIDDEN, BACKGROUND = 128, 100


class World:
    """A net with the people it is asked about.

    Parameters
    ----------
    name : str
        What the net is.
    model : NeuralModel
        The net.
    rows, background : ndarray [rows, columns], [references, columns]
        Coded.
    """

    def __init__(self, name: str, model: NeuralModel, rows: np.ndarray, background: np.ndarray) -> None:
        self.name, self.model, self.rows, self.background = name, model, rows, background
        self.columns = rows.shape[1]
        self._truths: dict[int, np.ndarray] = {}

    def explain(self, method: str, rows: int, **options: object) -> dlx.Explanation:
        """Return an explanation of the first rows."""
        background = options.pop("background", self.background)
        return dlx.explain(self.model, self.rows[:rows], method=method, background=background, scale="logit", **options)

    def predict(self, rows: np.ndarray) -> np.ndarray:
        """Return the net's outputs, as a user hands them to shap and lime."""
        with torch.no_grad():
            return self.model.network(self.model.dense(np.asarray(rows))).numpy().ravel().astype(np.float64)

    def by_lime(self, rows: int, seed: int = 0) -> np.ndarray:
        """Return lime's weights."""
        explainer = LimeTabularExplainer(self.background, mode="regression", random_state=seed)
        made = np.zeros((rows, self.columns))
        for i, row in enumerate(self.rows[:rows]):
            told = explainer.explain_instance(row, self.predict, num_features=self.columns, num_samples=5_000)
            for column, weight in told.local_exp[1]:
                made[i, column] = weight
        return made

    def by_captum(self, method: str, rows: int, over_background: bool = False, **options: object) -> np.ndarray:
        """Return captum's attributions, from the first reference row or averaged over all."""
        references = self.model.dense(self.background if over_background else self.background[:1])
        persons = self.model.dense(self.rows[:rows])
        baselines = references if over_background else references.expand_as(persons)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            made = getattr(captum.attr, method)(self.model.network).attribute(persons, baselines, **options)
        return made.detach().double().numpy()

    def by_shap(self, kind: str, rows: int, **options: object) -> np.ndarray:
        """Return shap's values by its Kernel, Permutation or Exact explainer."""
        if kind == "Kernel":
            explainer = shap.KernelExplainer(self.predict, self.background)
            return np.asarray(explainer.shap_values(self.rows[:rows], l1_reg=0, silent=True, **options))
        masker = shap.maskers.Independent(self.background, max_samples=len(self.background))
        seeded = {"seed": 0} if kind == "Permutation" else {}
        explainer = getattr(shap.explainers, f"{kind}Explainer")(self.predict, masker, **seeded)
        return np.asarray(explainer(self.rows[:rows], silent=True, **options).values)

    def by_shapiq(self, rows: int, budget: int, estimator: str = "KernelSHAP", **options: object) -> np.ndarray:
        """Return values by one of shapiq's estimators on the same interventional game."""
        made = np.empty((rows, self.columns))
        for i, row in enumerate(self.rows[:rows]):

            def worth(coalitions: np.ndarray, row: np.ndarray = row) -> np.ndarray:
                mixed = np.where(coalitions[:, None], row, self.background)
                return self.predict(mixed.reshape(-1, self.columns)).reshape(len(coalitions), -1).mean(axis=1)

            empty = float(worth(np.zeros((1, self.columns), dtype=bool))[0])
            asked = getattr(shapiq, estimator)(n=self.columns, random_state=0, **options)
            found = asked.approximate(budget, lambda c, e=empty: worth(np.asarray(c, dtype=bool)) - e)
            made[i] = found.get_n_order_values(1)
        return made

    def truth(self, rows: int) -> np.ndarray:
        """Return Shapley values to hold others against: exact up to 16 columns, else a long run of our own."""
        if rows not in self._truths:
            exact = self.columns <= 16
            asked = {} if exact else {"tolerance": 0.002, "seed": 12_345}
            self._truths[rows] = self.explain("exact_shapley" if exact else "shapley", rows, **asked).values
        return self._truths[rows]

    def error(self, values: np.ndarray, judged: int = 8) -> float:
        """Return the relative L2 error of Shapley values, in the median over the first people."""
        few = min(len(values), judged)
        truth = self.truth(judged)[:few]
        return float(np.median(np.linalg.norm(values[:few] - truth, axis=1) / np.linalg.norm(truth, axis=1)))

    @cached_property
    def flops(self) -> int:
        """Floating-point operations of one evaluation of a mixture, with the first layer split."""
        layers = [layer for layer in self.model.network.modules() if isinstance(layer, nn.Linear)]
        return 2 * ((self.columns + 1) * layers[0].out_features + sum(layer.weight.numel() for layer in layers[1:]))


def random_world(columns: int, activation: type[nn.Module] = nn.ReLU, people: int = 4_000) -> World:
    """Return an untrained net of two hidden layers, and people whose columns are independent."""
    torch.manual_seed(columns)
    schema = Schema(tuple(Feature(f"x{i}") for i in range(columns)), Target("y", levels=("0", "1")))
    layers = [nn.Linear(columns, HIDDEN), activation(), nn.Linear(HIDDEN, HIDDEN), activation(), nn.Linear(HIDDEN, 1)]
    model = NeuralModel(nn.Sequential(*layers).eval(), Encoder.identity(schema), "net")
    rng = np.random.default_rng(columns)
    return World("random net", model, rng.normal(size=(people, columns)), rng.normal(size=(BACKGROUND, columns)))


def trained_world(case: str, architecture: str = "mlp") -> World:
    """Return a shipped net of a case, with its test rows."""
    table, model = dlx.load(case), dlx.load_model(case, architecture)
    return World(f"{case} {architecture}", model, table.test.rows, table.background(BACKGROUND).rows)
