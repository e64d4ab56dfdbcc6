"""How a net is trained."""

from __future__ import annotations

from dataclasses import dataclass, replace

SMALL_ROWS, LARGE_ROWS = 2_000, 10_000


@dataclass(frozen=True)
class Recipe:
    """The optimiser's settings; where one is None, the number of training rows decides.

    Parameters
    ----------
    learning_rate, weight_decay : float
        Of AdamW; only matrices decay.
    batch_size, max_epochs, patience : int, optional
        Rows of a step, most passes over the rows, and passes without a better validation loss until it stops.
    """

    learning_rate: float = 5e-4
    weight_decay: float = 0.1
    batch_size: int | None = None
    max_epochs: int | None = None
    patience: int | None = None

    def for_rows(self, count: int) -> Recipe:
        """Return the recipe with what the number of training rows decides."""
        large = count >= LARGE_ROWS
        return replace(
            self,
            batch_size=self.batch_size or (256 if large else 128 if count >= SMALL_ROWS else 64),
            max_epochs=self.max_epochs or (40 if large else 200),
            patience=self.patience or (8 if large else 20),
        )
