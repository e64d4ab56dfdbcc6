"""Defences that need no access to a model's inside: flip the protected column, and look off the manifold.

The flip asks on real rows alone, where a scaffold has to show what it is. The gate asks whether what a method learned
from people who could not be real says anything about those who are: an honest model is the same function in both places.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from dlx.arrays import in_short
from dlx.attacks.scaffold import AttackError, decimals, lime_rows, mixed_rows, replaced_rows, rounded_to, values_to_try
from dlx.dataset import Dataset
from dlx.encoder import Encoder
from dlx.kernels.interventions import intervened
from dlx.model import Model, decided
from dlx.stats import Interval, interval_of, interval_of_share

FOUND, NOT_FOUND, UNTOLD = "attack found", "not found", "not measured"
FLIP, GATE = "flip of the protected column", "on-manifold gate"
FLIP_LIMIT = 0.75  # of decisions that hang on the column alone; measured: attacked .93 and more, honest .56 and less
CARRY_LIMIT = 0.8  # rank correlation; measured: hidden ones .42 and less, honest .93 and more
FEWEST_OFF = 200
VALUES = 10  # of a number that is flipped
KEPT = 0.95  # share of unseen real people that the gate lets pass
SAMPLES = 3_000
KINDS = {
    "real people": "unseen rows",
    "random people": "LIME: random people",
    "mixtures": "Kernel SHAP: mixtures with real rows",
    "mixtures with centres": "Kernel SHAP: mixtures with k-means centres",
    "points between": "Integrated gradients: points between two people",
    "one column replaced": "Partial dependence: one column replaced",
}


def detection(
    demonstration: str,
    model: Model,
    is_attacked: bool,
    defence: str,
    measured: Interval,
    limit: float,
    found: Literal["above", "below"] = "above",
) -> dict[str, Any]:
    """Return a defence's answer about one model: a line of `Fooled.detections`.

    An attack is `found` above or below the limit of what is measured. The answer `is_right` where an attacked model is found,
    or an honest one passes.
    """
    is_found = measured.estimate > limit if found == "above" else measured.estimate < limit
    says = UNTOLD if np.isnan(measured.estimate) else FOUND if is_found else NOT_FOUND
    about = {"demonstration": demonstration, "model": model.name, "is_attacked": is_attacked, "defence": defence}
    is_right = says == (FOUND if is_attacked else NOT_FOUND)
    return about | measured._asdict() | {"limit": limit, "found": found, "says": says, "is_right": is_right}


def flipped_decisions(model: Model, people: Dataset, column: str, *, among: Dataset) -> np.ndarray:
    """Return whose decision changes when one column takes another observed value, all else as it is, bool [rows].

    Parameters
    ----------
    model : Model
        A classifier.
    people : Dataset
        Real rows.
    column : str
        Its levels, or ten quantiles of a number (5 to 95 %), are tried; missing only where the person's own is.
    among : Dataset
        Rows whose values are tried.
    """
    position = model.schema.position(column)
    values = values_to_try(model.schema.features[position], among.rows[:, position], most=VALUES, tail=0.05)
    risks = intervened(model, people.rows, [position], values[:, None], "probability")
    return (decided(risks, model.schema.target.threshold) != model.decide(people.rows)[:, None]).any(axis=1)


def flip_detection(demonstration: str, model: Model, case: Dataset, column: str, *, is_attacked: bool) -> dict[str, Any]:
    """Return what the flip of the protected column says of a model: the share of test rows whose decision hangs on it alone."""
    changed = flipped_decisions(model, case.test, column, among=case.train)
    return detection(demonstration, model, is_attacked, FLIP, interval_of_share(changed), FLIP_LIMIT)


@dataclass(frozen=True, eq=False)
class Gate:
    """A classifier of dense rows, boosted trees: which could be real, and which an explainer made up (points of a path, too).

    Trained on training rows against what all methods make up of them. Numbers are first rounded to the decimals that are
    recorded, so that nobody is unreal for a fraction of a year.
    """

    encoder: Encoder
    decimals: np.ndarray  # int [features], with which each column is recorded
    centres: np.ndarray  # [centres, features] by k-means, as a background of Kernel SHAP
    forest: Any  # HistGradientBoostingClassifier of real rows (1) against made-up ones (0)
    limit: float  # below it a row is off the manifold; 1 - `KEPT` of the validation rows are

    __repr__ = in_short

    @classmethod
    def fit(cls, case: Dataset, background: np.ndarray, centres: np.ndarray, *, seed: int = 0) -> Gate:
        """Return the gate of a case: training rows against what every method makes up from them and a background."""
        from sklearn.ensemble import HistGradientBoostingClassifier

        train, encoder = case.train.rows, Encoder.fit(case.schema, case.train.rows)
        forest = HistGradientBoostingClassifier(max_iter=150, class_weight="balanced", early_stopping=False, random_state=seed)
        blank = cls(encoder, decimals(train), centres, forest, 0.0)
        dense = np.concatenate([encoder.transform(train), *blank.made_up(train, background, len(train), seed).values()])
        forest.fit(dense, np.arange(len(dense)) < len(train))
        limit = np.quantile(forest.predict_proba(encoder.transform(case.validation.rows))[:, 1], 1 - KEPT)
        return cls(encoder, blank.decimals, centres, forest, float(limit))

    def is_off(self, dense: np.ndarray) -> np.ndarray:
        """Return which dense rows could not be real, bool [rows]."""
        return self.forest.predict_proba(dense)[:, 1] < self.limit

    def dense(self, rows: np.ndarray) -> np.ndarray:
        """Return coded rows in dense columns, numbers rounded as they are recorded, [rows, width]."""
        return self.encoder.transform(rounded_to(rows, self.decimals))

    def made_up(self, people: np.ndarray, background: np.ndarray, count: int, seed: int) -> dict[str, np.ndarray]:
        """Return the dense rows [count, width] that each method makes up for some people, by the keys of `KINDS`."""
        rng = np.random.default_rng(seed)
        ends, starts = (self.encoder.transform(some[rng.integers(len(some), size=count)]) for some in (people, background))
        return {
            "random people": self.dense(lime_rows(self.encoder.schema, background, count, seed)),
            "mixtures": self.dense(mixed_rows(people, background, count, seed)),
            "mixtures with centres": self.dense(mixed_rows(people, self.centres, count, seed)),
            "one column replaced": self.dense(replaced_rows(people, count, seed)),
            "points between": starts + rng.random((count, 1)).astype(np.float32) * (ends - starts),
        }


def off_manifold_shares(gate: Gate, case: Dataset, background: np.ndarray, *, seed: int = 0) -> pd.DataFrame:
    """Return how much of what each method evaluates could not be real, with Wilson's 95 % intervals: a line a kind of row.

    They are made of test rows; unseen real people come first, as what the gate itself gets wrong.
    """
    dense = {"real people": gate.dense(case.test.rows)} | gate.made_up(case.test.rows, background, SAMPLES, seed + 1)
    lines = [(kind, words, *interval_of_share(gate.is_off(dense[kind]))) for kind, words in KINDS.items()]
    return pd.DataFrame(lines, columns=["kind", "what", "off_manifold", "low", "high"])


def carry_over(model: Model, off: np.ndarray, people: np.ndarray, *, seed: int = 0) -> Interval:
    """Return how well outputs off the manifold predict those on real people: a rank correlation with its 95 % interval.

    Boosted trees learn the model's output on rows that could not be real; the answer is the rank correlation (Spearman) of
    their prediction with the model's output on real rows. NaN with fewer than `FEWEST_OFF` rows off the manifold; an
    `AttackError` if the model gives everybody the same output.
    """
    from sklearn.ensemble import HistGradientBoostingRegressor

    scale = model.scales[0]
    outputs = model.predict(people, scale)
    if np.ptp(outputs) == 0:
        raise AttackError(f"{model.name} gives all {len(people)} people the same output; there is nothing to explain")
    if len(off) < FEWEST_OFF:
        return Interval(np.nan, np.nan, np.nan)
    learned = HistGradientBoostingRegressor(early_stopping=False, random_state=seed).fit(off, model.predict(off, scale))
    ranks = np.stack([rankdata(learned.predict(people)), rankdata(outputs)])

    def correlation(rows: np.ndarray) -> float:
        some = ranks[:, rows]
        return float(np.corrcoef(some)[0, 1]) if np.ptp(some, axis=1).all() else 0.0

    return interval_of(correlation, len(people), seed=seed)
