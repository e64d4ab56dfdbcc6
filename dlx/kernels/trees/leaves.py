"""Shapley values of a sum of trees, leaf by leaf: exact, and a row costs the same whatever the background's size.

A leaf asks k distinct columns on its path. A row x and a reference b mixed by a coalition reach it if each column is
satisfied by the one that gives it. Let A be the columns that only x satisfies and B those that only b does: if each
column is satisfied by one of them, the leaf is the game "all of A and none of B", whose Shapley values are

    φ_i = v (|A| - 1)! |B|! / (|A| + |B|)!  for i in A,    φ_i = -v |A|! (|B| - 1)! / (|A| + |B|)!  for i in B,

and 0 otherwise (Laberge and Pequignot, 2022, "Understanding interventional TreeSHAP"). They depend on x and b only
through two patterns of k bits. So the mean over all references is a table over the patterns of x, made once; leaves that
hang together share one, whose bits are the columns of their common path and the nodes between them. Where that is not
worth it (long paths, few rows), references go down the tree in sets, or the leaf is summed over pairs of a row and a
reference. All sums are in float64, and of what tells the leaves of a tree apart: what they share gives nobody anything,
and would cost digits.
"""

from __future__ import annotations

import functools
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dlx.kernels.trees.patterns import MOST_COLUMNS, pattern_values
from dlx.threads import in_chunks
from dlx.trees import LEAF, Trees

if TYPE_CHECKING:
    from dlx.kernels.trees._plan import Nodes

BUDGET = 512 * 2**20  # bytes of tables that are held at a time
PARTS = 8  # sums that are made side by side, then added: as many whatever the cores, so that the order is always the same
SMALL = 10**8  # leaves times rows times columns of a path: about 2 s
FEW_NANOSECONDS = 3e6  # of which handing parts to other cores takes a good share
BLOCK = 1_024  # rows that go through a table together
CHUNK_NUMBERS = 2**22  # rows times columns times parts that are held at a time


def leaf_values(trees: Trees, rows: np.ndarray, background: np.ndarray, *, budget: int = BUDGET) -> np.ndarray:
    """Return exact interventional Shapley values of the trees' sum, float64 [rows, features].

    Parameters
    ----------
    trees : Trees
        The trees.
    rows, background : ndarray [rows, features], [references, features]
        Coded, as the trees read them.
    budget : int
        Bytes of tables that may be held at a time; where a table does not fit, its leaves are summed pair by pair.
    """
    rows, background = trees.codes(rows), trees.codes(background)
    if not _is_compiled() and _is_small(trees, len(rows) + len(background)):
        return pattern_values(trees, rows, background, shares(MOST_COLUMNS))
    references = _in_blocks(background, len(background))
    size = max(1, CHUNK_NUMBERS // (PARTS * rows.shape[1]))
    chunks = [_of_chunk(trees, rows[start : start + size], references, budget) for start in range(0, len(rows), size)]
    return np.concatenate([np.empty((0, rows.shape[1])), *chunks])


def _is_small(trees: Trees, rows: int) -> bool:
    """Whether numpy alone takes less time than compiling would."""
    leaves, asked = int((trees.feature == LEAF).sum()), trees.path_columns.shape[1]
    return asked <= MOST_COLUMNS and leaves * rows * asked <= SMALL


def _is_compiled() -> bool:
    """Whether the loops were compiled before, in this process or in some other."""
    from dlx.kernels.trees import _loops

    return bool(_loops.add_values.signatures) or _is_kept()


@functools.cache
def _is_kept() -> bool:
    """Whether numba keeps a file of the compiled loops, beside a name of the Python."""
    from dlx.kernels.trees import _loops

    python = f"py{sys.version_info[0]}{sys.version_info[1]}"
    kept = Path(_loops.add_values.stats.cache_path or "").glob(f"_loops.add_values-*.{python}*.nbi")
    return any(path.stat().st_mtime >= Path(_loops.__file__).stat().st_mtime for path in kept)


def _of_chunk(trees: Trees, rows: np.ndarray, references: np.ndarray, budget: int) -> np.ndarray:
    from dlx.kernels.trees._loops import add_values
    from dlx.kernels.trees._plan import SETS, plan
    from dlx.kernels.trees._sets import add_by_sets

    nodes, blocks = _nodes(trees), _in_blocks(rows, BLOCK)
    how, chosen, most, cost = plan(nodes, len(rows), references.shape[2], budget // PARTS)
    weights, depth = shares(most), int(trees.depths.max())

    def of_part(some: np.ndarray) -> np.ndarray:
        values, is_tree = np.zeros(blocks.shape), how[some] == SETS
        add_values(nodes, some[~is_tree], how, blocks, references, weights, values)
        add_by_sets(nodes, some[is_tree], depth, blocks, references, weights, values)
        return values[None]

    values = in_chunks(of_part, chosen, -(-len(chosen) // PARTS), is_alone=cost < FEW_NANOSECONDS).sum(axis=0)
    return values.transpose(0, 2, 1).reshape(-1, rows.shape[1])[: len(rows)]


def shares(most: int) -> np.ndarray:
    """Return ``(a - 1)! b! / (a + b)!`` [a, b] for up to `most` columns of either kind; 0 where a is 0."""
    a, b = np.arange(1, most + 1)[:, None], np.arange(1, most + 1)
    shrinking = np.cumprod(np.hstack([1 / a, b / (a + b)]), axis=1)
    return np.vstack([np.zeros((1, most + 1)), shrinking])


def _in_blocks(rows: np.ndarray, most: int) -> np.ndarray:
    """Return codes as blocks of one size, int32 [blocks, features, rows of a block]; the last is filled up with zeros."""
    count = -(-len(rows) // most)
    size = -(-len(rows) // count)
    filled = np.zeros((count * size, rows.shape[1]), dtype=np.int32)
    filled[: len(rows)] = rows
    return np.ascontiguousarray(filled.reshape(count, size, -1).transpose(0, 2, 1))


def _nodes(trees: Trees) -> Nodes:
    from dlx.kernels.trees._plan import Nodes

    walked = (trees.feature, trees.limits, trees.left, trees.right, trees.missing_left)
    return Nodes(*walked, trees.set_start, trees.set_size, trees.words, trees.contrasts, trees.parent)
