"""adverse_reasons(): why each denied person was denied, in words that the law lets a creditor print."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dlx.arrays import array_id, is_count, is_number
from dlx.audit.reasons.association import Grouping
from dlx.audit.reasons.spoken import Spoken, usual_of
from dlx.audit.reasons.wording import ReasonMap
from dlx.dataset import Dataset, refuse_bare
from dlx.errors import DlxError, listed
from dlx.explanation import Explanation
from dlx.model import Model, decided
from dlx.model.protocol import check_model

if TYPE_CHECKING:
    import pandas as pd

MOST = 4  # more "is not likely to be helpful", says the commentary on 12 CFR 1002.9(b)(2); no number is prescribed
ROUNDING = 1e-5  # on the logit: of the outputs of a float32 net in another batch
NOTHING = 1e-4  # share of all that moved a person's risk, either way, below which a column is no reason: it was not read
WITHHELD = ("flagged", "review", "together")  # why a column that counted as much as a printed reason is not printed
NEAR = 100  # granted people, the nearest to the cutoff


class ReasonsError(DlxError):
    """Reasons that cannot be given, or not of these people."""


@dataclass(frozen=True)
class Reason:
    """A reason, as it is printed and where it comes from.

    Parameters
    ----------
    words, value : str
        What is printed; the person's own value.
    column : str
        The column of the words: of those that count as one reason, the one that moved the risk most.
    group : int
        Which columns count as one; see `Grouping`.
    contribution : float
        Of the group, without what goes against its words, on the scale of the explanation, above 0: towards denial.
    """

    words: str
    value: str
    column: str
    group: int
    contribution: float


@dataclass(frozen=True)
class Denial:
    """Why a person was denied.

    Parameters
    ----------
    person : object
        The name of the row.
    reasons : tuple of Reason
        The largest first.
    flagged : tuple of str
        Protected columns and proxies that moved the risk as much as a printed reason; for a reviewer, never for print.
    review : tuple of str
        Columns that did so although their words are not true of the person's value.
    together : tuple of str
        Columns that did so, and are not printed as they and the printed ones together tell a protected group.
    """

    person: Any
    reasons: tuple[Reason, ...]
    flagged: tuple[str, ...]
    review: tuple[str, ...] = ()
    together: tuple[str, ...] = ()

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
    spoken = Spoken(wording, grouping, usual_of(background))
    return tuple(
        _denial(person, values, row, spoken, most)
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


def _denial(person: Any, values: np.ndarray, row: np.ndarray, spoken: Spoken, most: int) -> Denial:
    groups, names, withheld = np.array(spoken.grouping.group), spoken.grouping.names, spoken.grouping.withheld
    allowed = np.array([name not in withheld for name in names])
    candidates, review, nothing = [], [], NOTHING * float(np.abs(values).sum())
    for g in dict.fromkeys(groups[allowed].tolist()):
        members = [i for i in np.argsort(-values, kind="stable").tolist() if groups[i] == g and allowed[i]]
        whole = float(values[members].sum())
        against = [i for i in members if values[i] > nothing and spoken.goes_against(i, row[i])]
        true = [i for i in members if values[i] > nothing and i not in against]
        if against and whole > nothing:
            review.append((names[against[0]], min(whole, float(values[against].sum()))))
        contribution = whole - float(values[against].sum())
        if true and contribution > nothing:
            value = spoken.wording.schema.features[true[0]].format(row[true[0]])
            candidates.append(Reason(spoken.words(true[0], row[true[0]]), value, names[true[0]], g, contribution))
    candidates.sort(key=lambda reason: -reason.contribution)
    reasons, together = _printable(candidates, spoken.grouping, most)
    least = reasons[-1].contribution if len(reasons) == most else nothing
    flagged = [i for i in np.argsort(-values, kind="stable") if not allowed[i] and values[i] > nothing and values[i] >= least]
    return Denial(
        person,
        tuple(reasons),
        tuple(names[i] for i in flagged),
        tuple(name for name, contribution in sorted(review, key=lambda one: -one[1]) if contribution >= least),
        tuple(reason.column for reason in together if reason.contribution >= least),
    )


def _printable(candidates: Sequence[Reason], grouping: Grouping, most: int) -> tuple[list[Reason], list[Reason]]:
    """Return the largest reasons that together tell no protected group, and those that are left out as they would."""
    chosen: list[Reason] = list(candidates[:most])
    if grouping.together(reason.column for reason in chosen) is None:
        return chosen, []
    chosen, left_out = [], []
    for reason in candidates:
        if len(chosen) == most:
            break
        if grouping.together(one.column for one in (*chosen, reason)) is None:
            chosen.append(reason)
        else:
            left_out.append(reason)
    return chosen, left_out


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
