"""What the interface holds: columns, models, people and what is known of them, as plain JSON; and whose rows are in it."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dlx import explainers
from dlx.audit.adverse_action import ReasonRules, grouping
from dlx.audit.counterfactuals.action_set import ActionSet, RecourseError, ValueFormat
from dlx.audit.fairness.groups import compared
from dlx.background import sample
from dlx.context import RunContext
from dlx.dataset import Dataset
from dlx.explanation import Explanation
from dlx.model import Model, Scale
from dlx.plots.looks import MODEL_COLOURS
from dlx.schema import Feature
from dlx.workbench.writing import CannotBeWritten, written

if TYPE_CHECKING:
    import pandas as pd

MOST_PEOPLE = 2_000  # in a page; of more test rows, a sample
ALIGNED = {  # settings of `dlx.comparison.causes`, as somebody reads them who may align them
    "unit": "unit: contributions, not slopes of a surrogate",
    "scale": "scale: log-odds for both",
    "background": "background and baseline: the same people",
    "sampling": "sampling: no cut to ten columns, more samples",
    "grouping": "one-hot columns: put together again",
    "all": "everything: unit, scale, background, sampling and one-hot columns",
}
Words = Sequence[Mapping[str, Any]]
BARS = 24  # of a number's histogram
SHORT = 32_767  # the largest of the whole numbers that contributions are kept as


@dataclass(frozen=True)
class Holding:
    """How many people's rows a book holds: of those who can be looked up, and of those whom everybody is compared with."""

    people: int
    of: int  # test rows that there are
    background: int

    @property
    def rows(self) -> int:
        """How many rows of people there are in all."""
        return self.people + self.background


