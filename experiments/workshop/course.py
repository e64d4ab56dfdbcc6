"""What every lesson uses: its size, its exercises, and the numbers that it computes in front of the reader.

A lesson is a Python file of cells (jupytext's percent format). Tags say what a cell is: `exercise` holds what the reader fills
in, `hint` and `solution` are folded away in the notebook, and `wrong` is a mistake that readers make, with what `check`
answers.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from dlx.dataset import Dataset
from dlx.plots.looks import STYLE

HERE = Path(__file__).parent
LESSONS = HERE / "lessons"
KEPT = HERE / "figures"  # numbers of the small size, a file a lesson
SIZE = "DLX_WORKSHOP"  # the environment variable that is "small" where CI runs a lesson
RELATIVE = 1e-3  # how far a recorded number may be from the kept one, where the lesson says nothing else
KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}
MARKER = re.compile(r'^# %%( \[markdown\])?(?: tags=\["(\w+)"\])?$')


@dataclass(frozen=True)
class Cell:
    """A cell of a lesson: "markdown", "code", "exercise", "hint", "solution" or "wrong", and the line that it starts on."""

    kind: str
    text: str
    line: int


class Told(str):
    """A text that a notebook shows as Markdown."""

    __slots__ = ()

    def _repr_markdown_(self) -> str:
        return str(self)


def say(text: str) -> Told:
    """Return a text that is shown as Markdown, so that a sentence can hold a number that was just computed."""
    return Told(text)


def described(people: Dataset, columns: Sequence[str]) -> pd.DataFrame:
    """Return some columns of some people in the words of the report, a line a column."""
    features = {name: people.schema.features[people.schema.position(name)] for name in columns}
    lines = {
        f"{feature.label} ({name})": [feature.format(row[people.schema.position(name)]) for row in people.rows]
        for name, feature in features.items()
    }
    return pd.DataFrame.from_dict(lines, orient="index", columns=[f"row {one}" for one in people.index])


def sources() -> list[Path]:
    """Return the files of all lessons, in order."""
    return sorted(LESSONS.glob("[0-9][0-9]_*.py"))


def cells(source: Path) -> list[Cell]:
    """Return the cells of a lesson's file."""
    found: list[Cell] = []
    kind, lines, start = "", [], 0
    for place, line in enumerate([*source.read_text("utf-8").splitlines(), "# %%"]):
        marker = MARKER.match(line)
        if not marker:
            lines.append(line)
            continue
        if kind:
            text = "\n".join(lines).strip("\n")
            words = re.sub(r"^# ?", "", text, flags=re.MULTILINE)
            found.append(Cell(kind, words if kind in ("markdown", "hint") else text, start))
        kind, lines, start = marker[2] or ("markdown" if marker[1] else "code"), [], place + 1
    return found


def exercises(source: Path) -> list[tuple[Cell, list[Cell]]]:
    """Return the solution and the wrong answers of each exercise, in order."""
    found: list[tuple[Cell, list[Cell]]] = []
    for cell in cells(source):
        if cell.kind == "solution":
            found.append((cell, []))
        elif cell.kind == "wrong":
            found[-1][1].append(cell)
    return found


def notebook(source: Path) -> dict[str, Any]:
    """Return a lesson as a notebook without outputs: hints and solutions folded, known mistakes left out."""
    shown = [written for cell in cells(source) if cell.kind != "wrong" for written in [_written(cell)]]
    numbered = [cell | {"id": f"cell-{place}"} for place, cell in enumerate(shown)]
    return {"cells": numbered, "metadata": {"kernelspec": KERNEL}, "nbformat": 4, "nbformat_minor": 5}


def _written(cell: Cell) -> dict[str, Any]:
    if cell.kind in ("code", "exercise"):
        return {"cell_type": "code", "source": cell.text, "metadata": {}, "outputs": [], "execution_count": None}
    text = {
        "hint": f"<details><summary>Hint</summary>\n\n{cell.text}\n\n</details>",
        "solution": f"<details><summary>Solution</summary>\n\n```python\n{cell.text}\n```\n\n</details>",
    }.get(cell.kind, cell.text)
    return {"cell_type": "markdown", "source": text, "metadata": {}}


