"""The words of the section, made from what was measured."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from dlx.audit.miscalibration import Calibration
from dlx.dataset import Dataset
from dlx.model import LinearModel, Model, NeuralModel, TreeModel
from dlx.reporting.phrases import (
    article,
    counted,
    interval,
    listed,
    method_label,
    percent,
    thousandths,
    three_decimals,
    threshold_percent,
    two_decimals,
)
from dlx.reporting.sections.performance.measured import Measured, Mended
from dlx.rounding import side_true
from dlx.schema import plural
from dlx.stats import LEVEL, Interval

ROUNDED = 12  # decimals; below them a difference is that of sums in another order
MEASURES = {
    "auc": "ROC AUC",
    "average_precision": "average precision",
    "brier": "Brier score",
    "log_loss": "log loss",
    "cost": "cost",
}

gain, odds = thousandths, two_decimals  # of a difference; of an intercept or slope, which may be infinite


def between(line: Any) -> Interval:
    """Return the estimate of a line of a table between the ends of its interval."""
    return Interval(float(line["estimate"]), float(line["low"]), float(line["high"]))


def shown(found: Interval, perfect: float) -> str:
    """Return an intercept or slope with its interval, whose ends are on their side of what is perfect."""
    return interval(*found, two_decimals, perfect)


def chance(found: Calibration) -> str:
    """Return the p-value of a calibration's test: "p = .012", "p < .001"."""
    shown = side_true(found.p_value, 1 - LEVEL, 3, strict=True).removeprefix("0")
    return "p < .001" if found.p_value < 0.001 else f"p = {shown}"


def opening(test: Dataset) -> str:
    """Return by which rows the models are judged."""
    assert test.outcomes is not None
    return (
        f"Judged on {plural(len(test), 'test row')}, {int(test.outcomes.sum()):,} of them with {test.schema.target.event}; dlx "
        f"trains no model on them. Intervals are {percent(LEVEL)} intervals over these rows: DeLong's of the ROC AUC, by the "
        "profile likelihood of intercept and slope, a bootstrap of the other measures."
    )


def verdict(found: Measured, model: str, interpretable: str) -> str:
    """Return by which scores a model is better or worse than an interpretable one: a sentence's end, "is better by ROC AUC"."""
    pair = found.advantages[(found.advantages["model"] == model) & (found.advantages["interpretable"] == interpretable)]
    apart = pair[pair["significant"]]
    parts = [
        f"is {word} by {listed([MEASURES[name] for name in some['metric']])}"
        for word, some in (("better", apart[apart["advantage"] > 0]), ("worse", apart[apart["advantage"] < 0]))
        if len(some)
    ]
    if not parts:
        return f"is not told apart by any of {counted(len(pair))} measures"
    rest = [MEASURES[name] for name in pair[~pair["significant"]]["metric"]]
    return listed(parts) + (f"; not told apart by {listed(rest)}" if rest else "")


def pairs(found: Measured) -> list[str]:
    """Return a sentence for each model that cannot be read and each that can."""
    return [
        f"{model.name}, compared with {simple.name}, {verdict(found, model.name, simple.name)}."
        for model in found.black_boxes
        for simple in found.interpretable
    ]


def bought(found: Measured) -> tuple[str, ...]:
    """Return what the accuracy of models that cannot be read buys over the best that can, by log loss; nothing without one."""
    if not len(found.advantages):
        return ()
    losses = found.performance[found.performance["metric"] == "log_loss"].set_index("model")["estimate"]
    best = min((model.name for model in found.interpretable), key=lambda name: losses[name])
    against = found.advantages[(found.advantages["interpretable"] == best) & (found.advantages["metric"] == "auc")]
    parts = [
        f"{line.model} {verdict(found, line.model, best)} (difference of ROC AUC "
        f"{interval(line.advantage, line.low, line.high, thousandths)})"
        for line in against.itertuples()
    ]
    superlative = "the best by log loss of the models" if len(found.interpretable) > 1 else "the model"
    return (f"Compared with {best}, {superlative} that can be read: {'. '.join(parts)}.",)


