"""Decisions of a model beside what happened: who was decided wrongly, of whom the model was sure, whether it is too sure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import entr

from dlx.arrays import frozen
from dlx.audit.scores import judged, log_losses
from dlx.dataset import Dataset
from dlx.errors import DlxError
from dlx.explanation import Explanation
from dlx.model import Model, decided

FALSE_POSITIVE, FALSE_NEGATIVE = "false_positive", "false_negative"
KINDS = (FALSE_POSITIVE, FALSE_NEGATIVE)
LEVELS = (0.05, 0.1, 0.2)  # of probability, that count as little
DRAWS = 10_000
PUSHING = 3  # columns that are named for a person


@dataclass(frozen=True, eq=False)
class Decisions:
    """Decisions of a model about people whose outcome is known."""

    model: str  # its name
    people: Dataset
    outcomes: np.ndarray  # [rows], 0 or 1
    predicted: np.ndarray  # [rows], the probability of 1

    def __post_init__(self) -> None:
        for name in ("outcomes", "predicted"):
            object.__setattr__(self, name, frozen(getattr(self, name), np.float64))

    def __len__(self) -> int:
        return len(self.outcomes)

    def __getitem__(self, rows: np.ndarray) -> Decisions:
        """Return the decisions about some of the people, by their positions."""
        return Decisions(self.model, self.people[rows], self.outcomes[rows], self.predicted[rows])

    @property
    def flagged(self) -> np.ndarray:
        """Whether each person is flagged (denied), bool [rows]."""
        return decided(self.predicted, self.people.schema.target.threshold)

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
        return entr(self.predicted) + entr(1 - self.predicted)

    @property
    def residuals(self) -> np.ndarray:
        """Outcome minus probability [rows]: above 0 the risk was underestimated."""
        return self.outcomes - self.predicted


def decisions_of(model: Model, people: Dataset) -> Decisions:
    """Return what a model decided about people at the target's threshold.

    Raises
    ------
    DlxError
        If the target is not binary, or outcomes are unknown or all alike.
    """
    what = "the audit of mispredictions"
    if people.schema.target.kind != "binary":
        raise DlxError(f"{people.name}: {what} needs a binary outcome, but {people.schema.target.name!r} is not")
    return Decisions(model.name, people, *judged(model, people, what))


def confident_errors(decisions: Decisions, *, most: int = 10, explanation: Explanation | None = None) -> pd.DataFrame:
    """Return the wrong decisions of which the model was surest, the surest first: a line a person, none where nothing is wrong.

    Columns: `person` (the row's name), `kind`, `outcome`, `risk`, `loss` (log loss, nats) and the person's own columns. An
    explanation of the same rows adds `pushed_by`, the columns that pushed most towards the error.
    """
    worst = np.flatnonzero(decisions.wrong)
    worst = worst[np.argsort(-decisions.losses[worst], kind="stable")][:most]
    target = decisions.people.schema.target
    lines = pd.DataFrame(
        {
            "model": decisions.model,
            "person": decisions.people.index[worst],
            "kind": np.where(decisions.flagged[worst], FALSE_POSITIVE, FALSE_NEGATIVE),
            "outcome": np.array(target.level_labels, dtype=object)[decisions.outcomes[worst].astype(int)],
            "risk": decisions.predicted[worst],
            "loss": decisions.losses[worst],
        }
    )
    if explanation is not None:
        refuse_others(explanation, decisions)
        lines["pushed_by"] = [_pushed_by(decisions, explanation, int(row)) for row in worst]
    return pd.concat([lines, decisions.people[worst].frame.reset_index(drop=True)], axis=1)


def refuse_others(explanation: Explanation, decisions: Decisions) -> None:
    """Raise a `DlxError` if an explanation is not of the people who were decided about."""
    if not np.array_equal(explanation.rows, decisions.people.rows, equal_nan=True):
        raise DlxError("the explanation must be of the people who were judged, in their order; explain decisions.people")


def _pushed_by(decisions: Decisions, explanation: Explanation, row: int) -> str:
    """Return the columns that pushed a person most towards the error, with their values: "Age: 24 years; Savings: none"."""
    towards = np.nan_to_num(explanation.values[row] * (1 if decisions.flagged[row] else -1))
    chosen = [i for i in np.argsort(-towards, kind="stable")[:PUSHING] if towards[i] > 0]
    features = decisions.people.schema.features
    return "; ".join(f"{features[i].label}: {features[i].format(decisions.people.rows[row, i])}" for i in chosen)


def overconfidence(decisions: Decisions, *, seed: int = 0) -> pd.DataFrame:
    """Return how often the model gave little probability to what happened, beside how often it should have; a line a level.

    Were the probabilities right, each person's outcome would be a draw from them: `expected` people, with the 95 % range of
    10,000 draws (`low`, `high`); `p` is the share of draws with at least as many as `observed`.
    """
    rng, chance, lines = np.random.default_rng(seed), decisions.predicted, []
    given, rarer = np.where(decisions.outcomes == 1, chance, 1 - chance), np.minimum(chance, 1 - chance)
    for level in LEVELS:
        some = rarer[rarer < level]
        drawn = sum((rng.random(DRAWS) < one for one in some), start=np.zeros(DRAWS, dtype=int))
        observed = int((given < level).sum())
        low, high = np.quantile(drawn, (0.025, 0.975), method="inverted_cdf")
        p = (1 + (drawn >= observed).sum()) / (1 + DRAWS)
        lines.append((decisions.model, level, len(decisions), observed, some.sum(), low, high, p))
    return pd.DataFrame(lines, columns=["model", "level", "rows", "observed", "expected", "low", "high", "p"])
