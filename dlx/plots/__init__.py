"""Draws what the rest of dlx computed, on given axes. Nothing is computed here but where ink goes."""

from dlx.plots.evidence import draw_causes, draw_components, draw_errors, draw_noise, draw_sanity
from dlx.plots.explanations import (
    draw_beeswarm,
    draw_contrast,
    draw_importance,
    draw_interactions,
    draw_matrix,
    draw_partial_dependence,
    draw_waterfall,
)
from dlx.plots.style import COLOURS, DOWN, GREY, INK, MARKERS, STYLE, UNITS, UP, shortened, style
from dlx.plots.vulnerability import draw_findings, draw_off_manifold, draw_settings

__all__ = [
    "COLOURS",
    "DOWN",
    "GREY",
    "INK",
    "MARKERS",
    "STYLE",
    "UNITS",
    "UP",
    "draw_beeswarm",
    "draw_causes",
    "draw_components",
    "draw_contrast",
    "draw_errors",
    "draw_findings",
    "draw_importance",
    "draw_interactions",
    "draw_matrix",
    "draw_noise",
    "draw_off_manifold",
    "draw_partial_dependence",
    "draw_sanity",
    "draw_settings",
    "draw_waterfall",
    "shortened",
    "style",
]
