"""The page: the study's words, figures and tables in one self-contained HTML file."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from dlx.reporting import figures, tables, words
from dlx.reporting.harmony import TOP
from dlx.reporting.study import KERNEL_COALITIONS, Study, top_features

HERE = Path(__file__).parent
LIBRARIES = ("dlx", "torch", "captum", "shap", "lime", "scikit-learn", "numpy", "pandas")


def render(study: Study, *, tables_folder: str, table_names: Sequence[str], command: str) -> str:
    """Return the page; `tables_folder` is where the CSV files `table_names` are, as seen from it."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    page: str = environment.get_template("page.html.j2").render(
        style=(HERE / "page.css").read_text(encoding="utf-8"),
        script=(HERE / "page.js").read_text(encoding="utf-8"),
        tables_folder=tables_folder,
        table_names=table_names,
        **_opening(study, command),
        **_sections(study),
    )
    return page


def _opening(study: Study, command: str) -> dict[str, Any]:
    case, target = study.case, study.case.schema.target
    return {
        "case": case,
        "card": case.card,
        "target": target,
        "person": words.article(target.person),
        "title": case.card.title or case.name,
        "findings": words.findings(study),
        "main": words.model_words(study.main),
        "other": words.model_words(study.other) if study.other is not None else "",
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
            "coalitions": KERNEL_COALITIONS,
        },
        "threshold": words.threshold_percent(target),
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
        "agreement": tables.agreement_lines(study),
        "top": min(TOP, len(study.case.schema)),
        "importance_figure": figures.importance_figure(study),
        "beeswarm_figure": figures.beeswarm_figure(study),
        "methods_figure": figures.methods_figure(study),
        "models_figure": figures.models_figure(study),
        "effects_figure": figures.effects_figure(study),
        "people": [_person(study, chosen) for chosen in study.chosen],
    }


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
