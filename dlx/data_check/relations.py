"""Findings about columns together: copies, and what tells the outcome alone or in pairs."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

import numpy as np

from dlx.data_check.columns import example
from dlx.data_check.finding import Finding
from dlx.data_check.pairs import leaking_pairs
from dlx.data_check.rules import RULES
from dlx.dataset import Dataset
from dlx.errors import quoted
from dlx.redundancy import Copy, copies, leaks
from dlx.schema import Schema

MOST_ROWS = 5_000  # of more, evenly
MOST_CELLS, FEW_ROWS = 200_000, 1_000  # that copies are looked for in, of fewer columns and of many


def columns_alike(case: Dataset, rows: np.ndarray) -> Iterator[Finding]:
    """Yield pairs of columns that say the same, in rows whose special codes and far cells are NaN."""
    some = max(FEW_ROWS, MOST_CELLS // len(case.schema))
    for copy in copies(case.schema, rows[:: -(-len(rows) // some)]):
        if not copy.is_correlation and not _alike_where_known(case.schema, rows, copy):
            continue
        kind = "copy" if abs(copy.strength) >= RULES["copy"].line else "near copy"
        how = f"r = {copy.strength:.3f}" if copy.is_correlation else f"{copy.strength:.1%} of it follows"
        both = (rows[:, case.schema.position(name)] for name in (copy.one, copy.other))
        said = f"{quoted(copy.other)} says {'' if kind == 'copy' else 'nearly '}the same as {quoted(copy.one)} ({how})."
        remedy = f"Explanations may credit either: --drop {shlex.quote(copy.other)}"
        count = int(np.logical_and(*(~np.isnan(column) for column in both)).sum())
        asked = {"measure": abs(copy.strength), "must_decide": kind == "copy", **example(case, copy.other, 0)}
        yield Finding(kind, (copy.one, copy.other), said, remedy, count, **asked)


def _alike_where_known(schema: Schema, rows: np.ndarray, copy: Copy) -> bool:
    """Whether two columns say the same in rows in which both are known: the gap of what only some are asked tells, too."""
    places = [schema.position(copy.one), schema.position(copy.other)]
    some = rows[:, places]
    known = ~np.isnan(some).any(axis=1)
    return bool(known.all() or copies(Schema(tuple(schema.features[i] for i in places), schema.target), some[known]))


def columns_that_leak(case: Dataset) -> Iterator[Finding]:
    """Yield columns that alone tell the outcome, and pairs that together do."""
    if case.outcomes is None:
        return
    some = np.linspace(0, len(case) - 1, min(len(case), MOST_ROWS)).astype(int)
    alone = leaks(case.schema, case.rows[some], case.outcomes[some])
    for leak in alone:
        said = f"{quoted(leak.name)} alone tells {quoted(case.schema.target.name)} ({leak.strength:.3f}): is it known before?"
        remedy = f"If not: --drop {shlex.quote(leak.name)}"
        yield Finding(
            "leak",
            (leak.name,),
            said,
            remedy,
            len(case),
            measure=leak.strength,
            must_decide=True,
            **example(case, leak.name, 0),
        )
    for pair in leaking_pairs(case, without={leak.name for leak in alone}):
        said = (
            f"{quoted(pair.one)} and {quoted(pair.other)} together, by {pair.how}, tell {quoted(case.schema.target.name)} "
            f"({pair.strength:.3f}), neither alone: are both known before?"
        )
        remedy = f"If not: --drop {shlex.quote(pair.one)}, or --drop {shlex.quote(pair.other)}"
        shown = {name: example(case, name, 0) for name in (pair.one, pair.other)}
        asked = {"row": shown[pair.one]["row"], "value": " and ".join(one["value"] for one in shown.values())}
        yield Finding(
            "leaking pair",
            (pair.one, pair.other),
            said,
            remedy,
            len(case),
            measure=pair.strength,
            must_decide=True,
            **asked,
        )
