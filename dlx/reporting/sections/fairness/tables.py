"""Tables and figures of the treatment of groups."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from dlx.audit.fairness.groups import Partition
from dlx.audit.fairness.proxies import FOLDS, PROXY_AUC
from dlx.audit.fairness.rates import CALIBRATION, FALSE_POSITIVE, TRUE_POSITIVE
from dlx.audit.fairness.thresholds import MEASURES
from dlx.plots import GREY, UNITS, draw_gap, draw_group_rates, shortened, style
from dlx.reporting.canvas import Figure, canvas_of, embedded, legend
from dlx.reporting.phrases import counted, interval, listed, model_words, share, two_decimals
from dlx.reporting.sections.blocks import Table
from dlx.reporting.sections.fairness.evidence import FairnessEvidence
from dlx.reporting.sections.fairness.words import FOUR_FIFTHS, change_words, favourable
from dlx.schema import Target
from dlx.stats import CERTAIN

if TYPE_CHECKING:
    import pandas as pd

MOST_COLUMNS = 6  # of a gap that are drawn
MOST_CARRIERS = 3  # columns named beside a proxy
HEADS = {
    "auc": "ROC AUC",
    "cost": "Cost a person",
    "selection_ratio": "Ratio of shares",
    "true_positive_gap": "Gap of true positives",
    "false_positive_gap": "Gap of false positives",
}


def gaps_table(
    evidence: FairnessEvidence, every: Sequence[Partition], models: Sequence[str], target: Target, *, groups: str = "groups"
) -> Table:
    """Return a line a partition and model: how far apart its groups are, which the caption calls `groups`."""
    rate, word = favourable(target)
    lines = []
    for by in every:
        few = not any(evidence.gap(models[0], by, name)["lowest"] for name in (rate, TRUE_POSITIVE, FALSE_POSITIVE))
        for model in models[:1] if few else models:
            gaps = {name: evidence.gap(model, by, name) for name in (rate, TRUE_POSITIVE, FALSE_POSITIVE, CALIBRATION)}
            first = gaps[rate]
            lines.append(
                (
                    by.label,
                    "every model" if few else model,
                    f"{first['lowest']} / {first['highest']}" if first["lowest"] else first["objection"],
                    interval(first["ratio"], first["ratio_low"], first["ratio_high"], share, FOUR_FIFTHS),
                    *(_difference(gaps[name]) for name in (TRUE_POSITIVE, FALSE_POSITIVE, CALIBRATION)),
                )
            )
    return Table(
        f"How far apart {groups} are among the test rows: ratio of the shares {word} (lowest over highest; four fifths is "
        "the usual mark), and differences, highest − lowest of the groups that can be judged, in the rates of true and "
        f"false positives and in calibration (predicted − observed); {CERTAIN} intervals",
        (
            "Groups by",
            "Model",
            "Lowest / highest",
            "Ratio",
            "True positives",
            "False positives",
            "Calibration",
        ),
        tuple(lines),
    )


def proxies_table(evidence: FairnessEvidence, labels: dict[str, str]) -> Table:
    """Return a line a group: how well the rest tells it, and through which columns each black box could know it."""
    lines = []
    for _, told in evidence.proxies.iterrows():
        through = []
        for model in evidence.black_boxes:
            own = evidence.carriers
            own = own[(own["model"] == model.name) & (own["attribute"] == told["attribute"]) & (own["group"] == told["group"])]
            named = [f"{labels[line['column']]} {two_decimals(line['carried'])}" for _, line in own[:MOST_CARRIERS].iterrows()]
            through.append(", ".join(named) or "–")
        auc = told["objection"] or interval(told["auc"], told["low"], told["high"], share, PROXY_AUC)
        lines.append((labels[told["attribute"]], told["group"], f"{told['people']:,}", auc, *through))
    units = listed(list(dict.fromkeys(UNITS[model.scales[0]] for model in evidence.black_boxes)))
    return Table(
        f"How well all other columns tell a group from the rest (AUC over {counted(FOLDS)} folds of all rows; .5 is chance), "
        f"and the columns that carry it: mean |contribution| ({units}) × how well the column alone tells the group (2 AUC − 1)",
        ("Groups by", "Group", "People", "AUC", *(f"Carried in {model_words(model)}" for model in evidence.black_boxes)),
        tuple(lines),
    )


def remedies_table(evidence: FairnessEvidence, by: Partition) -> Table:
    """Return a line a model and remedy: before → after of every measure."""
    table = evidence.mitigation
    lines = []
    for (model, remedy), own in table[table["attribute"] == by.name].groupby(["model", "remedy"], sort=False):
        if not own["measure"].iloc[0]:
            lines.append((model, f"{remedy}: not possible", *["–"] * len(MEASURES)))
            continue
        lines.append((model, remedy, *(change_words(line, line["measure"]) for _, line in own.iterrows())))
    return Table(
        f"Remedies for {by.label}: before → after (change; its {CERTAIN} interval over the same resampled test rows). Cost in "
        "needless flags a person; ratio lowest over highest; gaps highest − lowest of the groups that can be judged",
        ("Model", "Remedy", *(HEADS[measure] for measure in MEASURES)),
        tuple(lines),
    )


def rates_figure(evidence: FairnessEvidence, target: Target) -> Figure:
    """Return the rates of each group: a line a partition, a panel a rate."""
    rate, word = favourable(target)
    names = [model.name for model in evidence.black_boxes]
    panels = {rate: f"share {word}", TRUE_POSITIVE: "true positive rate", FALSE_POSITIVE: "false positive rate"}
    panels[CALIBRATION] = "predicted − observed"
    rows = [_groups(evidence, by) for by in evidence.shown]
    with style():
        heights = [0.7 + 0.32 * len(groups) for groups in rows]
        canvas, axes = canvas_of(
            len(rows), len(panels), width=10.5, height=sum(heights) + 0.9, height_ratios=heights, sharex="col"
        )
        for by, groups, line in zip(evidence.shown, rows, axes, strict=True):
            own = evidence.rates[evidence.rates["attribute"] == by.name]
            for ax, (of, words) in zip(line, panels.items(), strict=True):
                draw_group_rates(own[own["rate"] == of], groups, names, ax, of=words)
                if of != CALIBRATION:
                    ax.set_xlim(-0.03, 1.03)
                    ax.set_xticks([0, 0.5, 1])
            for ax in line[1:]:
                ax.set_yticklabels([])
            line[0].set_yticklabels([f"{shortened(group, 34)}\n{_size(own, group)}" for group in groups], fontsize=8)
            line[0].set_title(by.label)
            line[-1].axvline(0, color=GREY, linewidth=0.8)
        axes[0, -1].set_xlim(-_reach(evidence), _reach(evidence))
        axes[0, -1].locator_params(axis="x", nbins=3)
        for ax in axes[:-1].flat:
            ax.set_xlabel("")
        legend(canvas, axes)
        source = embedded(canvas)
    return Figure(
        source,
        alt=f"Rates by group under {listed(names)}: a mark with its interval for every group with enough people.",
        caption=f"A row a group of the test rows, with its people and events; marks are estimates, lines {CERTAIN} "
        "intervals (mid-P of shares, a bootstrap of predicted − observed). “too few” stands where a rate cannot be judged.",
        table="fairness_rates",
    )


def gaps_figure(evidence: FairnessEvidence, contrasts: Sequence[pd.DataFrame], labels: dict[str, str]) -> Figure:
    """Return what columns make the gap of each contrast: a panel a contrast."""
    names = [model.name for model in evidence.black_boxes]
    units = listed(list(dict.fromkeys(UNITS[scale] for scale in evidence.parts["scale"])))
    across = min(2, len(contrasts))
    down = -(-len(contrasts) // across)
    with style():
        canvas, axes = canvas_of(down, across, width=5.2 * across, height=0.6 + 2.9 * down)
        for ax, lines in zip(axes.flat, contrasts, strict=False):
            parts = lines[lines["column"] != "all columns"]
            largest = parts.assign(size=parts["difference"].abs()).groupby("column", sort=False)["size"].max()
            columns = ["all columns", *largest.sort_values(ascending=False, kind="stable").index[:MOST_COLUMNS]]
            draw_gap(lines, columns, [labels[column] for column in columns], names, ax)
            first = lines.iloc[0]
            ax.set_title(f"{shortened(first['group'], 44)}\n− {shortened(first['against'], 44)}", fontsize=8.5)
            ax.set_xlabel(f"difference in mean contribution ({units})")
        legend(canvas, axes)
        source = embedded(canvas)
    return Figure(
        source,
        alt=f"Which columns make the gap between two groups, under {listed(names)}: bars with intervals, the whole gap first.",
        caption=f"“all columns” is the gap in mean output, which the columns add up to; the {counted(MOST_COLUMNS)} largest "
        f"are drawn, with {CERTAIN} bootstrap intervals.",
        table="fairness_gap_columns",
    )


def _groups(evidence: FairnessEvidence, by: Partition) -> list[str]:
    lines = evidence.rates[evidence.rates["attribute"] == by.name]
    return list(lines["group"].drop_duplicates())


def _reach(evidence: FairnessEvidence) -> float:
    """Return the largest distance from 0 of a calibration that can be judged, and some room."""
    names = [by.name for by in evidence.shown]
    rates = evidence.rates
    lines = rates[(rates["rate"] == CALIBRATION) & rates["judged"] & rates["attribute"].isin(names)]
    return 1.08 * float(np.nanmax(np.abs(lines[["low", "high"]].to_numpy()), initial=0.01))


def _size(lines: pd.DataFrame, group: str) -> str:
    line = lines[lines["group"] == group].iloc[0]
    return f"{line['people']:,} people, {line['events']:,} events"


def _difference(line: pd.Series) -> str:
    if np.isnan(line["difference"]):
        return "too few"
    return interval(line["difference"], line["difference_low"], line["difference_high"], share, 0)
