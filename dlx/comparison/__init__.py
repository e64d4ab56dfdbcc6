"""Several explanations of the same rows: what they agree on beyond noise, why not, and who is right."""

from dlx.comparison.alignment import AlignmentError, Contrast, contrast
from dlx.comparison.causes import (
    Disagreement,
    Laboratory,
    as_libraries_come,
    disagreement,
    one_by_one,
    placed_by_dependence,
    unaligned_settings,
)
from dlx.comparison.comparison import Comparison, compare, importance
from dlx.comparison.components import VarianceComponents, variance_components
from dlx.comparison.faithfulness_metrics import faithfulness, faithfulness_by_row
from dlx.comparison.metrics import METRICS, agreement, agreement_by_row, chance_level
from dlx.comparison.noise import Replicates, against_noise, noise_floor, replicate
from dlx.comparison.sanity import sanity_check
from dlx.comparison.stability_metrics import stability
from dlx.comparison.trustworthiness import Consensus, Measurements, believed, consensus, trust
from dlx.comparison.truth import distance_by_row, distance_to_truth, ground_truth

__all__ = ["METRICS", "AlignmentError", "Comparison", "Consensus", "Contrast", "Disagreement", "Laboratory", "Measurements"]
__all__ += ["Replicates", "VarianceComponents", "against_noise", "agreement", "agreement_by_row", "as_libraries_come"]
__all__ += ["believed", "chance_level", "compare", "consensus", "contrast", "disagreement", "distance_by_row"]
__all__ += ["distance_to_truth", "faithfulness", "faithfulness_by_row", "ground_truth", "importance", "noise_floor"]
__all__ += ["one_by_one", "placed_by_dependence", "replicate", "sanity_check", "stability", "trust", "unaligned_settings"]
__all__ += ["variance_components"]
