"""How close to Python the workbench's engine is, and how quick: models of a case on test people of whom three columns changed.

    uv run --locked --group test python experiments/browser_engine.py bank_loan --people 200

It runs in node, whose JavaScript is Chromium's; seconds are those of the processor. Of each model: what it weighs in a page,
the largest difference of a prediction, the median time of one; of Shapley values the time to the first answer, and how many lie
within two standard errors of `exact_shapley` or a long run of `shapley`, and the furthest; then what is known after a second
(--seconds), and its median standard error.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from playwright._impl._driver import compute_driver_executable
from running import run

import dlx
from dlx.dataset import Dataset
from dlx.explainers import best_shapley, exact_for, ground_truth_for
from dlx.model import Model
from dlx.workbench import writing

Ask = Callable[..., Any]
LONG_RUN = 3_000  # evaluations for each reference row


@contextlib.contextmanager
def running_engine() -> Iterator[Ask]:
    """Yield a function of what is asked of a model, and with what: the engine's answer, from node or that of playwright."""
    node = shutil.which("node") or compute_driver_executable()[0]
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(Path(writing.__file__).with_name("engine"), folder, dirs_exist_ok=True)
        shutil.copy(Path(__file__).with_suffix(".js"), folder)
        Path(folder, "package.json").write_text('{"type": "module"}')
        command, pipe = [node, str(Path(folder, "browser_engine.js"))], subprocess.PIPE
        with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:

            def ask(what: str, model: Model, **given: Any) -> Any:
                question = {"what": what, "model": writing.written(model)}
                process.stdin.write(json.dumps(question | {name: plain(value) for name, value in given.items()}) + "\n")
                process.stdin.flush()
                answer = process.stdout.readline()
                if not answer:
                    raise RuntimeError(process.stderr.read())
                return json.loads(answer)

            yield ask
            process.stdin.close()


def plain(value: Any) -> Any:
    """Return rows as lists, missing codes as None: JSON knows no NaN."""
    return np.where(np.isnan(value), None, value).tolist() if isinstance(value, np.ndarray) else value


def changed(case: Dataset, count: int, seed: int = 0) -> np.ndarray:
    """Return test people, of whom three columns each were changed to those of somebody else, coded [count, features]."""
    rng = np.random.default_rng(seed)
    rows = case.test.rows[rng.choice(len(case.test), count, replace=count > len(case.test))].copy()
    for row in rows:
        for column in rng.choice(rows.shape[1], 3, replace=False):
            row[column] = case.train.rows[rng.integers(len(case.train)), column]
    return rows


def measured(ask: Ask, model: Model, rows: np.ndarray, background: np.ndarray, seed: int, seconds: float) -> dict[str, Any]:
    """Return every measure of a model."""
    scale = model.scales[0]
    theirs = model.predict(rows, scale)
    off = np.abs(ask("predictions", model, rows=rows, scale=scale) - theirs) / np.maximum(1, np.abs(theirs))
    answers = ask("shapley", model, rows=rows, background=background, scale=scale, seed=seed, most=1e9, seconds=seconds)
    best = best_shapley(model, scale)
    method = best if exact_for(best, model, scale) else ground_truth_for(model, scale)
    options = {} if exact_for(method, model, scale) else {"budget": LONG_RUN * len(background)}
    truth = dlx.explain(model, rows, method=method, background=background, scale=scale, **options)
    largest = np.abs(truth.values).max(axis=1, keepdims=True)
    known = np.zeros_like(truth.values) if truth.standard_errors is None else truth.standard_errors
    (_, _, *first), (values, errors, *last) = (_told(answers, which, truth.values, known) for which in (0, -1))
    return {
        "KB": len(json.dumps(writing.written(model))) // 1024,
        "prediction off": f"{off.max():.0e}",
        "ms": np.median(ask("milliseconds", model, rows=rows, scale=scale)).round(3),
        "first answer, ms": round(np.median([steps[0]["milliseconds"] for steps in answers])),
        "evaluations": int(np.median([steps[-1]["evaluations"] for steps in answers])),
        "off / largest": f"{np.median(np.abs(values - truth.values) / largest):.1e}",
        "standard error / largest": f"{np.median(errors / largest):.1e}",
        "within 2 at first": first[0],
        "furthest at first": first[1],
        "within 2": last[0],
        "furthest": last[1],
    }


def _told(answers: list[list[Any]], which: int, truth: np.ndarray, known: np.ndarray) -> tuple[Any, ...]:
    """Return values and standard errors of an answer to each row, how many values are within two of them, and the furthest."""
    values, errors = (np.array([steps[which][name] for steps in answers]) for name in ("values", "errors"))
    sampled = ~np.array([steps[which]["isExact"] for steps in answers])
    apart = np.abs(values - truth)[sampled] / np.hypot(errors, known)[sampled]
    return values, errors, *(((apart <= 2).mean().round(3), apart.max().round(1)) if apart.size else ("exact", "exact"))


def main() -> None:
    """Print a table of the measures of a case's models."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("case")
    parser.add_argument("--model", action="append", help="by default all that are shipped")
    parser.add_argument("--people", type=int, default=200)
    parser.add_argument("--background", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0, help="of the people, of what is changed, and of the engine's draws")
    parser.add_argument("--seconds", type=float, default=1.0, help="after which the last answer is taken")
    options = parser.parse_args()
    case = dlx.load(options.case)
    shipped = ("mlp", "resnet", "gradient_boosting", "random_forest", "decision_tree", "logistic_regression")
    rows, background = changed(case, options.people, options.seed), case.background(options.background, seed=0).rows
    with running_engine() as ask:
        asked = {name: dlx.load_model(options.case, name) for name in options.model or shipped}
        table = {name: measured(ask, model, rows, background, options.seed, options.seconds) for name, model in asked.items()}
    print(pd.DataFrame(table).T.to_string())


if __name__ == "__main__":
    run(main)
