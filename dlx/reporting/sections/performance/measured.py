"""What the section measures, before anything is worded or drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from dlx import explainers
from dlx.audit.decisions import confusion, decision_curve, expected_cost
from dlx.audit.miscalibration import Calibration, calibration
from dlx.audit.recalibration import better_kind, explained_change, recalibrated
from dlx.audit.scores import advantages, judged, performance
from dlx.context import RunContext, is_black_box
from dlx.dataset import Dataset
from dlx.errors import DlxError
from dlx.explanation import Explanation
from dlx.model import Model


@dataclass(frozen=True, eq=False)
class Mended:
    """A model that was recalibrated on the validation rows, because they said so.

    Parameters
    ----------
    model : Model
        The calibrated model.
    kind : str
        "platt" or "isotonic".
    calibration : Calibration
        Its calibration on the test rows.
    performance : DataFrame
        Its performance on the test rows.
    change : DataFrame
        `explained_change` of the panel's explanations.
    """

    model: Model
    kind: str
    calibration: Calibration
    performance: pd.DataFrame
    change: pd.DataFrame


@dataclass(frozen=True, eq=False)
class Measured:
    """How good some models are on the test rows.

    Parameters
    ----------
    models, black_boxes, interpretable : sequence of Model
        All of them, those that cannot be read without a method, and the others.
    performance, costs, confusion, advantages, curves : DataFrame
        As in `dlx.audit`, of all models; `advantages` is empty where there is nothing to compare.
    calibrations, validated : dict of str to Calibration
        On the test rows, which judge, and on the validation rows, which decide, if these have both outcomes; by model.
    mended : dict of str to Mended
        The models that were recalibrated.
    unmendable : dict of str to str
        Why one that should have been could not be.
    """

    models: Sequence[Model]
    black_boxes: Sequence[Model]
    interpretable: Sequence[Model]
    performance: pd.DataFrame
    costs: pd.DataFrame
    confusion: pd.DataFrame
    advantages: pd.DataFrame
    curves: pd.DataFrame
    calibrations: dict[str, Calibration]
    validated: dict[str, Calibration]
    mended: dict[str, Mended]
    unmendable: dict[str, str]


def measure(setting: RunContext, models: Sequence[Model]) -> Measured:
    """Return what there is to know of the models on the test rows."""
    test, seed = setting.case.test, setting.seed
    black_boxes = [model for model in models if is_black_box(model)]
    interpretable = [model for model in models if not is_black_box(model)]
    with setting.narrator.step("Judging models", "models") as update:
        judgements = []
        for model in models:
            judgements.append(_judge(model, test, seed))
            update(len(judgements), len(models))
        compared = advantages(black_boxes, interpretable, test, seed=seed) if black_boxes and interpretable else pd.DataFrame()
    with setting.narrator.step("Calibration"):
        validated = _validated(setting, models)
        needy = [model for model in models if model.name in validated and validated[model.name].needs_recalibration]
        mended, unmendable = _mend_all(setting, needy)
    performances, costs, counts, curves = (pd.concat(tables, ignore_index=True) for tables in zip(*judgements, strict=True))
    return Measured(
        models=models,
        black_boxes=black_boxes,
        interpretable=interpretable,
        performance=performances,
        costs=costs,
        confusion=counts,
        advantages=compared,
        curves=curves,
        calibrations={model.name: calibration(model, test, seed=seed) for model in models},
        validated=validated,
        mended=mended,
        unmendable=unmendable,
    )


def _judge(model: Model, test: Dataset, seed: int) -> tuple[pd.DataFrame, ...]:
    return (
        performance(model, test, seed=seed),
        expected_cost(model, test, seed=seed),
        confusion(model, test),
        decision_curve(model, test, seed=seed),
    )


def _validated(setting: RunContext, models: Sequence[Model]) -> dict[str, Calibration]:
    """Return the calibration of each model on the validation rows; nothing where these have one outcome only."""
    validation = setting.case.validation
    assert validation.outcomes is not None
    if len(np.unique(validation.outcomes)) < 2:
        return {}
    return {model.name: calibration(model, validation, seed=setting.seed) for model in models}


def _mend_all(setting: RunContext, models: Sequence[Model]) -> tuple[dict[str, Mended], dict[str, str]]:
    """Return the recalibrated models, and why others could not be."""
    mended, unmendable = {}, {}
    for model in models:
        try:
            mended[model.name] = _mend(setting, model)
        except DlxError as error:
            unmendable[model.name] = str(error)
    return mended, unmendable


def _mend(setting: RunContext, model: Model) -> Mended:
    kind = better_kind(*judged(model, setting.case.validation, "the recalibration"), seed=setting.seed)
    after = recalibrated(model, setting.case.validation, kind=kind)
    before, now = (_explained(setting, some, after) for some in (model, after))
    return Mended(
        model=after,
        kind=kind,
        calibration=calibration(after, setting.case.test, seed=setting.seed),
        performance=performance(after, setting.case.test, seed=setting.seed),
        change=explained_change(before, now, top=setting.top, seed=setting.seed),
    )


def _explained(setting: RunContext, model: Model, like: Model) -> Explanation:
    """Return the panel's explanations by the exact method of the calibrated model's kind, on its own scale."""
    scale = like.scales[0]
    return setting.explain(model, setting.panel, explainers.preferred(like, scale), scale=scale)
