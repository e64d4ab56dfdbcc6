"""What dlx makes of a generated table, held against what the generator knows of it."""

from __future__ import annotations

import math
import traceback
import warnings
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pandas as pd

import dlx
from dlx.errors import DlxError
from dlx.progress import Narrator
from doors.columns import Column
from doors.tables import Table

ARCHITECTURES = {"logistic_regression": 6, "decision_tree": 3, "gradient_boosting": 0.5, "mlp": 0.3}
METHODS = {
    "logistic_regression": "linear_shap",
    "decision_tree": "tree_shap",
    "gradient_boosting": "tree_shap",
    "mlp": "deeplift",
}
EXCEL_DIGITS = 1e-15  # relative: a workbook holds no more
MOST_LEVELS_OF_NUMBERS = 2  # a column of two numbers may be two groups of people


@dataclass
class Verdict:
    """What came of a table: how far it went, and what was wrong on the way.

    Parameters
    ----------
    reached : str
        The last door that it passed: nothing, read, trained, explained.
    refusal : str
        The sentence of the refusal, if there was one.
    faults : list of str
        Tracebacks, warnings and silent changes: there should be none.
    """

    reached: str = "nothing"
    refusal: str = ""
    faults: list[str] = field(default_factory=list)


def held(table: Table, folder: Path, random: Random | None = None) -> Verdict:
    """Return what comes of a table that is read; with a source of chance, of one that is learned from and explained too."""
    verdict = Verdict()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for unseen in (DeprecationWarning, PendingDeprecationWarning):  # as Python itself shows them to nobody
            warnings.simplefilter("ignore", unseen)
        try:
            _pass(table, folder, random, verdict)
        except DlxError as error:
            verdict.refusal = str(error)
            if "\n" in verdict.refusal.strip():
                verdict.faults.append("a refusal of several lines")
        except Exception as error:
            where = traceback.extract_tb(error.__traceback__)[-1]
            verdict.faults.append(f"traceback: {type(error).__name__}: {error} ({Path(where.filename).name}, {where.name})")
    verdict.faults += sorted({f"warning: {w.category.__name__}: {w.message}" for w in caught})
    return verdict


def _pass(table: Table, folder: Path, random: Random | None, verdict: Verdict) -> None:
    case = dlx.read_table(table.file.write(folder), target=table.target.name, positive=table.positive)
    verdict.reached = "read"
    verdict.faults += differences(case, table)
    if random is None:
        return
    architecture = random.choices(list(ARCHITECTURES), list(ARCHITECTURES.values()))[0]
    model = dlx.train(case, architecture, device="cpu", checkpoints=folder / "checkpoints", narrator=Narrator(quiet=True))
    verdict.reached = "trained"
    verdict.faults += _learned_the_opposite(model, case, table)
    people, background, scale = case.test[:4], case.background(8, seed=0), model.scales[0]
    made = dlx.explain(model, people, method=METHODS[architecture], background=background, scale=scale)
    verdict.reached = "explained"
    gap = np.abs(made.values.sum(axis=1) + made.base_values - model.predict(people, scale))
    if not gap.max() <= 1e-3 * max(1.0, np.abs(made.outputs).max()):
        verdict.faults.append(f"contributions that miss the prediction by {gap.max():.2g}")


def _learned_the_opposite(model: Any, case: Any, table: Table) -> list[str]:
    """Return a fault if people with the positive outcome are given less than the others by a model that has learned much."""
    is_positive = np.array([spelled(t) == case.schema.target.levels[-1] for t in table.target.truth])
    outputs = model.predict(case, "probability")
    above = (outputs[is_positive][:, None] > outputs[~is_positive]).mean() + 0.5 * (
        outputs[is_positive][:, None] == outputs[~is_positive]
    ).mean()
    return [f"AUC of {above:.2f} on the rows that it was trained on"] if above < 0.45 else []


def differences(case: Any, table: Table) -> list[str]:
    """Return where a Dataset is not the table, and does not say so."""
    rows = len(table.target.truth)
    if len(case) != rows:
        return [f"silent: {len(case)} rows of {rows}"]
    found = [_of_outcomes(case, table), _of_typed(case, table)]
    known = {*case.schema.names, *(column.name for column in case.schema.carried)}
    slack = EXCEL_DIGITS if "excel" in table.oddities else 0.0
    for name, column in table.truth.items():
        name = _renamed(case, name)
        if name in case.schema.names:
            found.append(_of_feature(case.schema[name], case.frame[name], column, told(case, name), slack))
            found.append(_of_cells(case.table[name], column, told(case, name), slack))
        elif name in known:
            found.append(
                _of_cells(case.table[name], replace(column, truth=_as_written(case.table[name], column)), False, slack)
            )
            found.append("" if told(case, name) else f"silent: {_odd(column)}: set aside without a word")
        else:
            found.append(f"silent: {_odd(column)}: left out")
        known.discard(name)
    found += [f"silent: a column {name!r} from nowhere" for name in sorted(known - {_renamed(case, table.target.name)})]
    return sorted({one for one in found if one})


