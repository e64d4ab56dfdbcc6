"""The compiled loop of `dlx.kernels.trees.mixing`: every leaf that a pair may reach, for every coalition."""

from __future__ import annotations

import numba
import numpy as np


@numba.njit(cache=True, nogil=True)
def add_leaves(
    value: np.ndarray,
    theirs: np.ndarray,
    ours: np.ndarray,
    people: np.ndarray,
    references: np.ndarray,
    bits: np.ndarray,
    members: np.ndarray,
    worth: np.ndarray,
) -> None:
    """Add to `worth` [pairs, coalitions] each leaf that a pair's coalition reaches; `bits` [pairs, some] are the players'."""
    joined = np.empty(len(members), np.int64)
    for pair in range(len(people)):
        for coalition in range(len(joined)):
            joined[coalition] = 0
            for player in range(bits.shape[1]):
                joined[coalition] |= bits[pair, player] if members[coalition, player] else 0
        for leaf in range(len(value)):
            out, needed = theirs[people[pair], leaf], ours[references[pair], leaf]
            if out & needed == 0:
                for coalition in range(len(joined)):
                    reached = joined[coalition] & (out | needed) == needed
                    worth[pair, coalition] += value[leaf] if reached else 0.0
