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

What a library has by default stands in the method's own file: `AS_IT_COMES`.
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
from dlx.explainers import AsItComes, MethodError
from dlx.explanation import Explanation
from dlx.model import Model, NeuralModel, Scale
from dlx.runner import explain as explain_

SWITCHES = ("unit", "scale", "background", "sampling", "grouping")
CENTRES = 10
CLOSE = 0.01  # standard errors, as a share of the contributions


def switches(method: str, model: Model) -> tuple[str, ...]:
    """Return the settings in which a library's default for a model is not the aligned one.

    Raises
    ------
    DlxError
        If the method's library defaults are not known, or it does not take the model.
    """
    if method not in (known := explainers.with_library_defaults()):
        raise DlxError(f"the defaults of {method} are not known; they are of {', '.join(known)}")
    if not explainers.fits(method, model):
        raise MethodError(f"{method} does not take {model.name}, a {type(model).__name__}")
    touched = {"background", *_as_it_comes(method).options}
    if _default_scale(method, model) != model.scales[0]:
        touched.add("scale")
    if isinstance(model, NeuralModel) and model.encoder.width != len(model.schema):
        touched.add("grouping")
    return tuple(switch for switch in SWITCHES if switch in touched)


@dataclass(frozen=True, eq=False)
class Laboratory:
    """The people on whom libraries are tried, and the rows that a library or an aligned explanation is given."""

    people: Dataset  # whom to explain
    background: Dataset  # what all aligned explanations share
    training: Dataset  # what a user would hand to lime or to k-means
    seed: int = 0
    explain: Callable[..., Explanation] = explain_  # or one that keeps what it made

    def contributions(self, model: Model, method: str, aligned: frozenset[str]) -> np.ndarray:
        """Return what a method says [people, features], with some switches aligned and the others as the library comes.

        A method that reads the net's dense columns has these summed, with their signs, where the grouping is aligned; another
        is then asked about the original columns.
        """
        aligned = aligned | (set(SWITCHES) - set(switches(method, model)))
        scale, is_grouped = model.scales[0] if "scale" in aligned else _default_scale(method, model), "grouping" in aligned
        reads_dense = method in explainers.reading(NeuralModel)
        if is_grouped and not reads_dense:
            rows, background = self.people.rows, self._background(method, aligned, self.background.rows, self.training.rows)
            return self._explained(model, rows, background, method, aligned, scale)
        assert isinstance(model, NeuralModel)
        encoder = model.encoder
        dense = [encoder.transform(some.rows).astype(np.float64) for some in (self.people, self.background, self.training)]
        background = self._background(method, aligned, *dense[1:])
        values = self._explained(model.on_dense_columns(), dense[0], background, method, aligned, scale)
        return encoder.fold(values) if is_grouped else tallest(values, encoder.starts)

    def _background(self, method: str, aligned: frozenset[str], shared: np.ndarray, training: np.ndarray) -> np.ndarray:
        default = _as_it_comes(method).background
        if "background" in aligned or default == "training shares":
            return shared
        if default == "zeros":
            return np.zeros((1, shared.shape[1]))
        return training if default == "training rows" else k_means_background(training, CENTRES, len(shared), seed=self.seed)

    def _explained(
        self, model: Model, rows: np.ndarray, background: np.ndarray, method: str, aligned: frozenset[str], scale: Scale
    ) -> np.ndarray:
        """Return what the method says with the options that the library has, or with the aligned ones."""
        come, options = _as_it_comes(method), dict[str, Any]()
        is_complete = not (np.isnan(rows).any() or np.isnan(background).any())
        for setting, of_library in come.options.items():
            options |= come.aligned.get(setting, {}) if setting in aligned else of_library
        options = {name: value for name, value in options.items() if is_complete or name not in come.complete_only}
        facts = explainers.method(method)
        if facts.IS_SHAPLEY and facts.IS_RANDOM and "sampling" in aligned:  # so many samples that the noise is small
            method = explainers.ground_truth_for(model, scale)
            options = {"tolerance": CLOSE} if "tolerance" in explainers.options(method) else {}
        asked: dict[str, Any] = {"method": method, "background": background, "scale": scale, "seed": self.seed}
        return self.explain(model, rows, **asked, **options).values


def tallest(values: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Return, for each original column, the value [rows, features] of its dense column with the largest size."""
    ends = np.append(starts[1:], values.shape[1])
    found = np.empty((len(values), len(starts)))
    for column, (start, end) in enumerate(zip(starts, ends, strict=True)):
        group = values[:, start:end]
        found[:, column] = np.take_along_axis(group, np.abs(group).argmax(axis=1)[:, None], axis=1)[:, 0]
    return found


def _as_it_comes(method: str) -> AsItComes:
    return explainers.method(method).AS_IT_COMES


def _default_scale(method: str, model: Model) -> Scale:
    default = _as_it_comes(method).scale
    return default if default in model.scales else model.scales[0]
