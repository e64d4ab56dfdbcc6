"""Which columns make the gap between two groups: the mean contribution of each to either, and its difference."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dlx.arrays import frozen
from dlx.audit.fairness.groups import FairnessError, Partition
from dlx.audit.fairness.tally import MIN_PEOPLE
from dlx.dataset import Dataset
from dlx.explanation import Explanation
from dlx.schema import plural
from dlx.stats import ends_of, resampled_counts

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class ExplainedGap:
    """How far apart the mean outputs of two groups are, and what each column adds to it.

    Parameters
    ----------
    model, method, scale, attribute : str
        Who predicts, what explains, in which unit, and what parts the people.
    group, against : str
        The gap is the first group's mean − the second's.
    sizes : tuple of int
        People of either group.
    columns : tuple of str
        Names of the columns.
    gap : ndarray [3]
        The gap in mean output, with the ends of its 95 % interval.
    parts : ndarray [features, 3]
        The gap in mean contribution of each column, with the ends of its interval.
    """

    model: str
    method: str
    scale: str
    attribute: str
    group: str
    against: str
    sizes: tuple[int, int]
    columns: tuple[str, ...]
    gap: np.ndarray
    parts: np.ndarray

    @property
    def residual(self) -> float:
        """What the columns leave unexplained of the gap; as good as 0 for a method that adds up."""
        return float(self.gap[0] - self.parts[:, 0].sum())

    def to_frame(self) -> pd.DataFrame:
        """Return a line a column, largest first, then one for all together, with what is left over."""
        import pandas as pd

        order = np.argsort(-np.abs(self.parts[:, 0]), kind="stable")
        said = {name: getattr(self, name) for name in ("model", "method", "scale", "attribute", "group", "against")}
        lines = pd.DataFrame(np.vstack([self.parts[order], self.gap]), columns=["difference", "low", "high"])
        for name, value in reversed(said.items()):
            lines.insert(0, name, value)
        lines.insert(len(said), "column", [*(self.columns[i] for i in order), "all columns"])
        return lines.assign(residual=[np.nan] * len(order) + [self.residual])


def explained_gap(
    explanation: Explanation, people: Dataset, by: Partition, group: str, against: str, *, seed: int = 0
) -> ExplainedGap:
    """Return what each column adds to the gap between two groups.

    Contributions that add up to each output add up to the gap too: as the base value is the same for everybody, the gap
    in mean output is the sum of the gaps in mean contribution. Intervals are a bootstrap of the people of either group.

    Parameters
    ----------
    explanation : Explanation
        Of the people, in their order; a method that adds up.
    people : Dataset
        Who was explained.
    by : Partition
        What parts them.
    group, against : str
        Two of its groups.
    seed : int
        Seed of the bootstrap.

    Raises
    ------
    FairnessError
        If the groups must not be compared, the explanation is of other people, or a group has fewer than 30.
    """
    if by.objection:
        raise FairnessError(f"people must not be compared by {by.name}: {by.objection}")
    if not np.array_equal(explanation.rows, people.rows, equal_nan=True):
        raise FairnessError(f"the explanation is of other rows than the {plural(len(people), 'person')} passed; explain these")
    codes = by.codes(people)
    sides = [np.flatnonzero((codes == _place(by, name)) & ~explanation.failed) for name in (group, against)]
    for name, members in zip((group, against), sides, strict=True):
        if len(members) < MIN_PEOPLE:
            raise FairnessError(f"a gap needs {MIN_PEOPLE} people of either group, got {len(members)} of {name!r}")
    told = np.column_stack([explanation.values, explanation.outputs])
    estimates = told[sides[0]].mean(axis=0) - told[sides[1]].mean(axis=0)
    draws = [
        resampled_counts(len(members), seed=seed + side) @ told[members] / len(members) for side, members in enumerate(sides)
    ]
    fewest = min(len(members) for members in sides)
    ends = [ends_of(drawn, people=fewest) for drawn in (draws[0] - draws[1]).T]
    numbers = frozen(np.column_stack([estimates, np.array(ends)]))
    return ExplainedGap(
        model=explanation.model,
        method=explanation.method,
        scale=explanation.scale,
        attribute=by.name,
        group=group,
        against=against,
        sizes=(len(sides[0]), len(sides[1])),
        columns=explanation.schema.names,
        gap=numbers[-1],
        parts=numbers[:-1],
    )


def contrasts(people: Dataset, by: Partition) -> list[tuple[str, str]]:
    """Return pairs of a group and the largest one, for every other group of at least 30 people; the larger groups first."""
    sizes = np.bincount(by.codes(people), minlength=len(by.groups))
    order = [int(group) for group in np.argsort(-sizes, kind="stable") if sizes[group] >= MIN_PEOPLE]
    return [(by.groups[group], by.groups[order[0]]) for group in order[1:]]


def _place(by: Partition, name: str) -> int:
    if name not in by.groups:
        raise FairnessError(f"{by.name} has no group {name!r}; its groups: {', '.join(map(repr, by.groups))}")
    return by.groups.index(name)
