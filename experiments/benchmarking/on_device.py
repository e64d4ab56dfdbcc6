"""Rows a second of nets on a GPU, how close they are to the processor's, and the share of the GPU's peak."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch

from benchmarking.worlds import World, random_world
from dlx.model.devices import is_accelerator
from dlx.progress import Narrator

COLUMNS = "| quantity | columns | rows | goal, rows a second | rows a second | off the processor's | share of peak |"
PRODUCT = 8_192  # rows and columns of the matrices whose product is the peak
ROUNDS = 3


class Task(NamedTuple):
    """Something to explain, and how many rows a second are aimed at on an H100 or H200."""

    quantity: str
    columns: int
    method: str
    rows: int
    goal: float
    checked: tuple[int, int]  # rows and references that are held against the processor
    options: dict[str, Any]


TASKS = (
    Task("exact Shapley values", 20, "exact_shapley", 1, 4, (1, 2), {}),
    Task("exact Shapley values", 13, "exact_shapley", 200, 1_000, (2, 20), {}),
    Task("Shapley values, tolerance .03", 20, "shapley", 4_000, 20_000, (20, 100), {"tolerance": 0.03}),
    Task("DeepLIFT", 20, "deeplift", 4_000, 100_000, (50, 100), {}),
    Task("LIME", 20, "lime", 4_000, 50_000, (50, 100), {}),
    Task("integrated gradients", 20, "integrated_gradients", 4_000, 10_000, (50, 100), {}),
)


def on_device(device: str, narrator: Narrator, tasks: tuple[Task, ...] = TASKS) -> Iterator[pd.DataFrame]:
    """Yield the table of a device, "cuda" or "cpu", as it is made: the median of some rounds after one that is not counted."""
    lines: list[dict[str, object]] = []
    for task in tasks:
        here = random_world(task.columns)
        there = World(here.name, here.model.on(device), here.rows, here.background)
        with narrator.step(f"{task.quantity}, {task.columns} columns, on {device}", "rounds") as update:
            rates = []
            for turn in range(ROUNDS + 1):
                started = time.perf_counter()
                made = there.explain(task.method, task.rows, **task.options)  # which comes back as numbers of numpy
                rates.append(task.rows / (time.perf_counter() - started))
                update(turn, ROUNDS)
        rate = float(np.median(rates[1:]))
        weights = sum(weight.numel() for weight in here.model.network.parameters())
        share = made.evaluations / task.rows * rate * 2 * weights / peak(there.model.device)
        line = {"quantity": task.quantity, "columns": task.columns, "rows": task.rows, "goal": task.goal, "rate": rate}
        lines.append(line | {"off": off(here, there, task), "share_of_peak": share})
        yield pd.DataFrame(lines)


def off(here: World, there: World, task: Task) -> float:
    """Return the largest difference from the processor's values, as a share of the row's largest."""
    rows, references = task.checked
    asked = {"background": here.background[:references], **task.options}
    one, other = (world.explain(task.method, rows, **asked).values for world in (here, there))
    return float((np.abs(one - other).max(axis=1) / np.abs(one).max(axis=1)).max())


def peak(device: torch.device) -> float:
    """Return the floating-point operations a second of a large matrix product on a device, float32."""
    size = PRODUCT if is_accelerator(device) else 512
    matrix, took = torch.randn(size, size, device=device), []
    for _ in range(5):
        started = time.perf_counter()
        (matrix @ matrix)[0, 0].item()  # which waits for it
        took.append(time.perf_counter() - started)
    return float(2 * size**3 / np.median(took))


def markdown_of(table: pd.DataFrame) -> list[str]:
    """Return the lines of the table."""
    return [COLUMNS, "|---" * 7 + "|"] + [
        f"| {t.quantity} | {t.columns} | {t.rows:,} | {t.goal:,} | {t.rate:,.0f} | {t.off:.1e} | {t.share_of_peak:.2f} |"
        for t in table.itertuples()
    ]


def name_of(device: str) -> str:
    """Return what a device is called."""
    return torch.cuda.get_device_name() if device == "cuda" else "the processor"
