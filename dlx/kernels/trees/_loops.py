"""The compiled loops of `dlx.kernels.trees.leaves`: patterns of rows, tables of leaves, and what both add up to.

A pattern has one bit for each thing that a row may do, numbered from the root down, in words of 32 bits. Rows come in
blocks of `Trees.codes`, int32 [blocks, features, rows of a block], and so do their values: each loop over a block's rows is
contiguous.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numba
import numpy as np

from dlx.kernels.trees._plan import MOST_BITS, TABLE, Nodes

WORD = 32
ALL = np.uint32(0xFFFFFFFF)


class Path(NamedTuple):
    """The path to a leaf: the nodes on it, whether it goes right there, which bit each decides; and the column of each bit."""

    asked: np.ndarray
    right: np.ndarray
    bit: np.ndarray
    columns: np.ndarray


@numba.njit(cache=True, nogil=True)
def add_values(
    nodes: Nodes,
    chosen: np.ndarray,
    how: np.ndarray,
    rows: np.ndarray,
    references: np.ndarray,
    weights: np.ndarray,
    values: np.ndarray,
) -> None:
    """Add to `values` what the leaves below the chosen nodes give to each column of each row.

    `rows` and `values` are blocks of one shape; `references` are one block; `weights` are `leaves.shares`.
    """
    longest = 0
    for node in chosen:
        longest = max(longest, _length(node, nodes) + MOST_BITS)
    path, board = _empty(longest), _empty(longest)
    for node in chosen:
        if how[node] == TABLE:
            _by_table(node, nodes, path, board, rows, references, weights, values)
        else:
            _by_pairs(node, nodes, path, rows, references, weights, values)


@numba.njit(cache=True, nogil=True)
def _empty(size: int) -> Path:
    return Path(np.empty(size, np.int64), np.empty(size, np.bool_), np.empty(size, np.int64), np.empty(size, np.int64))


@numba.njit(cache=True, nogil=True)
def _length(node: int, nodes: Nodes) -> int:
    steps = 0
    while nodes.parent[node] >= 0:
        node = nodes.parent[node]
        steps += 1
    return steps


@numba.njit(cache=True, nogil=True)
def _walk(node: int, nodes: Nodes, path: Path) -> tuple[int, int]:
    """Write the path to a node, one bit a distinct column, and return the number of its steps and of its columns."""
    steps = _length(node, nodes)
    for i in range(steps - 1, -1, -1):
        above = nodes.parent[node]
        path.asked[i], path.right[i] = above, nodes.right[above] == node
        node = above
    count = 0
    for i in range(steps):
        column = nodes.feature[path.asked[i]]
        path.bit[i] = _position(column, path.columns, count)
        if path.bit[i] == count:
            path.columns[count] = column
            count += 1
    return steps, count


@numba.njit(cache=True, nogil=True)
def _position(wanted: int, among: np.ndarray, count: int) -> int:
    """Return where a number is first found among so many, or how many."""
    for i in range(count):
        if among[i] == wanted:
            return i
    return count


@numba.njit(cache=True, nogil=True)
def _read(nodes: Nodes, path: Path, steps: int, rows: np.ndarray, block: int, patterns: np.ndarray) -> None:
    """Clear, in patterns [words, rows] of set bits, each bit of which a node sends a row of the block another way."""
    for i in range(steps):
        node, right, word = path.asked[i], path.right[i], path.bit[i] // WORD
        column, limit, cleared = nodes.feature[node], nodes.limit[node], ALL ^ np.uint32(1 << path.bit[i] % WORD)
        if nodes.set_start[node] >= 0:
            for row in range(patterns.shape[1]):
                patterns[word, row] &= ALL if _in_set(rows[block, column, row], node, nodes) != right else cleared
        elif nodes.missing_left[node]:  # a missing value is -1
            for row in range(patterns.shape[1]):
                patterns[word, row] &= ALL if (rows[block, column, row] > limit) == right else cleared
        else:  # and the largest of all unsigned numbers
            for row in range(patterns.shape[1]):
                patterns[word, row] &= ALL if (np.uint32(rows[block, column, row]) > np.uint32(limit)) == right else cleared


@numba.njit(cache=True, nogil=True)
def _in_set(code: int, node: int, nodes: Nodes) -> bool:
    """Whether a node that asks for a set sends a code to the left."""
    if code < 0:
        return nodes.missing_left[node]
    if code >= WORD * nodes.set_size[node]:
        return False
    return (nodes.words[nodes.set_start[node] + code // WORD] >> np.uint32(code % WORD)) & 1 == 1


# Leaves by a table


@numba.njit(cache=True, nogil=True)
def _by_table(
    node: int,
    nodes: Nodes,
    path: Path,
    board: Path,
    rows: np.ndarray,
    references: np.ndarray,
    weights: np.ndarray,
    values: np.ndarray,
) -> None:
    """Add the leaves below a node by one table, of which a row looks up one entry a column.

    Its bits are the columns above the node, each satisfied or not, and the nodes from there on, each left to the right.
    """
    leaves, steps, above, bits, width = _lay_out(node, nodes, board)
    table = np.zeros((width, 1 << bits))
    for leaf in leaves:
        _add_leaf(leaf, nodes, path, board, (steps, above, width), references, weights, table)
    patterns = np.empty((1, rows.shape[2]), np.uint32)
    for block in range(len(rows)):
        patterns[:] = (1 << bits) - 1
        _read(nodes, board, steps + bits - above, rows, block, patterns)
        for i in range(width):
            column = board.columns[i]
            for row in range(rows.shape[2]):
                values[block, column, row] += table[i, patterns[0, row]]


@numba.njit(cache=True, nogil=True)
def _lay_out(node: int, nodes: Nodes, board: Path) -> tuple[np.ndarray, int, int, int, int]:
    """Write the bits of a node's table; return its leaves, its steps and columns, and the table's bits and columns."""
    steps, above = _walk(node, nodes, board)
    found, known = np.empty(2 * MOST_BITS + 1, np.int64), 1
    found[0] = node
    done, bits, width = 0, above, above
    while done < known:
        here = found[done]
        done += 1
        if nodes.feature[here] >= 0:
            found[known], found[known + 1] = nodes.left[here], nodes.right[here]
            known += 2
            step = steps + bits - above
            board.asked[step], board.right[step], board.bit[step] = here, True, bits
            bits += 1
            if _position(nodes.feature[here], board.columns, width) == width:
                board.columns[width] = nodes.feature[here]
                width += 1
    found = found[:known]
    return found[nodes.feature[found] < 0], steps, above, bits, width


@numba.njit(cache=True, nogil=True)
def _add_leaf(
    leaf: int,
    nodes: Nodes,
    path: Path,
    board: Path,
    shape: tuple[int, int, int],
    references: np.ndarray,
    weights: np.ndarray,
    table: np.ndarray,
) -> None:
    """Add a leaf's own table to that of a node above it, of `shape` (steps, columns above, columns in all)."""
    steps_above, above, width = shape
    steps, count = _walk(leaf, nodes, path)
    counts = _counts(nodes, path, steps, count, references)
    own = _table(counts, count, nodes.value[leaf] / references.shape[2], weights)
    same, set_at_first = (1 << above) - 1, (1 << count) - (1 << above)
    pattern = np.empty(table.shape[1], np.uint32)  # the leaf's, for each of the table's
    for p in range(len(pattern)):
        pattern[p] = (p & same) | set_at_first
    for i in range(steps_above, steps):
        decided = above + _position(path.asked[i], board.asked, len(board.asked)) - steps_above
        cleared = ALL ^ np.uint32(1 << path.bit[i])
        for p in range(len(pattern)):
            pattern[p] &= ALL if ((p >> decided) & 1) == path.right[i] else cleared
    for i in range(count):
        column = _position(path.columns[i], board.columns, width)
        for p in range(len(pattern)):
            table[column, p] += own[i, pattern[p]]


