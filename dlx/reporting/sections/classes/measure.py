"""What the section measures: scores over all classes, the confusion between them, calibration of the class that is named."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from dlx.audit import performance
from dlx.audit.classes import class_rates, confusion_of_classes, top_label
from dlx.audit.miscalibration import Calibration
from dlx.context import RunContext
from dlx.dataset import Dataset
from dlx.errors import DlxError
from dlx.model import Model
from dlx.reporting.phrases import people_word, percent
from dlx.reporting.sections import Measured, joined
from dlx.stats import LEVEL, Interval, interval_of_mean

TITLE, PLACE, TASKS, PART = "The classes", 5, ("class",), "models"
COVERS = {"discrimination": "class_performance"}
MOST = 12  # classes in a figure
WORST = 10  # mistakes in a table


@dataclass(frozen=True, eq=False)
class About:
    """What stands behind the numbers."""

    people: str  # whom rows are about, as a plural
    models: list[str]  # that answer for all classes
    alone: dict[str, str]  # why others have no place here
    shown: list[str]  # the classes of the figure, by name
    calibrations: dict[str, Calibration]  # of the class that is named, by model; none of one without a curve


def measure(context: RunContext) -> Measured:
    """Return how well the models tell all classes apart on the test rows, and which they take for which."""
    test, seed = context.case.whole.test, context.seed
    assert test.outcomes is not None
    target, alone, told = test.schema.target, dict[str, str](), list[Model]()
    for model in context.models:
        try:
            model.probabilities(test[:2])
            told.append(model)
        except DlxError as error:
            alone[model.name] = str(error)
    counts = np.bincount(test.outcomes.astype(int), minlength=len(target.levels))
    facts: dict[str, float] = {"classes": len(target.levels), "test_rows": len(test), "certain": LEVEL, "shown": MOST}
    tables = {"class_counts": pd.DataFrame({"class": target.level_labels, "test_rows": counts})}
    if not told or (counts > 0).sum() < 2:
        return Measured(tables, facts, About(people_word(target), [], alone, [], {}))
    with context.narrator.step("Telling the classes apart", "models"):
        tables["class_performance"] = joined(performance(model, test, seed=seed) for model in told)
        tables["class_confusion"] = joined(confusion_of_classes(model, test) for model in told)
        rates = joined(class_rates(model, test) for model in told)
        tables["class_rates"] = rates.sort_values("class", key=lambda of: of.map(target.level_labels.index), kind="stable")
        tables["class_predictions"] = joined(_predictions(model, test) for model in told)
        found = {model.name: top_label(model, test, seed=seed) for model in told}
    named = {name: one for name, one in found.items() if one is not None and one.curve["observed"].notna().any()}
    right = tables["class_performance"].query("metric == 'accuracy'").set_index("model")[["estimate", "low", "high"]]
    lines = [_sureness(model, test, Interval(*right.loc[model.name]), found[model.name], seed) for model in told]
    tables["class_sureness"] = pd.DataFrame(lines)
    tables["class_curves"] = joined(one.curve.assign(model=name) for name, one in named.items())
    wrong = tables["class_confusion"].query("outcome != taken_for and count > 0")
    mistakes = wrong.sort_values("count", ascending=False, kind="stable").groupby("model", sort=False).head(WORST)
    tables["class_mistakes"] = mistakes.assign(is_most=~mistakes.duplicated("model"))
    tables["_class_rates"] = _shown_rates(tables["class_rates"])
    often = pd.concat([wrong["outcome"], wrong["taken_for"]]).value_counts()
    most = sorted(target.level_labels, key=lambda label: -often.get(label, 0))[:MOST]
    shown = [label for label in target.level_labels if label in most]
    return Measured(tables, facts, About(people_word(target), [one.name for one in told], alone, shown, named))


def _predictions(model: Model, test: Dataset) -> pd.DataFrame:
    """Return a line a test row: its class, and the probability of each."""
    assert test.outcomes is not None
    labels = np.array(test.schema.target.level_labels)
    outcome = labels[test.outcomes.astype(int)]
    each = pd.DataFrame(model.probabilities(test), columns=[f"p_{label}" for label in labels])
    return pd.concat([pd.DataFrame({"model": model.name, "row": test.index, "outcome": outcome}), each], axis=1)


def _sureness(model: Model, test: Dataset, right: Interval, found: Calibration | None, seed: int) -> dict[str, object]:
    """Return how sure a model is of the class that it names, how often it is right, and the difference, with intervals."""
    predicted = model.probabilities(test)
    sure, hits = predicted.max(axis=1), predicted.argmax(axis=1) == test.outcomes
    numbers = {"right": right, "beyond": interval_of_mean(sure - hits, test.weights, within=(-1, 1), seed=seed)}
    numbers["slope"] = Interval(np.nan, np.nan, np.nan) if found is None else found.slope
    line: dict[str, object] = {
        "model": model.name,
        "people": len(test),
        "hits": int(hits.sum()),
        "sure": float(np.average(sure, weights=test.weights)),
    }
    for name, number in numbers.items():
        line |= {name: number.estimate, f"{name}_low": number.low, f"{name}_high": number.high}
    is_off = found is not None and found.needs_recalibration
    return line | {"p_value": np.nan if found is None else found.p_value, "is_off": is_off}


def _shown_rates(rates: pd.DataFrame) -> pd.DataFrame:
    """Return a line a class and model with its rates as text: "80 % (49 % to 94 %) of 10", or that these are too few."""
    words = [
        f"too few ({line.of:,})"
        if line.too_few
        else f"{percent(line.estimate)} ({percent(line.low)} to {percent(line.high)}) of {line.of:,}"
        for line in rates.itertuples()
    ]
    table = rates.assign(words=words).pivot(index=["class", "model"], columns="quantity", values="words")
    return table.reindex(pd.MultiIndex.from_frame(rates[["class", "model"]].drop_duplicates())).reset_index()
