"""Trees as shap's TreeExplainer can hold them: with float32 thresholds, 16-bit numbers of nodes, and no sets.

Thresholds become ranks, which float32 holds, and rows their ranks among them. Where that is not enough, because there are
sets of codes or too many nodes, each leaf becomes a tree of its own: a chain that asks, column by column, whether a row
satisfies all that the leaf's path asks of the column. These trees add up to the same sum, so the values are the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import NamedTuple

import numpy as np

from dlx.trees import LEAF, MISSING, Reading, Trees, concatenate

MOST_NODES = 2**15 - 1  # of a tree whose nodes shap's interventional code can number
CHAINS = 32  # in a call: shap's time grows with the columns of all
FEW_ROWS = 32  # in a call: one of more than ten seconds draws its own progress
LEAST_SHARE = 1e-30  # of training rows: shap divides by it


def shap_values(trees: Trees, rows: np.ndarray, background: np.ndarray | None) -> tuple[np.ndarray, float]:
    """Return shap's values of the trees for coded rows, [rows, features], and the mean output of their training rows.

    Without a background, coded rows [references, features], the values are path-dependent.
    """
    mean, trees = _mean(trees), replace(trees, value=trees.contrasts)  # shap holds leaves in float32
    codes, references = trees.codes(rows), None if background is None else trees.codes(background)
    largest = int(np.diff(np.append(trees.roots, len(trees.feature))).max())
    if not trees.has_set.any() and (references is None or largest <= MOST_NODES):
        ranked = replace(trees, threshold=trees.limits, reading=Reading())
        return _by_shap(ranked, _with_nan(codes), None if references is None else _with_nan(references)), mean
    values, paths = np.zeros(codes.shape), _paths(trees, codes, references)
    while some := list(islice(paths, CHAINS)):
        met = np.column_stack([met for path in some for met in path.met.values()])
        chains = concatenate(_chains(trees, some))
        found = _by_shap(chains, met[: len(codes)], None if references is None else met[len(codes) :])
        np.add.at(values.T, [column for path in some for column in path.met], found.T)
    return values, mean


def _by_shap(trees: Trees, rows: np.ndarray, background: np.ndarray | None) -> np.ndarray:
    import shap

    if background is None:
        explainer = shap.TreeExplainer(trees.for_shap(), feature_perturbation="tree_path_dependent")
    else:
        masker = shap.maskers.Independent(background.astype(np.float32), max_samples=len(background))
        explainer = shap.TreeExplainer(trees.for_shap(), masker, feature_perturbation="interventional")
    read = rows.astype(np.float32)
    few = [read[start : start + FEW_ROWS] for start in range(0, len(read), FEW_ROWS)]
    return np.concatenate([explainer.shap_values(some, check_additivity=False) for some in few])


def _with_nan(codes: np.ndarray) -> np.ndarray:
    return np.where(codes == MISSING, np.nan, codes)


def _mean(trees: Trees) -> float:
    """Return the sum of all leaves, each by its share of its tree's training rows."""
    share, nodes = np.zeros(len(trees.feature)), trees.roots
    share[nodes] = 1.0
    while len(nodes):
        above = nodes[trees.feature[nodes] != LEAF]
        below = np.stack([trees.left[above], trees.right[above]])
        cover = np.maximum(trees.cover[below], LEAST_SHARE)
        share[below] = share[above] * cover / cover.sum(axis=0)
        nodes = below.ravel()
    return float(trees.base + (share * trees.value)[trees.feature == LEAF].sum())


class Path(NamedTuple):
    """The way to a node: by column, whether each row satisfies all that is asked of it, and its share of training rows."""

    node: int
    met: dict[int, np.ndarray]
    shares: dict[int, float]


def _paths(trees: Trees, codes: np.ndarray, references: np.ndarray | None) -> Iterator[Path]:
    """Yield the paths to the leaves that a row mixed with a reference can reach; to all leaves where there are none."""
    known = codes if references is None else np.concatenate([codes, references])
    waiting, count = [Path(int(root), {}, {}) for root in trees.roots], len(codes)
    while waiting:
        path = waiting.pop()
        if trees.feature[path.node] == LEAF:
            if path.met:
                yield path
            continue
        node, column = path.node, int(trees.feature[path.node])
        goes_left, below = trees.goes_left(known, np.array([node]))[0], [int(trees.left[node]), int(trees.right[node])]
        covers = np.maximum(trees.cover[below], LEAST_SHARE)
        before, share = path.met.get(column, np.ones(len(known), dtype=bool)), path.shares.get(column, 1.0)
        for child, answer, cover in zip(below, (goes_left, ~goes_left), covers.tolist(), strict=True):
            met, shares = path.met | {column: before & answer}, path.shares | {column: share * cover / covers.sum()}
            if references is None or np.logical_and.reduce([one[:count, None] | one[count:] for one in met.values()]).any():
                waiting.append(Path(child, met, shares))


def _chains(trees: Trees, paths: Sequence[Path]) -> list[dict[str, np.ndarray]]:
    """Return a tree a path, which asks one column after the other and ends at 0 as soon as one is not satisfied."""
    chains, first = [], 0
    for path in paths:
        columns = len(path.met)
        asks, size = 2 * np.arange(columns), 2 * columns + 1
        chain = {name: np.full(size, LEAF) for name in ("feature", "left", "right")}
        chain["feature"][asks], chain["left"][asks], chain["right"][asks] = first + np.arange(columns), asks + 1, asks + 2
        value, cover = np.zeros(size), np.ones(size)
        value[-1] = trees.value[path.node]
        shares = np.maximum(list(path.shares.values()), LEAST_SHARE)
        cover[asks + 2] = np.cumprod(shares)
        cover[asks + 1] = np.cumprod(np.append(1.0, shares[:-1])) * (1 - shares)
        chain |= {"threshold": np.full(size, 0.5), "missing_left": np.zeros(size, dtype=bool)}
        chains.append(chain | {"value": value, "cover": cover})
        first += columns
    return chains
