"""What is done to a model's recipe, and how it is told and written down."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from dlx.audit.mispredictions.slicing import either
from dlx.dataset import Dataset
from dlx.errors import plural
from dlx.remedies.recoding import Recoding, RemedyError, recoding_of

BY_OUTCOME = "outcome"
RARE_SHARE = 0.05  # of the training rows: what a table of one's own counts as a rare level


@dataclass(frozen=True)
class Remedy:
    """What is changed before a model is trained again.

    By `weights`, "outcome" lets both outcomes count the same in training; with a protected column its groups and the outcomes
    count as if they were independent (reweighing).
    """

    drop: tuple[str, ...] = ()  # columns that are left out
    merge: int | None = None  # training rows that a level must have to stand alone; rarer ones are merged
    monotone: Mapping[str, int] = field(default_factory=dict)  # columns with which the risk must not fall (1) or rise (-1)
    weights: str = ""  # "outcome", a protected column, or nothing: rows count the same
    recalibrate: bool = False  # whether the probabilities are stretched on the validation rows (Platt)
    because: str = ""  # why this is a remedy, a sentence

    def __post_init__(self) -> None:
        object.__setattr__(self, "drop", tuple(dict.fromkeys(self.drop)))
        if bound := [name for name in self.monotone if name in self.drop]:
            raise RemedyError(f"{', '.join(map(repr, bound))} cannot be bound and left out at once")
        if not self.to_dict() and self.merge is None:
            raise RemedyError(
                "a remedy must change something: columns to leave out, a count below which levels are merged, columns bound to "
                "be monotone, weights, or recalibration"
            )

    def to_dict(self) -> dict[str, Any]:
        """Return what is changed as plain values, without what is left as it is."""
        plain = {"drop": list(self.drop), "merge": self.merge, "monotone": dict(self.monotone), "weights": self.weights}
        return {name: value for name, value in (plain | {"recalibrate": self.recalibrate}).items() if value}

    @property
    def digest(self) -> str:
        """A short hash of what is changed."""
        return hashlib.sha256(json.dumps(self.to_dict(), sort_keys=True).encode()).hexdigest()[:8]

    def in_short(self, recoded: Recoding) -> str:
        """Return what is done in a few words: "without Age or Sex, with rare levels of 7 columns merged"."""
        schema = recoded.original
        dropped, bound = ([schema[name].label for name in some] for some in (self.drop, self.monotone))
        done = [f"without {either(dropped)}"] if dropped else []
        done += [f"with rare levels of {plural(len(recoded.groups), 'column')} merged"] if recoded.groups else []
        done += [f"bound to rise or fall with {', '.join(bound)}"] if bound else []
        done += ["with other weights"] if self.weights else []
        done += ["and recalibrated" if done else "as before and recalibrated"] if self.recalibrate else []
        return ", ".join(done) or "as before"

    def words(self, recoded: Recoding) -> list[str]:
        """Return what is done as people read it, a clause each: "left out: History of stroke"."""
        schema = recoded.original
        done = [f"left out: {'; '.join(schema[name].label for name in self.drop)}"] if self.drop else []
        for position, groups in recoded.groups.items():
            feature = schema.features[position]
            merged = (" with ".join(feature.level_labels[code] for code in group) for group in groups if len(group) > 1)
            done.append(f"merged in {feature.label}: {'; '.join(merged)}")
        if self.merge is not None and not recoded.groups:
            done.append(f"merged nothing: no level that could be has fewer than {self.merge} training rows")
        done += [f"bound to {'rise' if way > 0 else 'fall'} with: {schema[name].label}" for name, way in self.monotone.items()]
        if self.weights:
            by = "outcomes" if self.weights == BY_OUTCOME else f"groups of {schema[self.weights].label}"
            done.append(f"weighted: {by}")
        return done + ["recalibrated on the validation rows"] * self.recalibrate


def known_remedy(case: Dataset) -> Remedy | None:
    """Return the remedy that the card of a case names, or merging of rare levels where a table has any, or None.

    Raises
    ------
    RemedyError
        If the card names what a remedy does not have.
    """
    if case.card.remedy:
        if unknown := sorted(set(case.card.remedy) - {one.name for one in fields(Remedy)}):
            raise RemedyError(f"the card of {case.name!r} names {', '.join(unknown)}, which a remedy does not have")
        named: dict[str, Any] = dict(case.card.remedy)
        return Remedy(**named)
    least = max(2, round(RARE_SHARE * len(case.train)))
    if not recoding_of(case.train, merge=least).groups:
        return None
    return Remedy(merge=least, because=f"Levels in fewer than {least} training rows are too rare to learn from.")
