"""Why two methods disagree: the distance between them as their libraries come, shared out among the settings.

A setting ("switch") is as the library has it (`AS_IT_COMES` in the method's own file) or aligned; its part is its Shapley
value in the game "how much does aligning these settings bring the distance down". So the parts, and what remains when all are
aligned, the methods themselves, add up to the whole distance, person by person.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from dlx import explainers
from dlx.arrays import in_short, ratio
from dlx.background import CELLS, k_means_background, sample
from dlx.comparison.metrics import METRICS, SHARE, metrics_by_row, summary
from dlx.dataset import Dataset
from dlx.errors import DlxError
from dlx.explainers import AsItComes, MethodError
from dlx.explanation import Explanation
from dlx.kernels.shapley import shapley_of_table
from dlx.kernels.shapley.exact import all_coalitions
from dlx.model import Model, NeuralModel, Scale
from dlx.runner import explain as explain_

REST = "methods"
CAUSES = {
    "unit": "unit: slopes of a surrogate, or contributions",
    "scale": "output scale: probability or log-odds",
    "background": "baseline and background",  # zeros, k-means centres, training rows or shares; or one for all
    "sampling": "the cut to ten columns, and sampling noise",  # as the library samples; or so much that the noise is small
    "dependence": "true to the data, or to the model",  # columns go along with the known ones or not (Chen et al. 2020)
    "grouping": "one-hot columns alone or together",  # alone, a reader takes the tallest bar of a group for its column
    REST: "the methods themselves",
}
SETTINGS = tuple(cause for cause in CAUSES if cause != REST)
MEASURES = ("placed differently", "top differs")  # share of the contributions, and of the top columns
CENTRES = 10
CLOSE = 0.01  # standard errors, as a share of the contributions


@dataclass(frozen=True, eq=False)
class Disagreement:
    """The distance of two methods in every combination of settings, and how much of it each setting accounts for."""

    model: str
    method: str
    other_method: str
    settings: tuple[str, ...]  # the settings in which at least one library's default is not the aligned one
    distances: dict[str, np.ndarray]  # of each measure [people, 2^settings], in every combination: first as libraries come
    index: np.ndarray  # [people], names of the rows
    k: int  # how many features count as the top

    __repr__ = in_short

    def parts(self, measure: str) -> dict[str, np.ndarray]:
        """Return what each cause accounts for, each [people]; they add up to the distance as the libraries come."""
        table = self.distances[measure]
        found = -shapley_of_table(table) if self.settings else np.zeros((len(table), 0))
        return dict(zip(self.settings, found.T, strict=True)) | {REST: table[:, -1]}

    def to_frame(self, *, seed: int = 0) -> pd.DataFrame:
        """Return a line a measure and cause: the mean part with its 95 % interval, its share of the whole, and both ends.

        People for whom a distance is not defined (an explanation gives nothing to any column, or failed) are left out and
        counted.
        """
        lines = []
        for measure, table in self.distances.items():
            known = ~np.isnan(table).any(axis=1)
            ends = table[known][:, [0, -1]].mean(axis=0) if known.any() else (np.nan, np.nan)
            for cause, part in self.parts(measure).items():
                found = summary(np.where(known, part, np.nan), np.zeros(len(part)), seed=seed)
                line: dict[str, object] = {"measure": measure, "cause": cause, "what": CAUSES[cause], "part": found["mean"]}
                line |= {"low": found["low"], "high": found["high"], "share": found["mean"] / ends[0] if ends[0] else np.nan}
                line |= {"naive": ends[0], "aligned": ends[1], "k": self.k, "people": found["rows"]}
                lines.append(self._pair | line | {"undefined": found["undefined"]})
        return pd.DataFrame(lines)

    def by_person(self) -> pd.DataFrame:
        """Return a line a person, measure and cause."""
        about = self._pair | {"row": self.index}
        frames = [
            pd.DataFrame(about | {"measure": measure, "cause": cause, "part": part, "naive": table[:, 0]})
            for measure, table in self.distances.items()
            for cause, part in self.parts(measure).items()
        ]
        return pd.concat(frames, ignore_index=True)

    def by_setting(self) -> pd.DataFrame:
        """Return a line a measure and combination of aligned settings: the mean distance of people for whom all are defined."""
        return _by_setting(self._pair, self.settings, _combinations(self.settings), self.distances, self.k)

    @property
    def _pair(self) -> dict[str, object]:
        return {"model": self.model, "method": self.method, "other_method": self.other_method}


def disagreement(model: Model, method: str, other_method: str, laboratory: Laboratory, *, k: int = 5) -> Disagreement:
    """Return the disagreement of two methods about a model: their distance in every combination of settings.

    Parameters
    ----------
    model : Model
        The model that both explain.
    method, other_method : str
        Two of `dlx.explainers.with_library_defaults()`.
    laboratory : Laboratory
        The people, the background, the training rows, and what explains.
    k : int
        How many features count as the top.

    Raises
    ------
    DlxError
        If a method's library defaults are not known, it does not take the model, or both are the same.
    """
    if method == other_method:
        raise DlxError(f"a disagreement is between two methods, got {method} twice")
    touched = _touched(model, method, other_method)
    distances = _distances(partial(laboratory.contributions, model), (method, other_method), _combinations(touched), k)
    index = np.asarray(laboratory.people.index)
    return Disagreement(model.name, method, other_method, touched, distances, index, min(k, len(model.schema)))


def one_by_one(model: Model, methods: Sequence[str], laboratory: Laboratory, *, k: int = 5) -> pd.DataFrame:
    """Return how far methods are apart with no setting aligned, with each alone, and with all: as `Disagreement.by_setting`.

    Parameters are those of `as_libraries_come`. It takes fewer explanations than all combinations do.
    """
    said, tables = functools.cache(partial(laboratory.contributions, model)), []
    own = {method: frozenset(unaligned_settings(method, model)) for method in methods}
    for one, other in combinations(methods, 2):
        touched = _touched(model, one, other)
        some = list(dict.fromkeys([frozenset(), *(frozenset([name]) for name in touched), frozenset(touched)]))
        about: dict[str, object] = {"model": model.name, "method": one, "other_method": other}
        distances = _distances(lambda name, aligned: said(name, aligned & own[name]), (one, other), some, k)
        tables.append(_by_setting(about, touched, some, distances, min(k, len(model.schema))))
    return pd.concat(tables, ignore_index=True)


def _touched(model: Model, *methods: str) -> tuple[str, ...]:
    """Return the settings in which the library's default of one of the methods is not the aligned one."""
    every = {setting for method in methods for setting in unaligned_settings(method, model)}
    return tuple(setting for setting in SETTINGS if setting in every)


