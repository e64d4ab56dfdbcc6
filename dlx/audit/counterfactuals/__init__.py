"""Recourse: counterfactuals for the denied, and how the predicted risk goes with what people can change."""

from dlx.audit.counterfactuals.action_set import ActionSet, RecourseError
from dlx.audit.counterfactuals.generation import Recourse, column_shifts, denied, recourse, recourse_into
from dlx.audit.counterfactuals.search import Answer, Counterfactual, Range

__all__ = ["ActionSet", "Answer", "Counterfactual", "Range", "Recourse", "RecourseError", "column_shifts", "denied", "recourse"]
__all__ += ["recourse_into"]
