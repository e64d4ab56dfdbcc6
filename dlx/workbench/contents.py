"""What the interface holds: columns, models, people and what is known of them, as plain JSON; and whose rows are in it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from dlx import explainers
from dlx.audit.fairness.groups import compared
from dlx.audit.mispredictions import decisions_of, error_tree, predictions_of
from dlx.background import sample
from dlx.comparison.causes import CAUSES, SETTINGS
from dlx.context import RunContext
from dlx.dataset import Dataset
from dlx.errors import DlxError
from dlx.explanation import Explanation
from dlx.model import Model, Scale
from dlx.plots.looks import MODEL_COLOURS, method_label
from dlx.schema import Target
from dlx.threads import one_thread
from dlx.workbench.columns import columns_of
from dlx.workbench.writing import CannotBeWritten, packed, written

if TYPE_CHECKING:
    import pandas as pd

    from dlx.audit.mispredictions.slicing import Condition

MOST_PEOPLE = 2_000  # in a page; of more test rows, a sample
Words = Sequence[Mapping[str, Any]]
MOST_OF_CLASSES = 2_000_000  # characters that a page holds of classes which it does not tell of
ALIGNED = {name: CAUSES[name] for name in SETTINGS}
SHORT = 32_767  # the largest of the whole numbers that contributions are kept as


def holding(context: RunContext) -> dict[str, int]:
    """Return how many rows of people a book holds: `people` to be looked up, `of` the test rows; `background`; all `rows`."""
    people = len(_people(context))
    background = len(context.background) if people else 0
    return {"people": people, "of": len(context.case.test), "background": background, "rows": people + background}


def book(context: RunContext, tables: Mapping[str, pd.DataFrame], words: Words = ()) -> dict[str, Any]:
    """Return everything that the interface shows, as JSON holds it.

    Whose rows are in it is said by `RunContext.people_in_page`: nobody's ("0"), and then no background and no model either;
    those of the people whom the page tells of by name ("featured"); or all test rows ("all"), of more than 2,000 a
    sample that begins with the explained ones.

    Parameters
    ----------
    context : RunContext
        The case, its models, and what was explained of its people.
    tables : mapping of str to DataFrame
        Tables of sections that were told: "panel_reasons", "recourse_changes", "alignment".
    words : sequence of dict
        Terms that the interface explains: {"name", "also", "means"}.
    """
    people = _people(context)
    explained = (*context.explanations.values(), *context.brought) if len(people) else ()
    known = {
        "explanations": [_explanation(one, people) for one in explained],
        "reasons": _by_person(tables.get("panel_reasons"), people, "row"),
        "ways": ways_of(tables.get("recourse_changes"), people),
        "alignment": {"words": ALIGNED, "pairs": aligned_distances(tables.get("alignment"))},
        "words": [*words],
    }
    background = context.background[: len(context.background) if len(people) else 0]
    of_class = _of_class(context, people, as_data) | known
    return _common(context, people, background) | of_class | {"classes": _classes(context, people)}


def served_book(context: RunContext, people: Dataset, words: Words = ()) -> dict[str, Any]:
    """Return what the interface shows of some people at first where a server answers all that is asked."""
    names = None if context.case.several is None else {"others": {}} | _named(context, context.case.several)
    said = {"classes": names, "words": [*words], "alignment": {"words": ALIGNED, "pairs": []}}
    return _common(context, people, context.background) | served_part(context, people) | said


def served_part(context: RunContext, people: Dataset) -> dict[str, Any]:
    """Return the part of `served_book` that differs from class to class."""
    return _of_class(context, people, lambda model: {"methods": _methods(model)})


def context_of_class(context: RunContext, level: str) -> RunContext:
    """Return the context of another of several classes, with those of its models that answer for it."""
    models = list[Model]()
    for model in context.models:
        with contextlib.suppress(DlxError):  # it answers for one class alone
            models.append(model.of(level))
    of_it = {name: getattr(context, name).of_class(level) for name in ("case", "people", "background")}
    return replace(context, models=tuple(models), brought=(), _known={}, **of_it)


def _classes(context: RunContext, people: Dataset) -> dict[str, Any] | None:
    """Return what a page holds of the classes that it does not tell of, as many as there is room for; None without several."""
    several = context.case.several
    if several is None:
        return None
    named, others, room = _named(context, several), dict[str, Any](), MOST_OF_CLASSES
    for level, name in zip(several.levels, several.level_labels, strict=True):
        if name == named["told"] or not len(people):
            continue
        of_it = context_of_class(context, level)
        if not of_it.models:
            continue
        part = _of_class(of_it, people.of_class(level), as_data)
        room -= len(json.dumps(part))
        if room < 0:
            break
        others[name] = part
    return named | {"names": [name for name in named["names"] if name in others or name == named["told"]], "others": others}


def _named(context: RunContext, several: Target) -> dict[str, Any]:
    told = several.level_labels[several.levels.index(context.case.schema.target.levels[1])]
    return {"label": several.label, "names": list(several.level_labels), "told": told}


def _of_class(context: RunContext, people: Dataset, tell: Callable[[Model], dict[str, Any]]) -> dict[str, Any]:
    """Return what a book holds of a target: its words, the models' answers and what else is told of them, what happened."""
    target = context.case.schema.target
    words = {name: getattr(target, name) for name in ("kind", "label", "person", "event", "risk", "flagged", "cleared", "unit")}
    words |= {"threshold": target.threshold, "reason": target.threshold_reason, "adverse_action": target.adverse_action}
    words["output"] = "prediction" if target.is_value else "probability" if context.case.several else "risk"
    if target.is_value:
        words["range"] = ":".join(f"{end:.10g}" if np.isfinite(end) else "" for end in context.wanted)
    models = []
    for place, model in enumerate(context.models):
        predicted = packed(model.predict(people, answered_on(model)) if len(people) else [], np.float64)
        said = {"name": model.name, "scales": list(model.scales), "colour": MODEL_COLOURS[place % len(MODEL_COLOURS)]}
        models.append(said | {"predictions": predicted, "errors": _errors(context, model)} | tell(model))
    outcomes = None if people.outcomes is None else packed(people.outcomes, np.float64)
    of_target = {"target": words, "models": models, "main": context.main.name, "outcomes": outcomes}
    return of_target | {"explanations": [], "reasons": {}, "ways": {}}


