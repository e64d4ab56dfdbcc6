"""What a reader is told of the treatment of groups, made from the numbers of the run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from dlx.audit.fairness.groups import Partition
from dlx.audit.fairness.tally import CLEARED, EVENTS, MIN_CASES, MIN_PEOPLE, SELECTED
from dlx.audit.fairness.trade_offs import COST, FALSE_GAP, RATIO, TRUE_GAP
from dlx.model import Model
from dlx.plots import UNITS
from dlx.reporting.fairness_evidence import FairnessEvidence
from dlx.reporting.phrases import (
    counted,
    interval,
    listed,
    model_words,
    percent,
    sentence,
    signed,
    three_decimals,
    two_decimals,
)
from dlx.schema import Target

if TYPE_CHECKING:
    import pandas as pd

FOUR_FIFTHS = 0.8
TELLING = 0.7  # AUC from which on the other columns are called a proxy
MEASURE_WORDS = {RATIO: "ratio of shares", TRUE_GAP: "gap of true positives", FALSE_GAP: "gap of false positives"}
RULE = (
    f"A rate is judged where a group has {MIN_PEOPLE} people and, for rates among people with or without the event, "
    f"{MIN_CASES} of them; calibration needs {MIN_CASES} of each."
)


def favourable(target: Target) -> tuple[str, str]:
    """Return the rate that people want to be high, and its word: to be cleared where flagging is an adverse action."""
    return (CLEARED, target.cleared) if target.adverse_action else (SELECTED, target.flagged)


def treatment_sentence(evidence: FairnessEvidence, by: Partition, target: Target) -> str:
    """Return who is treated how, by each opaque model, and whether four fifths are reached."""
    rate, word = favourable(target)
    if not evidence.can_be_judged(by, rate):
        return f"{by.label}: {too_few_words(evidence, by)}"
    told = []
    for model in evidence.opaque:
        line = evidence.gap(model.name, by, rate)
        span = interval(line["ratio"], line["ratio_low"], line["ratio_high"])
        told.append(f"{span} by {model_words(model)} ({_against_four_fifths(line)})")
    line = evidence.gap(evidence.opaque[0].name, by, rate)
    return (
        f"{by.label}: the share {word} is lowest for “{line['lowest']}” and highest for “{line['highest']}”"
        f"{_others_differ(evidence, by, rate)}; lowest over highest is {listed(told)}. {_base_rates(evidence, by, target)}"
    )


def too_few_words(evidence: FairnessEvidence, by: Partition) -> str:
    """Return why no two groups can be compared."""
    lines = evidence.rates[(evidence.rates["attribute"] == by.name) & (evidence.rates["rate"] == SELECTED)]
    lines = lines[(lines["model"] == evidence.opaque[0].name) & ~lines["judged"]]
    few = [f"“{group}” has {people} people" for group, people in zip(lines["group"], lines["people"], strict=True)]
    return f"too few to judge among the test rows: {listed(few)}." if few else "all people are in one group."


def gap_sentence(evidence: FairnessEvidence, lines: pd.DataFrame, labels: dict[str, str]) -> str:
    """Return which columns make the gap between two groups, by each opaque model; lines are those of one contrast."""
    first = lines.iloc[0]
    told = []
    for model in evidence.opaque:
        own = lines[lines["model"] == model.name]
        whole, parts = own.iloc[-1], own.iloc[:-1]
        unit = UNITS[whole["scale"]]
        sure = parts[(parts["low"] > 0) | (parts["high"] < 0)][:3]
        named = [
            f"{labels[column]} ({signed(value)})" for column, value in zip(sure["column"], sure["difference"], strict=True)
        ]
        made = f"most of it from {listed(named)}" if named else "no column's part is clear of chance"
        told.append(
            f"{signed(whole['difference'])} {unit} ({signed(whole['low'])} to {signed(whole['high'])}) by "
            f"{model_words(model)}, {made}"
        )
    return f"“{first['group']}” against “{first['against']}”: {sentence('; '.join(told))}"


def proxy_sentence(evidence: FairnessEvidence, by: Partition) -> str:
    """Return how well the rest tells the groups of a partition."""
    lines = evidence.proxies[(evidence.proxies["attribute"] == by.name) & (evidence.proxies["objection"] == "")]
    if lines.empty:
        return f"{by.label}: too few people of any group to tell them from the rest."
    best = lines.loc[lines["auc"].idxmax()]
    span = interval(best["auc"], best["low"], best["high"])
    whether = "a proxy" if best["low"] > TELLING else "no strong proxy" if best["high"] < TELLING else "perhaps a proxy"
    return f"{by.label}: the other columns tell “{best['group']}” with an AUC of {span}: together they are {whether} of it."


def remedy_sentence(evidence: FairnessEvidence) -> str:
    """Return how many remedies lessen a gap beyond chance, and what the best of them costs."""
    table = evidence.mitigation
    if table.empty:
        return "No remedy was tried: no two groups can be judged."
    tried = table[table["objection"] == ""].groupby(["model", "attribute", "remedy"], sort=False)
    sure = [key for key, lines in tried if not _improved(lines).empty]
    if not sure:
        return (
            f"Of {len(tried)} remedies tried (of a model, for a column) none lessens a gap in the share chosen or in the "
            "rates of errors by more than chance: the test rows are too few to show it."
        )
    dear = sum(_worse(tried.get_group(key)) for key in sure)
    return (
        f"Of {len(tried)} remedies tried (of a model, for a column), {counted(len(sure))} lessened at least one gap by more "
        f"than chance, and {counted(dear)} of these at a higher cost of decisions that is more than chance too."
    )


def findings(evidence: FairnessEvidence, target: Target) -> tuple[str, ...]:
    """Return what the top of the page says: the widest gap, what must not or cannot be compared, and remedies."""
    rate, word = favourable(target)
    widest = _widest(evidence, rate)
    said = []
    if widest is not None:
        by, model, line = widest
        span = interval(line["ratio"], line["ratio_low"], line["ratio_high"])
        said.append(
            f"The share of people {word} differs most by {by.label}: “{line['lowest']}” has {span} times that of "
            f"“{line['highest']}” under {model_words(model)}, {_against_four_fifths(line)}. {_outcomes(evidence, by, line, target)}"
        )
    few = [by.label for by in evidence.shown if not evidence.can_be_judged(by, rate)]
    barred = [by.label for by in evidence.refused]
    if few or barred:
        parts = ([f"by {listed(few)} there are too few people to judge"] if few else []) + (
            [f"by {listed(barred)} no comparison is valid on this table"] if barred else []
        )
        said.append(sentence("; ".join(parts)))
    return (*said, remedy_sentence(evidence))


def coverage(evidence: FairnessEvidence, target: Target) -> dict[str, str]:
    """Return the evidence for a reviewer's checklist."""
    rate, word = favourable(target)
    names = listed([by.label for by in (*evidence.shown, *evidence.others)])
    widest = _widest(evidence, rate)
    ratio = "no two groups can be judged"
    if widest is not None:
        line = widest[2]
        ratio = f"lowest ratio of {word} {interval(line['ratio'], line['ratio_low'], line['ratio_high'])} ({widest[0].label})"
    told = evidence.proxies[evidence.proxies["objection"] == ""]
    proxies = "Too few people of every group."
    if not told.empty:
        best = told.loc[told["auc"].idxmax()]
        proxies = (
            f"{len(told)} groups told from the other columns; best told: {best['group']}, AUC "
            f"{interval(best['auc'], best['low'], best['high'])}."
        )
    return {
        "fairness": f"Rates and calibration by {names}, with intervals and sizes; {ratio}.",
        "proxies": proxies,
        "mitigation": remedy_sentence(evidence),
    }


