"""Aligned explanations side by side, and the tables that they give."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

import pandas as pd

from dlx.comparison.alignment import AlignmentError, Contrast, contrast, describe, refuse_unaligned
from dlx.comparison.metrics import agreement, agreement_by_row
from dlx.comparison.noise import Replicates, against_noise, noise_floor
from dlx.comparison.truth import distance_to_truth
from dlx.errors import DlxError, listed
from dlx.explanation import Explanation


@dataclass(frozen=True)
class Comparison:
    """Aligned explanations: at least two, of the same rows, each pair of model and method once."""

    explanations: tuple[Explanation, ...]
    ground_truths: tuple[Explanation, ...] = ()  # Shapley values of the models: what `distance_to_truth` measures against
    replicates: tuple[Replicates, ...] = ()  # some of the explanations again: what `noise` measures

    def __post_init__(self) -> None:
        if len(self.explanations) < 2:
            raise AlignmentError(f"a comparison needs at least 2 explanations, got {len(self.explanations)}")
        refuse_unaligned(self.explanations)
        for one, other in combinations(self.explanations, 2):
            if (one.model, one.method) == (other.model, other.method):
                raise AlignmentError(f"{describe(one)} is given twice; give the models different names, or leave one out")
        for of in [*self.ground_truths, *(replicates.of for replicates in self.replicates)]:
            refuse_unaligned((self.explanations[0], of))

    def __repr__(self) -> str:
        one = self.explanations[0]
        return f"Comparison({one.scale}, {len(one)} rows\n  {listed(map(describe, self.explanations), 4)})"

    def _repr_html_(self) -> str:
        from dlx.notebook import shown

        table = self.agreement(k=max(1, min(5, len(self.explanations[0].schema) // 2)))
        table = table[table["metric"] == "feature_agreement"]
        pairs = [f"{line.method} of {line.model}, {line.other_method} of {line.other_model}" for line in table.itertuples()]
        rows = [
            [pair, f"{line.mean:.2f}", f"{line.low:.2f} to {line.high:.2f}", f"{line.chance:.2f}", str(line.rows)]
            for pair, line in zip(pairs, table.itertuples(), strict=True)
        ]
        one, k = self.explanations[0], table["k"].iloc[0]
        title, unit = (
            f"{len(self.explanations)} explanations, {one.scale}, {len(one)} rows",
            f"Agreement about the top {k} columns",
        )
        bars, columns = dict(zip(pairs, table["mean"], strict=True)), ["pair", "mean", "95 % interval", "by chance", "rows"]
        return shown(title, bars, unit, "Share of a person's top columns that both name", columns, rows, most=1.0)

    def agreement(self, k: int = 5) -> pd.DataFrame:
        """Return how far each pair agrees: a line a pair and metric, with interval and chance level."""
        return _joined(agreement(one, other, k=k) for one, other in combinations(self.explanations, 2))

    def agreement_by_row(self, k: int = 5) -> pd.DataFrame:
        """Return how far each pair agrees about each person: a line a pair and row, a column a metric."""
        return _joined(agreement_by_row(one, other, k=k) for one, other in combinations(self.explanations, 2))

    def distance_to_truth(self, k: int = 5) -> pd.DataFrame:
        """Return how far each method is from the ground truth of its model: a line a model, method and measure."""
        by_model = {truth.model: truth for truth in self.ground_truths}
        held = [one for one in self.explanations if one.model in by_model]
        if not held:
            made = "compare(..., ground_truths=[dlx.comparison.ground_truth(model, rows, ...)])"
            raise DlxError(f"there is no ground truth of these models; pass {made}")
        return _joined(distance_to_truth([one], by_model[one.model], k=k) for one in held)

    errors = distance_to_truth  # its name before, for this version

    def noise(self, k: int = 5) -> pd.DataFrame:
        """Return how far each method agrees with itself: a line a model, method, source and metric."""
        if not self.replicates:
            made = "compare(..., replicates=[dlx.comparison.replicate(model, explanation, ...)])"
            raise DlxError(f"there are no replicates; pass {made}")
        return _joined(noise_floor(some, k=k) for some in self.replicates)

    def against_noise(self, k: int = 5) -> pd.DataFrame:
        """Return how far each pair agrees, between chance and its noise floor: a line a pair, source and metric."""
        pairs = [
            against_noise(one, other, k=k)
            for one, other in combinations(self.replicates, 2)
            if one.source == other.source and (one.of.model, one.of.method) != (other.of.model, other.of.method)
        ]
        if not pairs:
            made = "compare(..., replicates=[dlx.comparison.replicate(model, explanation, source='background', ...), ...])"
            raise DlxError(f"a noise floor of a pair needs replicates of both, of the same source; pass {made}")
        return _joined(pairs)

    def importance(self) -> pd.DataFrame:
        """Return the mean absolute contribution of each feature: a line a model, method and feature."""
        return _joined(map(importance, self.explanations))

    def contrast(self, model: str, other: str, method: str, other_method: str | None = None) -> Contrast:
        """Return which features make two models differ, each explained by a method."""
        return contrast(self[model, method], self[other, other_method or method])

    def __getitem__(self, which: tuple[str, str]) -> Explanation:
        """Return the explanation of a model by a method."""
        for one in self.explanations:
            if (one.model, one.method) == which:
                return one
        known = "; ".join(map(describe, self.explanations))
        raise DlxError(f"no explanation of {which[0]!r} by {which[1]!r}; there are {known}")


def _joined(tables: Iterable[pd.DataFrame]) -> pd.DataFrame:
    return pd.concat(tables, ignore_index=True)


def compare(
    explanations: Sequence[Explanation],
    *,
    ground_truths: Sequence[Explanation] = (),
    replicates: Sequence[Replicates] = (),
    judges: Sequence[Explanation] = (),
) -> Comparison:
    """Return explanations side by side.

    Parameters
    ----------
    explanations : sequence of Explanation
        Of any models by any methods: on one scale, of the same rows, against the same background.
    ground_truths : sequence of Explanation, optional
        Shapley values of the models, by `dlx.comparison.ground_truth`, that the others are held against.
    replicates : sequence of Replicates, optional
        Explanations again, by `dlx.comparison.replicate`, with another seed or background, that tell noise from difference.
    judges : sequence of Explanation, optional
        The name of `ground_truths` before, for this version.

    Raises
    ------
    AlignmentError
        If they are not aligned; the message says how to align them.
    """
    return Comparison(tuple(explanations), (*ground_truths, *judges), tuple(replicates))


def importance(explanation: Explanation) -> pd.DataFrame:
    """Return the mean absolute contribution of each feature over all people, its share of all of them, and its rank."""
    sizes, total = pd.Series(explanation.importance), explanation.importance.sum()
    return pd.DataFrame(
        {"model": explanation.model, "method": explanation.method, "scale": explanation.scale}
        | {"feature": explanation.schema.names, "label": explanation.schema.labels, "importance": sizes}
        | {"share": sizes / total if total > 0 else 0.0, "rank": sizes.rank(ascending=False)}
        | {"people": int((~explanation.failed).sum())}
    )
