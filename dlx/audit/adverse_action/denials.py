"""adverse_reasons(): why each denied person was denied, in words that may be printed, and how far that depends on choices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dlx.arrays import array_id, is_count, is_number
from dlx.audit.adverse_action.reason_groups import Grouping
from dlx.audit.adverse_action.wording import ReasonMap, ReasonRules, usual_values
from dlx.dataset import Dataset, refuse_bare
from dlx.errors import DlxError, listed
from dlx.explanation import Explanation
from dlx.model import Model, check_model, decided
from dlx.stats import interval_of_mean, interval_of_share

if TYPE_CHECKING:
    import pandas as pd

MOST = 4  # more "is not likely to be helpful", says the commentary on 12 CFR 1002.9(b)(2); no number is prescribed
ROUNDING = 1e-5  # on the logit: of the outputs of a float32 net in another batch
NOTHING = 1e-4  # share of all that moved a person's risk, either way, below which a column is no reason: it was not read
WITHHELD = ("flagged", "review", "joint_proxy")  # why a column that counted as much as a printed reason is not printed
NEAR = 100  # granted people, the nearest to the cutoff


class ReasonsError(DlxError):
    """Reasons that cannot be given, or not of these people."""


@dataclass(frozen=True)
class Reason:
    """A reason, as it is printed and where it comes from."""

    words: str  # what is printed
    value: str  # the person's own
    column: str  # of those that count as one reason, the one that moved the risk most
    group: int  # which columns count as one; see `Grouping`
    contribution: float  # of the group, without what goes against its words; above 0: towards denial


@dataclass(frozen=True)
class Denial:
    """Why a person was denied, and which columns counted as much as a printed reason but are not printed."""

    person: Any  # the name of the row
    reasons: tuple[Reason, ...]  # the largest first
    flagged: tuple[str, ...]  # protected columns and proxies; for a reviewer, never for print
    review: tuple[str, ...] = ()  # columns whose words are not true of the person's value
    joint_proxy: tuple[str, ...] = ()  # columns that tell a protected group together with the printed ones

    @property
    def groups(self) -> frozenset[int]:
        """The set of reasons, whatever their words."""
        return frozenset(reason.group for reason in self.reasons)


def near_cutoff(model: Model, observed: Dataset, *, size: int = NEAR, threshold: float | None = None) -> Dataset:
    """Return the granted people nearest the cutoff: the granted of the highest risk, at most `size` of them.

    "Applicants whose total score was at or slightly above the minimum passing score", in the words of the commentary on
    12 CFR 1002.9(b)(2); its other reference is all applicants.

    Raises
    ------
    ReasonsError
        If the model grants nobody, or the size or the threshold is out of range.
    """
    check_model(model)
    refuse_bare(observed, "observed")
    threshold = observed.schema.target.threshold if threshold is None else threshold
    if not is_count(size) or not is_number(threshold) or not 0 < threshold < 1:
        raise ReasonsError(f"size must be at least 1 and threshold between 0 and 1, got {size!r} and {threshold!r}")
    risk = model.predict(observed, "probability")
    granted = np.flatnonzero(~decided(risk, threshold))
    if not len(granted):
        raise ReasonsError(f"{model.name} grants nobody of {observed.name} at {threshold:.3g}; compare with all applicants")
    nearest = granted[np.argsort(-risk[granted], kind="stable")[:size]]
    return observed[np.sort(nearest)]


def adverse_reasons(
    explanation: Explanation, background: Dataset, *, wording: ReasonMap, grouping: Grouping, most: int = MOST
) -> tuple[Denial, ...]:
    """Return why each person was denied, the largest reason first.

    Contributions of columns that go together are summed, with their signs; what is above 0 moved the person towards
    denial. The words are those of the column that moved most. What moved the risk up although the words are not true of the
    person's value (`ReasonMap.goes_against`), or, where nothing says which values are adverse, although real people with such
    a value have the event clearly less often, is neither summed nor printed, but listed for review. A protected column, or a
    proxy of one, is never a reason, nor a column that makes the printed ones together a proxy; it is flagged where it moved
    the risk as much as the last reason did. Less than 1 in 10,000 of all that moved a person's risk is rounding, and no reason.

    Parameters
    ----------
    explanation : Explanation
        Of denied people, on any scale of a classifier.
    background : Dataset
        The reference people that it was made against: those near the cutoff, or all applicants.
    wording : ReasonMap
        The words.
    grouping : Grouping
        Which columns are one reason, and which are never one.
    most : int
        Reasons a person.

    Raises
    ------
    ReasonsError
        If flagging a person is no adverse action, somebody is not denied or has no explanation, the background is another,
        or `most` is below 1.
    """
    refuse_bare(background, "background")
    _refuse(explanation, background, most)
    for what, names in (("grouping", grouping.names), ("wording", wording.schema.names)):
        if names != explanation.schema.names:
            raise ReasonsError(
                f"the {what} must be of the columns that are explained, in their order, but is of {listed(names)}"
            )
    rules = ReasonRules(wording, grouping, usual_values(background))
    return tuple(
        _denial(person, values, row, rules, most)
        for person, values, row in zip(explanation.index, explanation.values, explanation.rows, strict=True)
    )


def to_frame(denials: Sequence[Denial], **said: Any) -> pd.DataFrame:
    """Return a line a reason: what is said of all, person, rank, words, value, column, contribution; columns withheld.

    Columns that count as one reason have the same number in `group`.
    """
    import pandas as pd

    lines = [
        said
        | {"person": denial.person, "rank": rank, "reason": reason.words, "value": reason.value}
        | {"column": reason.column, "group": reason.group, "contribution": reason.contribution}
        | {name: " ".join(getattr(denial, name)) for name in WITHHELD}
        for denial in denials
        for rank, reason in enumerate(denial.reasons, 1)
    ]
    names = [*said, "person", "rank", "reason", "value", "column", "group", "contribution", *WITHHELD]
    return pd.DataFrame(lines, columns=names)


def _denial(person: Any, values: np.ndarray, row: np.ndarray, rules: ReasonRules, most: int) -> Denial:
    groups, names, withheld = np.array(rules.grouping.group), rules.grouping.names, rules.grouping.withheld
    allowed = np.array([name not in withheld for name in names])
    candidates: list[Reason] = []
    review, nothing = [], NOTHING * float(np.abs(values).sum())
    for g in dict.fromkeys(groups[allowed].tolist()):
        members = [i for i in np.argsort(-values, kind="stable").tolist() if groups[i] == g and allowed[i]]
        whole = float(values[members].sum())
        against = [i for i in members if values[i] > nothing and rules.goes_against(i, row[i])]
        true = [i for i in members if values[i] > nothing and i not in against]
        if against and whole > nothing:
            review.append((names[against[0]], min(whole, float(values[against].sum()))))
        contribution = whole - float(values[against].sum())
        if true and contribution > nothing:
            value = rules.wording.schema.features[true[0]].format(row[true[0]])
            candidates.append(Reason(rules.words(true[0], row[true[0]]), value, names[true[0]], g, contribution))
    candidates.sort(key=lambda reason: -reason.contribution)
    reasons = candidates[:most]
    joint_proxy: list[Reason] = []
    if rules.grouping.joint_proxy(reason.column for reason in reasons) is not None:
        reasons = []
        for reason in candidates:
            if len(reasons) == most:
                break
            tells = rules.grouping.joint_proxy(one.column for one in (*reasons, reason)) is not None
            (joint_proxy if tells else reasons).append(reason)
    least = reasons[-1].contribution if len(reasons) == most else nothing
    flagged = [i for i in np.argsort(-values, kind="stable") if not allowed[i] and values[i] > nothing and values[i] >= least]
    return Denial(
        person,
        tuple(reasons),
        tuple(names[i] for i in flagged),
        tuple(name for name, contribution in sorted(review, key=lambda one: -one[1]) if contribution >= least),
        tuple(reason.column for reason in joint_proxy if reason.contribution >= least),
    )


def _refuse(explanation: Explanation, background: Dataset, most: int) -> None:
    target = background.schema.target
    if target.kind != "binary":
        raise ReasonsError(f"reasons are for people who are denied or not, but {target.name!r} is of kind {target.kind}")
    if not target.adverse_action:
        raise ReasonsError(
            f"to be {target.flagged} is no adverse action in the sense of 12 CFR 1002.2(c), so there are no adverse-action "
            "reasons to give; set adverse_action = true in the schema's target if it is one"
        )
    if not is_count(most):
        raise ReasonsError(f"a denied person is given at least 1 reason, got most={most!r}")
    if array_id(background.rows) != explanation.background_id:
        raise ReasonsError(f"the background is not the one of the explanation by {explanation.method}; pass the same rows")
    cutoff, is_logit = target.threshold, explanation.scale == "logit"
    line = float(np.log(cutoff / (1 - cutoff))) - ROUNDING if is_logit else cutoff - ROUNDING * cutoff * (1 - cutoff)
    granted = explanation.outputs < line
    if granted.any() or explanation.failed.any():
        who = explanation.index[int((granted | explanation.failed).argmax())]
        what = "is not denied" if granted.any() else "could not be explained"
        raise ReasonsError(f"reasons are for people who are denied and explained, but person {who} {what}; leave them out")


class Source(NamedTuple):
    """Where reasons come from."""

    model: str  # what was explained
    method: str  # by what
    background: str  # whom the denied are compared with


def reason_stability(denials: Mapping[Source, tuple[Denial, ...]], *, groups: int, seed: int = 0) -> pd.DataFrame:
    """Return how far two sources that differ in one thing give the same reasons, over the people whom both deny.

    Parameters
    ----------
    denials : mapping of Source to tuple of Denial
        The reasons.
    groups : int
        How many different reasons there are, for the overlap that chance would give.
    seed : int
        Seed of the bootstrap over people.

    Returns
    -------
    DataFrame
        A line a pair of sources that deny somebody in common: what `differs`, both sources, `people`, `same` (the share with
        the same set of reasons) and `overlap` (the mean of shared reasons over the larger set's size), each with a 95 %
        interval, `first` (the share whose first reason is the same), and `chance` (the overlap of sets of these sizes drawn
        at random).

    Raises
    ------
    ReasonsError
        If there are fewer than two sources.
    """
    import pandas as pd

    if len(denials) < 2:
        raise ReasonsError(f"stability compares at least two sources of reasons, got {len(denials)}")
    lines = []
    for one, other in combinations(denials, 2):
        differs = [what for what, a, b in zip(Source._fields, one, other, strict=True) if a != b]
        left, right = ({denial.person: denial for denial in denials[source]} for source in (one, other))
        pairs = [(left[person], right[person]) for person in left if person in right]
        if len(differs) == 1 and pairs:
            ends = {"differs": differs[0], "one": getattr(one, differs[0]), "other": getattr(other, differs[0])}
            lines.append(ends | one._asdict() | _agreement(pairs, groups, seed))
    return pd.DataFrame(lines)


def _agreement(pairs: list[tuple[Denial, Denial]], groups: int, seed: int) -> dict[str, float]:
    same = interval_of_share(np.array([a.groups == b.groups for a, b in pairs]))
    larger = [max(len(a.groups), len(b.groups)) for a, b in pairs]
    shared = [len(a.groups & b.groups) / most if most else 1.0 for (a, b), most in zip(pairs, larger, strict=True)]
    overlap = interval_of_mean(np.array(shared), seed=seed)
    first = [bool(a.reasons and b.reasons) and a.reasons[0].group == b.reasons[0].group for a, b in pairs]
    return {
        "people": len(pairs),
        **{"same": same.estimate, "same_low": same.low, "same_high": same.high},
        **{"overlap": overlap.estimate, "overlap_low": overlap.low, "overlap_high": overlap.high},
        "first": float(np.mean(first)),
        "chance": float(np.mean([min(len(a.groups), len(b.groups)) / groups for a, b in pairs])),
    }
