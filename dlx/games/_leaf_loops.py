"""The compiled loops of `dlx.games.leaves`: patterns of rows, tables of leaves, and sums over both.

A pattern has one bit for each of k things that a row may do, numbered from the root down; tables are [k, 2^k].
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np

MOST_BITS = 16
BLOCK = 1024
SPLIT, TABLE, DIRECT = 0, 1, 2

_ALL = np.uint32(0xFFFFFFFF)
_WORD = 32


class Nodes(NamedTuple):
    """The nodes of all trees, as in `Trees`, thresholds as float32; and the parent of each, -1 at a root."""

    feature: np.ndarray
    threshold: np.ndarray
    left: np.ndarray
    right: np.ndarray
    missing_left: np.ndarray
    value: np.ndarray
    parent: np.ndarray


class Scratch(NamedTuple):
    """A path from the root: the node asked at each step, whether it is left to the right, and the column's number.

    `columns` are the distinct columns of the path, in the order of their numbers.
    """

    asked: np.ndarray
    right: np.ndarray
    slot: np.ndarray
    columns: np.ndarray


@numba.njit(cache=True, nogil=True)
def plan(nodes, rows, references, most_bytes):
    """Return how the leaves below each node are summed, int8 [nodes], and the nodes that stand for all leaves below them.

    Whichever is estimated to be quickest, in nanoseconds: one table for all leaves below the node, each child for
    itself, or (a leaf) every pair of a row and a reference.
    """
    size = len(nodes.feature)
    known, inner, cost = np.zeros(size, np.int64), np.zeros(size, np.int64), np.zeros(size)
    for node in range(size):
        if nodes.feature[node] >= 0:
            known[nodes.left[node]] = known[nodes.right[node]] = known[node] + _is_new(node, nodes)
    how = np.zeros(size, np.int8)
    build = np.zeros(size)
    for node in range(size - 1, -1, -1):
        left, right, above = nodes.left[node], nodes.right[node], known[node]
        if left < 0:
            build[node] = references * (0.2 * above + 1) + min(references, 2.0**above) * 1.5**above * (above / 2 + 1)
            how[node], cost[node] = DIRECT, (rows + references) * above * 0.5 + rows * references * 0.8
        else:
            inner[node] = inner[left] + inner[right] + 1
            build[node] = build[left] + build[right]
            cost[node] = cost[left] + cost[right]
        bits = above + inner[node]
        if bits <= MOST_BITS and 8 * bits * 2**bits <= most_bytes:
            once = build[node] + (inner[node] + 1) * 1.5 * above * 2**bits
            together = 200 + once + rows * 1.5 * bits
            if together <= cost[node]:
                how[node], cost[node] = TABLE, together
    return how, _chosen(nodes, how), known.max()


@numba.njit(cache=True, nogil=True)
def _is_new(node, nodes):
    above = nodes.parent[node]
    while above >= 0:
        if nodes.feature[above] == nodes.feature[node]:
            return False
        above = nodes.parent[above]
    return True


@numba.njit(cache=True, nogil=True)
def _chosen(nodes, how):
    reached, chosen = nodes.parent < 0, np.zeros(len(how), np.bool_)
    for node in range(len(how)):
        if reached[node] and how[node] == SPLIT:
            reached[nodes.left[node]] = reached[nodes.right[node]] = True
        elif reached[node]:
            chosen[node] = True
    return np.flatnonzero(chosen)


@numba.njit(cache=True, nogil=True)
def add_values(nodes, chosen, how, rows, references, weights, values):
    """Add to `values` [features, rows] what the leaves below the chosen nodes give to each column of each row.

    `rows` [features, rows] and `references` [features, references] are float32; `weights` are `leaves.shares`.
    """
    longest = 1
    for node in chosen:
        longest = max(longest, _length(node, nodes.parent) + MOST_BITS)
    path = Scratch(np.empty(longest, np.int64), np.empty(longest, np.bool_), np.empty(longest, np.int64), np.empty(longest, np.int64))
    for node in chosen:
        if how[node] == TABLE:
            _by_table(node, nodes, path, rows, references, weights, values)
        else:
            _by_pairs(node, nodes, path, rows, references, weights, values)


@numba.njit(cache=True, nogil=True)
def _by_table(node, nodes, path, rows, references, weights, values):
    """Add the leaves below a node by one table over their ancestors' columns and the nodes below: a lookup a row."""
    below = _below(node, nodes)
    steps, above = _walk(node, nodes, path)
    inner = 0
    for other in below:
        inner += nodes.feature[other] >= 0
    asked, right, slot = np.empty(steps + inner, np.int64), np.ones(steps + inner, np.bool_), np.empty(steps + inner, np.int64)
    asked[:steps], right[:steps], slot[:steps] = path.asked[:steps], path.right[:steps], path.slot[:steps]
    columns = np.empty(above + inner, np.int64)
    columns[:above] = path.columns[:above]
    width, bits = above, above
    for other in below:
        if nodes.feature[other] >= 0:
            asked[steps + bits - above], slot[steps + bits - above] = other, bits
            bits += 1
            if _position(nodes.feature[other], columns[:width]) == width:
                columns[width] = nodes.feature[other]
                width += 1
    table = np.zeros((width, 1 << bits))
    for leaf in below:
        if nodes.feature[leaf] < 0:
            _add_leaf(leaf, nodes, path, steps, above, asked[steps:], columns[:width], references, weights, table)
    pattern = np.empty(BLOCK, np.uint32)
    for start in range(0, rows.shape[1], BLOCK):
        stop = min(start + BLOCK, rows.shape[1])
        some = pattern[: stop - start]
        some[:] = (1 << bits) - 1
        for i in range(steps + inner):
            _mark(some, rows[nodes.feature[asked[i]], start:stop], nodes.threshold[asked[i]], nodes.missing_left[asked[i]], right[i], slot[i])
        for i in range(width):
            _look_up(values[columns[i], start:stop], table[i], some)


