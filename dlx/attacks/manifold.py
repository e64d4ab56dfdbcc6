"""The on-manifold gate: which of the people that a method evaluates could be real, judged by one detector for all methods."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dlx.attacks.samples import decimals, limes_samples, mixtures, replaced
from dlx.background import k_means
from dlx.dataset import Dataset
from dlx.encoder import Encoder
from dlx.stats import interval_of_share

if TYPE_CHECKING:
    import pandas as pd

KEPT = 0.95  # share of unseen real people that the gate lets pass
SAMPLES = 3_000
KINDS = {
    "real people": "unseen rows",
    "lime": "LIME: random people",
    "kernel_shap": "Kernel SHAP: mixtures with real rows",
    "kernel_shap, k-means": "Kernel SHAP: mixtures with k-means centres",
    "integrated_gradients": "Integrated gradients: points between two people",
    "partial_dependence": "Partial dependence: one column replaced",
}


@dataclass(frozen=True, eq=False)
class Gate:
    """Tells rows that could be real from others, in a model's dense columns: points of a path are rows, too.

    Boosted trees, trained on training rows against what all methods make up of them. Numbers are first rounded to the
    decimals that are recorded, so that nobody is unreal for a fraction of a year.

    Parameters
    ----------
    encoder : Encoder
        Original to dense columns.
    decimals : ndarray of int [features]
        With which each column is recorded.
    forest : HistGradientBoostingClassifier
        Of real rows (1) against made-up ones (0).
    limit : float
        Below it a row is off the manifold; 1 - `KEPT` of the validation rows are.
    """

    encoder: Encoder
    decimals: np.ndarray
    forest: Any
    limit: float

    @classmethod
    def fit(cls, case: Dataset, background: np.ndarray, *, seed: int = 0) -> Gate:
        """Return the gate of a case: training rows against what every method makes up from them and a background."""
        from sklearn.ensemble import HistGradientBoostingClassifier

        train, encoder = case.train.rows, Encoder.fit(case.schema, case.train.rows)
        forest = HistGradientBoostingClassifier(max_iter=150, class_weight="balanced", early_stopping=False, random_state=seed)
        blank = cls(encoder, decimals(train), forest, 0.0)
        made_up = blank.made_up(case, train, background, len(train), seed)
        dense = np.concatenate([encoder.transform(train), *made_up.values()])
        forest.fit(dense, np.arange(len(dense)) < len(train))
        limit = np.quantile(forest.predict_proba(encoder.transform(case.validation.rows))[:, 1], 1 - KEPT)
        return cls(encoder, blank.decimals, forest, float(limit))

    def is_off(self, rows: np.ndarray) -> np.ndarray:
        """Return which coded rows could not be real, bool [rows]."""
        return self.is_off_dense(self.dense(rows))

    def is_off_dense(self, dense: np.ndarray) -> np.ndarray:
        """Return which dense rows could not be real, bool [rows]."""
        return self.forest.predict_proba(dense)[:, 1] < self.limit

    def dense(self, rows: np.ndarray) -> np.ndarray:
        """Return coded rows in dense columns, numbers rounded as they are recorded, [rows, width]."""
        rounded = [np.round(column, n) for column, n in zip(rows.T, self.decimals, strict=True)]
        return self.encoder.transform(np.stack(rounded, axis=1))

    def made_up(
        self, case: Dataset, people: np.ndarray, background: np.ndarray, count: int, seed: int
    ) -> dict[str, np.ndarray]:
        """Return the dense rows [count, width] that each method makes up for some people, by the keys of `KINDS`."""
        centres = k_means(case.train.rows, min(10, len(case.train)))[0]
        rows = {
            "lime": limes_samples(case.schema, background, count, seed),
            "kernel_shap": mixtures(people, background, count, seed),
            "kernel_shap, k-means": mixtures(people, centres, count, seed),
            "partial_dependence": replaced(people, count, seed),
        }
        found = {kind: self.dense(some) for kind, some in rows.items()}
        return found | {"integrated_gradients": self._between(people, background, count, seed)}

    def _between(self, people: np.ndarray, background: np.ndarray, count: int, seed: int) -> np.ndarray:
        """Return points on straight paths between people and references, in dense columns."""
        rng = np.random.default_rng(seed)
        ends = self.encoder.transform(people[rng.integers(len(people), size=count)])
        starts = self.encoder.transform(background[rng.integers(len(background), size=count)])
        return starts + rng.random((count, 1)).astype(np.float32) * (ends - starts)


def off_manifold_shares(gate: Gate, case: Dataset, background: np.ndarray, *, seed: int = 0) -> pd.DataFrame:
    """Return how much of what each method evaluates could not be real, with Wilson's 95 % intervals.

    One line a kind of sample, made of test rows; unseen real people come first, as what the gate itself gets wrong.
    """
    import pandas as pd

    people = case.test.rows
    made_up = gate.made_up(case, people, background, SAMPLES, seed + 1)
    of = {kind: gate.is_off_dense(dense) for kind, dense in made_up.items()}
    of = {"real people": gate.is_off(people)} | of
    lines = []
    for kind, words in KINDS.items():
        share, low, high = interval_of_share(of[kind])
        lines.append({"kind": kind, "what": words, "off_manifold": share, "low": low, "high": high, "samples": len(of[kind])})
    return pd.DataFrame(lines)
