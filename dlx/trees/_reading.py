"""How trees read rows: as numbers of the precision in which they compare, with whatever counts as missing as NaN."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from dlx.arrays import frozen
from dlx.errors import DlxError

Precision = Literal["float32", "float64"]
PRECISIONS: tuple[Precision, ...] = ("float32", "float64")


@dataclass(frozen=True, eq=False)
class Reading:
    """How trees read a row before they compare: in which precision, and which values count as missing.

    Parameters
    ----------
    precision : {"float32", "float64"}
        Numbers are rounded to it: scikit-learn's trees and XGBoost read float32, histogram boosting and LightGBM float64.
    absent : ndarray of float64 [ranges, 3]
        Column, from, to: values of a column that count as missing.
    takes_missing : bool
        Whether a value may be missing.
    """

    precision: Precision = "float32"
    absent: np.ndarray = field(default_factory=lambda: np.empty((0, 3)))
    takes_missing: bool = True

    def __post_init__(self) -> None:
        if self.precision not in PRECISIONS:
            raise ValueError(f"trees must read rows as one of {', '.join(PRECISIONS)}, got {self.precision!r}")
        object.__setattr__(self, "absent", frozen(self.absent, np.float64).reshape(-1, 3))
        if np.isnan(self.absent).any() or (self.absent[:, 0] < 0).any() or (self.absent[:, 0] % 1 != 0).any():
            raise ValueError("what counts as missing must be given as a column, and from where to where")

    def read(self, rows: np.ndarray) -> np.ndarray:
        """Return rows [rows, features] as numbers of the precision, NaN where missing.

        Raises
        ------
        DlxError
            If a number is beyond the precision, or missing where it must not be.
        """
        with np.errstate(over="ignore"):
            read = np.ascontiguousarray(rows, dtype=self.precision)
        if self.precision == "float32" and np.isinf(read).any():
            row, column = np.argwhere(np.isinf(read))[0]
            raise DlxError(
                f"these trees read float32, which ends at 3.4e38, but column {column} holds {rows[row, column]:.3g}; "
                "use a larger unit"
            )
        if len(self.absent):
            read = self._without_absent(read.copy())
        if not self.takes_missing and np.isnan(read).any():
            column = np.argwhere(np.isnan(read))[0, 1]
            raise DlxError(
                f"these trees take no missing value, as in their library, but column {column} holds one; "
                "fill it in, or give dlx.wrap a pipeline that does"
            )
        return read

    def _without_absent(self, read: np.ndarray) -> np.ndarray:
        for column, start, end in self.absent:
            values = read[:, int(column)]
            values[(values >= start) & (values <= end)] = np.nan
        return read
