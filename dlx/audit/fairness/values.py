"""How well a model predicts the values of groups of people: mean errors with intervals, and how far apart the groups are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dlx.audit.fairness.groups import MIN_PEOPLE, FairnessError, Partition
from dlx.audit.scores import answers
from dlx.dataset import Dataset
from dlx.model import Model
from dlx.stats import ends_of, resampled_counts

if TYPE_CHECKING:
    import pandas as pd

ERROR, SIZE, PREDICTED, OBSERVED = "mean_error", "mean_absolute_error", "mean_prediction", "mean_outcome"
MEANS = (ERROR, SIZE, PREDICTED, OBSERVED)


@dataclass(frozen=True, eq=False)
class GroupErrors:
    """Means of each group, with what is needed to compare them."""

    model: str
    attribute: str  # what parts the people
    groups: tuple[str, ...]  # those that have people
    sizes: np.ndarray  # int [groups]
    means: np.ndarray  # [1 + resamples, groups, `MEANS`]; the first are the estimates

    @property
    def judged(self) -> np.ndarray:
        """Which groups have 30 people, bool [groups]."""
        return self.sizes >= MIN_PEOPLE

    def to_frame(self) -> pd.DataFrame:
        """Return a line a group and mean: its people, the estimate, its 95 % interval, and whether it can be judged."""
        import pandas as pd

        lines: list[tuple[Any, ...]] = []
        for which, name in enumerate(MEANS):
            for at, (group, size) in enumerate(zip(self.groups, self.sizes.tolist(), strict=True)):
                low, high = ends_of(self.means[1:, at, which], people=size)
                why = "" if self.judged[at] else f"too few to judge: {size} of {MIN_PEOPLE} people"
                lines.append((self.model, self.attribute, group, size, name, self.means[0, at, which], low, high, not why, why))
        columns = ["model", "attribute", "group", "people", "rate", "estimate", "low", "high", "judged", "objection"]
        return pd.DataFrame(lines, columns=columns)

    def gaps(self) -> pd.DataFrame:
        """Return a line a mean: how far apart the two groups are that are furthest apart, of those that can be judged.

        The `difference` is highest less lowest, with its 95 % interval, which is that of the two groups named: with many groups
        they look further apart than they are. No number where fewer than two groups can be judged.
        """
        import pandas as pd

        lines, judged = list[tuple[Any, ...]](), np.flatnonzero(self.judged)
        for which, name in enumerate(MEANS):
            if len(judged) < 2:
                lines.append((self.model, self.attribute, name, "", "", *[np.nan] * 3, "fewer than two groups can be judged"))
                continue
            some = self.means[0, judged, which]
            low, high = judged[some.argmin()], judged[some.argmax()]
            apart = self.means[:, high, which] - self.means[:, low, which]
            ends = ends_of(apart[1:], people=int(self.sizes[[low, high]].min()))
            lines.append((self.model, self.attribute, name, self.groups[low], self.groups[high], apart[0], *ends, ""))
        columns = [
            "model",
            "attribute",
            "rate",
            "lowest",
            "highest",
            "difference",
            "difference_low",
            "difference_high",
            "objection",
        ]
        return pd.DataFrame(lines, columns=columns)


def group_errors(model: Model, people: Dataset, by: Partition, *, seed: int = 0) -> GroupErrors:
    """Return how a model predicts the values of groups of people.

    The means are of the error (predicted less observed: above 0 a group is predicted too high), of its size, of the prediction
    and of the outcome, by people's weights. Intervals are a bootstrap of each group.

    Parameters
    ----------
    model, people, by : Model, Dataset, Partition
        Who predicts; rows with outcomes, not seen in training; what parts them, see `partition`.
    seed : int
        Seed of the bootstrap.

    Raises
    ------
    FairnessError
        If the groups must not be compared.
    DlxError
        If outcomes are unknown or all alike.
    """
    if by.objection:
        raise FairnessError(f"people must not be compared by {by.name}: {by.objection}")
    outcomes, predicted = answers(model, people, "the errors of groups")
    present, codes, sizes = np.unique(by.codes(people), return_inverse=True, return_counts=True)
    weights = np.ones(len(codes)) if people.weights is None else people.weights
    counts = np.vstack([weights, resampled_counts(len(codes), people.weights, seed=seed, groups=codes)])
    members = codes[:, None] == np.arange(len(present))
    told, totals = (predicted - outcomes, np.abs(predicted - outcomes), predicted, outcomes), counts @ members
    means = np.stack([counts @ (one[:, None] * members) / totals for one in told], axis=2)
    return GroupErrors(model.name, by.name, tuple(by.groups[code] for code in present), sizes, means)
