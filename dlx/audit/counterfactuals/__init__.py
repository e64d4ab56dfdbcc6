"""Recourse: counterfactuals for the denied, and how the predicted risk goes with what people can change."""

from dlx.audit.counterfactuals.action_set import ActionSet, RecourseError
from dlx.audit.counterfactuals.generation import denied, goal_of, recourse
from dlx.audit.counterfactuals.results import Answer, Counterfactual, Recourse
from dlx.audit.counterfactuals.shifts import column_shifts

__all__ = [
    "ActionSet",
    "Answer",
    "Counterfactual",
    "Recourse",
    "RecourseError",
    "column_shifts",
    "denied",
    "goal_of",
    "recourse",
]