def told(case: Any, name: str) -> bool:
    """Whether a Dataset says that anything was done to a column, or why it is no feature."""
    return any(line.name == name and (line.done or line.why) for line in case.reading)


def _renamed(case: Any, name: str) -> str:
    """Return the name under which a column is found; blanks around it may be left out where the Dataset says so."""
    is_told = any(name.strip() in said for said in case.reading.file)
    return name.strip() if is_told else name


def _odd(column: Column) -> str:
    return f"{column.kind} ({column.oddity or 'plain'})"


def _as_written(found: pd.Series, column: Column) -> tuple[Any, ...]:
    """Return the truth of a column that is no feature, whose marks of missing may stay as they are written."""
    cells = zip(found.tolist(), column.truth, column.cells, strict=True)
    return tuple(cell if truth is None and isinstance(a, str) else truth for a, truth, cell in cells)


def _of_cells(found: pd.Series, column: Column, is_told: bool, slack: float) -> str:
    """Return what differs between the cells that a model of one's own would read and their truth."""
    wrong = [i for i, (a, b) in enumerate(zip(found.tolist(), column.truth, strict=True)) if not same(a, b, slack)]
    if not wrong or is_told:
        return ""
    i = wrong[0]
    return f"silent: {_odd(column)}: {len(wrong)} cells of the table differ, {column.truth[i]!r} became {found.tolist()[i]!r}"


def _of_feature(feature: Any, found: pd.Series, column: Column, is_told: bool, slack: float) -> str:
    """Return what differs between a feature and the truth of its column; nothing where the Dataset tells it."""
    odd, truth, values = _odd(column), column.truth, found.tolist()
    wrong = [i for i, (a, b) in enumerate(zip(values, truth, strict=True)) if not same(a, b, slack)]
    if wrong and not is_told:
        i = wrong[0]
        return f"silent: {odd}: {len(wrong)} cells differ, {truth[i]!r} became {values[i]!r}"
    are_numbers = all(t is None or (isinstance(t, (int, float)) and not isinstance(t, bool)) for t in truth)
    many = len({t for t in truth if t is not None}) > MOST_LEVELS_OF_NUMBERS
    if feature.is_categorical and are_numbers and many and not is_told:
        return f"silent: {odd} became {len(feature.levels)} levels"
    kept = {values[i] for i, t in enumerate(truth) if t is not None}
    if len(kept) < len({t for t in truth if t is not None}) and not is_told:
        return f"silent: {odd}: different values became one"
    return ""


def _of_outcomes(case: Any, table: Table) -> str:
    """Return what differs between the outcomes and their truth."""
    target, outcomes, truth = case.schema.target, case.outcomes, table.target.truth
    if target.kind == "regression":
        is_right = table.target.kind == "regression" and all(map(same, outcomes.tolist(), truth, [EXCEL_DIGITS] * len(truth)))
        return "" if is_right else "silent: outcomes became other numbers"
    found = [target.levels[int(code)] for code in outcomes]
    if found != [spelled(t) for t in truth]:
        return f"silent: outcomes differ: {truth[0]!r} became {found[0]!r}"
    if table.positive is not None and target.levels[-1] != spelled(table.positive):
        return f"silent: the positive outcome is {target.levels[-1]!r}, not {table.positive!r}"
    return ""


def _of_typed(case: Any, table: Table) -> str:
    """Return what differs between the dtypes of a typed file and those that a model of one's own would read."""
    if table.file.frame is None:
        return ""
    for name in case.schema.names:
        if name not in table.file.frame:
            continue
        was, now = table.file.frame[name].dtype, case.frame[name].dtype
        if was != now and not (str(was) == "object" or told(case, name)):
            return f"silent: dtype {was} became {now}"
        if getattr(was, "ordered", False) and case.schema[name].levels != tuple(map(str, was.categories)):
            return "silent: ordered categories lost their order"
    return ""


def same(found: Any, truth: Any, slack: float = 0.0) -> bool:
    """Whether a cell that came out means what the cell that went in meant; numbers may be off by a share of their size."""
    if truth is None or found is None or (isinstance(found, float) and math.isnan(found)) or found is pd.NA:
        return truth is None and bool(pd.isna(found))
    if isinstance(truth, bool):
        return str(found).lower() == str(truth).lower()
    if isinstance(truth, int):
        return str(found) == str(truth)
    if isinstance(truth, float):
        number = _number(found)
        return number == truth or (number is not None and abs(number - truth) <= slack * abs(truth))
    if isinstance(truth, str):
        return str(found) == truth or (
            isinstance(found, (int, float)) and not isinstance(found, bool) and spelled(found) == truth
        )
    return str(found).startswith(f"{truth:%Y}") or truth.strftime("%d") in str(found)


def _number(found: Any) -> float | None:
    try:
        return float(found)
    except (TypeError, ValueError):
        return None


def spelled(value: Any) -> str:
    """Return how a value is spelled as a level: 1.0 and 1 and "1" are the same."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
