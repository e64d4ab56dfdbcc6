"""What would fix a model: the same recipe with a remedy, and what it changed.

`fix` trains a model again with columns left out, levels merged, columns bound to be monotone, rows reweighed or probabilities
recalibrated (a `Remedy`); `mitigations` compares remedies of unequal treatment.
"""

from dlx.remedies.comparing import before_after
from dlx.remedies.fixing import Fixed, Remedy, fix, known_remedy, recipe_of
from dlx.remedies.mitigation import mitigations
from dlx.remedies.recoding import RemedyError

__all__ = ["Fixed", "Remedy", "RemedyError", "before_after", "fix", "known_remedy", "mitigations", "recipe_of"]