@numba.njit(cache=True, nogil=True)
def _below(node, nodes):
    """Return a node and all below it, parents first."""
    found, done = [node], 0
    while done < len(found):
        here = found[done]
        done += 1
        if nodes.feature[here] >= 0:
            found.append(np.int64(nodes.left[here]))
            found.append(np.int64(nodes.right[here]))
    return np.array(found)


@numba.njit(cache=True, nogil=True)
def _length(node, parent):
    steps = 0
    while parent[node] >= 0:
        node = parent[node]
        steps += 1
    return steps


@numba.njit(cache=True, nogil=True)
def _walk(node, nodes, path):
    """Write the path to a node, and return the number of its steps and of its columns."""
    steps = _length(node, nodes.parent)
    for i in range(steps - 1, -1, -1):
        above = nodes.parent[node]
        path.asked[i], path.right[i] = above, nodes.right[above] == node
        node = above
    count = 0
    for i in range(steps):
        column = nodes.feature[path.asked[i]]
        path.slot[i] = _position(column, path.columns[:count])
        if path.slot[i] == count:
            path.columns[count] = column
            count += 1
    return steps, count


@numba.njit(cache=True, nogil=True)
def _position(wanted, among):
    """Return where a number is first found, or the length."""
    for i in range(len(among)):
        if among[i] == wanted:
            return i
    return len(among)


@numba.njit(cache=True, nogil=True)
def _mark(pattern, x, threshold, missing_left, right, slot):
    """Clear a bit of the pattern of each row that does not go to the right (or to the left) at a node."""
    cleared = _ALL ^ np.uint32(1 << slot)
    if missing_left:
        for i in range(len(x)):
            pattern[i] &= _ALL if (x[i] > threshold) == right else cleared
    else:
        for i in range(len(x)):
            pattern[i] &= _ALL if (x[i] <= threshold) != right else cleared


@numba.njit(cache=True, nogil=True)
def _look_up(total, table, pattern):
    for i in range(len(pattern)):
        total[i] += table[pattern[i]]


