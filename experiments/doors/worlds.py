"""People as a user of a library holds them: typed columns in a DataFrame, outcomes in the user's own words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np
import pandas as pd

ROWS, MANY_ROWS = 400, 3_000
SEEN = 0.75  # share of the rows that an estimator is fitted on; the others are new to it
LABELS = (("good", "bad"), ("no", "yes"), ("b", "a"), (0, 1), (1, 2), (-1, 1), (False, True), ("0", "1"), (2.0, 1.0))
CLASSES = (("low", "middle", "high"), (0, 1, 2), (3, 1, 2), ("a", "b", "c", "d"))
SIZES = (1e-6, 1.0, 1e3, 1e9)
LEVELS, MANY_LEVELS = (2, 3, 5, 10, 40), (100, 300, 1_000)


@dataclass(frozen=True)
class World:
    """A table as a user holds it.

    Parameters
    ----------
    frame : DataFrame [rows, features]
        What the estimator reads.
    outcome : ndarray [rows]
        Labels, or values of a regression.
    labels : tuple
        The labels in the schema's order, the positive one last; empty for a regression.
    told : str
        Its columns in words.
    """

    frame: pd.DataFrame
    outcome: np.ndarray
    labels: tuple[Any, ...]
    told: str

    @property
    def seen(self) -> pd.DataFrame:
        """The rows that an estimator is fitted on."""
        return self.frame.iloc[: seen_of(len(self.frame))]

    @property
    def seen_outcome(self) -> np.ndarray:
        """Their outcomes."""
        return self.outcome[: seen_of(len(self.outcome))]

    @property
    def table(self) -> pd.DataFrame:
        """Rows and outcomes together, as a schema is inferred from."""
        return self.frame.assign(y=self.outcome)

    def mixed(self, count: int, seed: int) -> pd.DataFrame:
        """Return people as an explainer makes them: each column from anybody, [count, features]."""
        rng = np.random.default_rng(seed)
        columns = {name: self.frame[name].take(rng.integers(len(self.frame), size=count)).array for name in self.frame}
        return pd.DataFrame(columns)


def doubles(random: Random, rng: np.random.Generator, rows: int) -> pd.Series:
    """Return numbers that fill the digits of a double."""
    return pd.Series(rng.normal(size=rows) * random.choice((1, 1e-5, 1e6)))


def singles(random: Random, rng: np.random.Generator, rows: int) -> pd.Series:
    """Return numbers in float32."""
    return pd.Series(rng.normal(size=rows).astype(np.float32))


def cents(random: Random, rng: np.random.Generator, rows: int) -> pd.Series:
    """Return money."""
    return pd.Series(np.round(rng.lognormal(8, 1, rows), 2))


def seconds(random: Random, rng: np.random.Generator, rows: int) -> pd.Series:
    """Return times in seconds since 1970, whole or with fractions."""
    times = 1.7e9 + rng.integers(0, 3 * 10**6, rows)
    return pd.Series(times + rng.random(rows) * random.choice((0, 1)))


def counts(random: Random, rng: np.random.Generator, rows: int) -> pd.Series:
    """Return small whole numbers."""
    return pd.Series(rng.integers(0, random.choice((4, 30, 10**6)), rows))


def flags(random: Random, rng: np.random.Generator, rows: int) -> pd.Series:
    """Return True and False."""
    return pd.Series(rng.random(rows) < 0.4)


def gappy(random: Random, rng: np.random.Generator, rows: int) -> pd.Series:
    """Return doubles some of which are missing."""
    column = doubles(random, rng, rows)
    return column.mask(rng.random(rows) < 0.2)


def texts(random: Random, rng: np.random.Generator, rows: int) -> pd.Series:
    """Return levels as text."""
    many = random.choice(LEVELS[:4])
    return pd.Series([f"level {i}" for i in _every(many, rng, rows)])


def categories(random: Random, rng: np.random.Generator, rows: int) -> pd.Series:
    """Return pandas categories, few or many, whose order is not that of the alphabet; of text or of integers."""
    many = random.choice(MANY_LEVELS if rows == MANY_ROWS else LEVELS)
    names: list[Any] = [f"c{i}" for i in range(many)] if random.random() < 0.7 else [3 * i + 1 for i in range(many)]
    random.shuffle(names)
    return pd.Series(pd.Categorical.from_codes(_every(many, rng, rows), names))


def coded(random: Random, rng: np.random.Generator, rows: int) -> pd.Series:
    """Return codes of a category as integers: 1 to 4, say."""
    return pd.Series(_every(random.choice(LEVELS[1:4]), rng, rows) + random.choice((0, 1, 10)))


NUMBERS = (doubles, singles, cents, seconds, counts, gappy)
COMPLETE = (doubles, singles, cents, seconds, counts)
ANY = (*NUMBERS, flags, texts, categories, coded)
Maker = Callable[[Random, np.random.Generator, int], pd.Series]


def world(
    random: Random, makers: tuple[Maker, ...], *, kind: str = "binary", most: int = 5, labels: tuple[tuple[Any, ...], ...] = ()
) -> World:
    """Return people with columns of some of the kinds, and an outcome that follows from them and chance."""
    rng = np.random.default_rng(random.getrandbits(32))
    chosen = [random.choice(makers) for _ in range(random.randint(2, most))]
    rows = MANY_ROWS if categories in chosen and random.random() < 0.3 else ROWS
    columns = {f"{make.__name__}{i}": make(random, rng, rows) for i, make in enumerate(chosen)}
    frame = pd.DataFrame(columns)
    score = sum(_effect(frame[name], rng) for name in frame) + rng.normal(scale=0.5, size=rows)
    told = ", ".join(f"{frame[name].dtype}" + f" of {frame[name].nunique()}" * _is_grouped(frame[name]) for name in frame)
    return World(frame, *_outcome(score, kind, random, labels), told)


def seen_of(rows: int) -> int:
    """Return how many of the rows an estimator is fitted on."""
    return int(rows * SEEN)


def _every(many: int, rng: np.random.Generator, rows: int) -> np.ndarray:
    """Return codes [rows] below a number, each of them among the rows that are fitted."""
    seen = seen_of(rows)
    codes = rng.integers(many, size=rows)
    codes[rng.permutation(seen)[:many]] = np.arange(many)
    return codes


def _is_grouped(column: pd.Series) -> bool:
    return not pd.api.types.is_float_dtype(column)


def _effect(column: pd.Series, rng: np.random.Generator) -> np.ndarray:
    """Return what a column adds to the outcome [rows]: a step of its ranks, and an effect a level."""
    codes = column.astype("category").cat.codes.to_numpy()
    if column.nunique() <= 10:
        return rng.normal(size=codes.max() + 2)[codes]
    if _is_grouped(column) and not pd.api.types.is_numeric_dtype(column):
        return rng.normal(size=codes.max() + 2)[codes]
    ranks = codes / max(1, codes.max()) - 0.5
    return np.where(ranks > rng.normal(scale=0.2), 1.0, -1.0) + ranks


def _outcome(
    score: np.ndarray, kind: str, random: Random, choice: tuple[tuple[Any, ...], ...]
) -> tuple[np.ndarray, tuple[Any, ...]]:
    if kind == "regression":
        return score * random.choice(SIZES), ()
    labels = random.choice(choice or (LABELS if kind == "binary" else CLASSES))
    cuts = np.quantile(score, np.linspace(0, 1, len(labels) + 1)[1:-1])
    return np.array(labels)[np.searchsorted(cuts, score)], labels
