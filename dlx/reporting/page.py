"""The page: the study's words, figures and tables in one self-contained HTML file."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlx import explainers
from dlx.comparison.causes import Disagreement
from dlx.comparison.faithfulness_metrics import NEIGHBOURS as DONORS
from dlx.comparison.library_defaults import CENTRES, kept_columns
from dlx.comparison.noise import SOURCES
from dlx.comparison.stability_metrics import NEIGHBOURS
from dlx.comparison.trustworthiness import AGREEING_SHARE
from dlx.comparison.truth import error_of
from dlx.context import TRAINING_SEEDS
from dlx.reporting import figures, phrases, tables, words
from dlx.reporting.effects import section as effects_section
from dlx.reporting.evidence import figures as evidence_figures
from dlx.reporting.evidence import tables as evidence_tables
from dlx.reporting.evidence import words as evidence_words
from dlx.reporting.prose import layout
from dlx.reporting.sections.blocks import Section
from dlx.reporting.study import Study, top_features
from dlx.reporting.verdicts import whose_word
from dlx.stats import CERTAIN

if TYPE_CHECKING:
    pass

HERE = Path(__file__).parent
LIBRARIES = ("dlx", "torch", "captum", "shap", "lime", "scikit-learn", "numpy", "pandas")


def render(study: Study, audit: Sequence[Section], *, tables_folder: str, table_names: Sequence[str], command: str) -> str:
    """Return the page, with the sections of an audit; `tables_folder` holds the CSV files `table_names`, as seen from it."""
    page: str = (
        layout()
        .get_template("page.html.j2")
        .render(
            **page_parts(),
            tables_folder=tables_folder,
            table_names=table_names,
            audit=audit,
            **_opening(study, command),
            **_sections(study),
            **_evidence(study),
        )
    )
    return page


def second_page(page: Path) -> Path:
    """Return where the evidence of a page stands: evidence.html beside report.html, <name>-evidence.html beside another."""
    return page.with_name("evidence.html" if page.stem == "report" else f"{page.stem}-evidence.html")


def render_evidence(page: Path, title: str, sections: Sequence[Any], table_names: Sequence[str]) -> str:
    """Return the second page, with what stands behind the sections of the first."""
    text: str = (
        layout()
        .get_template("evidence.html.j2")
        .render(
            **page_parts(),
            title=title,
            main_page=page.name,
            sections=[section for section in sections if section.evidence],
            tables_folder=tables.folder_of(page).name,
            table_names=table_names,
        )
    )
    return text


def page_parts() -> dict[str, str]:
    """Return the style and the script that a page carries inside itself."""
    files = {"style": "page.css", "script": "page.js"}
    return {part: (HERE / name).read_text(encoding="utf-8") for part, name in files.items()}


def _opening(study: Study, command: str) -> dict[str, Any]:
    case, target = study.case, study.case.schema.target
    return {
        "case": case,
        "card": case.card,
        "target": target,
        "person": phrases.article(target.person),
        "title": case.card.title or case.name,
        "findings": words.findings(study),
        "main": phrases.model_words(study.main),
        "other": phrases.model_words(study.other) if study.other is not None else "",
        "counts": {
            "rows": len(case),
            "columns": len(case.schema),
            "positive": int(case.outcomes.sum()) if case.outcomes is not None else 0,
            "train": len(case.train),
            "validation": len(case.validation),
            "test": len(case.test),
            "people": len(study.people),
            "panel": study.panel,
            "background": len(study.background),
            "coalitions": next(iter(explainers.quick_options("kernel_shap", len(study.case.schema)).values())),
            "samples": explainers.options("lime")["n_samples"],
            "gradients": explainers.options("gradient_shap")["n_samples"],
            "neighbours": NEIGHBOURS,
            "donors": DONORS,
            "centres": phrases.counted(CENTRES),
            "kept": phrases.counted(kept_columns()),
            "stability": min(study.panel, study.harmony.depth.stability_people),
            "settings": min(study.panel, study.harmony.depth.settings_people),
        },
        "threshold": phrases.threshold_percent(target),
        "certain": CERTAIN,
        "seed": study.seed,
        "command": command,
        "versions": ", ".join(f"{name} {version(name)}" for name in LIBRARIES) + f", Python {platform.python_version()}",
    }


def _sections(study: Study) -> dict[str, Any]:
    return {
        "metric_labels": list(tables.METRIC_LABELS.values()),
        "performance": tables.performance_lines(study),
        "decisions": tables.decision_lines(study),
        "methods": tables.method_lines(study),
        "left_out": study.left_out,
        "agreement": tables.agreement_lines(study),
        "top": study.top,
        "top_words": phrases.top_columns(study.top),
        "what_goes_together": words.what_goes_together(study),
        "importance_figure": figures.importance_figure(study),
        "beeswarm_figure": figures.beeswarm_figure(study),
        "methods_figure": figures.methods_figure(study),
        "models_figure": figures.models_figure(study),
        "effects": effects_section.effects_blocks(study),
        "people": [_person(study, chosen) for chosen in study.chosen],
    }


def _evidence(study: Study) -> dict[str, Any]:
    return {
        "depth": study.harmony.depth,
        "training_seeds": TRAINING_SEEDS,
        "is_trained_again": bool(len(study.harmony.siblings)),
        "agreeing_share": phrases.percent(AGREEING_SHARE),
        "whose_word": whose_word(study, study.main),
        "thorough_only": evidence_words.THOROUGH_ONLY,
        "how_sure": evidence_words.how_sure(study),
        "why_they_differ": evidence_words.why_they_differ(study),
        "how_close": evidence_words.how_close(study),
        "who_differs": evidence_words.who_differs(study),
        "compatibility": evidence_tables.compatibility_lines(study),
        "parity": evidence_tables.parity_lines(study),
        "trusted": evidence_tables.trust_lines(study),
        "noise": evidence_tables.noise_lines(study),
        "noise_sources": list(SOURCES.values()),
        "against_noise": evidence_tables.against_noise_lines(study),
        "settings": evidence_tables.settings_lines(study),
        "distances": evidence_tables.distance_lines(study),
        "faithfulness": evidence_tables.faithfulness_lines(study),
        "faithfulness_labels": list(evidence_tables.FAITHFULNESS.values()),
        "stability": evidence_tables.stability_lines(study),
        "stability_labels": list(evidence_tables.STABILITY.values()),
        "truth": _truth_words(study),
        "noise_figure": evidence_figures.noise_figure(study),
        "errors_figure": evidence_figures.errors_figure(study),
        "components_figure": evidence_figures.components_figure(study),
        "sanity_figure": evidence_figures.sanity_figure(study),
        "causes": [_causes(study, found) for found in study.harmony.disagreements],
    }


def _causes(study: Study, found: Disagreement) -> dict[str, Any]:
    pair = f"{phrases.method_label(found.method)} and {phrases.method_label(found.other_method)}"
    return {
        "place": [model.name for model in study.models].index(found.model),
        "model": found.model,
        "title": pair,
        "sentence": evidence_words.cause_sentence(found),
        "figure": evidence_figures.causes_figure(found),
        "lines": evidence_tables.cause_lines(found),
    }


def _truth_words(study: Study) -> str:
    truths = study.harmony.ground_truths.values()
    if all(explainers.method(truth.method).IS_RANDOM is False for truth in truths):
        return "by trying every combination of columns: they are exact"
    error = phrases.percent(max(error_of(truth) for truth in truths))
    still = max(int(truth.unvaried.sum()) for truth in truths)
    unseen = f" (for up to {still} of them none of the samples varied, which is no proof of an error of 0)" if still else ""
    return (
        "by chosen combinations of columns for every reference row, all of them where these are few: "
        f"their own standard error, in the median over people, is at most {error} of their length for any model{unseen}"
    )


def _person(study: Study, chosen: Any) -> dict[str, Any]:
    alone = [study.on_panel(study.main, m)[chosen.position] for m in study.methods_of(study.main)]
    header, lines = tables.person_lines(study, chosen.position, top_features(alone, len(study.case.schema)))
    return {
        "story": words.story(study, chosen),
        "waterfalls": figures.waterfalls_figure(study, chosen),
        "contrast": figures.contrast_figure(study, chosen),
        "header": header,
        "lines": lines,
    }
