"""The compiled loop for few rows: references go down a tree as sets that split.

A row x is mixed with all references at once. Where x and some of them part at a node, because of a column that has led neither
before, there are three ways on: that of those who go along with x; that of the others if the column is x's (it is then in A,
see `leaves`); and if it is theirs (in B). All who reach a leaf in one set have the same A and B there: the leaf is looked at
once for all of them, and never for those who cannot reach it. Deep trees need that, whose leaves are too many for tables.

Compiled code must not call compiled code of another file: numba's cache would not see it change. Nor may the loop call what
takes all nodes and is not inlined: numba counts the references of each of their arrays, which is 20 times the loop itself.
"""

from __future__ import annotations

import numba
import numpy as np

from dlx.kernels.trees._plan import Nodes

WORD = 64  # references that a word of a set of them holds
CODES = 32  # that a word of a node's set holds
NOBODYS, OURS, THEIRS, NO_MORE = 0, 1, 2, 3  # whose a column is: the row's, the references'


@numba.njit(cache=True, nogil=True)
def add_by_sets(
    nodes: Nodes,
    roots: np.ndarray,
    depth: int,
    rows: np.ndarray,
    references: np.ndarray,
    weights: np.ndarray,
    values: np.ndarray,
) -> None:
    """Add to `values` what the trees with these roots, of at most so many steps, give to each column of each row.

    `rows` and `values` are blocks of one shape; `references` are one block; `weights` are `leaves.shares`.
    """
    words, known = (references.shape[2] + WORD - 1) // WORD, np.zeros(len(nodes.feature), np.bool_)
    left = np.empty((_largest(nodes) if len(roots) else 0, words), np.uint64)
    ways, sets = np.empty((3 * depth + 3, 3), np.int64), np.zeros((3 * depth + 3, words), np.uint64)
    whose, lists, here = np.zeros(rows.shape[1], np.int64), np.empty((2, len(weights)), np.int64), np.empty(words, np.uint64)
    for block in range(len(rows)):
        codes, found = np.ascontiguousarray(rows[block].T), np.zeros((rows.shape[2], rows.shape[1]))
        known[:] = False
        for root in roots:  # whose nodes stay in the cache for all rows
            for row in range(len(codes)):
                _add_tree(
                    root, nodes, codes[row], references[0], left, known, ways, sets, here, whose, lists, weights, found[row]
                )
        values[block] += found.T


