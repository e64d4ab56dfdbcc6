"""The words of a reason: a versioned map from a column, and where it matters its level, to what a denied person reads."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass

import numpy as np
import pandas as pd

from dlx.audit.adverse_action.reason_groups import Grouping, grouping
from dlx.dataset import Dataset
from dlx.schema import Feature, Schema
from dlx.schema.features import Adverse

BETTER = "better than usual"  # where the column is only named, and nothing is printed
_OF_LITTLE = re.compile(
    r"(no(?!\.)|low|short|few|too (little|few|low|short)|lack of|limited)\b|.*\bin(sufficient|adequate)\b", re.I
)
_OF_MUCH = re.compile(
    r"(high(?! school)|long|many|large|heavy|too (much|many|high|long|large))\b|.*\b(excessive|delinquent)\b", re.I
)


@dataclass(frozen=True)
class ReasonMap:
    """The words for every column, with a version: the `reason` and `level_reasons` of a schema, else the label."""

    schema: Schema

    @property
    def version(self) -> str:
        """Raised by hand when words change."""
        return self.schema.target.reasons_version

    @property
    def sha256(self) -> str:
        """Hash of version and words, so that a printed reason can be traced to its map."""
        said = [[f.name, f.reason, f.level_reasons, f.label] for f in self.schema.features]
        return hashlib.sha256(json.dumps([self.version, said]).encode()).hexdigest()

    def words(self, column: int, value: float, usual: float) -> str:
        """Return what is said of a column, for a person's code and the usual one of the reference people, NaN where unknown."""
        feature = self.schema.features[column]
        if self.goes_against(column, value, usual) or (np.isnan(value) and adverse_side(feature)):
            return feature.label
        return (feature.level_reasons[int(value)] if feature.level_reasons and not np.isnan(value) else "") or feature.reason

    def goes_against(self, column: int, value: float, usual: float) -> bool | None:
        """Return whether the words would not be true of a person's value; None where nothing says so or the contrary.

        Words are true of the adverse levels that the schema names; else of values on the adverse side of the usual one; else
        of a level that has words of its own.
        """
        feature = self.schema.features[column]
        if np.isnan(value):
            return None
        if feature.adverse_levels:
            return feature.levels[int(value)] not in feature.adverse_levels
        side = adverse_side(feature)
        if side and not np.isnan(usual):
            return not (value > usual if side == "high" else value < usual)
        return False if feature.level_reasons and feature.level_reasons[int(value)] else None

    def to_frame(self) -> pd.DataFrame:
        """Return a line a column and wording: version, column, level ("" for any), words."""
        lines = []
        for feature in self.schema.features:
            of_levels = zip(feature.level_labels, feature.level_reasons, strict=True) if feature.level_reasons else ()
            said = {"any": feature.reason} | {level: words for level, words in of_levels if words}
            said |= {BETTER: feature.label} if adverse_side(feature) else {}
            lines += [{"version": self.version, "column": feature.name, "where": w, "words": text} for w, text in said.items()]
        return pd.DataFrame(lines)


def adverse_side(feature: Feature) -> Adverse:
    """Return the side of the usual value on which the words of a column are true; "" where nothing tells.

    The schema's `adverse`; else the side away from its `direction`; else what the words themselves say: "insufficient",
    "low", "no" and the like speak of little, "excessive", "high", "long" and the like of much.
    """
    if feature.adverse or feature.direction != "any":
        return feature.adverse or ("low" if feature.direction == "up" else "high")
    if feature.reason == feature.label or (feature.is_categorical and not feature.ordered and len(feature.levels) > 2):
        return ""
    return "low" if _OF_LITTLE.match(feature.reason) else "high" if _OF_MUCH.match(feature.reason) else ""


@dataclass(frozen=True, eq=False)
class ReasonRules:
    """When a reason may be given and in which words: the same wherever a reason is told."""

    wording: ReasonMap
    grouping: Grouping
    usual: np.ndarray  # [features], of the reference people; see `usual_values`

    @classmethod
    def of(cls, observed: Dataset, background: Dataset) -> ReasonRules:
        """Return the rules of a table: real people, and the people compared with."""
        return cls(ReasonMap(observed.schema), grouping(observed), usual_values(background))

    def words(self, column: int, value: float) -> str:
        """Return what is said of a person's code in a column."""
        return self.wording.words(column, value, float(self.usual[column]))

    def goes_against(self, column: int, value: float) -> bool:
        """Return whether a reason would go against its words, or, where these leave it open, against people's outcomes."""
        against = self.wording.goes_against(column, value, float(self.usual[column]))
        return self.grouping.is_favourable(column, value) if against is None else against


def usual_values(background: Dataset) -> np.ndarray:
    """Return the usual code of reference people in each column [features]; NaN where all are missing.

    It is the mean; of a number whose words speak of little or of much, such that what they are true of lies beyond the mean
    and not short of the median: who is between the two in a skewed column is not told that their income is low.
    """
    usual = np.full(len(background.schema), np.nan)
    for i, (feature, column) in enumerate(zip(background.schema.features, background.rows.T, strict=True)):
        known = column[~np.isnan(column)]
        if len(known):
            usual[i], median = known.mean(), np.median(known)
            side = "" if feature.is_categorical else adverse_side(feature)
            if side == "low":
                usual[i] = min(usual[i], np.nextafter(median, np.inf))
            elif side == "high":
                usual[i] = max(usual[i], np.nextafter(median, -np.inf))
    return usual
