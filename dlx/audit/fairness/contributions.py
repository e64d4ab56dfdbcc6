"""What explanations say of groups: which columns make the gap between two of them, and through which a model could know one."""

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

    Contributions that add up to each output add up to the gap too, as the base value is the same for everybody. The
    explanation is of the people, in their order, by a method that adds up; `difference`, with the ends `low` and `high` of a
    bootstrap of either group, is the first group's mean − the second's. The last line has the `residual`, which the columns
    leave unexplained.

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
    low, high = ends_of(drawn, people=min(map(len, sides)))
    said = {"model": explanation.model, "method": explanation.method, "scale": explanation.scale, "attribute": by.name}
    columns = {"group": group, "against": against, "column": [*explanation.schema.names, "all columns"], "difference": gaps}
    residual = np.append(np.full(len(gaps) - 1, np.nan), gaps[-1] - gaps[:-1].sum())
    table = pd.DataFrame({**said, **columns, "low": low, "high": high, "residual": residual})
    return table.iloc[[*np.argsort(-np.abs(gaps[:-1]), kind="stable"), -1]].reset_index(drop=True)


def contrasts(people: Dataset, by: Partition) -> list[tuple[str, str]]:
    """Return pairs of a group and the largest one, for every other group of at least 30 people; the larger groups first."""
    sizes = np.bincount(by.codes(people), minlength=len(by.groups))
    order = [int(group) for group in np.argsort(-sizes, kind="stable") if sizes[group] >= MIN_PEOPLE]
    return [(by.groups[group], by.groups[order[0]]) for group in order[1:]]


def carriers(explanation: Explanation, told: pd.DataFrame, *, seed: int = 0) -> pd.DataFrame:
    """Return through which columns a model could know a group: what they tell of it × how much the model uses them.

    A line a column of `told`, which are the `column_proxies` of the group, strongest first: `tells`; `importance`, the mean
    |contribution| in units of the scale; and `carried`, importance × tells (no less than 0), all with 95 % bootstrap
    intervals, those of carried from both.
    """
    names, tells = list(explanation.schema.names), told["tells"].to_numpy()
    sizes = np.abs(explanation.values[~explanation.failed])[:, [names.index(column) for column in told["column"]]]
    drawn = resampled_counts(len(sizes), seed=seed) @ sizes / len(sizes)  # [resamples, columns]
    noise = np.random.default_rng(seed).normal(size=drawn.shape) * told["error"].to_numpy()
    table = told.drop(columns="error").rename(columns={"low": "tells_low", "high": "tells_high"})
    table.insert(0, "model", explanation.model)
    importance = sizes.mean(axis=0)
    for name, estimate, draws in (
        ("importance", importance, drawn),
        ("carried", importance * np.maximum(tells, 0), drawn * np.maximum(tells + noise, 0)),
    ):
        table[[name, f"{name}_low", f"{name}_high"]] = np.vstack([estimate, ends_of(draws)]).T
    return table.assign(scale=explanation.scale).sort_values("carried", ascending=False, kind="stable", ignore_index=True)
