"""Which columns make the gap between two groups: the mean contribution of each to either, and its difference."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dlx.audit.fairness.groups import MIN_PEOPLE, FairnessError, Partition
from dlx.dataset import Dataset
from dlx.errors import plural
from dlx.explanation import Explanation
from dlx.stats import ends_of, resampled_counts

if TYPE_CHECKING:
    import pandas as pd


def explained_gap(
    explanation: Explanation, people: Dataset, by: Partition, group: str, against: str, *, seed: int = 0
) -> pd.DataFrame:
    """Return what each column adds to the gap between two groups: a line a column, largest first, then one for all together.

    Contributions that add up to each output add up to the gap too: as the base value is the same for everybody, the gap
    in mean output is the sum of the gaps in mean contribution. Intervals are a bootstrap of the people of either group.

    The explanation is of the people, in their order, by a method that adds up; the gap is the first group's mean − the
    second's: `difference` with `low` and `high`. The last line has the `residual`, which the columns leave unexplained.

    Raises
    ------
    FairnessError
        If the groups must not be compared, the explanation is of other people, or a group has fewer than 30.
    """
    import pandas as pd

    if by.objection:
        raise FairnessError(f"people must not be compared by {by.name}: {by.objection}")
    if not np.array_equal(explanation.rows, people.rows, equal_nan=True):
        raise FairnessError(f"the explanation is of other rows than the {plural(len(people), 'person')} passed; explain these")
    told, sides = np.column_stack([explanation.values, explanation.outputs]), []
    for name in (group, against):
        members = by.members(people, name) & ~explanation.failed
        if members.sum() < MIN_PEOPLE:
            raise FairnessError(f"a gap needs {MIN_PEOPLE} people of either group, got {members.sum()} of {name!r}")
        sides.append(told[members])
    gaps = sides[0].mean(axis=0) - sides[1].mean(axis=0)
    drawn = np.subtract(*(resampled_counts(len(side), seed=seed + i) @ side / len(side) for i, side in enumerate(sides)))
    numbers = np.vstack([gaps, ends_of(drawn, people=min(map(len, sides)))]).T
    order = [*np.argsort(-np.abs(gaps[:-1]), kind="stable"), -1]
    names = (*explanation.schema.names, "all columns")
    said = explanation.model, explanation.method, explanation.scale, by.name, group, against
    lines = [(*said, names[i], *numbers[i]) for i in order]
    columns = ["model", "method", "scale", "attribute", "group", "against", "column", "difference", "low", "high"]
    return pd.DataFrame(lines, columns=columns).assign(residual=[np.nan] * len(gaps[:-1]) + [gaps[-1] - gaps[:-1].sum()])


def contrasts(people: Dataset, by: Partition) -> list[tuple[str, str]]:
    """Return pairs of a group and the largest one, for every other group of at least 30 people; the larger groups first."""
    sizes = np.bincount(by.codes(people), minlength=len(by.groups))
    order = [int(group) for group in np.argsort(-sizes, kind="stable") if sizes[group] >= MIN_PEOPLE]
    return [(by.groups[group], by.groups[order[0]]) for group in order[1:]]
