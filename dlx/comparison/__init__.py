"""Several explanations of the same rows: what they agree on, and where two models part ways."""

from dlx.comparison.agreement import METRICS, agreement, agreement_by_row, chance_level
from dlx.comparison.alignment import AlignmentError
from dlx.comparison.comparison import Comparison, compare
from dlx.comparison.contrasting import Contrast, contrast
from dlx.comparison.importance import importance

__all__ = [
    "METRICS",
    "AlignmentError",
    "Comparison",
    "Contrast",
    "agreement",
    "agreement_by_row",
    "chance_level",
    "compare",
    "contrast",
    "importance",
]
