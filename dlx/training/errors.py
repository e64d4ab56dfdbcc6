"""What can be wrong with a training run."""

from dlx.errors import DlxError


class TrainingError(DlxError):
    """Data that no model can be trained on, an option or a device that there is not, or a loss that is no number."""
