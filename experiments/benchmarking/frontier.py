"""Error over CPU seconds a row of each estimator of Shapley values, by its budget: a table and its drawing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from benchmarking.contests import Values, timed
from benchmarking.newer import ESTIMATORS, lacking
from benchmarking.worlds import World
from dlx import plots
from dlx.progress import Narrator

JUDGED = 4
NEWEST = ("LeverageSHAP", "OddSHAP", "PolySHAP", "RegressionMSR", "ProxySHAP")


def frontier(world: World, narrator: Narrator) -> pd.DataFrame:
    """Return a line an estimator and budget: its error, in the median over people, and CPU seconds a row."""
    lines: list[dict[str, object]] = []
    with narrator.step(f"frontier of Shapley estimators, {world.name} of {world.columns} columns", "points") as update:
        points = list(_points(world))
        for name, budget, function, rows in points:
            values, cpu, _ = timed(function, rows)
            error = world.error(values, JUDGED)
            line = {"net": world.name, "columns": world.columns, "estimator": name, "budget": budget, "error": error}
            lines.append(line | {"cpu_per_row": cpu / rows})
            update(len(lines), len(points))
    return pd.DataFrame(lines)


def _points(world: World) -> list[tuple[str, object, Values, int]]:
    d, references = world.columns, len(world.background)
    points: list[tuple[str, object, Values, int]] = []
    for n_samples in (128, 512, 2_048):
        points.append(("shap Kernel", n_samples, lambda n, b=n_samples: world.by_shap("Kernel", n, nsamples=b), 2))
    for permutations in (4, 16, 64):
        evaluations = permutations * (2 * d + 1)
        points.append(
            ("shap Permutation", permutations, lambda n, b=evaluations: world.by_shap("Permutation", n, max_evals=b), 2)
        )
    for budget in (512, 2_048):
        points.append(("shapiq KernelSHAP", budget, lambda n, b=budget: world.by_shapiq(n, b), 2))
    for newest in NEWEST if not any(name.startswith("shapiq") for name in lacking()) else ():
        for budget in (64 + 4 * d, 512, 2_048):
            how = ESTIMATORS[newest]
            points.append(
                (f"shapiq {newest}", budget, lambda n, b=budget, e=newest, how=how: world.by_shapiq(n, b, e, **how), 4)
            )
    for pairs in np.unique(np.ceil((d + 1) * 2.0 ** np.arange(0, 6)).astype(int)):
        budget = 2 * int(pairs) * references
        points.append(("dlx", budget, lambda n, b=budget: world.explain("shapley", n, budget=b).values, 20))
    return points


def draw(table: pd.DataFrame, folder: Path) -> None:
    """Draw error against CPU seconds a row, a panel a net and a line an estimator, as SVG and PNG."""
    nets = list(table.groupby(["net", "columns"], sort=False))
    estimators = table["estimator"].unique()
    looks = dict(zip(estimators, zip(plots.COLOURS, plots.MARKERS, strict=False), strict=False))
    with plots.style():
        figure = Figure(figsize=(4.6 * len(nets), 4.0), layout="constrained")
        axes = figure.subplots(1, len(nets), sharey=True, squeeze=False)[0]
        for ((net, columns), some), ax in zip(nets, axes, strict=True):
            for name, points in some.groupby("estimator", sort=False):
                colour, marker = looks[name]
                points = points.sort_values("cpu_per_row")
                ax.loglog(points["cpu_per_row"], points["error"], f"{marker}-", color=colour, markersize=5, label=name)
            ax.set_title(f"{net}, {columns} columns")
            ax.set_xlabel("CPU seconds a row, one thread")
            ax.grid(color="#e4e7eb", linewidth=0.7)
            for axis in (ax.xaxis, ax.yaxis):
                axis.set_major_formatter("{x:g}")
        axes[0].set_ylabel("relative error (median over people)")
        figure.legend(*axes[0].get_legend_handles_labels(), loc="outside right upper", frameon=False)
        for kind in ("svg", "png"):
            figure.savefig(folder / f"frontier.{kind}")
