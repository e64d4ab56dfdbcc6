"""Two defences that need no access to a model's inside: flip the protected column, and look off the manifold.

The flip asks on real rows alone, where a scaffold has to show what it is. The gate asks whether what a method learned
from people who could not be real says anything about those who are: an honest model is the same function in both places.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dlx.attacks.findings import Finding
from dlx.attacks.manifold import Gate
from dlx.attacks.samples import VulnerabilityError
from dlx.attacks.scaffold import decisions
from dlx.dataset import Dataset
from dlx.model import Model
from dlx.rounding import rounded
from dlx.stats import Interval, interval_of, interval_of_share

if TYPE_CHECKING:
    import pandas as pd

FLIP_LIMIT = 0.75  # of decisions that hang on the column alone; measured: attacked .93 and more, honest .56 and less
CARRY_LIMIT = 0.8  # rank correlation; measured: hidden ones .42 and less, honest .93 and more
FEWEST_OFF = 200
VALUES = 10  # of a number that is flipped


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
    own, changed = decisions(model, people.rows), np.zeros(len(people), dtype=bool)
    for value in _tried(among.rows[:, position], model.schema.features[position].is_categorical):
        rows = people.rows.copy()
        rows[:, position] = value
        changed |= decisions(model, rows) != own
    return changed


def flips(model: Model, case: Dataset, columns: tuple[str, ...]) -> pd.DataFrame:
    """Return the share of test rows whose decision hangs on each column alone, with Wilson's 95 % intervals."""
    import pandas as pd

    lines = []
    for column in columns:
        changed = flipped_decisions(model, case.test, column, among=case.train)
        share, low, high = interval_of_share(changed)
        lines.append({"model": model.name, "column": column, "changed": share, "low": low, "high": high, "rows": len(changed)})
    return pd.DataFrame(lines)


def carry_over(model: Model, gate: Gate, samples: np.ndarray, people: np.ndarray, *, seed: int = 0) -> Interval:
    """Return how well what the model does off the manifold predicts what it does on real people.

    Boosted trees learn the model's output on those samples that the gate turns away; the answer is the rank correlation
    (Spearman) of their prediction with the model's output on real rows, with its 95 % bootstrap interval over rows.
    NaN where fewer than `FEWEST_OFF` samples are turned away.

    Raises
    ------
    VulnerabilityError
        If the model gives everybody the same output.
    """
    from scipy.stats import rankdata
    from sklearn.ensemble import HistGradientBoostingRegressor

    scale, off = model.scales[0], samples[gate.is_off(samples)]
    outputs = model.predict(people, scale)
    if np.ptp(outputs) == 0:
        raise VulnerabilityError(f"{model.name} gives all {len(people)} people the same output; there is nothing to explain")
    if len(off) < FEWEST_OFF:
        return Interval(np.nan, np.nan, np.nan)
    learned = HistGradientBoostingRegressor(early_stopping=False, random_state=seed).fit(off, model.predict(off, scale))
    ranks = rankdata(learned.predict(people)), rankdata(outputs)

    def correlation(rows: np.ndarray) -> float:
        one, other = ranks[0][rows], ranks[1][rows]
        return float(np.corrcoef(one, other)[0, 1]) if np.ptp(one) > 0 and np.ptp(other) > 0 else 0.0

    return interval_of(correlation, np.zeros(len(people)), seed=seed)


def flip_finding(demonstration: str, model: Model, case: Dataset, column: str, *, is_attacked: bool) -> Finding:
    """Return what the protected-column flip says of a model."""
    changed = flipped_decisions(model, case.test, column, among=case.train)
    words = f"share of decisions that change with {case.schema[column].label} alone, on real rows"
    return Finding(demonstration, model.name, is_attacked, words, interval_of_share(changed), FLIP_LIMIT)


def gate_finding(
    demonstration: str, model: Model, gate: Gate, samples: np.ndarray, case: Dataset, *, is_attacked: bool, seed: int = 0
) -> Finding:
    """Return what the on-manifold gate says of a model, given the samples of an explainer."""
    share = gate.is_off(samples).mean()
    words = "rank correlation of what it does off the manifold with what it does on real people"
    measured = carry_over(model, gate, samples, case.test.rows, seed=seed)
    shown = f"{rounded(share, 0, 100)} % of the samples could not be real"
    why = "" if measured.estimate == measured.estimate else f"fewer than {FEWEST_OFF} samples are off the manifold"
    return Finding(demonstration, model.name, is_attacked, words, measured, CARRY_LIMIT, False, shown, why)


def _tried(column: np.ndarray, is_categorical: bool) -> np.ndarray:
    known = column[~np.isnan(column)]
    if is_categorical or len(np.unique(known)) <= VALUES:
        return np.unique(known)
    return np.unique(np.quantile(known, np.linspace(0.05, 0.95, VALUES), method="nearest"))
