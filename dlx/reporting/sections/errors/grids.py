"""The tables of the section, as people read them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pandas as pd

from dlx.audit.mispredictions.slicing import SIGNIFICANT
from dlx.reporting.phrases import interval, percent, risk_percent, signed, thousandths, three_decimals, two_decimals
from dlx.reporting.sections.blocks import Table
from dlx.reporting.sections.errors.drawn import kind_words
from dlx.reporting.sections.errors.measured import Found
from dlx.schema import Target
from dlx.stats import CERTAIN

WORST = 5
NAMES = {
    "auc": "ROC AUC",
    "average_precision": "average precision",
    "brier": "Brier score",
    "log_loss": "log loss",
    "intercept": "calibration intercept (0 is perfect)",
    "slope": "calibration slope (1 is perfect)",
}


def worst(found: Found, target: Target) -> Table | None:
    """Return the people of whom a model was surest and wrong; None where nothing is wrong."""
    if not len(found.worst):
        return None
    lines = [
        (
            str(line.person),
            kind_words(line.kind, target),
            risk_percent(line.risk, target),
            str(line.outcome),
            two_decimals(line.loss),
            line.pushed_by,
        )
        for line in found.worst.head(WORST).itertuples()
    ]
    return Table(
        f"The {len(lines)} wrong decisions of {found.model.name} with the highest log loss (nats), and what pushed most",
        (target.person.capitalize(), "Decision", "Risk", "What happened", "Log loss", "Pushed by"),
        tuple(lines),
    )


def slices(found: Sequence[Found]) -> Table | None:
    """Return the slices that were found; None where none was."""
    tables = [tested.table[tested.table["found"]] for one in found for tested in one.slices]
    lines = [_slice(line) for table in tables for line in table.itertuples()]
    if not lines:
        return None
    return Table(
        f"Slices found on the test rows (adjusted p at most {percent(SIGNIFICANT)}): errors and log loss (nats) in the slice, "
        "elsewhere in brackets; the difference by which it was found; the loss that the model's own probabilities expect there",
        ("Model", "Slice", "Rows", "Errors", "Log loss", f"Difference ({CERTAIN} interval)", "Expected loss", "Adjusted p"),
        tuple(lines),
    )


def _slice(line: pd.Series) -> tuple[str, ...]:
    what = "loss" if line.of == "loss" else "risk"
    return (
        line.model,
        line.slice,
        f"{line.rows:,}",
        f"{percent(line.error_rate)} ({percent(line.error_rate_elsewhere)})",
        f"{two_decimals(line.loss)} ({two_decimals(line.loss_elsewhere)})",
        f"{what} {interval(line.difference, line.low, line.high, signed)}",
        two_decimals(line.expected_loss),
        three_decimals(line.adjusted, SIGNIFICANT),
    )


def change(found: Found) -> Table:
    """Return what the remedy changed in accuracy and calibration."""
    table = found.change[found.change["topic"].isin(("accuracy", "calibration"))]
    lines = tuple((NAMES[line.quantity], *_numbers(line, three_decimals)) for line in table.itertuples())
    return Table(_caption(found, "accuracy and calibration"), HEADER, lines)


def rates(found: Found) -> Table | None:
    """Return what the remedy changed for groups of protected columns; None where no group can be judged."""
    table = found.change[(found.change["topic"] == "fairness") & found.change["before"].notna()]
    if not len(table):
        return None
    lines = tuple((f"{line.of}, {line.quantity}", *_numbers(line, percent)) for line in table.itertuples())
    return Table(_caption(found, "rates of groups at the threshold"), HEADER, lines)


HEADER = ("What", "Before", "After", f"Difference ({CERTAIN} interval)")


def _caption(found: Found, what: str) -> str:
    return f"{found.model.name} before and after: {what}, {len(found.judged):,} test rows, paired intervals"


def _numbers(line: pd.Series, show: Callable[[float], str]) -> tuple[str, str, str]:
    return show(line.before), show(line.after), interval(line.difference, line.low, line.high, thousandths)
