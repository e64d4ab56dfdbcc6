"""The tables of the section, as people read them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from dlx.audit.miscalibration import Calibration
from dlx.dataset import Dataset
from dlx.reporting import phrases
from dlx.reporting.phrases import method_label, model_words, percent, share, thousandths, three_decimals, two_decimals
from dlx.reporting.sections.blocks import Table
from dlx.reporting.sections.performance.measured import Measured
from dlx.reporting.sections.performance.told import between, chance, shown
from dlx.reporting.tables import METRIC_LABELS
from dlx.stats import CERTAIN, LEVEL, Interval

HEADERS = (*METRIC_LABELS.values(), "Cost a person")


def _kept_together(words: str) -> str:
    """Return an estimate and its interval, between which alone a line may break."""
    return words.replace(" to ", "\u00a0to\u00a0")


def interval(estimate: float, low: float, high: float, show: Callable[..., str]) -> str:
    """Return an estimate with its interval for a cell."""
    return _kept_together(phrases.interval(estimate, low, high, show))


def _shown(found: Interval, perfect: float) -> str:
    return _kept_together(shown(found, perfect))


def scores(found: Measured, test: Dataset) -> Table:
    """Return each measure of each model with its interval, and what no model reaches."""
    lines = []
    for model in found.models:
        costs = found.costs[(found.costs["model"] == model.name) & (found.costs["acted_on"] == "flagged")].iloc[0]
        kind = model_words(model).removeprefix("the ").split(" (")[0]
        cost = interval(costs["cost"], costs["cost_low"], costs["cost_high"], three_decimals)
        lines.append((model.name, kind, *_cells(found.performance, model.name, METRIC_LABELS), cost))
    first = found.performance[found.performance["model"] == found.models[0].name]
    without = found.costs[found.costs["acted_on"] != "flagged"]["cost"].min()
    lines.append(
        ("none", "the share of events for everybody", *map(three_decimals, first["reference"]), three_decimals(without))
    )
    return Table(
        f"On {len(test):,} test rows. ROC AUC and average precision: higher is better; the others: lower. Cost: in false "
        "alarms, at the threshold in use (see below)",
        ("Model", "What it is", *HEADERS),
        tuple(lines),
    )


def _cells(table: Any, model: str, metrics: Any) -> list[str]:
    chosen = table[table["model"] == model].set_index("metric")
    return [interval(*between(chosen.loc[name]), three_decimals) for name in metrics]


def compared(found: Measured, test: Dataset) -> Table:
    """Return by how much each model that cannot be read is better than each that can."""
    lines = []
    for (model, interpretable), pair in found.advantages.groupby(["model", "interpretable"], sort=False):
        cells = [
            interval(line.advantage, line.low, line.high, thousandths) + ("\u00a0●" if line.significant else "")
            for line in pair.itertuples()
        ]
        lines.append((str(model), str(interpretable), *cells))
    return Table(
        f"How much better the model is than the interpretable one on the same {len(test):,} test rows, above 0 where better by "
        f"that measure, with paired {CERTAIN} intervals. ● told apart: the interval leaves out 0, as one in "
        f"{round(1 / (1 - LEVEL))} does by chance; here are {len(found.advantages)}",
        ("Model", "Reference", *HEADERS),
        tuple(lines),
    )


def calibrated(found: Measured) -> Table:
    """Return intercept and slope of each model on validation and test rows."""
    lines = []
    for name in found.calibrations:
        validated, judged = found.validated.get(name), found.calibrations[name]
        if validated is not None:
            decided = "recalibrate" if validated.needs_recalibration else "leave"
            lines.append((name, "validation", *_calibration(validated), chance(validated), decided))
        apart = "told apart from perfect" if judged.needs_recalibration else "not told apart from perfect"
        lines.append((name, "test", *_calibration(judged), chance(judged), apart))
    return Table(
        f"Intercept and slope of the log-odds, with {CERTAIN} intervals by the profile likelihood, and the chance of both "
        "together or more, were the model calibrated",
        ("Model", "Rows", "Mean predicted", "Share of events", "Intercept", "Slope", "Chance", "Verdict"),
        tuple(lines),
    )


def _calibration(found: Calibration) -> tuple[str, ...]:
    observed = interval(*found.observed, three_decimals)
    return three_decimals(found.expected), observed, _shown(found.intercept, 0), _shown(found.slope, 1)


def mended(found: Measured) -> Table:
    """Return calibration and losses on the test rows before and after, a line each."""
    lines = []
    for name, one in found.mended.items():
        for when, calibration, table, model in (
            ("before", found.calibrations[name], found.performance, name),
            (f"after, {one.kind}", one.calibration, one.performance, one.model.name),
        ):
            losses = _cells(table, model, ("auc", "brier", "log_loss"))
            lines.append((name, when, _shown(calibration.intercept, 0), _shown(calibration.slope, 1), *losses))
    return Table(
        "On the test rows, before and after recalibration on the validation rows",
        ("Model", "When", "Intercept", "Slope", *(METRIC_LABELS[name] for name in ("auc", "brier", "log_loss"))),
        tuple(lines),
    )


def changed(found: Measured, top: int) -> Table:
    """Return how explanations change with recalibration."""
    lines = []
    for name, one in found.mended.items():
        numbers = one.change.set_index("quantity")
        what, people = one.change.iloc[0], one.change["people"].iloc[0]

        def cell(quantity: str, show: Callable[[float], str], numbers: Any = numbers) -> str:
            return interval(*between(numbers.loc[quantity]), show)

        lines.append(
            (
                name,
                method_label(what["method"]),
                str(what["scale"]),
                f"{people:,}",
                cell("size_before", three_decimals),
                cell("size_after", three_decimals),
                _kept_together(phrases.interval(*between(numbers.loc["size_ratio"]), two_decimals, 1)),
                cell("rank_correlation", share),
                cell("top_kept", share),
            )
        )
    return Table(
        f"Contributions before and after recalibration, with {CERTAIN} bootstrap intervals over people: their mean size, its "
        f"ratio, the rank correlation of a person's columns by size, and the share of a person's top {top} that stays",
        ("Model", "Method", "Unit", "People", "Size before", "Size after", "Ratio", "Rank correlation", f"Top {top} kept"),
        tuple(lines),
    )


def confused(found: Measured, test: Dataset) -> Table:
    """Return counts and shares at the threshold, a line a model."""
    lines = []
    for model in found.models:
        counts = found.confusion[found.confusion["model"] == model.name].set_index("quantity")
        whole = [f"{counts.loc[name, 'count']:,}" for name in ("flagged", "true_positive", "false_positive")]
        whole += [f"{counts.loc[name, 'count']:,}" for name in ("false_negative", "true_negative")]
        shares = [interval(*between(counts.loc[name]), percent) for name in ("sensitivity", "specificity", "ppv", "npv")]
        lines.append((model.name, *whole, *shares))
    return Table(
        f"Of {len(test):,} test rows, with Wilson's {CERTAIN} intervals, which stay honest where a count is 0 or all. "
        "Sensitivity: hits among events; specificity: rightly cleared among the others; PPV: events among the flagged; NPV: "
        "others among the cleared",
        (
            "Model",
            "Flagged",
            "Hits",
            "False alarms",
            "Misses",
            "Rightly cleared",
            "Sensitivity",
            "Specificity",
            "PPV",
            "NPV",
        ),
        tuple(lines),
    )