def _combinations(touched: Sequence[str]) -> list[frozenset[str]]:
    members = all_coalitions(len(touched))
    return [frozenset(name for name, is_aligned in zip(touched, row, strict=True) if is_aligned) for row in members]


def _distances(
    said: Callable[[str, frozenset[str]], np.ndarray], pair: tuple[str, str], settings: Sequence[frozenset[str]], k: int
) -> dict[str, np.ndarray]:
    """Return the distances of two methods [people, settings] by each measure, by what they say with some settings aligned."""
    columns: dict[str, list[np.ndarray]] = {measure: [] for measure in MEASURES}
    for aligned in settings:
        a, b = (said(name, aligned) for name in pair)
        columns["placed differently"].append(placed_differently(a, b))
        columns["top differs"].append(1 - metrics_by_row(a, b, k)["feature_agreement"])
    return {measure: np.column_stack(some) for measure, some in columns.items()}


def _by_setting(
    about: dict[str, object],
    touched: Sequence[str],
    settings: Sequence[frozenset[str]],
    distances: dict[str, np.ndarray],
    k: int,
) -> pd.DataFrame:
    lines = []
    for measure, table in distances.items():
        known = table[~np.isnan(table).any(axis=1)]
        for aligned, column in zip(settings, known.T, strict=True):
            names = " ".join(name for name in touched if name in aligned)
            line = {"measure": measure, "settings": " ".join(touched), "aligned": names, "k": k}
            lines.append(about | line | {"mean": column.mean() if len(column) else np.nan, "people": len(column)})
    return pd.DataFrame(lines)


def placed_by_dependence(model: Model, laboratory: Laboratory) -> np.ndarray:
    """Return the share of a model's Shapley values that lies elsewhere if they are true to the data, not to it, [people].

    All other settings are aligned: what a column is credited with for its companions, and nothing else.
    """
    method, aligned = explainers.having(TRUE_TO_DATA=True)[0], frozenset(SETTINGS)
    return placed_differently(*(laboratory.contributions(model, method, to) for to in (aligned, aligned - {"dependence"})))


