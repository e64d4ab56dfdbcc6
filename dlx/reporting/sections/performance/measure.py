"""What the section measures: scores, calibration, recalibration and the worth of decisions, on the test rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from dlx import explainers
from dlx.audit.decisions import confusion, decision_curve, expected_cost
from dlx.audit.metrics import metrics_of
from dlx.audit.miscalibration import Calibration, calibration
from dlx.audit.recalibration import better_kind, recalibrated
from dlx.audit.scores import judged, performance
from dlx.audit.values import by_prediction, error_sizes, value_calibration
from dlx.comparison.metrics import metrics_by_row
from dlx.context import RunContext
from dlx.dataset import Dataset
from dlx.errors import DlxError
from dlx.explanation import Explanation
from dlx.model import Model
from dlx.remedies import recipe_of
from dlx.reporting.sections import Measured, joined
from dlx.stats import LEVEL, Interval, ends_of, interval_of_mean, resampled_means, spread

TITLE, PLACE, TASKS, PART = "Performance", 10, ("binary", "regression"), "models"
COVERS = {name: name for name in ("calibration", "worth", "black_box")} | {"discrimination": "performance"}
DEMOGRAPHY = ("age", "sex", "gender")  # what anybody knows of a person before a model is asked
ROUNDED = 12  # decimals; below them a difference is that of sums in another order


@dataclass(frozen=True, eq=False)
class About:
    """The models behind the numbers."""

    use: str  # the model to use
    why: str  # "better", "interpretable" or "alone", as of `RunContext.to_use`
    known: tuple[str, ...]  # labels of age and sex, else of all protected columns: alone they reach `baseline_auc`, or `_r2`
    ours: tuple[str, ...] = ()  # the models that dlx trained, and can train again
    calibrations: dict[str, Calibration] = field(default_factory=dict)  # of probabilities on the test rows, by model
    recalibrated: dict[str, Calibration] = field(default_factory=dict)  # on the test rows, by the model that was recalibrated
    refused: dict[str, str] = field(default_factory=dict)  # why models that should have been recalibrated could not be


def measure(context: RunContext) -> Measured:
    """Return how good the models are on the test rows, whether predictions come true, and what acting on them is worth."""
    test, target = context.case.test, context.case.schema.target
    assert test.outcomes is not None
    facts: dict[str, float] = {"certain": LEVEL, "test_rows": len(test)}
    if not target.is_value:
        facts |= {"test_events": test.outcomes.sum(), "validation_rows": len(context.case.validation)}
    if len(np.unique(test.outcomes)) < 2:
        return Measured({}, facts)
    predicted = {model.name: model.predict(test, target.scale) for model in context.models}
    predictions = pd.DataFrame({"row": test.index, "outcome": test.outcomes} | predicted)
    tables = {"performance": context.performance, "test_predictions": predictions, "seen_rows": context.seen_rows}
    use, why = context.to_use
    if context.interpretable and context.black_boxes:
        measures = ("rmse", "mae") if target.is_value else ("log_loss", "auc")
        tables |= {"advantages": context.advantages, "black_box": _gain_of_a_black_box(context.advantages, use.name, *measures)}
    known, added = added_to_what_is_known(context, use)
    about = About(use.name, why, known)
    if target.is_value:
        mean = float(np.average(test.outcomes, weights=test.weights))
        facts |= {"mean": mean, "spread": spread(test.outcomes, test.weights)}
        return Measured(tables | _of_values(context), facts | added, about)
    more, about = _of_decisions(context, about)
    facts |= {"cost_ratio": more["expected_cost"]["cost_ratio"].iloc[0], "threshold": target.threshold}
    return Measured(tables | more, facts | added, about)


def _of_values(context: RunContext) -> dict[str, pd.DataFrame]:
    """Return how large errors are, and whether predicted values come true."""
    test, seed, tables = context.case.test, context.seed, {"performance": context.performance}
    with context.narrator.step("Calibration"):
        tables["error_sizes"] = joined(error_sizes(model, test, seed=seed) for model in context.models)
        tables["calibration"] = joined(value_calibration(model, test, seed=seed) for model in context.models)
        tables["by_prediction"] = joined(by_prediction(model, test, seed=seed) for model in context.models)
    return tables | {"value_summary": _summary_of_values(context, tables)}


def _of_decisions(context: RunContext, about: About) -> tuple[dict[str, pd.DataFrame], About]:
    """Return what decisions are worth, whether probabilities come true, and what recalibration changes."""
    test, validation, seed, models = context.case.test, context.case.validation, context.seed, context.models
    tables = {"performance": context.performance}
    with context.narrator.step("Judging decisions", "models") as update:
        tables["expected_cost"] = joined(expected_cost(model, test, seed=seed) for model in models)
        tables["confusion"] = joined(confusion(model, test) for model in models)
        tables["decision_curves"] = joined(decision_curve(model, test, seed=seed) for model in models)
        update(len(models), len(models))
    assert validation.outcomes is not None
    parts = (test, validation) if len(np.unique(validation.outcomes)) > 1 else (test,)
    tasks = [partial(calibration, model, some, seed=seed) for some in parts for model in models]
    calibrated = context.side_by_side(tasks, "Calibration", "models")
    tested, validated = ({one.model: one for one in some} for some in (calibrated[: len(models)], calibrated[len(models) :]))
    tables["worth"] = _worth(context, tables, tested)
    needing = {name for name, one in validated.items() if one.needs_recalibration}
    after, more, refused = _recalibrated(context, needing)
    curves = (one.curve.assign(model=one.model) for one in (*tested.values(), *after.values()))
    tables |= {"calibration_curves": joined(curves), **more}
    tables["calibration"] = _calibrations({"validation": validated, "test": tested, "after": after}, needing)
    tables["_summary"] = _summary(tables)
    again = [model for model in models if recipe_of(model, context.case) is not None and context.case.several is None]
    ours = tuple(model.name for model in again)
    return tables, replace(about, ours=ours, calibrations=tested, recalibrated=after, refused=refused)


def _gain_of_a_black_box(advantages: pd.DataFrame, use: str, loss: str, also: str) -> pd.DataFrame:
    """Return how much better the best black box is than the best interpretable model: of each the one of the smallest loss.

    A black box that is the model to use stands for all.
    """
    losses = advantages[advantages["metric"] == loss]
    best = losses.loc[losses["of_interpretable"].idxmin(), "interpretable"]
    pairs = advantages[advantages["interpretable"] == best].set_index(["metric", "model"])
    rival = use if use in set(losses["model"]) else str(pairs.loc[loss, "advantage"].idxmax())
    line: dict[str, Any] = {"model": rival, "interpretable": best}
    for metric in (loss, also):
        line[metric], line[f"{metric}_low"], line[f"{metric}_high"] = pairs.loc[(metric, rival), ["advantage", "low", "high"]]
    return pd.DataFrame([line])


def added_to_what_is_known(context: RunContext, use: Model) -> tuple[tuple[str, ...], dict[str, float]]:
    """Return labels of age and sex, else of all protected columns, how well these predict alone, and what the model adds.

    In ROC AUC over a logistic regression, of a value in R2 over a line.
    """
    from sklearn.linear_model import LinearRegression, LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    case, target = context.case, context.case.schema.target
    protected = [i for i, feature in enumerate(case.schema.features) if feature.protected]
    known = [i for i in protected if case.schema.names[i] in DEMOGRAPHY] or protected
    if not known:
        return (), {}
    train, test = (_dense(rows, known, case.train) for rows in (case.train, case.test))
    outcomes, weights = case.test.outcomes, case.test.weights
    assert outcomes is not None
    if target.is_value:
        alone = LinearRegression().fit(train, case.train.outcomes, sample_weight=case.train.weights).predict(test)
    else:
        fitted = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1_000))
        fitted.fit(train, case.train.outcomes, logisticregression__sample_weight=case.train.weights)
        alone = fitted.predict_proba(test)[:, 1]
    name, metric = next(iter(metrics_of(target).items()))
    gain = metric.gain(outcomes, use.predict(case.test, target.scale), alone, weights=weights, seed=context.seed)
    facts = {f"baseline_{name}": metric(outcomes, alone, weights), "added": gain.estimate}
    return tuple(case.schema.labels[i] for i in known), facts | {"added_low": gain.low, "added_high": gain.high}


def _dense(rows: Dataset, columns: Sequence[int], train: Dataset) -> np.ndarray:
    """Return columns as a linear model takes them: a column a level, a gap at the median of the training rows."""
    parts = []
    for i in columns:
        feature = rows.schema.features[i]
        values, seen = feature.numbers(rows.rows[:, i]), feature.numbers(train.rows[:, i])
        if feature.levels:
            parts += [(values == code).astype(float) for code in range(len(feature.levels))]
        else:
            parts.append(np.where(np.isnan(values), np.nanmedian(seen), values))
            parts += [(rows.rows[:, i] == code).astype(float) for code in feature.special_codes]
    return np.column_stack(parts)


def _worth(context: RunContext, tables: dict[str, pd.DataFrame], calibrations: dict[str, Calibration]) -> pd.DataFrame:
    """Return what each model saves at the threshold, in false alarms a person, over the better of everybody and nobody."""
    costs, threshold = tables["expected_cost"], context.case.schema.target.threshold
    found = []
    for model in context.models:
        of_model = costs[costs["model"] == model.name].set_index("acted_on")
        found_by = tables["confusion"].query("model == @model.name").set_index("quantity")
        counts, shares = found_by["count"], found_by["estimate"]
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
        line |= {"flagged_share": shares["flagged"]}
        line |= {"stretch": float(_stretch(np.array(calibrations[model.name].slope.estimate)))}
        true = shares["ppv"] if counts["flagged"] else 0.0
        line |= {"false_share": 1 - true if counts["flagged"] else 0.0, "true_share": true}
        found.append(line)
    return pd.DataFrame(found)


def _stretch(slopes: np.ndarray) -> np.ndarray:
    """Return by which factor, from 1 on, predictions must be stretched or shrunk; infinite where their order is wrong."""
    with np.errstate(divide="ignore"):
        return np.where(slopes > 0, np.maximum(slopes, 1 / np.abs(slopes)), np.where(np.isnan(slopes), np.nan, np.inf))


def _summary(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Return what the page shows of each model in a line."""
    found = tables["worth"].rename(columns={"low": "saved_low", "high": "saved_high"})
    slopes = tables["calibration"].query("part == 'test' and quantity == 'slope'")
    for name, table in [(m, tables["performance"].query("metric == @m")) for m in ("auc", "log_loss")] + [("slope", slopes)]:
        numbers = table.set_index("model")[["estimate", "low", "high"]].add_prefix(f"{name}_")
        found = found.join(numbers, on="model")
    return found


