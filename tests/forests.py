"""Random trees of every kind, and rows that stand on their thresholds, in and out of their sets."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from dlx.trees import Reading, Trees, concatenate

HALVES = (-1, -0.5, 0, 0.5, 1)
NAMES = ("feature", "threshold", "left", "right", "missing_left", "value", "cover")


def random_tree(rng, width, depth, thresholds, sets=(), words=()):
    """A tree that asks columns at random, the same ones again and again; those of `sets` by a set of codes each."""
    numbers, codes = {name: [] for name in NAMES}, {}

    def grow(level):
        here = len(numbers["feature"])
        asks = level < depth and (level < 2 or rng.random() < 0.8)
        column = int(rng.integers(width)) if asks else -1
        if column in sets:
            codes[here] = words[rng.integers(len(words))]
        threshold = 0.0 if column in sets else rng.choice(thresholds)
        given = (column, threshold, -1, -1, rng.random() < 0.5, 0.0 if asks else rng.normal(), 1.0)
        for name, number in zip(NAMES, given, strict=True):
            numbers[name].append(number)
        if asks:
            numbers["left"][here], numbers["right"][here] = grow(level + 1), grow(level + 1)
            numbers["cover"][here] = sum(numbers["cover"][numbers[side][here]] for side in ("left", "right"))
        return here

    grow(0)
    return {name: np.array(array) for name, array in numbers.items()} | {"sets": codes}


def random_trees(
    seed, width=5, depth=7, count=4, *, sets=(), levels=6, reading=None, thresholds=(-1, -0.5, 0, 0.5, 1)
) -> Trees:
    """Trees of random columns, thresholds and sets of the codes of `levels` categories."""
    rng = np.random.default_rng(seed)
    bits = rng.random((8, -(-levels // 32) * 32)) < 0.5
    words = [np.flatnonzero(some) for some in bits]
    grown = [random_tree(rng, width, depth, thresholds, sets, words) for _ in range(count)]
    return concatenate(grown, base=0.3, reading=reading)


def random_rows(seed, size, width=5, *, sets=(), levels=6, thresholds=HALVES, missing=0.2):
    """Rows on, just above and just below thresholds, with codes within and beyond the sets; some values are missing."""
    rng = np.random.default_rng(seed)
    rows = rng.choice(np.array(thresholds, dtype=float), size=(size, width))
    rows = np.choose(rng.integers(3, size=rows.shape), [rows, np.nextafter(rows, np.inf), np.nextafter(rows, -np.inf)])
    rows[:, list(sets)] = rng.integers(-1, levels + 34, size=(size, len(sets)))
    return np.where(rng.random(rows.shape) < missing, np.nan, rows)


@st.composite
def trees_and_rows(draw):
    """Trees of any precision, with any columns of sets and numbers that count as missing, and rows of them."""
    seed, width = draw(st.integers(0, 2**31)), draw(st.integers(1, 4))
    sets = draw(st.sets(st.integers(0, width - 1), max_size=2))
    far = {"allow_nan": False, "width": 32}
    thresholds = draw(st.lists(st.floats(**far) | st.floats(-1e6, 1e6), min_size=1, max_size=6))
    shape = {
        "sets": sorted(sets),
        "levels": draw(st.sampled_from([2, 40, 1000])),
        "thresholds": np.clip(thresholds, -1e38, 1e38),
    }
    trees = random_trees(seed, width, draw(st.integers(1, 5)), draw(st.integers(1, 3)), **shape)
    asked = sorted(set(trees.feature.tolist()) - {-1})
    absent = [[draw(st.sampled_from(asked)), 0, draw(st.sampled_from([0, 3]))]] if draw(st.booleans()) else []
    reading = Reading(draw(st.sampled_from(["float32", "float64"])), np.array(absent).reshape(-1, 3))
    rebuilt = {name: getattr(trees, name) for name in (*NAMES, "set_start", "set_size", "words", "roots", "base")}
    return Trees(**rebuilt, reading=reading), random_rows(seed + 1, 30, width, **shape)
