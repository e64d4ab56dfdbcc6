"""Aligned explanations side by side, and the tables that they give."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

from dlx.comparison.agreement import agreement, agreement_by_row
from dlx.comparison.alignment import AlignmentError, describe, refuse_unaligned
from dlx.comparison.contrasting import Contrast, contrast
from dlx.comparison.ground_truth import errors
from dlx.comparison.importance import importance
from dlx.comparison.noise import Replicates, against_noise, noise_floor
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
    judges : tuple of Explanation
        Shapley values of the models, see `dlx.judge`: what `errors` measures against.
    replicates : tuple of Replicates
        Some of the explanations again, with another seed, background or training: what `noise` measures.
    """

    explanations: tuple[Explanation, ...]
    judges: tuple[Explanation, ...] = ()
    replicates: tuple[Replicates, ...] = ()

    def __post_init__(self) -> None:
        if len(self.explanations) < 2:
            raise AlignmentError(f"a comparison needs at least 2 explanations, got {len(self.explanations)}")
        refuse_unaligned(self.explanations)
        for one, other in combinations(self.explanations, 2):
            if (one.model, one.method) == (other.model, other.method):
                raise AlignmentError(f"{describe(one)} is given twice; give the models different names, or leave one out")
        for of in [*self.judges, *(replicates.of for replicates in self.replicates)]:
            refuse_unaligned((self.explanations[0], of))

    def agreement(self, k: int = 5) -> pd.DataFrame:
        """Return how far each pair agrees: a line a pair and metric, with interval and chance level."""
        return _over_pairs(self.explanations, lambda a, b: agreement(a, b, k=k))

    def agreement_by_row(self, k: int = 5) -> pd.DataFrame:
        """Return how far each pair agrees about each person: a line a pair and row, a column a metric."""
        return _over_pairs(self.explanations, lambda a, b: agreement_by_row(a, b, k=k))

    def errors(self, k: int = 5) -> pd.DataFrame:
        """Return how far each method is from the judge of its model: a line a model, method and measure."""
        import pandas as pd

        by_model = {judge.model: judge for judge in self.judges}
        judged = [one for one in self.explanations if one.model in by_model]
        if not judged:
            raise DlxError("there is no judge of these models; pass compare(..., judges=[dlx.judge(model, rows, ...)])")
        return pd.concat([errors([one], by_model[one.model], k=k) for one in judged], ignore_index=True)

    def noise(self, k: int = 5) -> pd.DataFrame:
        """Return how far each method agrees with itself: a line a model, method, source and metric."""
        import pandas as pd

        if not self.replicates:
            raise DlxError("there are no replicates; pass compare(..., replicates=[dlx.replicate(model, explanation, ...)])")
        return pd.concat([noise_floor(some, k=k) for some in self.replicates], ignore_index=True)

    def against_noise(self, k: int = 5) -> pd.DataFrame:
        """Return how far each pair agrees, between chance and its noise floor: a line a pair, source and metric."""
        import pandas as pd

        pairs = [
            against_noise(one, other, k=k)
            for one, other in combinations(self.replicates, 2)
            if one.source == other.source and (one.of.model, one.of.method) != (other.of.model, other.of.method)
        ]
        if not pairs:
            raise DlxError(
                "a noise floor of a pair needs replicates of both, of the same source; pass "
                "compare(..., replicates=[dlx.replicate(model, explanation, source='background', ...), ...])"
            )
        return pd.concat(pairs, ignore_index=True)

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


def compare(
    explanations: Sequence[Explanation], *, judges: Sequence[Explanation] = (), replicates: Sequence[Replicates] = ()
) -> Comparison:
    """Return explanations side by side.

    Parameters
    ----------
    explanations : sequence of Explanation
        Of any models by any methods: on one scale, of the same rows, against the same background.
    judges : sequence of Explanation, optional
        Shapley values of the models, by `dlx.judge`, that the others are held against.
    replicates : sequence of Replicates, optional
        Explanations again, by `dlx.replicate`, with another seed or background, that tell noise from difference.

    Raises
    ------
    AlignmentError
        If they are not aligned; the message says how to align them.
    """
    return Comparison(tuple(explanations), tuple(judges), tuple(replicates))


def _over_pairs(explanations: Sequence[Explanation], table: Callable[[Explanation, Explanation], pd.DataFrame]) -> pd.DataFrame:
    import pandas as pd

    return pd.concat([table(one, other) for one, other in combinations(explanations, 2)], ignore_index=True)
