"""Questions that take long, one after another: what each costs is told first, then how far it is; each can be given up."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from dlx import explainers
from dlx.audit.counterfactuals import Range, recourse, recourse_into
from dlx.comparison import Laboratory, one_by_one, unaligned_settings
from dlx.context import counting
from dlx.errors import DlxError, in_a_line, is_own_fault
from dlx.explainers import LibraryError
from dlx.model import BlackBox, Model, Scale
from dlx.runner import explain
from dlx.threads import one_thread
from dlx.workbench.contents import aligned_distances, ways_of

if TYPE_CHECKING:
    from dlx.dataset import Dataset

Found = dict[str, Any]
UNASKED = 3.0  # seconds that are computed without asking first
A_LOOK = 0.3  # seconds of predictions after which it is looked whether the answer is wanted
FEW, MANY = 20, 500  # rows by which a model is timed, many where few take no time
NO_TIME = 0.05  # seconds
WAITS = 0.1
TRIED = 2_000  # changes of a person, about
WANTED = 3  # ways out


class _GoneError(BaseException):
    """Nobody waits for the answer any longer; no `Exception`, so that no code of a user's model takes it for its own."""


class _CostError(Exception):
    """What a question would cost, which nobody agreed to."""

    def __init__(self, told: dict[str, float]) -> None:
        super().__init__()
        self.told = told


def words_of(error: Exception) -> str:
    """Return a line about what a model or a library raised; of a fault of dlx itself only its name."""
    known = isinstance(error, (DlxError, LibraryError)) or not is_own_fault(error)
    return in_a_line(error) if known else f"dlx failed: {type(error).__name__}"


class Queue:
    """A queue of questions that are answered one after another, and the seconds that each model takes for a row."""

    def __init__(self) -> None:
        self.waiting: list[Job] = []
        self._known: dict[int, float] = {}

    def seconds_a_row(self, model: Model, rows: np.ndarray) -> float:
        """Return how long a model takes for a row of a batch, by trial, once."""
        if id(model) not in self._known:
            model.predict(rows[:1], model.scales[0])  # the first call of a model takes what no other does
            for count in (FEW, MANY):
                some = np.resize(rows, (count, rows.shape[1]))
                started = time.perf_counter()
                model.predict(some, model.scales[0])
                took = time.perf_counter() - started
                self._known[id(model)] = took / count
                if took > NO_TIME:
                    break
        return self._known[id(model)]


@dataclass(eq=False)
class Job:
    """One question; it waits for its turn, and ends when nobody wants the answer.

    `answer` is what was found, what it would cost where nobody agreed to that, or why there is none; `told` and `share` say
    meanwhile how far it is.
    """

    queue: Queue
    work: Callable[[Job], Found]
    is_agreed: bool
    is_wanted: bool = True
    told: str = ""
    share: float | None = None
    answer: Found = field(default_factory=dict)

    def run(self) -> None:
        """Answer when it is its turn."""
        self.queue.waiting.append(self)
        try:
            while self.queue.waiting[0] is not self:
                before = self.queue.waiting.index(self)
                self.told = f"Waiting: {before} {'question' if before == 1 else 'questions'} before this one."
                self.go_on()
                time.sleep(WAITS)
            self.go_on()
            self.told = "Computing …"
            with one_thread():
                self.answer = self.work(self) | {"isLast": True}
        except _CostError as cost:
            self.answer = {"cost": cost.told, "isLast": True}
        except _GoneError:
            self.answer = {"failed": "nobody waited for the answer"}
        except Exception as error:  # of the user's model, or of a library: told, and the server goes on
            self.answer = {"failed": words_of(error)}
        finally:
            self.queue.waiting.remove(self)

    def go_on(self) -> None:
        """Raise where nobody wants the answer any longer."""
        if not self.is_wanted:
            raise _GoneError

    def afford(self, model: Model, rows: np.ndarray, total: int) -> Model:
        """Return the model, watched where it is a black box; raise where so many predictions take long and nobody agreed."""
        seconds = total * self.queue.seconds_a_row(model, rows)
        if seconds > UNASKED and not self.is_agreed:
            raise _CostError({"seconds": round(seconds, 1), "evaluations": total})
        if not isinstance(model, BlackBox):
            return model
        return replace(
            model, function=_Watched(model.function, self, max(1, int(A_LOOK * total / max(seconds, A_LOOK))), total)
        )


def contributions(model: Model, method: str, scale: Scale, row: np.ndarray, background: Any, seed: int, job: Job) -> Found:
    """Explain a coded row [1, features] against reference rows."""
    rows, columns = np.asarray(getattr(background, "rows", background)), row.shape[1]
    asked = job.afford(model, rows, explainers.evaluations_for(method, columns, len(rows)))
    options = explainers.quick_options(method, columns)
    made = explain(asked, row, method=method, background=background, scale=scale, seed=seed, **options)
    if made.failures:
        return {"failed": made.failures[0]}
    errors = made.standard_errors
    return {
        "values": made.values[0].tolist(),
        "errors": None if errors is None else errors[0].tolist(),
        "base": float(made.base_values[0]),
        "prediction": float(made.outputs[0]),
        "evaluations": int(made.evaluations),
        "isExact": not explainers.method(method).IS_RANDOM,
    }


def ways_out(model: Model, person: Dataset, observed: Dataset, line: float | Range, job: Job) -> Found:
    """Look for what one person could change, below a threshold or into a range."""
    asked = job.afford(model, observed.rows, TRIED + len(observed))
    if isinstance(line, Range):
        found = recourse_into(asked, person, observed=observed, into=line, wanted=WANTED)
    else:
        found = recourse(asked, person, observed=observed, threshold=line, wanted=WANTED)
    return {"ways": next(iter(ways_of(found.to_frame(), person).values()), [])}


def alignment(model: Model, laboratory: Laboratory, k: int, job: Job) -> Found:
    """Find how far methods are apart as their libraries come, and with each setting aligned alone."""
    known = [name for name in explainers.with_library_defaults() if explainers.fits(name, model)]
    methods = [name for name in known if name not in explainers.apart()]
    people, times = laboratory.people, {name: 2 + len(unaligned_settings(name, model)) for name in methods}
    sizes, total = (len(model.schema), len(laboratory.background)), sum(times.values())
    costs = sum(count * explainers.evaluations_for(name, *sizes) for name, count in times.items())
    asked = job.afford(model, people.rows, len(people) * costs)

    def update(done: int, of: int) -> None:
        job.go_on()
        job.told, job.share = f"Explaining {len(people)} people: {done} of {of} times", done / of

    watched = replace(laboratory, explain=counting(laboratory.explain, update, total))
    return {"pairs": aligned_distances(one_by_one(asked, methods, watched, k=k))}


class _Watched:
    """A function of a table that is asked in parts, so that it is known how far it is, and can be given up."""

    def __init__(self, function: Any, job: Job, at_once: int, total: int) -> None:
        self.function, self.job, self.at_once, self.total, self.done = function, job, at_once, total, 0

    def __call__(self, rows: Any) -> np.ndarray:
        found = []
        for start in range(0, max(1, len(rows)), self.at_once):
            self.job.go_on()
            found.append(np.asarray(self.function(rows.iloc[start : start + self.at_once])))
            self.done += len(found[-1])
            self.job.told = f"Computing: {self.done:,} of about {self.total:,} predictions"
            self.job.share = min(1.0, self.done / self.total)
        return np.concatenate(found)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.function, name)
