"""Rows drawn at random as scikit-learn's `train_test_split` and `GroupShuffleSplit` draw them; it takes a second to import."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np


def drawn_by_strata(strata: np.ndarray, share: float, seed: int) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the positions of the rest and of a share of all rows, of each stratum as many; None where a stratum is too small.

    Parameters
    ----------
    strata : ndarray [rows]
        Rows of one value are a stratum.
    share : float
        Of the rows that are drawn.
    seed : int
        Of the draw.
    """
    _, which, counts = np.unique(strata, return_inverse=True, return_counts=True)
    wanted = int(np.ceil(share * len(strata)))
    left = len(strata) - wanted
    if counts.min(initial=2) < 2 or min(wanted, left) < max(1, len(counts)):
        return None
    rng = np.random.RandomState(seed)
    rests = _shares(counts, left, rng)
    draws = _shares(counts - rests, wanted, rng)
    shuffled = [
        positions.take(rng.permutation(len(positions)))
        for positions in np.split(which.argsort(kind="stable"), counts.cumsum()[:-1])
    ]
    rest = [positions[:count] for positions, count in zip(shuffled, rests, strict=True)]
    drawn = [positions[a : a + b] for positions, a, b in zip(shuffled, rests, draws, strict=True)]
    return rng.permutation(np.concatenate(rest)), rng.permutation(np.concatenate(drawn))


def _shares(counts: np.ndarray, wanted: int, rng: np.random.RandomState) -> np.ndarray:
    """Return how many to take of each stratum, in proportion; what rounding leaves goes to the largest remainders."""
    exact = counts / counts.sum() * wanted
    taken = np.floor(exact)
    lacking = int(wanted - taken.sum())
    for remainder in np.unique(exact - taken)[::-1]:
        if not lacking:
            break
        tied = np.flatnonzero(exact - np.floor(exact) == remainder)
        chosen = rng.choice(tied, size=min(len(tied), lacking), replace=False)
        taken[chosen] += 1
        lacking -= len(chosen)
    return taken.astype(int)


def drawn_groups(groups: np.ndarray, share: float, seed: int, draws: int) -> Iterator[np.ndarray]:
    """Yield which rows are of the groups that were drawn, bool [rows]: a share of all groups, each time anew."""
    rng, (different, of) = np.random.RandomState(seed), np.unique(groups, return_inverse=True)
    for _ in range(draws):
        yield np.isin(of, rng.permutation(len(different))[: int(np.ceil(share * len(different)))])