@numba.njit(cache=True, nogil=True)
def _counts(nodes: Nodes, path: Path, steps: int, count: int, references: np.ndarray) -> np.ndarray:
    """Return the number of references of each pattern, [2^columns]."""
    counts, patterns = np.zeros(1 << count, np.int64), np.empty((1, references.shape[2]), np.uint32)
    patterns[:] = (1 << count) - 1
    _read(nodes, path, steps, references, 0, patterns)
    for reference in range(references.shape[2]):
        counts[patterns[0, reference]] += 1
    return counts


@numba.njit(cache=True, nogil=True)
def _table(counts: np.ndarray, columns: int, value: float, weights: np.ndarray) -> np.ndarray:
    """Return what each column gets from a leaf for each pattern of the row, [columns, 2^columns].

    Parameters
    ----------
    counts : ndarray [2^columns]
        References of each pattern.
    columns : int
        On the leaf's path.
    value : float
        What the leaf adds, over the number of references.
    weights : ndarray
        `leaves.shares`.
    """
    size = len(counts)
    table, lost = np.zeros((columns, size)), np.zeros(size)
    patterns, gain = np.empty(size, np.int64), np.empty(size)
    for q in range(size):
        if not counts[q]:
            continue
        a, share, needed, rest, count = columns - _ones(q), counts[q] * value, size - 1 - q, q, 0
        while rest >= 0:  # each pattern p that has what this reference lacks
            p = needed | rest
            b = columns - _ones(p)
            lost[p] += share * weights[b, a]
            patterns[count], gain[count] = p, share * weights[a, b]
            count += 1
            rest = (rest - 1) & q if rest else -1
        for i in range(columns):
            if (needed >> i) & 1:
                for j in range(count):
                    table[i, patterns[j]] += gain[j]
    for i in range(columns):
        for start in range(0, size, 2 << i):  # every pattern without bit i
            for p in range(start, start + (1 << i)):
                table[i, p] = -lost[p]
    return table


