"""What would fix a model: the same recipe with a remedy, and what it changed."""

from dlx.remedies.comparing import before_after
from dlx.remedies.errors import RemedyError
from dlx.remedies.fixing import Fixed, fix
from dlx.remedies.recipe import recipe_of
from dlx.remedies.recoding import Recoding, recoding_of
from dlx.remedies.remedy import Remedy, known_remedy

__all__ = ["Fixed", "Recoding", "Remedy", "RemedyError", "before_after", "fix", "known_remedy", "recipe_of", "recoding_of"]
