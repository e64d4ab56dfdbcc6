"""Draws what an audit found: performance, errors, groups, ways out and reasons, fooled explanations."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dlx.audit.mispredictions.errors import FALSE_POSITIVE
from dlx.audit.mispredictions.slicing import SIGNIFICANT
from dlx.audit.mispredictions.values import HIGH
from dlx.plots.looks import (
    DOWN,
    GREY,
    GRID,
    INK,
    UP,
    decimals_of_values,
    heat_map,
    label_rows,
    model_looks,
    percent_axis,
    shortened,
    unit_of,
)
from dlx.rounding import rounded
from dlx.stats import CERTAIN

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

BAND: dict[str, Any] = {"color": GREY, "alpha": 0.25, "linewidth": 0, "label": f"{CERTAIN} band"}
ALARM = "#f6e3e1"
BINS = 24  # of predictions
SPREAD = 0.5  # of the height of a row, for the marks of several models
WRAPPED = 62  # letters a line of a slice's name


def draw_calibration(curve: pd.DataFrame, ax: Axes, *, upper: float, mended: pd.DataFrame | None = None) -> Axes:
    """Draw a `Calibration.curve` with its band on the diagonal of perfect calibration; both axes end at `upper`.

    `mended` is the curve of the same model, recalibrated.
    """
    ax.plot([0, 1], [0, 1], ":", color=GREY, linewidth=1.2, label="predicted = observed")
    ax.fill_between(curve["predicted"], curve["low"], curve["high"], **BAND)
    ax.plot(curve["predicted"], curve["observed"], color=INK, linewidth=1.8, label="the model")
    if mended is not None:
        ax.plot(mended["predicted"], mended["observed"], "--", color=GREY, linewidth=1.8, label="recalibrated")
    ax.set_xlim(0, upper)
    ax.set_ylim(0, upper)
    ax.set_ylabel("observed share of events")
    return ax


def draw_predictions(outcomes: np.ndarray, predicted: np.ndarray, ax: Axes, *, upper: float) -> Axes:
    """Draw where the predictions [rows] up to `upper` lie: of events above the line, of the others below, as shares of each."""
    edges = np.linspace(0, upper, BINS + 1)
    for value, sign, colour, label in ((1, 1, UP, "events"), (0, -1, GREY, "the others")):
        some = predicted[outcomes == value]
        share = np.histogram(some, edges)[0] / max(len(some), 1)
        ax.stairs(sign * share, edges, fill=True, color=colour, label=f"predictions of {label}")
    ax.axhline(0, color=INK, linewidth=0.7)
    ax.set_xlim(0, upper)
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    ax.set_xlabel("predicted probability")
    return ax


def draw_decision_curve(table: pd.DataFrame, ax: Axes, *, threshold: float, others: dict[str, pd.DataFrame]) -> Axes:
    """Draw the net benefit of a model (`decision_curve`) over thresholds, beside acting on everybody and on nobody.

    `threshold` is the one in use; `others` are the curves of other models, by name, drawn thin and without a band.
    """
    x = table["threshold"]
    ax.axvline(threshold, color=INK, linewidth=0.9, linestyle=":", label="the threshold in use")
    ax.axhline(0, color=INK, linewidth=1.0, label="act on nobody")
    ax.plot(x, table["all"], color=GREY, linewidth=1.4, label="act on everybody")
    ax.fill_between(x, table["net_benefit_low"], table["net_benefit_high"], **BAND)
    for name, look in model_looks(list(others)).items():
        other = others[name]
        ax.plot(other["threshold"], other["net_benefit"], "--", color=look.colour, linewidth=1.1, label=name)
    ax.plot(x, table["net_benefit"], color=INK, linewidth=1.8, label="the model")
    top = float(np.nanmax([table["net_benefit_high"].max(), table["all"].max()]))
    ax.set_ylim(-0.25 * top, 1.05 * top)
    ax.set_xlim(0, float(x.max()))
    percent_axis(ax)
    ax.set_xlabel("threshold")
    ax.set_ylabel("net benefit")
    return ax


def draw_slices(table: pd.DataFrame, ax: Axes, *, of: str) -> Axes:
    """Draw how much worse a model is in each slice of a `Slices` table, a row each: filled where it was found.

    `of` says what the difference is, for the axis.
    """
    y, found = np.arange(len(table)), table["found"].to_numpy(dtype=bool)
    ax.axvline(0, color=GREY, linewidth=1)
    ax.hlines(y, table["low"], table["high"], color=[INK if is_found else GREY for is_found in found], linewidth=1.6)
    looks = ((found, INK, INK, f"found: adjusted p at most {100 * SIGNIFICANT:g} %"), (~found, GREY, "white", "may be chance"))
    for some, colour, face, label in looks:
        ax.plot(table["difference"][some], y[some], "o", color=colour, markerfacecolor=face, markersize=6, label=label)
    labels = [f"{words} ({rows:,})" for words, rows in zip(table["slice"], table["rows"], strict=True)]
    return label_rows(ax, ["\n".join(textwrap.wrap(label, WRAPPED)) for label in labels], of, fontsize=8)


def draw_pushes(table: pd.DataFrame, ax: Axes, *, most: int = 7) -> Axes:
    """Draw which columns pushed most towards errors of one model and kind (`pushes`); red pushes up."""
    unit, towards = unit_of(table["scale"].iloc[0]), 1 if table["kind"].iloc[0] in (FALSE_POSITIVE, HIGH) else -1
    return _bars(table, "push", ax, f"push towards the error ({unit})", most, towards)


def draw_losses(table: pd.DataFrame, ax: Axes, *, most: int = 8) -> Axes:
    """Draw what the columns that matter most add to the mean loss of one part of the table (`loss_by_slice`)."""
    return _bars(table, "mean", ax, "part of the log loss: below 0 it helps (nats)", most)


def _bars(table: pd.DataFrame, size: str, ax: Axes, words: str, most: int, more: int = 1) -> Axes:
    table = table.iloc[np.argsort(-np.abs(table[size].to_numpy()), kind="stable")[:most]]
    y, sizes = np.arange(len(table)), table[size].to_numpy()
    ax.barh(y, sizes, color=[UP if more * one > 0 else DOWN for one in sizes], height=0.6)
    ax.hlines(y, table["low"], table["high"], color=INK, linewidth=1)
    ax.axvline(0, color=GREY, linewidth=1)
    return label_rows(ax, [shortened(label, 30) for label in table["label"]], words)


def draw_before_after(table: pd.DataFrame, ax: Axes) -> Axes:
    """Draw the importance of columns before and after a remedy: the lines of `before_after` on explanations, a row each."""
    y, ends = np.arange(len(table)), table[["before", "after"]]
    ax.hlines(y, ends.min(axis=1), ends.max(axis=1), color=GRID, linewidth=4)
    for name, shift, colour, marker in (("before", -0.14, GREY, "o"), ("after", 0.14, INK, "D")):
        ax.hlines(y + shift, table[f"{name}_low"], table[f"{name}_high"], color=colour, linewidth=1.4)
        ax.plot(table[name], y + shift, marker, color=colour, markersize=5, label=name)
    ax.set_xlim(left=0)
    what, scale = table["quantity"].iloc[0].rsplit(", ", 1)
    return label_rows(ax, [shortened(label) for label in table["of"]], f"{what} ({unit_of(scale)})")


def draw_group_rates(table: pd.DataFrame, groups: Sequence[str], models: Sequence[str], ax: Axes, *, of: str) -> Axes:
    """Draw one rate of each group (`GroupRates.to_frame`), a row a group, a mark a model; "too few" where it is not judged.

    `of` is the rate in words, for the axis.
    """
    shifts, looks = _shifts(len(models)), model_looks(models)
    for which, model in enumerate(models):
        lines = table[table["model"] == model].set_index("group").reindex(groups)
        judged = lines["judged"].fillna(False).to_numpy(dtype=bool)
        y, known = np.arange(len(groups)) + shifts[which], lines[judged]
        colour, marker = looks[model]
        ax.hlines(y[judged], known["low"], known["high"], color=colour, linewidth=1.6)
        ax.plot(known["estimate"], y[judged], marker, color=colour, markersize=5, label=model)
        for place in np.flatnonzero(~judged) if which == 0 else ():
            ax.text(0.02, float(place), "too few", color=GREY, fontsize=8, va="center", transform=ax.get_yaxis_transform())
    return label_rows(ax, [shortened(group, 40) for group in groups], of)


def draw_confusion(table: pd.DataFrame, classes: Sequence[str], ax: Axes) -> Axes:
    """Draw how many people of each class are taken for which (`confusion_of_classes`); the larger their share, the darker."""
    counts, shares = (
        table.pivot(index="outcome", columns="taken_for", values=column).loc[list(classes), list(classes)].to_numpy()
        for column in ("count", "estimate")
    )
    texts = [[f"{count:,}" if count else "" for count in line] for line in counts]
    columns, rows = ([shortened(label, width) for label in classes] for width in (18, 28))
    heat_map(np.nan_to_num(shares), texts, rows, columns, ax)
    ax.set_xlabel("taken for")
    ax.set_ylabel("class")
    return ax


def draw_gap(table: pd.DataFrame, columns: Sequence[str], labels: Sequence[str], models: Sequence[str], ax: Axes) -> Axes:
    """Draw what each column adds to the gap between two groups (`explained_gap`): a bar a column and model."""
    shifts, height = _shifts(len(models)), min(0.7, SPREAD * 1.3 / max(len(models) - 1, 1) if len(models) > 1 else 0.6)
    for which, model in enumerate(models):
        lines = table[table["model"] == model].set_index("column").reindex(columns)
        y, colour = np.arange(len(columns)) + shifts[which], model_looks(models)[model].colour
        ax.barh(y, lines["difference"], height=height * 0.75, color=colour, alpha=0.75, label=model)
        ax.hlines(y, lines["low"], lines["high"], color=INK, linewidth=1.0)
    ax.axvline(0, color=GREY, linewidth=0.8)
    return label_rows(ax, [shortened(label, 30) for label in labels], "")


def _shifts(count: int) -> np.ndarray:
    return np.linspace(-SPREAD / 2, SPREAD / 2, count) if count > 1 else np.zeros(1)


def draw_recourse(table: pd.DataFrame, labels: Mapping[str, str], ax: Axes) -> Axes:
    """Draw how often a column is part of a counterfactual (`Recourse.by_column`): a row a column, a mark a model."""
    return _shares(table, "column", labels, ax, "share of people with a way that changes the column")


def draw_reasons_given(table: pd.DataFrame, ax: Axes, *, of: str) -> Axes:
    """Draw how often each `reason` is given by each `model`, a row a reason; `of` says what the shares are of."""
    return _shares(table, "reason", {words: shortened(words, 46) for words in table["reason"]}, ax, of)


def _shares(table: pd.DataFrame, by: str, labels: Mapping[str, str], ax: Axes, of: str) -> Axes:
    order = table.groupby(by, sort=False)["estimate"].mean().sort_values(ascending=False, kind="stable").index
    _dots(table, by, list(order), ax, ("estimate", "low", "high"))
    ax.set_xlim(-0.02, 1.02)
    percent_axis(ax)
    return label_rows(ax, [labels[name] for name in order], of, grid="both")


def draw_column_shifts(table: pd.DataFrame, labels: Mapping[str, str], ax: Axes, *, of: str) -> Axes:
    """Draw by how much the risk, `of` in words, differs as one column is moved (`column_shifts`): a row a column and value."""
    names = ("change", "low", "high")
    rows = list(zip(table["column"], table["to"], strict=True))
    scaled = table.assign(row=rows, **{name: 100 * table[name] for name in names})
    order = scaled.groupby("row", sort=False)["change"].mean().sort_values(kind="stable").index
    ax.axvline(0, color=GREY, linewidth=0.9)
    _dots(scaled, "row", list(order), ax, names)
    shown = [shortened(f"{labels[column]}: {to}", 46) for column, to in order]
    return label_rows(ax, shown, f"difference of the {of}, percentage points", grid="both")


def _dots(table: pd.DataFrame, by: str, rows: list[str], ax: Axes, names: tuple[str, str, str]) -> None:
    models = list(dict.fromkeys(table["model"]))
    for which, (model, (colour, marker)) in enumerate(model_looks(models).items()):
        some = table[table["model"] == model]
        y = np.array([rows.index(name) for name in some[by]]) + 0.22 * (which - (len(models) - 1) / 2)
        ax.hlines(y, some[names[1]], some[names[2]], color=colour, linewidth=1.4)
        ax.plot(some[names[0]], y, marker, color=colour, markersize=5, label=model)


def draw_reason_stability(table: pd.DataFrame, labels: list[str], ax: Axes) -> Axes:
    """Draw how far pairs of sources give the same reasons (`reason_stability`): the share with one set, and the overlap."""
    y = np.arange(len(table))
    ax.plot(table["chance"], y, "|", color=INK, markersize=11, label="overlap by chance")
    looks = (("overlap", "reasons in common", INK, "o"), ("same", "the very same set", GREY, "s"))
    for measure, label, colour, marker in looks:
        ax.hlines(y, table[f"{measure}_low"], table[f"{measure}_high"], color=colour, linewidth=1.4)
        ax.plot(table[measure], y, marker, color=colour, markersize=5.5, label=label)
    ax.set_xlim(0, 1.02)
    percent_axis(ax)
    return label_rows(ax, labels, "")


def draw_detections(table: pd.DataFrame, ax: Axes, *, of: str) -> Axes:
    """Draw one defence's statistic (`Fooled.detections`, with a `label` each), and on which side of its limit an attack is.

    `of` says what is measured, for the axis.
    """
    limit, is_above = float(table["limit"].iloc[0]), table["found"].iloc[0] == "above"
    low_end = min(0.0, float(table["low"].min())) - 0.03
    ax.axvspan(limit if is_above else low_end, 1.03 if is_above else limit, color=ALARM, label="attack found")
    ax.axvline(limit, color=GREY, linewidth=0.9, linestyle="--")
    for is_attacked, colour, marker, words in ((True, UP, "X", "attacked model"), (False, INK, "o", "audited model")):
        some = np.flatnonzero(table["is_attacked"] == is_attacked)
        ax.hlines(some, table["low"].iloc[some], table["high"].iloc[some], color=colour, linewidth=1.6)
        ax.plot(table["estimate"].iloc[some], some, marker, color=colour, markersize=6, label=words)
    ax.set_xlim(low_end, 1.03)
    percent_axis(ax)
    return label_rows(ax, list(table["label"]), of, grid=None)


def draw_off_manifold(table: pd.DataFrame, ax: Axes) -> Axes:
    """Draw how much of what each method evaluates could not be real (`off_manifold_shares`), real people first."""
    y = np.arange(len(table))
    ax.barh(y, table["off_manifold"], height=0.62, color=[GREY, *[UP] * (len(table) - 1)])
    ax.hlines(y, table["low"], table["high"], color=INK, linewidth=1.2)
    ax.set_xlim(0, 1.02)
    percent_axis(ax)
    return label_rows(ax, list(table["what"]), "share of what is evaluated that could not be a real person", grid=None)


def draw_predicted(outcomes: np.ndarray, predicted: np.ndarray, parts: pd.DataFrame, ax: Axes) -> Axes:
    """Draw observed against predicted values [rows] on the diagonal, with means of parts of the people (`by_prediction`)."""
    ends = [float(end(np.concatenate([outcomes, predicted]))) for end in (np.min, np.max)]
    ax.plot(ends, ends, ":", color=GREY, linewidth=1.2, label="predicted = observed")
    ax.scatter(predicted, outcomes, s=8, color=GREY, alpha=0.45, linewidths=0, rasterized=True, label="a person")
    ax.vlines(parts["predicted"], parts["low"], parts["high"], color=INK, linewidth=1.4)
    ax.plot(parts["predicted"], parts["observed"], "o", color=INK, markersize=5, label=f"mean, {CERTAIN} interval")
    ax.set_xlabel(f"predicted ({unit_of('value')})")
    ax.set_ylabel(f"observed ({unit_of('value')})")
    return ax


def draw_errors_by_prediction(parts: pd.DataFrame, ax: Axes) -> Axes:
    """Draw the quantiles of observed less predicted, among people of much the same prediction (`by_prediction`)."""
    x = np.arange(len(parts))
    ax.axhline(0, color=GREY, linewidth=1)
    ax.vlines(x, parts["q10"], parts["q90"], color=INK, linewidth=1)
    ax.bar(x, parts["q75"] - parts["q25"], bottom=parts["q25"], width=0.5, color=GRID, edgecolor=INK, linewidth=0.8)
    ax.hlines(parts["q50"], x - 0.25, x + 0.25, color=INK, linewidth=2)
    ax.set_xticks(x, [rounded(number, decimals_of_values(1)) for number in parts["predicted"]])
    ax.set_xlabel(f"mean prediction of the part ({unit_of('value')})")
    ax.set_ylabel("observed − predicted")
    return ax
