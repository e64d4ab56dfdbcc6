"""Small words: names that people read, lists, percentages."""

from __future__ import annotations

import math
from collections.abc import Callable

from dlx import explainers
from dlx.model import LinearModel, Model, NeuralModel, TreeModel
from dlx.schema import Target

COUNTS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def counted(number: int) -> str:
    """Return a small number as a word."""
    return COUNTS[number] if number < len(COUNTS) else f"{number:,}"


def share(number: float) -> str:
    """Return a share from 0 to 1 with two decimals: ".86", "1.00"; a dash where there is none."""
    if math.isnan(number):
        return "–"
    digits = f"{abs(number):.2f}".removeprefix("0")
    return f"−{digits}" if round(number, 2) < 0 else digits


def two_decimals(number: float) -> str:
    """Return a number with two decimals; a dash where there is none."""
    return "–" if math.isnan(number) else f"{number:.2f}"


def three_decimals(number: float) -> str:
    """Return a number with three decimals; a dash where there is none."""
    return "–" if math.isnan(number) else f"{number:.3f}"


def interval(estimate: float, low: float, high: float, show: Callable[[float], str] = share) -> str:
    """Return an estimate with the ends of its interval, where it has one."""
    return show(estimate) if math.isnan(low) or math.isnan(high) else f"{show(estimate)} ({show(low)} to {show(high)})"


def top_columns(count: int) -> str:
    """Return "the top column" or "the top 5 columns"."""
    return "the top column" if count == 1 else f"the top {count} columns"


def method_label(method: str) -> str:
    """Return the name of a method that people read."""
    return str(explainers.method(method).LABEL)


def model_words(model: Model) -> str:
    """Return a model in words, with its name: "the net (mlp)"."""
    if isinstance(model, NeuralModel):
        return f"the net ({model.name})"
    if isinstance(model, LinearModel):
        return f"the linear model ({model.name})"
    if isinstance(model, TreeModel):
        kind = "single tree" if len(model.trees) == 1 else "boosted trees" if model.scales[0] == "logit" else "forest"
        return f"the {kind} ({model.name})"
    return f"the model {model.name}"


def not_trained_words(models: list[str]) -> str:
    """Return which models no remedy could train again, and why; "" where there are none."""
    were = "was" if len(models) == 1 else "were"
    return f"{listed(models)} {were} not trained by dlx on this table, and so not trained again." if models else ""


def listed(parts: list[str]) -> str:
    """Return "a", "a and b" or "a, b and c"."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def sentence(text: str) -> str:
    """Return the text with a capital at its start and a stop at its end."""
    return f"{text[0].upper()}{text[1:]}" + ("" if text.endswith((".", "?")) else ".")


def percent(share: float) -> str:
    """Return a share as a percentage, finer where it is small; a decimal that says nothing is left out."""
    if math.isnan(share):
        return "–"
    return f"{100 * share:.1f}".removesuffix(".0") + " %" if share < 0.1 else f"{100 * share:.0f} %"


def threshold_percent(target: Target) -> str:
    """Return the threshold as a percentage, with a decimal; with more where it would read as 0 or 100 %."""
    decimals = 1
    while decimals < 12 and float(f"{100 * target.threshold:.{decimals}f}") in (0, 100):
        decimals += 1
    return f"{100 * target.threshold:.{decimals}f}".removesuffix(".0") + " %"


def signed(number: float) -> str:
    """Return a number with its sign, a minus as long as a plus."""
    return f"{number:+.2f}".replace("-", "−")


def article(noun: str) -> str:
    """Return a noun with "a" or "an"."""
    return f"{'an' if noun[:1].lower() in 'aeiou' else 'a'} {noun}"
