"""What the machine could do, what a process holds, and how cost grows with the rows."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import torch

import dlx
from benchmarking.worlds import BACKGROUND, random_world
from dlx.progress import Narrator
from dlx.threads import one_thread

PATIENCE = 300  # seconds
ROWS = (1_000, 10_000, 30_000)
WHOLE = {"deeplift": {}, "integrated_gradients": {}, "lime": {}, "shapley": {"tolerance": 0.03}}


def matrix_peak(seconds: float = 0.5) -> float:
    """Return the floating-point operations a second of a matrix product that fits the cache, on one thread, float32."""
    a, b = torch.randn(2_048, 128), torch.randn(128, 128)
    done, rates = 0.0, []
    while done < seconds:
        started = time.process_time()
        for _ in range(50):
            a @ b
        took = time.process_time() - started
        done += took
        rates.append(50 * 2 * a.numel() * b.shape[1] / took)
    return float(np.median(rates))


def growth(narrator: Narrator) -> Iterator[pd.DataFrame]:
    """Yield time and peak memory of each method on credit_default's net as they are known, up to all rows; a process a line."""
    idle = _in_a_process("growth", "nothing", ROWS[-1])["peak_mb"]
    lines: list[dict[str, float]] = []
    for method in WHOLE:
        for rows in ROWS:
            with narrator.step(f"credit_default by {method}, {rows:,} rows"):
                line = _in_a_process("growth", method, rows)
            lines.append(line | {"above_idle_mb": line["peak_mb"] - idle})
            yield pd.DataFrame(lines)


def memory(rows: int) -> dict[str, object]:
    """Return the peak memory of DeepLIFT over the background above that of an idle process, ours and captum's."""
    idle, ours = (_in_a_process("memory", name, rows)["peak_mb"] for name in ("nothing", "dlx"))
    try:
        captums, known = _in_a_process("memory", "captum", rows, limit=PATIENCE)["peak_mb"], ""
    except subprocess.TimeoutExpired:  # its time grows faster than its rows; what it held by then is known
        captums, known = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024, f", captum stopped after {PATIENCE} s"
    return {
        "quantity": f"DeepLIFT over the background, {rows:,} rows: peak memory{known}",
        "net": "random net",
        "columns": 20,
        "peer": "captum DeepLiftShap",
        "measure": "MB above an idle process",
        "peer_error": captums - idle,
        "error": ours - idle,
        "ratio": (captums - idle) / max(ours - idle, 1.0),
        "target": 10,
    }


def _in_a_process(what: str, name: str, rows: int, limit: float | None = None) -> dict[str, float]:
    command = [sys.executable, str(Path(__file__).parents[1] / "benchmark.py"), "--measure", what, name, str(rows)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=limit)
    told: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return told


def measured_here(what: str, name: str, rows: int) -> str:
    """Return, as JSON, what one method of `growth` or one side of `memory` took in this process."""
    cpu, wall = time.process_time(), time.perf_counter()
    told: dict[str, object] = {"method": name, "rows": rows}
    if what == "growth":
        case, net = dlx.load("credit_default"), dlx.load_model("credit_default", "mlp")
        background = case.background(BACKGROUND)
        cpu, wall = time.process_time(), time.perf_counter()
        if name in WHOLE:
            made = dlx.explain(net, case[:rows], method=name, background=background, scale="logit", **WHOLE[name])
            errors = made.standard_errors
            lengths = np.linalg.norm(made.values, axis=1)
            told["error"] = None if errors is None else float(np.median(np.linalg.norm(errors, axis=1) / lengths))
    else:
        world = random_world(20)
        with one_thread():
            if name == "captum":
                world.by_captum("DeepLiftShap", rows, over_background=True)
            elif name == "dlx":
                world.explain("deeplift", rows)
    told |= {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}
    return json.dumps(told | {"peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024})
