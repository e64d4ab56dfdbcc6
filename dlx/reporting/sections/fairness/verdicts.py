"""What the top of the page and a reviewer's checklist say of the treatment of groups, and which remedies helped."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dlx.audit.fairness.groups import Partition
from dlx.audit.fairness.proxies import PROXY_AUC
from dlx.audit.fairness.rates import EVENTS
from dlx.audit.fairness.thresholds import COST, FALSE_GAP, RATIO, TRUE_GAP
from dlx.model import Model
from dlx.reporting.phrases import counted, interval, listed, model_words, percent, sentence, share
from dlx.reporting.sections.fairness.evidence import FairnessEvidence
from dlx.reporting.sections.fairness.words import FOUR_FIFTHS, against_four_fifths, change_words, favourable
from dlx.rounding import rounded
from dlx.schema import Target
from dlx.stats import LEVEL

if TYPE_CHECKING:
    import pandas as pd

MEASURE_WORDS = {RATIO: "ratio of shares", TRUE_GAP: "gap of true positives", FALSE_GAP: "gap of false positives"}


def findings(evidence: FairnessEvidence, target: Target) -> tuple[str, ...]:
    """Return what the top of the page says: the widest gap, what must not or cannot be compared, and remedies."""
    rate, word = favourable(target)
    widest = _widest(evidence, rate)
    said = []
    judged = [by for by in evidence.shown if evidence.can_be_judged(by, rate)]
    if judged and all(evidence.is_even(by, rate) for by in judged):
        said.append(f"The share of people {word} is the same in every group that can be judged.")
    elif widest is not None:
        by, model, line = widest
        span = _ratio(line)
        said.append(
            f"The share of people {word} differs most by {by.label}: “{line['lowest']}” has {span} times that of "
            f"“{line['highest']}” under {model_words(model)}, {against_four_fifths(line)}. "
            + _outcomes(evidence, by, line, target)
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
        ratio = f"lowest ratio of {word} {_ratio(line)} ({widest[0].label})"
    told = evidence.proxies[evidence.proxies["objection"] == ""]
    proxies = "Too few people of every group."
    if not told.empty:
        best = told.loc[told["auc"].idxmax()]
        proxies = (
            f"{len(told)} groups told from the other columns; best told: {best['group']}, AUC "
            f"{interval(best['auc'], best['low'], best['high'], share, PROXY_AUC)}."
        )
    return {
        "fairness": f"Rates and calibration by {names}, with intervals and sizes; {ratio}.",
        "proxies": proxies,
        "mitigation": remedy_sentence(evidence),
    }


def _ratio(line: pd.Series) -> str:
    return interval(line["ratio"], line["ratio_low"], line["ratio_high"], share, FOUR_FIFTHS)


def remedy_sentence(evidence: FairnessEvidence) -> str:
    """Return how many remedies lessen a gap beyond chance, and what the best of them costs."""
    table = evidence.mitigation
    if table.empty:
        return "No remedy was tried: no two groups can be judged."
    tried = table[table["objection"] == ""].groupby(["model", "attribute", "remedy"], sort=False)
    sure = [key for key, lines in tried if not _improved(lines).empty]
    if not sure:
        return (
            f"Of {len(tried)} remedies tried (of a model, for a column) none lessens a gap in the shares or in the rates of "
            "errors by more than chance."
        )
    dear = sum(_worse(tried.get_group(key)) for key in sure)
    dearer = counted(dear) if dear else "none"
    gaps = table[table["measure"].isin(MEASURE_WORDS) & table["change"].notna()]
    return (
        f"Of {len(tried)} remedies tried (of a model, for a column), {counted(len(sure))} lessened at least one gap by more "
        f"than chance, and {dearer} of these at a higher cost of decisions that is more than chance too; of the "
        f"{len(gaps)} gaps looked at, {rounded((1 - LEVEL) / 2 * len(gaps), 1)} would seem to shrink by chance alone."
    )


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


def _widest(evidence: FairnessEvidence, rate: str) -> tuple[Partition, Model, pd.Series] | None:
    lines = [
        (by, model, evidence.gap(model.name, by, rate))
        for by in evidence.shown
        for model in evidence.black_boxes
        if evidence.can_be_judged(by, rate)
    ]
    known = [one for one in lines if not np.isnan(one[2]["ratio"])]
    return min(known, key=lambda one: float(one[2]["ratio"])) if known else None


def impossible(evidence: FairnessEvidence, by: Partition) -> tuple[str, ...]:
    """Return why some remedies for a column cannot be had, a sentence each."""
    table = evidence.mitigation
    reasons = table.loc[(table["attribute"] == by.name) & (table["measure"] == ""), "objection"].unique()
    return tuple(sentence(reason) for reason in reasons)


def _outcomes(evidence: FairnessEvidence, by: Partition, line: pd.Series, target: Target) -> str:
    """Return how the outcomes of two groups compare."""
    rates = evidence.rates[(evidence.rates["attribute"] == by.name) & (evidence.rates["rate"] == EVENTS)]
    of = rates.drop_duplicates("group").set_index("group")["estimate"]
    return f"The share with {target.event} is {percent(of[line['lowest']])} and {percent(of[line['highest']])} of them."


def _improved(lines: pd.DataFrame) -> pd.DataFrame:
    """Return the lines of gaps that shrank by more than chance."""
    ratio, gaps = lines["measure"] == RATIO, lines["measure"].isin((TRUE_GAP, FALSE_GAP))
    return lines[(ratio & (lines["low"] > 0)) | (gaps & (lines["high"] < 0))]


def _worse(lines: pd.DataFrame) -> bool:
    return bool((lines.loc[lines["measure"] == COST, "low"] > 0).any())
