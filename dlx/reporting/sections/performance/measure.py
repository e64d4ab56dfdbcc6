"""What the section measures: scores, calibration, recalibration and the worth of decisions, on the test rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from dlx import explainers
from dlx.audit.decisions import confusion, decision_curve, expected_cost
from dlx.audit.miscalibration import Calibration, calibration
from dlx.audit.recalibration import better_kind, explained_change, recalibrated
from dlx.audit.scores import advantages, judged, performance
from dlx.context import RunContext
from dlx.errors import DlxError
from dlx.explanation import Explanation
from dlx.model import Model
from dlx.reporting.sections import Measured
from dlx.stats import LEVEL

TITLE, PLACE, TASKS = "Performance", 10, ("binary",)
ROUNDED = 12  # decimals; below them a difference is that of sums in another order


@dataclass(frozen=True, eq=False)
class About:
    """The models behind the numbers.

    Parameters
    ----------
    calibrations : dict of str to Calibration
        On the test rows, by model.
    recalibrated : dict of str to Calibration
        On the test rows, of the models that were recalibrated, by the name of the model that was.
    best : str
        The interpretable model with the smallest log loss; "" where there is none.
    refused : dict of str to str
        Why models that should have been recalibrated could not be.
    """

    calibrations: dict[str, Calibration]
    recalibrated: dict[str, Calibration]
    best: str
    refused: dict[str, str]


def measure(context: RunContext) -> Measured:
    """Return how good the models are on the test rows, and what acting on them is worth."""
    test, validation, seed = context.case.test, context.case.validation, context.seed
    assert test.outcomes is not None and validation.outcomes is not None
    facts = {
        "certain": LEVEL,
        "test_rows": len(test),
        "test_events": float(test.outcomes.sum()),
        "validation_rows": len(validation),
    }
    if len(np.unique(test.outcomes)) < 2:
        return Measured({}, facts)
    scores, readable = context.performance, context.interpretable
    tables = {"performance": scores, "test_predictions": _predictions(context)}
    with context.narrator.step("Judging decisions", "models") as update:
        tables["expected_cost"] = _of_all(context, lambda model: expected_cost(model, test, seed=seed))
        tables["confusion"] = _of_all(context, lambda model: confusion(model, test))
        tables["decision_curves"] = _of_all(context, lambda model: decision_curve(model, test, seed=seed))
        update(len(context.models), len(context.models))
    tables["worth"] = _worth(context, tables)
    if readable and context.black_boxes:
        found = advantages(context.black_boxes, readable, test, seed=seed)
        tables["advantages"] = found.assign(pair=found["model"] + " " + found["interpretable"])
    with context.narrator.step("Calibration"):
        known = len(np.unique(validation.outcomes)) > 1
        validated = {m.name: calibration(m, validation, seed=seed) for m in context.models} if known else {}
        tested = {model.name: calibration(model, test, seed=seed) for model in context.models}
        mended, refused = _recalibrated(context, validated)
    tables |= _calibration_tables(validated, tested, mended)
    losses = scores[scores["metric"] == "log_loss"].set_index("model")["estimate"]
    best = min((model.name for model in readable), key=lambda name: losses[name], default="")
    facts |= {"cost_ratio": float(tables["expected_cost"]["cost_ratio"].iloc[0]), "threshold": test.schema.target.threshold}
    return Measured(tables, facts, About(tested, {name: one[1] for name, one in mended.items()}, best, refused))


def _of_all(context: RunContext, make: Callable[[Model], pd.DataFrame]) -> pd.DataFrame:
    return pd.concat([make(model) for model in context.models], ignore_index=True)


def _predictions(context: RunContext) -> pd.DataFrame:
    test = context.case.test
    predicted = {model.name: model.predict(test, "probability") for model in context.models}
    return pd.DataFrame({"row": test.index, "outcome": test.outcomes} | predicted)


def _worth(context: RunContext, tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Return what each model saves at the threshold, in false alarms a person, over the better of everybody and nobody."""
    costs, threshold = tables["expected_cost"], context.case.schema.target.threshold
    found = []
    for model in context.models:
        of_model = costs[costs["model"] == model.name].set_index("acted_on")
        counts = tables["confusion"].query("model == @model.name").set_index("quantity")["count"]
        curve = tables["decision_curves"]
        at = curve[(curve["model"] == model.name) & (curve["threshold"] == threshold)].iloc[0]
        without = min(("everybody", "nobody"), key=lambda rule: of_model.loc[rule, "cost"])
        saved, low, high = (round(at["cost_ratio"] * at[f"advantage{end}"], ROUNDED) for end in ("", "_low", "_high"))
        line = {"model": model.name, "cost": of_model.loc["flagged", "cost"], "cost_low": of_model.loc["flagged", "cost_low"]}
        line |= {"cost_high": of_model.loc["flagged", "cost_high"], "without": without}
        line |= {"cost_without": of_model.loc[without, "cost"], "saved": saved, "low": low, "high": high}
        line |= {"is_clear": not low <= 0 <= high, "missed": counts["false_negative"]}
        line |= {"events": counts["false_negative"] + counts["true_positive"], "flagged": counts["flagged"]}
        line |= {"false_alarms": counts["false_positive"], "people": len(context.case.test)}
        flagged = max(counts["flagged"], 1)
        line |= {"flagged_share": counts["flagged"] / len(context.case.test)}
        line |= {"false_share": counts["false_positive"] / flagged, "true_share": counts["true_positive"] / flagged}
        found.append(line)
    return pd.DataFrame(found)


