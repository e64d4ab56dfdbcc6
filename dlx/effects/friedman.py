"""How much of what two columns do together is neither's alone: Friedman's H."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from dlx.arrays import check_seed
from dlx.background import sample
from dlx.effects.partial import outputs_at, positions_of
from dlx.errors import DlxError
from dlx.model import Model, Scale, as_rows
from dlx.stats import ends_of, resampled_counts

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["friedman_h"]

MOST_PEOPLE = 100
ROUNDING = 1e-6  # of the largest output: a dependence that varies less does not vary (float32 nets)


def friedman_h(
    model: Model, rows: Any, features: Sequence[str], *, scale: Scale, most_people: int = MOST_PEOPLE, seed: int = 0
) -> pd.DataFrame:
    """Return Friedman's H of every pair of some columns, the largest interaction first (Friedman and Popescu 2008, eq. 44).

    H compares what the two-way partial dependence has beyond the two one-way ones with its own spread: 0 where a model adds
    the columns up, 1 where neither matters without the other; it can pass 1 where columns go together. `size` is that part
    itself, its root mean square over people: H alone is large too where neither column matters. The intervals resample
    people; since neither number can be negative, they lean upward.

    Parameters
    ----------
    model : Model
        Any model.
    rows : Dataset, DataFrame or ndarray [rows, features]
        The people.
    features : sequence of str
        Names of at least two columns.
    scale : {"logit", "probability", "value"}
        Unit of the output: a model that adds up log-odds interacts in probability.
    most_people : int
        More are sampled down to so many: the cost is their square, for each pair.
    seed : int
        Seed of the sample and of the bootstrap.

    Returns
    -------
    DataFrame
        A line a pair: `h` and `size` with the ends of their 95 % intervals; `h` is NaN where the model does not react.

    Raises
    ------
    DlxError
        If there are fewer than two columns, or one twice, or fewer than two people.
    SchemaError
        If there is no such column.
    """
    import pandas as pd

    positions = positions_of(model, features, "Friedman's H")
    people = sample(as_rows(model.schema, rows), most_people, seed=check_seed(seed))
    if len(people) < 2:
        raise DlxError(f"Friedman's H needs at least 2 rows, got {len(people)}; pass more people")
    weights = np.vstack([np.ones(len(people)), resampled_counts(len(people), seed=seed)]) / len(people)
    alone = {i: _at_people(model, people, [i], weights, scale) for i in positions}
    floor = ROUNDING * float(np.abs(model.predict(people, scale)).max())
    lines = []
    for pair in combinations(positions, 2):
        one, other = (model.schema.features[i] for i in pair)
        together = _at_people(model, people, list(pair), weights, scale)
        beyond, whole = (_spread(part, weights) for part in (together - alone[pair[0]] - alone[pair[1]], together))
        h = np.divide(beyond, whole, out=np.full(len(whole), np.nan), where=whole > floor)
        h_low, h_high = ends_of(h[1:], people=len(people)) if whole[0] > floor else (np.nan, np.nan)
        size_low, size_high = ends_of(beyond[1:], people=len(people))  # the first sample is everybody
        lines.append(
            {"model": model.name, "feature": one.name, "other_feature": other.name}
            | {"label": one.label, "other_label": other.label, "h": h[0], "h_low": h_low, "h_high": h_high}
            | {"size": beyond[0], "size_low": size_low, "size_high": size_high, "people": len(people), "scale": scale}
        )
    return pd.DataFrame(lines).sort_values("size", ascending=False, kind="stable", ignore_index=True)


def _at_people(model: Model, people: np.ndarray, positions: list[int], weights: np.ndarray, scale: Scale) -> np.ndarray:
    """Return the partial dependence at each person's own values, centred, [samples, people], for weights of people."""
    own = np.where(np.isnan(people[:, positions]), np.inf, people[:, positions])  # people with the same values share a setting
    values, which = np.unique(own, axis=0, return_inverse=True)
    settings = np.where(np.isinf(values), np.nan, values)
    dependence = (weights @ outputs_at(model, people, settings, positions, scale).T)[:, which.ravel()]
    return dependence - (weights * dependence).sum(axis=1, keepdims=True)


def _spread(centred: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the root mean square over people, [samples]."""
    return np.sqrt((weights * centred**2).sum(axis=1))
