"""Decisions of a model beside what happened: who was decided wrongly, of whom it was sure, what pushed it, which columns cost.

The loss explained is the local form of SAGE (Covert, Lundberg and Lee 2020): a coalition is worth the log loss with the
person's own outcome, averaged over the background. Above 0 a column costs, below 0 it helps.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import pandas as pd
from scipy.special import entr

from dlx import explainers
from dlx.arrays import freeze, in_short
from dlx.audit.recalibration import stretched_net
from dlx.audit.scores import judged
from dlx.dataset import Dataset
from dlx.errors import DlxError
from dlx.explanation import Explanation
from dlx.model import Model, NeuralModel, Transformed, decided
from dlx.runner import explain
from dlx.stats import Weights, counts_of, ends_of, interval_of_mean, log_losses, means_of, resampled_counts

if TYPE_CHECKING:
    from dlx.audit.mispredictions.values import Predictions

FALSE_POSITIVE, FALSE_NEGATIVE = "false_positive", "false_negative"
KINDS = (FALSE_POSITIVE, FALSE_NEGATIVE)
LEVELS = (0.05, 0.1, 0.2)  # of probability, that count as little
DRAWS = 10_000
PUSHING = 3  # columns that are named for a person
FEWEST = 2  # people of either sort, so that there is an interval
TOTAL, REACHED, START = "(all columns)", "(mean loss)", "(mean loss of the background)"
COLUMNS = [
    *("model", "method", "scale", "kind", "column", "label", "errors", "hits", "in_errors", "in_hits", "difference"),
    *("push", "low", "high"),
]


@dataclass(frozen=True, eq=False)
class Judgement:
    """What a model predicted of people, beside their outcomes."""

    model: str  # its name
    people: Dataset
    outcomes: np.ndarray  # [rows]
    predicted: np.ndarray  # [rows], a probability or a value

    __repr__ = in_short

    def __post_init__(self) -> None:
        freeze(self, "outcomes", "predicted")

    def __len__(self) -> int:
        return len(self.outcomes)

    def __getitem__(self, rows: np.ndarray) -> Self:
        """Return what was predicted of some of the people, by their positions."""
        return type(self)(self.model, self.people[rows], self.outcomes[rows], self.predicted[rows])

    @property
    def residuals(self) -> np.ndarray:
        """Outcome less prediction [rows]: above 0 it was underestimated."""
        return self.outcomes - self.predicted

    @property
    def counts(self) -> np.ndarray:
        """How much each person counts, 1 where all count the same [rows]."""
        return counts_of(self.people.weights, len(self))


class Decisions(Judgement):
    """Decisions of a model about people: outcomes are 0 or 1, predictions the probability of 1."""

    kinds: ClassVar[tuple[str, str]] = KINDS  # of error: the first is pushed upwards

    __repr__ = in_short

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
    def variances(self) -> np.ndarray:
        """The variance of each residual, were the probabilities right [rows]."""
        return self.predicted * (1 - self.predicted)

    @property
    def measures(self) -> dict[str, np.ndarray]:
        """What slices are measured by, by name: a number a person, [rows] each."""
        entropies = entr(self.predicted) + entr(1 - self.predicted)  # the mean losses, were probabilities right
        found = {"error_rate": self.wrong, "loss": self.losses, "expected_loss": entropies}
        return found | {"observed": self.outcomes, "predicted": self.predicted, "residual": self.residuals}

    @property
    def deviations(self) -> np.ndarray:
        """How far each outcome is from the probability, by people's weights [rows]."""
        return self.counts * self.residuals

    def drawn(self, rng: np.random.Generator, count: int) -> np.ndarray:
        """Return deviations of outcomes that are drawn from the model's own probabilities, [count, rows]."""
        return self.counts * ((rng.random((count, len(self))) < self.predicted) - self.predicted)


def decisions_of(model: Model, people: Dataset) -> Decisions:
    """Return what a model decided about people at the target's threshold; a `DlxError` without a binary target or outcomes."""
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
            "kind": np.where(decisions.flagged[worst], FALSE_POSITIVE, FALSE_NEGATIVE),
            "outcome": np.array(target.level_labels, dtype=object)[decisions.outcomes[worst].astype(int)],
            "risk": decisions.predicted[worst],
            "loss": decisions.losses[worst],
        }
    )
    return with_people(lines, decisions, worst, explanation)


