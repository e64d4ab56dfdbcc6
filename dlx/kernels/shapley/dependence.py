"""How the columns of some reference rows go together, and what a coalition of columns is worth where the others go along.

``v(S) = E[f(X) | X_S = x_S]``: the game that is true to the data, where `games` has the one that is true to the model.

- `copula_worth`: columns are ranks that go together as a normal distribution does (Aas, Jullum and Løland 2021). Every
  reference row is moved to where it would be with the person's known values, by Matheron's rule: each unknown column's score
  by the regression on the known ones, so that without correlation the rows stay as they are. A column's values are those of
  the reference rows. Levels without an order are ranked by the mean output of their rows, gaps and special values come
  first or last.
- `neighbour_worth`: the reference rows as they are, those most alike in the known columns counting most (the empirical
  approach of the same authors), whatever the shape of the dependence.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from dlx.kernels.shapley.games import BLOCK_BYTES, Game
from dlx.schema import Feature, Schema

DIGITS = 9  # of a rank, so that a row that does not move keeps its values
JITTER = 1e-6  # of a correlation matrix, so that that of copies can be inverted
SHRUNK = 0.2  # of columns / rows: of 0 to .5, with 60 and 100 references of the four cases, the best on held-out rows
FEW_OF_A_LEVEL = 2  # rows of the mean output that a level is given beside its own


@dataclass(frozen=True, eq=False)
class Dependence:
    """The ranks of reference rows in every column, and how these go together.

    Parameters
    ----------
    schema : Schema
        What the columns mean.
    background : ndarray [references, columns]
        Coded.
    outputs : ndarray [references]
        The model's outputs, by which levels without an order are ranked.
    """

    schema: Schema
    background: np.ndarray
    outputs: np.ndarray

    @cached_property
    def ordered(self) -> np.ndarray:
        """What every column is ranked by, rising, [references, columns]."""
        return np.sort(self.keys(self.background), axis=0)

    @cached_property
    def ranks(self) -> np.ndarray:
        """The rank of each reference row in each column, from 0 on, ties in a random order, [references, columns]."""
        ties = np.random.default_rng(0).random(self.background.shape)
        order = np.lexsort((ties, self.keys(self.background)), axis=0)
        return np.argsort(order, axis=0)

    @cached_property
    def values(self) -> np.ndarray:
        """The values of each column in the order of the ranks, [references, columns]."""
        return np.take_along_axis(self.background, np.argsort(self.ranks, axis=0), axis=0)

    @cached_property
    def continuous(self) -> np.ndarray:
        """Columns of complete numbers, most of which differ: between two of their values all others may be, [some]."""
        columns = enumerate(zip(self.schema.features, self.background.T, strict=True))
        whole = [(i, column) for i, (f, column) in columns if not f.is_categorical and not f.beside(column).any()]
        return np.array([i for i, column in whole if 2 * len(np.unique(column)) > len(column) > 1], dtype=np.intp)

    @cached_property
    def scores(self) -> np.ndarray:
        """The ranks as quantiles of a normal distribution, [references, columns]."""
        from scipy.special import ndtri

        return ndtri((self.ranks + 0.5) / len(self.ranks))

    @cached_property
    def within(self) -> np.ndarray:
        """Where each reference row stands among those that have its value, between 0 and 1, [references, columns]."""
        low, high = self.between(self.background)
        return (self.ranks + 0.5 - low) / (high - low)

    @cached_property
    def correlation(self) -> np.ndarray:
        """Correlation of the scores, shrunk a little, the more so the more columns there are for the rows."""
        count, columns = self.scores.shape
        share = min(1.0, SHRUNK * columns / count)
        return (1 - share) * np.corrcoef(self.scores, rowvar=False) + (share + JITTER) * np.eye(columns)

    def keys(self, rows: np.ndarray) -> np.ndarray:
        """Return what rows are ranked by in each column, [rows, columns]."""
        columns = zip(self.schema.features, self.background.T, rows.T, strict=True)
        return np.column_stack([_keys(feature, known, self.outputs, column) for feature, known, column in columns])

    def between(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return how many reference rows are below each value of rows, and how many are not above it, [rows, columns]."""
        pairs = list(zip(self.ordered.T, self.keys(rows).T, strict=True))
        below = np.column_stack([np.searchsorted(ordered, keys, "left") for ordered, keys in pairs])
        return below, np.column_stack([np.searchsorted(ordered, keys, "right") for ordered, keys in pairs])

    def scores_of(self, rows: np.ndarray, references: np.ndarray) -> np.ndarray:
        """Return the scores of rows, [rows, references, columns]: among rows of the same value, where each reference stands."""
        from scipy.special import ndtri

        (low, high), count = self.between(rows), len(self.background)
        places = low[:, None] + self.within[references] * (high - low)[:, None]
        for i in self.continuous:
            is_new = (low[:, i] == high[:, i]) & (self.schema.features[i].beside(rows[:, i]) == 0)
            places[is_new, :, i] = np.interp(rows[is_new, i], self.values[:, i], np.arange(count) + 0.5)[:, None]
        return ndtri(np.clip(places / count, 0.5 / count, 1 - 0.5 / count))

    def moves(self, known: np.ndarray) -> np.ndarray:
        """Return by how much each score moves with each known one, [coalitions, known columns, columns]; known ones do not."""
        both, alone = known[:, :, None] & known[:, None], np.eye(known.shape[1], dtype=bool)
        inverse = np.linalg.inv(np.where(both | alone, self.correlation, 0.0)) * both
        return (inverse @ self.correlation) * ~known[:, None]

    def values_at(self, scores: np.ndarray) -> np.ndarray:
        """Return the value that each column has at some scores [..., columns]."""
        from scipy.special import ndtr

        count, columns, flat = *self.values.shape, self.values.ravel()
        places = ndtr(scores) * count
        which = np.minimum(places.astype(np.intp), count - 1) * columns + np.arange(columns)
        values, some = flat[which], self.continuous
        middle = np.clip(np.round(places[..., some] - 0.5, DIGITS), 0, count - 1)
        below = np.minimum(middle.astype(np.intp), count - 2)
        start = flat[below * columns + some]
        values[..., some] = start + (middle - below) * (flat[(below + 1) * columns + some] - start)
        return values


