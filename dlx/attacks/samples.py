"""The people whom explainers make up: what each method evaluates a model on besides real rows."""

from __future__ import annotations

import numpy as np

from dlx.errors import DlxError
from dlx.kernels.lime.neighbourhoods import Neighbourhood
from dlx.schema import Schema

MOST_DECIMALS = 6


class VulnerabilityError(DlxError):
    """A table or a column that the vulnerability laboratory cannot work with."""


def limes_samples(schema: Schema, background: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Return rows [count, features] as lime draws them: each column by itself, from bins of the background."""
    return Neighbourhood(schema, background).draw(count, seed).rows


def mixtures(people: np.ndarray, background: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Return rows [count, features] as Kernel SHAP makes them: some columns of a person, the rest of a reference row.

    The number of columns follows the Shapley kernel (Lundberg and Lee 2017, theorem 2); people and references are drawn evenly.
    """
    rng, width = np.random.default_rng(seed), people.shape[1]
    if width < 2:
        raise VulnerabilityError(f"a mixture of two rows needs at least 2 columns, got {width}; pass a wider table")
    sizes = np.arange(1, width)
    weights = 1 / (sizes * (width - sizes))
    drawn = rng.choice(sizes, p=weights / weights.sum(), size=count)
    kept = rng.permuted(np.arange(width) < drawn[:, None], axis=1)
    return np.where(kept, people[rng.integers(len(people), size=count)], background[rng.integers(len(background), size=count)])


def replaced(people: np.ndarray, count: int, seed: int, *, column: int | None = None) -> np.ndarray:
    """Return rows [count, features] as partial dependence makes them: one column takes a value that somebody else has."""
    rng = np.random.default_rng(seed)
    rows = people[rng.integers(len(people), size=count)].copy()
    columns = rng.integers(people.shape[1], size=count) if column is None else np.full(count, column)
    rows[np.arange(count), columns] = people[rng.integers(len(people), size=count), columns]
    return rows


def decimals(rows: np.ndarray) -> np.ndarray:
    """Return how many decimals each column is recorded with, int [features], at most `MOST_DECIMALS`."""
    return np.array([_decimals(column[~np.isnan(column)]) for column in rows.T])


def _decimals(column: np.ndarray) -> int:
    enough = (n for n in range(MOST_DECIMALS) if np.allclose(column, np.round(column, n), rtol=0, atol=1e-9))
    return next(enough, MOST_DECIMALS)
