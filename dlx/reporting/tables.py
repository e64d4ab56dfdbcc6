"""Every number of the page as a table: written beside it as CSV, and the short ones shown on it."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from dlx import explainers
from dlx.files import csv_text, recover, write_together
from dlx.reporting.effects.section import effects_tables
from dlx.reporting.evidence.tables import evidence_tables
from dlx.reporting.phrases import contribution, interval, method_label, model_words, share, spaced, three_decimals
from dlx.reporting.study import Study

if TYPE_CHECKING:
    import pandas as pd

METRIC_LABELS = {
    "auc": "ROC AUC",
    "average_precision": "Average precision",
    "brier": "Brier score",
    "log_loss": "Log loss",
}


def tables(study: Study) -> dict[str, pd.DataFrame]:
    """Return all tables by the name of their file."""
    import pandas as pd

    compared = [c for model in study.models if (c := study.methods_compared(model)) is not None]
    across = study.models_compared()
    contrast = study.contrast()
    found = {
        "performance": study.performance,
        "methods": _methods(study),
        "people": _people(study),
        "importance": pd.concat([study.importance(model) for model in study.models], ignore_index=True),
        "contributions": pd.concat([e.to_frame() for e in study.explanations.values()], ignore_index=True),
    }
    if compared:
        found["agreement"] = pd.concat([c.agreement(study.top) for c in compared], ignore_index=True)
        found["agreement_by_person"] = pd.concat([c.agreement_by_row(study.top) for c in compared], ignore_index=True)
    if across is not None:
        found["agreement_of_models"] = across.agreement(study.top)
    if contrast is not None:
        found["contrast"] = contrast.to_frame()
    return found | effects_tables(study.effects, seed=study.seed) | evidence_tables(study)


def folder_of(page: Path) -> Path:
    """Return the folder of a page's tables."""
    return page.with_name(f"{page.stem}-tables")


def write_page(page: Path, text: str, found: Mapping[str, pd.DataFrame], more: Mapping[Path, str]) -> None:
    """Write a page, other pages and the folder of its tables, each a CSV of its name, both or neither.

    The folder is the page's own: the tables that the page before links to go with it, and without such a page all that are
    CSV. Whatever else stands there stays.
    """
    recover(page)
    folder, linked = folder_of(page), None
    if page.is_file():
        before = page.read_text(encoding="utf-8", errors="replace")
        linked = set(map(html.unescape, re.findall(rf'"{re.escape(html.escape(folder.name))}/([^"/]+)"', before)))

    def is_ours(path: Path) -> bool:
        return path.suffix == ".csv" if linked is None else path.name in linked

    write_together(
        {page: text, **more, folder: {f"{name}.csv": csv_text(table) for name, table in found.items()}}, ours=is_ours
    )


def performance_lines(study: Study) -> list[list[str]]:
    """Return a line a model: its name, what it is, and each metric with its interval."""
    lines = []
    for model in study.models:
        table = study.performance[study.performance["model"] == model.name].set_index("metric")
        cells = [interval(line.estimate, line.low, line.high, three_decimals) for line in table.itertuples()]
        lines.append([model.name, model_words(model).removeprefix("the ").split(" (")[0], *cells])
    base = study.performance[study.performance["model"] == study.models[0].name]
    lines.append(["none", "the share of positives for everybody", *map(three_decimals, base["reference"])])
    return lines


def decision_lines(study: Study) -> list[list[str]]:
    """Return a line a model: whom it flags among the test rows at the threshold, and where that is wrong."""
    test = study.case.test
    assert test.outcomes is not None
    is_positive, lines = test.outcomes == 1, []
    for model in study.models:
        is_flagged = model.decide(test)
        counts = (is_flagged, is_flagged & ~is_positive, ~is_flagged & is_positive, is_flagged == is_positive)
        lines.append([model.name, *[f"{int(count.sum()):,}" for count in counts]])
    return lines


def method_lines(study: Study) -> list[list[str]]:
    """Return a line a method: what it answers, by which library, of whom, and whether it adds up."""
    lines = []
    for method in dict.fromkeys(method for _, method in study.explanations):
        made = {name: e for (name, m), e in study.explanations.items() if m == method}
        first = next(iter(made.values()))
        worst = max(float(abs(e.residuals).max()) for e in made.values())
        lines.append(
            [
                method_label(method),
                explainers.method(method).QUESTION,
                first.implementation,
                ", ".join(made),
                f"{len(first):,}",
                f"{spaced(first.promise)}; largest gap {worst:.1g}",
            ]
        )
    return lines


def agreement_lines(study: Study) -> list[list[str]]:
    """Return a line a model and pair of methods: the six metrics with their intervals."""
    metrics = (
        "feature_agreement",
        "rank_agreement",
        "sign_agreement",
        "signed_rank_agreement",
        "rank_correlation",
        "pairwise_rank_agreement",
    )
    lines, chance = [], {}
    for model in study.models:
        compared = study.methods_compared(model)
        if compared is None:
            continue
        table = compared.agreement(study.top).set_index(["method", "other_method", "metric"])
        for one, other in dict.fromkeys(zip(*(table.index.get_level_values(i) for i in (0, 1)), strict=True)):
            some = [table.loc[(one, other, metric)] for metric in metrics]
            chance = {metric: line["chance"] for metric, line in zip(metrics, some, strict=True)}
            cells = [interval(line["mean"], line["low"], line["high"], share, line["chance"]) for line in some]
            lines.append([model.name, f"{method_label(one)}, {method_label(other)}", *cells])
    if chance:
        lines.append(["any", "by chance", *[share(chance[metric]) for metric in metrics]])
    return lines


def person_lines(study: Study, position: int, features: list[str]) -> tuple[list[str], list[list[str]]]:
    """Return the header and a line a column: a person's value and each contribution, for some columns."""
    pairs = [(study.main, method) for method in study.methods_of(study.main)]
    if study.other is not None:
        pairs.append((study.other, study.shapley(study.other).method))
    header = ["Column", "Value", *[f"{model.name}: {method_label(method)}" for model, method in pairs]]
    lines = []
    for name in features:
        i = study.case.schema.position(name)
        feature = study.case.schema.features[i]
        cells = [contribution(study.on_panel(model, method).values[position, i]) for model, method in pairs]
        lines.append([feature.label, feature.format(study.people.rows[position, i]), *cells])
    return header, lines


def _methods(study: Study) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(
        [
            {
                "model": name,
                "method": method,
                "implementation": e.implementation,
                "scale": e.scale,
                "people": len(e),
                "background": len(study.background),
                "seed": e.seed,
                "options": e.options_words,
                "evaluations": e.evaluations,
                "promise": e.promise,
                "largest_residual": float(abs(e.residuals).max()),
                "mean_effect": float(abs(e.outputs - e.base_values).mean()),
            }
            for (name, method), e in study.explanations.items()
        ]
    )


def _people(study: Study) -> pd.DataFrame:
    import pandas as pd

    told = {one.position: one.key for one in study.chosen}
    table = pd.DataFrame({"row": study.people.index, "told_as": [told.get(i, "") for i in range(len(study.people))]})
    if study.people.outcomes is not None:
        table["outcome"] = study.people.outcomes
    for model in study.models:
        table[f"risk_by_{model.name}"] = model.predict(study.people, "probability")
    return table
