"""What would fix a model: the same recipe with a remedy, and what it changed.

`fix` trains a model again with columns left out, levels merged, columns bound to be monotone, rows reweighed or probabilities
recalibrated (a `Remedy`); `mitigations` compares remedies of unequal treatment.
"""

from dlx.remedies.comparing import before_after
from dlx.remedies.fixing import Fixed, fix, recipe_of
from dlx.remedies.mitigation import mitigations
from dlx.remedies.recoding import Recoding, RemedyError, recoding_of
from dlx.remedies.remedy import Remedy, known_remedy

__all__ = [
    "Fixed",
    "Recoding",
    "Remedy",
    "RemedyError",
    "before_after",
    "fix",
    "known_remedy",
    "mitigations",
    "recipe_of",
    "recoding_of",
]