def change_words(line: pd.Series, measure: str) -> str:
    """Return before → after, and the change with its interval."""
    show = three_decimals if measure == COST else two_decimals
    if np.isnan(line["before"]):
        return "–"
    spans = [signed(line[name]) for name in ("change", "low", "high")]
    return f"{show(line['before'])} → {show(line['after'])} ({spans[0]}; {spans[1]} to {spans[2]})"


def cheapest_remedies(evidence: FairnessEvidence) -> tuple[str, ...]:
    """Return, for each column and model, the cheapest remedy that lessened a gap by more than chance, a sentence each."""
    labels = {by.name: by.label for by in evidence.shown}
    table = evidence.mitigation
    said = []
    for (attribute, model), lines in table[table["objection"] == ""].groupby(["attribute", "model"], sort=False):
        sure = {remedy: own for remedy, own in lines.groupby("remedy", sort=False) if not _improved(own).empty}
        if not sure:
            said.append(f"{labels[attribute]}, {model}: no remedy lessens a gap by more than chance.")
            continue
        cost = {remedy: own.set_index("measure").loc[COST] for remedy, own in sure.items()}
        best = min(cost, key=lambda remedy: float(cost[remedy]["after"]))
        gains = [
            f"{MEASURE_WORDS[line['measure']]} {change_words(line, line['measure'])}"
            for _, line in _improved(sure[best]).iterrows()
        ]
        said.append(
            f"{labels[attribute]}, {model}: {listed(gains)} at the least cost with “{best}”, "
            f"{change_words(cost[best], COST)} needless flags a person."
        )
    return tuple(said)


