"""The columns of a table as the form of the interface needs them."""

from __future__ import annotations

from typing import Any

import numpy as np

from dlx.audit.adverse_action import ReasonRules
from dlx.audit.counterfactuals.action_set import ActionSet, RecourseError, ValueFormat
from dlx.context import RunContext
from dlx.schema import Feature

BARS = 24  # of a number's histogram


def columns_of(context: RunContext) -> list[dict[str, Any]]:
    """Return every column: what it is called, what it can be, where people lie, who can change it, the words of a reason."""
    train, schema = context.case.train, context.case.schema
    form, rules = ValueFormat.of(train), context.reason_rules
    withheld = rules.grouping.withheld if schema.target.adverse_action else frozenset()
    try:
        actions = {action.column: action for action in ActionSet.of(train).actions}
    except RecourseError:  # nothing can be changed
        actions = {}
    found = []
    for i, feature in enumerate(schema.features):
        said = {name: getattr(feature, name) for name in ("name", "label", "unit", "kind", "description", "protected", "date")}
        said |= {
            "levels": list(feature.level_labels),
            "spelled": list(feature.levels),
            "ordered": feature.ordered,
            "decimals": form.decimals[i],
        }
        said |= {"missing": feature.missing_label if feature.missing else None}
        said |= {"special": [[float(code), words] for code, words in feature.special.items()]}
        said |= {"actionable": feature.actionable, "direction": feature.direction, "withheld": feature.name in withheld}
        said |= {"bounds": [b if np.isfinite(b) else None for b in feature.bounds], "follows": list(feature.derived_from)}
        said |= {
            "forbidden": {str(code): codes for code in range(len(feature.levels)) if (codes := feature.forbidden_from(code))}
        }
        said |= {"farthest": float(actions[i].farthest) if i in actions and np.isfinite(actions[i].farthest) else None}
        found.append(said | _spread(feature, train.rows[:, i]) | {"words": _words(rules, i, train.rows[:, i])})
    return found


def _spread(feature: Feature, column: np.ndarray) -> dict[str, Any]:
    """Return where the training rows lie: counts of levels, or of bins between two ends; and of what is beside."""
    beside = np.bincount(feature.beside(column), minlength=1 + len(feature.labels_beside))[1:].tolist()
    known = column[feature.beside(column) == 0]
    if feature.is_categorical:
        return {"counts": np.bincount(known.astype(int), minlength=len(feature.levels)).tolist(), "beside": beside}
    if not len(known):
        return {"low": 0.0, "high": 0.0, "counts": [], "beside": beside}
    counts, edges = np.histogram(known, BARS)
    return {
        "low": float(known.min()),
        "high": float(known.max()),
        "middle": float(np.quantile(known, 0.5, method="nearest")),
        "edges": edges.tolist(),
    } | {"counts": counts.tolist(), "beside": beside}


def _words(rules: ReasonRules, column: int, codes: np.ndarray) -> list[list[Any]]:
    """Return the words of an adverse reason by value: [code, words, goes against], of levels, or of a number from code on."""
    feature, known = rules.schema.features[column], np.unique(codes[~np.isnan(codes)])
    cuts, found = rules.cuts(column), list[list[Any]]()
    at = np.r_[0, np.searchsorted(known, cuts, "left"), np.searchsorted(known, cuts, "right")]
    places = np.arange(len(feature.levels), dtype=float) if feature.is_categorical else known[np.unique(at[at < len(known)])]
    for code in [*places.tolist(), *([np.nan] if feature.missing else [])]:
        line = [None if np.isnan(code) else code, rules.words(column, code), rules.goes_against(column, code)]
        if not found or feature.is_categorical or line[0] is None or found[-1][1:] != line[1:]:
            found.append(line)
    return found
