"""The parts of a table: which rows are trained on, which stop the training, and which are tested on; by the schema's split.

- random: drawn by the seed, each outcome in the same share, of values each tenth by their size; rows that are copies of each
  other go together, except where the columns have so few values that there must be copies.
- time: the latest fifth is tested on, the fifth before stops the training; rows of one time stay together.
- group: no group is in two parts; of 20 draws by the seed the one whose shares of rows and outcomes are nearest to a fifth.
- column: what the column says; validation rows are drawn at random from the training rows where it names none.

A test file of its own is the test part, with copies of its rows elsewhere; validation rows are then taken from the others by
the same rule.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from dlx.errors import did_you_mean, listed, plural, quoted
from dlx.schema import SchemaError, level_text
from dlx.schema.dates import date_text, days_of, formats_of
from dlx.schema.dtypes import restored
from dlx.schema.inference import holds_numbers
from dlx.schema.table import COLUMN, GROUP, RANDOM, TIME

if TYPE_CHECKING:
    import pandas as pd

    from dlx.dataset.rows import Dataset

TRAIN, VALIDATION, TEST = 0, 1, 2
PARTS = ("train", "validation", "test")
BY_OUTCOME = "at random, by outcome"  # how rows are split, in words
USED = (100_000, 20_000, 20_000)  # the most rows of each part that models and reports read,
ENOUGH_OUTCOMES = 5_000  # or as many as hold so many of the rarest outcome
SHARE = 0.2  # of all rows, of validation and of test
DRAWS = 20  # of groups
SPELLINGS = (("train", "training", "fit"), ("validation", "valid", "val"), ("test", "testing", "holdout", "oot"))


def parts_of(case: Dataset, seed: int) -> np.ndarray:
    """Return the part of each row, a position in `PARTS`, int [rows]; raise where a part would be empty or lack an outcome."""
    kind = case.schema.split_rule.kind
    if case.outcomes is None:
        raise SchemaError(f"{case.name!r} has no outcomes; a split needs them")
    keys, parts = keys_of(case), np.zeros(len(case), dtype=int)
    if kind == COLUMN:
        parts = keys.astype(int)
        kind = RANDOM  # for what the column does not say
    if case.held_out is not None:
        if (parts == TEST).any():
            raise SchemaError(f"{case.schema.split!r} and a test file both name the test rows; leave out one of the two")
        parts[np.isin(case.first_copies, case.first_copies[case.held_out])] = TEST
        if (parts == TEST).all():
            raise SchemaError(
                "every row is in the test file too, so that none is left to learn from; pass a file of other rows"
            )
    rest, share = np.flatnonzero(parts == TRAIN), SHARE
    for part in (TEST, VALIDATION):
        if not (parts == part).any():
            rest, chosen = _parted(case, kind, keys, rest, share, seed)
            parts[chosen] = part
        share = SHARE / (1 - SHARE)
    if case.schema.split != RANDOM or case.held_out is not None:
        _refuse_unfit(case, keys, parts)
    return parts


def rows_used(rows: Dataset, part: int) -> np.ndarray:
    """Return the positions of the rows of a part that are read: all, or of more than `USED` a draw that has about so many.

    Where that would hold fewer than 5,000 rows of the rarest outcome, it has as many rows as hold these.
    """
    assert rows.outcomes is not None
    is_value = rows.schema.target.kind == "regression"
    rarest = len(rows) if is_value else np.unique(rows.outcomes, return_counts=True)[1].min(initial=len(rows))
    most = max(USED[part], -(-ENOUGH_OUTCOMES * len(rows) // max(1, rarest)))
    return np.sort(np.random.default_rng(0).permutation(len(rows))[:most]) if most < len(rows) else np.arange(len(rows))


def keys_of(case: Dataset) -> np.ndarray:
    """Return what a split goes by, float [rows]: numbers that rise with time, of groups, or parts; zeros for a random one."""
    kind, name = case.schema.split_rule
    if kind == RANDOM:
        return np.zeros(len(case))
    column = column_of(case, name)
    if column.isna().any():
        row = column.index[int(column.isna().to_numpy().argmax())]
        raise SchemaError(
            f"the split goes by {name!r}, which is missing in {plural(int(column.isna().sum()), 'row')}, first in row {row}; "
            "fill it in, or leave these rows out"
        )
    if kind == GROUP:
        return column.factorize()[0].astype(np.float64)
    return _times(column) if kind == TIME else _named_parts(column)


def column_of(case: Dataset, name: str) -> pd.Series:
    """Return a column of a table, be it a feature or none, under the names of its rows."""
    import pandas as pd

    if case.table is not None and name in case.table.columns:
        return case.table[name]
    if name in case.extra:
        return pd.Series(case.extra[name], index=case.index)
    if name not in case.schema.names:
        known = [*case.schema.columns, *case.extra]
        raise SchemaError(f"the split goes by {name!r}, which is no column; it has {listed(known)}{did_you_mean(name, known)}")
    position = case.schema.position(name)
    return pd.Series(restored(case.schema.features[position], case.rows[:, position]), index=case.index)


def first_copies(case: Dataset) -> np.ndarray:
    """Return the position of the first row that is the same in all features and the outcome, for each row, int [rows].

    Rows as they were shipped, and those whose columns have no room for as many different ones, stand for themselves.
    """
    import pandas as pd

    own = np.arange(len(case))
    held = pd.DataFrame(case.rows).assign(outcome=case.outcomes)
    is_shipped = bool(case.card.sha256) and not case.source
    if is_shipped or not held.duplicated().any():
        return own
    if sum(np.log(held[name].nunique(dropna=False)) for name in held) <= np.log(len(case)):
        return own
    kind = held.groupby(list(held.columns), dropna=False, sort=False).ngroup().to_numpy()
    return np.unique(kind, return_index=True)[1][kind]


def split_words(case: Dataset) -> str:
    """Return how a table is split, as a sentence goes on: "at random, by outcome"."""
    kind, name = case.schema.split_rule
    if kind == TIME:
        keys, column = keys_of(case), column_of(case, name)
        parts = parts_of(case, 0)
        first = [int(np.where(parts == part, keys, np.inf).argmin()) for part in (VALIDATION, TEST)]
        is_moment = hasattr(column, "dt")
        since = [date_text(keys[row]) if is_moment else level_text(column.iloc[row]) for row in first]
        words = f"by {name}: rows from {since[0]} on stop the training"
        words += f", those from {since[1]} on are tested on" if case.held_out is None else ""
    elif kind == GROUP:
        words = f"by {name}, of which none is in two parts"
    else:
        words = f"as {name} says" if kind == COLUMN else BY_OUTCOME
    if case.held_out is None:
        return words
    copies = int((parts_of(case, 0) == TEST).sum() - case.held_out.sum())
    return f"{words}, beside a test file of its own{f' and {copies:,} copies of its rows' if copies else ''}"


def _parted(
    case: Dataset, kind: str, keys: np.ndarray, some: np.ndarray, share: float, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the positions of some rows in two parts: the rest, and a share of them by a rule."""
    if kind == RANDOM:
        return _at_random(case, some, share, seed)
    different = np.unique(keys[some])
    if len(different) < 2:
        raise SchemaError(
            f"{case.name!r} cannot be split by {case.schema.split_rule.column!r}, which has too few {kind}s; "
            "it needs one for each of train, validation and test"
        )
    chosen = _latest(keys[some], share) if kind == TIME else _groups(case, keys[some], some, share, seed)
    return some[~chosen], some[chosen]


