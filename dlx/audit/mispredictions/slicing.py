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
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from dlx.audit.mispredictions.conditions import Condition, candidates
from dlx.audit.mispredictions.confidence import Decisions
from dlx.errors import DlxError
from dlx.stats import ends_of, holm, resampled_means

if TYPE_CHECKING:
    import pandas as pd

Measure = Literal["loss", "risk"]
LEAST_ROWS, LEAST_SHARE = 20, 0.05
MOST_TESTED = 10
MOST_ALIKE = 0.5  # of two slices, by the share of rows of either that are in both
SIGNIFICANT = 0.05
SMALLEST = float(np.finfo(float).tiny)  # a variance counts as at least this
DRAWS = 9_999
BLOCK = 500  # draws at a time


@dataclass(frozen=True)
class Slice:
    """A part of the table: conditions that hold together."""

    conditions: tuple[Condition, ...]

    def holds(self, rows: np.ndarray) -> np.ndarray:
        """Return which coded rows are in it, bool [rows]."""
        return np.logical_and.reduce([condition.holds(rows) for condition in self.conditions])

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

    The table has a line a slice, on the test rows: `slice`, `columns`, `rows`, `share`; `error_rate`, `loss` here and
    `_elsewhere`; `expected_loss`; `observed` and `predicted` share of events; `difference` of the measure (loss here minus
    elsewhere, or observed minus predicted) with `low` and `high` (95 % bootstrap); `p`, `adjusted` (Holm) and `found`.
    """

    model: str
    of: Measure
    slices: tuple[Slice, ...]  # those that the discovery chose
    candidates: int  # leaves that it chose from
    table: pd.DataFrame

    def to_frame(self) -> pd.DataFrame:
        """Return the table."""
        return self.table

    @property
    def found(self) -> tuple[Slice, ...]:
        """The slices whose adjusted p-value is at most .05."""
        return tuple(one for one, is_found in zip(self.slices, self.table["found"], strict=True) if is_found)


def slices(discovery: Decisions, test: Decisions, *, of: Measure = "loss", tested: int = MOST_TESTED, seed: int = 0) -> Slices:
    """Return the slices in which a model is worse, chosen on some rows and tested on others; see the module for the method.

    Parameters
    ----------
    discovery, test : Decisions
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
        raise DlxError("slices need decisions of one model on different rows, so that what chooses them does not test them")
    least = max(LEAST_ROWS, int(np.ceil(LEAST_SHARE * len(discovery))))
    if len(discovery) < 2 * least or len(test) < 2 * least:
        raise DlxError(
            f"slices need at least {2 * least} rows to be found and as many to be tested, got {len(discovery)} and "
            f"{len(test)}; pass more rows"
        )
    schema, rows = discovery.people.schema, discovery.people.rows
    measures = [discovery.losses] if of == "loss" else [discovery.residuals, -discovery.residuals]
    leaves = dict.fromkeys(leaf for measure in measures for leaf in candidates(schema, rows, measure, least=least))
    chosen = _outstanding([Slice(leaf) for leaf in leaves], discovery, test, of, tested)
    table = _table(chosen, test, of, seed)
    order = table["p"].argsort(kind="stable").to_numpy()
    return Slices(test.model, of, tuple(chosen[i] for i in order), len(leaves), table.iloc[order].reset_index(drop=True))


def _outstanding(every: Sequence[Slice], discovery: Decisions, test: Decisions, of: Measure, most: int) -> list[Slice]:
    """Return the candidates that stand out most in the discovery rows, none much like one that stands out more.

    Of two that are alike, in a condition or in more than half of the rows of either, the second is left out. Enough test
    rows must be inside and outside; their outcomes are not looked at.
    """
    masks = [one.holds(discovery.people.rows) for one in every]
    scores = np.array([_score(discovery, mask, of) for mask in masks])

    def are_alike(i: int, j: int) -> bool:
        overlap = (masks[i] & masks[j]).sum() / (masks[i] | masks[j]).sum()
        return bool(set(every[i].conditions) & set(every[j].conditions)) or bool(overlap > MOST_ALIKE)

    kept: list[int] = []
    for i in np.argsort(-scores, kind="stable"):
        if len(kept) == most or scores[i] <= 0:
            break
        tested = int(every[i].holds(test.people.rows).sum())
        is_large = LEAST_ROWS // 2 <= tested <= len(test) - LEAST_ROWS // 2
        if is_large and not any(are_alike(i, j) for j in kept):
            kept.append(int(i))
    return [every[i] for i in kept]


