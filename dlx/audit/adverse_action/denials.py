"""adverse_reasons(): why each denied person was denied, in words that may be printed, and how far that depends on choices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from dlx.arrays import array_id, in_short, is_count
from dlx.audit.adverse_action.rules import Grouping, ReasonMap, ReasonRules
from dlx.dataset import Dataset, refuse_bare
from dlx.errors import DlxError, listed
from dlx.explanation import Explanation
from dlx.model import Model, check_model, decided
from dlx.stats import Weights, interval_of_mean, interval_of_share

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
    review: tuple[str, ...]  # columns whose words are not true of the person's value
    joint_proxy: tuple[str, ...]  # columns that tell a protected group together with the printed ones

    __repr__ = in_short

    @property
    def groups(self) -> frozenset[int]:
        """The set of reasons, whatever their words."""
        return frozenset(reason.group for reason in self.reasons)


def near_cutoff(model: Model, observed: Dataset) -> Dataset:
    """Return the granted people nearest the cutoff: the 100 of the highest risk.

    "Applicants whose total score was at or slightly above the minimum passing score", in the words of the commentary on
    12 CFR 1002.9(b)(2); its other reference is all applicants. A model that grants nobody is a `ReasonsError`.
    """
    check_model(model)
    refuse_bare(observed, "observed")
    risk, threshold = model.predict(observed, "probability"), observed.schema.target.threshold
    granted = np.flatnonzero(~decided(risk, threshold))
    if not len(granted):
        raise ReasonsError(f"{model.name} grants nobody of {observed.name} at {threshold:.3g}; compare with all applicants")
    return observed[np.sort(granted[np.argsort(-risk[granted], kind="stable")[:NEAR]])]


def adverse_reasons(
    explanation: Explanation, background: Dataset, *, wording: ReasonMap, grouping: Grouping, most: int = MOST
) -> tuple[Denial, ...]:
    """Return why each person was denied, the largest reason first.

    Contributions of columns that go together are summed, with their signs; what is above 0 moved the person towards denial.
    The words are those of the column that moved most. What moved the risk up against its words (`ReasonRules.goes_against`)
    is neither summed nor printed, but listed for review. A protected column or a proxy of one is never a reason, nor a column
    that makes the printed ones together a proxy; it is flagged where it moved the risk as much as the last reason did.

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
    for what, schema in (("grouping", grouping.observed.schema), ("wording", wording.schema)):
        if schema.names != explanation.schema.names:
            names = listed(schema.names)
            raise ReasonsError(f"the {what} must be of the columns that are explained, in their order, but is of {names}")
    if not is_count(most):
        raise ReasonsError(f"a denied person is given at least 1 reason, got most={most!r}")
    _refuse(explanation, background)
    rules = ReasonRules.of(wording.schema, grouping, background)
    people = zip(explanation.index, explanation.values, explanation.rows, strict=True)
    return tuple(_denial(person, values, row, rules, most) for person, values, row in people)


def _refuse(explanation: Explanation, background: Dataset) -> None:
    target = background.schema.target
    if target.kind != "binary":
        raise ReasonsError(f"reasons are for people who are denied or not, but {target.name!r} is of kind {target.kind}")
    if not target.adverse_action:
        raise ReasonsError(
            f"to be {target.flagged} is no adverse action in the sense of 12 CFR 1002.2(c), so there are no adverse-action "
            "reasons to give; set adverse_action = true in the schema's target if it is one"
        )
    if array_id(background.rows) != explanation.background_id:
        raise ReasonsError(f"the background is not the one of the explanation by {explanation.method}; pass the same rows")
    cutoff, is_logit = target.threshold, explanation.scale == "logit"
    line = float(np.log(cutoff / (1 - cutoff))) - ROUNDING if is_logit else cutoff - ROUNDING * cutoff * (1 - cutoff)
    granted = explanation.outputs < line
    for those, what in ((granted, "is not denied"), (explanation.failed, "could not be explained")):
        if those.any():
            who = explanation.index[int(those.argmax())]
            raise ReasonsError(f"reasons are for people who are denied and explained, but person {who} {what}; leave them out")


