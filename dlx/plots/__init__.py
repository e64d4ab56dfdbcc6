"""Draws what the rest of dlx computed, on given axes. Nothing is computed here but where ink goes."""

from dlx.plots.attacks import draw_detections, draw_off_manifold
from dlx.plots.effects import draw_centred_curves, draw_effects, draw_pair, draw_permutation
from dlx.plots.evidence import draw_causes, draw_components, draw_distances, draw_noise, draw_sanity
from dlx.plots.explanations import (
    draw_beeswarm,
    draw_contrast,
    draw_contributions,
    draw_importance,
    draw_interactions,
    draw_matrix,
    draw_partial_dependence,
    draw_waterfall,
)
from dlx.plots.fairness import draw_gap, draw_group_rates
from dlx.plots.looks import (
    COLOURS,
    DOWN,
    GREY,
    INK,
    MARKERS,
    STYLE,
    UNITS,
    UP,
    method_looks,
    model_looks,
    models_of_page,
    shortened,
    style,
)
from dlx.plots.mispredictions import draw_before_after, draw_losses, draw_pushes, draw_slices
from dlx.plots.performance import draw_calibration, draw_decision_curve, draw_predictions
from dlx.plots.recourse import draw_column_shifts, draw_reason_stability, draw_reasons_given, draw_recourse

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
    "draw_before_after",
    "draw_calibration",
    "draw_causes",
    "draw_centred_curves",
    "draw_column_shifts",
    "draw_components",
    "draw_contrast",
    "draw_contributions",
    "draw_decision_curve",
    "draw_detections",
    "draw_distances",
    "draw_effects",
    "draw_gap",
    "draw_group_rates",
    "draw_importance",
    "draw_interactions",
    "draw_losses",
    "draw_matrix",
    "draw_noise",
    "draw_off_manifold",
    "draw_pair",
    "draw_partial_dependence",
    "draw_permutation",
    "draw_predictions",
    "draw_pushes",
    "draw_reason_stability",
    "draw_reasons_given",
    "draw_recourse",
    "draw_sanity",
    "draw_slices",
    "draw_waterfall",
    "method_looks",
    "model_looks",
    "models_of_page",
    "shortened",
    "style",
]
