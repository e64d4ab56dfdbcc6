"""Measures dlx against captum, shap, lime and shapiq: CPU time a row as a ratio in one run, beside the error of both.

python experiments/benchmark.py --quick takes some three minutes; without --quick, the rounds, the columns and the whole of
credit_default take some half an hour. Writes table.md, table.csv, frontier.csv, frontier.svg and frontier.png to --output.
Peer and dlx alternate on one thread; medians of the rounds count. Nets are random, two hidden layers of 128 ReLU, against 100
background rows; trees are 200 boosted ones of depth 6.
"""

from __future__ import annotations

import argparse
import platform
import resource
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import captum.attr
import numpy as np
import pandas as pd
import shap
import shapiq
import torch
from lime.lime_tabular import LimeTabularExplainer
from matplotlib.figure import Figure
from sklearn.ensemble import HistGradientBoostingClassifier
from torch import nn

import dlx
from dlx import plots
from dlx.encoder import Encoder
from dlx.files import write_atomically
from dlx.model import NeuralModel, TreeModel
from dlx.models.gradient_boosting import as_trees
from dlx.progress import Narrator
from dlx.schema import Feature, Schema, Target
from dlx.threads import one_thread

HIDDEN, BACKGROUND, TREES, DEPTH = 128, 100, 200, 6
LIBRARIES = ("dlx", "torch", "captum", "shap", "lime", "shapiq", "scikit-learn", "numpy")


@dataclass(frozen=True)
class Contest:
    """One quantity, computed by a peer and by dlx.

    Parameters
    ----------
    quantity, peer_name : str
        What is computed, and by whom else.
    columns : int
        Of the table.
    peer, ours : callable
        Return contributions [rows, columns] of so many rows.
    peer_rows, rows : int
        How many rows each is given: the slow one fewer.
    target : float
        The ratio of CPU time that is asked for.
    error : callable
        Error of contributions of the first rows; `measure` says of which kind.
    measure : str
        What the error is.
    """

    quantity: str
    peer_name: str
    columns: int
    peer: Callable[[int], np.ndarray]
    ours: Callable[[int], np.ndarray]
    peer_rows: int
    rows: int
    target: float
    error: Callable[[np.ndarray], float]
    measure: str


class World:
    """A random net on some columns, people and background, and what the libraries make of them."""

    def __init__(self, columns: int) -> None:
        torch.manual_seed(columns)
        self.columns = columns
        self.schema = Schema(tuple(Feature(f"x{i}") for i in range(columns)), Target("y", levels=("0", "1")))
        layers = [nn.Linear(columns, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 1)]
        self.network = nn.Sequential(*layers).eval()
        self.model = NeuralModel(self.network, Encoder.identity(self.schema), "net")
        rng = np.random.default_rng(columns)
        self.rows, self.background = rng.normal(size=(4_000, columns)), rng.normal(size=(BACKGROUND, columns))

    def explain(self, method: str, rows: int, **options: object) -> dlx.Explanation:
        """Return an explanation of the first rows."""
        background = options.pop("background", self.background)
        return dlx.explain(self.model, self.rows[:rows], method=method, background=background, scale="logit", **options)

    def predict(self, rows: np.ndarray) -> np.ndarray:
        """Return the net's outputs, as a user hands them to shap and lime."""
        with torch.no_grad():
            return self.network(torch.from_numpy(np.asarray(rows, dtype=np.float32))).numpy().ravel().astype(np.float64)

    def dense(self, rows: int) -> object:
        """Return the first rows as a tensor."""
        return self.model.dense(self.rows[:rows])

    def by_lime(self, rows: int, seed: int = 0) -> np.ndarray:
        """Return lime's weights."""
        explainer = LimeTabularExplainer(self.background, mode="regression", random_state=seed)
        made = np.zeros((rows, self.columns))
        for i, row in enumerate(self.rows[:rows]):
            told = explainer.explain_instance(row, self.predict, num_features=self.columns, num_samples=5_000)
            for column, weight in told.local_exp[1]:
                made[i, column] = weight
        return made

    def by_captum(self, method: str, rows: int, over_background: bool = False, **options: object) -> np.ndarray:
        """Return captum's attributions, from the first reference row or averaged over all."""
        references = self.model.dense(self.background if over_background else self.background[:1])
        persons = self.dense(rows)
        baselines = references if over_background else references.expand_as(persons)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            made = getattr(captum.attr, method)(self.network).attribute(persons, baselines, **options)
        return made.detach().double().numpy()

    def by_shap(self, kind: str, rows: int, **options: object) -> np.ndarray:
        """Return shap's values by its Kernel, Permutation or Exact explainer."""
        if kind == "Kernel":
            explainer = shap.KernelExplainer(self.predict, self.background)
            return np.asarray(explainer.shap_values(self.rows[:rows], l1_reg=0, silent=True, **options))
        masker = shap.maskers.Independent(self.background, max_samples=BACKGROUND)
        explainer = getattr(shap.explainers, f"{kind}Explainer")(self.predict, masker)
        return np.asarray(explainer(self.rows[:rows], silent=True, **options).values)


