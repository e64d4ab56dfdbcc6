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
    some = coalitions(width)
    mixed = np.repeat(background[None], len(some), axis=0)  # [coalitions, references, features]
    for members, references in zip(some, mixed, strict=True):
        references[:, list(members)] = row[list(members)]
    worth = model.predict(mixed.reshape(-1, width), scale).reshape(len(some), -1).mean(axis=1)
    return shapley_of_game(dict(zip(some, worth, strict=True)), width)


class Original:
    """What a wrapped model's library predicts itself, as a model."""

    def __init__(self, model) -> None:
        self.model = model

    def predict(self, rows: np.ndarray, scale: str) -> np.ndarray:
        assert scale == self.model.scales[0]
        return self.model.original(rows)


def coalitions(width: int) -> list[frozenset[int]]:
    """Return all sets of players, the empty one first."""
    return [frozenset(some) for size in range(width + 1) for some in combinations(range(width), size)]


def shapley_of_game(worth_of: dict[frozenset[int], float], width: int) -> np.ndarray:
    """Return the Shapley values of a game, of which the worth of each coalition is known, [players]."""
    values = np.zeros(width)
    for members, worth in worth_of.items():
        for player in set(range(width)) - members:
            weight = factorial(len(members)) * factorial(width - len(members) - 1) / factorial(width)
            values[player] += weight * (worth_of[members | {player}] - worth)
    return values


def linear(coefficients: np.ndarray, encoder, rows: np.ndarray, background: np.ndarray) -> np.ndarray:
    """Return w · (x - mean b), summed by the owner of each dense column, [rows, features]."""
    distance = encoder.transform(rows).astype(float) - encoder.transform(background).astype(float).mean(axis=0)
    values = np.zeros((len(rows), len(encoder.schema)))
    for column, owner in enumerate(encoder.owner):
        values[:, owner] += coefficients[column] * distance[:, column]
    return values
