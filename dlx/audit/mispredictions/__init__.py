"""Where a model is wrong: whom it was sure of, in which parts of the table, what pushed it, and which columns cost."""

from dlx.audit.mispredictions.confident import confident_errors, sureness
from dlx.audit.mispredictions.loss import explained_losses, loss_by_slice
from dlx.audit.mispredictions.pushes import pushes
from dlx.audit.mispredictions.slices import Slice, Slices, slices
from dlx.audit.mispredictions.verdicts import Verdicts, verdicts

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