def as_libraries_come(
    model: Model, methods: Sequence[str], laboratory: Laboratory, *, k: int = 5, seed: int = 0
) -> pd.DataFrame:
    """Return the agreement of methods as their libraries come, and aligned: a line a setting, pair and measure.

    Parameters are those of `disagreement`, but for `methods`, two or more, and `seed`, that of the bootstrap.
    """
    lines = []
    for setting, aligned in (("as the libraries come", frozenset[str]()), ("aligned", frozenset(SETTINGS))):
        values = {method: laboratory.contributions(model, method, aligned) for method in methods}
        for one, other in combinations(methods, 2):
            a, b = values[one], values[other]
            for measure, by_row in (metrics_by_row(a, b, k) | {"placed differently": placed_differently(a, b)}).items():
                within = METRICS[measure].limits if measure in METRICS else SHARE
                line: dict[str, object] = {"model": model.name, "setting": setting, "method": one, "other_method": other}
                line |= {"measure": measure, "k": min(k, a.shape[1])}
                lines.append(line | summary(by_row, np.zeros(len(by_row)), within=within, seed=seed))
    return pd.DataFrame(lines).rename(columns={"rows": "people"}).drop(columns="failed")


def placed_differently(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return ``½ Σ |a_i / Σ|a| - b_i / Σ|b||`` of contributions [rows, features], the share that two place differently, [rows].

    NaN where one of them gives nothing to any column.
    """
    shares = [ratio(values, np.abs(values).sum(axis=1, keepdims=True)) for values in (a, b)]
    return np.abs(shares[0] - shares[1]).sum(axis=1) / 2


def unaligned_settings(method: str, model: Model) -> tuple[str, ...]:
    """Return the settings in which a library's default for a model is not the aligned one; a `DlxError` if not known."""
    if method not in (known := explainers.with_library_defaults()):
        raise DlxError(f"the defaults of {method} are not known; they are of {', '.join(known)}")
    if not explainers.fits(method, model):
        raise MethodError(f"{method} does not take {model.name}, a {type(model).__name__}")
    touched = {"background", *_as_it_comes(method).options}
    if _default_scale(method, model) != model.scales[0]:
        touched.add("scale")
    if isinstance(model, NeuralModel) and model.encoder.width != len(model.schema):
        touched.add("grouping")
    return tuple(setting for setting in SETTINGS if setting in touched)


@dataclass(frozen=True, eq=False)
class Laboratory:
    """People, background and training rows: methods are run on them as their libraries come, or with some settings aligned."""

    people: Dataset  # whom to explain
    background: Dataset  # what all aligned explanations share
    training: Dataset  # what a user would hand to lime or to k-means
    seed: int = 0
    explain: Callable[..., Explanation] = explain_  # or one that keeps what it made

    __repr__ = in_short

    def contributions(self, model: Model, method: str, aligned: frozenset[str]) -> np.ndarray:
        """Return a method's contributions [people, features], some settings aligned and the others as the library comes.

        A method that reads the net's dense columns has these summed, with their signs, where the grouping is aligned; another
        is then asked about the original columns.
        """
        aligned = aligned | (set(SETTINGS) - set(unaligned_settings(method, model)))
        scale, is_grouped = model.scales[0] if "scale" in aligned else _default_scale(method, model), "grouping" in aligned
        given = (self.people.rows, self.background.rows, self.training.rows)
        if is_grouped and method not in explainers.reading(NeuralModel):
            return self._explained(model, given, method, aligned, scale)
        assert isinstance(model, NeuralModel)
        encoder = model.encoder
        dense = [encoder.transform(rows).astype(np.float64) for rows in given]
        values = self._explained(model.on_dense_columns(), dense, method, aligned, scale)
        return encoder.fold(values) if is_grouped else tallest(values, encoder.starts)

    def _explained(
        self, model: Model, given: Sequence[np.ndarray], method: str, aligned: frozenset[str], scale: Scale
    ) -> np.ndarray:
        """Return what the method says of rows, with the background and options that the library has, or the aligned ones."""
        (rows, background, training), come, options = given, _as_it_comes(method), dict[str, Any]()
        if "background" not in aligned:
            if come.background == "zeros":
                background = np.zeros((1, background.shape[1]))
            elif come.background == "training rows":
                background = training
            elif come.background != "training shares":
                some = sample(training, max(len(background), CELLS // training.shape[1]), seed=self.seed)
                background = k_means_background(some, CENTRES, len(background), seed=self.seed)
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
    groups = np.split(values, starts[1:], axis=1)
    return np.column_stack([np.take_along_axis(one, np.abs(one).argmax(axis=1)[:, None], axis=1) for one in groups])


def _as_it_comes(method: str) -> AsItComes:
    return explainers.method(method).AS_IT_COMES


def _default_scale(method: str, model: Model) -> Scale:
    default = _as_it_comes(method).scale
    return default if default in model.scales else model.scales[0]
