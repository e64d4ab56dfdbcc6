"""The attacker's detector: tells real people from those whom an explainer made up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from dlx.attacks.samples import decimals
from dlx.threads import in_chunks

CHUNK_ROWS = 8_192
TOP_MATCHES = 3


@dataclass(frozen=True, eq=False)
class Detector:
    """Boosted trees on the columns, and on two traces that explainers leave.

    The traces: how many numbers have more decimals than any record (lime draws from normals), and in how many columns a
    row equals one of the reference rows (a mixture has most of its columns from one of them).

    Parameters
    ----------
    forest : HistGradientBoostingClassifier
        Of real rows (1) against made-up ones (0).
    decimals : ndarray of int [features]
        With which each column is recorded.
    references : ndarray [references, features]
        The reference rows that the attacker expects; may be empty.
    """

    forest: Any
    decimals: np.ndarray
    references: np.ndarray

    @classmethod
    def fit(cls, real: np.ndarray, made_up: np.ndarray, references: np.ndarray, *, seed: int = 0) -> Detector:
        """Return a detector trained on real rows against made-up ones [rows, features], each kind weighing half."""
        from sklearn.ensemble import HistGradientBoostingClassifier

        forest = HistGradientBoostingClassifier(
            max_iter=200, learning_rate=0.05, class_weight="balanced", early_stopping=False, random_state=seed
        )
        blank = cls(forest, decimals(real), references)
        forest.fit(blank.described(np.concatenate([real, made_up])), np.repeat([1, 0], [len(real), len(made_up)]))
        return blank

    def realness(self, rows: np.ndarray) -> np.ndarray:
        """Return how sure it is that each row is real, 0 to 1, [rows]."""
        return in_chunks(lambda some: self.forest.predict_proba(self.described(some))[:, 1], rows, CHUNK_ROWS)

    def described(self, rows: np.ndarray) -> np.ndarray:
        """Return what the trees read: columns and traces, [rows, features + 1 + traces of references]."""
        rounded = np.stack([np.round(column, n) for column, n in zip(rows.T, self.decimals, strict=True)], axis=1)
        odd = (np.abs(rows - rounded) > 1e-9).sum(axis=1)
        matches = np.zeros((len(rows), len(self.references)), dtype=np.int32)
        for own, theirs in zip(rows.T, self.references.T, strict=True):
            matches += (own[:, None] == theirs) | (np.isnan(own)[:, None] & np.isnan(theirs))
        return np.column_stack([rows, odd, np.sort(matches, axis=1)[:, -TOP_MATCHES:]])