@numba.njit(cache=True, nogil=True)
def _ones(number: Any) -> int:
    """Return how many of 32 bits are set, by adding neighbours, without a branch."""
    pairs = number - ((number >> 1) & 0x55555555)
    fours = (pairs & 0x33333333) + ((pairs >> 2) & 0x33333333)
    return ((((fours + (fours >> 4)) & 0x0F0F0F0F) * 0x01010101) >> 24) & 0xFF


# A leaf by pairs


@numba.njit(cache=True, nogil=True)
def _by_pairs(
    leaf: int,
    nodes: Nodes,
    path: Path,
    rows: np.ndarray,
    references: np.ndarray,
    weights: np.ndarray,
    values: np.ndarray,
) -> None:
    """Add a leaf by every pair of a row and a reference: for few rows, and where there are too many columns for a table."""
    steps, count = _walk(leaf, nodes, path)
    theirs, lacks = _patterns(nodes, path, steps, count, references, 0)
    gained, value = np.empty(count), nodes.value[leaf] / references.shape[2]
    for block in range(len(rows) if count else 0):
        ours, lacking = _patterns(nodes, path, steps, count, rows, block)
        for row in range(len(lacking)):
            lost = _gain(ours[:, row], theirs, lacking[row], lacks, weights, gained)
            if lacking[row] and not lost:
                continue
            for i in range(count):
                has = (ours[i // WORD, row] >> (i % WORD)) & 1
                values[block, path.columns[i], row] += value * (gained[i] if has else -lost)


@numba.njit(cache=True, nogil=True)
def _patterns(nodes: Nodes, path: Path, steps: int, count: int, rows: np.ndarray, block: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the patterns of a block's rows on a path [words, rows], and the number of columns that each lacks."""
    patterns, lacking = np.full(((count + WORD - 1) // WORD, rows.shape[2]), ALL), np.zeros(rows.shape[2], np.int64)
    _read(nodes, path, steps, rows, block, patterns)
    for word in range(len(patterns)):
        for row in range(len(lacking)):
            lacking[row] += WORD - _ones(np.int64(patterns[word, row]))
    return patterns, lacking


@numba.njit(cache=True, nogil=True)
def _gain(p: np.ndarray, theirs: np.ndarray, b: int, lacks: np.ndarray, weights: np.ndarray, gained: np.ndarray) -> float:
    """Write what each column that the row has gains, over all references, and return what each that it lacks loses."""
    lost = 0.0
    gained[:] = 0.0
    needed = np.uint32(p[0] ^ ALL)
    for start in range(0, len(lacks), WORD):
        if not _some_have(theirs[0, start : start + WORD], needed):
            continue
        for reference in range(start, min(start + WORD, len(lacks))):
            if _meet(p, theirs[:, reference]):
                a = lacks[reference]
                lost += weights[b, a]
                for i in range(len(gained)):
                    gained[i] += weights[a, b] * (1 - ((theirs[i // WORD, reference] >> (i % WORD)) & 1))
    return lost


@numba.njit(cache=True, nogil=True)
def _some_have(theirs: np.ndarray, needed: np.uint32) -> bool:
    """Whether some have all that is needed; counted without a branch, since most rows are far from most leaves."""
    count = np.uint32(0)
    for reference in range(len(theirs)):
        count += np.uint32((theirs[reference] & needed) == needed)
    return bool(count > 0)


@numba.njit(cache=True, nogil=True)
def _meet(p: np.ndarray, q: np.ndarray) -> bool:
    """Whether each column is satisfied by the row or by the reference."""
    word = 0
    while word < len(p) and (p[word] | q[word]) == ALL:
        word += 1
    return word == len(p)
