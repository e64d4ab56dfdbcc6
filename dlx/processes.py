"""Tasks side by side, each in a fork of this process."""

from __future__ import annotations

import contextlib
import gc
import io
import multiprocessing
import os
import pickle
import signal
import sys
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from functools import partial
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Semaphore
from typing import TypeVar, cast

from rich.console import Console

from dlx.progress import Narrator
from dlx.threads import cores, one_thread

Made = TypeVar("Made")
Task = Callable[[], Made]
GLANCE = 0.1  # seconds between two looks at the clock of the progress bar, and for a core that has become idle
_IDLE: ContextVar[Semaphore | None] = ContextVar("of a fork: the cores on which no process of its run computes", default=None)


def side_by_side(tasks: Sequence[Task[Made]], narrator: Narrator, step: str, unit: str) -> list[Made]:
    """Return what tasks return, in their order, computed on all cores where this process can be forked.

    A process is forked for each core, so that nothing but the places of tasks has to be sent to it; it does one after
    another. Tasks may have tasks of their own: these are spread over the cores that have become idle. What fails there, or
    returns an error, is done again here: its error is then the one that the task raises.

    Parameters
    ----------
    tasks : sequence of callable
        The longest first, best. What they change stays in that process; what they return is pickled.
    narrator : Narrator
        Shows how many are done, and says what they say.
    step, unit : str
        What is going on, and what is counted.
    """
    if not can_fork() or len(tasks) < 2:
        return [task() for task in tasks]
    found: dict[int, Made] = {}
    with narrator.step(step, unit, is_still=True) as update:
        for place, made in as_completed(tasks, narrator, glance=lambda: update(len(found), len(tasks))):
            found[place] = made
            update(len(found), len(tasks))
    return [found[place] for place in range(len(tasks))]


def as_completed(
    tasks: Sequence[Task[Made]], narrator: Narrator, *, glance: Callable[[], None], is_forked: bool = True
) -> Iterator[tuple[int, Made]]:
    """Yield the place of a task and what it returned, as they are done; parameters as of `side_by_side`.

    `glance` is called ten times a second; a user's code may not be forked, since its libraries' threads hang there.
    """
    done = set()
    if is_forked and can_fork() and len(tasks) > 1:
        for place, made in _forked(tasks, narrator, glance):
            done.add(place)
            yield place, made
    for place, task in enumerate(tasks):
        if place not in done:
            yield place, task()


def can_fork() -> bool:
    """Return whether this process may be forked, and gains by it: on Linux, without a GPU, and not in a process of others."""
    if sys.platform != "linux" or cores() < 2 or (_IDLE.get() is None and multiprocessing.parent_process() is not None):
        return False
    import torch

    return not torch.cuda.is_available()  # autograd's threads for a GPU do not survive


def _forked(tasks: Sequence[Task[Made]], narrator: Narrator, glance: Callable[[], None]) -> Iterator[tuple[int, Made]]:
    """Yield the place of each task and what it returned; nothing of those that failed.

    The first process has the core of this one, which waits; each of the others one that was idle, as long as it lives.
    """
    idle = _IDLE.get() or multiprocessing.get_context("fork").Semaphore(cores() - 1)
    todo, running = deque(range(len(tasks))), dict[Connection, tuple[int, BaseProcess]]()

    def ended(pipe: Connection) -> None:
        pipe.close()
        del running[pipe]
        if running:
            idle.release()

    gc.freeze()  # or each process would look through, and so copy, all that this one holds
    try:
        while todo or running:
            while todo and (not running or idle.acquire(block=False)):
                pipe, process = _started(tasks, narrator, idle)
                running[pipe] = _given(pipe, todo), process
            for ready in wait(list(running), timeout=GLANCE):
                pipe = cast(Connection, ready)
                try:
                    kind, what = pickle.loads(pipe.recv_bytes())  # noqa: S301 (from a fork of this process)
                except (EOFError, ConnectionResetError):
                    ended(pipe)
                    continue
                if kind == "said":
                    narrator.say(what)
                    continue
                place, process = running[pipe]
                if todo:
                    running[pipe] = _given(pipe, todo), process
                else:
                    ended(pipe)
                if kind == "made":
                    yield place, what
            glance()
    finally:
        gc.unfreeze()
        for pipe, (_, process) in list(running.items()):
            process.terminate()
            ended(pipe)


def _started(tasks: Sequence[Task[Made]], narrator: Narrator, idle: Semaphore) -> tuple[Connection, BaseProcess]:
    """Return a process that was forked for tasks, after the pipe to it: places go in, what tasks say and return comes out."""
    fork = multiprocessing.get_context("fork")
    ours, theirs = fork.Pipe()
    process = fork.Process(target=_work, args=(tasks, narrator, idle, ours, theirs))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of threads: ours are not used by a fork, see `dlx.threads`
        process.start()
    theirs.close()
    return ours, process


def _given(pipe: Connection, todo: deque[int]) -> int:
    """Return the place of the next task, after the process at the other end of a pipe was told to do it."""
    place = todo.popleft()
    with contextlib.suppress(BrokenPipeError):  # it has died: reading from it will say so
        pipe.send_bytes(str(place).encode())
    return place


def _work(tasks: Sequence[Task[Made]], narrator: Narrator, idle: Semaphore, ours: Connection, pipe: Connection) -> None:
    """Do one task after another, until nobody is there to ask for more."""
    _IDLE.set(idle)
    ours.close()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what it forked ends with it
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, lambda *_: os._exit(1))  # whoever forked says that it was interrupted
    narrator.console = Console(file=_Lines(partial(_send, pipe)), quiet=narrator.console.quiet, highlight=False, emoji=False)
    with contextlib.suppress(EOFError, OSError):
        while True:
            task = tasks[int(pipe.recv_bytes())]
            try:
                with one_thread():  # OpenMP's threads of the process that forked are not here: it would wait for them
                    made = task()
                if isinstance(made, Exception):  # whose cause and traceback would be lost
                    raise made
                _send(pipe, made, kind="made")
            except Exception:
                _send(pipe, None, kind="failed")


def _send(pipe: Connection, what: object, kind: str = "said") -> None:
    pipe.send_bytes(pickle.dumps((kind, what)))  # not pipe.send, by which torch shares memory with a process that lives on


class _Lines(io.StringIO):
    """A file that hands on what is written to it, line by line."""

    def __init__(self, hand_on: Callable[[str], None]) -> None:
        super().__init__()
        self.hand_on = hand_on

    def write(self, text: str) -> int:
        for line in text.splitlines():
            self.hand_on(line)
        return len(text)