def main() -> None:
    """Run the contests, and write the table and the frontier."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer rounds, 20 columns only, no whole table")
    parser.add_argument("--only", default="", help="only quantities that contain this text")
    parser.add_argument("--output", type=Path, default=Path("experiments/benchmark"), help="folder to write to")
    parser.add_argument("--memory-of", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.memory_of:
        print(memory_here(arguments.memory_of[0], int(arguments.memory_of[1])))
        return
    narrator, rounds = Narrator(), 3 if arguments.quick else 5
    columns = (20,) if arguments.quick else (13, 20, 50)
    with one_thread():
        contests = [one for one in all_contests(columns) if arguments.only in one.quantity]
        lines = []
        for contest in contests:
            with narrator.step(
                f"{contest.quantity}, {contest.columns} columns, against {contest.peer_name}", "rounds"
            ) as update:
                lines.append(held(contest, rounds, update))
        table = pd.DataFrame(lines)
        frontier = pd.DataFrame() if arguments.only else frontier_of(20, narrator)
        whole = pd.DataFrame() if arguments.quick or arguments.only else whole_table(narrator)
    table = pd.concat(
        [table, pd.DataFrame([] if arguments.only else memory_lines(1_000 if arguments.quick else 4_000))], ignore_index=True
    )
    for name, some in {"table": table, "frontier": frontier, "whole_table": whole}.items():
        if len(some):
            write_atomically(arguments.output / f"{name}.csv", some.to_csv(index=False))
    write_atomically(arguments.output / "table.md", markdown(table, whole))
    if len(frontier):
        draw(frontier, arguments.output)
    print(markdown(table, whole))
    print(arguments.output / "table.md")


def all_contests(columns: tuple[int, ...]) -> Iterator[Contest]:
    """Yield every contest; the error of each is measured on its first few rows."""
    for d in columns:
        world = World(d)
        yield lime_contest(world)
        yield from path_contests(world)
        yield from shapley_contests(world)
        if d == 20:
            yield from tree_contests(d)


def lime_contest(world: World) -> Contest:
    """Return LIME: its error is the distance from lime's mean over 20 seeds, in units of lime's seed-to-seed spread."""
    judged = 2
    seeds = np.array([world.by_lime(judged, seed) for seed in range(20)])
    mean, spread = seeds.mean(axis=0), seeds.std(axis=0, ddof=1)

    def error(values: np.ndarray) -> float:
        return float(np.sqrt(np.square((values[:judged] - mean) / spread).mean()))

    return Contest(
        "LIME, 5,000 samples", "lime", world.columns,
        lambda n: world.by_lime(n, seed=99), lambda n: world.explain("lime", n, units="lime", seed=99).values,
        10, 1_000, {20: 80, 50: 40}.get(world.columns, 80), error, "distance from lime's mean, in its own spreads",
    )  # fmt: skip


def path_contests(world: World) -> Iterator[Contest]:
    """Yield integrated gradients and DeepLIFT, from one reference row and over the background."""
    first = world.background[:1]
    whole = world.model.predict(world.rows, "logit") - world.model.predict(first, "logit")

    def gap(values: np.ndarray) -> float:
        few = whole[: len(values)]
        return float(np.abs(values.sum(axis=1) - few).mean() / np.abs(few).mean())

    yield Contest(
        "integrated gradients, exact", "captum, 50 steps", world.columns,
        lambda n: world.by_captum("IntegratedGradients", n, n_steps=50),
        lambda n: world.explain("integrated_gradients", n, background=first).values,
        200, 1_000, 3, gap, "completeness gap",
    )  # fmt: skip
    for name, peer, over in (
        ("DeepLIFT, one reference row", "DeepLift", False),
        ("DeepLIFT over the background", "DeepLiftShap", True),
    ):
        expected = world.by_captum(peer, 20, over)

        def distance(values: np.ndarray, expected: np.ndarray = expected) -> float:
            few = values[: len(expected)]
            return float(np.linalg.norm(few - expected[: len(few)]) / np.linalg.norm(expected[: len(few)]))

        yield Contest(
            name, f"captum {peer}", world.columns,
            lambda n, peer=peer, over=over: world.by_captum(peer, n, over),
            lambda n, over=over: world.explain("deeplift", n, background=world.background if over else first).values,
            20 if over else 1_000, 200 if over else 4_000, 20 if over else 8, distance, "distance from captum",
        )  # fmt: skip


def shapley_contests(world: World) -> Iterator[Contest]:
    """Yield Shapley values against shap's explainers; the truth is exact up to 16 columns, else a long run of our own."""
    judged = 4
    truth = truth_of(world, judged).values

    def error(values: np.ndarray) -> float:
        few = min(len(values), judged)
        return float(np.median(np.linalg.norm(values[:few] - truth[:few], axis=1) / np.linalg.norm(truth[:few], axis=1)))

    for peer, tolerance, target in (("Kernel", 0.02, {20: 60, 50: 25}.get(world.columns, 16)), ("Permutation", 0.03, 10)):
        yield Contest(
            f"Shapley values, error about {tolerance:g}", f"shap {peer}", world.columns,
            lambda n, peer=peer: world.by_shap(peer, n),
            lambda n, tolerance=tolerance: world.explain("shapley", n, tolerance=tolerance).values,
            4, 100, target, error, "relative error",
        )  # fmt: skip
    if world.columns <= 13:
        yield Contest(
            "exact Shapley values", "shap Exact", world.columns,
            lambda n: world.by_shap("Exact", n), lambda n: world.explain("exact_shapley", n).values,
            1, 2, 25, error, "relative error",
        )  # fmt: skip


