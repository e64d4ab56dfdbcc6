"""How far methods are apart as their libraries come, and how much of it goes when they are aligned."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from dlx import explainers
from dlx.comparison.causes import CAUSES, SWITCHES

if TYPE_CHECKING:
    import pandas as pd

ALIGNED = {name: CAUSES[name] for name in SWITCHES} | {"all": "all of it: unit, scale, background, sampling, one-hot columns"}


def aligned_distances(tables: Mapping[str, pd.DataFrame]) -> list[dict[str, Any]]:
    """Return pairs of methods, with their distances in every combination of settings: bit i of a place is setting i, aligned.

    Where only the ends were measured, as libraries come and all aligned, these are the only two.
    """
    table, settings = tables.get("alignment"), tables.get("library_defaults")
    if table is None and settings is not None:
        known = settings[settings["measure"].isin(["placed differently", "feature_agreement"])]
        is_top = known["measure"] == "feature_agreement"
        table = known.assign(
            measure=np.where(is_top, "top differs", known["measure"]),
            mean=np.where(is_top, 1 - known["mean"], known["mean"]),
            settings="all",
            aligned=np.where(known["setting"] == "aligned", "all", ""),
        )
    found: list[dict[str, Any]] = []
    pairs = ["model", "method", "other_method", "settings"]
    for (model, *methods, names), lines in [] if table is None else table.groupby(pairs, sort=False):
        means = lines.pivot(index="aligned", columns="measure", values="mean")
        if means.isna().any(axis=None):
            continue
        switches = names.split()
        aligned = [" ".join(name for i, name in enumerate(switches) if place >> i & 1) for place in range(2 ** len(switches))]
        labels = [explainers.method(method).LABEL for method in methods]
        pair = {"model": model, "labels": labels, "switches": switches, "k": int(lines["k"].iloc[0])}
        ends = {"placed": "placed differently", "top": "top differs"}
        distances = {name: means.loc[aligned, measure].round(4).tolist() for name, measure in ends.items()}
        found.append(pair | distances | {"people": int(lines["people"].min())})
    return found
