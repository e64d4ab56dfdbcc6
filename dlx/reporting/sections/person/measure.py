"""What the section measures: of each featured person, what the models say and which reasons enough methods share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from dlx import explainers
from dlx.comparison import Consensus, Contrast, consensus, contrast
from dlx.comparison.trustworthiness import AGREEING_SHARE
from dlx.context import RunContext
from dlx.dataset import Dataset
from dlx.explanation import Explanation
from dlx.model import Model
from dlx.plots import method_label
from dlx.reporting.diagnostics import diagnosed
from dlx.reporting.phrases import says
from dlx.reporting.sections import Measured

TITLE, PLACE, TASKS = "One person", 40, ("binary", "regression")
COVERS = {"person": "featured"}
REASONS = 4  # each way
FEWEST_ALIKE = 20  # test people of much the same prediction
DIFFERENCES = 3  # columns by which two models differ


@dataclass(frozen=True, eq=False)
class About:
    """What stands behind the numbers."""

    explained: list[Explanation]  # of the panel: the main model by each method, then the other one's Shapley values
    counting: frozenset[str]  # methods whose word counts about the main model
    is_trusted: bool  # whether they earned trust; else nothing refutes them
    compared: Contrast | None  # why the two models differ about the panel
    disputed: Any  # the name of the row on which they differ most
    differs_by: list[str]  # the columns by which they differ most there
    grid: dict[str, str]  # the columns of the evidence, and which cells they show


def measure(context: RunContext) -> Measured:
    """Return what the models say of the featured people, why, and by what the models differ about them."""
    main, other, known, compared = context.main, context.other, diagnosed(context), None
    explained = context.shown_of(main)
    if other is not None:
        explained.append(shapley(context, other))
        if other.scales[0] == main.scales[0]:
            compared = contrast(shapley(context, main), shapley(context, other))
    panel_reasons = [line for position in range(len(context.panel)) for line in reasons(context, position)]
    told_reasons = [line for i, key in enumerate(context.featured) for line in reasons(context, i, key=key)]
    tables = {
        "people": _people(context),
        "featured": pd.DataFrame([_featured(i, key, context, compared) for i, key in enumerate(context.featured)]),
        "person_reasons": pd.DataFrame(told_reasons),
        "panel_reasons": pd.DataFrame(panel_reasons),
        "contributions": pd.concat(
            [one.to_frame() for one in (*context.explanations.values(), *context.brought)], ignore_index=True
        ),
        "consensus": pd.DataFrame([line for model in context.shown for line in _consensus_lines(context, model)]),
        "_contributions": _contributions(context, explained),
        "contrast": pd.DataFrame() if compared is None else compared.to_frame(),
    }
    facts = {"agreeing_share": AGREEING_SHARE, "top": context.top, "threshold": context.case.schema.target.threshold}
    headers = [method_label(one.method) if one.model == main.name else one.model for one in explained]
    grid = {header: f"{i}: contribution|change" for i, header in enumerate(headers)}
    disputed, differs_by = None, list[str]()
    if compared is not None and "disputed" in context.featured:
        where = context.featured.index("disputed")
        largest = np.argsort(-np.abs(compared.values[where]), kind="stable")[:DIFFERENCES]
        disputed, differs_by = context.people.index[where], [context.case.schema.names[i] for i in largest]
    counting, shown = frozenset(known.believed(main)), {"Column": "label", "Value": "value"} | grid
    about = About(explained, counting, known.is_trusted(main), compared, disputed, differs_by, shown)
    return Measured(tables, facts, about)


def shapley(context: RunContext, model: Model) -> Explanation:
    """Return the Shapley values of a model on the panel: exact where one of its methods is."""
    return context.on_panel[model.name, explainers.best_shapley(model, model.scales[0], context.methods_of(model))]


def consensus_on(context: RunContext, model: Model, position: int) -> Consensus | None:
    """Return what the methods whose word counts say together of one person of the panel; None where there is none."""
    known = diagnosed(context)
    counting = [context.on_panel[model.name, method] for method in known.believed(model)]
    again = [*known.of(model, "background"), *known.of(model, "seed")]
    return consensus(counting, position, replicates=again, k=context.top) if counting else None


def reasons(context: RunContext, position: int, **said: Any) -> list[dict[str, Any]]:
    """Return a line for each column that enough methods put among a person's top ones, those of the largest share first.

    What moves the risk is `given` as a "reason", up to four each way; or it is "withheld" (a protected attribute or a stand-in
    for one, where the law regulates reasons), or for "review" (it raises the risk although its value speaks against that).
    """
    found = consensus_on(context, context.main, position)
    if found is None:
        return []
    lines = []
    for sign, moved in ((1, "raises"), (-1, "lowers")):
        known: set[str] = set()
        for line in _moving(context, found, position, sign):
            if line["given"] == "reason" and line["words"] in known:
                continue
            if len(known) == REASONS:
                break
            known |= {line["words"]} if line["given"] == "reason" else set()
            lines.append(said | {"row": context.panel.index[position], "moved": moved} | line)
    return lines


def _moving(context: RunContext, found: Consensus, position: int, sign: int) -> Iterator[dict[str, Any]]:
    """Yield the columns that move a person's risk up (1) or down (-1), as lines."""
    schema, rules, never = context.case.schema, None, frozenset[str]()
    level = dict(zip(found.order, np.cumsum([0, *found.settled]).tolist(), strict=True))  # the same within noise
    if not schema.target.is_value:  # of which no side is the bad one
        rules = context.reason_rules
        never = rules.grouping.withheld if schema.target.adverse_action else never
    for i in np.argsort(-sign * found.share, kind="stable").tolist():
        feature, code = schema.features[i], float(context.panel.rows[position, i])
        if sign * found.share[i] <= 0:
            return
        if found.is_reason(i):
            is_against, words = False, feature.label
            if rules is not None and sign > 0:
                is_against, words = rules.goes_against(i, code), rules.words(i, code)
            value = feature.format(code)
            yield {
                "given": "withheld" if feature.name in never else "review" if is_against else "reason",
                **{"column": feature.name, "label": feature.label, "value": value, "words": words},
                **{"words_say_value": says(words, value), "share": found.share[i]},
                **{"support": int(found.support[i]), "methods": found.methods, "level": level[i]},
            }


