"""One quantity, computed by a peer and by dlx in turns: CPU time a row of both, beside the error of both."""

from __future__ import annotations

import functools
import importlib
import importlib.util
import multiprocessing
import resource
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import shap
import sklearn.inspection
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

import dlx
from benchmarking.worlds import World, random_world, trained_world
from dlx.model import Scale, TreeModel, trees_of

TREES, DEPTH, FOREST = 200, 6, 50
PAIRS_GROW = 1.08  # step of the budgets among which the cheapest that is as good as the peer is sought
SHORT, MANY = 1.0, 60  # what takes less than so many seconds of CPU is repeated more often, up to so many rounds
Values = Callable[[int], np.ndarray]


@dataclass(frozen=True)
class Contest:
    """One quantity, computed by a peer and by dlx.

    Parameters
    ----------
    quantity, world, peer_name : str
        What is computed, of which net, and by whom else.
    columns : int
        Of the table.
    peer, ours : callable
        Return contributions [rows, columns] of so many rows.
    peer_rows, rows : int
        How many rows each is given.
    error : callable
        Error of contributions of the first rows; `measure` says of which kind.
    measure : str
        What the error is.
    target : float
        The ratio of CPU time that is asked for; NaN where none is.
    flops : callable or None
        Returns the floating-point operations that ours needs a row; None where that is not the limit.
    """

    quantity: str
    world: str
    peer_name: str
    columns: int
    peer: Values
    ours: Values
    peer_rows: int
    rows: int
    error: Callable[[np.ndarray], float]
    measure: str
    target: float = np.nan
    flops: Callable[[], float] | None = None


EFFECTS_OF = ("mlp", "resnet", "additive", "gradient_boosting", "random_forest")


def effect_contests(case: str) -> Iterator[Contest]:
    """Yield effects of shipped nets and trees: scikit-learn's, and accumulated ones where PyALE is installed."""
    table = dlx.load(case)
    people = table.test
    column = int(np.argmax([len(np.unique(values)) for values in people.rows.T]))
    models = {name: functools.partial(dlx.load_model, case, name) for name in EFFECTS_OF}
    for architecture, make in (models | {"black box, a net of scikit-learn": lambda: black_box(table)}).items():
        model = make()
        estimator, rows = _Estimator(model).fit(people.rows, people.outcomes), len(people)
        asked = {"model": model, "scale": "probability", "feature": model.schema.names[column]}
        grid = dlx.effects.partial_dependence(rows=people, **asked).grid
        columns, ours = len(model.schema), (f"{case} {architecture}", "scikit-learn", len(model.schema))
        dependence, permuted = _dependence(estimator, people, column, grid), _by_sklearn(estimator, people)
        expected, drop = dependence(rows), np.sort(permuted(rows))
        yield Contest(
            "partial dependence of a column", *ours, dependence,
            lambda n, asked=asked: dlx.effects.partial_dependence(rows=people[:n], **asked).curves,
            rows, rows, lambda v, e=expected: float(np.abs(v - e).max()), "largest difference", 6,
        )  # fmt: skip
        yield Contest(
            "permutation importance", *ours, permuted, _by_us(model, people),
            rows, rows, lambda v, e=drop: float(np.abs(np.sort(v) - e).max()), "largest difference", 4,
        )  # fmt: skip
        if importlib.util.find_spec("PyALE") is not None:
            yield _accumulated(asked, people, (ours[0], "PyALE", columns))


def black_box(table: dlx.Dataset) -> dlx.Model:
    """Return a net of scikit-learn's of which nothing is known but what it predicts."""
    net = make_pipeline(StandardScaler(), MLPClassifier((128, 128), max_iter=30, random_state=0))
    net.fit(np.nan_to_num(table.train.rows), table.train.outcomes)
    schema = table.schema

    def predict(people: pd.DataFrame) -> np.ndarray:
        return net.predict_proba(np.nan_to_num(schema.encode(people)))[:, 1]

    return dlx.wrap(predict, table, name="black box")


def _dependence(estimator: object, people: dlx.Dataset, column: int, grid: np.ndarray) -> Values:
    """Return scikit-learn's curves of everybody, by asking the model of each value of the grid."""
    how = {"method": "brute", "custom_values": {column: grid}, "kind": "individual"}
    asked = sklearn.inspection.partial_dependence
    return lambda n: asked(estimator, people.rows[:n], [column], **how)["individual"][0]