def truth_of(world: World, rows: int) -> dlx.Explanation:
    """Return Shapley values to hold others against, with their standard errors."""
    if world.columns <= 16:
        return world.explain("exact_shapley", rows)
    return world.explain("shapley", rows, tolerance=0.002, seed=12_345)


def tree_contests(columns: int) -> Iterator[Contest]:
    """Yield exact Shapley values of boosted trees, of many rows and of few; the error is how far they are from adding up."""
    world, rng = World(columns), np.random.default_rng(1)
    table = world.rows.astype(np.float32)
    outcomes = table[:, 0] * table[:, 1] + table[:, 2] + rng.normal(size=len(table)) > 0
    boosted = HistGradientBoostingClassifier(
        max_iter=TREES, max_depth=DEPTH, max_leaf_nodes=None, min_samples_leaf=5, early_stopping=False
    ).fit(table, outcomes)
    model = TreeModel(as_trees(boosted), world.schema, "trees")
    outputs, base = model.predict(world.rows, "logit"), model.predict(world.background, "logit").mean()
    masker = shap.maskers.Independent(world.background.astype(np.float32), max_samples=BACKGROUND)

    def by_shap(n: int) -> np.ndarray:
        explainer = shap.TreeExplainer(model.trees.for_shap(), masker, feature_perturbation="interventional")
        return explainer.shap_values(table[:n], check_additivity=False)

    def by_us(n: int) -> np.ndarray:
        return dlx.explain(model, world.rows[:n], method="tree_shap", background=world.background, scale="logit").values

    def gap(values: np.ndarray) -> float:
        return float(np.abs(outputs[: len(values)] - base - values.sum(axis=1)).max())

    for rows, target in ((1_500, 15), (100, 10)):
        name = f"tree Shapley values, {TREES} trees of depth {DEPTH}, {rows:,} rows"
        yield Contest(name, "shap TreeExplainer", columns, by_shap, by_us, rows, rows, target, gap, "largest residual")


