"""What trees take: rows as numbers of the precision in which they compare, and arrays that are trees and nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from dlx.arrays import frozen, in_short
from dlx.errors import DlxError

if TYPE_CHECKING:
    from dlx.trees import Trees

Precision = Literal["float32", "float64"]
PRECISIONS: tuple[Precision, ...] = ("float32", "float64")
LEAF, NO_SET = -1, -1
KINDS = {
    **{"feature": np.int32, "threshold": np.float64, "left": np.int32, "right": np.int32, "missing_left": np.bool_},
    **{"value": np.float64, "cover": np.float64, "roots": np.int32},
}
SETS = {"set_start": np.int32, "set_size": np.int32, "words": np.uint32}


@dataclass(frozen=True, eq=False)
class Reading:
    """How trees read a row before they compare: in which precision, which values count as missing, and where codes stand.

    Parameters
    ----------
    precision : {"float32", "float64"}
        Numbers are rounded to it: scikit-learn's trees and XGBoost read float32, histogram boosting and LightGBM float64.
    absent : ndarray of float64 [ranges, 3]
        Column, from, to: values of a column that count as missing.
    takes_missing : bool
        Whether a value may be missing.
    placed : ndarray of float64 [codes, 3]
        Column, code, number: codes that are no numbers, and the number that is compared in place of each.
    """

    precision: Precision = "float32"
    absent: np.ndarray = field(default_factory=lambda: np.empty((0, 3)))
    takes_missing: bool = True
    placed: np.ndarray = field(default_factory=lambda: np.empty((0, 3)))

    __repr__ = in_short

    def __post_init__(self) -> None:
        if self.precision not in PRECISIONS:
            raise ValueError(f"trees must read rows as one of {', '.join(PRECISIONS)}, got {self.precision!r}")
        rules = {"absent": "what counts as missing must be given as a column, and from where to where"}
        for name, rule in (rules | {"placed": "a code must be given as a column, itself and a number"}).items():
            given = frozen(getattr(self, name), np.float64).reshape(-1, 3)
            object.__setattr__(self, name, given)
            if np.isnan(given).any() or (given[:, 0] < 0).any() or (given[:, 0] % 1 != 0).any():
                raise ValueError(rule)

    def renumbered(self, place: np.ndarray) -> Reading:
        """Return the reading of the same columns at other places, by the place of each [columns]."""
        absent, placed = self.absent.copy(), self.placed.copy()
        for given in (absent, placed):
            given[:, 0] = place[given[:, 0].astype(np.intp)]
        return replace(self, absent=absent, placed=placed)

    def read(self, rows: np.ndarray) -> np.ndarray:
        """Return rows [rows, features] in the precision, NaN where missing; a `DlxError` if a number is beyond, or lacks."""
        with np.errstate(over="ignore"):
            read = np.ascontiguousarray(rows, dtype=self.precision)
        if self.precision == "float32" and np.isinf(read).any():
            row, column = np.argwhere(np.isinf(read))[0]
            raise DlxError(
                f"these trees read float32, which ends at 3.4e38, but column {column} holds {rows[row, column]:.3g}; "
                "use a larger unit"
            )
        read = read.copy() if len(self.absent) or len(self.placed) else read
        for column, code, number in self.placed:
            values = read[:, int(column)]
            values[values == read.dtype.type(code)] = number
        for column, start, end in self.absent:
            values = read[:, int(column)]
            values[(values >= start) & (values <= end)] = np.nan
        if not self.takes_missing and np.isnan(read).any():
            raise DlxError(
                f"these trees take no missing value, as in their library, but column {np.argwhere(np.isnan(read))[0, 1]} "
                "holds one; fill it in, or give dlx.wrap a pipeline that does"
            )
        return read


def check(trees: Trees) -> None:
    """Raise a ValueError if the arrays are not those of trees: no cycle, no node out of bounds, no two parents."""
    by_node = {name: getattr(trees, name) for name in (*KINDS, "set_start", "set_size") if name != "roots"}
    sizes = {name: len(array) for name, array in by_node.items()}
    flat = all(array.ndim == 1 for array in (*by_node.values(), trees.roots, trees.words))
    if not flat or len(set(sizes.values())) != 1 or not len(trees.roots) or not len(trees.feature):
        raise ValueError(f"trees need arrays of one length and a root, got {sizes} and {len(trees.roots)} roots")
    leaf, here = trees.feature == LEAF, np.arange(len(trees.feature))
    if trees.roots[0] != 0 or (np.diff(trees.ends) <= 0).any() or trees.roots[-1] >= len(leaf):
        raise ValueError("the roots of the trees must start at node 0 and rise")
    if trees.feature.min() < LEAF:
        raise ValueError(f"a node must ask a column, or be a leaf ({LEAF}), got {trees.feature.min()}")
    end = np.repeat(trees.ends, trees.ends - trees.roots)
    for child in (trees.left, trees.right):
        if (child[leaf] != LEAF).any() or (child[~leaf] <= here[~leaf]).any() or (child[~leaf] >= end[~leaf]).any():
            raise ValueError("a child must come after its parent, within its tree")
    parents = np.bincount(np.concatenate([trees.left[~leaf], trees.right[~leaf], trees.roots]), minlength=len(leaf))
    if (parents != 1).any():
        raise ValueError("each node of the trees must have one parent")
    for name in ("threshold", "value", "cover", "base"):
        if not np.isfinite(getattr(trees, name)).all():
            raise ValueError(f"the {name}s of the trees must be finite")
    _check_sets(trees)
    if len(trees.reading.absent) and trees.reading.absent[:, 0].max() > trees.feature.max():
        raise ValueError("what counts as missing must be of a column that the trees ask")


def _check_sets(trees: Trees) -> None:
    asks, start, size = trees.has_set, trees.set_start.astype(np.int64), trees.set_size
    ends = (start + size)[asks]
    if (start < NO_SET).any() or (size < 0).any() or size[~asks].any() or ends.max(initial=0) > len(trees.words):
        raise ValueError("a set of codes must lie within the words of all sets")
    by_set, numeric = trees.feature[asks], trees.feature[~asks]
    if (by_set == LEAF).any() or np.isin(by_set, numeric).any():
        raise ValueError("a column must be split into sets by all of its nodes, or by thresholds")
