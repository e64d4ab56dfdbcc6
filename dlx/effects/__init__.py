"""What a model does when columns change: partial dependence, ALE, Friedman's H, permutation importance, a file each."""

from dlx.effects.accumulated import AccumulatedEffects, accumulated_local_effects
from dlx.effects.friedman import friedman_h
from dlx.effects.pairs import PairDependence, pair_dependence
from dlx.effects.partial import GRID_POINTS, PartialDependence, partial_dependence
from dlx.effects.permutation import permutation_importance
from dlx.effects.support import gaps, people_at

__all__ = [
    "GRID_POINTS",
    "AccumulatedEffects",
    "PairDependence",
    "PartialDependence",
    "accumulated_local_effects",
    "friedman_h",
    "gaps",
    "pair_dependence",
    "partial_dependence",
    "people_at",
    "permutation_importance",
]