def held(contest: Contest, rounds: int, update: Callable[[int, int], None]) -> dict[str, object]:
    """Return a line: CPU and wall time a row of both, their errors, and the ratio of the medians."""
    contest.ours(min(2, contest.rows))  # what is compiled or imported once is not the contest
    peers, ours = [], []
    for done in range(rounds):
        peers.append(timed(contest.peer, contest.peer_rows))
        ours.append(timed(contest.ours, contest.rows))
        update(done + 1, rounds)
    peer_cpu, our_cpu = (float(np.median([cpu for _, cpu, _ in runs])) for runs in (peers, ours))
    peer_wall, our_wall = (float(np.median([wall for _, _, wall in runs])) for runs in (peers, ours))
    return {
        "quantity": contest.quantity,
        "columns": contest.columns,
        "peer": contest.peer_name,
        "peer_error": contest.error(peers[-1][0]),
        "error": contest.error(ours[-1][0]),
        "measure": contest.measure,
        "peer_cpu_per_row": peer_cpu / contest.peer_rows,
        "cpu_per_row": our_cpu / contest.rows,
        "peer_wall_per_row": peer_wall / contest.peer_rows,
        "wall_per_row": our_wall / contest.rows,
        "ratio": (peer_cpu / contest.peer_rows) / (our_cpu / contest.rows),
        "target": contest.target,
    }


def timed(function: Callable[[int], np.ndarray], rows: int) -> tuple[np.ndarray, float, float]:
    """Return what a function gives for so many rows, and its CPU and wall time."""
    cpu, wall = time.process_time(), time.perf_counter()
    values = function(rows)
    return values, time.process_time() - cpu, time.perf_counter() - wall


def frontier_of(columns: int, narrator: Narrator) -> pd.DataFrame:
    """Return error and CPU seconds a row of each estimator of Shapley values, by its budget."""
    world, judged, lines = World(columns), 4, []
    truth = truth_of(world, judged).values

    def noted(name: str, budget: object, function: Callable[[int], np.ndarray], rows: int) -> None:
        values, cpu, _ = timed(function, rows)
        few = min(rows, judged)
        error = np.linalg.norm(values[:few] - truth[:few], axis=1) / np.linalg.norm(truth[:few], axis=1)
        lines.append({"estimator": name, "budget": budget, "error": float(np.median(error)), "cpu_per_row": cpu / rows})

    with narrator.step("frontier of the estimators of Shapley values", "points") as update:
        for n_samples in (128, 512, 2_048):
            noted("shap Kernel", n_samples, lambda n, b=n_samples: world.by_shap("Kernel", n, nsamples=b), 2)
        for permutations in (4, 16, 64):
            evaluations = permutations * (2 * columns + 1)
            noted("shap Permutation", permutations, lambda n, b=evaluations: world.by_shap("Permutation", n, max_evals=b), 2)
        for budget in (512, 2_048):
            noted("shapiq KernelSHAP", budget, lambda n, b=budget: by_shapiq(world, n, b), 2)
        for tolerance in (0.08, 0.04, 0.02, 0.01, 0.005):
            noted("dlx", tolerance, lambda n, t=tolerance: world.explain("shapley", n, tolerance=t).values, 40)
        update(len(lines), len(lines))
    return pd.DataFrame(lines)


def by_shapiq(world: World, rows: int, budget: int) -> np.ndarray:
    """Return shapiq's KernelSHAP on the same interventional game."""
    made = np.empty((rows, world.columns))
    for i, row in enumerate(world.rows[:rows]):

        def worth(coalitions: np.ndarray, row: np.ndarray = row) -> np.ndarray:
            mixed = np.where(coalitions[:, None], row, world.background)
            return world.predict(mixed.reshape(-1, world.columns)).reshape(len(coalitions), -1).mean(axis=1)

        empty = float(worth(np.zeros((1, world.columns), dtype=bool))[0])
        found = shapiq.KernelSHAP(n=world.columns, random_state=0).approximate(budget, lambda c, e=empty: worth(c) - e)
        made[i] = found.get_n_order_values(1)
    return made