def _accumulated(asked: dict[str, Any], people: dlx.Dataset, of: tuple[str, str, int]) -> Contest:
    """Return accumulated local effects with their intervals; both cut the column into 20 bins, at quantiles of their own."""
    ale, model, feature, rows = importlib.import_module("PyALE").ale, asked["model"], asked["feature"], len(people)
    places = dlx.effects.accumulated_local_effects(rows=people, **asked).values

    def by_pyale(n: int) -> np.ndarray:
        table = pd.DataFrame(people.rows[:n], columns=list(model.schema.names))
        found = ale(table, SimpleNamespace(predict=lambda t: model.predict(t.to_numpy(), "probability")), [feature], plot=False)
        return np.interp(places, found.index, found["eff"])

    expected = by_pyale(rows)
    return Contest(
        "accumulated local effects", *of, by_pyale,
        lambda n: dlx.effects.accumulated_local_effects(rows=people[:n], **asked).effects,
        rows, rows, lambda v: float(np.abs(v - expected).max()), "largest difference", 2,
    )  # fmt: skip


class _Estimator(ClassifierMixin, BaseEstimator):
    """A model of dlx as scikit-learn asks it."""

    def __init__(self, model: dlx.Model) -> None:
        self.model = model

    def fit(self, rows: np.ndarray, outcomes: np.ndarray) -> _Estimator:
        """Know the classes."""
        del rows
        self.classes_ = np.unique(outcomes)
        return self

    def predict_proba(self, rows: np.ndarray) -> np.ndarray:
        """Return the probability of both outcomes, [rows, 2]."""
        yes = self.model.predict(rows, "probability")
        return np.column_stack([1 - yes, yes])


def _by_sklearn(estimator: object, people: dlx.Dataset) -> Values:
    """Return scikit-learn's importance of each column, by everybody however many are asked for."""
    how = {"scoring": "roc_auc", "n_repeats": 5, "random_state": 0}
    asked = sklearn.inspection.permutation_importance
    return lambda _: asked(estimator, people.rows, people.outcomes, **how)["importances_mean"]


def _by_us(model: dlx.Model, people: dlx.Dataset) -> Values:
    return lambda _: dlx.effects.permutation_importance(model, people, metric="auc", repeats=5)["importance"].to_numpy()


def all_contests(columns: tuple[int, ...]) -> Iterator[Contest]:
    """Yield every contest on random nets of so many columns, and Shapley values of two trained nets."""
    for d in columns:
        world = random_world(d)
        yield lime_contest(world)
        yield from path_contests(world)
        yield from shapley_contests(world)
        if d == 20:
            yield from tree_contests(world)
    for case in ("bank_loan", "credit_default"):
        yield from shapley_contests(trained_world(case))
    yield from effect_contests("bank_loan")


def lime_contest(
    world: World, quantity: str = "LIME, 5,000 samples", peer_rows: int = 10, rows: int = 1_000, target: float = np.nan
) -> Contest:
    """Return LIME: its error is the distance from lime's mean over 20 seeds, in units of lime's seed-to-seed spread."""
    judged = min(2, rows)

    @functools.cache
    def of_seeds() -> np.ndarray:
        return np.array([world.by_lime(judged, seed) for seed in range(20)])

    def error(values: np.ndarray) -> float:
        mean, spread = of_seeds().mean(axis=0), of_seeds().std(axis=0, ddof=1)
        return float(np.sqrt(np.square((values[:judged] - mean) / spread).mean()))

    return Contest(
        quantity, world.name, "lime", world.columns,
        lambda n: world.by_lime(n, seed=99), lambda n: world.explain("lime", n, units="lime", seed=99).values,
        peer_rows, rows, error, "distance from lime's mean, in its own spreads",
        {20: 80, 50: 40}.get(world.columns, np.nan) if np.isnan(target) else target,
    )  # fmt: skip


