"""Which of several classes is taken for which, how often the class that a model names is right, and whether it is as sure."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from dlx.audit.counterfactuals import Recourse, recourse
from dlx.audit.fairness.rates import MIN_CASES
from dlx.audit.miscalibration import Calibration, calibration_of
from dlx.audit.scores import among, answers
from dlx.dataset import Dataset
from dlx.model import Model, Transformed


def confusion_of_classes(model: Model, people: Dataset) -> pd.DataFrame:
    """Return how many people of each class a model takes for which: those for whom it is the likeliest.

    Parameters
    ----------
    model : Model
        Of several classes, that of any.
    people : Dataset
        Rows with outcomes, not seen in training.

    Returns
    -------
    DataFrame
        A line a pair of classes, `outcome` and `taken_for`: `count` of `of` people of that outcome, and the share that they
        weigh with Wilson's 95 % interval; NaN where there are no such people.

    Raises
    ------
    DlxError
        If outcomes are unknown or all alike, or the model answers for one of the classes alone.
    """
    is_class, is_named = _memberships(model, people)
    labels, lines = people.schema.target.level_labels, list[dict[str, Any]]()
    for outcome, own in zip(labels, is_class.T, strict=True):
        for taken_for, named in zip(labels, is_named.T, strict=True):
            lines.append({"model": model.name, "outcome": outcome, "taken_for": taken_for} | among(own, named, people))
    return pd.DataFrame(lines)


def class_rates(model: Model, people: Dataset) -> pd.DataFrame:
    """Return recall and precision of each class, with Wilson's 95 % intervals; parameters and errors of `confusion_of_classes`.

    A line a class and quantity: recall, the share of its people who are taken for it; precision, the share of those taken for
    it who are of it. `count` of `of` people; `too_few` where these are fewer than ten.
    """
    is_class, is_named = _memberships(model, people)
    lines = list[dict[str, Any]]()
    for label, own, named in zip(people.schema.target.level_labels, is_class.T, is_named.T, strict=True):
        for quantity, found in (("recall", among(own, named, people)), ("precision", among(named, own, people))):
            line = {"model": model.name, "class": label, "quantity": quantity} | found
            lines.append(line | {"too_few": bool(found["of"] < MIN_CASES)})
    return pd.DataFrame(lines)


def top_label(model: Model, people: Dataset, *, seed: int = 0) -> Calibration | None:
    """Return whether a model is as sure of the class that it names as it is right; None if it is always or never right.

    The calibration of the largest probability of each row: its "events" are the rows whose class is the one named.
    """
    outcomes, predicted = answers(model, people, "the calibration")
    right, sure = (predicted.argmax(axis=1) == outcomes).astype(float), predicted.max(axis=1)
    return calibration_of(model.name, right, sure, people.weights, seed=seed) if 0 < right.sum() < len(right) else None


def likeliest_classes(model: Model, people: Dataset) -> pd.DataFrame:
    """Return for how many of some people, of known outcome or none, each class is the likeliest: `class`, `count`, `of`."""
    target = people.whole.schema.target
    counts = np.bincount(model.probabilities(people).argmax(axis=1), minlength=len(target.levels))
    return pd.DataFrame({"model": model.name, "class": target.level_labels, "count": counts, "of": len(people)})


def recourse_to_class(model: Model, people: Dataset, level: str, *, observed: Dataset, **asked: Any) -> Recourse:
    """Return what people can change so that they are taken for a class: `dlx.audit.counterfactuals.recourse` from not being it.

    Its risks are the probabilities of all other classes together.

    Parameters
    ----------
    model : Model
        Of several classes, that of any.
    people, observed : Dataset
        As of `recourse`; people who are not taken for the class, at the target's threshold.
    level : str
        The class, as the table spells it.
    **asked
        What else `recourse` takes.
    """
    return recourse(any_but(model, level), people, observed=observed, **asked)


def any_but(model: Model, level: str) -> Model:
    """Return a model of two outcomes: any other of several classes than one, or that one."""
    of = model.of(level)
    return Transformed(of, "probability", lambda chance: 1 - chance, of.schema, of.name, ("probability", "logit"))


def _memberships(model: Model, people: Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Return of which class people are, and for which a model takes them, bool [people, classes] each."""
    outcomes, predicted = answers(model, people, "the confusion")
    codes = np.arange(predicted.shape[1])
    return outcomes[:, None] == codes, predicted.argmax(axis=1)[:, None] == codes
