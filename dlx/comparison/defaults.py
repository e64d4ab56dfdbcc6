"""What a user gets who runs each library as it comes, and what is left of it when one setting after the other is aligned.

The settings ("switches") and what they are before and after:

- ``unit``: LIME's weights, the slopes of its surrogate, or contributions against the background;
- ``scale``: the probability for Kernel SHAP and LIME, the net's own output for the gradient methods; or one scale for all;
- ``background``: an all-zero dense row for the gradient methods, 10 k-means centres for Kernel SHAP, the training rows for
  LIME, the training shares at each split for Tree SHAP; or one background for all;
- ``sampling``: each library's default number of samples and its ten columns, and lime's bins, which it samples at 0 where
  they hold one value; or so many samples that the noise is small, and all columns;
- ``grouping``: a net's dense columns explained one by one, a reader taking the tallest bar of a one-hot group for its
  column; or original columns, which come and go as one.

Sources of the defaults: captum 0.9 (`IntegratedGradients.attribute`, `DeepLift.attribute`: baselines=None is zero; its 50
Gauss-Legendre steps and our midpoints differ by what both promise), shap
0.51 (`KernelExplainer`: l1_reg="num_features(10)", nsamples=2 d + 2048, its own advice to summarise the background by
`shap.kmeans`; `TreeExplainer` without data: tree_path_dependent, raw output), lime 0.2 (`LimeTabularExplainer`:
num_features=10, num_samples=5000, predict_proba).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from dlx import explainers
from dlx.background import k_means_background
from dlx.dataset import Dataset
from dlx.errors import DlxError
from dlx.explainers import MethodError
from dlx.explanation import Explanation
from dlx.kernels.shapley import MOST_PLAYERS
from dlx.model import Model, NeuralModel, Scale
from dlx.runner import explain as explain_

SWITCHES = ("unit", "scale", "background", "sampling", "grouping")
KEPT_COLUMNS = 10
CENTRES = 10
MANY_SAMPLES = 25_000
CLOSE = 0.01  # standard errors, as a share of the contributions

GRADIENTS = ("integrated_gradients", "deeplift")
TOUCHED: dict[str, tuple[str, ...]] = {
    "integrated_gradients": ("background", "grouping"),
    "deeplift": ("background", "grouping"),
    "kernel_shap": ("scale", "background", "sampling", "grouping"),
    "tree_shap": ("background",),
    "lime": ("unit", "scale", "background", "sampling", "grouping"),
}


def methods() -> list[str]:
    """Return the methods whose libraries' defaults are known."""
    return list(TOUCHED)


def switches(method: str, model: Model) -> tuple[str, ...]:
    """Return the settings in which a library's default for a model is not the aligned one.

    Raises
    ------
    DlxError
        If the method's library defaults are not known, or it does not take the model.
    """
    if method not in TOUCHED:
        raise DlxError(f"the defaults of {method} are not known; they are of {', '.join(TOUCHED)}")
    if not explainers.fits(method, model):
        raise MethodError(f"{method} does not take {model.name}, a {type(model).__name__}")
    touched = set(TOUCHED[method])
    if _default_scale(method, model) == model.scales[0]:
        touched -= {"scale"}
    if not isinstance(model, NeuralModel) or model.encoder.width == len(model.schema):
        touched -= {"grouping"}
    return tuple(switch for switch in SWITCHES if switch in touched)


@dataclass(frozen=True, eq=False)
class Laboratory:
    """Some people, and everything that an explanation of them may be measured against.

    Parameters
    ----------
    people, background, training : Dataset
        Whom to explain; the shared background; the rows that a user would hand to lime or to k-means.
    seed : int
        Seed of everything random.
    explain : callable
        What explains: `dlx.explain`, or one that keeps what it made.
    """

    people: Dataset
    background: Dataset
    training: Dataset
    seed: int = 0
    explain: Callable[..., Explanation] = explain_

    def contributions(self, model: Model, method: str, aligned: frozenset[str]) -> np.ndarray:
        """Return what a method says [people, features], with some switches aligned and the others as the library comes."""
        aligned = aligned | (set(SWITCHES) - set(switches(method, model)))
        scale = model.scales[0] if "scale" in aligned else _default_scale(method, model)
        grouped = "grouping" in aligned
        if method in GRADIENTS:
            return self._gradients(model, method, scale, aligned)
        seen = model if grouped else _on_dense_columns(model)
        rows, background = self._rows(model, self.people, grouped), self._background(model, method, aligned)
        name, options = _asked(method, aligned, len(seen.schema))
        if method == "lime" and "sampling" not in aligned:  # where nothing is missing, lime runs as it comes
            options["repaired"] = bool(np.isnan(rows).any() or np.isnan(background).any())
        made = self.explain(seen, rows, method=name, background=background, scale=scale, seed=self.seed, **options)
        return made.values if grouped else tallest(made.values, _encoder(model).starts)

    def _gradients(self, model: Model, method: str, scale: Scale, aligned: frozenset[str]) -> np.ndarray:
        """Return what a gradient method says: the dense columns are summed, with their signs, or the tallest stands for all."""
        dense, encoder = _on_dense_columns(model), _encoder(model)
        background = encoder.transform(self.background.rows) if "background" in aligned else np.zeros((1, encoder.width))
        rows = self._rows(model, self.people, grouped=False)
        made = self.explain(dense, rows, method=method, background=background, scale=scale, seed=self.seed)
        return encoder.fold(made.values) if "grouping" in aligned else tallest(made.values, encoder.starts)

    def _rows(self, model: Model, rows: Dataset, grouped: bool) -> np.ndarray:
        return rows.rows if grouped else _encoder(model).transform(rows.rows).astype(np.float64)

    def _background(self, model: Model, method: str, aligned: frozenset[str]) -> np.ndarray:
        grouped = "grouping" in aligned
        if "background" in aligned or method == "tree_shap":
            return self._rows(model, self.background, grouped)
        training = self._rows(model, self.training, grouped)
        return training if method == "lime" else k_means_background(training, CENTRES, len(self.background), seed=self.seed)


def _asked(method: str, aligned: frozenset[str], columns: int) -> tuple[str, dict[str, Any]]:
    """Return the method of dlx, and its options, that give what the library would."""
    if method == "tree_shap":
        return method, {"path_dependent": "background" not in aligned}
    if method == "lime":
        samples = {"n_samples": MANY_SAMPLES} if "sampling" in aligned else {"n_features": min(KEPT_COLUMNS, columns)}
        return method, samples | {"units": "contribution" if "unit" in aligned else "lime"}
    if "sampling" not in aligned:
        return method, {"n_features": min(KEPT_COLUMNS, columns)}
    return ("exact_shapley", {}) if columns <= MOST_PLAYERS else ("shapley", {"tolerance": CLOSE})


def tallest(values: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Return, for each original column, the value [rows, features] of its dense column with the largest size."""
    ends = np.append(starts[1:], values.shape[1])
    found = np.empty((len(values), len(starts)))
    for column, (start, end) in enumerate(zip(starts, ends, strict=True)):
        group = values[:, start:end]
        found[:, column] = np.take_along_axis(group, np.abs(group).argmax(axis=1)[:, None], axis=1)[:, 0]
    return found


def _default_scale(method: str, model: Model) -> Scale:
    if method in ("kernel_shap", "lime") and "probability" in model.scales:
        return "probability"
    return model.scales[0]


def _on_dense_columns(model: Model) -> NeuralModel:
    assert isinstance(model, NeuralModel)
    return model.on_dense_columns()


def _encoder(model: Model) -> Any:
    assert isinstance(model, NeuralModel)
    return model.encoder