def with_people(
    lines: pd.DataFrame, decisions: Decisions | Predictions, rows: np.ndarray, explanation: Explanation | None
) -> pd.DataFrame:
    """Return lines about some people between who they are and their own columns, with what pushed each by an explanation."""
    lines = lines.assign(model=decisions.model, person=decisions.people.index[rows])[["model", "person", *lines]]
    if explanation is not None:
        refuse_others(explanation, decisions)
        lines["pushed_by"] = [pushed_by(decisions, explanation, int(row)) for row in rows]
    own = decisions.people[rows].frame.reset_index(drop=True)
    return pd.concat([lines, own[[name for name in own if name not in lines]]], axis=1)


def refuse_others(explanation: Explanation, decisions: Decisions | Predictions) -> None:
    """Raise a `DlxError` if an explanation is not of the people who were decided about."""
    if not np.array_equal(explanation.rows, decisions.people.rows, equal_nan=True):
        raise DlxError("the explanation must be of the people who were judged, in their order; explain decisions.people")


def pushed_by(decisions: Decisions | Predictions, explanation: Explanation, row: int) -> str:
    """Return the columns that pushed a person most towards the error, with their values: "Age: 24 years; Savings: none"."""
    towards = np.nan_to_num(explanation.values[row] * (1 if decisions.flagged[row] else -1))
    chosen = [i for i in np.argsort(-towards, kind="stable")[:PUSHING] if towards[i] > 0]
    features = decisions.people.schema.features
    return "; ".join(f"{features[i].label}: {features[i].format(decisions.people.rows[row, i])}" for i in chosen)


def overconfidence(decisions: Decisions, *, seed: int = 0) -> pd.DataFrame:
    """Return how often the model gave little probability to what happened, beside how often it should have; a line a level.

    Were the probabilities right, each person's outcome would be a draw from them: `expected` people, with the 95 % range of
    10,000 draws (`low`, `high`); `p` is the share of draws with at least as many as `observed`. These are people, whatever they
    weigh.
    """
    rng, chance, lines = np.random.default_rng(seed), decisions.predicted, []
    given, rarer = np.where(decisions.outcomes == 1, chance, 1 - chance), np.minimum(chance, 1 - chance)
    for level in LEVELS:
        some = rarer[rarer < level]
        drawn = sum((rng.random(DRAWS) < one for one in some), start=np.zeros(DRAWS, dtype=int))
        observed = int((given < level).sum())
        low, high = ends_of(drawn, method="inverted_cdf")
        p = (1 + (drawn >= observed).sum()) / (1 + DRAWS)
        lines.append((decisions.model, level, len(decisions), observed, some.sum(), low, high, p))
    return pd.DataFrame(lines, columns=["model", "level", "rows", "observed", "expected", "low", "high", "p"])


def pushes(decisions: Decisions | Predictions, explanation: Explanation, *, seed: int = 0) -> pd.DataFrame:
    """Return which columns pushed the wrong way in errors: mean contribution in errors minus that in hits.

    A false positive is compared with people without the event who were cleared, a false negative with people with the event
    who were flagged; of a value, the fifth predicted too high by most and the fifth too low by most are compared with the rest.
    The differences add up to that of the mean outputs, if the explanation is locally accurate.

    A line a kind of error and column, the strongest push towards the error first: mean contribution `in_errors` and
    `in_hits`, `difference`, and `push`, the difference in the direction of the error, with its 95 % bootstrap interval, in the
    unit of the explanation. A kind with fewer than 2 errors or 2 hits has no line; rows that failed are left out.
    """
    refuse_others(explanation, decisions)
    lines: list[tuple[Any, ...]] = []
    for kind in decisions.kinds:
        places = [mask(kind) & ~explanation.failed for mask in (decisions.errors, decisions.hits)]
        both = [(explanation.values[some], decisions.counts[some]) for some in places]
        sizes = [len(some) for some, _ in both]
        if min(sizes) < FEWEST:
            continue
        rng, sign = np.random.default_rng(seed), 1 if kind == decisions.kinds[0] else -1
        resampled = np.subtract(*(means_of(resampled_counts(len(some), each, seed=rng), some) for some, each in both))
        ends = ends_of(sign * resampled, people=min(sizes)).T
        means = [np.average(some, axis=0, weights=each) for some, each in both]
        difference, schema = means[0] - means[1], explanation.schema
        said = decisions.model, explanation.method, explanation.scale, kind
        for i in np.argsort(-sign * difference, kind="stable"):
            numbers = *sizes, means[0][i], means[1][i], difference[i], sign * difference[i], *ends[i]
            lines.append((*said, schema.names[i], schema.labels[i], *numbers))
    return pd.DataFrame(lines, columns=COLUMNS)