def whole_table(narrator: Narrator) -> pd.DataFrame:
    """Return how time and memory grow with the rows of credit_default, up to all 30,000."""
    case, lines = dlx.load("credit_default"), []
    net, background = dlx.load_model("credit_default", "mlp"), case.background(BACKGROUND)
    for method, options in (("deeplift", {}), ("integrated_gradients", {}), ("lime", {}), ("shapley", {"tolerance": 0.03})):
        for rows in (1_000, 10_000, 30_000):
            with narrator.step(f"credit_default by {method}, {rows:,} rows", "people") as update:
                asked = {"method": method, "background": background, "scale": "logit", "progress": update, **options}
                _, cpu, wall = timed(lambda n, asked=asked: dlx.explain(net, case[:n], **asked).values, rows)
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
            lines.append({"method": method, "rows": rows, "cpu": cpu, "wall": wall, "peak_gb_so_far": peak})
    return pd.DataFrame(lines)


def memory_lines(rows: int) -> list[dict[str, object]]:
    """Return the peak memory of DeepLIFT over the background above that of an idle process, ours and captum's."""
    peaks = {}
    for name in ("nothing", "dlx", "captum"):
        command = [sys.executable, __file__, "--memory-of", name, str(rows)]
        peaks[name] = float(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[-1])
    idle = peaks.pop("nothing")
    ratio = (peaks["captum"] - idle) / max(peaks["dlx"] - idle, 1.0)
    name = f"DeepLIFT over the background, {rows:,} rows: peak memory"
    told = {"quantity": name, "columns": 20, "peer": "captum DeepLiftShap", "measure": "MB above an idle process"}
    return [told | {"peer_error": peaks["captum"] - idle, "error": peaks["dlx"] - idle, "ratio": ratio, "target": 10}]


def memory_here(name: str, rows: int) -> float:
    """Return this process's peak memory in MB after DeepLIFT over the background, by dlx, by captum, or not at all."""
    world = World(20)
    with one_thread():
        if name == "captum":
            world.by_captum("DeepLiftShap", rows, over_background=True)
        elif name == "dlx":
            world.explain("deeplift", rows)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def markdown(table: pd.DataFrame, whole: pd.DataFrame) -> str:
    """Return the tables as markdown, with the machine and the versions."""
    lines = ["| quantity | columns | peer | error: peer | error: dlx | ratio | asked for |", "|---" * 7 + "|"]
    for line in table.itertuples():
        errors, ratio = f"{line.peer_error:.2g} | {line.error:.2g}", f"**{line.ratio:.1f}** | {line.target:g}"
        lines.append(f"| {line.quantity} ({line.measure}) | {line.columns} | {line.peer} | {errors} | {ratio} |")
    if len(whole):
        lines += ["", "| credit_default, mlp | rows | CPU s | wall s | peak GB so far |", "|---" * 5 + "|"]
        lines += [
            f"| {w.method} | {w.rows:,} | {w.cpu:.1f} | {w.wall:.1f} | {w.peak_gb_so_far:.2f} |" for w in whole.itertuples()
        ]
    made_by = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    return "\n".join([*lines, "", f"One thread of {platform.machine()}, Python {platform.python_version()}, {made_by}.", ""])


def draw(frontier: pd.DataFrame, folder: Path) -> None:
    """Draw error against CPU seconds a row, a line an estimator."""
    with plots.style():
        figure = Figure(figsize=(6.4, 4.4), layout="constrained")
        ax = figure.subplots()
        for (name, some), colour, marker in zip(
            frontier.groupby("estimator", sort=False), plots.COLOURS, plots.MARKERS, strict=False
        ):
            some = some.sort_values("cpu_per_row")
            ax.loglog(some["cpu_per_row"], some["error"], marker + "-", color=colour, markersize=5, label=name)
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_major_formatter("{x:g}")
        ax.set_xlabel("CPU seconds a row, one thread")
        ax.set_ylabel("relative error (median over rows)")
        ax.grid(color="#e4e7eb", linewidth=0.7)
        ax.legend(frameon=False)
        for kind in ("svg", "png"):
            figure.savefig(folder / f"frontier.{kind}")


if __name__ == "__main__":
    main()
