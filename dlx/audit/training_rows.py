"""Who trained a model on which rows; whether it may have seen the test rows; and whether it knows them too well.

A model that has seen the test rows is not judged by them. What nobody says may show: a model that ranks the outcomes of these
rows far better than models that learnt from the training rows alone was most likely trained on them. The rule: its ROC AUC is
beyond chance above that of the better of a logistic regression and boosted trees, and nearer to 1 than to that. Of a value it
is the R2, and the linear model is ridge regression.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd

from dlx.arrays import row_ids
from dlx.audit.metrics import metrics_of
from dlx.background import sample
from dlx.dataset import Dataset
from dlx.encoder import Encoder
from dlx.model import Model
from dlx.threads import one_thread

MOST_ROWS = 20_000  # that the models to compare with learn from


class Seen(NamedTuple):
    """What a model was trained on."""

    standing: Literal["unseen", "seen", "unknown"]  # the test rows
    by: Literal["dlx", "its maker"]
    rows: float = np.nan  # how many; NaN where nobody said
    test_rows: float = np.nan  # of the case that are among them, or are the same and no training rows of the case


def seen_by(model: Model, case: Dataset) -> Seen:
    """Return what a model was trained on: what dlx knows, or what was said when it was wrapped."""
    by: Literal["dlx", "its maker"] = "dlx" if model.original is None else "its maker"
    if model.provenance is not None and model.provenance.data_sha256 == case.sha256:
        return Seen("unseen", "dlx", len(case.train), 0)
    if model.trained_on is None:
        return Seen("unknown", by)
    test = row_ids(case.test.rows)
    again = int((np.isin(test, model.trained_on) & ~np.isin(test, case.learnt_from)).sum())
    return Seen("seen" if again else "unseen", by, len(model.trained_on), again)


def seen_rows(models: Sequence[Model], case: Dataset, *, seed: int = 0) -> pd.DataFrame:
    """Return a line a model: what it was trained on, and how it ranks the test rows.

    Columns: model, those of `Seen`, and of models of the user's own: auc (r2 of a value), auc_of_others (the better of two
    models that have not seen the test rows), low and high (the 95 % interval of the difference), knows_too_well.
    """
    lines = [{"model": model.name, **seen_by(model, case)._asdict(), "knows_too_well": False} for model in models]
    if own := [(model, line) for model, line in zip(models, lines, strict=True) if line["by"] != "dlx"]:
        test, (name, metric) = case.test, next(iter(metrics_of(case.schema.target).items()))
        outcomes, weights = test.outcomes, test.weights
        assert outcomes is not None
        others = max(_of_training_rows(case, seed), key=lambda some: metric(outcomes, some, weights))
        reached = metric(outcomes, others, weights)
        for model, line in own:
            predicted = model.predict(test, model.scales[0])
            mine, gain = metric(outcomes, predicted, weights), metric.gain(outcomes, predicted, others, weights=weights)
            line |= {name: mine, f"{name}_of_others": reached, "low": gain.low, "high": gain.high}
            line["knows_too_well"] = bool(gain.low > 0 and mine > (1 + reached) / 2)
    return pd.DataFrame(lines)


def _of_training_rows(case: Dataset, seed: int) -> list[np.ndarray]:
    """Return what a linear model and boosted trees of the training rows predict of the test rows: scores, or values."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
    from sklearn.linear_model import LogisticRegression, RidgeCV

    train = sample(case.train, MOST_ROWS, seed=seed)
    encoder = Encoder.fit(case.schema, train.rows)
    linear, grown = LogisticRegression(max_iter=1_000), HistGradientBoostingClassifier(random_state=seed)
    if is_value := case.schema.target.is_value:
        linear, grown = RidgeCV(np.logspace(-3, 3, 13)), HistGradientBoostingRegressor(random_state=seed)
    ask = "predict" if is_value else "decision_function"
    with one_thread():
        linear.fit(encoder.transform(train.rows, np.float64), train.outcomes, sample_weight=train.weights)
        grown.fit(train.rows, train.outcomes, sample_weight=train.weights)
        return [getattr(linear, ask)(encoder.transform(case.test.rows, np.float64)), getattr(grown, ask)(case.test.rows)]
