"""Parts of the table where a model is worse than elsewhere, found on some rows and tested on others.

Method. Discovery: on rows that the model was not fitted on (validation), a regression tree of depth 2 is grown on the
measure for every column and every pair of columns; its leaves are the candidates (in the spirit of Chung et al. 2019,
"Slice Finder", and of the tree of Singla et al. 2021, "Understanding Failures of Deep Networks"). The ten that stand out
most there, no two of them more than half alike, are kept. Test: on the test rows alone, so that the search cannot bias it.
The family-wise error is held at 5 % over the ten by Holm (1979), which needs no independence. Two measures:

- "loss": the log loss is higher in the slice than elsewhere. Permutation test, one-sided. Such a slice may be wrong, or
  only hard: `expected_loss` is what the loss would be there, were the model's probabilities right.
- "risk": more or fewer events happen in the slice than the model predicts. Test against outcomes drawn from the model's
  own probabilities, two-sided: what is found is an error of the model, not difficulty.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from dlx.audit.mispredictions.chances import loss_chances, risk_chances
from dlx.audit.mispredictions.conditions import Condition, together
from dlx.audit.mispredictions.deciding import Verdicts
from dlx.audit.mispredictions.leaves import candidates
from dlx.errors import DlxError
from dlx.stats import ends_of, holm, resampled_means

if TYPE_CHECKING:
    import pandas as pd

Measure = Literal["loss", "risk"]
LEAST_ROWS, LEAST_SHARE = 20, 0.05
MOST_TESTED = 10
MOST_ALIKE = 0.5  # of two slices, by the share of rows of either that are in both
LEVEL = 0.05


@dataclass(frozen=True)
class Slice:
    """A part of the table: conditions that hold together."""

    conditions: tuple[Condition, ...]

    def holds(self, rows: np.ndarray) -> np.ndarray:
        """Return which coded rows are in it, bool [rows]."""
        return together(self.conditions, rows)

    @property
    def words(self) -> str:
        """The slice as people read it."""
        return "; ".join(condition.words for condition in self.conditions)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of its columns."""
        return tuple(condition.feature.name for condition in self.conditions)


@dataclass(frozen=True, eq=False)
class Slices:
    """Slices that were tested, those with the smallest p-value first.

    Parameters
    ----------
    model : str
        Name of the model.
    of : {"loss", "risk"}
        What was measured.
    slices : tuple of Slice
        Those that the discovery chose.
    candidates : int
        Leaves that it chose from.
    table : DataFrame
        A line a slice, on the test rows: `slice`, `columns`, `rows`, `share`; `error_rate`, `loss` here and `_elsewhere`;
        `expected_loss`; `observed` and `predicted` share of events; `difference` of the measure (loss here minus elsewhere,
        or observed minus predicted) with `low` and `high` (95 % bootstrap); `p`, `adjusted` (Holm) and `found`.
    """

    model: str
    of: Measure
    slices: tuple[Slice, ...]
    candidates: int
    table: pd.DataFrame

    def to_frame(self) -> pd.DataFrame:
        """Return the table."""
        return self.table

    @property
    def found(self) -> tuple[Slice, ...]:
        """The slices whose adjusted p-value is at most .05."""
        return tuple(one for one, is_found in zip(self.slices, self.table["found"], strict=True) if is_found)


def slices(discovery: Verdicts, test: Verdicts, *, of: Measure = "loss", tested: int = MOST_TESTED, seed: int = 0) -> Slices:
    """Return the slices in which a model is worse, chosen on some rows and tested on others; see the module for the method.

    Parameters
    ----------
    discovery, test : Verdicts
        Of one model, on different rows that it was not fitted on.
    of : {"loss", "risk"}
        What is compared.
    tested : int
        How many slices are tested at most.
    seed : int
        Seed of the draws and of the bootstrap.

    Raises
    ------
    DlxError
        If there is no such measure, the rows are the same, or too few for a slice.
    """
    if of not in get_args(Measure):
        raise DlxError(f"slices are of {' or '.join(map(repr, get_args(Measure)))}, got {of!r}")
    if discovery.model != test.model or np.array_equal(discovery.people.rows, test.people.rows, equal_nan=True):
        raise DlxError("slices need the verdicts of one model on different rows, so that what chooses them does not test them")
    least = max(LEAST_ROWS, int(np.ceil(LEAST_SHARE * len(discovery))))
    if len(discovery) < 2 * least or len(test) < 2 * least:
        raise DlxError(
            f"slices need at least {2 * least} rows to be found and as many to be tested, got {len(discovery)} and "
            f"{len(test)}; pass more rows"
        )
    every = list(_candidates(discovery, of, least))
    chosen = _tested(every, discovery, test, of, tested)
    table = _table(chosen, test, of, seed)
    order = table["p"].argsort(kind="stable").to_numpy()
    return Slices(test.model, of, tuple(chosen[i] for i in order), len(every), table.iloc[order].reset_index(drop=True))


