"""The figures of the section."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from dlx import plots
from dlx.attacks.defences import FLIP
from dlx.attacks.fooling import IN_THE_OPEN
from dlx.attacks.gradients import REPEAT
from dlx.context import RunContext
from dlx.reporting.canvas import panels
from dlx.reporting.sections import Measured

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure as Canvas


def attacks_found(measured: Measured, context: RunContext) -> Canvas:
    """Return what the flip and the gradients measure of attacked and audited models, with the limits."""
    label = measured.about.feature.label
    found = measured.tables["attacks_found"]
    first = found[found["seed"] == context.seed]
    first = first.assign(label=[_label(line, label) for _, line in first.iterrows()])
    axes_of = {FLIP: f"decisions that change with {label} alone", REPEAT: "top columns that stay when measured again"}
    tables = {words: some for defence, words in axes_of.items() if len(some := first[first["defence"] == defence])}
    parts = [("", partial(plots.draw_detections, some, of=words)) for words, some in tables.items()]
    heights = [0.3 * len(some) + 0.7 for some in tables.values()]
    return panels(parts, size=(5.6, 0), room=(0, 0.4), heights=heights, legend_columns=3)


def _label(line: pd.Series, label: str) -> str:
    if not line["is_attacked"] or line["demonstration"] == "fragile gradients":
        return str(line["model"])
    if line["demonstration"] == IN_THE_OPEN:
        return f"by {label}, openly"
    return f"hidden from {line['demonstration']}".replace(" with ", "\nwith ")


def off_manifold(measured: Measured, _: RunContext) -> Canvas:
    """Return how much of what each method evaluates could not be real."""
    table = measured.tables["off_manifold"]
    return panels([("", partial(plots.draw_off_manifold, table))], size=(7.6, 0.36 * len(table) + 0.8))
