"""Performance: how well models rank, whether their probabilities come true, and what acting on them is worth."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from dlx.context import RunContext
from dlx.dataset import Dataset
from dlx.model import Model
from dlx.reporting.sections.blocks import Block, Heading, Listed, Section, Words
from dlx.reporting.sections.performance import grids, told
from dlx.reporting.sections.performance.drawn import calibration_figure, decision_figure
from dlx.reporting.sections.performance.measured import Measured, measure

KEY, TITLE = "performance", "Performance"


def section(setting: RunContext, models: Sequence[Model]) -> Section:
    """Return how good the models are on the test rows, and what that is worth."""
    test = setting.case.test
    assert test.outcomes is not None
    if len(np.unique(test.outcomes)) < 2:
        words = f"All {len(test)} test rows have the same outcome: no model can be judged by them."
        return Section(KEY, TITLE, (words,), (Words((words,)),))
    found = measure(setting, models)
    return Section(
        key=KEY,
        title=TITLE,
        findings=(*told.bought(found), told.calibrated(found), told.worth(found, test)),
        blocks=tuple(_blocks(found, setting)),
        tables=_tables(found, test),
        covers=told.evidence(found, test),
    )


def _blocks(found: Measured, setting: RunContext) -> list[Block]:
    test = setting.case.test
    blocks: list[Block] = [Words((told.opening(test),)), grids.scores(found, test)]
    if len(found.advantages):
        blocks += [
            Heading("What accuracy a model that cannot be read buys"),
            Listed(tuple(told.pairs(found))),
            grids.compared(found, test),
        ]
    blocks += [
        Heading("Do the probabilities come true?"),
        Words(tuple(told.calibration_words(found, setting.case.validation))),
        grids.calibrated(found),
        calibration_figure(found, test),
    ]
    if found.mended:
        blocks += [
            Heading("What recalibration changes"),
            Words(tuple(told.mended_words(found))),
            grids.mended(found),
            grids.changed(found, setting.top),
        ]
    return [
        *blocks,
        Heading("At the threshold"),
        Words(tuple(told.threshold_words(found, test))),
        grids.confused(found, test),
        decision_figure(found, test),
    ]


def _tables(found: Measured, test: Dataset) -> dict[str, pd.DataFrame]:
    after = [one.calibration for one in found.mended.values()]
    judged = [one.to_frame().assign(part="test") for one in [*found.calibrations.values(), *after]]
    decided = [one.to_frame().assign(part="validation") for one in found.validated.values()]
    curves = [one.curve.assign(model=one.model) for one in [*found.calibrations.values(), *after]]
    tables = {
        "performance_audited": pd.concat(
            [found.performance, *[one.performance for one in found.mended.values()]], ignore_index=True
        ),
        "calibration": pd.concat([*judged, *decided], ignore_index=True),
        "calibration_curves": pd.concat(curves, ignore_index=True),
        "test_predictions": _predictions(found, test),
        "confusion": found.confusion,
        "expected_cost": found.costs,
        "decision_curves": found.curves,
    }
    if len(found.advantages):
        tables["advantages"] = found.advantages
    if found.mended:
        tables["explanations_recalibrated"] = pd.concat([one.change for one in found.mended.values()], ignore_index=True)
    return tables


def _predictions(found: Measured, test: Dataset) -> pd.DataFrame:
    models = [*found.models, *[one.model for one in found.mended.values()]]
    predicted = {model.name: model.predict(test, "probability") for model in models}
    return pd.DataFrame({"row": test.index, "outcome": test.outcomes} | predicted)
