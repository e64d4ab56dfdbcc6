"""How likely slices as bad as those seen are by chance: permutations, and draws from the model."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from dlx.audit.mispredictions.deciding import Verdicts

DRAWS = 9_999
BLOCK = 500  # draws at a time


def loss_chances(test: Verdicts, masks: np.ndarray, seed: int) -> np.ndarray:
    """Return the share of permutations in which the loss in each slice is at least as high, [slices]."""
    losses = test.losses

    def drawn(rng: np.random.Generator, count: int) -> np.ndarray:
        return rng.permuted(np.broadcast_to(losses, (count, len(losses))), axis=1)

    # the sum in the slice decides: its size and the sum of all losses are the same in every permutation
    return _chances(masks.astype(float), losses, drawn, lambda sums: sums, seed)


def risk_chances(test: Verdicts, masks: np.ndarray, seed: int) -> np.ndarray:
    """Return the share of outcomes drawn from the model in which events are at least as far from those predicted, [slices]."""

    def drawn(rng: np.random.Generator, count: int) -> np.ndarray:
        return (rng.random((count, len(test))) < test.predicted) - test.predicted

    return _chances(masks.astype(float), test.residuals, drawn, np.abs, seed)


def _chances(
    masks: np.ndarray,
    observed: np.ndarray,
    drawn: Callable[[np.random.Generator, int], np.ndarray],
    size: Callable[[np.ndarray], np.ndarray],
    seed: int,
) -> np.ndarray:
    rng, reached = np.random.default_rng(seed), np.ones(len(masks))
    limit = size(masks @ observed) - 1e-9  # equal sums may differ by their order of summation
    for start in range(0, DRAWS, BLOCK):
        sums = drawn(rng, min(BLOCK, DRAWS - start)) @ masks.T
        reached += (size(sums) >= limit).sum(axis=0)
    return reached / (1 + DRAWS)
