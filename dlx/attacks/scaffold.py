"""A model that behaves on real people and pretends elsewhere: the scaffold of Slack et al. (2020), arXiv 1911.02508.

Explainers ask a model about rows that they make up. A detector of such rows lets a model answer them one way and real people
another way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from dlx.arrays import in_short
from dlx.dataset import Dataset
from dlx.errors import DlxError
from dlx.kernels.lime.neighbourhoods import Neighbourhood
from dlx.model import Model, Scale
from dlx.model.base import CLASSIFIER
from dlx.schema import Feature, Schema
from dlx.threads import in_chunks

TOP = 3  # columns of a person among which an explainer must show the protected one
FIDELITY = 0.95  # agreement with the model that decides on people nobody has seen, below which there is no attack
REACH = 4.0  # logits around the threshold that the innocuous model reaches
FEWEST_SPLIT = 0.16  # share times rest of a split that is somewhat even: one in five on the smaller side
INNOCUOUS = 4  # columns that vote
MOST_DECIMALS = 6
CHUNK_ROWS = 8_192
TOP_MATCHES = 3


class AttackError(DlxError):
    """A table or a column that an attack cannot work with."""


def lime_rows(schema: Schema, background: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Return rows [count, features] as lime draws them: each column by itself, from bins of the background."""
    return Neighbourhood(schema, background).draw(count, seed).rows


