"""How far conditional Shapley values are from a known truth, and what they cost beside interventional ones.

    uv run --locked python experiments/conditional.py

Writes conditional.md beside this file, or to --output. The truth: normal columns, E[f(X) | X_S = x_S] being drawn from the
distribution that made them. The cost: CPU seconds a person on one thread, shipped models, both methods alternating, medians of
three rounds; the error is relative to values by 16 times the evaluations.
"""

from __future__ import annotations

import argparse
import time
from itertools import combinations
from math import factorial
from pathlib import Path

import numpy as np
import pandas as pd
from running import run

import dlx
from dlx.explanation import Explanation
from dlx.files import write_atomically
from dlx.model import BlackBox, Model
from dlx.schema import Feature, Schema, Target
from dlx.threads import one_thread

COLUMNS, STRENGTH, DRAWS = 5, 0.7, 10_000
SCORES = {
    "linear": lambda x: x @ np.array([1.0, -2.0, 0.5, 1.5, 0.0]),
    "tanh and a product": lambda x: np.tanh(x[:, 0] + x[:, 1]) + x[:, 1] * x[:, 2] + np.abs(x[:, 3]),
}
MODELS = [("bank_loan", "mlp"), ("bank_loan", "gradient_boosting"), ("heart_attack", "resnet"), ("credit_default", "mlp")]
ROUNDS, MOST = 3, 16
DATA, MODEL = "conditional_shapley", "shapley"


def off(found: np.ndarray, truth: np.ndarray) -> float:
    """Return the median over people of the distance from the truth, as a share of its length."""
    return float(np.median(np.linalg.norm(found - truth, axis=1) / np.linalg.norm(truth, axis=1)))


def truth_of(score: object, row: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """Return the conditional Shapley values of a person, by draws of which the distribution is known."""
    worth, noise, width = {}, np.random.default_rng(0).normal(size=(DRAWS, len(row))), len(row)
    every = [frozenset(some) for size in range(width + 1) for some in combinations(range(width), size)]
    for some in every:
        known = np.isin(np.arange(width), list(some))
        slopes = covariance[np.ix_(~known, known)] @ np.linalg.inv(covariance[np.ix_(known, known)])
        left = covariance[np.ix_(~known, ~known)] - slopes @ covariance[np.ix_(known, ~known)]
        rows = np.tile(row, (DRAWS, 1))
        rows[:, ~known] = slopes @ row[known] + noise[:, ~known] @ np.linalg.cholesky(left).T
        worth[some] = score(rows).mean()
    values = np.zeros(width)
    for some in every:
        for player in set(range(width)) - some:
            weight = factorial(len(some)) * factorial(width - len(some) - 1) / factorial(width)
            values[player] += weight * (worth[some | {player}] - worth[some])
    return values


def known_truth(people: int) -> pd.DataFrame:
    """Return how far both methods are from the known truth, by the number of reference rows."""
    schema = Schema(tuple(Feature(f"x{i}") for i in range(COLUMNS)), Target("score", "regression"))
    covariance, lines = STRENGTH ** np.abs(np.subtract.outer(range(COLUMNS), range(COLUMNS))), []
    rows, *backgrounds = (
        np.random.default_rng(seed).multivariate_normal(np.zeros(COLUMNS), covariance, size=size)
        for seed, size in enumerate([people, 100, 300, 1_000, 3_000])
    )
    for name, score in SCORES.items():
        model = BlackBox(lambda table, score=score: score(table.to_numpy()), schema, name, ("value",))
        truth = np.array([truth_of(score, row, covariance) for row in rows])
        for background in backgrounds:
            found = {m: dlx.explain(model, rows, method=m, background=background, scale="value") for m in (DATA, MODEL)}
            line = {"model": name, "references": len(background), "route": found[DATA].options["route"]}
            lines.append(line | {f"off, {method}": f"{off(made.values, truth):.1%}" for method, made in found.items()})
    return pd.DataFrame(lines)


def cost(case: dlx.Dataset, model: Model, people: int) -> pd.DataFrame:
    """Return the cost and the error of both methods, by evaluations, and of the set-up."""
    rows, background = case.test[:people], case.background(100)
    usual = len(background) * (64 + 4 * len(case.schema))

    def made(method: str, times: float = 1, few: int = people, **options: object) -> tuple[Explanation, float]:
        started = time.process_time()
        asked = {"method": method, "background": background, "scale": model.scales[0], "budget": int(times * usual)}
        return dlx.explain(model, rows[:few], **asked, **options), time.process_time() - started

    routes = {DATA: {"route": "copula"}, MODEL: {}}
    settings = [(MODEL, 1), (DATA, 1), (DATA, 4)]
    truth = {method: made(method, MOST, **options)[0].values for method, options in routes.items()}
    rounds = [{s: made(*s, **routes[s[0]]) for s in settings} for _ in range(ROUNDS)]
    alone = [{s: made(*s, few=1, **routes[s[0]])[1] for s in settings} for _ in range(ROUNDS)]
    chosen = made(DATA)[0]
    told = {name.removeprefix("held_out_"): float(v[0]) for name, v in chosen.extras.items() if "held" in name}
    held = ", ".join(f"{name} {error:.3f}" for name, error in told.items())
    lines = []
    for method, times in settings:
        one = np.median([found[method, times] for found in alone])
        each = (np.median([found[method, times][1] for found in rounds]) - one) / (people - 1)
        error = off(rounds[0][method, times][0].values, truth[method])
        lines.append(
            {"method": method, "evaluations": times, "ms a person": 1e3 * each, "set-up, ms": 1e3 * (one - each), "off": error}
        )
    table = pd.DataFrame(lines).assign(
        model=f"{case.name} {model.name}", ratio=lambda t: t["ms a person"] / t["ms a person"][0]
    )
    route = chosen.options["route"]
    pairs = [(made(DATA, few=1)[1], made(DATA, few=1, route=route)[1]) for _ in range(ROUNDS)]
    choice = 1e3 * np.median([judged - given for judged, given in pairs])
    return table.assign(chosen=f"{route}, in {choice:.0f} ms, by {held}")


def markdown(table: pd.DataFrame) -> str:
    """Return a table as Markdown."""
    shown = table.map(lambda cell: f"{cell:.3g}" if isinstance(cell, float) else str(cell))
    lines = [list(shown.columns), ["---"] * shown.shape[1], *shown.to_numpy().tolist()]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> None:
    """Measure, and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=6)
    parser.add_argument("--output", type=Path, default=Path(__file__).with_suffix(".md"))
    asked = parser.parse_args()
    with one_thread():
        truth = known_truth(2 * asked.people)
        costs = pd.concat([cost(dlx.load(c), dlx.load_model(c, m), asked.people) for c, m in MODELS], ignore_index=True)
    order = ["model", "method", "evaluations", "ms a person", "ratio", "set-up, ms", "off", "chosen"]
    write_atomically(
        asked.output, "\n\n".join([*__doc__.splitlines()[:1], markdown(truth), markdown(costs[order]), ""]).encode()
    )


if __name__ == "__main__":
    run(main)