def holding(context: RunContext) -> Holding:
    """Return how many people's rows a book of the context holds."""
    people = _people(context)
    return Holding(len(people), len(context.case.test), len(context.background) if len(people) else 0)


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
        Tables of sections that were told: "panel_reasons", "recourse_changes", "alignment", "library_defaults".
    words : sequence of dict
        Terms that the interface explains: {"name", "also", "means"}.
    """
    people = _people(context)
    explained = [_explanation(one, people) for one in _explanations(context)] if len(people) else []
    known = {
        "reasons": _by_person(tables.get("panel_reasons"), people, "row"),
        "ways": _ways(tables.get("recourse_changes"), people),
        "alignment": {"words": ALIGNED, "pairs": aligned_distances(tables)},
        "words": [*words],
    }
    background = context.background[: len(context.background) if len(people) else 0]
    models = [_model(model, place, people) | as_data(model) for place, model in enumerate(context.models)]
    return _common(context, people, background) | {"models": models, "explanations": explained} | known


def served_book(context: RunContext, people: Dataset, words: Words = ()) -> dict[str, Any]:
    """Return what the interface shows of some people at first where a server answers all that is asked."""
    models = [_model(model, place, people) | {"methods": _methods(model)} for place, model in enumerate(context.models)]
    held = _common(context, people, context.background)
    return held | {"models": models, "explanations": [], "reasons": {}, "ways": {}, "words": [*words]}


def _common(context: RunContext, people: Dataset, background: Dataset) -> dict[str, Any]:
    """Return what a book holds of a case and of people, whoever answers."""
    target = context.case.schema.target
    words = {name: getattr(target, name) for name in ("kind", "label", "person", "event", "risk", "flagged", "cleared", "unit")}
    words |= {"threshold": target.threshold, "reason": target.threshold_reason, "adverse_action": target.adverse_action}
    words["output"] = "prediction" if target.is_value else "probability" if context.case.several else "risk"
    return {
        "case": {"name": context.case.name, "title": context.case.card.title or context.case.name},
        "target": words,
        "columns": _columns(context),
        "main": context.main.name,
        "people": _of_people(context, people),
        "background": packed(background.rows, np.float64),
    }


def packed(array: Any, dtype: Any) -> dict[str, Any]:
    """Return an array as JSON holds it: its type, its shape, and its bytes in base64, little-endian."""
    kept = np.ascontiguousarray(array, dtype=np.dtype(dtype).newbyteorder("<"))
    return {"dtype": kept.dtype.str[1:], "shape": list(kept.shape), "data": base64.b64encode(kept.tobytes()).decode()}


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
    names, told = people.index.tolist(), {context.people.index[one.position]: one.key for one in context.featured}
    parted = [part for part in compared(context.case) if not part.objection]
    groups = [{"label": one.label, "names": list(one.groups), "of": packed(one.codes(people), np.int32)} for one in parted]
    return {
        "names": [str(name) for name in names],
        "rows": packed(people.rows, np.float64),
        "outcomes": None if people.outcomes is None else packed(people.outcomes, np.float64),
        "told": {str(name): key for name, key in told.items() if name in names},
        "groups": groups,
    }


def _columns(context: RunContext) -> list[dict[str, Any]]:
    train, schema = context.case.train, context.case.schema
    form, rules = ValueFormat.of(train), ReasonRules.of(schema, grouping(train), context.background)
    withheld = rules.grouping.withheld if schema.target.adverse_action else frozenset()
    try:
        actions = {action.column: action for action in ActionSet.of(train).actions}
    except RecourseError:  # nothing can be changed
        actions = {}
    found = []
    for i, feature in enumerate(schema.features):
        said = {name: getattr(feature, name) for name in ("name", "label", "unit", "kind", "description", "protected", "date")}
        said |= {
            "levels": list(feature.level_labels),
            "spelled": list(feature.levels),
            "ordered": feature.ordered,
            "decimals": max(0, form.decimals[i]),
        }
        said |= {"missing": feature.missing_label if feature.missing else None}
        said |= {"special": [[float(code), words] for code, words in feature.special.items()]}
        said |= {"actionable": feature.actionable, "direction": feature.direction, "withheld": feature.name in withheld}
        said |= {"bounds": [b if np.isfinite(b) else None for b in feature.bounds], "follows": list(feature.derived_from)}
        said |= {
            "forbidden": {str(code): codes for code in range(len(feature.levels)) if (codes := feature.forbidden_from(code))}
        }
        said |= {"farthest": float(actions[i].farthest) if i in actions and np.isfinite(actions[i].farthest) else None}
        found.append(said | _spread(feature, train.rows[:, i]) | {"words": _words(rules, i, train.rows[:, i])})
    return found


def _spread(feature: Feature, column: np.ndarray) -> dict[str, Any]:
    """Return where the training rows lie: counts of levels, or of bins between two ends; and of what is beside."""
    beside = np.bincount(feature.beside(column), minlength=1 + len(feature.labels_beside))[1:].tolist()
    known = column[feature.beside(column) == 0]
    if feature.is_categorical:
        return {"counts": np.bincount(known.astype(int), minlength=len(feature.levels)).tolist(), "beside": beside}
    if not len(known):
        return {"low": 0.0, "high": 0.0, "counts": [], "beside": beside}
    counts, edges = np.histogram(known, BARS)
    return {
        "low": float(known.min()),
        "high": float(known.max()),
        "middle": float(np.quantile(known, 0.5, method="nearest")),
        "edges": edges.tolist(),
    } | {
        "counts": counts.tolist(),
        "beside": beside,
    }


def _words(rules: ReasonRules, column: int, codes: np.ndarray) -> list[list[Any]]:
    """Return the words of an adverse reason by value: [code, words, goes against], of levels, or of a number from code on."""
    feature = rules.schema.features[column]
    places = np.arange(len(feature.levels), dtype=float) if feature.is_categorical else np.unique(codes[~np.isnan(codes)])
    found: list[list[Any]] = []
    for code in [*places.tolist(), *([np.nan] if feature.missing else [])]:
        line = [None if np.isnan(code) else code, rules.words(column, code), rules.goes_against(column, code)]
        if not found or feature.is_categorical or line[0] is None or found[-1][1:] != line[1:]:
            found.append(line)
    return found


def _model(model: Model, place: int, people: Dataset) -> dict[str, Any]:
    said = {"name": model.name, "scales": list(model.scales), "colour": MODEL_COLOURS[place % len(MODEL_COLOURS)]}
    return said | {"predictions": packed(model.predict(people, answered_on(model)) if len(people) else [], np.float64)}


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
    facts = [(name, explainers.method(name)) for name in names]
    return [{"value": name, "words": one.LABEL, "is_shapley": bool(one.IS_SHAPLEY)} for name, one in facts]


def _explanations(context: RunContext) -> list[Explanation]:
    return [*context.explanations.values(), *context.brought]


def _explanation(one: Explanation, people: Dataset) -> dict[str, Any]:
    """Return contributions as whole numbers times a unit, of the people whom they are of, by their places."""
    place = {name: i for i, name in enumerate(people.index.tolist())}
    kept = [i for i, name in enumerate(one.index.tolist()) if name in place and i not in one.failures]
    values = one.values[kept]
    unit = float(np.abs(values).max(initial=0)) / SHORT or 1.0
    label = explainers.method(one.method).LABEL if one.method in explainers.names() else one.method
    said = {"model": one.model, "method": one.method, "label": label, "scale": one.scale, "unit": unit}
    said |= {"is_shapley": one.method in explainers.names() and bool(explainers.method(one.method).IS_SHAPLEY)}
    said |= {"of": packed([place[one.index[i]] for i in kept], np.int32), "base": packed(one.base_values[kept], np.float32)}
    return said | {"values": packed(np.round(values / unit), np.int16)}


def _by_person(table: pd.DataFrame | None, people: Dataset, key: str) -> dict[str, list[dict[str, Any]]]:
    """Return the lines of a table by the name of the person; of nobody who is not in the book."""
    known, found = set(map(str, people.index.tolist())), dict[str, list[dict[str, Any]]]()
    for line in [] if table is None else table.to_dict("records"):
        if (name := str(line.pop(key))) in known:
            found.setdefault(name, []).append({k: v.item() if hasattr(v, "item") else v for k, v in line.items()})
    return found


def _ways(table: pd.DataFrame | None, people: Dataset) -> dict[str, list[dict[str, Any]]]:
    """Return ways out by person: the model, the codes that change, and the risk then."""
    found: dict[str, list[dict[str, Any]]] = {}
    for name, lines in _by_person(table, people, "person").items():
        ways: dict[tuple[Any, Any], dict[str, Any]] = {}
        for line in lines:
            way = ways.setdefault((line["model"], line["counterfactual"]), {"model": line["model"], "risk": line["new_risk"]})
            way.setdefault("changes", {})[line["column"]] = line["code"]
        found[name] = list(ways.values())
    return found


def aligned_distances(tables: Mapping[str, pd.DataFrame]) -> list[dict[str, Any]]:
    """Return pairs of methods, with their distances in every combination of settings: bit i of a place is setting i, aligned.

    Where only the ends were measured, as libraries come and all aligned, these are the only two.
    """
    table, settings = tables.get("alignment"), tables.get("library_defaults")
    if table is None and settings is not None:
        known = settings[settings["measure"].isin(["placed differently", "feature_agreement"])]
        is_top = known["measure"] == "feature_agreement"
        table = known.assign(
            measure=np.where(is_top, "top differs", known["measure"]),
            mean=np.where(is_top, 1 - known["mean"], known["mean"]),
            settings="all",
            aligned=np.where(known["setting"] == "aligned", "all", ""),
        )
    found: list[dict[str, Any]] = []
    pairs = ["model", "method", "other_method", "settings"]
    for (model, *methods, names), lines in [] if table is None else table.groupby(pairs, sort=False):
        means = lines.pivot(index="aligned", columns="measure", values="mean")
        if means.isna().any(axis=None):
            continue
        switches = names.split()
        aligned = [" ".join(name for i, name in enumerate(switches) if place >> i & 1) for place in range(2 ** len(switches))]
        labels = [explainers.method(method).LABEL for method in methods]
        pair = {"model": model, "labels": labels, "switches": switches, "k": int(lines["k"].iloc[0])}
        ends = {"placed": "placed differently", "top": "top differs"}
        distances = {name: means.loc[aligned, measure].round(4).tolist() for name, measure in ends.items()}
        found.append(pair | distances | {"people": int(lines["people"].min())})
    return found