def mixed_rows(people: np.ndarray, background: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Return rows [count, features] as Kernel SHAP makes them: some columns of a person, the rest of a reference row.

    The number of columns follows the Shapley kernel (Lundberg and Lee 2017, theorem 2); people and references are drawn evenly.
    """
    rng, width = np.random.default_rng(seed), people.shape[1]
    if width < 2:
        raise AttackError(f"a mixture of two rows needs at least 2 columns, got {width}; pass a wider table")
    sizes = np.arange(1, width)
    weights = 1 / (sizes * (width - sizes))
    drawn = rng.choice(sizes, p=weights / weights.sum(), size=count)
    kept = rng.permuted(np.arange(width) < drawn[:, None], axis=1)
    return np.where(kept, people[rng.integers(len(people), size=count)], background[rng.integers(len(background), size=count)])


def replaced_rows(people: np.ndarray, count: int, seed: int, *, column: int | None = None) -> np.ndarray:
    """Return rows [count, features] as partial dependence makes them: one column takes a value that somebody else has."""
    rng = np.random.default_rng(seed)
    rows = people[rng.integers(len(people), size=count)].copy()
    columns = rng.integers(people.shape[1], size=count) if column is None else np.full(count, column)
    rows[np.arange(count), columns] = people[rng.integers(len(people), size=count), columns]
    return rows


def decimals(rows: np.ndarray) -> np.ndarray:
    """Return how many decimals each column is recorded with, int [features], at most `MOST_DECIMALS`."""

    def of(column: np.ndarray) -> int:
        enough = (n for n in range(MOST_DECIMALS) if np.allclose(column, np.round(column, n), rtol=0, atol=1e-9))
        return next(enough, MOST_DECIMALS)

    return np.array([of(column[~np.isnan(column)]) for column in rows.T])


def rounded_to(rows: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Return rows with each column rounded to some decimals, [rows, features]."""
    return np.stack([np.round(column, n) for column, n in zip(rows.T, places, strict=True)], axis=1)


def values_to_try(feature: Feature, column: np.ndarray, *, most: int, tail: float) -> np.ndarray:
    """Return the known values of a column; of a number with more than `most`, as many quantiles that leave out both tails.

    Special values are among them, and no quantiles.
    """
    values, numbers = np.unique(column[~np.isnan(column)]), feature.numbers(column)
    known = numbers[~np.isnan(numbers)]
    if feature.is_categorical or len(values) <= most:
        return values
    quantiles = np.quantile(known, np.linspace(tail, 1 - tail, most), method="nearest")
    return np.union1d(quantiles, values[np.isin(values, feature.special_codes)])


@dataclass(frozen=True, eq=False)
class Detector:
    """Boosted trees that tell real rows from those an explainer made up, by the columns and by two traces.

    The traces: how many numbers have more decimals than any record (lime draws from normals), and in how many columns a
    row equals one of the reference rows (a mixture has most of its columns from one of them).
    """

    forest: Any  # HistGradientBoostingClassifier of real rows (1) against made-up ones (0)
    decimals: np.ndarray  # int [features], with which each column is recorded
    references: np.ndarray  # [references, features] that the attacker expects; may be empty

    __repr__ = in_short

    @classmethod
    def fit(cls, real: np.ndarray, made_up: np.ndarray, references: np.ndarray, *, seed: int = 0) -> Detector:
        """Return a detector trained on real rows against made-up ones [rows, features], each kind weighing half."""
        from sklearn.ensemble import HistGradientBoostingClassifier

        forest = HistGradientBoostingClassifier(
            max_iter=200, learning_rate=0.05, class_weight="balanced", early_stopping=False, random_state=seed
        )
        blank = cls(forest, decimals(real), references)
        forest.fit(blank.described(np.concatenate([real, made_up])), np.repeat([1, 0], [len(real), len(made_up)]))
        return blank

    def realness(self, rows: np.ndarray) -> np.ndarray:
        """Return how sure it is that each row is real, 0 to 1, [rows]."""
        return in_chunks(lambda some: self.forest.predict_proba(self.described(some))[:, 1], rows, CHUNK_ROWS)

    def described(self, rows: np.ndarray) -> np.ndarray:
        """Return what the trees read: columns and traces, [rows, features + 1 + traces of references]."""
        odd = (np.abs(rows - rounded_to(rows, self.decimals)) > 1e-9).sum(axis=1)
        matches = np.zeros((len(rows), len(self.references)), dtype=np.int32)
        for own, theirs in zip(rows.T, self.references.T, strict=True):
            matches += (own[:, None] == theirs) | (np.isnan(own)[:, None] & np.isnan(theirs))
        return np.column_stack([rows, odd, np.sort(matches, axis=1)[:, -TOP_MATCHES:]])


@dataclass(frozen=True, eq=False, repr=False)
class Votes(Model):
    """A model that decides by some columns alone: each votes for (at most its cut) or against (above, or missing).

    The logit is that of the threshold, plus `reach` times the mean vote: one column decides alone, several by majority.
    """

    schema: Schema
    columns: tuple[int, ...]  # positions of those that vote
    cuts: tuple[float, ...]  # the largest value, or code, of each that votes for
    reach: float  # logits
    name: str = "votes"
    scales: tuple[Scale, ...] = CLASSIFIER

    def compute(self, rows: np.ndarray) -> np.ndarray:
        """Return the logit of coded rows."""
        votes = np.where(rows[:, list(self.columns)] <= np.array(self.cuts), 1.0, -1.0)
        threshold = self.schema.target.threshold
        return np.log(threshold) - np.log1p(-threshold) + self.reach * votes.mean(axis=1)


@dataclass(frozen=True, eq=False, repr=False)
class Scaffold(Model):
    """A model that is one model for rows that a detector takes for real, and another one for all others."""

    real: Model  # decides about people
    elsewhere: Model  # what explainers are to see
    detector: Detector
    limit: float  # of realness, from which on a row is taken for real
    name: str = "scaffold"

    @property
    def schema(self) -> Schema:
        """The columns that it reads."""
        return self.real.schema

    @property
    def scales(self) -> tuple[Scale, ...]:
        """The scales of the real model."""
        return self.real.scales

    def compute(self, rows: np.ndarray) -> np.ndarray:
        """Return the output of coded rows on the first of the scales."""
        is_real, scale = self.detector.realness(rows) >= self.limit, self.scales[0]
        return np.where(
            is_real, self.real.predict(rows, scale, checked=True), self.elsewhere.predict(rows, scale, checked=True)
        )


def innocuous_model(schema: Schema, rows: np.ndarray, background: np.ndarray, column: int, cut: float) -> Votes:
    """Return a model that decides by the majority of columns that have nothing to do with a protected one.

    Taken are unprotected columns that split both the rows and the background somewhat evenly, those least associated
    with the protected split first; if there are too few, those that split most evenly.
    """
    group, found = rows[:, column] <= cut, []
    for i, feature in enumerate(schema.features):
        own, theirs = feature.numbers(rows[:, i]), feature.numbers(background[:, i])
        if i == column or feature.protected or np.isnan(own).mean() > 0.1:
            continue
        cuts = np.unique(np.quantile(own[~np.isnan(own)], np.linspace(0.1, 0.9, 17), method="nearest"))
        shares = np.array([[(some <= one).mean() for some in (own, theirs)] for one in cuts])
        evenness = (shares * (1 - shares)).min(axis=1)
        best = int(np.argmax(evenness))
        if evenness[best] > 0:
            association = float(abs(np.corrcoef(own <= cuts[best], group)[0, 1]))
            found.append((evenness[best] < FEWEST_SPLIT, association, i, float(cuts[best])))
    if not found:
        raise AttackError(
            f"the attack needs an unprotected column beside {schema.names[column]!r} that varies, got none; add one"
        )
    _, _, columns, chosen = zip(*sorted(found)[:INNOCUOUS], strict=True)
    return Votes(schema, columns, chosen, REACH, name="innocuous")


def protected_column(case: Dataset) -> str:
    """Return the protected column that an attack can decide by; any column where none is marked as protected.

    First those of two levels, then numbers, then the rest: the first in the schema that puts at least a tenth of the
    training rows on either side.
    """
    features = case.schema.features
    marked = [i for i, feature in enumerate(features) if feature.protected] or list(range(len(features)))
    for i in sorted(marked, key=lambda i: (len(features[i].levels) != 2, features[i].is_categorical, i)):
        column = case.train.rows[:, i]
        if len(np.unique(column[~np.isnan(column)])) > 1 and 0.1 <= (column <= default_cut(case, i)).mean() <= 0.9:
            return features[i].name
    raise AttackError(
        "the attack needs a column that puts at least a tenth of the rows on either side, and none of "
        f"{', '.join(features[i].name for i in marked)} does; name another one with protected=..."
    )


def default_cut(case: Dataset, column: int) -> float:
    """Return the largest value of the lower quarter of a number, or the code that splits levels most evenly."""
    known = case.schema.features[column].numbers(case.train.rows[:, column])
    known = known[~np.isnan(known)]
    cuts = np.unique(known)[:-1]
    if not len(cuts):
        name = case.schema.names[column]
        raise AttackError(f"column {name!r} must take at least 2 values in the training rows; choose another one")
    aim = 0.5 if case.schema.features[column].is_categorical else 0.25
    return float(cuts[np.argmin([abs((known <= cut).mean() - aim) for cut in cuts])])