@numba.njit(cache=True, nogil=True)
def _add_tree(
    root: int, nodes: Nodes, codes: np.ndarray, references: np.ndarray, left: np.ndarray, known: np.ndarray, ways: np.ndarray,
    sets: np.ndarray, here: np.ndarray, whose: np.ndarray, lists: np.ndarray, weights: np.ndarray, values: np.ndarray,
) -> None:  # fmt: skip
    """Add what a tree gives to each column of a row; `ways` are those still to go: a node, a column, and whose it is there."""
    for reference in range(references.shape[1]):
        sets[0, reference // WORD] |= np.uint64(1) << np.uint64(reference % WORD)
    ways[0, 0], ways[0, 2], top, a, b = root, NOBODYS, 1, 0, 0
    while top:
        top -= 1
        node, column, who = ways[top, 0], ways[top, 1], ways[top, 2]
        if who == NO_MORE:
            a, b, whose[column] = a - (whose[column] == OURS), b - (whose[column] == THEIRS), NOBODYS
            continue
        _copy(sets, top, here)
        if who:
            whose[column], lists[who - 1, a if who == OURS else b], ways[top, 2] = who, column, NO_MORE
            a, b, top = a + (who == OURS), b + (who == THEIRS), top + 1
        while nodes.feature[node] >= 0:
            column = nodes.feature[node]
            who = whose[column]
            goes_left = who == THEIRS or _goes_left(codes[column], node, nodes)  # of theirs, some do
            way, other = (nodes.left[node], nodes.right[node]) if goes_left else (nodes.right[node], nodes.left[node])
            if who != OURS:
                if not known[node]:  # asked here: a call costs as much as all else that a node takes
                    _read(node, nodes, references, left, node - root, known)
                some, others = _split(here, left, node - root, goes_left, sets, top)
                if others and who == THEIRS and not some:
                    way = other
                    _copy(sets, top, here)
                elif others:
                    ways[top, 0], ways[top, 1], ways[top, 2] = other, column, NOBODYS if who == THEIRS else THEIRS
                    top += 1
                    if who == NOBODYS and some:
                        ways[top, 0], ways[top, 1], ways[top, 2] = way, column, OURS
                        for word in range(len(here)):
                            sets[top, word] = sets[top - 1, word]
                        top += 1
                    elif who == NOBODYS:  # all of them part from the row
                        ways[top, 1], ways[top, 2], whose[column], lists[0, a] = column, NO_MORE, OURS, column
                        _copy(sets, top - 1, here)
                        a, top = a + 1, top + 1
            node = way
        value = nodes.value[node] * _size(here) / references.shape[1]
        _share(value, lists, a, b, weights, values)


@numba.njit(cache=True, nogil=True, inline="always")
def _share(value: float, lists: np.ndarray, a: int, b: int, weights: np.ndarray, values: np.ndarray) -> None:
    """Add what a leaf gives to the columns that are the row's and to those that are the references'."""
    for i in range(a):
        values[lists[0, i]] += value * weights[a, b]
    for i in range(b):
        values[lists[1, i]] -= value * weights[b, a]


@numba.njit(cache=True, nogil=True, inline="always")
def _copy(sets: np.ndarray, place: int, here: np.ndarray) -> None:
    for word in range(len(here)):
        here[word] = sets[place, word]


@numba.njit(cache=True, nogil=True, inline="always")
def _split(here: np.ndarray, left: np.ndarray, place: int, goes_left: bool, sets: np.ndarray, top: int) -> tuple[bool, bool]:
    """Leave `here` those who go a way, and on top of the sets the others; return whether there are some of either."""
    some, others = np.uint64(0), np.uint64(0)
    for word in range(len(here)):
        along = left[place, word] if goes_left else ~left[place, word]
        sets[top, word] = here[word] & ~along
        here[word] &= along
        some, others = some | here[word], others | sets[top, word]
    return some != 0, others != 0


@numba.njit(cache=True, nogil=True)
def _largest(nodes: Nodes) -> int:
    """Return how many nodes the largest tree has."""
    largest, root = 0, 0
    for node in range(len(nodes.parent)):
        root = node if nodes.parent[node] < 0 else root
        largest = max(largest, node - root + 1)
    return largest


@numba.njit(cache=True, nogil=True)
def _read(node: int, nodes: Nodes, references: np.ndarray, left: np.ndarray, place: int, known: np.ndarray) -> None:
    """Write down which references a node sends to the left, and that it is known."""
    column, known[node] = references[nodes.feature[node]], True
    for word in range(left.shape[1]):
        left[place, word] = 0
    if nodes.set_start[node] >= 0 or nodes.missing_left[node]:
        for reference in range(len(column)):
            goes = np.uint64(_goes_left(column[reference], node, nodes))
            left[place, reference // WORD] |= goes << np.uint64(reference % WORD)
    else:  # a missing value is -1: the largest of all unsigned numbers
        limit = np.uint32(nodes.limit[node])
        for reference in range(len(column)):
            goes = np.uint64(np.uint32(column[reference]) <= limit)
            left[place, reference // WORD] |= goes << np.uint64(reference % WORD)


@numba.njit(cache=True, nogil=True, inline="always")
def _goes_left(code: int, node: int, nodes: Nodes) -> bool:
    if code < 0:
        return nodes.missing_left[node]
    if nodes.set_start[node] < 0:
        return code <= nodes.limit[node]
    if code >= CODES * nodes.set_size[node]:
        return False
    return (nodes.words[nodes.set_start[node] + code // CODES] >> np.uint32(code % CODES)) & 1 == 1


@numba.njit(cache=True, nogil=True, inline="always")
def _size(some: np.ndarray) -> int:
    """Return how many are in a set."""
    count = np.uint64(0)
    for word in some:
        pairs = word - ((word >> np.uint64(1)) & np.uint64(0x5555555555555555))
        fours = (pairs & np.uint64(0x3333333333333333)) + ((pairs >> np.uint64(2)) & np.uint64(0x3333333333333333))
        count += (
            ((fours + (fours >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)) * np.uint64(0x0101010101010101)
        ) >> np.uint64(56)
    return int(count)
