"""What the model says when one column changes for those who have nearly that value: accumulated local effects (ALE)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dlx.arrays import frozen
from dlx.effects.chains import Chain, chain_of
from dlx.errors import DlxError
from dlx.model import Model, Scale, as_rows
from dlx.schema import Feature
from dlx.stats import ends_of, resampled_counts

if TYPE_CHECKING:
    import pandas as pd

BINS = 20


@dataclass(frozen=True, eq=False)
class AccumulatedEffects:
    """Change of the output along a column, each step measured on the people who stand there; 0 on average over people.

    Parameters
    ----------
    feature : Feature
        The column.
    values : ndarray [points]
        Ends of a number's bins, or the levels that people have in the order of the steps, coded; NaN for missing.
    effects : ndarray [points]
        In units of `scale`.
    low, high : ndarray [points]
        Ends of the 95 % bootstrap interval over people, for these bins and this order; NaN where there is one person.
    counts : ndarray [points]
        How many people have each level; the people of a bin count half at either of its ends.
    mean_output : float
        Mean output of the people: what to add to read the effects as outputs.
    scale, model : str
        Unit of the effects; name of the model.
    """

    feature: Feature
    values: np.ndarray
    effects: np.ndarray
    low: np.ndarray
    high: np.ndarray
    counts: np.ndarray
    mean_output: float
    scale: str
    model: str

    def __post_init__(self) -> None:
        for name in ("values", "effects", "low", "high", "counts"):
            object.__setattr__(self, name, frozen(getattr(self, name), np.float64))

    def to_frame(self) -> pd.DataFrame:
        """Return one line a value, in the order of the steps."""
        import pandas as pd

        return pd.DataFrame(
            {
                "model": self.model,
                "feature": self.feature.name,
                "label": self.feature.label,
                "value": [self.feature.format(x) for x in self.values],
                "code": self.values,
                "effect": self.effects,
                "low": self.low,
                "high": self.high,
                "people": self.counts,
                "mean_output": self.mean_output,
                "scale": self.scale,
            }
        )


def accumulated_local_effects(
    model: Model, rows: Any, feature: str, *, scale: Scale, bins: int = BINS, seed: int = 0
) -> AccumulatedEffects:
    """Return the accumulated local effects of one column (Apley and Zhu 2020).

    Numbers step from end to end of bins of equally many people, by the people in the bin. Levels step to their neighbour, by
    the people of both: in the schema's order, or, where it has none, by similarity of their people in the other columns.
    A missing number or ordered level is a point of its own, one step from the median, by the people who lack the value and
    those around the median; a missing unordered level is one more level. Levels that nobody has are left out.

    Parameters
    ----------
    model : Model
        Any model.
    rows : Dataset, DataFrame or ndarray [rows, features]
        The people.
    feature : str
        Name of the column.
    scale : {"logit", "probability", "value"}
        Unit of the effects.
    bins : int
        Of a numeric column.
    seed : int
        Seed of the bootstrap.

    Raises
    ------
    DlxError
        If there are no rows or no bins.
    SchemaError
        If there is no such column.
    """
    people = as_rows(model.schema, rows)
    if not len(people) or bins < 1:
        raise DlxError(f"accumulated local effects need at least 1 row and 1 bin, got {len(people)} and {bins}")
    position = model.schema.position(feature)
    chain = chain_of(model.schema, people, position, bins)
    steps = _steps(model, people, position, chain, scale)
    everybody = np.full((1, len(people)), 1 / len(people))
    effects = _accumulated(everybody, steps, chain)[0]
    low, high = ends_of(_accumulated(resampled_counts(len(people), seed=seed) / len(people), steps, chain), people=len(people))
    return AccumulatedEffects(
        feature=model.schema.features[position],
        values=chain.values,
        effects=effects,
        low=low,
        high=high,
        counts=chain.stands.sum(axis=0),
        mean_output=float(model.predict(people, scale).mean()),
        scale=scale,
        model=model.name,
    )


def _steps(model: Model, people: np.ndarray, position: int, chain: Chain, scale: Scale) -> np.ndarray:
    """Return the change of each person's output by each step that they take, [people, steps]; 0 for the others."""
    steps = np.zeros(chain.takes.shape)
    who, which = np.nonzero(chain.takes)
    if len(who):
        before, after = people[who].copy(), people[who].copy()
        before[:, position], after[:, position] = chain.values[chain.starts[which]], chain.values[chain.ends[which]]
        steps[who, which] = model.predict(after, scale) - model.predict(before, scale)
    return steps


def _accumulated(weights: np.ndarray, steps: np.ndarray, chain: Chain) -> np.ndarray:
    """Return the effect at each value for some weights of people [samples, people], as [samples, points].

    A step that nobody of a sample takes is as long as it is for everybody.
    """
    takers, usual = weights @ chain.takes, steps.sum(axis=0) / chain.takes.sum(axis=0)
    mean = np.where(takers > 0, weights @ steps / np.where(takers > 0, takers, 1.0), usual)
    reached = mean @ chain.paths.T
    return reached - ((weights @ chain.stands) * reached).sum(axis=1, keepdims=True)
