"""The words of a reason: a versioned map from a column, and where it matters its level, to what a denied person reads."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dlx.schema import Feature, Schema

if TYPE_CHECKING:
    import pandas as pd


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
        What is said where the value lies on the good side of the usual one, so that `words` would not be true.
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
        The columns; `Feature.direction` says which side of the usual value is the good one.
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
            The person's code, and the mean code of the reference people; NaN where unknown.
        """
        entry, feature = self.entries[column], self.schema.features[column]
        at_level = entry.by_level[int(value)] if entry.by_level and not np.isnan(value) else ""
        if at_level:
            return at_level
        return entry.neutral if _is_on_the_good_side(feature, value, usual) else entry.words

    def to_frame(self) -> pd.DataFrame:
        """Return a line a column and wording: version, column, level ("" for any), words."""
        import pandas as pd

        lines = []
        for entry, feature in zip(self.entries, self.schema.features, strict=True):
            special = dict(zip(feature.level_labels, entry.by_level, strict=True)) if entry.by_level else {}
            said = {"any": entry.words} | {level: words for level, words in special.items() if words}
            said |= {"better than usual": entry.neutral} if feature.direction != "any" else {}
            lines += [{"version": self.version, "column": entry.feature, "where": w, "words": text} for w, text in said.items()]
        return pd.DataFrame(lines)


def _is_on_the_good_side(feature: Feature, value: float, usual: float) -> bool:
    return (feature.direction == "up" and value > usual) or (feature.direction == "down" and value < usual)