def _candidates(judged: Verdicts, of: Measure, least: int) -> Sequence[Slice]:
    schema, rows = judged.people.schema, judged.people.rows
    measures = [judged.losses] if of == "loss" else [judged.residuals, -judged.residuals]
    leaves = dict.fromkeys(leaf for measure in measures for leaf in candidates(schema, rows, measure, least=least))
    return [Slice(leaf) for leaf in leaves]


def _tested(every: Sequence[Slice], discovery: Verdicts, test: Verdicts, of: Measure, most: int) -> list[Slice]:
    """Return the candidates that stand out most in the discovery rows, none much like one that stands out more."""
    score = _loss_score if of == "loss" else _risk_score
    masks = [one.holds(discovery.people.rows) for one in every]
    scores = np.array([score(discovery, mask) for mask in masks])
    kept: list[int] = []
    for i in np.argsort(-scores, kind="stable"):
        alike = (_are_alike(every[i], every[j], masks[i], masks[j]) for j in kept)
        if len(kept) < most and scores[i] > 0 and _is_large(every[i], test) and not any(alike):
            kept.append(int(i))
    return [every[i] for i in kept]


def _is_large(one: Slice, test: Verdicts) -> bool:
    """Whether enough test rows are in a slice and outside it; the outcomes are not looked at."""
    inside = int(one.holds(test.people.rows).sum())
    return LEAST_ROWS // 2 <= inside <= len(test) - LEAST_ROWS // 2


def _are_alike(one: Slice, other: Slice, mask: np.ndarray, other_mask: np.ndarray) -> bool:
    """Whether two slices share a condition, or more than half of the rows of either."""
    overlap = (mask & other_mask).sum() / (mask | other_mask).sum()
    return bool(set(one.conditions) & set(other.conditions)) or bool(overlap > MOST_ALIKE)


def _loss_score(judged: Verdicts, mask: np.ndarray) -> float:
    """Return Welch's t of the loss in the slice against elsewhere."""
    here, elsewhere = judged.losses[mask], judged.losses[~mask]
    if min(len(here), len(elsewhere)) < 2:
        return 0.0
    variance = here.var(ddof=1) / len(here) + elsewhere.var(ddof=1) / len(elsewhere)
    return float((here.mean() - elsewhere.mean()) / np.sqrt(max(variance, np.finfo(float).tiny)))


def _risk_score(judged: Verdicts, mask: np.ndarray) -> float:
    """Return how many standard deviations the events of the slice are away from those predicted."""
    chance = judged.predicted[mask]
    spread = np.sqrt(max((chance * (1 - chance)).sum(), np.finfo(float).tiny))
    return float(abs(judged.residuals[mask].sum()) / spread)


def _table(chosen: Sequence[Slice], test: Verdicts, of: Measure, seed: int) -> pd.DataFrame:
    import pandas as pd

    masks = np.array([one.holds(test.people.rows) for one in chosen]).reshape(len(chosen), len(test))
    chances = (loss_chances if of == "loss" else risk_chances)(test, masks, seed)
    lines = [
        _line(one, mask, test, of, seed) | {"p": p, "adjusted": adjusted, "found": bool(adjusted <= LEVEL)}
        for one, mask, p, adjusted in zip(chosen, masks, chances, holm(chances), strict=True)
    ]
    return pd.DataFrame(lines, columns=COLUMNS)


COLUMNS = [
    *("model", "of", "slice", "columns", "rows", "share", "error_rate", "error_rate_elsewhere", "loss", "loss_elsewhere"),
    *("expected_loss", "observed", "predicted", "difference", "low", "high", "p", "adjusted", "found"),
]


def _line(one: Slice, mask: np.ndarray, test: Verdicts, of: Measure, seed: int) -> dict[str, Any]:
    losses, wrong, rng = test.losses, test.wrong, np.random.default_rng(seed)
    here, elsewhere = (losses[mask], losses[~mask]) if of == "loss" else (test.residuals[mask], np.zeros(1))
    people = min(len(here), len(elsewhere)) if of == "loss" else len(here)
    low, high = ends_of(np.subtract(*(resampled_means(some, seed=rng)[1:] for some in (here, elsewhere))), people=people)
    return {
        "model": test.model,
        "of": of,
        "slice": one.words,
        "columns": ", ".join(one.columns),
        "rows": int(mask.sum()),
        "share": mask.mean(),
        "error_rate": wrong[mask].mean(),
        "error_rate_elsewhere": wrong[~mask].mean(),
        "loss": losses[mask].mean(),
        "loss_elsewhere": losses[~mask].mean(),
        "expected_loss": test.expected_losses[mask].mean(),
        "observed": test.outcomes[mask].mean(),
        "predicted": test.predicted[mask].mean(),
        "difference": here.mean() - elsewhere.mean(),
        "low": low,
        "high": high,
    }