def _outcomes(evidence: FairnessEvidence, by: Partition, line: pd.Series, target: Target) -> str:
    """Return how the outcomes of two groups compare."""
    rates = evidence.rates[(evidence.rates["attribute"] == by.name) & (evidence.rates["rate"] == EVENTS)]
    of = rates.drop_duplicates("group").set_index("group")["estimate"]
    return f"The share with {target.event} is {percent(of[line['lowest']])} and {percent(of[line['highest']])} of them."


def _widest(evidence: FairnessEvidence, rate: str) -> tuple[Partition, Model, pd.Series] | None:
    lines = [
        (by, model, evidence.gap(model.name, by, rate))
        for by in evidence.shown
        for model in evidence.opaque
        if evidence.can_be_judged(by, rate)
    ]
    known = [one for one in lines if not np.isnan(one[2]["ratio"])]
    return min(known, key=lambda one: float(one[2]["ratio"])) if known else None


def _against_four_fifths(line: pd.Series) -> str:
    if np.isnan(line["ratio"]):
        return "no ratio, as the share is 0 in every group"
    if line["ratio_high"] < FOUR_FIFTHS:
        return "below four fifths"
    if line["ratio_low"] > FOUR_FIFTHS:
        return "above four fifths"
    return "not to be told from four fifths"


def _others_differ(evidence: FairnessEvidence, by: Partition, rate: str) -> str:
    pairs = {tuple(evidence.gap(model.name, by, rate)[["lowest", "highest"]]) for model in evidence.opaque}
    return "" if len(pairs) == 1 else f" (by {model_words(evidence.opaque[0])}; the others find other groups)"


def _base_rates(evidence: FairnessEvidence, by: Partition, target: Target) -> str:
    line = evidence.gap(evidence.opaque[0].name, by, EVENTS)
    if not line["lowest"]:
        return ""
    ratio = interval(line["ratio"], line["ratio_low"], line["ratio_high"])
    return (
        f"The groups differ in outcomes too: the share with {target.event} is lowest for “{line['lowest']}”, {ratio} times "
        f"that of “{line['highest']}”."
    )


def _improved(lines: pd.DataFrame) -> pd.DataFrame:
    """Return the lines of gaps that shrank by more than chance."""
    ratio, gaps = lines["measure"] == RATIO, lines["measure"].isin((TRUE_GAP, FALSE_GAP))
    return lines[(ratio & (lines["low"] > 0)) | (gaps & (lines["high"] < 0))]


def _worse(lines: pd.DataFrame) -> bool:
    return bool((lines.loc[lines["measure"] == COST, "low"] > 0).any())


def labels_of(names: Sequence[str], labels: Sequence[str]) -> dict[str, str]:
    """Return how people call each column, and all of them."""
    return dict(zip(names, labels, strict=True)) | {"all columns": "all columns"}
