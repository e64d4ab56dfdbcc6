"""The words of a reason: a versioned map from a column, and where it matters its level, to what a denied person reads."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dlx.schema import Feature, Schema
from dlx.schema.columns import Adverse

if TYPE_CHECKING:
    import pandas as pd

BETTER = "better than usual"  # where the column is only named, and nothing is printed
_OF_LITTLE = re.compile(
    r"(no(?!\.)|low|short|few|too (little|few|low|short)|lack of|limited)\b|.*\bin(sufficient|adequate)\b", re.I
)
_OF_MUCH = re.compile(
    r"(high(?! school)|long|many|large|heavy|too (much|many|high|long|large))\b|.*\b(excessive|delinquent)\b", re.I
)


@dataclass(frozen=True)
class Words:
    """The words for one column.

    Parameters
    ----------
    feature : str
        The column.
    words : str
        What is said of it.
    by_level : tuple of str
        What is said instead at each level; "" where `words` says it.
    neutral : str
        What the column is called where `words` would not be true: the value lies on the good side of the usual one (then it
        is no reason), or is missing.
    """

    feature: str
    words: str
    by_level: tuple[str, ...]
    neutral: str


@dataclass(frozen=True)
class ReasonMap:
    """The words for every column, with a version.

    Parameters
    ----------
    schema : Schema
        The columns; see `adverse_side` for which side of the usual value the words speak of.
    version : str
        Raised by hand when words change.
    entries : tuple of Words
        One a column, in order.
    """

    schema: Schema
    version: str
    entries: tuple[Words, ...]

    @classmethod
    def of(cls, schema: Schema) -> ReasonMap:
        """Return the words that a schema has: `reason`, `level_reasons`, and the label where they would not be true."""
        entries = tuple(Words(f.name, f.reason, f.level_reasons, f.label) for f in schema.features)
        return cls(schema, schema.target.reasons_version, entries)

    @property
    def sha256(self) -> str:
        """Hash of version and words, so that a printed reason can be traced to its map."""
        said = [[one.feature, one.words, one.by_level, one.neutral] for one in self.entries]
        return hashlib.sha256(json.dumps([self.version, said]).encode()).hexdigest()

    def words(self, column: int, value: float, usual: float) -> str:
        """Return what is said of a column, for a person's value and the usual one of those compared with.

        Parameters
        ----------
        column : int
            Position of the column.
        value, usual : float
            The person's code, and the usual one of the reference people; NaN where unknown.
        """
        entry, feature = self.entries[column], self.schema.features[column]
        is_against = self.goes_against(column, value, usual)
        if is_against or (np.isnan(value) and adverse_side(feature)):
            return entry.neutral
        return (entry.by_level[int(value)] if entry.by_level and not np.isnan(value) else "") or entry.words

    def goes_against(self, column: int, value: float, usual: float) -> bool | None:
        """Return whether the words would not be true of a person's value; None where nothing says so or the contrary.

        Words are true of the adverse levels that the schema names; else of values on the adverse side of the usual one; else
        of a level that has words of its own.

        Parameters
        ----------
        column : int
            Position of the column.
        value, usual : float
            The person's code, and the usual one of the reference people; NaN where unknown.
        """
        entry, feature = self.entries[column], self.schema.features[column]
        if np.isnan(value):
            return None
        if feature.adverse_levels:
            return feature.levels[int(value)] not in feature.adverse_levels
        side = adverse_side(feature)
        if side and not np.isnan(usual):
            return not (value > usual if side == "high" else value < usual)
        return False if entry.by_level and entry.by_level[int(value)] else None

    def to_frame(self) -> pd.DataFrame:
        """Return a line a column and wording: version, column, level ("" for any), words."""
        import pandas as pd

        lines = []
        for entry, feature in zip(self.entries, self.schema.features, strict=True):
            special = dict(zip(feature.level_labels, entry.by_level, strict=True)) if entry.by_level else {}
            said = {"any": entry.words} | {level: words for level, words in special.items() if words}
            said |= {BETTER: entry.neutral} if adverse_side(feature) else {}
            lines += [{"version": self.version, "column": entry.feature, "where": w, "words": text} for w, text in said.items()]
        return pd.DataFrame(lines)


def adverse_side(feature: Feature) -> Adverse:
    """Return the side of the usual value on which the words of a column are true; "" where nothing tells.

    The schema's `adverse`; else the side away from its `direction`; else what the words themselves say: "insufficient",
    "low", "no" and the like speak of little, "excessive", "high", "long" and the like of much.
    """
    if feature.adverse:
        return feature.adverse
    if feature.direction != "any":
        return "low" if feature.direction == "up" else "high"
    if feature.reason == feature.label or (feature.is_categorical and not feature.ordered and len(feature.levels) > 2):
        return ""
    return "low" if _OF_LITTLE.match(feature.reason) else "high" if _OF_MUCH.match(feature.reason) else ""
