"""Where a model is wrong: of whom it was sure, in which parts of the table, what pushed it, and which columns cost."""

from dlx.audit.mispredictions.errors import (
    Decisions,
    confident_errors,
    decisions_of,
    explained_losses,
    loss_by_slice,
    overconfidence,
    pushes,
)
from dlx.audit.mispredictions.slicing import Slice, Slices, slices
from dlx.audit.mispredictions.tree import Node, error_tree
from dlx.audit.mispredictions.values import Predictions, largest_errors, predictions_of

__all__ = ["Decisions", "Node", "Predictions", "Slice", "Slices", "confident_errors", "decisions_of", "error_tree"]
__all__ += ["explained_losses", "largest_errors", "loss_by_slice", "overconfidence", "predictions_of", "pushes", "slices"]
