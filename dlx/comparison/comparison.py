"""Aligned explanations side by side, and the tables that they give."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

from dlx.comparison.agreement import agreement, agreement_by_row
from dlx.comparison.alignment import AlignmentError, describe, refuse_unaligned
from dlx.comparison.contrast import Contrast, contrast
from dlx.comparison.importance import importance
from dlx.errors import DlxError
from dlx.explanation import Explanation

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Comparison:
    """Aligned explanations: one scale, the same rows, schema and background.

    Parameters
    ----------
    explanations : tuple of Explanation
        At least two; each pair of model and method once.
    """

    explanations: tuple[Explanation, ...]

    def __post_init__(self) -> None:
        if len(self.explanations) < 2:
            raise AlignmentError(f"a comparison needs at least 2 explanations, got {len(self.explanations)}")
        refuse_unaligned(self.explanations)
        for one, other in combinations(self.explanations, 2):
            if (one.model, one.method) == (other.model, other.method):
                raise AlignmentError(f"{describe(one)} is given twice; give the models different names, or leave one out")

    def agreement(self, k: int = 5) -> pd.DataFrame:
        """Return how far each pair agrees: a line a pair and metric, with interval and chance level."""
        return _over_pairs(self.explanations, lambda a, b: agreement(a, b, k=k))

    def agreement_by_row(self, k: int = 5) -> pd.DataFrame:
        """Return how far each pair agrees about each person: a line a pair and row, a column a metric."""
        return _over_pairs(self.explanations, lambda a, b: agreement_by_row(a, b, k=k))

    def importance(self) -> pd.DataFrame:
        """Return the mean absolute contribution of each feature: a line a model, method and feature."""
        import pandas as pd

        return pd.concat([importance(one) for one in self.explanations], ignore_index=True)

    def contrast(self, model: str, other: str, method: str, other_method: str | None = None) -> Contrast:
        """Return which features make two models differ, each explained by a method."""
        return contrast(self[model, method], self[other, other_method or method])

    def __getitem__(self, which: tuple[str, str]) -> Explanation:
        """Return the explanation of a model by a method."""
        for one in self.explanations:
            if (one.model, one.method) == which:
                return one
        known = "; ".join(describe(one) for one in self.explanations)
        raise DlxError(f"no explanation of {which[0]!r} by {which[1]!r}; there are {known}")


def compare(explanations: Sequence[Explanation]) -> Comparison:
    """Return explanations side by side.

    Parameters
    ----------
    explanations : sequence of Explanation
        Of any models by any methods: on one scale, of the same rows, against the same background.

    Raises
    ------
    AlignmentError
        If they are not aligned; the message says how to align them.
    """
    return Comparison(tuple(explanations))


def _over_pairs(explanations: Sequence[Explanation], table: Callable[[Explanation, Explanation], pd.DataFrame]) -> pd.DataFrame:
    import pandas as pd

    return pd.concat([table(one, other) for one, other in combinations(explanations, 2)], ignore_index=True)
