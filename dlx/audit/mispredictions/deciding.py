"""What a model decided about people, and what happened."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dlx.arrays import frozen
from dlx.audit.performance import judged
from dlx.dataset import Dataset
from dlx.errors import DlxError
from dlx.model import Model

SMALLEST = 1e-15  # a probability nearer to 0 or 1 counts as this near, as in the log loss of `performance`
FALSE_POSITIVE, FALSE_NEGATIVE = "false_positive", "false_negative"
KINDS = (FALSE_POSITIVE, FALSE_NEGATIVE)


@dataclass(frozen=True, eq=False)
class Verdicts:
    """Decisions of a model about people whose outcome is known.

    Parameters
    ----------
    model : str
        Name of the model.
    people : Dataset
        The rows.
    outcomes, predicted : ndarray [rows]
        0 or 1; the probability of 1.
    """

    model: str
    people: Dataset
    outcomes: np.ndarray
    predicted: np.ndarray

    def __post_init__(self) -> None:
        for name in ("outcomes", "predicted"):
            object.__setattr__(self, name, frozen(getattr(self, name), np.float64))

    def __len__(self) -> int:
        return len(self.outcomes)

    @property
    def flagged(self) -> np.ndarray:
        """Whether each person is flagged (denied), bool [rows]."""
        return self.predicted >= self.people.schema.target.threshold

    @property
    def wrong(self) -> np.ndarray:
        """Whether the decision did not fit the outcome, bool [rows]."""
        return self.flagged != (self.outcomes == 1)

    def errors(self, kind: str) -> np.ndarray:
        """Return who is a false positive (flagged without the event) or a false negative (cleared with it), bool [rows]."""
        return self.wrong & (self.flagged == (kind == FALSE_POSITIVE))

    def hits(self, kind: str) -> np.ndarray:
        """Return who had the same outcome as the errors of a kind and was decided about rightly, bool [rows]."""
        return ~self.wrong & (self.outcomes == (kind == FALSE_NEGATIVE))

    @property
    def losses(self) -> np.ndarray:
        """The log loss of each person, nats [rows]."""
        return log_losses(self.outcomes, self.predicted)

    @property
    def expected_losses(self) -> np.ndarray:
        """The mean log loss of people of each probability, were it right: the entropy, nats [rows]."""
        kept = np.clip(self.predicted, SMALLEST, 1 - SMALLEST)
        return -kept * np.log(kept) - (1 - kept) * np.log1p(-kept)

    @property
    def residuals(self) -> np.ndarray:
        """Outcome minus probability [rows]: above 0 the risk was underestimated."""
        return self.outcomes - self.predicted

    @property
    def given(self) -> np.ndarray:
        """The probability that the model gave to what happened [rows]."""
        return np.where(self.outcomes == 1, self.predicted, 1 - self.predicted)


def log_losses(outcomes: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Return the log loss of each row, nats [rows]; probabilities are kept 1e-15 away from 0 and 1."""
    kept = np.clip(predicted, SMALLEST, 1 - SMALLEST)
    return -np.where(outcomes == 1, np.log(kept), np.log1p(-kept))


def verdicts(model: Model, people: Dataset, *, what: str = "the audit of mispredictions") -> Verdicts:
    """Return what a model decided about people at the target's threshold.

    Parameters
    ----------
    model : Model
        A classifier.
    people : Dataset
        Rows with outcomes of both classes, not seen in training.
    what : str
        What is asked for, as an error begins.

    Raises
    ------
    DlxError
        If the target is not binary, or outcomes are unknown or all alike.
    """
    if people.schema.target.kind != "binary":
        raise DlxError(f"{people.name}: {what} needs a binary outcome, but {people.schema.target.name!r} is not")
    return Verdicts(model.name, people, *judged(model, people, what))