def loss_model(model: Model, outcome: int) -> Model:
    """Return a model's log loss with an outcome as a model on the scale "value"; a net stays a net."""
    name = f"log loss of {model.name} with {model.schema.target.level_labels[outcome]}"
    if model.scales[0] != "logit":  # probabilities that are not made of a logit are kept off 0 and 1
        return Transformed(model, "probability", partial(log_losses, np.array(outcome)), model.schema, name)
    if not isinstance(model, NeuralModel):
        return Transformed(model, "logit", lambda logits: np.logaddexp(0.0, (1 - 2 * outcome) * logits), model.schema, name)
    from torch import nn

    network = nn.Sequential(*stretched_net(model, 0.0, 1.0 - 2.0 * outcome), nn.Softplus())
    return model.remade(network, name=name, scales=("value",), provenance=None)


def explained_losses(
    model: Model, decisions: Decisions, background: Any, *, seed: int = 0, explain: Callable[..., Explanation] = explain
) -> Explanation:
    """Return the Shapley values of each person's log loss, scale "value", in nats; `explain` may be one that remembers."""
    asked: dict[str, Any] = {"method": explainers.any_model(), "background": background, "scale": "value", "seed": seed}
    places = [np.flatnonzero(decisions.outcomes == outcome) for outcome in (0, 1)]
    parts = [explain(loss_model(model, outcome), decisions.people[places[outcome]], **asked) for outcome in (0, 1)]
    if failures := [why for part in parts for why in part.failures.values()]:
        raise DlxError(f"the loss could not be explained: {failures[0]}")
    about: dict[str, Any] = {"model": f"log loss of {model.name}", "extras": {}}
    named = [dataclasses.replace(part, index=some, **about) for part, some in zip(parts, places, strict=True)]
    whole = Explanation.concatenate(named)
    return dataclasses.replace(whole[np.argsort(whole.index)], index=decisions.people.index)


def loss_by_slice(
    explained: Explanation, masks: Mapping[str, np.ndarray], weights: Weights = None, *, seed: int = 0
) -> pd.DataFrame:
    """Return what each column adds to the mean loss (nats) of some parts of the table, with 95 % bootstrap intervals.

    A line a part and column, those that cost most first; then all columns together, the mean loss, and the mean loss of the
    background, where "(all columns)" is the difference of the other two. A part with nobody in it has no line.
    """
    lines, schema = [], explained.schema
    for words, mask in masks.items():
        if not mask.any():
            continue
        values, each = explained.values[mask], None if weights is None else weights[mask]
        order = np.argsort(-np.average(values, axis=0, weights=each), kind="stable")
        told = [
            *((schema.names[i], schema.labels[i], values[:, i]) for i in order),
            (TOTAL, "all columns", values.sum(axis=1)),
            (REACHED, "mean loss", explained.outputs[mask]),
            (START, "mean loss of the background", explained.base_values[mask]),
        ]
        for column, label, numbers in told:
            mean = interval_of_mean(numbers, each, seed=seed)
            lines.append((explained.model, words, int(mask.sum()), column, label, *mean))
    return pd.DataFrame(lines, columns=["model", "slice", "rows", "column", "label", "mean", "low", "high"])
