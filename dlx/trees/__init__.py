"""Trees as plain arrays: what every tree model of dlx is made of, saved as, and predicts with.

Thresholds and leaves are those of the library that grew the trees, in float64, and rows are read in the precision in
which it compares them: so each row goes the same way. Leaves are summed in float64.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from dlx.arrays import frozen, in_short
from dlx.errors import DlxError
from dlx.trees._input import KINDS, LEAF, NO_SET, PRECISIONS, SETS, Reading, check

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dlx.trees._walking import Forest

__all__ = ["BEYOND", "LEAF", "MISSING", "NO_SET", "WORD", "Reading", "Trees", "bits_of", "concatenate", "float32_below"]

WORD = 32  # codes that a word of a set holds, one a bit
FEW_WALKS = 2**17  # of a row down a tree, in all: compiling takes longer than numpy
MISSING, BEYOND = -1, 2**31 - 1  # of `Trees.codes`: a missing value, and a code that no set holds

_so_far = Counter(walks=0)  # of this process


@dataclass(frozen=True, eq=False)
class Trees:
    """A sum of trees, ``base + Σ leaf``, all nodes in flat arrays; a node sends a row left or right by one column.

    Parameters
    ----------
    set_start, set_size, words : ndarray, optional
        Sets of codes, a bit for each code: code c is bit c % 32 of a set's word c // 32. Where a node has one, a row goes
        left if its code is in the set, and right if it is any other.
    """

    feature: np.ndarray  # int32 [nodes], the column that a node asks; -1 at a leaf
    threshold: np.ndarray  # float64 [nodes]; a row goes left where its value is at most this; 0 where there is a set
    left: np.ndarray  # int32 [nodes], the children, counted from the first node of all trees; -1 at a leaf
    right: np.ndarray
    missing_left: np.ndarray  # bool [nodes], whether a missing value goes left
    value: np.ndarray  # float64 [nodes], what a leaf adds
    cover: np.ndarray  # float64 [nodes], the training rows that reach the node
    roots: np.ndarray  # int32 [trees], the first node of each
    base: float = 0.0  # added to all leaves
    set_start: np.ndarray = field(default_factory=lambda: np.empty(0))  # int32 [nodes], the first word; -1 without a set
    set_size: np.ndarray = field(default_factory=lambda: np.empty(0))  # int32 [nodes], how many words; 0 without a set
    words: np.ndarray = field(default_factory=lambda: np.empty(0))  # uint32 [words], of all sets
    reading: Reading = field(default_factory=Reading)  # how rows are read

    __repr__ = in_short

    def __post_init__(self) -> None:
        if not len(self.set_start) and not len(self.set_size):
            object.__setattr__(self, "set_start", np.full(len(self.feature), NO_SET))
            object.__setattr__(self, "set_size", np.zeros(len(self.feature)))
        for name, kind in (KINDS | SETS).items():
            object.__setattr__(self, name, frozen(getattr(self, name), kind))
        check(self)

    def __len__(self) -> int:
        return len(self.roots)

    @property
    def ends(self) -> np.ndarray:
        """One past the last node of each tree, [trees]."""
        return np.append(self.roots[1:], len(self.feature))

    @property
    def has_set(self) -> np.ndarray:
        """Whether a node asks for a set of codes, [nodes]."""
        return self.set_start != NO_SET

    def codes_of(self, node: int) -> np.ndarray:
        """Return the codes in a node's set, rising."""
        return np.flatnonzero(bits_of(self.words[self.set_start[node] : self.set_start[node] + self.set_size[node]]))

    def with_sets(self, codes: Mapping[int, np.ndarray]) -> Trees:
        """Return trees of which some nodes, by their numbers, ask for a set of codes in place of a threshold."""
        if not codes:
            return self
        start, size, threshold = self.set_start.copy(), self.set_size.copy(), self.threshold.copy()
        words, ends = [self.words], [len(self.words)]
        for node, some in codes.items():
            bits = np.zeros(WORD * (int(some.max(initial=-1)) // WORD + 1), dtype=bool)
            bits[some] = True
            words.append(np.packbits(bits, bitorder="little").view("<u4"))
            start[node], size[node], threshold[node] = ends[-1], len(words[-1]), 0.0
            ends.append(ends[-1] + len(words[-1]))
        return replace(self, threshold=threshold, set_start=start, set_size=size, words=np.concatenate(words))

    def predict(self, rows: np.ndarray) -> np.ndarray:
        """Return the sum of the leaves of each row, float64 [rows]."""
        if not _is_worth_compiling(len(rows) * len(self)):
            return _added(self.base, self.value[self._leaves(rows)])
        from dlx.trees._walking import sum_leaves

        total = np.full(len(rows), self.base)
        sum_leaves(self._read(rows), self._forest, total)
        return total

    def predict_set(
        self, rows: np.ndarray, settings: np.ndarray, is_set: np.ndarray, which: np.ndarray | None = None
    ) -> np.ndarray:
        """Return the sum of the leaves of rows with some columns set, float64 [rows, settings], without making such rows.

        Parameters
        ----------
        rows : ndarray [rows, features]
            Whose columns are set.
        settings : ndarray [settings, features]
            What they are set to.
        is_set : ndarray of bool [features]
            Which columns are set.
        which : ndarray of int [rows, some], optional
            The settings of each row, [rows, some] of the sums; all of them by default.
        """
        count = len(settings) if which is None else which.shape[1]
        asks = np.logical_or.reduceat(np.append(is_set, False)[self.feature], self.roots)  # which trees ask what is set
        if not _is_worth_compiling(len(rows) * count * len(self)):
            mixed = np.where(is_set, settings[None] if which is None else settings[which], rows[:, None])
            leaves = self._leaves(mixed.reshape(-1, rows.shape[1])).reshape(len(rows), count, len(self))
            alike = (leaves == leaves[:, :1]).all(axis=1, keepdims=True) if which is None else ~asks
            value = self.value[leaves]  # added in the order of the compiled loops: the same bits
            return _added(0.0, np.where(alike, 0.0, value)) + _added(self.base, np.where(alike, value, 0.0)[:, :1])
        from dlx.trees._walking import sum_leaves, sum_leaves_set

        read, given = self._read(rows), self._read(settings)
        total = np.zeros((len(rows), count))
        shared = np.full(len(rows), self.base)
        if which is None:
            sum_leaves_set(read, given, is_set, self._forest, shared, total)
            return total + shared[:, None]
        sum_leaves(read, self._forest.of(~asks), shared)
        mixed = np.where(is_set, given[which], read[:, None]).reshape(-1, rows.shape[1])
        sum_leaves(mixed, self._forest.of(asks), total.ravel())
        return total + shared[:, None]

    def _leaves(self, rows: np.ndarray) -> np.ndarray:
        """Return the leaf of each row in each tree, [rows, trees], by numpy: for few rows, where nothing is compiled yet."""
        codes, nodes, row = self.codes(rows), np.tile(self.roots, (len(rows), 1)), np.arange(len(rows))[:, None]
        for _ in range(self.depths.max()):
            left = self._sends_left(codes[row, self.feature[nodes]], nodes)
            nodes = np.where(self.feature[nodes] == LEAF, nodes, np.where(left, self.left[nodes], self.right[nodes]))
        return nodes

    def _read(self, rows: np.ndarray) -> np.ndarray:
        read = self.reading.read(rows)
        for column in self._set_columns:
            values = read[:, column]
            odd = values[(np.floor(values) != values) & ~np.isnan(values)]
            if len(odd):
                raise DlxError(f"column {column} is split into sets of codes, which are whole numbers, but holds {odd[0]:g}")
        return read

    @cached_property
    def _forest(self) -> Forest:
        from dlx.trees._walking import Forest

        itself, leaf = np.arange(len(self.feature), dtype=np.int32), self.feature == LEAF
        children = np.column_stack([np.where(leaf, itself, child) for child in (self.left, self.right)]).ravel()
        is_float32 = self.reading.precision == "float32"
        threshold = float32_below(self.threshold).astype(np.float32) if is_float32 else self.threshold
        asks_sets = np.logical_or.reduceat(self.has_set, self.roots)
        sets = (self.set_start, self.set_size, self.words)
        walked = (np.maximum(self.feature, 0), threshold, children, self.missing_left, *sets, self.value)
        return Forest(*walked, self.roots, self.depths, asks_sets)

    @cached_property
    def depths(self) -> np.ndarray:
        """Return the longest path of each tree, [trees]."""
        depths, nodes, trees = np.zeros(len(self), dtype=np.int32), self.roots, np.arange(len(self))
        while True:
            inner = self.feature[nodes] != LEAF
            nodes, trees = nodes[inner], trees[inner]
            if not len(nodes):
                return depths
            depths[trees] += 1
            nodes, trees = np.concatenate([self.left[nodes], self.right[nodes]]), np.tile(trees, 2)

    def codes(self, rows: np.ndarray) -> np.ndarray:
        """Return rows as integers that take the same way through the trees, int32 [rows, features].

        They are ranks among the thresholds of their columns, to be compared with `limits`; codes where a column is split into
        sets, `BEYOND` if no set could hold one; and `MISSING`.
        """
        read = self._read(rows)
        codes = np.zeros(read.shape, dtype=np.int32)
        for column, thresholds in self._ranked[0].items():
            codes[:, column] = np.searchsorted(thresholds, read[:, column])
        for column in self._set_columns:
            known = np.nan_to_num(read[:, column].astype(np.float64))
            codes[:, column] = np.where((known < 0) | (known > BEYOND), BEYOND, known)
        codes[np.isnan(read)] = MISSING
        return codes

    def goes_left(self, codes: np.ndarray, nodes: np.ndarray) -> np.ndarray:
        """Return whether some nodes send rows of `codes` to the left, bool [nodes, rows]; of a leaf, nothing is meant."""
        return self._sends_left(codes.T[self.feature[nodes]], nodes[:, None])

    def _sends_left(self, known: np.ndarray, nodes: np.ndarray) -> np.ndarray:
        """Return whether nodes send codes of their columns to the left; the two are broadcast."""
        left, asks = known <= self.limits[nodes], np.broadcast_to(self.has_set[nodes], known.shape)
        if asks.any():
            some, which = known[asks], np.broadcast_to(nodes, known.shape)[asks]
            start, size = self.set_start[which], self.set_size[which]
            word = np.clip(some // WORD, 0, size - 1)
            left[asks] = (some < WORD * size) & ((self.words[start + word] >> (some % WORD).astype(np.uint32)) & 1 == 1)
        return np.where(known == MISSING, self.missing_left[nodes], left)

    @cached_property
    def parent(self) -> np.ndarray:
        """The node above each, int32 [nodes]; `LEAF` above a root."""
        inner = np.flatnonzero(self.feature != LEAF)
        parent = np.full(len(self.feature), LEAF, dtype=np.int32)
        parent[self.left[inner]] = parent[self.right[inner]] = inner
        return parent

    @cached_property
    def path_columns(self) -> np.ndarray:
        """The distinct columns on the path to each node, int32 [nodes, most], filled up with `LEAF`."""
        asked, nodes = np.full((len(self.feature), 0), LEAF, dtype=np.int32), self.roots
        while len(nodes := nodes[self.feature[nodes] != LEAF]):
            column, above = self.feature[nodes, None], asked[nodes]
            free = np.where((above == column).any(axis=1), -1, (above != LEAF).sum(axis=1))
            if free.max() == asked.shape[1]:
                asked, above = (np.pad(some, [(0, 0), (0, 1)], constant_values=LEAF) for some in (asked, above))
            above = np.where(np.arange(asked.shape[1]) == free[:, None], column, above)
            asked[self.left[nodes]] = asked[self.right[nodes]] = above
            nodes = np.concatenate([self.left[nodes], self.right[nodes]])
        return asked

    @property
    def limits(self) -> np.ndarray:
        """The rank of each node's threshold among those of its column, int32 [nodes]: codes up to it go left."""
        return self._ranked[1]

    @cached_property
    def _ranked(self) -> tuple[dict[int, np.ndarray], np.ndarray]:
        """Return the thresholds of each column, rising, and the rank of each node's."""
        asked, limits = {}, np.zeros(len(self.feature), dtype=np.int32)
        numeric = np.flatnonzero((self.feature != LEAF) & ~self.has_set)
        order = numeric[np.argsort(self.feature[numeric], kind="stable")]
        columns, starts = np.unique(self.feature[order], return_index=True)
        for column, nodes in zip(columns.tolist(), np.split(order, starts[1:]), strict=False):
            asked[column], limits[nodes] = np.unique(self.threshold[nodes], return_inverse=True)
        return asked, limits

    @cached_property
    def _set_columns(self) -> list[int]:
        return np.unique(self.feature[self.has_set]).tolist()

    @property
    def ranges(self) -> tuple[np.ndarray, np.ndarray]:
        """The least and the largest leaf of each tree, [trees]."""
        leaf = self.feature == LEAF
        least = np.minimum.reduceat(np.where(leaf, self.value, np.inf), self.roots)
        return least, np.maximum.reduceat(np.where(leaf, self.value, -np.inf), self.roots)

    @property
    def contrasts(self) -> np.ndarray:
        """The leaves less, in trees whose leaves have one sign, the one nearest to 0: Shapley values stay the same, [nodes]."""
        least, most = self.ranges
        nearest = np.where(least > 0, least, np.minimum(most, 0.0))
        return np.where(self.feature == LEAF, self.value - np.repeat(nearest, self.ends - self.roots), 0.0)

    def in_float32(self) -> Trees:
        """Return the trees with float32 thresholds and leaves, of half the size: rows of float32 numbers go the same way."""
        leaves = self.value.astype(np.float32)
        return replace(self, threshold=float32_below(self.threshold), value=leaves, reading=Reading("float32"))

    def rounding(self, precision: str) -> float:
        """Return how far a sum of the leaves in a precision may be from exact: as many roundings of sums as there are trees."""
        least, most = self.ranges
        largest = np.maximum(np.abs(self.base + np.cumsum(least)), np.abs(self.base + np.cumsum(most)))
        terms = np.maximum(np.abs(least), np.abs(most))  # each is rounded too, where it is a share of a leaf
        return float(np.finfo(precision).eps * (abs(self.base) + np.sum(largest + terms)))

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the arrays by name, for saving; those of sets, missing ranges and precision only where there are any."""
        found = {name: getattr(self, name) for name in KINDS} | {"base": np.array([self.base])}
        if self.has_set.any():
            found |= {name: getattr(self, name) for name in SETS}
        held = {"absent": self.reading.absent, "placed": self.reading.placed}
        found |= {name: array for name, array in held.items() if len(array)}
        how = np.array([PRECISIONS.index(self.reading.precision), not self.reading.takes_missing])
        return found | ({"reading": how} if how.any() else {})

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray]) -> Trees:
        """Return the trees that `arrays` described, or raise a ValueError if an array is not there, or not of its kind."""
        sets = {name: kind for name, kind in SETS.items() if name in arrays}
        for name, kind in (KINDS | {"base": np.float64} | sets).items():
            if name not in arrays or not np.can_cast(arrays[name].dtype, kind, "same_kind"):
                found = f"hold {arrays[name].dtype}" if name in arrays else "are not there"
                raise ValueError(f"the {name} of trees must be {np.dtype(kind)}, but {found}")
        how = arrays.get("reading", np.zeros(2, dtype=int))
        if how.shape != (2,) or not np.isin(how, (0, 1)).all() or arrays["base"].shape != (1,):
            raise ValueError("trees must have one base and two flags of how rows are read")
        absent, placed = (arrays.get(name, np.empty((0, 3))) for name in ("absent", "placed"))
        reading = Reading(PRECISIONS[int(how[0])], absent, takes_missing=not how[1], placed=placed)
        return cls(**{name: arrays[name] for name in KINDS | sets}, base=float(arrays["base"][0]), reading=reading)

    def for_shap(self) -> dict[str, Any]:
        """Return trees without sets that read float32 as the dictionary that shap.TreeExplainer takes."""
        if self.has_set.any() or self.reading.precision != "float32":
            raise ValueError("shap holds float32 thresholds and no sets: give it the trees of dlx.explainers._shap")
        trees, threshold = [], float32_below(self.threshold)
        for start, end in zip(self.roots, self.ends, strict=True):
            nodes = slice(start, end)
            left, right = (np.where(child[nodes] == LEAF, LEAF, child[nodes] - start) for child in (self.left, self.right))
            tree = {"children_left": left, "children_right": right, "features": np.maximum(self.feature[nodes], 0)}
            tree |= {"children_default": np.where(self.missing_left[nodes], left, right), "thresholds": threshold[nodes]}
            trees.append(tree | {"values": self.value[nodes, None].copy(), "node_sample_weight": self.cover[nodes].copy()})
        said = {"base_offset": np.array([self.base]), "tree_output": "raw_value", "objective": "squared_error"}
        return {"trees": trees, **said, "internal_dtype": np.float64, "input_dtype": np.float32}


def _added(base: float, terms: np.ndarray) -> np.ndarray:
    """Return base and the terms [..., trees], added one after the other, [...]."""
    return np.cumsum(np.concatenate([np.full((*terms.shape[:-1], 1), base), terms], axis=-1), axis=-1)[..., -1]


def _is_worth_compiling(walks: int) -> bool:
    """Whether so many walks, and those before, take numpy longer than compiling: then they would do so again and again."""
    _so_far["walks"] += walks
    return _so_far["walks"] > FEW_WALKS


def concatenate(trees: Sequence[dict[str, Any]], base: float = 0.0, reading: Reading | None = None) -> Trees:
    """Return trees of local node numbers as one; what a leaf asks, and what a split adds, is left out.

    Parameters
    ----------
    trees : sequence of dict
        The arrays of `Trees` by node, children counted within the tree; and "sets", if any: the codes of each node that asks
        for a set of them in place of a threshold, by its number.
    base : float
        What is added to all leaves.
    reading : Reading, optional
        How rows are read; as float32 numbers by default.
    """
    sizes = [len(tree["feature"]) for tree in trees]
    roots = np.cumsum([0, *sizes[:-1]])
    joined = {name: np.concatenate([tree[name] for tree in trees]) for name in KINDS if name != "roots"}
    leaf, furthest = joined["left"] == LEAF, np.finfo(np.float64).max
    for child in ("left", "right"):
        joined[child] = np.where(joined[child] == LEAF, LEAF, joined[child] + np.repeat(roots, sizes))
    joined["feature"] = np.where(leaf, LEAF, joined["feature"])
    joined["threshold"] = np.where(leaf, 0.0, np.clip(joined["threshold"], -furthest, furthest))
    joined["value"] = np.where(leaf, joined["value"], 0.0)
    placed = zip(trees, roots.tolist(), strict=True)
    sets = {root + node: codes for tree, root in placed for node, codes in tree.get("sets", {}).items()}
    return Trees(**joined, roots=roots, base=base, reading=reading or Reading()).with_sets(sets)


def bits_of(words: np.ndarray) -> np.ndarray:
    """Return the bits of words of 32, the lowest first, bool [32 words]."""
    return np.unpackbits(words.astype("<u4").view(np.uint8), bitorder="little").astype(bool)


def float32_below(threshold: np.ndarray) -> np.ndarray:
    """Return thresholds rounded down to finite float32 numbers, at which float32 rows go the same way, [thresholds]."""
    furthest = np.finfo(np.float32).max
    threshold = np.clip(threshold, -float(furthest), float(furthest))
    rounded = threshold.astype(np.float32)
    return np.where(rounded > threshold, np.nextafter(rounded, -furthest), rounded).astype(np.float64)