def _errors(context: RunContext, model: Model) -> list[dict[str, Any]]:
    """Return the nodes of a model's error tree, grown on the validation rows."""
    rows = context.case.validation
    if rows.outcomes is None or not len(rows):
        return []
    judged = predictions_of if context.case.schema.target.is_value else decisions_of
    with one_thread():
        return [{"above": node.above, "split": _split(node.split)} for node in error_tree(judged(model, rows))]


def _split(split: Condition | None) -> dict[str, Any] | None:
    if split is None:
        return None
    ends = {name: getattr(split, name) if np.isfinite(getattr(split, name)) else None for name in ("low", "high")}
    return ends | {"column": split.position, "levels": list(split.levels), "missing": split.missing, "words": split.words}


def _common(context: RunContext, people: Dataset, background: Dataset) -> dict[str, Any]:
    """Return what a book holds of a case and of people, whoever answers."""
    return {
        "case": {"name": context.case.name, "title": context.case.card.title or context.case.name},
        "columns": columns_of(context),
        "people": _of_people(context, people),
        "background": packed(background.rows, np.float64),
    }


def _people(context: RunContext) -> Dataset:
    """Return whose rows are in a book: the explained people first."""
    whom = context.people_in_page
    if whom != "all":
        return context.people[: len(context.featured) if whom == "featured" else 0]
    test, known = context.case.test, set(context.people.index.tolist())
    others = test[np.array([name not in known for name in test.index.tolist()], dtype=bool)]
    chosen = [*context.people.index.tolist(), *sample(others, MOST_PEOPLE - len(known), seed=context.seed).index.tolist()]
    place = {name: i for i, name in enumerate(test.index.tolist())}
    return test[np.array([place[name] for name in chosen], dtype=int)]


def _of_people(context: RunContext, people: Dataset) -> dict[str, Any]:
    names, told = people.index.tolist(), dict(zip(context.people.index.tolist(), context.featured, strict=False))
    parted = [part for part in compared(context.case) if not part.objection]
    groups = [{"label": one.label, "names": list(one.groups), "of": packed(one.codes(people), np.int32)} for one in parted]
    return {
        "names": [str(name) for name in names],
        "rows": packed(people.rows, np.float64),
        "told": {str(name): key for name, key in told.items() if name in names},
        "groups": groups,
        "weights": None if people.weights is None else packed(people.weights, np.float64),
    }