def _at_random(case: Dataset, some: np.ndarray, share: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    assert case.outcomes is not None
    first = case.first_copies
    own, copies = some[first[some] == some], some[first[some] != some]
    is_value = case.schema.target.kind == "regression"
    strata = tenths(case.outcomes[own]) if is_value else case.outcomes[own]
    drawn = drawn_by_strata(strata, share, seed)
    if drawn is None:
        found = plural(len(some), "row")
        if not is_value:
            codes, counts = np.unique(case.outcomes[some], return_counts=True)
            rarest = case.schema.target.levels[int(codes[counts.argmin()])]
            found += f", of which {counts.min():,} with the outcome {rarest!r}"
        raise SchemaError(
            f"{case.name!r} cannot be split into train, validation and test, got {found}; pass a table with more of them"
        )
    rest, chosen = own[drawn[0]], own[drawn[1]]
    go_along = np.isin(first[copies], chosen)
    return np.append(rest, copies[~go_along]), np.append(chosen, copies[go_along])


def tenths(values: np.ndarray) -> np.ndarray:
    """Return which tenth of the rows by size each value is in, [rows]; fewer parts of few rows, of ten at least."""
    count = int(np.clip(len(values) // 10, 1, 10))
    return values.argsort(kind="stable").argsort() * count // max(1, len(values))


def _latest(times: np.ndarray, share: float) -> np.ndarray:
    """Return which rows are the latest, about a share of them, bool [rows]; all rows of one time are, or none."""
    different, counts = np.unique(times, return_counts=True)
    from_there_on = counts[::-1].cumsum()[::-1][1:]
    return times >= different[1:][np.abs(from_there_on - share * len(times)).argmin()]


def _groups(case: Dataset, groups: np.ndarray, some: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Return which rows are of the groups that were drawn, bool [rows]: about a share of all, and of each outcome."""
    assert case.outcomes is not None
    is_value = case.schema.target.kind == "regression"
    kinds = np.zeros(len(some), dtype=int) if is_value else np.unique(case.outcomes[some], return_inverse=True)[1]

    def unevenness(chosen: np.ndarray) -> float:
        return float(np.abs(np.bincount(kinds[chosen], minlength=kinds.max() + 1) / np.bincount(kinds) - share).max())

    return min(drawn_groups(groups, share, seed, DRAWS), key=unevenness)


def _times(column: pd.Series) -> np.ndarray:
    """Return numbers that rise with time, [rows]: numbers as they are, days of what is a date."""
    if holds_numbers(column):
        return column.to_numpy(dtype=np.float64)
    if hasattr(column, "dt") and not hasattr(column, "cat"):
        return days_of(column) if hasattr(column.dt, "tz") else column.dt.to_timestamp().pipe(days_of)
    texts = column.astype(str).str.strip().unique()
    found = formats_of(texts)
    if len(found) != 1:
        why = f"which may be read as {' or '.join(found[:2])}" if found else f"whose {quoted(texts[0])} is no date that is read"
        raise SchemaError(f"the split goes by the time {column.name!r}, {why}; write dates as 2023-01-31, or times as numbers")
    return days_of(column, found[0])


def _named_parts(column: pd.Series) -> np.ndarray:
    """Return the part that each cell names, [rows]."""
    meant = {spelling: part for part, spellings in enumerate(SPELLINGS) for spelling in spellings}
    parts = column.map(lambda cell: meant.get(str(cell).strip().casefold(), np.nan)).to_numpy(dtype=np.float64)
    if (is_odd := np.isnan(parts)).any():
        row = int(is_odd.argmax())
        raise SchemaError(
            f"the split goes by {column.name!r}, which says {quoted(column.iloc[row])} in row {column.index[row]}; "
            f"it must say {', '.join(PARTS[:2])} or {PARTS[2]}"
        )
    return parts


def _refuse_unfit(case: Dataset, keys: np.ndarray, parts: np.ndarray) -> None:
    """Raise if a part has no rows, or none of an outcome, or shares a group with another part."""
    import pandas as pd

    assert case.outcomes is not None
    rule, outcomes = case.schema.split_rule, case.outcomes
    levels = () if case.schema.target.kind == "regression" else case.schema.target.levels
    for part, name in enumerate(PARTS):
        held = outcomes[parts == part]
        lacking = [level for code, level in enumerate(levels) if (outcomes == code).any() and not (held == code).any()]
        if not len(held) or lacking:
            what = f"no rows with the outcome {lacking[0]!r}" if len(held) else "no rows"
            raise SchemaError(
                f"{case.name!r} cannot be split by {case.schema.split!r}: of {plural(len(held), 'row')}, {name} has {what}; "
                "split it otherwise, or pass a table with more of them"
            )
    if rule.kind == GROUP:
        several = pd.Series(parts).groupby(keys).nunique()
        if (several > 1).any():
            group = column_of(case, rule.column).iloc[int((keys == several.idxmax()).argmax())]
            raise SchemaError(
                f"the {rule.column} {quoted(group)} is in the test file too, and no group may be on both sides; leave its rows "
                "out of one of the two files"
            )


# Rows drawn at random as scikit-learn's `train_test_split` and `GroupShuffleSplit` draw them, which take a second to import


def drawn_by_strata(strata: np.ndarray, share: float, seed: int) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the positions of the rest and of a share of all rows, of each stratum as many; None where a stratum is too small.

    Parameters
    ----------
    strata : ndarray [rows]
        Rows of one value are a stratum.
    share : float
        Of the rows that are drawn.
    seed : int
        Of the draw.
    """
    _, which, counts = np.unique(strata, return_inverse=True, return_counts=True)
    wanted = int(np.ceil(share * len(strata)))
    left = len(strata) - wanted
    if counts.min(initial=2) < 2 or min(wanted, left) < max(1, len(counts)):
        return None
    rng = np.random.RandomState(seed)
    rests = _shares(counts, left, rng)
    draws = _shares(counts - rests, wanted, rng)
    shuffled = [
        positions.take(rng.permutation(len(positions)))
        for positions in np.split(which.argsort(kind="stable"), counts.cumsum()[:-1])
    ]
    rest = [positions[:count] for positions, count in zip(shuffled, rests, strict=True)]
    drawn = [positions[a : a + b] for positions, a, b in zip(shuffled, rests, draws, strict=True)]
    return rng.permutation(np.concatenate(rest)), rng.permutation(np.concatenate(drawn))


def _shares(counts: np.ndarray, wanted: int, rng: np.random.RandomState) -> np.ndarray:
    """Return how many to take of each stratum, in proportion; what rounding leaves goes to the largest remainders."""
    exact = counts / counts.sum() * wanted
    taken = np.floor(exact)
    lacking = int(wanted - taken.sum())
    for remainder in np.unique(exact - taken)[::-1]:
        if not lacking:
            break
        tied = np.flatnonzero(exact - np.floor(exact) == remainder)
        chosen = rng.choice(tied, size=min(len(tied), lacking), replace=False)
        taken[chosen] += 1
        lacking -= len(chosen)
    return taken.astype(int)


def drawn_groups(groups: np.ndarray, share: float, seed: int, draws: int) -> Iterator[np.ndarray]:
    """Yield which rows are of the groups that were drawn, bool [rows]: a share of all groups, each time anew."""
    rng, (different, of) = np.random.RandomState(seed), np.unique(groups, return_inverse=True)
    for _ in range(draws):
        yield np.isin(of, rng.permutation(len(different))[: int(np.ceil(share * len(different)))])