Recalibrated = tuple[str, Calibration, pd.DataFrame, pd.DataFrame]


def _recalibrated(context: RunContext, validated: dict[str, Calibration]) -> tuple[dict[str, Recalibrated], dict[str, str]]:
    """Return the models that validation rows ask to recalibrate, made and judged; and why others could not be."""
    made, refused = {}, {}
    for model in context.models:
        if model.name in validated and validated[model.name].needs_recalibration:
            try:
                made[model.name] = _recalibrate(context, model)
            except DlxError as error:
                refused[model.name] = str(error)
    return made, refused


def _recalibrate(context: RunContext, model: Model) -> Recalibrated:
    test, validation, seed = context.case.test, context.case.validation, context.seed
    kind = better_kind(*judged(model, validation, "the recalibration"), seed=seed)
    after = recalibrated(model, validation, kind=kind)
    before, now = (_explained(context, some, after) for some in (model, after))
    change = explained_change(before, now, top=context.top, seed=seed).assign(kind=kind)
    return kind, calibration(after, test, seed=seed), performance(after, test, seed=seed), change


def _explained(context: RunContext, model: Model, like: Model) -> Explanation:
    """Return the panel's explanations by the exact method of the calibrated model's kind, on its own scale."""
    scale = like.scales[0]
    return context.explain(model, context.panel, explainers.preferred(like, scale), scale=scale)


def _calibration_tables(
    validated: dict[str, Calibration], tested: dict[str, Calibration], mended: dict[str, Recalibrated]
) -> dict[str, pd.DataFrame]:
    after = {name: one[1] for name, one in mended.items()}
    judged = [*_frames(validated, "validation", validated), *_frames(tested, "test", validated), *_frames(after, "after", {})]
    found = _joined(judged)
    tables = {
        "calibration": found,
        "_calibration": found.assign(pair=found["model"] + " " + found["part"]),
        "calibration_curves": _joined([one.curve.assign(model=one.model) for one in (*tested.values(), *after.values())]),
    }
    if mended:
        tables["performance_recalibrated"] = _joined([scores for _, _, scores, _ in mended.values()])
        tables["explanations_recalibrated"] = _joined([change.assign(model=name) for name, (*_, change) in mended.items()])
    return tables


def _frames(found: dict[str, Calibration], part: str, validated: dict[str, Calibration]) -> list[pd.DataFrame]:
    """Return calibrations as lines, and whether a model is to be recalibrated."""
    return [
        one.to_frame().assign(
            model=name,
            part=part,
            needs_recalibration=one.needs_recalibration,
            to_recalibrate=name in validated and validated[name].needs_recalibration,
        )
        for name, one in found.items()
    ]


def _joined(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    return pd.concat(tables, ignore_index=True)
