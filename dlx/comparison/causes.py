"""Why two methods disagree: the distance between them as their libraries come, shared out among the settings.

The distance between two explanations of a person is the share of the contributions that they place differently,
``½ Σ |a_i / Σ|a| - b_i / Σ|b||``: 0 where they are alike up to their unit, 1 where they have nothing in common. Each
setting that is aligned brings it down (or up); a setting's part is its Shapley value in the game "how much does aligning
these settings bring the distance down", so that the parts, and what remains when all are aligned, the methods themselves,
add up to the whole distance, person by person.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from dlx.comparison.library_defaults import SWITCHES, Laboratory, switches
from dlx.comparison.metrics import METRICS, SHARE, metrics_by_row, summary
from dlx.errors import DlxError
from dlx.kernels.shapley import shapley_of_table
from dlx.kernels.shapley.exact import all_coalitions
from dlx.model import Model

if TYPE_CHECKING:
    import pandas as pd

REST = "methods"
CAUSES = {
    "unit": "unit: slopes of a surrogate, or contributions",
    "scale": "output scale: probability or log-odds",
    "background": "baseline and background",
    "sampling": "the cut to ten columns, and sampling noise",
    "grouping": "one-hot columns alone or together",
    REST: "the methods themselves",
}
SETTINGS = {"as the libraries come": frozenset[str](), "aligned": frozenset(SWITCHES)}
MEASURES = {
    "placed differently": "share of the contributions that the two place differently",
    "top differs": "share of the top columns that only one of the two names",
}


@dataclass(frozen=True, eq=False)
class Disagreement:
    """The distance of two methods in every combination of settings, and how much of it each setting accounts for."""

    model: str
    method: str
    other_method: str
    switches: tuple[str, ...]  # the settings in which at least one library's default is not the aligned one
    distances: dict[str, np.ndarray]  # of each measure [people, 2^switches], in every combination: first as libraries come
    index: np.ndarray  # [people], names of the rows
    k: int  # how many features count as the top

    def parts(self, measure: str) -> dict[str, np.ndarray]:
        """Return what each cause accounts for, each [people]; they add up to the distance as the libraries come."""
        table = self.distances[measure]
        found = -shapley_of_table(table) if self.switches else np.zeros((len(table), 0))
        return dict(zip(self.switches, found.T, strict=True)) | {REST: table[:, -1]}

    def to_frame(self, *, seed: int = 0) -> pd.DataFrame:
        """Return a line a measure and cause: the mean part with its 95 % interval, its share of the whole, and both ends.

        People for whom a distance is not defined (an explanation gives nothing to any column, or failed) are left out and
        counted.
        """
        import pandas as pd

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
        import pandas as pd

        frames = [
            pd.DataFrame(
                self._pair | {"row": self.index, "measure": measure, "cause": cause, "part": part, "naive": table[:, 0]}
            )
            for measure, table in self.distances.items()
            for cause, part in self.parts(measure).items()
        ]
        return pd.concat(frames, ignore_index=True)

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
    both = {*switches(method, model), *switches(other_method, model)}
    touched = tuple(switch for switch in SWITCHES if switch in both)
    members = all_coalitions(len(touched))
    distances = {measure: np.empty((len(laboratory.people), len(members))) for measure in MEASURES}
    for column, aligned in enumerate(members):
        chosen = frozenset(switch for switch, is_aligned in zip(touched, aligned, strict=True) if is_aligned)
        a, b = (laboratory.contributions(model, name, chosen) for name in (method, other_method))
        distances["placed differently"][:, column] = placed_differently(a, b)
        distances["top differs"][:, column] = 1 - metrics_by_row(a, b, k)["feature_agreement"]
    index = np.asarray(laboratory.people.index)
    return Disagreement(model.name, method, other_method, touched, distances, index, min(k, len(model.schema)))


def as_libraries_come(
    model: Model, methods: Sequence[str], laboratory: Laboratory, *, k: int = 5, seed: int = 0
) -> pd.DataFrame:
    """Return the agreement of methods as their libraries come, and aligned: a line a setting, pair and measure.

    Parameters are those of `disagreement`, but for `methods`, two or more, and `seed`, that of the bootstrap.
    """
    import pandas as pd

    lines = []
    for setting, aligned in SETTINGS.items():
        values = {method: laboratory.contributions(model, method, aligned) for method in methods}
        for one, other in combinations(methods, 2):
            a, b = values[one], values[other]
            for measure, by_row in (metrics_by_row(a, b, k) | {"placed differently": placed_differently(a, b)}).items():
                within = METRICS[measure].limits if measure in METRICS else SHARE
                found = summary(by_row, np.zeros(len(by_row)), within=within, seed=seed)
                line: dict[str, object] = {"model": model.name, "setting": setting, "method": one, "other_method": other}
                line |= {"measure": measure, "k": min(k, a.shape[1]), "mean": found["mean"], "low": found["low"]}
                lines.append(line | {"high": found["high"], "people": found["rows"], "undefined": found["undefined"]})
    return pd.DataFrame(lines)


def placed_differently(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the share of the contributions [rows, features] that two explanations place differently, [rows].

    NaN where one of them gives nothing to any column.
    """
    shares = []
    for values in (a, b):
        size = np.abs(values).sum(axis=1, keepdims=True)
        shares.append(np.divide(values, size, out=np.full(values.shape, np.nan), where=size > 0))
    return np.abs(shares[0] - shares[1]).sum(axis=1) / 2
