"""Reasons as they are told wherever a reason is told: the same words, and the same silence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dlx.audit.reasons.association import Grouping, grouping
from dlx.audit.reasons.wording import ReasonMap, adverse_side
from dlx.dataset import Dataset
from dlx.schema import Feature


@dataclass(frozen=True, eq=False)
class Spoken:
    """The words of a reason, what real people say of it, and the usual values that it is measured against.

    Parameters
    ----------
    wording : ReasonMap
        The words.
    grouping : Grouping
        Which columns are one reason, and which are never one.
    usual : ndarray [features]
        Of the reference people, see `usual_of`; NaN where all are missing.
    """

    wording: ReasonMap
    grouping: Grouping
    usual: np.ndarray

    @classmethod
    def of(cls, observed: Dataset, background: Dataset) -> Spoken:
        """Return the reasons of a table: real people, and the people compared with."""
        return cls(ReasonMap.of(observed.schema), grouping(observed), usual_of(background))

    def words(self, column: int, value: float) -> str:
        """Return what is said of a person's code in a column."""
        return self.wording.words(column, value, float(self.usual[column]))

    def goes_against(self, column: int, value: float) -> bool:
        """Return whether a reason would go against its words, or, where these leave it open, against people's outcomes."""
        said = self.wording.goes_against(column, value, float(self.usual[column]))
        return self.grouping.contradicts(column, value) if said is None else said


def usual_of(background: Dataset) -> np.ndarray:
    """Return the usual code of reference people in each column [features]; NaN where all are missing.

    It is the mean; of a number whose words speak of little or of much, such that what they are true of lies beyond the mean
    and not short of the median: who is between the two in a skewed column is not told that their income is low.
    """
    return np.array(
        [_usual(feature, column) for feature, column in zip(background.schema.features, background.rows.T, strict=True)]
    )


def _usual(feature: Feature, column: np.ndarray) -> float:
    known = column[~np.isnan(column)]
    if not len(known):
        return np.nan
    mean, median = float(known.mean()), float(np.median(known))
    side = "" if feature.is_categorical else adverse_side(feature)
    if side == "low":
        return min(mean, np.nextafter(median, np.inf))
    return max(mean, np.nextafter(median, -np.inf)) if side == "high" else mean