class Lesson:
    """A lesson that runs: it checks answers and remembers numbers.

    Parameters
    ----------
    number : int
        Of its file.
    names : dict
        The notebook's `globals()`, in which a solution is worked out.
    """

    def __init__(self, number: int, names: dict[str, Any]) -> None:
        mpl.rcParams.update(STYLE)
        pd.set_option("display.precision", 3, "display.max_colwidth", 60)
        self.source = next(LESSONS.glob(f"{number:02}_*.py"))
        self.names = names
        self.numbers: dict[str, float] = {}
        self.tolerances: dict[str, float] = {}
        self.states: dict[int, str] = {}  # "unattempted", "wrong" or "right", by exercise

    def size(self, usual: int, small: int) -> int:
        """Return how much is computed: as usual, or less where CI runs the lesson."""
        return small if os.environ.get(SIZE) == "small" else usual

    def record(self, name: str, value: float, *, within: float | None = None) -> float:
        """Return a number, and remember it: CI compares it with what it was, by default to a thousandth of it."""
        self.numbers[name] = float(value)
        self.tolerances[name] = RELATIVE * abs(float(value)) + 1e-6 if within is None else within
        return float(value)

    def check(self, exercise: int, answer: Any, *, within: float | None = None) -> Told:
        """Return whether an answer is right, or not yet given; a wrong one that is known gets a word of help.

        Parameters
        ----------
        exercise : int
            From 1 on.
        answer : object
            A number, some numbers, a text, or `...`.
        within : float, optional
            How far a number may be off; by default a hundredth of the largest.
        """
        self.states[exercise], words = self._judged(exercise, answer, within)
        sign = {"unattempted": "○", "wrong": "✗", "right": "✓"}[self.states[exercise]]
        return say(f"{sign} **Exercise {exercise}**: {words}")

    def _judged(self, exercise: int, answer: Any, within: float | None) -> tuple[str, str]:
        if answer is ...:
            return "unattempted", "not answered yet. Put your answer in place of the three dots and run the cell again."
        solution, mistakes = exercises(self.source)[exercise - 1]
        try:
            right = self._worked_out(solution, exercise)
        except NameError as error:
            return "unattempted", f"`{error.name}` isn't there yet. Run the cells above first."
        if _same(answer, right, within):
            return "right", "right."
        for mistake in mistakes:
            if _same(answer, self._worked_out(mistake, exercise), within):
                return "wrong", "not yet. " + " ".join(re.findall(r"^# (.*)", mistake.text, flags=re.MULTILINE))
        return "wrong", "not yet. The hint below may help."

    def _worked_out(self, cell: Cell, exercise: int) -> Any:
        names = dict(self.names)
        exec(compile(cell.text, str(self.source), "exec"), names)
        return names[f"answer_{exercise}"]


def _same(answer: Any, right: Any, within: float | None) -> bool:
    """Return whether two answers are one: texts whatever their case, numbers within what may be off."""
    if isinstance(right, str):
        return isinstance(answer, str) and answer.strip().casefold() == right.casefold()
    try:
        given, wanted = (np.asarray(some, dtype=float).squeeze() for some in (answer, right))
    except (TypeError, ValueError):
        return False
    if given.shape != wanted.shape:
        return False
    return bool(np.abs(given - wanted).max() <= (0.01 * np.abs(wanted).max() if within is None else within))


def run(source: Path) -> dict[str, Any]:
    """Return what a lesson's names stand for after all of its cells ran, small, in this process; exercises stay unanswered."""
    names: dict[str, Any] = {"__name__": "__main__"}
    before = os.environ.get(SIZE)
    os.environ[SIZE] = "small"
    plt.switch_backend("agg")
    try:
        with mpl.rc_context(), pd.option_context("display.precision", 3, "display.max_colwidth", 60):
            for cell in cells(source):
                if cell.kind in ("code", "exercise"):
                    exec(compile("\n" * cell.line + cell.text, str(source), "exec"), names)
                    plt.close("all")
    finally:
        os.environ.pop(SIZE) if before is None else os.environ.update({SIZE: before})
    return names


def kept(source: Path) -> dict[str, float]:
    """Return the numbers of a lesson's small size as they were committed."""
    return json.loads((KEPT / f"{source.stem}.json").read_text("utf-8"))


def moved(lesson: Lesson) -> list[str]:
    """Return which numbers of a lesson are no longer what they were, a line each."""
    before, lines = kept(lesson.source), []
    for name in sorted({*before, *lesson.numbers}):
        was, now = before.get(name), lesson.numbers.get(name)
        if was is None or now is None or not abs(was - now) <= lesson.tolerances[name]:
            lines.append(f"{lesson.source.stem}: {name} was {was}, is {now}")
    return lines
