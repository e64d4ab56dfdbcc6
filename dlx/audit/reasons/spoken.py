"""Reasons as they are told wherever a reason is told: the same words, and the same silence."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dlx.audit.reasons.association import Grouping, grouping
from dlx.audit.reasons.wording import ReasonMap
from dlx.dataset import Dataset


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
        The mean codes of the reference people; NaN where all are missing.
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
    """Return the mean codes of reference people [features]; NaN where all are missing."""
    return np.array([np.nanmean(column) if np.isfinite(column).any() else np.nan for column in background.rows.T])