def _featured(position: int, key: str, context: RunContext, compared: Contrast | None) -> dict[str, Any]:
    """Return what the models say of a person, how far methods agree, and by how much the models differ."""
    one, found = context.people[position], consensus_on(context, context.main, position)
    line: dict[str, Any] = {"key": key, "row": str(one.index[0])}
    if one.outcomes is not None:
        line["outcome"] = one.outcomes[0]
    for who, model in zip(("", "other_"), context.shown, strict=False):
        line |= {f"{who}model": model.name} | {f"{who}{what}": said for what, said in _answer(context, model, one).items()}
    line["methods"] = 0 if found is None else found.methods
    if found is not None:
        labels = context.case.schema.labels
        line |= {"first": labels[found.order[0]], "first_votes": found.first_votes}
        again = diagnosed(context).of(context.main, "background")
        is_known = bool(again) and position < len(again[0].of) and len(found.order) > 1
        line |= {"next": labels[found.order[1]] if is_known else ""}
        line |= {"is_settled": is_known and found.settled[0]}
    if compared is not None:
        line |= {"difference": compared.outputs[position], "base_difference": compared.base_values[position]}
        line["distance"] = abs(line["difference"])
        line["columns_difference"] = compared.values[position].sum()
    return line


def _answer(context: RunContext, model: Model, one: Dataset) -> dict[str, Any]:
    """Return what a model says of one person: the risk and the decision, or the value and how far it is off."""
    if not context.case.schema.target.is_value:
        return {"risk": float(model.predict(one, "probability")[0]), "flagged": bool(model.decide(one)[0])}
    predicted, test = float(model.predict(one, "value")[0]), context.case.test
    if one.outcomes is None or test.outcomes is None:
        return {"predicted": predicted}
    every, error = model.predict(test, "value"), predicted - float(one.outcomes[0])
    near = np.argsort(np.abs(every - predicted), kind="stable")[: max(FEWEST_ALIKE, len(test) // 10)]
    low, high = np.quantile(test.outcomes[near] - every[near], (0.1, 0.9))  # of the errors of people predicted most alike
    return {
        **{"predicted": predicted, "error": error, "off": abs(error)},
        **{"likely_low": predicted + float(low), "likely_high": predicted + float(high), "alike": len(near)},
    }


def _people(context: RunContext) -> pd.DataFrame:
    people, told = context.people, [*context.featured, *[""] * len(context.people)]
    table = pd.DataFrame({"row": people.index, "told_as": told[: len(people)]})
    if people.outcomes is not None:
        table["outcome"] = people.outcomes
    target = context.case.schema.target
    what = "value" if target.is_value else "risk"
    return table.assign(**{f"{what}_by_{model.name}": model.predict(people, target.scale) for model in context.models})


def _contributions(context: RunContext, explained: Sequence[Explanation]) -> pd.DataFrame:
    """Return the contributions to each featured person's prediction, the columns of the largest mean share first."""
    found = [pd.DataFrame()]
    for position, key in enumerate(context.featured):
        alone = [one[[position]] for one in explained]
        order = by_share(alone)
        found += [one.to_frame().iloc[order].assign(person=key, pair=str(i)) for i, one in enumerate(alone)]
    return pd.concat(found, ignore_index=True)


def by_share(explained: Sequence[Explanation]) -> list[int]:
    """Return the columns in the order of their mean share of the importance over some explanations, the largest first."""
    shares = [one.importance / max(one.importance.sum(), 1e-300) for one in explained]
    return np.argsort(-np.mean(shares, axis=0), kind="stable").tolist()


def _consensus_lines(context: RunContext, model: Model) -> list[dict[str, Any]]:
    """Return a line a person: what the methods whose word counts put first, how many do, and which columns they share."""
    names, lines = context.case.schema.names, []
    for position, row in enumerate(context.panel.index):
        found = consensus_on(context, model, position)
        line: dict[str, Any] = {"model": model.name, "row": row, "methods": 0}
        if found is not None:
            shared = [i for i in found.order if found.is_reason(i)]
            line |= {"methods": found.methods, "first": names[found.order[0]], "first_votes": found.first_votes}
            line |= {"kept_order": found.kept_order[0] if found.kept_order else np.nan}
            line |= {"raises": " ".join(names[i] for i in shared if found.share[i] > 0)}
            line |= {"lowers": " ".join(names[i] for i in shared if found.share[i] < 0)}
        lines.append(line)
    return lines