def _denial(person: Any, values: np.ndarray, row: np.ndarray, rules: ReasonRules, most: int) -> Denial:
    features, names, group = rules.schema.features, rules.schema.names, rules.grouping.group
    withheld, order = rules.grouping.withheld, np.argsort(-values, kind="stable").tolist()
    nothing = NOTHING * float(np.abs(values).sum())
    candidates: list[Reason] = []
    joint_proxy: list[Reason] = []
    review: list[tuple[float, str]] = []
    for g in dict.fromkeys(group):
        members = [i for i in order if group[i] == g and names[i] not in withheld]
        moved = [i for i in members if values[i] > nothing]
        against = [i for i in moved if rules.goes_against(i, row[i])]
        whole, untrue = float(values[members].sum()), float(values[against].sum())
        if against and whole > nothing:
            review.append((min(whole, untrue), names[against[0]]))
        if len(moved) > len(against) and whole - untrue > nothing:
            i = next(i for i in moved if i not in against)
            candidates.append(Reason(rules.words(i, row[i]), features[i].format(row[i]), names[i], g, whole - untrue))
    candidates.sort(key=lambda reason: -reason.contribution)
    reasons = candidates[:most]
    if rules.grouping.joint_proxy(reason.column for reason in reasons):
        reasons = []
        for reason in candidates:
            if len(reasons) < most:
                tells = rules.grouping.joint_proxy(one.column for one in (*reasons, reason))
                (joint_proxy if tells else reasons).append(reason)
    least = reasons[-1].contribution if len(reasons) == most else nothing
    return Denial(
        person,
        tuple(reasons),
        flagged=tuple(names[i] for i in order if names[i] in withheld and values[i] > nothing and values[i] >= least),
        review=tuple(name for counted, name in sorted(review, key=lambda one: -one[0]) if counted >= least),
        joint_proxy=tuple(reason.column for reason in joint_proxy if reason.contribution >= least),
    )


def to_frame(denials: Sequence[Denial], **said: Any) -> pd.DataFrame:
    """Return a line a reason: what is said of all, its person, rank, words, column and contribution, and what is withheld."""
    lines = []
    for denial in denials:
        place = said | {"person": denial.person} | {name: " ".join(getattr(denial, name)) for name in WITHHELD}
        lines += [vars(one) | place | {"rank": rank, "reason": one.words} for rank, one in enumerate(denial.reasons, 1)]
    names = [*said, "person", "rank", "reason", "value", "column", "group", "contribution", *WITHHELD]
    return pd.DataFrame(lines, columns=names)


class Source(NamedTuple):
    """Where reasons come from."""

    model: str  # what was explained
    method: str  # by what
    background: str  # whom the denied are compared with


def weights_of(denials: Sequence[Denial], weights: Mapping[Any, float] | None) -> Weights:
    """Return how much each denied person counts [people], by the names of their rows; None where all count the same."""
    return None if weights is None else np.array([weights[denial.person] for denial in denials])


def reason_stability(
    denials: Mapping[Source, tuple[Denial, ...]],
    *,
    groups: int,
    weights: Mapping[Any, float] | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """Return how far two sources that differ in one thing give the same reasons, over the people whom both deny.

    A line a pair of sources that deny somebody in common: what `differs`, both sources, `people`, `same` (the share with the
    same set of reasons) and `overlap` (the mean of shared reasons over the larger set's size), each with a 95 % bootstrap
    interval, `first` (the share whose first reason is the same), and `chance` (the overlap of sets of these sizes drawn at
    random from so many `groups` of columns); by the `weights` of people, given by the names of their rows. Fewer than two
    sources are a `ReasonsError`.
    """
    if len(denials) < 2:
        raise ReasonsError(f"stability compares at least two sources of reasons, got {len(denials)}")
    lines = []
    for one, other in combinations(denials, 2):
        differs = [what for what, a, b in zip(Source._fields, one, other, strict=True) if a != b]
        theirs = {denial.person: denial for denial in denials[other]}
        pairs = [(denial, theirs[denial.person]) for denial in denials[one] if denial.person in theirs]
        if len(differs) > 1 or not pairs:
            continue
        sets, each = [(a.groups, b.groups) for a, b in pairs], weights_of([a for a, _ in pairs], weights)
        same = interval_of_share(np.array([a == b for a, b in sets]), each)
        shared = np.array([len(a & b) / max(len(a), len(b)) if a or b else 1.0 for a, b in sets])
        overlap = interval_of_mean(shared, each, seed=seed)
        first = [bool(a.reasons and b.reasons) and a.reasons[0].group == b.reasons[0].group for a, b in pairs]
        lines.append(
            {"differs": differs[0], "one": getattr(one, differs[0]), "other": getattr(other, differs[0]), **one._asdict()}
            | {"people": len(pairs), **same.named("same"), **overlap.named("overlap")}
            | {"first": np.average(first, weights=each)}
            | {"chance": np.average([min(len(a), len(b)) / groups for a, b in sets], weights=each)}
        )
    return pd.DataFrame(lines)
