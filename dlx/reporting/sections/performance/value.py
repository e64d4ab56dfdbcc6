"""What the section measures of a value: errors in its unit, against guessing, whether predictions come true, what is known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from dlx.audit.values import by_prediction, error_sizes, value_calibration
from dlx.context import RunContext
from dlx.reporting.sections import Measured, joined
from dlx.reporting.sections.performance.measure import added_to_what_is_known, opacity
from dlx.stats import LEVEL, spread

COVERS = ("discrimination", "calibration", "interpretable")


@dataclass(frozen=True)
class About:
    """The models behind the numbers."""

    use: str  # the model to use
    why: str  # "better", "readable" or "alone", as of `RunContext.to_use`
    known: tuple[str, ...]  # labels of age and sex, else of all protected columns: alone they reach `baseline_r2`


def measure(context: RunContext) -> Measured:
    """Return how good the models are on the test rows."""
    test, seed = context.case.test, context.seed
    assert test.outcomes is not None
    facts = {"certain": LEVEL, "test_rows": float(len(test))}
    if len(np.unique(test.outcomes)) < 2:
        return Measured({}, facts)
    facts |= {"mean": float(np.average(test.outcomes, weights=test.weights)), "spread": spread(test.outcomes, test.weights)}
    predicted = {model.name: model.predict(test, "value") for model in context.models}
    tables = {"performance": context.performance, "seen_rows": context.seen_rows}
    tables["test_predictions"] = pd.DataFrame({"row": test.index, "outcome": test.outcomes} | predicted)
    if context.interpretable and context.black_boxes:
        tables["advantages"] = context.advantages
    with context.narrator.step("Calibration"):
        tables["error_sizes"] = joined(error_sizes(model, test, seed=seed) for model in context.models)
        tables["calibration"] = joined(value_calibration(model, test, seed=seed) for model in context.models)
        tables["by_prediction"] = joined(by_prediction(model, test, seed=seed) for model in context.models)
    tables["value_summary"] = _summary(context, tables)
    use, why = context.to_use
    if "advantages" in tables:
        tables["opacity"] = opacity(tables["advantages"], use.name, "rmse", "mae")
    known, added = added_to_what_is_known(context, use)
    return Measured(tables, facts | added, About(use.name, why, known))


def _summary(context: RunContext, tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Return a line a model: each number with its interval, against guessing, and by how much predictions must be stretched."""
    found = pd.DataFrame({"model": [model.name for model in context.models]})
    for table, key in (("performance", "metric"), ("error_sizes", "quantity"), ("calibration", "quantity")):
        for name, lines in tables[table].groupby(key, sort=False):
            numbers = lines.set_index("model")[["estimate", "low", "high"]]
            found = found.join(numbers.set_axis([name, f"{name}_low", f"{name}_high"], axis=1), on="model")
    guessed = tables["performance"].query("metric == 'mae'").set_index("model")["reference"]
    found["guessed"] = found["model"].map(guessed)
    slope = found["slope"].to_numpy()
    with np.errstate(divide="ignore"):
        stretch = np.where(slope > 0, np.maximum(slope, 1 / np.abs(slope)), np.where(np.isnan(slope), np.nan, np.inf))
    bent = np.select(
        [found["slope_high"] < 1, found["slope_low"] > 1, found["slope"].isna()], ["extreme", "timid", "alike"], ""
    )
    off = np.select([found["bias_low"] > 0, found["bias_high"] < 0], ["high", "low"], "")
    return found.assign(less=1 - found["mae"] / found["guessed"], stretch=stretch, bent=bent, off=off, size=found["bias"].abs())
