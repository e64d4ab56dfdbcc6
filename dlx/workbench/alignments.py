"""How far methods are apart as their libraries come, and how much of it goes when they are aligned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dlx import explainers
from dlx.comparison.causes import CAUSES, SWITCHES

if TYPE_CHECKING:
    import pandas as pd

ALIGNED = {name: CAUSES[name] for name in SWITCHES}


def aligned_distances(table: pd.DataFrame | None) -> list[dict[str, Any]]:
    """Return pairs of methods, with their distances for each combination of settings that was measured with these aligned.

    `table` is that of `dlx.comparison.one_by_one`, or of `Disagreement.by_setting`, which has every combination.
    """
    found: list[dict[str, Any]] = []
    pairs = ["model", "method", "other_method", "settings"]
    for (model, *methods, names), lines in [] if table is None else table.groupby(pairs, sort=False):
        means = lines.pivot(index="aligned", columns="measure", values="mean")
        if means.isna().any(axis=None):
            continue
        labels = [explainers.method(method).LABEL for method in methods]
        pair = {"model": model, "labels": labels, "switches": names.split(), "k": int(lines["k"].iloc[0])}
        ends = {"placed": "placed differently", "top": "top differs"}
        distances = {name: means[measure].round(4).tolist() for name, measure in ends.items()}
        found.append(pair | {"aligned": means.index.tolist()} | distances | {"people": int(lines["people"].min())})
    return found
