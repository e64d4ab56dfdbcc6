"""What reviewers ask for, item by item, with the evidence of this run; "not covered" where there is none."""

from __future__ import annotations

from collections.abc import Sequence

from dlx.context import RunContext
from dlx.dataset import Dataset
from dlx.errors import plural
from dlx.model import Model
from dlx.reporting.phrases import article, counted, people_word, percent, threshold_percent
from dlx.reporting.sections.blocks import Section, Table, Words

NOT_COVERED = "not covered"
ACT, BANK, CLINIC = "EU AI Act, Annex IV", "SR 26-2", "TRIPOD+AI"

# framework, its item in our words, and the evidence that answers it
ITEMS: tuple[tuple[str, str, str], ...] = (
    (ACT, "1 General description: intended purpose, versions", "purpose"),
    (ACT, "2(b) Design: logic of the system, what it optimises, key choices", "design"),
    (ACT, "2(d) Data: origin, scope, characteristics, labelling", "data"),
    (ACT, "2(e) Human oversight, and how outputs are interpreted", "reasons"),
    (ACT, "2(g) Validation and testing: accuracy", "discrimination"),
    (ACT, "2(g) Validation and testing: robustness", "robustness"),
    (ACT, "2(g) Validation and testing: potentially discriminatory impacts", "fairness"),
    (ACT, "3 Accuracy for specific persons and groups", "slices"),
    (ACT, "3 Foreseeable unintended outcomes and sources of risk", "error_causes"),
    (ACT, "4 Appropriateness of the performance metrics", "decision"),
    (ACT, "5 Risk management system", "risk_management"),
    (ACT, "6 Changes through the lifecycle", "remedies"),
    (ACT, "9 Monitoring after it is put to use", "monitoring"),
    (BANK, "Purpose and use", "purpose"),
    (BANK, "Data and their dates", "data"),
    (BANK, "Versions and seeds", "versions"),
    (BANK, "Units of the output", "units"),
    (BANK, "Baseline of explanations, and why", "background"),
    (BANK, "Convergence of explanations", "convergence"),
    (BANK, "Stability of explanations", "stability"),
    (BANK, "Alternatives that were considered", "interpretable"),
    (BANK, "Results by subgroup", "fairness"),
    (BANK, "Proxies of protected attributes", "proxies"),
    (BANK, "Less discriminatory alternatives", "mitigation"),
    (BANK, "Reasons for adverse action", "reasons"),
    (BANK, "Limitations", "limitations"),
    (BANK, "Monitoring", "monitoring"),
    (BANK, "Independent review: who reviewed", "reviewer"),
    (CLINIC, "5 Source of the data and dates", "data"),
    (CLINIC, "8 Outcome: definition and timing", "purpose"),
    (CLINIC, "9 Predictors", "data"),
    (CLINIC, "10 Sample size", "sample_size"),
    (CLINIC, "11 Missing data", "missing_data"),
    (CLINIC, "13 Class imbalance", "class_imbalance"),
    (CLINIC, "14 Fairness", "fairness"),
    (CLINIC, "23a Performance: discrimination, with intervals", "discrimination"),
    (CLINIC, "23a Performance: calibration", "calibration"),
    (CLINIC, "23a Performance: clinical utility", "decision"),
    (CLINIC, "23b Heterogeneity of performance", "slices"),
    (CLINIC, "24 Model updating", "recalibration"),
    (CLINIC, "26 Limitations", "limitations"),
    (CLINIC, "27 Usability: how the model is to be used", "recourse"),
    (CLINIC, "External validation", "external_validation"),
)


def section(setting: RunContext, models: Sequence[Model], told: Sequence[Section]) -> Section:
    """Return the checklist, filled from what the run itself and its sections give evidence for."""
    import pandas as pd

    evidence = _of_the_run(setting, models)
    for one in told:
        evidence |= one.covers
    lines = tuple((framework, item, evidence.get(key, NOT_COVERED)) for framework, item, key in ITEMS)
    missing, texts = sum(line[2] == NOT_COVERED for line in lines), counted(len({line[0] for line in lines}))
    return Section(
        key="checklist",
        title="A reviewer's checklist",
        findings=(f"Of {len(lines)} items of {texts} checklists, this run gives evidence for {len(lines) - missing}.",),
        blocks=(
            Words(
                (
                    "What this run gives evidence for, item by item, in the numbering of each text. It helps to write the "
                    f"documents that these texts ask for and does not replace them; “{NOT_COVERED}” is work for people.",
                )
            ),
            Table("Evidence in this run", ("Text", "Item", "Evidence"), lines),
        ),
        tables={"checklist": pd.DataFrame(lines, columns=["text", "item", "evidence"])},
    )


def _of_the_run(setting: RunContext, models: Sequence[Model]) -> dict[str, str]:
    """Return what holds for every run: the data, the unit, the background and the seeds."""
    case, target = setting.case, setting.case.schema.target
    assert case.outcomes is not None
    missing = [feature.label for feature in case.schema.features if feature.missing]
    return {
        "purpose": f"Predicts the {target.risk}; from {threshold_percent(target)} on {article(target.person)} is "
        f"{target.flagged}.",
        "design": f"Models: {', '.join(model.name for model in models)}; threshold {target.threshold_reason}.",
        "data": f"{(case.card.source or case.name).rstrip('.')}: {len(case):,} rows, {len(case.schema)} columns.",
        "versions": f"Seed {setting.seed}; versions are in the set-up, data sha256 {case.sha256[:16]}.",
        "units": f"Contributions in {' and '.join(dict.fromkeys(model.scales[0] for model in models))}; stated at each figure.",
        "background": f"{len(setting.background)} training rows, drawn at random: from all {people_word(target)}, "
        "not a chosen few.",
        "missing_data": f"May be missing: {', '.join(missing)}." if missing else "No column has missing values.",
        "class_imbalance": f"{percent(float(case.outcomes.mean()))} of rows have {target.event}.",
        "sample_size": f"{_events(case.train):,} events to train on, {_events(case.test):,} to test on, "
        f"for {len(case.schema)} columns.",
    } | (
        {"limitations": f"{plural(len(case.card.caveats), 'limit')} of the data are listed on this page; sections name theirs."}
        if case.card.caveats
        else {}
    )


def _events(rows: Dataset) -> int:
    assert rows.outcomes is not None
    return int(rows.outcomes.sum())