def path_contests(world: World) -> Iterator[Contest]:
    """Yield integrated gradients of a ReLU and of a tanh net, and DeepLIFT from one reference row and over the background."""
    smooth = random_world(world.columns, nn.Tanh)
    yield _integrated(world, "integrated gradients, exact", 3)
    yield _integrated(smooth, "integrated gradients, adaptive (tanh)", 6)
    for name, peer, over, rows, target in (
        ("DeepLIFT, one reference row", "DeepLift", False, 4_000, 8),
        ("DeepLIFT over the background", "DeepLiftShap", True, 200, 20),
    ):
        expected = world.by_captum(peer, 20, over)

        def distance(values: np.ndarray, expected: np.ndarray = expected) -> float:
            few = values[: len(expected)]
            return float(np.linalg.norm(few - expected[: len(few)]) / np.linalg.norm(expected[: len(few)]))

        references = world.background if over else world.background[:1]
        yield Contest(
            name, world.name, f"captum {peer}", world.columns,
            lambda n, peer=peer, over=over: world.by_captum(peer, n, over),
            lambda n, references=references: world.explain("deeplift", n, background=references).values,
            20 if over else rows, rows, distance, "distance from captum", target,
        )  # fmt: skip


def _integrated(world: World, quantity: str, target: float) -> Contest:
    first = world.background[:1]
    whole = world.model.predict(world.rows, "logit") - world.model.predict(first, "logit")

    def gap(values: np.ndarray) -> float:
        few = whole[: len(values)]
        return float(np.abs(values.sum(axis=1) - few).mean() / np.abs(few).mean())

    return Contest(
        quantity, world.name, "captum, 50 steps", world.columns,
        lambda n: world.by_captum("IntegratedGradients", n, n_steps=50),
        lambda n: world.explain("integrated_gradients", n, background=first).values,
        100, 1_000, gap, "completeness gap", target,  # captum takes more than twice as long for twice the rows
    )  # fmt: skip


def shapley_contests(world: World) -> Iterator[Contest]:
    """Yield Shapley values against shap's explainers on their default budgets, ours on the least that is as good."""
    for peer, target in (("Kernel", {20: 60, 50: 25}.get(world.columns, np.nan)), ("Permutation", 10)):

        @functools.cache
        def budget(peer: str = peer) -> int:
            return 2 * as_good(world, world.error(world.by_shap(peer, 8))) * len(world.background)

        yield Contest(
            f"Shapley values, as good as shap {peer}", world.name, f"shap {peer}", world.columns,
            lambda n, peer=peer: world.by_shap(peer, n),
            lambda n, budget=budget: world.explain("shapley", n, budget=budget()).values,
            8, 100, world.error, "relative error", target, lambda budget=budget: float(budget() * world.flops),
        )  # fmt: skip
    if world.columns <= 13:
        evaluations = 2**world.columns * len(world.background)
        yield Contest(
            "exact Shapley values", world.name, "shap Exact", world.columns,
            lambda n: world.by_shap("Exact", n), lambda n: world.explain("exact_shapley", n).values,
            1, 2, world.error, "relative error", 25, lambda: float(evaluations * world.flops),
        )  # fmt: skip


def as_good(world: World, error: float, people: int = 8) -> int:
    """Return the least pairs of coalitions a reference row with which our error is at most so much, of seed 0 and of three."""
    pairs = world.columns + 1
    while True:
        budget = 2 * pairs * len(world.background)
        found = [world.error(world.explain("shapley", people, budget=budget, seed=seed).values) for seed in range(3)]
        if max(np.mean(found), found[0]) <= error:
            return pairs
        pairs = int(np.ceil(PAIRS_GROW * pairs))


def tree_contests(world: World) -> Iterator[Contest]:
    """Yield exact Shapley values of boosted trees, of many rows and of few, and of deep forests, of a few rows."""
    rng = np.random.default_rng(1)
    table = world.rows.astype(np.float32)
    outcomes = table[:, 0] * table[:, 1] + table[:, 2] + rng.normal(size=len(table)) > 0
    boosted = HistGradientBoostingClassifier(
        max_iter=TREES, max_depth=DEPTH, max_leaf_nodes=None, min_samples_leaf=5, early_stopping=False
    )
    asked: list[tuple[str, Any, Scale, tuple[tuple[int, float], ...]]] = [
        (f"{TREES} trees of depth {DEPTH}", boosted, "logit", ((1_500, 15), (100, 10), (1, 10)))
    ]
    for depth in (12, None):
        forest = RandomForestClassifier(FOREST, max_depth=depth, random_state=0, n_jobs=1)
        words = f"a forest of {FOREST} trees of " + (f"depth {depth}" if depth else "any depth")
        asked.append((words, forest, "probability", ((10, 2), (20, 2))))
    for words, estimator, scale, sizes in asked:
        model = TreeModel(
            trees_of(estimator.fit(table, outcomes))[0].in_float32(), world.model.schema, "trees", _with_first(scale)
        )
        for rows, target in sizes:
            yield _of_trees(world, model, f"{words}, {rows:,} row{'s' * (rows > 1)}", rows, target)