def _summary_of_values(context: RunContext, tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Return a line a model: each number with its interval, against guessing, and by how much predictions must be stretched."""
    found = pd.DataFrame({"model": [model.name for model in context.models]})
    for table, key in (("performance", "metric"), ("error_sizes", "quantity"), ("calibration", "quantity")):
        for name, lines in tables[table].groupby(key, sort=False):
            numbers = lines.set_index("model")[["estimate", "low", "high"]]
            found = found.join(numbers.set_axis([name, f"{name}_low", f"{name}_high"], axis=1), on="model")
    guessed = tables["performance"].query("metric == 'mae'").set_index("model")["reference"]
    found["guessed"] = found["model"].map(guessed)
    stretch = _stretch(found["slope"].to_numpy())
    bent = np.select(
        [found["slope_high"] < 1, found["slope_low"] > 1, found["slope"].isna()], ["extreme", "timid", "alike"], ""
    )
    off = np.select([found["bias_low"] > 0, found["bias_high"] < 0], ["high", "low"], "")
    return found.assign(less=1 - found["mae"] / found["guessed"], stretch=stretch, bent=bent, off=off, size=found["bias"].abs())


def _recalibrated(
    context: RunContext, needing: set[str]
) -> tuple[dict[str, Calibration], dict[str, pd.DataFrame], dict[str, str]]:
    """Return models recalibrated on the validation rows, judged on the test rows, and why others could not be."""
    asked = [model for model in context.models if model.name in needing]
    made = context.side_by_side([partial(_mended, context, model) for model in asked], "Recalibration", "models")
    found = {model.name: one for model, one in zip(asked, made, strict=True)}
    refused = {name: one for name, one in found.items() if isinstance(one, str)}
    kept = {name: one for name, one in found.items() if not isinstance(one, str)}
    after = {name: calibrated for name, (calibrated, _, _) in kept.items()}
    scores, changes = (joined(one[place] for one in kept.values()) for place in (1, 2))
    return after, {"performance_recalibrated": scores, "explanations_recalibrated": changes}, refused


def _mended(context: RunContext, model: Model) -> tuple[Calibration, pd.DataFrame, pd.DataFrame] | str:
    """Return a model's calibration, scores and changed contributions after recalibration; or why it could not be."""
    test, validation, seed = context.case.test, context.case.validation, context.seed
    try:
        kind = better_kind(*judged(model, validation, "the recalibration"), validation.weights, seed=seed)
        mended = recalibrated(model, validation, kind=kind)
        scale, method = mended.scales[0], explainers.preferred(mended, mended.scales[0])  # of the model before, too
        before, now = (context.explain(one, context.panel, method, scale=scale) for one in (model, mended))
        change = explained_change(before, now, top=context.top, seed=seed).assign(kind=kind, model=model.name)
        return calibration(mended, test, seed=seed), performance(mended, test, seed=seed), change
    except DlxError as error:
        return str(error)


def explained_change(before: Explanation, after: Explanation, *, top: int, seed: int = 0) -> pd.DataFrame:
    """Return how far contributions of the same people change with their model: a line a quantity, means over people."""
    agreed, sizes = metrics_by_row(before.values, after.values, top), np.abs([before.values, after.values])
    resampled = resampled_means(sizes.sum(axis=2).T, seed=seed)
    ratios = np.divide(resampled[:, 1], resampled[:, 0], out=np.full(len(resampled), np.nan), where=resampled[:, 0] > 0)
    numbers = {
        "size_before": interval_of_mean(sizes[0].mean(axis=1), seed=seed),
        "size_after": interval_of_mean(sizes[1].mean(axis=1), seed=seed),
        "size_ratio": Interval(ratios[0], *ends_of(ratios[1:], people=len(after))),
        "rank_correlation": interval_of_mean(agreed["rank_correlation"], within=(-1, 1), seed=seed),
        "top_kept": interval_of_mean(agreed["feature_agreement"], within=(0, 1), seed=seed),
    }
    said = {"model": after.model, "method": after.method, "scale": after.scale, "people": len(after)}
    return pd.DataFrame(said | {"quantity": name} | interval._asdict() for name, interval in numbers.items())


def _calibrations(parts: dict[str, dict[str, Calibration]], needing: set[str]) -> pd.DataFrame:
    """Return calibrations as lines, and whether a model is to be recalibrated."""
    tables = []
    for part, found in parts.items():
        for name, one in found.items():
            asked = {"needs_recalibration": one.needs_recalibration, "to_recalibrate": part != "after" and name in needing}
            tables.append(one.to_frame().assign(model=name, part=part, **asked))
    return joined(tables)
