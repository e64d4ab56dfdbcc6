"""Draws how good a model's probabilities are, and what acting on them is worth."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dlx.plots.looks import GREY, INK, UP, model_looks
from dlx.stats import CERTAIN

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

BINS = 24
PERFECT = "predicted = observed"


def draw_calibration(curve: pd.DataFrame, ax: Axes, *, upper: float, mended: pd.DataFrame | None = None) -> Axes:
    """Draw the share of events at each prediction with its band, on the diagonal of perfect calibration.

    Parameters
    ----------
    curve : DataFrame
        `Calibration.curve`.
    ax : Axes
        Where to draw.
    upper : float
        The end of both axes.
    mended : DataFrame, optional
        The curve of the same model, recalibrated.
    """
    ax.plot([0, 1], [0, 1], ":", color=GREY, linewidth=1.2, label=PERFECT)
    ax.fill_between(
        curve["predicted"], curve["low"], curve["high"], color=GREY, alpha=0.25, linewidth=0, label=f"{CERTAIN} band"
    )
    ax.plot(curve["predicted"], curve["observed"], color=INK, linewidth=1.8, label="the model")
    if mended is not None:
        ax.plot(mended["predicted"], mended["observed"], "--", color=GREY, linewidth=1.8, label="recalibrated")
    ax.set_xlim(0, upper)
    ax.set_ylim(0, upper)
    ax.set_ylabel("observed share of events")
    return ax


def draw_predictions(outcomes: np.ndarray, predicted: np.ndarray, ax: Axes, *, upper: float) -> Axes:
    """Draw where the predictions of each class lie: events above the line, others below, each as shares of its class.

    Parameters
    ----------
    outcomes, predicted : ndarray [rows]
        0 or 1, and the predicted probability.
    ax : Axes
        Where to draw.
    upper : float
        The end of the axis; what lies beyond it is in no bar.
    """
    edges = np.linspace(0, upper, BINS + 1)
    for value, sign, colour, label in ((1, 1, UP, "events"), (0, -1, GREY, "the others")):
        some = predicted[outcomes == value]
        share = np.histogram(some, edges)[0] / max(len(some), 1)
        ax.bar(edges[:-1], sign * share, width=edges[1], align="edge", color=colour, label=f"predictions of {label}")
    ax.axhline(0, color=INK, linewidth=0.7)
    ax.set_xlim(0, upper)
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    ax.set_xlabel("predicted probability")
    return ax


def draw_decision_curve(table: pd.DataFrame, ax: Axes, *, threshold: float, others: dict[str, pd.DataFrame]) -> Axes:
    """Draw the net benefit of a model over thresholds with its band, beside acting on everybody and on nobody.

    Parameters
    ----------
    table : DataFrame
        `decision_curve` of the model.
    ax : Axes
        Where to draw.
    threshold : float
        The stated one, marked by a line.
    others : dict of str to DataFrame
        Decision curves of other models, by name; drawn thin and without a band.
    """
    x = table["threshold"]
    ax.axvline(threshold, color=INK, linewidth=0.9, linestyle=":", label="the threshold in use")
    ax.axhline(0, color=INK, linewidth=1.0, label="act on nobody")
    ax.plot(x, table["all"], color=GREY, linewidth=1.4, label="act on everybody")
    ax.fill_between(
        x, table["net_benefit_low"], table["net_benefit_high"], color=GREY, alpha=0.25, linewidth=0, label=f"{CERTAIN} band"
    )
    for name, look in model_looks(list(others)).items():
        other = others[name]
        ax.plot(other["threshold"], other["net_benefit"], "--", color=look.colour, linewidth=1.1, label=name)
    ax.plot(x, table["net_benefit"], color=INK, linewidth=1.8, label="the model")
    top = float(np.nanmax([table["net_benefit_high"].max(), table["all"].max()]))
    ax.set_ylim(-0.25 * top, 1.05 * top)
    ax.set_xlim(0, float(x.max()))
    ax.xaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")
    ax.set_xlabel("threshold")
    ax.set_ylabel("net benefit")
    return ax
