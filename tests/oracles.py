"""Independent brute force, in float64, through `model.predict` and original columns only."""

from __future__ import annotations

from itertools import combinations
from math import factorial

import numpy as np


def shapley(model, rows: np.ndarray, background: np.ndarray, scale: str) -> np.ndarray:
    """Return exact interventional Shapley values [rows, features], by enumeration of all coalitions."""
    return np.array([_shapley_of_one(model, row, background, scale) for row in rows])


def _shapley_of_one(model, row: np.ndarray, background: np.ndarray, scale: str) -> np.ndarray:
    width = len(row)
    coalitions = [frozenset(some) for size in range(width + 1) for some in combinations(range(width), size)]
    mixed = np.repeat(background[None], len(coalitions), axis=0)  # [coalitions, references, features]
    for members, references in zip(coalitions, mixed, strict=True):
        references[:, list(members)] = row[list(members)]
    worth = model.predict(mixed.reshape(-1, width), scale).reshape(len(coalitions), -1).mean(axis=1)
    worth_of = dict(zip(coalitions, worth, strict=True))
    values = np.zeros(width)
    for members in coalitions:
        weight = factorial(len(members)) * factorial(max(width - len(members) - 1, 0)) / factorial(width)
        for player in set(range(width)) - members:
            values[player] += weight * (worth_of[members | {player}] - worth_of[members])
    return values


def linear(coefficients: np.ndarray, encoder, rows: np.ndarray, background: np.ndarray) -> np.ndarray:
    """Return w · (x - mean b), summed by the owner of each dense column, [rows, features]."""
    distance = encoder.transform(rows).astype(float) - encoder.transform(background).astype(float).mean(axis=0)
    values = np.zeros((len(rows), len(encoder.schema)))
    for column, owner in enumerate(encoder.owner):
        values[:, owner] += coefficients[column] * distance[:, column]
    return values
