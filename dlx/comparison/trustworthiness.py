"""Which explanations to trust: trust is earned, by measurements that could have spoken against a method."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from dlx.arrays import in_short
from dlx.comparison.noise import Replicates
from dlx.explanation import Explanation
from dlx.rounding import side_true

LEAST_SELF_AGREEMENT = 0.8  # of the top columns, with another seed
MOST_ERROR = 0.1  # of a method that sets out to give Shapley values
FAR = 0.25  # from the Shapley values: an answer to another question, which a reader must know of
MOST_LOST = 0.25  # of the mean effect, in the worst row, of contributions that are far from the Shapley values
ALL_LOST = 1.0  # what contributions leave out is as much as they tell
SETTLED = 0.95  # share of replicates in which two columns keep their order
AGREEING_SHARE = 0.6  # of the methods whose word counts that must name a column for it to be a reason
TRUSTED, NOT_REFUTED, DISTRUSTED = "trusted", "not refuted", "distrusted"


@dataclass(frozen=True)
class Measurements:
    """Tables about the methods of one model; None where something was not measured."""

    compatibility: pd.DataFrame | None = None  # `dlx.audit.preflight`
    distances: pd.DataFrame | None = None  # `Comparison.distance_to_truth`
    noise: pd.DataFrame | None = None  # `Comparison.noise`
    faithfulness: pd.DataFrame | None = None  # `dlx.comparison.faithfulness`
    sanity: pd.DataFrame | None = None  # `dlx.comparison.sanity_check`

    __repr__ = in_short


def trust(explanations: Sequence[Explanation], measured: Measurements) -> pd.DataFrame:
    """Return the standing of each method about its model, and why: a line a method.

    Distrusted is a method that pre-flight found not valid, whose explanations outlive the randomisation of the net's
    weights, whose top columns change with its own seed, that misses the Shapley values it sets out to give, whose
    contributions tell no more of the model's answers than shuffled ones, that failed on somebody, that leaves out as much as
    it tells, or that is far from the Shapley values and does not add up either. Trusted is a method that nothing of this
    speaks against although pre-flight, its own noise and its distance from the Shapley values were all measured; where one of
    them was not, it is not refuted.

    Returns
    -------
    DataFrame
        model, method; `standing`: "trusted", "not refuted" or "distrusted"; `trusted`: whether it is the first; `why`;
        `not_measured`: which of the three were not; `measured`: what was; `remark`: what to know.
    """
    return pd.DataFrame([_line(one, measured) for one in explanations])


def believed(table: pd.DataFrame) -> np.ndarray:
    """Return which methods to believe, a flag a line of `trust`: the trusted ones; where none is, those not refuted."""
    wanted = TRUSTED if (table["standing"] == TRUSTED).any() else NOT_REFUTED
    return (table["standing"] == wanted).to_numpy(dtype=bool)


def _line(one: Explanation, measured: Measurements) -> dict[str, object]:
    tables = {name: _about(table, one) for name, table in vars(measured).items() if table is not None}
    tables |= {name: asked(tables[name]) for name, asked in _ASKED.items() if name in tables}
    seen = {name: tables[table] for name, table in _CHECKS.items() if table in tables and _says_something(tables[table])}
    away = _away(seen.get(DISTANCE))
    against, lacking = _objections(one, seen, away), [name for name in (PREFLIGHT, NOISE, DISTANCE) if name not in seen]
    standing = DISTRUSTED if against else NOT_REFUTED if lacking else TRUSTED
    nothing = f"nothing speaks against it ({', '.join(seen) or 'nothing was measured'})"
    nothing += f"; {' and '.join(lacking)} not measured" if lacking else ""
    return {
        **{"model": one.model, "method": one.method, "standing": standing, "trusted": standing == TRUSTED},
        **{"why": "; ".join(against) or nothing, "not_measured": ", ".join(lacking), "measured": ", ".join(seen)},
        "remark": f"it answers another question: {_far(away)}" if away > FAR else "",
    }


def _about(table: pd.DataFrame, one: Explanation) -> pd.DataFrame:
    some = table[(table["model"] == one.model) & (table["method"] == one.method)]
    return some[some["options"] == one.options_words] if "options" in some else some


def _own_noise(table: pd.DataFrame) -> pd.DataFrame:
    """Return the noise of other seeds, a line: of the top columns, or, where these are all columns, of the order of pairs."""
    same = table[table["source"] == "seed"]
    some = same[same["metric"] == "feature_agreement"]
    is_all = len(some) and "chance" in some and some["chance"].iloc[0] == 1
    return same[same["metric"] == "pairwise_rank_agreement"] if is_all else some


def _says_something(table: pd.DataFrame) -> bool:
    """Whether a table has a line whose results are not all undefined."""
    found = [name for name in ("verdict", "median", "mean", "feature_agreement") if name in table]
    return len(table) > 0 and (not found or bool(table[found].notna().any(axis=None)))


def _away(distances: pd.DataFrame | None) -> float:
    """Return how far a method that does not set out to give the Shapley values is from them; 0 where that is not known."""
    line = None if distances is None else distances.iloc[0]
    return 0.0 if line is None or line["is_shapley"] or np.isnan(line["median"]) else float(line["median"])


def _objections(one: Explanation, seen: dict[str, pd.DataFrame], away: float) -> list[str]:
    """Return what speaks against a method, by the tables about it that say something."""
    first, said = {name: table.iloc[0] for name, table in seen.items()}, []
    ready, noise, distance = (first.get(name) for name in (PREFLIGHT, NOISE, DISTANCE))
    if ready is not None and ready["verdict"] == "not valid":
        said.append(f"pre-flight found it not valid: {ready['reason']}")
    if WEIGHTS in seen and seen[WEIGHTS]["survives"].any():
        said.append("its explanations outlive the randomisation of the net's weights")
    if noise is not None and noise["mean"] < LEAST_SELF_AGREEMENT:
        what = "top columns stay" if noise["metric"] == "feature_agreement" else "pairs of columns keep their order"
        said.append(f"with another seed only {_percent(noise['mean'], LEAST_SELF_AGREEMENT)} of the {what}")
    if distance is not None and distance["is_shapley"] and distance["median"] > MOST_ERROR:
        said.append(f"it is off by {_percent(distance['median'], MOST_ERROR)} from the Shapley values that it sets out to give")
    told = seen[FAITHFULNESS].query("metric == 'sensitivity_n'") if FAITHFULNESS in seen else pd.DataFrame()
    if len(told) and told["low"].iloc[0] <= told["chance"].iloc[0]:
        said.append("its contributions tell no more of what the model answers when columns change than shuffled ones")
    lost, most = 0.0 if ready is None else ready.get("lost", 0.0), MOST_LOST if away > FAR else ALL_LOST
    if lost > most:
        far = f", and it is {_far(away)}" if away > FAR else ""
        said.append(
            f"its contributions leave out {_percent(lost, most)} of the mean effect in the worst row that was tried{far}"
        )
    if one.failed.any():
        said.append(f"it failed on {int(one.failed.sum())} of {len(one)} people")
    return said


def _far(away: float) -> str:
    return f"{_percent(away, FAR)} away from the Shapley values for half of the people"


def _percent(number: float, line: float) -> str:
    return f"{side_true(100 * number, 100 * line, 0, strict=True)}%"


PREFLIGHT, WEIGHTS, NOISE = "pre-flight", "randomised weights", "its own noise"
DISTANCE, FAITHFULNESS = "distance to the truth", "faithfulness"
_CHECKS = {PREFLIGHT: "compatibility", WEIGHTS: "sanity", NOISE: "noise", DISTANCE: "distances", FAITHFULNESS: "faithfulness"}
_ASKED: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {  # what of a table is looked at
    "noise": _own_noise,
    "distances": lambda table: table[table["measure"] == "relative_error"],
}


@dataclass(frozen=True, eq=False)
class Consensus:
    """What some methods say together of one person."""

    order: tuple[int, ...]  # columns by mean share of the contributions over the methods, the largest first
    share: np.ndarray  # [features], that share, with its sign
    first_votes: int  # how many methods put the first column first, alone or with others of the same size
    methods: int
    support: np.ndarray  # of int [features], methods with a column among their top k with the sign of its mean share
    kept_order: tuple[float, ...]  # of each column of `order` but the last: share of replicates that put it before the next

    __repr__ = in_short

    @property
    def settled(self) -> tuple[bool, ...]:
        """Whether a column of `order` comes before the next beyond noise."""
        return tuple(kept >= SETTLED for kept in self.kept_order)

    def is_reason(self, column: int) -> bool:
        """Whether enough methods name a column."""
        return bool(self.support[column] >= AGREEING_SHARE * self.methods)


def consensus(
    explanations: Sequence[Explanation], position: int, *, replicates: Sequence[Replicates] = (), k: int = 5
) -> Consensus | None:
    """Return what some methods say together of the person at a position; None where none explains them.

    Parameters
    ----------
    explanations : sequence of Explanation
        Aligned, of one model, by the methods whose word counts: see `believed`.
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
    sizes = np.abs(rows)
    mean = (rows / np.maximum(sizes.sum(axis=1, keepdims=True), 1e-300)).mean(axis=0)
    order = np.argsort(-np.abs(mean), kind="stable")
    kth_largest = np.sort(sizes, axis=1)[:, -min(k, rows.shape[1])]
    in_top = (sizes >= kth_largest[:, None]) & (rows != 0)
    known = {(one.model, one.method) for one in explanations}
    some = [r for r in replicates if (r.of.model, r.of.method) in known and position < len(r.of)]
    again = np.abs(np.vstack([rows, *(other.values[[position]] for r in some for other in r.explanations)]))[:, order]
    again = again[np.isfinite(again).all(axis=1)]
    return Consensus(
        order=tuple(int(i) for i in order),
        share=mean,
        first_votes=int((in_top & (sizes == sizes.max(axis=1, keepdims=True)))[:, order[0]].sum()),
        methods=len(rows),
        support=(in_top & (np.sign(rows) == np.sign(mean))).sum(axis=0),
        kept_order=tuple(float(kept) for kept in (again[:, :-1] > again[:, 1:]).mean(axis=0)),
    )
