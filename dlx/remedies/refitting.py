"""An estimator of the user's own, fitted again with a remedy on the training rows of a case.

What is left out is one and the same value for everybody, in fitting and in predicting, and a level that is merged is the most
frequent one that it is merged with: so the estimator's own steps find the columns and the levels that they know.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from dlx.arrays import row_ids, same
from dlx.dataset import Dataset
from dlx.errors import in_a_line
from dlx.model import BlackBox, Model
from dlx.model.estimators import Reading, class_position
from dlx.model.routes import fastest
from dlx.remedies.recoding import Recoding, RemedyError
from dlx.schema.dtypes import restored

Altered = Callable[["pd.DataFrame"], "pd.DataFrame"]
COMPARED = "fit it again yourself, and compare both: dlx.remedies.before_after(before, after, case)"


def can_be_refitted(model: Model) -> bool:
    """Return whether a model is an estimator that was wrapped, which can be cloned and fitted."""
    box = model.behind or model
    reading = box.function if isinstance(box, BlackBox) else None
    return isinstance(reading, Reading) and hasattr(reading.owner, "fit") and hasattr(reading.owner, "get_params")


def refitted(model: Model, case: Dataset, recoded: Recoding, weights: np.ndarray | None) -> tuple[Model, Model]:
    """Return an estimator fitted on the training rows without a remedy and with it; the former as it is if it was fitted so.

    Raises
    ------
    RemedyError
        If it cannot be fitted again, or takes no weights.
    """
    before, is_known = model, model.trained_on is not None and same(model.trained_on, row_ids(case.train.rows)).all()
    if not is_known:
        before = _fitted(model, case, None, case.train.weights)
    changed = _alteration(case, recoded)
    return before, _fitted(model, case, changed, weights)


def _fitted(model: Model, case: Dataset, altered: Altered | None, weights: np.ndarray | None) -> Model:
    """Return a clone of an estimator, fitted on the training rows as they are or altered, as a model that reads rows so too."""
    from sklearn.base import clone

    box = model.behind or model
    assert isinstance(box, BlackBox) and isinstance(box.function, Reading)
    reading, rows, table = box.function, case.train, box.as_it_came(case.train)
    with_weights = {} if weights is None else {_weighing(reading.owner, model.name): weights}
    try:
        estimator = clone(reading.owner)
        outcomes = _outcomes(reading, rows)
        estimator.fit(reading.given(table if altered is None else altered(table), lambda read: read), outcomes, **with_weights)
    except Exception as error:  # the user's estimator may raise anything
        raise RemedyError(f"{model.name} cannot be fitted again as it is: {in_a_line(error)}; {COMPARED}") from error
    own = getattr(reading.call, "__name__", "")
    again = replace(reading, call=getattr(estimator, own, estimator), owner=estimator)
    box = replace(box, function=again, witness=None)
    if altered is None:
        return replace(fastest(box, rows, None), trained_on=row_ids(rows.rows))
    route = "Only asked for predictions: its rows are changed before it reads them."
    return replace(box, function=lambda table: again(altered(table)), route=route, trained_on=row_ids(rows.rows))


def _outcomes(reading: Reading, rows: Dataset) -> np.ndarray:
    """Return the outcomes as an estimator was fitted on them: its classes, or 0 and 1."""
    assert rows.outcomes is not None
    if reading.classes is None:
        return rows.outcomes
    places = [class_position(reading.classes, reading.levels, i, reading.name) for i in range(len(reading.levels))]
    return np.asarray(reading.classes)[places][rows.outcomes.astype(np.intp)]


def _weighing(estimator: Any, name: str) -> str:
    """Return by which parameter of fit rows are weighed: of the last step of a pipeline, or the estimator's own."""
    from sklearn.utils.validation import has_fit_parameter

    last, word = estimator, "sample_weight"
    while getattr(last, "steps", None):
        step, last = last.steps[-1]
        word = f"{step}__{word}"
    if not has_fit_parameter(last, "sample_weight"):
        raise RemedyError(f"{name} cannot weigh rows: fit of {type(last).__name__} takes no sample_weight; {COMPARED}")
    return word


def _alteration(case: Dataset, recoded: Recoding) -> Altered | None:
    """Return what a table looks like to an estimator that must not tell apart what was left out or merged; None for nothing."""
    schema, train = recoded.original, case.train
    codes: dict[str, Mapping[float, float] | float] = {}
    for i, feature in enumerate(schema.features):
        column = train.rows[:, i]
        known = np.sort(feature.numbers(column)[~np.isnan(feature.numbers(column))])
        counts = np.bincount(known.astype(np.intp), minlength=len(feature.levels)) if feature.is_categorical else np.zeros(0)
        if i not in recoded.kept:
            middle = known[len(known) // 2] if len(known) else 0.0
            codes[feature.name] = float(counts.argmax() if feature.is_categorical else middle)
        elif i in recoded.groups:
            codes[feature.name] = {code: max(some, key=lambda one: counts[one]) for some in recoded.groups[i] for code in some}
    if not codes:
        return None

    def altered(table: pd.DataFrame) -> pd.DataFrame:
        changed = {}
        for name, new in codes.items():
            feature = schema[name] if schema[name].dtype else train.schema[name]
            old = feature.encode(table[name])
            made = (
                np.full(len(old), new) if isinstance(new, float) else np.array([new.get(code, code) for code in old.tolist()])
            )
            changed[name] = restored(feature, made)
        return table.assign(**changed)

    return altered
