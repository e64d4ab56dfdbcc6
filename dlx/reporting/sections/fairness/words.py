"""What a reader is told of the treatment of groups, made from the numbers of the run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from dlx.audit.fairness.groups import MIN_PEOPLE, Partition
from dlx.audit.fairness.proxies import PROXY_AUC
from dlx.audit.fairness.rates import CLEARED, EVENTS, MIN_CASES, SELECTED
from dlx.audit.fairness.thresholds import COST
from dlx.plots import UNITS
from dlx.reporting.phrases import (
    interval,
    listed,
    model_words,
    sentence,
    share,
    signed,
    three_decimals,
    two_decimals,
)
from dlx.reporting.sections.fairness.evidence import FairnessEvidence
from dlx.schema import Target

if TYPE_CHECKING:
    import pandas as pd

FOUR_FIFTHS = 0.8
RULE = (
    f"A rate is judged where a group has {MIN_PEOPLE} people and, for rates among people with or without the event, "
    f"{MIN_CASES} of them; calibration needs {MIN_CASES} of each."
)


def favourable(target: Target) -> tuple[str, str]:
    """Return the rate that people want to be high, and its word: to be cleared where flagging is an adverse action."""
    return (CLEARED, target.cleared) if target.adverse_action else (SELECTED, target.flagged)


def treatment_sentence(evidence: FairnessEvidence, by: Partition, target: Target) -> str:
    """Return who is treated how, by each black box, and whether four fifths are reached."""
    rate, word = favourable(target)
    if not evidence.can_be_judged(by, rate):
        return f"{by.label}: {too_few_words(evidence, by)}"
    if evidence.is_even(by, rate):
        same = f"{by.label}: the share {word} is the same in every group that can be judged."
        return f"{same} {_base_rates(evidence, by, target)}"
    told = []
    for model in evidence.black_boxes:
        line = evidence.gap(model.name, by, rate)
        span = interval(line["ratio"], line["ratio_low"], line["ratio_high"], share, FOUR_FIFTHS)
        told.append(f"{span} by {model_words(model)} ({against_four_fifths(line)})")
    line = evidence.gap(evidence.black_boxes[0].name, by, rate)
    return (
        f"{by.label}: the share {word} is lowest for “{line['lowest']}” and highest for “{line['highest']}”"
        f"{_others_differ(evidence, by, rate)}; lowest over highest is {listed(told)}. {_base_rates(evidence, by, target)}"
    )


def too_few_words(evidence: FairnessEvidence, by: Partition) -> str:
    """Return why no two groups can be compared."""
    lines = evidence.rates[(evidence.rates["attribute"] == by.name) & (evidence.rates["rate"] == SELECTED)]
    lines = lines[(lines["model"] == evidence.black_boxes[0].name) & ~lines["judged"]]
    few = [f"“{group}” has {people} people" for group, people in zip(lines["group"], lines["people"], strict=True)]
    return f"too few to judge among the test rows: {listed(few)}." if few else "all people are in one group."


def gap_sentence(evidence: FairnessEvidence, lines: pd.DataFrame, labels: dict[str, str]) -> str:
    """Return which columns make the gap between two groups, by each black box; lines are those of one contrast."""
    first = lines.iloc[0]
    told = []
    for model in evidence.black_boxes:
        own = lines[lines["model"] == model.name]
        whole, parts = own.iloc[-1], own.iloc[:-1]
        unit = UNITS[whole["scale"]]
        sure = parts[(parts["low"] > 0) | (parts["high"] < 0)][:3]
        named = [
            f"{labels[column]} ({signed(value)})" for column, value in zip(sure["column"], sure["difference"], strict=True)
        ]
        made = f"the largest parts clear of chance {listed(named)}" if named else "no column's part clear of chance"
        told.append(
            f"{signed(whole['difference'], 0)} {unit} ({signed(whole['low'], 0)} to {signed(whole['high'], 0)}) by "
            f"{model_words(model)}, {made}"
        )
    return f"“{first['group']}” against “{first['against']}”: {sentence('; '.join(told))}"


def proxy_sentence(evidence: FairnessEvidence, by: Partition, labels: dict[str, str]) -> str:
    """Return how well the rest tells the groups of a partition, together and each by itself."""
    lines = evidence.proxies[(evidence.proxies["attribute"] == by.name) & (evidence.proxies["objection"] == "")]
    if lines.empty:
        return f"{by.label}: too few people of any group to tell them from the rest."
    best = lines.loc[lines["auc"].idxmax()]
    span = interval(best["auc"], best["low"], best["high"], share, PROXY_AUC)
    whether = "a proxy" if best["low"] > PROXY_AUC else "no strong proxy" if best["high"] < PROXY_AUC else "perhaps a proxy"
    alone = _tell_alone(evidence, by, labels)
    return (
        f"{by.label}: the other columns tell “{best['group']}” with an AUC of {span}: together they are {whether} of it. By "
        f"itself {alone or 'no column is a proxy of a group'}."
    )


def _tell_alone(evidence: FairnessEvidence, by: Partition, labels: dict[str, str]) -> str:
    """Return the columns that are a proxy of a group by themselves, each with the group that it tells best.

    Of a number, the groups that reasons are held against are finer than those compared: a column may tell one of these only.
    """
    lines = evidence.carriers[evidence.carriers["attribute"] == by.name]
    lines = lines[(1 + lines["tells_low"]) / 2 > PROXY_AUC] if len(lines) else lines
    best = lines.sort_values("tells_low", ascending=False).drop_duplicates("column") if len(lines) else lines
    told = [
        f"“{labels[line['column']]}” tells “{line['group']}” with an AUC of "
        f"{interval(*((1 + line[end]) / 2 for end in ('tells', 'tells_low', 'tells_high')))}"
        for _, line in best.iterrows()
    ]
    finer = evidence.stand_ins[evidence.stand_ins["attribute"] == by.name]
    told += [
        f"“{labels[line.column]}” tells “{line.group}” with an AUC of {interval(line.auc, line.low, line.high)}"
        for line in finer.itertuples()
    ]
    return listed(told) if told else ""


def change_words(line: pd.Series, measure: str) -> str:
    """Return before → after, and the change with its interval."""
    show = three_decimals if measure == COST else two_decimals
    if np.isnan(line["before"]):
        return "–"
    if line["low"] == line["high"] == line["change"] == 0:
        return f"{show(line['before'])} → {show(line['after'])} (no change)"
    spans = [signed(line[name], 0) for name in ("change", "low", "high")]
    return f"{show(line['before'])} → {show(line['after'])} ({spans[0]}; {spans[1]} to {spans[2]})"


def against_four_fifths(line: pd.Series) -> str:
    """Return where a ratio stands, its interval taken into account."""
    if np.isnan(line["ratio"]):
        return "no ratio, as the share is 0 in every group"
    if line["ratio_high"] < FOUR_FIFTHS:
        return "below four fifths"
    if line["ratio_low"] > FOUR_FIFTHS:
        return "above four fifths"
    return "not clearly below or above four fifths"


def _others_differ(evidence: FairnessEvidence, by: Partition, rate: str) -> str:
    pairs = {tuple(evidence.gap(model.name, by, rate)[["lowest", "highest"]]) for model in evidence.black_boxes}
    return "" if len(pairs) == 1 else f" (by {model_words(evidence.black_boxes[0])}; the others find other groups)"


def _base_rates(evidence: FairnessEvidence, by: Partition, target: Target) -> str:
    line = evidence.gap(evidence.black_boxes[0].name, by, EVENTS)
    if not line["lowest"]:
        return ""
    ratio = interval(line["ratio"], line["ratio_low"], line["ratio_high"])
    return (
        f"The groups differ in outcomes too: the share with {target.event} is lowest for “{line['lowest']}”, {ratio} times "
        f"that of “{line['highest']}”."
    )


def labels_of(names: Sequence[str], labels: Sequence[str]) -> dict[str, str]:
    """Return how people call each column, and all of them."""
    return dict(zip(names, labels, strict=True)) | {"all columns": "all columns"}
