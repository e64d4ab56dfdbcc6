"""Several explanations of the same rows: what they agree on beyond noise, why not, and who is right."""

from dlx.comparison.agreement import METRICS, agreement, agreement_by_row, chance_level
from dlx.comparison.alignment import AlignmentError
from dlx.comparison.causes import Disagreement, as_libraries_come, disagreement
from dlx.comparison.comparison import Comparison, compare
from dlx.comparison.contrasting import Contrast, contrast
from dlx.comparison.defaults import Laboratory
from dlx.comparison.faithfulness import faithfulness, faithfulness_by_row
from dlx.comparison.ground_truth import errors, errors_by_row, judge
from dlx.comparison.importance import importance
from dlx.comparison.noise import Replicates, against_noise, noise_floor, replicate
from dlx.comparison.sanity import sanity_check
from dlx.comparison.stability import stability
from dlx.comparison.trust import Evidence, Verdict, believed, trust, verdict
from dlx.comparison.variance_components import Crossed, crossed

__all__ = [
    "METRICS",
    "AlignmentError",
    "Comparison",
    "Contrast",
    "Crossed",
    "Disagreement",
    "Evidence",
    "Laboratory",
    "Replicates",
    "Verdict",
    "against_noise",
    "agreement",
    "agreement_by_row",
    "as_libraries_come",
    "believed",
    "chance_level",
    "compare",
    "contrast",
    "crossed",
    "disagreement",
    "errors",
    "errors_by_row",
    "faithfulness",
    "faithfulness_by_row",
    "importance",
    "judge",
    "noise_floor",
    "replicate",
    "sanity_check",
    "stability",
    "trust",
    "verdict",
]
