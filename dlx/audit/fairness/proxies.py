"""Proxies: how well the other columns tell the group of a person, and through which of them a model could know it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dlx.audit.fairness.groups import FairnessError, Partition
from dlx.audit.fairness.tally import MIN_PEOPLE
from dlx.audit.fairness.telling import FOLDS, Told, told_by_column
from dlx.dataset import Dataset
from dlx.explanation import Explanation
from dlx.stats import auc_with_error, ends_of, resampled_counts
from dlx.threads import one_thread

if TYPE_CHECKING:
    import pandas as pd


def proxy_strength(case: Dataset, by: Partition, *, seed: int = 0) -> pd.DataFrame:
    """Return how well all other columns together tell the groups: one group against the rest, a line each.

    Parameters
    ----------
    case : Dataset
        All rows; outcomes are not looked at.
    by : Partition
        What parts the people.
    seed : int
        Seed of the folds.

    Returns
    -------
    DataFrame
        attribute, group, people, auc with its 95 % interval (DeLong 1988: over people, not over refitted trees), and the
        objection where a group, or the rest, has fewer than 30 people. Gradient boosting of scikit-learn, judged on five
        folds; .5 is chance, 1 a column in other words. Of two groups one line says it all.
    """
    import pandas as pd
    from sklearn.ensemble import HistGradientBoostingClassifier

    rows, codes = case.rows[:, _others(case, by)], by.codes(case)
    lines = []
    for group in _groups_to_tell(codes):
        inside = codes == group
        objection = _too_few(inside)
        auc = (np.nan,) * 3
        if not objection:
            boosting = HistGradientBoostingClassifier(
                max_leaf_nodes=4, learning_rate=0.05, max_iter=150, early_stopping=False, random_state=seed
            )
            auc = Told.of(*_cross_validated(boosting, rows, inside, seed))[:3]
        said = {"attribute": by.name, "group": by.groups[group], "people": int(inside.sum())}
        lines.append(said | dict(zip(("auc", "low", "high"), auc, strict=True)) | {"objection": objection})
    return pd.DataFrame(lines)


def telling(case: Dataset, by: Partition, group: str, *, seed: int = 0) -> pd.DataFrame:
    """Return how well each other column alone tells a group from the rest, best first.

    Returns
    -------
    DataFrame
        attribute, group, column, tells with its 95 % interval and its standard error: 2 AUC − 1 of this column alone, a
        tree with a leaf a value, judged on five folds (`telling.told_by_column`); 0 is chance, 1 the group itself.

    Raises
    ------
    FairnessError
        If there is no such group, or it, or the rest, has fewer than 30 people.
    """
    import pandas as pd

    if group not in by.groups:
        raise FairnessError(f"{by.name} has no group {group!r}; its groups: {', '.join(map(repr, by.groups))}")
    inside = by.codes(case) == by.groups.index(group)
    if objection := _too_few(inside):
        raise FairnessError(f"{group!r} of {by.name} is {objection}")
    lines = []
    for place in _others(case, by):
        (found,) = told_by_column(case.schema.features[place], case.rows[:, place], inside[:, None], seed=seed)
        tells, low, high = (2 * number - 1 for number in found[:3])
        said = {"attribute": by.name, "group": group, "column": case.schema.names[place]}
        lines.append(said | {"tells": tells, "low": low, "high": high, "error": 2 * found.error})
    return pd.DataFrame(lines).sort_values("tells", ascending=False, kind="stable", ignore_index=True)


def carriers(explanation: Explanation, told: pd.DataFrame, *, seed: int = 0) -> pd.DataFrame:
    """Return through which columns a model could know a group: what they tell of it × how much the model uses them.

    Parameters
    ----------
    explanation : Explanation
        Contributions of a model on some people.
    told : DataFrame
        `telling` of the group.
    seed : int
        Seed of the bootstrap.

    Returns
    -------
    DataFrame
        A line a column, strongest first: tells; importance, the mean |contribution| in units of the scale; and carried,
        importance × tells (no less than 0), all with 95 % intervals, those of carried from both.
    """
    names = list(explanation.schema.names)
    sizes = np.abs(explanation.values[~explanation.failed])[:, [names.index(column) for column in told["column"]]]
    drawn = resampled_counts(len(sizes), seed=seed) @ sizes / len(sizes)  # [resamples, columns]
    noise = np.random.default_rng(seed).normal(size=drawn.shape) * told["error"].to_numpy()
    carried = drawn * np.maximum(told["tells"].to_numpy() + noise, 0)
    table = told.drop(columns="error").rename(columns={"low": "tells_low", "high": "tells_high"})
    table.insert(0, "model", explanation.model)
    for name, estimate, draws in (
        ("importance", sizes.mean(axis=0), drawn),
        ("carried", sizes.mean(axis=0) * np.maximum(told["tells"].to_numpy(), 0), carried),
    ):
        ends = np.array([ends_of(some) for some in draws.T])
        table[[name, f"{name}_low", f"{name}_high"]] = np.column_stack([estimate, ends])
    return table.assign(scale=explanation.scale).sort_values("carried", ascending=False, kind="stable", ignore_index=True)


def _others(case: Dataset, by: Partition) -> list[int]:
    return [i for i, name in enumerate(case.schema.names) if name not in by.columns]


def _groups_to_tell(codes: np.ndarray) -> list[int]:
    """Return every group that has people; of two only the smaller, as the other is the same question."""
    present, sizes = np.unique(codes, return_counts=True)
    return [int(present[sizes.argmin()])] if len(present) == 2 else [int(group) for group in present]


def _too_few(inside: np.ndarray) -> str:
    fewest = min(int(inside.sum()), int((~inside).sum()))
    return f"too few to judge: {fewest} of {MIN_PEOPLE} people" if fewest < MIN_PEOPLE else ""


def _cross_validated(estimator: Any, rows: np.ndarray, inside: np.ndarray, seed: int) -> tuple[float, float]:
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    with one_thread():
        scores = cross_val_predict(estimator, rows, inside, cv=folds, method="predict_proba")[:, 1]
    return auc_with_error(inside, scores)
