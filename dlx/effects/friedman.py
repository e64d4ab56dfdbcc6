"""How much of what two columns do together is neither's alone: Friedman's H."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from dlx.arrays import check_seed
from dlx.effects.pairs import outputs_at, positions_of
from dlx.errors import DlxError
from dlx.model import Model, Scale, as_rows
from dlx.stats import ends_of, resampled_counts

if TYPE_CHECKING:
    import pandas as pd

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
    people = as_rows(model.schema, rows)
    positions = positions_of(model, features, "Friedman's H", 2)
    if min(len(people), most_people) < 2:
        raise DlxError(f"Friedman's H needs at least 2 rows, got {min(len(people), most_people)}; pass more people")
    rng = np.random.default_rng(check_seed(seed))
    people = people[np.sort(rng.permutation(len(people))[:most_people])]
    weights = np.vstack([np.full(len(people), 1 / len(people)), resampled_counts(len(people), seed=seed) / len(people)])
    alone = {i: _at_people(model, people, [i], weights, scale) for i in positions}
    floor = ROUNDING * float(np.abs(model.predict(people, scale)).max())
    lines = []
    for i, j in combinations(positions, 2):
        together = _at_people(model, people, [i, j], weights, scale)
        measured = _spread(together - alone[i] - alone[j], weights), _spread(together, weights)
        lines.append(_line(model, (i, j), *measured, floor, len(people)) | {"people": len(people), "scale": scale})
    return _sorted(lines)


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


def _line(
    model: Model, pair: tuple[int, int], beyond: np.ndarray, whole: np.ndarray, floor: float, people: int
) -> dict[str, object]:
    """Return the numbers of a pair: the first sample is everybody, the others are resampled."""
    one, other = (model.schema.features[i] for i in pair)
    h = np.where(whole > floor, beyond / np.maximum(whole, 1e-300), np.nan)
    h_low, h_high = ends_of(h[1:][~np.isnan(h[1:])], people=people) if whole[0] > floor else (np.nan, np.nan)
    size_low, size_high = ends_of(beyond[1:], people=people)
    return {
        "model": model.name,
        "feature": one.name,
        "other_feature": other.name,
        "label": one.label,
        "other_label": other.label,
        "h": h[0],
        "h_low": h_low,
        "h_high": h_high,
        "size": beyond[0],
        "size_low": size_low,
        "size_high": size_high,
    }


def _sorted(lines: list[dict[str, object]]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(lines).sort_values("size", ascending=False, kind="stable", ignore_index=True)
