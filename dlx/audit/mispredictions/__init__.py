"""Where a model is wrong: whom it was sure of, in which parts of the table, what pushed it, and which columns cost."""

from dlx.audit.mispredictions.confident import confident_errors, sureness
from dlx.audit.mispredictions.deciding import Verdicts, verdicts
from dlx.audit.mispredictions.loss import explained_losses, loss_by_slice
from dlx.audit.mispredictions.pushing import pushes
from dlx.audit.mispredictions.slicing import Slice, Slices, slices

__all__ = [
    "Slice",
    "Slices",
    "Verdicts",
    "confident_errors",
    "explained_losses",
    "loss_by_slice",
    "pushes",
    "slices",
    "sureness",
    "verdicts",
]
