"""Which explanations to trust, from the evidence: a method is trusted until something that was measured speaks against it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dlx.comparison.noise import Replicates
from dlx.explanation import Explanation

if TYPE_CHECKING:
    import pandas as pd

LEAST_SELF_AGREEMENT = 0.8  # of the top columns, with another seed
MOST_ERROR = 0.1  # of a method that sets out to give Shapley values
FAR = 0.25  # from the Shapley values: an answer to another question, which a reader must know of
SETTLED = 0.95  # share of replicates in which two columns keep their order
AGREEING_SHARE = 0.6  # of the trusted methods that must name a column for it to be a reason


@dataclass(frozen=True)
class Evidence:
    """Tables about the methods of one model; None where it was not measured.

    Parameters
    ----------
    readiness : DataFrame, optional
        `dlx.preflight`.
    errors : DataFrame, optional
        `Comparison.errors`.
    noise : DataFrame, optional
        `Comparison.noise`.
    faithfulness : DataFrame, optional
        `dlx.comparison.faithfulness`.
    sanity : DataFrame, optional
        `dlx.comparison.sanity_check`.
    """

    readiness: pd.DataFrame | None = None
    errors: pd.DataFrame | None = None
    noise: pd.DataFrame | None = None
    faithfulness: pd.DataFrame | None = None
    sanity: pd.DataFrame | None = None


def trust(explanations: Sequence[Explanation], evidence: Evidence) -> pd.DataFrame:
    """Return a line a method: whether it is trusted about its model, why (not), what was looked at, and what to know.

    Not trusted is a method that pre-flight found not valid, whose explanations outlive the randomisation of the net's
    weights, whose top columns change with its own seed, that misses the Shapley values it sets out to give, or whose
    contributions tell no more of the model's answers than shuffled ones.
    """
    import pandas as pd

    lines = []
    for one in explanations:
        against, seen = [], []
        for name, table, objection in _CHECKS:
            some = getattr(evidence, table)
            some = None if some is None else _about(some, one)
            if some is None or not _says_something(some):
                continue
            seen.append(name)
            if said := objection(some):
                against.append(said)
        if one.failed.any():
            against.append(f"it failed on {int(one.failed.sum())} of {len(one)} people")
        lines.append(
            {
                "model": one.model,
                "method": one.method,
                "trusted": not against,
                "why": "; ".join(against) or f"nothing speaks against it ({', '.join(seen) or 'nothing was measured'})",
                "evidence": ", ".join(seen),
                "remark": _answers_another_question(None if evidence.errors is None else _about(evidence.errors, one)),
            }
        )
    return pd.DataFrame(lines)


@dataclass(frozen=True, eq=False)
class Verdict:
    """What the trusted methods say together of one person.

    Parameters
    ----------
    order : tuple of int
        Columns by mean share of the contributions over the methods, the largest first.
    share : ndarray [features]
        That share, with its sign.
    first_votes, methods : int
        How many methods put the first column first, alone or with others of the same size, and how many there are.
    support : ndarray of int [features]
        How many methods put a column among the person's top k with the sign of its mean share.
    kept_order : tuple of float
        For each column of `order` but the last: the share of methods and replicates that put it before the next; the order
        is settled where this is at least `SETTLED`.
    """

    order: tuple[int, ...]
    share: np.ndarray
    first_votes: int
    methods: int
    support: np.ndarray
    kept_order: tuple[float, ...]

    @property
    def settled(self) -> tuple[bool, ...]:
        """Whether a column of `order` comes before the next beyond noise."""
        return tuple(kept >= SETTLED for kept in self.kept_order)

    def is_reason(self, column: int) -> bool:
        """Whether enough methods name a column."""
        return bool(self.support[column] >= AGREEING_SHARE * self.methods)


def verdict(
    explanations: Sequence[Explanation], position: int, *, replicates: Sequence[Replicates] = (), k: int = 5
) -> Verdict | None:
    """Return what some methods say together of the person at a position; None where none explains them.

    Parameters
    ----------
    explanations : sequence of Explanation
        Aligned, of one model, by the methods that are trusted.
    position : int
        Row of the explanations.
    replicates : sequence of Replicates
        Of some of them, with the same rows first: whether two columns keep their order.
    k : int
        How many features count as the top.
    """
    told = [one.values[position] for one in explanations if not one.failed[position]]
    if not told:
        return None
    rows = np.array(told)
    shares = rows / np.maximum(np.abs(rows).sum(axis=1, keepdims=True), 1e-300)
    mean = shares.mean(axis=0)
    order = np.argsort(-np.abs(mean), kind="stable")
    sizes = np.abs(rows)
    kth_largest = np.sort(sizes, axis=1)[:, -min(k, rows.shape[1])]
    in_top = (sizes >= kth_largest[:, None]) & (rows != 0)
    return Verdict(
        order=tuple(int(i) for i in order),
        share=mean,
        first_votes=int((in_top & (sizes == sizes.max(axis=1, keepdims=True)))[:, order[0]].sum()),
        methods=len(rows),
        support=(in_top & (np.sign(rows) == np.sign(mean))).sum(axis=0),
        kept_order=_kept_order(np.vstack([rows, *_again(explanations, replicates, position)]), order),
    )


def _again(explanations: Sequence[Explanation], replicates: Sequence[Replicates], position: int) -> list[np.ndarray]:
    """Return the replicates [replicates, features] of a person, where these explanations have some."""
    known = {(one.model, one.method) for one in explanations}
    some = [r for r in replicates if (r.of.model, r.of.method) in known and position < len(r.of)]
    found = [np.array([other.values[position] for other in r.explanations]) for r in some]
    return [rows[np.isfinite(rows).all(axis=1)] for rows in found]


def _kept_order(rows: np.ndarray, order: np.ndarray) -> tuple[float, ...]:
    sizes = np.abs(rows)[:, order]
    return tuple(float(kept) for kept in (sizes[:, :-1] > sizes[:, 1:]).mean(axis=0))


def _about(table: pd.DataFrame, one: Explanation) -> pd.DataFrame:
    some = table[(table["model"] == one.model) & (table["method"] == one.method)]
    return some[some["options"] == one.options_words] if "options" in some else some


def _says_something(table: pd.DataFrame) -> bool:
    """Whether a table has a line whose results are not all undefined."""
    found = [name for name in ("verdict", "median", "mean", "feature_agreement") if name in table]
    return len(table) > 0 and (not found or bool(table[found].notna().any(axis=None)))


def _answers_another_question(table: pd.DataFrame | None) -> str:
    far = None if table is None else table[(table["measure"] == "relative_error") & ~table["is_shapley"].astype(bool)]
    if far is None or not (far["median"] > FAR).any():
        return ""
    return f"it answers another question: {far['median'].iloc[0]:.0%} away from the Shapley values for half of the people"


def _not_ready(table: pd.DataFrame) -> str:
    line = table.iloc[0]
    return "" if line["verdict"] != "not valid" else f"pre-flight found it not valid: {line['reason']}"


def _survives(table: pd.DataFrame) -> str:
    return "its explanations outlive the randomisation of the net's weights" if table["survives"].any() else ""


def _changes(table: pd.DataFrame) -> str:
    some = table[(table["metric"] == "feature_agreement") & (table["source"] == "seed")]
    if not len(some) or not some["mean"].iloc[0] < LEAST_SELF_AGREEMENT:
        return ""
    return f"with another seed only {some['mean'].iloc[0]:.0%} of the top columns stay"


def _misses(table: pd.DataFrame) -> str:
    some = table[(table["measure"] == "relative_error") & table["is_shapley"]]
    if not len(some) or not some["median"].iloc[0] > MOST_ERROR:
        return ""
    return f"it is off by {some['median'].iloc[0]:.0%} from the Shapley values that it sets out to give"


def _unfaithful(table: pd.DataFrame) -> str:
    some = table[table["metric"] == "sensitivity_n"]
    if not len(some) or not some["low"].iloc[0] <= some["chance"].iloc[0]:
        return ""
    return "its contributions tell no more of what the model answers when columns change than shuffled ones"


_CHECKS = (
    ("pre-flight", "readiness", _not_ready),
    ("randomised weights", "sanity", _survives),
    ("its own noise", "noise", _changes),
    ("error to the judge", "errors", _misses),
    ("faithfulness", "faithfulness", _unfaithful),
)