def copula_worth(game: Game, dependence: Dependence, members: np.ndarray, references: np.ndarray) -> np.ndarray:
    """Return what coalitions are worth by the copula, on average over some references: [people, coalitions].

    Parameters
    ----------
    game : Game
        The model, the people and the scale.
    dependence : Dependence
        Of the reference rows.
    members : ndarray of bool [coalitions, columns]
        Whose values are known.
    references : ndarray of int [some]
        Which reference rows are moved.
    """
    people, count = len(game.rows), game.players
    start = dependence.scores[references]
    apart = (dependence.scores_of(game.rows, references) - start).reshape(-1, count)
    worth, size = np.empty((people, len(members))), max(1, BLOCK_BYTES // (8 * max(apart.size, count**2)))
    for first in range(0, len(members), size):
        known = members[first : first + size]
        moved = (apart @ dependence.moves(known).transpose(1, 0, 2).reshape(count, -1)).reshape(people, len(start), -1, count)
        rows = np.where(known, game.rows[:, None, None], dependence.values_at(moved + start[:, None]))
        outputs = game.model.predict(rows.reshape(-1, count), game.scale, checked=True)
        worth[:, first : first + size] = outputs.reshape(moved.shape[:3]).mean(axis=1)
    return worth


def neighbour_worth(game: Game, dependence: Dependence, members: np.ndarray, widths: tuple[float, ...]) -> np.ndarray:
    """Return what coalitions are worth by neighbours, for each width of the kernel: [widths, people, coalitions].

    A reference row counts by ``exp(-D / (2 width²))``, D being the mean squared distance in the known columns: of ranks, as a
    share of all, or 1 for another level, gap or special value. The infinite width is no dependence at all.
    """
    references, found = np.arange(len(game.background)), np.empty((len(widths), len(game.rows), len(members)))
    players = np.tile(np.arange(game.players), (len(references), 1))
    gaps = np.square(_gaps(dependence, game.rows))
    for person in range(len(game.rows)):
        worth = game.pairs(np.full(len(references), person), references, players, members)
        away = gaps[person] @ members.T / members.sum(axis=1)
        for place, width in enumerate(widths):
            weights = np.exp((away.min(axis=0) - away) / (2 * width**2))
            found[place, person] = (weights * worth).sum(axis=0) / weights.sum(axis=0)
    return found


def _gaps(dependence: Dependence, rows: np.ndarray) -> np.ndarray:
    """Return how far rows are from reference rows in each column, 0 to 1, [rows, references, columns]."""
    background = dependence.background
    (low, high), (its_low, its_high) = dependence.between(rows), dependence.between(background)
    gaps = np.abs((low + high)[:, None] - (its_low + its_high)) / (2 * len(background))
    for i, feature in enumerate(dependence.schema.features):
        mine, its = feature.beside(rows[:, i]), feature.beside(background[:, i])
        if feature.is_categorical and not feature.ordered:
            mine, its = np.where(mine, -mine, rows[:, i]), np.where(its, -its, background[:, i])
            gaps[:, :, i] = mine[:, None] != its
        else:
            gaps[:, :, i][mine[:, None] != its] = 1.0
    return gaps


def _keys(feature: Feature, known: np.ndarray, outputs: np.ndarray, column: np.ndarray) -> np.ndarray:
    """Return what a column [rows] is ranked by, as reference rows [references] and their outputs tell."""
    mean, beside, its = outputs.mean(), feature.beside(column), feature.beside(known)
    if feature.is_categorical and not feature.ordered:
        kinds, codes = np.where(its, -its, known), np.where(beside, -beside, column)
        levels, which = np.unique(kinds, return_inverse=True)
        counts = np.bincount(which) + FEW_OF_A_LEVEL
        found = (np.bincount(which, outputs - mean) / counts).tolist()
        table = dict(zip(levels.tolist(), found, strict=True))
        return np.array([table.get(code, 0.0) for code in codes.tolist()])
    keys, numbers = column.astype(np.float64), its == 0
    slope = np.cov(known[numbers], outputs[numbers])[0, 1] if numbers.sum() > 1 else 0.0
    for kind in np.unique(beside[beside > 0]):
        above = (outputs[its == kind] - mean).sum() * slope > 0
        keys[beside == kind] = (1.0 if above else -1.0) * 1e300 * kind
    return keys
