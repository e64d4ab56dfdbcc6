"""Why a tabular model says what it says, and whether the methods that explain it agree.

Public names are imported when they are first used, so that ``import dlx`` and ``dlx --help`` are quick.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from dlx.errors import did_you_mean

if TYPE_CHECKING:
    from dlx.attacks import fool as fool
    from dlx.audit import preflight as preflight
    from dlx.audit.calibration import calibration as calibration
    from dlx.audit.fairness import group_rates as group_rates
    from dlx.audit.mispredictions import slices as slices
    from dlx.audit.performance import performance as performance
    from dlx.audit.reasons import adverse_reasons as adverse_reasons
    from dlx.audit.recalibration import recalibrated as recalibrated
    from dlx.audit.recourse import recourse as recourse
    from dlx.cases import load as load
    from dlx.checkpoint import load_model as load_model
    from dlx.checkpoint.runs import train as train
    from dlx.comparison import Comparison as Comparison
    from dlx.comparison import Laboratory as Laboratory
    from dlx.comparison import compare as compare
    from dlx.comparison import contrast as contrast
    from dlx.comparison import disagreement as disagreement
    from dlx.comparison import judge as judge
    from dlx.comparison import replicate as replicate
    from dlx.dataset import Dataset as Dataset
    from dlx.dataset import from_frame as from_frame
    from dlx.dataset import read_table as read_table
    from dlx.effects import accumulated_local_effects as accumulated_local_effects
    from dlx.effects import friedman_h as friedman_h
    from dlx.effects import partial_dependence as partial_dependence
    from dlx.effects import permutation_importance as permutation_importance
    from dlx.effects.shap_interactions import interactions as interactions
    from dlx.explanation import Explanation as Explanation
    from dlx.model import Model as Model
    from dlx.model import wrap as wrap
    from dlx.model import wrap_trees as wrap_trees
    from dlx.remedies import fix as fix
    from dlx.reporting import audit_report as audit_report
    from dlx.reporting import report as report
    from dlx.runner import explain as explain
    from dlx.schema import Feature as Feature
    from dlx.schema import Schema as Schema
    from dlx.schema import Target as Target
    from dlx.schema import infer_schema as infer_schema
    from dlx.schema import read_schema as read_schema

_HOMES = {
    "Comparison": "comparison",
    "Dataset": "dataset",
    "Explanation": "explanation",
    "Feature": "schema",
    "Laboratory": "comparison",
    "Model": "model",
    "Schema": "schema",
    "Target": "schema",
    "accumulated_local_effects": "effects",
    "adverse_reasons": "audit.reasons",
    "audit_report": "reporting",
    "calibration": "audit.calibration",
    "compare": "comparison",
    "contrast": "comparison",
    "disagreement": "comparison",
    "explain": "runner",
    "fix": "remedies",
    "fool": "attacks",
    "friedman_h": "effects",
    "from_frame": "dataset",
    "group_rates": "audit.fairness",
    "infer_schema": "schema",
    "interactions": "effects",
    "judge": "comparison",
    "load": "cases",
    "load_model": "checkpoint",
    "partial_dependence": "effects",
    "performance": "audit",
    "permutation_importance": "effects",
    "preflight": "audit",
    "read_schema": "schema",
    "read_table": "dataset",
    "recalibrated": "audit.recalibration",
    "recourse": "audit.recourse",
    "replicate": "comparison",
    "report": "reporting",
    "slices": "audit.mispredictions",
    "train": "checkpoint.runs",
    "wrap": "model",
    "wrap_trees": "model",
}

_ROOMS = ("architectures", "cases")  # which can be called, and return the names of what they hold

__all__ = [*sorted(_HOMES), *_ROOMS, "methods"]  # noqa: PLE0604 (names of the table above)


def methods() -> list[str]:
    """Return the names of the methods that explain."""
    from dlx import explainers

    return explainers.names()


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return importlib.import_module(f"dlx.{name}")
    if name not in _HOMES:
        raise AttributeError(f"dlx has no {name!r}; it has {', '.join(__all__)}{did_you_mean(name, __all__)}")
    return getattr(importlib.import_module(f"dlx.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return list(__all__)
