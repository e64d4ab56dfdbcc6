"""Fairness: how groups of people are treated, what makes the difference, and what would lessen it."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from dlx.context import RunContext
from dlx.model import Model
from dlx.reporting.phrases import counted, not_trained_words
from dlx.reporting.sections.blocks import Block, Folded, Heading, Listed, Section, Words
from dlx.reporting.sections.fairness import tables, verdicts, words
from dlx.reporting.sections.fairness.evidence import STRONGEST, FairnessEvidence, fairness_evidence

TITLE = "Fairness"


def section(setting: RunContext, models: Sequence[Model]) -> Section:
    """Return how the models treat groups of people; a sentence where the table has no protected column."""
    evidence = fairness_evidence(setting, models)
    if evidence is None:
        return _nothing()
    target = setting.case.schema.target
    if not evidence.shown:
        reasons = tuple(f"{by.label}: {by.objection}" for by in evidence.refused)
        return Section("fairness", TITLE, ("No protected column of this table can be compared.",), (Listed(reasons),))
    schema = setting.case.schema
    labels = words.labels_of(schema.names, schema.labels)
    return Section(
        key="fairness",
        title=TITLE,
        findings=verdicts.findings(evidence, target),
        blocks=(
            *_treatment(evidence, setting, models),
            *_proxies(evidence, labels),
            *_contributions(evidence, labels),
            *_remedies(evidence),
        ),
        tables=_numbers(evidence),
        covers=verdicts.coverage(evidence, target),
    )


def _nothing() -> Section:
    said = (
        "This table marks no column as protected, so that no groups were compared; set protected = true in its schema for "
        "columns such as sex or age, and this section will compare them."
    )
    return Section("fairness", TITLE, ("No column is marked as protected: fairness was not examined.",), (Words((said,)),))


def _treatment(evidence: FairnessEvidence, setting: RunContext, models: Sequence[Model]) -> list[Block]:
    target, names = setting.case.schema.target, [model.name for model in models]
    blocks: list[Block] = [
        Words((f"How {len(setting.case.test):,} people that no model has seen are treated, group by group. {words.RULE}",)),
        Listed(tuple(words.treatment_sentence(evidence, by, target) for by in evidence.shown)),
    ]
    if evidence.refused:
        blocks.append(Words(tuple(f"Not compared by {by.label}: {by.objection}" for by in evidence.refused)))
    blocks += [tables.rates_figure(evidence, target), tables.gaps_table(evidence, evidence.shown, names, target)]
    black_boxes = [model.name for model in evidence.black_boxes]
    for summary, every in (("Two protected columns at once", evidence.crossed), ("Other protected columns", evidence.others)):
        if every:
            groups = f"groups by {summary.lower()}"
            blocks.append(Folded(summary, (tables.gaps_table(evidence, every, black_boxes, target, groups=groups),)))
    return blocks


def _proxies(evidence: FairnessEvidence, labels: dict[str, str]) -> list[Block]:
    return [
        Heading("Can the groups be told from the other columns?"),
        Listed(tuple(words.proxy_sentence(evidence, by, labels) for by in evidence.shown)),
        Folded("Each group, and the columns that carry it", (tables.proxies_table(evidence, labels),)),
    ]


def _contributions(evidence: FairnessEvidence, labels: dict[str, str]) -> list[Block]:
    if evidence.parts.empty:
        return []
    widest = _widest_contrasts(evidence)
    residual = float(evidence.parts["residual"].abs().max())
    return [
        Heading("Which columns make the gap?"),
        Words(
            (
                "A group's mean output less another's is the sum of the differences in mean contribution; of each protected "
                f"column the two groups furthest apart are shown. What the sum leaves over is at most {residual:.0e}.",
            )
        ),
        Listed(tuple(words.gap_sentence(evidence, lines, labels) for lines in widest)),
        tables.gaps_figure(evidence, widest, labels),
    ]


def _widest_contrasts(evidence: FairnessEvidence) -> list[pd.DataFrame]:
    """Return, for each partition, the lines of the contrast whose gap is largest under any model."""
    found = []
    for by in evidence.shown:
        own = evidence.parts[evidence.parts["attribute"] == by.name]
        whole = own[own["column"] == "all columns"]
        if not whole.empty:
            widest = whole.loc[whole["difference"].abs().idxmax()]
            found.append(own[(own["group"] == widest["group"]) & (own["against"] == widest["against"])])
    return found


def _remedies(evidence: FairnessEvidence) -> list[Block]:
    mended = [by for by in evidence.shown if not evidence.mitigation.empty and by.name in set(evidence.mitigation["attribute"])]
    blocks: list[Block] = [Heading("What would lessen the gaps, at what cost?"), Words((verdicts.remedy_sentence(evidence),))]
    if mended:
        blocks.append(Listed(verdicts.cheapest_remedies(evidence)))
        if own := not_trained_words(evidence.not_trained_again):
            blocks.append(Words((own,)))
        blocks.append(
            Words(
                (
                    "Thresholds for each group are fairlearn's, fitted on the validation rows; they use the protected column "
                    "when they decide, and draw lots between two thresholds, which a law may forbid. Equal odds are had at the "
                    "least cost, equal selection with both outcomes weighed alike. Reweighing makes group and outcome "
                    "independent in training (Kamiran and Calders 2012); dropping trains without the column, or without it "
                    f"and the {counted(STRONGEST)} columns that carry it most.",
                )
            )
        )
        blocks += [
            Folded(f"Remedies for {by.label}", (tables.remedies_table(evidence, by), Words(verdicts.impossible(evidence, by))))
            for by in mended
        ]
    return blocks


def _numbers(evidence: FairnessEvidence) -> dict[str, pd.DataFrame]:
    named = {
        "fairness_rates": evidence.rates,
        "fairness_gaps": evidence.gaps,
        "fairness_proxies": evidence.proxies,
        "fairness_carriers": evidence.carriers,
        "fairness_stand_ins": evidence.stand_ins,
        "fairness_gap_columns": evidence.parts,
        "fairness_remedies": evidence.mitigation,
    }
    return {name: table for name, table in named.items() if not table.empty}
