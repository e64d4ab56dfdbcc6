"""The loss explained: which columns make the model's prediction of a person worse, and which better.

The value of a coalition is the log loss with the person's own outcome, averaged over the background (the local form of
SAGE, Covert, Lundberg and Lee 2020): Shapley values add up to the person's loss minus the mean loss that the background's
predictions would have with that outcome. Above 0 a column costs, below 0 it helps.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dlx.audit.mispredictions.deciding import Verdicts, log_losses
from dlx.errors import DlxError
from dlx.explanation import Explanation
from dlx.model import REGRESSION, Model, NeuralModel, Scale
from dlx.model.protocol import OneOutput
from dlx.runner import explain
from dlx.schema import Schema
from dlx.stats import interval_of_mean

if TYPE_CHECKING:
    import pandas as pd

TOTAL, REACHED, START = "(all columns)", "(mean loss)", "(mean loss of the background)"


@dataclass(frozen=True, eq=False)
class LossOf(OneOutput):
    """The log loss of a model with a given outcome, in nats, as a model of its own.

    Parameters
    ----------
    model : Model
        A classifier.
    outcome : int
        0 or 1.
    """

    model: Model
    outcome: int
    scales: tuple[Scale, ...] = REGRESSION

    @property
    def name(self) -> str:
        """The name in tables and on the page."""
        return _name(self.model, self.outcome)

    @property
    def schema(self) -> Schema:
        """The columns that it reads."""
        return self.model.schema

    def compute(self, rows: np.ndarray) -> np.ndarray:
        """Return the loss of coded rows; probabilities that are not made of a logit are kept off 0 and 1."""
        if self.model.scales[0] == "logit":
            return np.logaddexp(0.0, (1 - 2 * self.outcome) * self.model.predict(rows, "logit"))
        return log_losses(np.full(len(rows), self.outcome), self.model.predict(rows, "probability"))


def loss_model(model: Model, outcome: int) -> Model:
    """Return a model's log loss with an outcome as a model on the scale "value"; a net stays a net."""
    if not isinstance(model, NeuralModel) or model.scales[0] != "logit":
        return LossOf(model, outcome)
    from torch import nn

    from dlx.audit.mispredictions._loss_net import LogLoss

    network = nn.Sequential(model.network, LogLoss(outcome))
    return dataclasses.replace(model, network=network, name=_name(model, outcome), scales=REGRESSION, provenance=None)


def _name(model: Model, outcome: int) -> str:
    return f"log loss of {model.name} with {model.schema.target.level_labels[outcome]}"


def explained_losses(
    model: Model,
    judged: Verdicts,
    background: Any,
    *,
    seed: int = 0,
    explain: Callable[..., Explanation] = explain,
    **options: Any,
) -> Explanation:
    """Return the Shapley values of each person's log loss, scale "value", in nats.

    Parameters
    ----------
    model : Model
        The classifier that was judged.
    judged : Verdicts
        The people and their outcomes.
    background : Dataset, DataFrame or ndarray [references, features]
        The reference rows.
    seed : int
        Seed of the combinations of columns.
    explain : callable
        `dlx.explain`, or one that remembers.
    **options
        Those of the method `shapley`, for example `budget`.
    """
    parts, places = [], []
    for outcome in (0, 1):
        some = np.flatnonzero(judged.outcomes == outcome)
        asked: dict[str, Any] = {"method": "shapley", "background": background, "scale": "value", "seed": seed}
        parts.append(explain(loss_model(model, outcome), judged.people[some], **asked, **options))
        places.append(some)
    return _joined(parts, np.argsort(np.concatenate(places)), judged, f"log loss of {model.name}")


def _joined(parts: list[Explanation], order: np.ndarray, judged: Verdicts, name: str) -> Explanation:
    """Return the explanations of both outcomes as one, in the order of the people."""
    failures = [why for part in parts for why in part.failures.values()]
    if failures:
        raise DlxError(f"the loss could not be explained: {failures[0]}")
    every = {
        field: np.concatenate([getattr(part, field) for part in parts])[order]
        for field in ("values", "base_values", "outputs", "standard_errors")
    }
    return dataclasses.replace(
        parts[0],
        **every,
        rows=judged.people.rows,
        index=judged.people.index,
        extras={},
        model=name,
        seconds=sum(part.seconds for part in parts),
        evaluations=sum(part.evaluations for part in parts),
    )


def loss_by_slice(explained: Explanation, masks: Mapping[str, np.ndarray], *, seed: int = 0) -> pd.DataFrame:
    """Return what each column adds to the mean loss of some parts of the table, with 95 % bootstrap intervals over people.

    Parameters
    ----------
    explained : Explanation
        What `explained_losses` returned.
    masks : mapping of str to ndarray of bool [rows]
        Who is in each part, by its words. A part with nobody in it has no line.
    seed : int
        Seed of the bootstrap.

    Returns
    -------
    DataFrame
        A line a part and column, those that cost most first; then all columns together, the mean loss, and the mean loss
        of the background, where "(all columns)" is the difference of the other two. In nats.
    """
    import pandas as pd

    lines = []
    for words, mask in masks.items():
        if not mask.any():
            continue
        values = explained.values[mask]
        order = np.argsort(-values.mean(axis=0), kind="stable")
        names = [(explained.schema.names[i], explained.schema.labels[i], values[:, i]) for i in order]
        names.append((TOTAL, "all columns", values.sum(axis=1)))
        names.append((REACHED, "mean loss", explained.outputs[mask]))
        names.append((START, "mean loss of the background", explained.base_values[mask]))
        for column, label, numbers in names:
            lines.append((explained.model, words, int(mask.sum()), column, label, *interval_of_mean(numbers, seed=seed)))
    return pd.DataFrame(lines, columns=["model", "slice", "rows", "column", "label", "mean", "low", "high"])
