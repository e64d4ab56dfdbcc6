"""Pipelines whose steps keep columns apart, as an encoder: the user's own steps, and of which column each of theirs is made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from dlx.arrays import in_short
from dlx.errors import DlxError
from dlx.model.estimators import places_of

if TYPE_CHECKING:
    from dlx.model.estimators import Reading
    from dlx.model.kinds import BlackBox
    from dlx.schema import Schema

_ONE_TO_ONE = {
    *("StandardScaler", "MinMaxScaler", "MaxAbsScaler", "RobustScaler", "QuantileTransformer", "PowerTransformer"),
    *("Binarizer", "OrdinalEncoder", "TargetEncoder"),
}


class NoRoute(DlxError):
    """Why nothing but predictions can be asked of a model: part of a sentence."""


@dataclass(frozen=True, eq=False)
class PipelineEncoder:
    """Original columns to those that the last step of the user's own estimator reads, by the user's own steps before it.

    Parameters
    ----------
    box : BlackBox
        The whole estimator as a function of a table: it knows the table's dtypes.
    reading : Reading
        How the estimator is given a table: which columns, in which order.
    steps : tuple of transformer
        The fitted steps before the last; none of a plain estimator.
    owner : ndarray of int [width]
        Of which original column each column that the last step reads is made.
    categories : mapping of int to sequence
        By column of the last step: the values of a pandas category that are its codes 0, 1, ...
    blank : float
        What is not stored of a sparse matrix: 0, or NaN where the last step takes it for missing.
    """

    box: BlackBox
    reading: Reading
    steps: tuple[Any, ...]
    owner: np.ndarray
    categories: Mapping[int, Sequence[Any]] = field(default_factory=dict)
    blank: float = 0.0

    __repr__ = in_short

    @property
    def schema(self) -> Schema:
        """The original columns."""
        return self.box.schema

    @property
    def width(self) -> int:
        """Number of columns that the last step reads."""
        return len(self.owner)

    def transform(self, rows: np.ndarray) -> np.ndarray:
        """Return coded rows [rows, features] as the last step reads them, float64 [rows, width]."""
        if not len(rows):
            return np.empty((0, self.width))
        return np.asarray(self.reading.given(self.box.as_read(rows, checked=True), self._dense))

    def fold(self, dense: np.ndarray) -> np.ndarray:
        """Return attributions of dense columns [rows, width] summed, with their signs, to features [rows, features]."""
        folded = np.zeros((len(dense), len(self.schema)))
        np.add.at(folded.T, self.owner, np.asarray(dense, dtype=np.float64).T)
        return folded

    def _dense(self, given: Any) -> np.ndarray:
        for step in self.steps:
            given = step.transform(given)
        if hasattr(given, "tocoo"):
            stored, dense = given.tocoo(), np.full(given.shape, self.blank)
            dense[stored.row, stored.col] = stored.data
            return dense
        if not hasattr(given, "iloc"):
            return np.asarray(given, dtype=np.float64)
        columns = [_coded(given.iloc[:, i], self.categories.get(i)) for i in range(given.shape[1])]
        return np.column_stack(columns)


def _coded(column: Any, values: Sequence[Any] | None) -> np.ndarray:
    """Return a column of a table as numbers: places among the values of a category, NaN where it is none of them."""
    if values is None:
        return np.asarray(column.to_numpy(dtype=np.float64, na_value=np.nan))
    places = {value: place for place, value in enumerate(values)}
    return np.asarray(column.astype(object).map(places).to_numpy(dtype=np.float64))


def given_by(steps: Sequence[Any], given: Any, owner: list[int]) -> tuple[Any, list[int]]:
    """Return what fitted steps make of rows, and of which column each column of that is; a `NoRoute` where one mixes some."""
    for step in steps:
        made = given if _passes(step) else step.transform(given)
        owner = owner if _passes(step) else _owners(step, given, owner, made.shape[1])
        if len(owner) != made.shape[1]:
            raise NoRoute(f"of {type(step).__name__} it is not known which of its columns is made of which")
        given = made
    return given, owner


def _passes(step: Any) -> bool:
    return step is None or (isinstance(step, str) and step == "passthrough")


def _owners(step: Any, given: Any, owner: list[int], width: int) -> list[int]:
    """Return of which original column each of so many columns is that a fitted step makes of others."""
    kind, home = type(step).__name__, type(step).__module__.partition(".")[0]
    if home == "sklearn" and kind == "Pipeline":
        return given_by([inner for _, inner in step.steps], given, owner)[1]
    if home == "sklearn" and kind == "ColumnTransformer":
        return _of_columns(step, given, owner)
    if home == "sklearn" and kind == "FeatureUnion":
        parts = [given_by([part], given, owner)[1] for _, part in step.transformer_list if part != "drop"]
        return [one for part in parts for one in part]
    if len(set(owner)) == 1:  # whatever it does, it has one column to do it with
        return owner[:1] * width
    found = _known(step, kind, owner) if home == "sklearn" else None
    if found is None:
        raise NoRoute(f"{kind} may mix columns")
    return found


def _known(step: Any, kind: str, owner: list[int]) -> list[int] | None:
    """Return the owners of what a step of scikit-learn makes of several columns, each for itself; None where it mixes them."""
    if kind in _ONE_TO_ONE or (kind == "FunctionTransformer" and _is_elementwise(step.func)):
        return owner
    if kind == "OneHotEncoder":
        gone = [0 if step.drop_idx_ is None or step.drop_idx_[i] is None else 1 for i in range(len(owner))]
        rare = getattr(step, "infrequent_categories_", [None] * len(owner))
        merged = [0 if some is None else len(some) - 1 for some in rare]
        counts = [len(step.categories_[i]) - gone[i] - merged[i] for i in range(len(owner))]
    elif kind == "KBinsDiscretizer":
        counts = [1 if step.encode == "ordinal" else int(bins) for bins in step.n_bins_]
    elif kind == "SplineTransformer":
        counts = [step.n_features_out_ // len(owner)] * len(owner)
    elif kind == "SimpleImputer":
        import pandas as pd

        stays = ~pd.isna(step.statistics_) | (step.strategy == "constant") | step.keep_empty_features
        beside = step.indicator_.features_ if step.add_indicator else []
        return [owner[i] for i in (*np.flatnonzero(stays), *beside)]
    elif kind == "MissingIndicator":
        return [owner[i] for i in step.features_]
    elif hasattr(step, "get_support"):
        return [owner[i] for i in step.get_support(indices=True)]
    else:
        return None
    return [one for one, count in zip(owner, counts, strict=True) for _ in range(count)]


def _is_elementwise(function: Any) -> bool:
    return function is None or (isinstance(function, np.ufunc) and function.nin == 1)


def _of_columns(step: Any, given: Any, owner: list[int]) -> list[int]:
    """Return the owners of what a ColumnTransformer makes: its parts one after the other, the rest last."""
    names, found = list(getattr(given, "columns", range(len(owner)))), list[int]()
    fitted = list(getattr(step, "feature_names_in_", names))
    for _, part, columns in step.transformers_:
        if isinstance(part, str) and part == "drop":
            continue
        places = [names.index(fitted[place]) for place in places_of(columns, fitted)]
        if places:
            which = places[0] if np.isscalar(columns) else places  # a name or a number alone asks for a series
            some = given.iloc[:, which] if hasattr(given, "iloc") else given[:, which]
            found += given_by([part], some, [owner[place] for place in places])[1]
    return found