def calibrated(found: Measured) -> str:
    """Return which models are calibrated, and which were recalibrated."""
    if not found.validated:
        return f"Calibration slopes on test rows, of which 1 is perfect: {_slopes(found, found.calibrations)}."
    left = [name for name in found.validated if name not in found.mended and name not in found.unmendable]
    parts = []
    if left:
        parts.append(
            f"On validation rows, calibration is not told apart from perfect for {listed(left)}; slopes on test rows, of "
            f"which 1 is perfect: {_slopes(found, left)}"
        )
    parts += [f"{name} needs recalibration: {_cure(found, name)}" for name in found.mended]
    parts += [f"{name} needs recalibration and could not be recalibrated" for name in found.unmendable]
    return ". ".join(parts) + "."


def _slopes(found: Measured, names: Iterable[str]) -> str:
    return ", ".join(f"{name} {shown(found.calibrations[name].slope, 1)}" for name in names)


def _cure(found: Measured, name: str) -> str:
    """Return what the validation rows said against a model's calibration, and what became of that on the test rows."""
    before, judged, after = found.validated[name], found.calibrations[name], found.mended[name].calibration
    return (
        f"intercept {shown(before.intercept, 0)} and slope {shown(before.slope, 1)} on validation rows, {chance(before)} "
        f"together; it changes the intercept from {two_decimals(judged.intercept.estimate)} to {shown(after.intercept, 0)} and "
        f"the slope from {two_decimals(judged.slope.estimate)} to {shown(after.slope, 1)} on test rows"
    )


def calibration_words(found: Measured, validation: Dataset) -> list[str]:
    """Return how calibration is judged, and where test rows contradict validation rows."""
    words = [
        "The intercept is what would have to be added to all log-odds (0 is perfect; above 0, the model predicts too "
        "little). The slope is what they would have to be multiplied by (1 is perfect; below 1, predictions are too "
        "extreme). A model is recalibrated if the validation rows reject both together, intercept 0 and slope 1, at "
        f"{percent(1 - LEVEL)} (likelihood-ratio test; one calibrated model in {round(1 / (1 - LEVEL))} is rejected); the test "
        "rows only judge. Nets stop training by the validation rows, which may flatter them."
    ]
    if not found.validated:
        return [
            *words,
            f"All {len(validation)} validation rows have the same outcome: whether to recalibrate cannot be judged by them.",
        ]
    surprised = [
        name
        for name, one in found.calibrations.items()
        if one.needs_recalibration and not found.validated[name].needs_recalibration
    ]
    if surprised:
        words.append(f"On the test rows {listed(surprised)} would need it, which the validation rows did not show.")
    words += [f"{name} could not be recalibrated: {reason}." for name, reason in found.unmendable.items()]
    return words


def mended_words(found: Measured) -> list[str]:
    """Return how each model was recalibrated, and what that means for its explanations."""
    how = [f"{name}: {_how(one)}" for name, one in found.mended.items()]
    return [*how, "The other sections ask the models as they are: those that decide. dlx fix --recalibrate makes them anew."]


def _how(one: Mended) -> str:
    kinds = {
        "platt": "by Platt's stretch and shift of the log-odds",
        "isotonic": "by isotonic regression, a rising step function",
    }
    model, method = one.model, one.change["method"].iloc[0]
    if model.scales[0] == "logit" and one.kind == "platt" and isinstance(model, (NeuralModel, LinearModel, TreeModel)):
        means = "every contribution to the log-odds is the old one times the slope, so that their order stays"
    elif isinstance(model, TreeModel):
        means = "it stays a single tree, with other probabilities in its leaves"
    else:
        means = f"nothing but predictions can be asked of it now, so that both are explained by {method_label(method)}"
    return f"{kinds[one.kind]}, chosen in folds of the validation rows; {means}."


