"""Recourse: counterfactuals for the denied, and how the predicted risk goes with what people can change."""

from dlx.audit.counterfactuals.action_set import ActionSet, RecourseError
from dlx.audit.counterfactuals.generation import column_shifts, denied, goal_of, recourse
from dlx.audit.counterfactuals.results import Answer, Counterfactual, Recourse

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
