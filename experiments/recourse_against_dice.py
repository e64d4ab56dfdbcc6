"""Counterfactuals for every denied test person, by dlx and by DiCE's genetic method: found, valid, columns changed, CPU time.

python experiments/recourse_against_dice.py bank_loan mlp gradient_boosting

Both may change the same columns in the same directions within the same bounds, must lead past the threshold by the same
margin, are asked for three counterfactuals a person, and run on one thread, in turns of ten people; DiCE has its default
options. A counterfactual is valid if our predict puts it at the goal or below and nothing changed but what may, in its
direction and bounds; that columns that go together stay together is asked of ours alone. DiCE's start looks for valid people
at random, without end where there are few; --patience ends it, and the person counts as not found.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import random
import signal
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dice_ml
import numpy as np
import pandas as pd
from raiutils.exceptions import UserConfigValidationException
from running import run
from scipy.special import expit, logit

import dlx
from dlx.audit.counterfactuals import ActionSet, denied, recourse
from dlx.audit.counterfactuals.generation import goal_of
from dlx.background import ScaledManhattan
from dlx.dataset import Dataset
from dlx.files import csv_text, refuse_unwritable, write_atomically
from dlx.model import Model
from dlx.threads import one_thread

WANTED = 3
TURN = 10  # people
ROUNDING = 1e-6  # DiCE rounds numbers
OUTCOME = "outcome"


class Shifted:
    """A model as DiCE asks for one: probabilities of two classes, the threshold moved to one half."""

    def __init__(self, model: Model, threshold: float) -> None:
        self.model = model
        self.threshold = threshold

    def predict_proba(self, table: pd.DataFrame) -> np.ndarray:
        """Return [rows, 2]."""
        names = self.model.schema.names
        risk = np.clip(self.model.predict(table[list(names)], "probability"), 1e-9, 1 - 1e-9)
        moved = expit(logit(risk) - logit(self.threshold))
        return np.column_stack([1 - moved, moved])

    def predict(self, table: pd.DataFrame) -> np.ndarray:
        """Return 0 or 1 [rows]."""
        return (self.predict_proba(table)[:, 1] >= 0.5).astype(int)


def dice_genetic(
    model: Model, observed: Dataset, actions: ActionSet, *, goal: float, seed: int = 0
) -> Callable[[np.ndarray], np.ndarray]:
    """Return DiCE's genetic method: a coded row to its counterfactuals [found, features], in the directions of the schema."""
    schema = observed.schema
    numbers = [feature.name for feature in schema.features if not feature.is_categorical]
    table = observed.frame.assign(**{OUTCOME: (model.predict(observed.rows, "probability") >= goal).astype(int)})
    data = dice_ml.Data(dataframe=table, continuous_features=numbers, outcome_name=OUTCOME)
    explainer = dice_ml.Dice(data, dice_ml.Model(Shifted(model, goal), backend="sklearn"), method="genetic")
    random.seed(seed)
    np.random.seed(seed)  # DiCE draws from the global generators

    def found(row: np.ndarray) -> np.ndarray:
        options = actions.options(row, all_observed=True)
        permitted = {schema.names[i]: _permitted(schema.features[i], row[i], values) for i, values in options.items()}
        asked: dict[str, Any] = {"features_to_vary": list(permitted), "permitted_range": permitted, "desired_class": 0}
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            answer = explainer.generate_counterfactuals(schema.decode(row[None]), total_CFs=WANTED, **asked)
        made = answer.cf_examples_list[0].final_cfs_df
        empty = made is None or not len(made)
        return np.empty((0, len(schema))) if empty else schema.encode(made[list(schema.names)])

    return found


def _permitted(feature: dlx.Feature, own: float, values: np.ndarray) -> list[Any]:
    """Return what DiCE may choose from: the ends of a number's range, or levels, the person's own included."""
    values = np.sort(np.append(values, own))
    return [feature.levels[int(v)] for v in values] if feature.is_categorical else [values[0], values[-1]]


def check(model: Model, actions: ActionSet, row: np.ndarray, made: np.ndarray, goal: float) -> np.ndarray:
    """Return which counterfactuals [made, features] are valid: at the goal or below, and only what may change did."""
    if not len(made):
        return np.empty(0, bool)
    may, options = np.zeros(len(row), bool), actions.options(row, all_observed=True)
    may[list(options)] = True
    same = _same(made, row)
    inside = [same[:, i] | ((made[:, i] >= min(v) - ROUNDING) & (made[:, i] <= max(v) + ROUNDING)) for i, v in options.items()]
    return (model.predict(made, "probability") <= goal) & (same | may).all(axis=1) & np.all(inside, axis=0)


