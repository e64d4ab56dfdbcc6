"""Why a tabular model says what it says, and whether the methods that explain it agree.

The names of everyday use stand here, the rest is in rooms (`dlx.effects`, `dlx.fairness`, ...). Both are imported when they are
first used, so that ``import dlx`` and ``dlx --help`` are quick.
"""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlx.errors import did_you_mean

if TYPE_CHECKING:
    from dlx.cases import load as load
    from dlx.checkpoint import load_model as load_model
    from dlx.checkpoint import train as train
    from dlx.comparison import Comparison as Comparison
    from dlx.comparison import compare as compare
    from dlx.data_check import check as check
    from dlx.dataset import Dataset as Dataset
    from dlx.dataset import read_table as read_table
    from dlx.explanation import Explanation as Explanation
    from dlx.model import Model as Model
    from dlx.model import wrap as wrap
    from dlx.reporting import report as report
    from dlx.runner import explain as explain
    from dlx.schema import Schema as Schema

__version__ = "0.1.0"

_HOMES = {
    "Comparison": "comparison",
    "Dataset": "dataset",
    "Explanation": "explanation",
    "Model": "model",
    "Schema": "schema",
    "check": "data_check",
    "compare": "comparison",
    "explain": "runner",
    "load": "cases",
    "load_model": "checkpoint",
    "read_table": "dataset",
    "report": "reporting",
    "train": "checkpoint",
    "wrap": "model",
}

# Names that stood here before each had a room: they still work in this version.
_MOVED = {
    "Feature": "schema.Feature",
    "Laboratory": "comparison.Laboratory",
    "Target": "schema.Target",
    "accumulated_local_effects": "effects.accumulated_local_effects",
    "adverse_reasons": "audit.adverse_action.adverse_reasons",
    "audit_report": "reporting.audit_report",
    "calibration": "audit.miscalibration.calibration",
    "contrast": "comparison.contrast",
    "disagreement": "comparison.disagreement",
    "fix": "remedies.fix",
    "fool": "attacks.fool",
    "friedman_h": "effects.friedman_h",
    "from_frame": "dataset.from_frame",
    "group_rates": "audit.fairness.group_rates",
    "infer_schema": "schema.infer_schema",
    "interactions": "effects.shap_interactions.interactions",
    "judge": "comparison.ground_truth",
    "methods": "explainers.names",
    "partial_dependence": "effects.partial_dependence",
    "performance": "audit.scores.performance",
    "permutation_importance": "effects.permutation_importance",
    "preflight": "audit.preflight",
    "read_schema": "schema.read_schema",
    "recalibrated": "audit.recalibration.recalibrated",
    "recourse": "audit.counterfactuals.recourse",
    "replicate": "comparison.replicate",
    "slices": "audit.mispredictions.slices",
    "wrap_trees": "model.wrap_trees",
}

_ELSEWHERE = {"counterfactuals": "audit.counterfactuals", "fairness": "audit.fairness"}  # rooms of a room

__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(f"dlx.{_HOMES[name]}"), name)
    if name in _MOVED:
        room, _, there = _MOVED[name].rpartition(".")
        return getattr(importlib.import_module(f"dlx.{room}"), there)
    path = f"dlx.{_ELSEWHERE.get(name, name)}"
    if importlib.util.find_spec(path) is None:
        raise AttributeError(f"dlx has no {name!r}; dir(dlx) lists what it has{did_you_mean(name, [*__dir__(), *_MOVED])}")
    return importlib.import_module(path)


def __dir__() -> list[str]:
    rooms = {path.parent.name for path in Path(__file__).parent.glob("*/__init__.py")}
    return sorted({*__all__, *rooms, *_ELSEWHERE, "__version__"})