def _with_first(scale: Scale) -> tuple[Scale, ...]:
    return scale, "probability" if scale == "logit" else "logit"


def _of_trees(world: World, model: TreeModel, words: str, rows: int, target: float) -> Contest:
    """Return trees of ours against shap's explainer; the error is how far values are from adding up."""
    table, scale = world.rows.astype(np.float32), model.scales[0]
    outputs, base = model.predict(world.rows, scale), model.predict(world.background, scale).mean()
    masker = shap.maskers.Independent(world.background.astype(np.float32), max_samples=len(world.background))

    def by_shap(n: int) -> np.ndarray:
        explainer = shap.TreeExplainer(model.trees.for_shap(), masker, feature_perturbation="interventional")
        return explainer.shap_values(table[:n], check_additivity=False)

    def by_us(n: int) -> np.ndarray:
        return dlx.explain(model, world.rows[:n], method="tree_shap", background=world.background, scale=scale).values

    def gap(values: np.ndarray) -> float:
        return float(np.abs(outputs[: len(values)] - base - values.sum(axis=1)).max())

    by_us(len(table))  # so that the loops are compiled: fewer rows go by numpy where they are not
    peer, kind = "shap TreeExplainer", "forest" if "forest" in words else "boosted trees"
    return Contest(
        f"Shapley values of {words}", kind, peer, world.columns, by_shap, by_us, rows, rows, gap, "largest residual", target
    )


def held(contest: Contest, rounds: int, peak: float, update: Callable[[int, int], None]) -> dict[str, object]:
    """Return a line: CPU and wall time a row of both, their errors, the ratio of the medians, and our share of the peak.

    Parameters
    ----------
    contest : Contest
        What is computed.
    rounds : int
        How often at least; peer and dlx take turns.
    peak : float
        Floating-point operations a second of a large matrix product on one thread.
    update : callable
        Told of each round.
    """
    contest.ours(min(2, contest.rows))  # what is compiled or imported once is not the contest
    peers, ours, took = [], [], 0.0
    while len(ours) < rounds or (took < SHORT and len(ours) < MANY):
        peers.append(timed(contest.peer, contest.peer_rows))
        ours.append(timed(contest.ours, contest.rows))
        took += peers[-1][1] + ours[-1][1]
        update(min(len(ours), rounds), rounds)
    peer_cpu, our_cpu = (float(np.median([cpu for _, cpu, _ in runs])) for runs in (peers, ours))
    peer_wall, our_wall = (float(np.median([wall for _, _, wall in runs])) for runs in (peers, ours))
    return {
        "quantity": contest.quantity,
        "net": contest.world,
        "columns": contest.columns,
        "peer": contest.peer_name,
        "peer_error": contest.error(peers[-1][0]),
        "error": contest.error(ours[-1][0]),
        "measure": contest.measure,
        "peer_mb": peak_mb(contest.peer, contest.peer_rows),
        "mb": peak_mb(contest.ours, contest.rows),
        "peer_cpu_per_row": peer_cpu / contest.peer_rows,
        "cpu_per_row": our_cpu / contest.rows,
        "peer_wall_per_row": peer_wall / contest.peer_rows,
        "wall_per_row": our_wall / contest.rows,
        "ratio": (peer_cpu / contest.peer_rows) / (our_cpu / contest.rows),
        "target": contest.target,
        "share_of_peak": np.nan if contest.flops is None else contest.flops() * contest.rows / our_cpu / peak,
    }


def peak_mb(function: Values, rows: int) -> float:
    """Return by how much a function that was called before raises the peak of the memory of a process forked for it, in MB."""

    def measured(to: Connection) -> None:
        before = Path("/proc/self/statm").read_text().split()[1]
        function(rows)
        to.send(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 - int(before) * resource.getpagesize() / 2**20)

    ours, theirs = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("fork").Process(target=measured, args=(theirs,))
    process.start()
    theirs.close()
    try:
        return max(0.0, float(ours.recv()))
    except EOFError:  # it cannot be forked
        return np.nan
    finally:
        process.join()


def timed(function: Values, rows: int) -> tuple[np.ndarray, float, float]:
    """Return what a function gives for so many rows, and its CPU and wall time."""
    cpu, wall = time.process_time(), time.perf_counter()
    values = function(rows)
    return values, time.process_time() - cpu, time.perf_counter() - wall