@numba.njit(cache=True, nogil=True)
def _add_leaf(leaf, nodes, path, steps_above, above, inner, columns, references, weights, table):
    """Add a leaf's own table to the table of a node above it, whose bits above `above` say which `inner` nodes go right."""
    steps, count = _walk(leaf, nodes, path)
    if not count:
        return
    counts = np.zeros(1 << count, np.int64)
    pattern = np.empty(max(BLOCK, table.shape[1]), np.uint32)
    for start in range(0, references.shape[1], BLOCK):
        stop = min(start + BLOCK, references.shape[1])
        some = pattern[: stop - start]
        some[:] = (1 << count) - 1
        for i in range(steps):
            asked = path.asked[i]
            _mark(some, references[nodes.feature[asked], start:stop], nodes.threshold[asked], nodes.missing_left[asked], path.right[i], path.slot[i])
        for q in some:
            counts[q] += 1
    own = _table(counts, count, nodes.value[leaf] / references.shape[1], weights)
    pattern = pattern[: table.shape[1]]
    new = ((1 << count) - 1) ^ ((1 << above) - 1)
    for p in range(len(pattern)):
        pattern[p] = (p & ((1 << above) - 1)) | new
    for i in range(steps_above, steps):
        bit = above + _position(path.asked[i], inner)
        cleared = _ALL ^ np.uint32(1 << path.slot[i])
        for p in range(len(pattern)):
            pattern[p] &= _ALL if ((p >> bit) & 1) == path.right[i] else cleared
    for i in range(count):
        _look_up(table[_position(path.columns[i], columns)], own[i], pattern)


@numba.njit(cache=True, nogil=True)
def _table(counts, bits, value, weights):
    """Return what each column gets from a leaf, for each pattern of the row [bits, 2^bits].

    Parameters
    ----------
    counts : ndarray [2^bits]
        References of each pattern.
    bits : int
        Columns of the leaf's path.
    value : float
        What the leaf adds, over the number of references.
    weights : ndarray
        `leaves.shares`.
    """
    size = 1 << bits
    table, missed = np.zeros((bits, size)), np.zeros(size)
    absent = np.zeros(size, np.int64)
    for p in range(size - 1):
        absent[p] = bits - _ones(p)
    for q in range(size):
        if not counts[q]:
            continue
        a, share, needed = absent[q], counts[q] * value, size - 1 - q
        some = q
        while True:  # all patterns that have what this one lacks
            p = needed | some
            b = absent[p]
            missed[p] += share * weights[b, a]
            for i in range(bits):
                if (needed >> i) & 1:
                    table[i, p] += share * weights[a, b]
            if some == 0:
                break
            some = (some - 1) & q
    for i in range(bits):
        for p in range(size):
            if not (p >> i) & 1:
                table[i, p] = -missed[p]
    return table


@numba.njit(cache=True, nogil=True)
def _ones(number):
    count = 0
    while number:
        number &= number - 1
        count += 1
    return count


@numba.njit(cache=True, nogil=True)
def _by_pairs(leaf, nodes, path, rows, references, weights, values):
    """Add a leaf by every pair of a row and a reference: for paths of so many columns that no table is worth it."""
    steps, count = _walk(leaf, nodes, path)
    if not count:
        return
    theirs, lack = _patterns(steps, count, nodes, path, references)
    value = nodes.value[leaf] / references.shape[1]
    for start in range(0, rows.shape[1], BLOCK):
        stop = min(start + BLOCK, rows.shape[1])
        ours, lacking = _patterns(steps, count, nodes, path, rows[:, start:stop])
        for row in range(stop - start):
            b, missed = lacking[row], 0.0
            for reference in range(len(lack)):
                if not _all_of_either(ours[row], theirs[reference]):
                    continue
                a = lack[reference]
                missed += value * weights[b, a]
                for i in range(count if a else 0):
                    if not (theirs[reference, i // _WORD] >> (i % _WORD)) & 1:
                        values[path.columns[i], start + row] += value * weights[a, b]
            for i in range(count if b else 0):
                if not (ours[row, i // _WORD] >> (i % _WORD)) & 1:
                    values[path.columns[i], start + row] -= missed


@numba.njit(cache=True, nogil=True)
def _patterns(steps, count, nodes, path, rows):
    """Return the pattern of each row on a path [rows, words] and how many bits it lacks."""
    words = (count + _WORD - 1) // _WORD
    patterns = np.full((words, rows.shape[1]), _ALL)
    for i in range(steps):
        asked = path.asked[i]
        _mark(patterns[path.slot[i] // _WORD], rows[nodes.feature[asked]], nodes.threshold[asked], nodes.missing_left[asked], path.right[i], path.slot[i] % _WORD)
    lacking = np.zeros(rows.shape[1], np.int64)
    for row in range(rows.shape[1]):
        for word in range(words):
            lacking[row] += _ones(np.int64(patterns[word, row] ^ _ALL))
    return np.ascontiguousarray(patterns.T), lacking


@numba.njit(cache=True, nogil=True)
def _all_of_either(p, q):
    for word in range(len(p)):
        if (p[word] | q[word]) != _ALL:
            return False
    return True