def answered_on(model: Model) -> Scale:
    """Return the scale on which answers are told: probabilities, or the values of a regression."""
    return "value" if model.scales[0] == "value" else "probability"


def as_data(model: Model) -> dict[str, Any]:
    """Return the model itself as data, or why that cannot be."""
    try:
        return {"written": written(model), "why": ""}
    except CannotBeWritten as error:
        return {"written": None, "why": str(error)}


def _methods(model: Model) -> list[dict[str, Any]]:
    """Return the methods that take a model, its best Shapley values first, with the words of each."""
    first = explainers.best_shapley(model, model.scales[0])
    names = [first, *(name for name in explainers.by_preference(explainers.names_for(model)) if name != first)]
    return [{"value": name, "words": explainers.method(name).LABEL} | _facts_of(name) for name in names]


def _facts_of(method: str) -> dict[str, Any]:
    """Return what the interface asks of a method: nothing of one that is another tool's."""
    if method not in explainers.names():
        return {"is_shapley": False, "is_random": False, "shown_as": ""}
    facts = explainers.method(method)
    shown_as = "orders" if facts.IS_SHAPLEY else getattr(facts, "SHOWN_AS", "")
    return {"is_shapley": bool(facts.IS_SHAPLEY), "is_random": bool(facts.IS_RANDOM), "shown_as": shown_as}


def _explanation(one: Explanation, people: Dataset) -> dict[str, Any]:
    """Return contributions as whole numbers times a unit, of the people whom they are of, by their places."""
    place = {name: i for i, name in enumerate(people.index.tolist())}
    kept = [i for i, name in enumerate(one.index.tolist()) if name in place and i not in one.failures]
    values = one.values[kept]
    unit = float(np.abs(values).max(initial=0)) / SHORT or 1.0
    said = {"model": one.model, "method": one.method, "label": method_label(one.method), "scale": one.scale, "unit": unit}
    said |= _facts_of(one.method)
    said |= {"of": packed([place[one.index[i]] for i in kept], np.int32), "base": packed(one.base_values[kept], np.float32)}
    return said | {"values": packed(np.round(values / unit), np.int16)}


def _by_person(table: pd.DataFrame | None, people: Dataset, key: str) -> dict[str, list[dict[str, Any]]]:
    """Return the lines of a table by the name of the person; of nobody who is not in the book."""
    known, found = set(map(str, people.index.tolist())), dict[str, list[dict[str, Any]]]()
    for line in [] if table is None else table.to_dict("records"):
        if (name := str(line.pop(key))) in known:
            found.setdefault(name, []).append({k: v.item() if hasattr(v, "item") else v for k, v in line.items()})
    return found


def ways_of(table: pd.DataFrame | None, people: Dataset) -> dict[str, list[dict[str, Any]]]:
    """Return ways out by person: the model, the codes that change, and the answer then."""
    found: dict[str, list[dict[str, Any]]] = {}
    for name, lines in _by_person(table, people, "person").items():
        answer = "new_risk" if "new_risk" in lines[0] else "new_prediction"
        ways: dict[tuple[Any, Any], dict[str, Any]] = {}
        for line in lines:
            way = ways.setdefault((line["model"], line["counterfactual"]), {"model": line["model"], "risk": line[answer]})
            way.setdefault("changes", {})[line["column"]] = line["code"]
        found[name] = list(ways.values())
    return found


def aligned_distances(table: pd.DataFrame | None) -> list[dict[str, Any]]:
    """Return pairs of methods, with their distances for each combination of settings that was measured with these aligned.

    `table` is that of `dlx.comparison.one_by_one`, or of `Disagreement.by_setting`, which has every combination.
    """
    found: list[dict[str, Any]] = []
    pairs = ["model", "method", "other_method", "settings"]
    for (model, *methods, names), lines in [] if table is None else table.groupby(pairs, sort=False):
        means = lines.pivot(index="aligned", columns="measure", values="mean")
        if means.isna().any(axis=None):
            continue
        labels = [method_label(method) for method in methods]
        pair = {"model": model, "labels": labels, "settings": names.split(), "k": int(lines["k"].iloc[0])}
        ends = {"placed": "placed differently", "top": "top differs"}
        distances = {name: means[measure].round(4).tolist() for name, measure in ends.items()}
        found.append(pair | {"aligned": means.index.tolist()} | distances | {"people": int(lines["people"].min())})
    return found
