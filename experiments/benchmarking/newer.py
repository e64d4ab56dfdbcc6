"""Peers that need Python 3.12 or newer, where they are installed: shapiq's newest estimators and trees, lightshap and woodelf.

Estimators are held to dlx at equally many evaluations, on nets and on four of the eight data sets of Leverage SHAP (Musco and
Witter 2024), by XGBoost and one reference row, with 8 evaluations a column. The other four (California, Adult, NHANES,
Communities) are downloaded by those who use them, and ship with no package.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version

import numpy as np
import pandas as pd
import shap
import shapiq
from packaging.version import Version
from sklearn import datasets
from xgboost import XGBRegressor

import dlx
from benchmarking.contests import Contest, as_good
from benchmarking.worlds import World, random_world, trained_world
from dlx.kernels.shapley import Game
from dlx.model import TreeModel, trees_of
from dlx.schema import Feature, Schema, Target

NEEDED = {"shapiq": "1.8", "lightshap": "0.1", "woodelf-explainer": "0.4"}
ESTIMATORS: dict[str, dict[str, object]] = {
    "LeverageSHAP": {},
    "OddSHAP": {},
    "PolySHAP": {},
    "RegressionMSR": {"index": "SV"},
    "ProxySHAP": {"index": "SV", "max_order": 1},
    "ShaplEIG": {"show_progress": False},
}
SLOW = ("ShaplEIG",)  # a minute a row of 20 columns
JUDGED = 20


def lacking() -> list[str]:
    """Return which of these peers are not installed, or too old."""

    def is_there(name: str, least: str) -> bool:
        with contextlib.suppress(PackageNotFoundError):
            return Version(version(name)) >= Version(least)
        return False

    return [f"{name} >= {least}" for name, least in NEEDED.items() if not is_there(name, least)]


def newer_contests(columns: tuple[int, ...]) -> Iterator[Contest]:
    """Yield the contests with the peers that are installed."""
    there = {name for name in NEEDED if not any(one.startswith(name) for one in lacking())}
    nets = [*(random_world(d) for d in columns if d >= 20), trained_world("bank_loan")]
    for world in nets if "shapiq" in there else ():
        yield from (_same_budget(world, name) for name in ESTIMATORS)
    for world in nets if "lightshap" in there else ():
        yield from (_as_good(world, method) for method in ("kernel", "permutation"))
    yield from _trees(there)
    if "shapiq" in there:
        yield from (_of_leverage(name, make) for name, make in SETS.items())


def _same_budget(world: World, estimator: str) -> Contest:
    """Return Shapley values by one of shapiq's estimators and by ours, on our usual budget."""
    budget = 64 + 4 * world.columns
    return Contest(
        f"Shapley values, {budget} coalitions", world.name, f"shapiq {estimator}", world.columns,
        lambda n: world.by_shapiq(n, budget, estimator, **ESTIMATORS[estimator]),
        lambda n: world.explain("shapley", n, budget=budget * len(world.background)).values,
        1 if estimator in SLOW else 8, 100, world.error, "relative error", 1,
    )  # fmt: skip


def _as_good(world: World, method: str) -> Contest:
    """Return Shapley values by lightshap, as it comes, and by us on the least budget that is as good."""
    explain_any = importlib.import_module("lightshap").explain_any

    def by_lightshap(n: int) -> np.ndarray:
        how = {"method": method, "random_state": 0, "verbose": False}
        return explain_any(world.predict, world.rows[:n], bg_X=world.background, **how).shap_values

    @functools.cache
    def budget() -> int:
        return 2 * as_good(world, world.error(by_lightshap(8))) * len(world.background)

    return Contest(
        f"Shapley values, as good as lightshap {method}", world.name, "lightshap", world.columns, by_lightshap,
        lambda n: world.explain("shapley", n, budget=budget()).values, 8, 100, world.error, "relative error",
        {"kernel": 3, "permutation": 8}[method],
    )  # fmt: skip


