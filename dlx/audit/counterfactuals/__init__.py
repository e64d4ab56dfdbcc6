"""Recourse: counterfactuals for the denied, and how the predicted risk goes with what people can change."""

from dlx.audit.counterfactuals.action_set import ActionSet, RecourseError
from dlx.audit.counterfactuals.generation import Recourse, column_shifts, denied, recourse
from dlx.audit.counterfactuals.search import Answer, Counterfactual

__all__ = ["ActionSet", "Answer", "Counterfactual", "Recourse", "RecourseError", "column_shifts", "denied", "recourse"]