def worth(found: Measured, test: Dataset) -> str:
    """Return what acting on each model costs at the threshold, beside acting without one."""
    target = test.schema.target
    ratio = float(found.costs["cost_ratio"].iloc[0])
    parts = [_worth(found, model, test) for model in found.black_boxes or found.models]
    return (
        f"At the threshold of {threshold_percent(target)}, where a miss costs as much as {_alarms(ratio)}: {'; '.join(parts)}."
    )


def _worth(found: Measured, model: Model, test: Dataset) -> str:
    costs = found.costs[found.costs["model"] == model.name].set_index("acted_on")
    without = min(("everybody", "nobody"), key=lambda rule: costs.loc[rule, "cost"])
    at = found.curves[(found.curves["model"] == model.name) & (found.curves["threshold"] == test.schema.target.threshold)].iloc[
        0
    ]
    counts = found.confusion[found.confusion["model"] == model.name].set_index("quantity")
    ratio, missed = float(at["cost_ratio"]), counts.loc["false_negative", "count"]
    gain, low, high = (round(ratio * at[f"advantage{end}"], ROUNDED) for end in ("", "_low", "_high"))
    saved, less = (Interval(-gain, -high, -low), "more") if gain < 0 else (Interval(gain, low, high), "less")
    dearer = "dearer" if less == "more" else "cheaper"
    apart = f"told apart: the model is {dearer}" if saved.excludes(0) else "not told apart"
    return (
        f"{model.name} costs {_cost(costs.loc['flagged'])} false alarms a person, {interval(*saved, three_decimals, 0)} {less} "
        f"than the {three_decimals(costs.loc[without, 'cost'])} if {without} is {test.schema.target.flagged} ({apart}), and "
        f"misses {missed:,} of {missed + counts.loc['true_positive', 'count']:,}"
    )


def _cost(line: Any) -> str:
    return interval(line["cost"], line["cost_low"], line["cost_high"], three_decimals)


def _alarms(ratio: float) -> str:
    number = f"{ratio:,.0f}" if ratio >= 100 else f"{ratio:.3g}"
    return "a false alarm" if round(ratio, 2) == 1 else f"{number} false alarms"


def threshold_words(found: Measured, test: Dataset) -> list[str]:
    """Return what a miss and a false alarm are, and what the threshold says of their costs."""
    target, ratio = test.schema.target, float(found.costs["cost_ratio"].iloc[0])
    return [
        f"A miss is {article(target.person)} with {target.event} who is {target.cleared}; a false alarm is one without it "
        f"who is {target.flagged}. To act from {threshold_percent(target)} on is right if a miss costs as much as "
        f"{_alarms(ratio)}: (1 − t) / t. Costs are in false alarms a person."
    ]


def evidence(found: Measured, test: Dataset) -> dict[str, str]:
    """Return the evidence for the checklist, a sentence with numbers an item."""
    models = [model.name for model in found.black_boxes or found.models]
    covers = {
        "discrimination": f"On {len(test):,} test rows: {'; '.join(_ranks(found, models))}.",
        "calibration": "On test rows: "
        + "; ".join(
            f"{name} intercept {shown(found.calibrations[name].intercept, 0)}, slope {shown(found.calibrations[name].slope, 1)}"
            for name in models
        )
        + ".",
        "decision": worth(found, test),
    }
    compared = bought(found)
    return (
        covers
        | ({"interpretable": compared[0]} if compared else {})
        | ({"recalibration": calibrated(found)} if found.validated else {})
    )


def _ranks(found: Measured, models: Sequence[str]) -> list[str]:
    words = []
    for name in models:
        scores = found.performance[found.performance["model"] == name].set_index("metric")
        both = [
            f"{MEASURES[metric]} {interval(*between(scores.loc[metric]), three_decimals)}"
            for metric in ("auc", "average_precision")
        ]
        words.append(f"{name} {', '.join(both)}")
    return words