def _trees(there: set[str]) -> Iterator[Contest]:
    """Yield exact Shapley values of 100 trees of depth 6, by XGBoost, of one row to many, by woodelf and by shapiq."""
    rng = np.random.default_rng(1)
    table, background = (rng.normal(size=(count, 20)).astype(np.float32) for count in (4_000, 100))
    names = [f"f{i}" for i in range(table.shape[1])]
    booster = XGBRegressor(n_estimators=100, max_depth=6, n_jobs=1)
    booster.fit(pd.DataFrame(table, columns=names), table[:, 0] * table[:, 1] + table[:, 2] + rng.normal(size=len(table)))
    table = np.concatenate([table, rng.normal(size=(96_000, 20)).astype(np.float32)])
    model = _read(booster, 20)
    outputs, base = model.predict(table, "value"), model.predict(background, "value").mean()

    def by_woodelf(n: int) -> np.ndarray:
        explainer = importlib.import_module("woodelf").WoodelfExplainer(booster, pd.DataFrame(background, columns=names))
        return np.asarray(explainer.shap_values(pd.DataFrame(table[:n], columns=names), verbose=False))

    def by_shapiq(n: int) -> np.ndarray:
        explainer = shapiq.TreeExplainer(booster, mode="interventional", reference_dataset=background, max_order=1)
        found = explainer.explain_X(table[:n])
        return np.stack([one.get_n_order_values(1) for one in found])

    def by_us(n: int) -> np.ndarray:
        return dlx.explain(model, table[:n], method="tree_shap", background=background, scale="value").values

    def gap(values: np.ndarray) -> float:
        return float(np.abs(outputs[: len(values)] - base - values.sum(axis=1)).max())

    by_us(10_000)  # so that the loops are compiled: fewer rows go by numpy where they are not
    counts = (1, 100, 1_000)
    peers = (("woodelf", "woodelf-explainer", by_woodelf, (*counts, 100_000)), ("shapiq", "shapiq", by_shapiq, counts))
    for name, package, peer, rows_of_peer in peers:
        for rows in rows_of_peer if package in there else ():
            quantity, goal = (
                f"Shapley values of 100 trees of depth 6, {rows:,} row{'s' * (rows > 1)}",
                10 if rows <= 1_000 else 1,
            )
            yield Contest(quantity, "xgboost", name, 20, peer, by_us, rows, rows, gap, "largest residual", goal)


def _of_leverage(name: str, make: Callable[[], tuple[np.ndarray, np.ndarray]]) -> Contest:
    """Return Shapley values of one of its data sets by LeverageSHAP and by sampling of ours, 8 evaluations a column."""
    table, outcomes = (np.asarray(part, dtype=np.float64) for part in make())
    booster, columns = XGBRegressor(n_estimators=100, max_depth=4, n_jobs=1).fit(table, outcomes), table.shape[1]
    model, background = _read(booster, columns), table.mean(axis=0)[None]
    people = table[np.random.default_rng(0).permutation(len(table))[:JUDGED]]
    asked = {"background": background, "scale": "value"}
    truth = dlx.explain(model, people, method="tree_shap", **asked).values

    def by_leverage(n: int) -> np.ndarray:
        made = np.empty((n, columns))
        for i, row in enumerate(people[:n]):
            game = Game(model, row[None], background, "value")
            empty = float(model.predict(background, "value")[0])
            found = shapiq.LeverageSHAP(n=columns, random_state=i).approximate(
                8 * columns, lambda some, g=game, e=empty: g.worth(np.asarray(some, dtype=bool))[0][0] - e
            )
            made[i] = found.get_n_order_values(1)
        return made

    def error(values: np.ndarray) -> float:
        missed = np.square(values - truth[: len(values)]).sum(axis=1) / np.square(truth[: len(values)]).sum(axis=1)
        return float(np.median(missed))

    return Contest(
        "Shapley values, 8 evaluations a column", f"{name}, xgboost", "shapiq LeverageSHAP", columns, by_leverage,
        lambda n: dlx.explain(model, people[:n], method="shapley", budget=8 * columns, **asked).values,
        JUDGED, JUDGED, error, "median squared relative error", 1,
    )  # fmt: skip


def _read(booster: XGBRegressor, columns: int) -> TreeModel:
    schema = Schema(tuple(Feature(f"f{i}") for i in range(columns)), Target("y", kind="regression"))
    return TreeModel(trees_of(booster)[0], schema, "trees", scales=("value",))


SETS: dict[str, Callable[[], tuple[np.ndarray, np.ndarray]]] = {
    "iris": lambda: datasets.load_iris(return_X_y=True),
    "diabetes": lambda: datasets.load_diabetes(return_X_y=True),
    "correlated": shap.datasets.corrgroups60,
    "independent": shap.datasets.independentlinear60,
}
