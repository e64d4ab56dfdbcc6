"""What can be wrong with a remedy."""

from dlx.errors import DlxError


class RemedyError(DlxError):
    """A remedy that names what the table does not have, leaves nothing, or does not suit the model."""