def _same(rows: np.ndarray, row: np.ndarray) -> np.ndarray:
    return np.isclose(rows, row, rtol=0, atol=ROUNDING, equal_nan=True)


def contest(case: Dataset, model: Model, people: Dataset, *, patience: float = 60.0) -> pd.DataFrame:
    """Return a line a person and method: whether found, how many valid, columns changed by the easiest, CPU seconds."""
    threshold, metric = case.schema.target.threshold, ScaledManhattan.fit(case.train)
    actions, goal = ActionSet.of(case.train, accepted=model.predict(case.train, "probability") < threshold), goal_of(threshold)
    peer = dice_genetic(model, case.train, actions, goal=goal)
    lines = []
    for start in range(0, len(people), TURN):
        some = people[start : start + TURN]
        ours = recourse(model, some, observed=case.train, wanted=WANTED)
        answers = [np.array([one.row for one in answer.counterfactuals]) for answer in ours.answers]
        made = [("dlx", row, rows, ours.seconds / len(some), False) for row, rows in zip(some.rows, answers, strict=True)]
        for row in some.rows:
            before = time.process_time()
            rows, late = _in_time(peer, row, patience)
            made.append(("DiCE genetic", row, rows, time.process_time() - before, late))
        for method, row, rows, seconds, late in made:
            valid = check(model, actions, row, rows, goal)
            lines.append({"model": model.name, "method": method, "made": len(rows), "valid": int(valid.sum())})
            lines[-1] |= _easiest(metric, row, rows[valid]) | {"seconds": seconds, "late": late}
    return pd.DataFrame(lines)


def _easiest(metric: ScaledManhattan, row: np.ndarray, rows: np.ndarray) -> dict[str, float]:
    """Return the columns changed and the distance of the counterfactual with the fewest, then the closest."""
    if not len(rows):
        return {"columns": np.nan, "distance": np.nan}
    changed = (~_same(rows, row)).sum(axis=1)
    distance = metric.between(row, rows)
    first = np.lexsort((distance, changed))[0]
    return {"columns": float(changed[first]), "distance": float(distance[first])}


def _in_time(peer: Callable[[np.ndarray], np.ndarray], row: np.ndarray, seconds: float) -> tuple[np.ndarray, bool]:
    """Return what the peer finds, nothing where it says that there is nothing, and whether it took longer than allowed."""
    with _limit(seconds), warnings.catch_warnings(record=True):  # pandas' about what DiCE does with tables, each time
        warnings.simplefilter("always")
        try:
            return peer(row), False
        except TimeoutError:
            return np.empty((0, len(row))), True
        except UserConfigValidationException as error:
            if "No counterfactuals found" not in str(error):
                raise
            return np.empty((0, len(row))), False


@contextlib.contextmanager
def _limit(seconds: float) -> Iterator[None]:
    def stop(*_: Any) -> None:
        raise TimeoutError(f"more than {seconds} s")

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Return a line a model and method: people, how many have one, the share of valid ones, columns, distance, seconds."""
    grouped = table.groupby(["model", "method"], sort=False)
    told = grouped.agg(
        people=("valid", "size"),
        found=("valid", lambda valid: int((valid > 0).sum())),
        out_of_patience=("late", "sum"),
        counterfactuals=("made", "sum"),
        valid=("valid", "sum"),
        median_columns=("columns", "median"),
        mean_columns=("columns", "mean"),
        mean_distance=("distance", "mean"),
        seconds_a_person=("seconds", "mean"),
    ).reset_index()
    peer = told[told["method"] != "dlx"].set_index("model")["seconds_a_person"]
    return told.assign(times_as_fast=told["model"].map(peer) / told["seconds_a_person"])


def main() -> None:
    """Hold the contest on a case's denied test people and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("case", help="a case with complete columns, for example bank_loan")
    parser.add_argument("models", nargs="+")
    parser.add_argument("--people", type=int, help="only the first denied ones")
    parser.add_argument("--patience", type=float, default=60.0, help="CPU seconds for a person, of DiCE")
    parser.add_argument("--output", type=Path, default=Path("experiments/benchmark/recourse.csv"))
    asked = parser.parse_args()
    refuse_unwritable(asked.output.parent, "pass another --output")
    case = dlx.load(asked.case)
    with one_thread():
        parts = []
        for name in asked.models:
            model = dlx.load_model(case, name)
            parts.append(contest(case, model, denied(model, case.test)[: asked.people], patience=asked.patience))
    told = summary(pd.concat(parts))
    write_atomically(asked.output, csv_text(told))
    print(told.to_string(index=False))
    print(asked.output)


if __name__ == "__main__":
    run(main)