def _score(decisions: Decisions, mask: np.ndarray, of: Measure) -> float:
    """Return how far a slice stands out: Welch's t of its losses, or standard deviations of its events from those predicted."""
    if of == "risk":
        chance, residuals = decisions.predicted[mask], decisions.residuals[mask]
        return float(abs(residuals.sum()) / np.sqrt(max((chance * (1 - chance)).sum(), SMALLEST)))
    here, elsewhere = decisions.losses[mask], decisions.losses[~mask]
    variance = here.var(ddof=1) / len(here) + elsewhere.var(ddof=1) / len(elsewhere)
    return float((here.mean() - elsewhere.mean()) / np.sqrt(max(variance, SMALLEST)))


def _table(chosen: Sequence[Slice], test: Decisions, of: Measure, seed: int) -> pd.DataFrame:
    import pandas as pd

    masks = np.array([one.holds(test.people.rows) for one in chosen], dtype=bool).reshape(len(chosen), len(test))
    sizes = masks.sum(axis=1)

    def here(values: np.ndarray) -> np.ndarray:
        return masks @ values.astype(float) / sizes

    def elsewhere(values: np.ndarray) -> np.ndarray:
        return ~masks @ values.astype(float) / (len(test) - sizes)

    p_values = chances(test, masks, of, seed)
    ends = np.array([_ends(mask, test, of, seed) for mask in masks]).reshape(len(chosen), 2)
    return pd.DataFrame(
        {
            "model": test.model,
            "of": of,
            "slice": [one.words for one in chosen],
            "columns": [", ".join(one.columns) for one in chosen],
            "rows": sizes,
            "share": sizes / len(test),
            "error_rate": here(test.wrong),
            "error_rate_elsewhere": elsewhere(test.wrong),
            "loss": here(test.losses),
            "loss_elsewhere": elsewhere(test.losses),
            "expected_loss": here(test.expected_losses),
            "observed": here(test.outcomes),
            "predicted": here(test.predicted),
            "difference": here(test.losses) - elsewhere(test.losses) if of == "loss" else here(test.residuals),
            "low": ends[:, 0],
            "high": ends[:, 1],
            "p": p_values,
            "adjusted": holm(p_values),
            "found": holm(p_values) <= SIGNIFICANT,
        }
    )


def _ends(mask: np.ndarray, test: Decisions, of: Measure, seed: int) -> np.ndarray:
    """Return the ends of the difference of the measure over resampled people, [2]."""
    rng = np.random.default_rng(seed)
    sides = (test.losses[mask], test.losses[~mask]) if of == "loss" else (test.residuals[mask],)
    means = [resampled_means(side, seed=rng)[1:] for side in sides]
    return ends_of(means[0] - means[1] if of == "loss" else means[0], people=min(map(len, sides)))


def chances(test: Decisions, masks: np.ndarray, of: Measure, seed: int) -> np.ndarray:
    """Return how likely slices as bad as these are by chance, p-values [slices].

    Of the loss: the share of permutations in which it is at least as high there; the sums decide, since the size of a slice
    and the sum of all losses are the same in each. Of the risk: the share of outcomes drawn from the model's own
    probabilities in which events are at least as far from those predicted.
    """
    rng, members, reached = np.random.default_rng(seed), masks.T.astype(float), np.ones(len(masks))
    losses, residuals, predicted = test.losses, test.residuals, test.predicted
    limit = (losses @ members if of == "loss" else np.abs(residuals @ members)) - 1e-9  # sums are rounded by their order
    for start in range(0, DRAWS, BLOCK):
        shape = min(BLOCK, DRAWS - start), len(test)
        if of == "loss":
            sums = rng.permuted(np.broadcast_to(losses, shape), axis=1) @ members
        else:
            sums = np.abs(((rng.random(shape) < predicted) - predicted) @ members)
        reached += (sums >= limit).sum(axis=0)
    return reached / (1 + DRAWS)
