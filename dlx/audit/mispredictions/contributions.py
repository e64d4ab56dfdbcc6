"""What explanations say of errors: which columns pushed towards them, and which make the loss of a person larger.

The value of a coalition is the log loss with the person's own outcome, averaged over the background (the local form of
SAGE, Covert, Lundberg and Lee 2020): Shapley values add up to the person's loss minus the mean loss that the background's
predictions would have with that outcome. Above 0 a column costs, below 0 it helps.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from dlx import explainers
from dlx.audit.mispredictions.confidence import FALSE_POSITIVE, KINDS, Decisions, refuse_others
from dlx.audit.recalibration import stretched_net
from dlx.audit.scores import log_losses
from dlx.errors import DlxError
from dlx.explanation import Explanation
from dlx.model import Model, NeuralModel, Scale
from dlx.runner import explain
from dlx.schema import Schema
from dlx.stats import ends_of, interval_of_mean, resampled_counts

FEWEST = 2  # people of either sort, so that there is an interval
TOTAL, REACHED, START = "(all columns)", "(mean loss)", "(mean loss of the background)"
COLUMNS = [
    *("model", "method", "scale", "kind", "column", "label", "errors", "hits", "in_errors", "in_hits", "difference"),
    *("push", "low", "high"),
]


def pushes(decisions: Decisions, explanation: Explanation, *, seed: int = 0) -> pd.DataFrame:
    """Return which columns pushed the wrong way in errors: mean contribution in errors minus that in hits.

    A false positive is compared with people without the event who were cleared, a false negative with people with the event
    who were flagged. The differences add up to that of the mean outputs, if the explanation is locally accurate.

    A line a kind of error and column, the strongest push towards the error first: mean contribution `in_errors` and
    `in_hits`, `difference`, and `push`, the difference in the direction of the error, with its 95 % bootstrap interval, in the
    unit of the explanation. A kind with fewer than 2 errors or 2 hits has no line; rows that failed are left out.
    """
    refuse_others(explanation, decisions)
    lines: list[tuple[Any, ...]] = []
    for kind in KINDS:
        both = [explanation.values[mask(kind) & ~explanation.failed] for mask in (decisions.errors, decisions.hits)]
        sizes = [len(some) for some in both]
        if min(sizes) < FEWEST:
            continue
        rng, sign = np.random.default_rng(seed), 1 if kind == FALSE_POSITIVE else -1
        resampled = np.subtract(*(resampled_counts(len(some), seed=rng) @ some / len(some) for some in both))
        ends, means = ends_of(sign * resampled, people=min(sizes)).T, [some.mean(axis=0) for some in both]
        difference, schema = means[0] - means[1], explanation.schema
        said = decisions.model, explanation.method, explanation.scale, kind
        for i in np.argsort(-sign * difference, kind="stable"):
            numbers = *sizes, means[0][i], means[1][i], difference[i], sign * difference[i], *ends[i]
            lines.append((*said, schema.names[i], schema.labels[i], *numbers))
    return pd.DataFrame(lines, columns=COLUMNS)


@dataclass(frozen=True, eq=False)
class LossOf(Model):
    """The log loss of a classifier with an outcome of 0 or 1, in nats, as a model of its own."""

    model: Model
    outcome: int
    name: str
    schema: Schema
    scales: tuple[Scale, ...] = ("value",)

    def compute(self, rows: np.ndarray) -> np.ndarray:
        """Return the loss of coded rows; probabilities that are not made of a logit are kept off 0 and 1."""
        if self.model.scales[0] == "logit":
            return np.logaddexp(0.0, (1 - 2 * self.outcome) * self.model.predict(rows, "logit"))
        return log_losses(np.full(len(rows), self.outcome), self.model.predict(rows, "probability"))


def loss_model(model: Model, outcome: int) -> Model:
    """Return a model's log loss with an outcome as a model on the scale "value"; a net stays a net."""
    name = f"log loss of {model.name} with {model.schema.target.level_labels[outcome]}"
    if not isinstance(model, NeuralModel) or model.scales[0] != "logit":
        return LossOf(model, outcome, name, model.schema)
    from torch import nn

    network = nn.Sequential(*stretched_net(model, 0.0, 1.0 - 2.0 * outcome), nn.Softplus())
    return dataclasses.replace(model, network=network, name=name, scales=("value",), provenance=None)


def explained_losses(
    model: Model, decisions: Decisions, background: Any, *, seed: int = 0, explain: Callable[..., Explanation] = explain
) -> Explanation:
    """Return the Shapley values of each person's log loss, scale "value", in nats; `explain` may be one that remembers."""
    asked: dict[str, Any] = {"method": explainers.any_model(), "background": background, "scale": "value", "seed": seed}
    places = [np.flatnonzero(decisions.outcomes == outcome) for outcome in (0, 1)]
    parts = [explain(loss_model(model, outcome), decisions.people[places[outcome]], **asked) for outcome in (0, 1)]
    if failures := [why for part in parts for why in part.failures.values()]:
        raise DlxError(f"the loss could not be explained: {failures[0]}")
    order = np.argsort(np.concatenate(places))
    joined: dict[str, Any] = {
        field: np.concatenate([getattr(part, field) for part in parts])[order]
        for field in ("values", "base_values", "outputs", "standard_errors")
    }
    joined |= {name: sum(getattr(part, name) for part in parts) for name in ("seconds", "evaluations")}
    joined |= {"rows": decisions.people.rows, "index": decisions.people.index, "extras": {}}
    return dataclasses.replace(parts[0], model=f"log loss of {model.name}", **joined)


def loss_by_slice(explained: Explanation, masks: Mapping[str, np.ndarray], *, seed: int = 0) -> pd.DataFrame:
    """Return what each column adds to the mean loss (nats) of some parts of the table, with 95 % bootstrap intervals.

    A line a part and column, those that cost most first; then all columns together, the mean loss, and the mean loss of the
    background, where "(all columns)" is the difference of the other two. A part with nobody in it has no line.
    """
    lines, schema = [], explained.schema
    for words, mask in masks.items():
        if not mask.any():
            continue
        values = explained.values[mask]
        told = [
            *((schema.names[i], schema.labels[i], values[:, i]) for i in np.argsort(-values.mean(axis=0), kind="stable")),
            (TOTAL, "all columns", values.sum(axis=1)),
            (REACHED, "mean loss", explained.outputs[mask]),
            (START, "mean loss of the background", explained.base_values[mask]),
        ]
        for column, label, numbers in told:
            lines.append((explained.model, words, int(mask.sum()), column, label, *interval_of_mean(numbers, seed=seed)))
    return pd.DataFrame(lines, columns=["model", "slice", "rows", "column", "label", "mean", "low", "high"])
