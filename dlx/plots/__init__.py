"""Draws what the rest of dlx computed, on given axes. Nothing is computed here but where ink goes."""

from dlx.plots.audit import (
    draw_before_after,
    draw_calibration,
    draw_column_shifts,
    draw_confusion,
    draw_decision_curve,
    draw_detections,
    draw_errors_by_prediction,
    draw_gap,
    draw_group_rates,
    draw_losses,
    draw_off_manifold,
    draw_predicted,
    draw_predictions,
    draw_pushes,
    draw_reason_stability,
    draw_reasons_given,
    draw_recourse,
    draw_slices,
)
from dlx.plots.diagnostics import draw_causes, draw_components, draw_distances, draw_noise, draw_sanity
from dlx.plots.effects import draw_centred_curves, draw_effects, draw_pair, draw_permutation, draw_shape
from dlx.plots.explanations import (
    draw_beeswarm,
    draw_contrast,
    draw_contributions,
    draw_importance,
    draw_interactions,
    draw_matrix,
    draw_waterfall,
)
from dlx.plots.looks import (
    COLOURS,
    DOWN,
    GREY,
    INK,
    MARKERS,
    UP,
    decimals_of_values,
    method_label,
    method_looks,
    model_looks,
    models_of_page,
    percent_axis,
    shortened,
    style,
    unit_of,
    values_of_page,
)

__all__ = ["COLOURS", "DOWN", "GREY", "INK", "MARKERS", "UP", "decimals_of_values", "method_label", "method_looks"]
__all__ += ["model_looks", "models_of_page", "percent_axis", "shortened", "style", "unit_of", "values_of_page"]
__all__ += ["draw_beeswarm", "draw_before_after", "draw_calibration", "draw_causes", "draw_centred_curves"]
__all__ += ["draw_column_shifts", "draw_components", "draw_confusion", "draw_contrast", "draw_contributions"]
__all__ += ["draw_decision_curve", "draw_detections", "draw_distances", "draw_effects", "draw_errors_by_prediction"]
__all__ += ["draw_gap", "draw_group_rates", "draw_importance", "draw_interactions", "draw_losses", "draw_matrix"]
__all__ += ["draw_noise", "draw_off_manifold", "draw_pair", "draw_permutation", "draw_predicted", "draw_predictions"]
__all__ += ["draw_pushes", "draw_reason_stability", "draw_reasons_given", "draw_recourse", "draw_sanity", "draw_shape"]
__all__ += ["draw_slices", "draw_waterfall"]
