"""What can be wrong with a training run."""


class TrainingError(ValueError):
    """Data that no model can be trained on, an option or a device that there is not, or a loss that is no number."""
