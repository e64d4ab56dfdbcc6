"""What dlx raises for a caller's mistake: one line that says the rule, what came, and the remedy."""


class DlxError(ValueError):
    """A mistake in what was given to dlx; the command line shows its message without a traceback."""
