"""check(): what in a table would spoil a model or a page, by the rules of `dlx.data_check.rules`."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from dlx.data_check.codes import Far, codes_of, far_cells, placeholders_of
from dlx.data_check.columns import cells_far_outside, columns_set_aside, levels_seen_once, special_codes
from dlx.data_check.finding import DataCheck
from dlx.data_check.moving import MOVING, cells_that_move
from dlx.data_check.relations import columns_alike, columns_that_leak
from dlx.data_check.rows import repeated_rows, shifted_columns, too_few_events
from dlx.data_check.rules import RULES
from dlx.dataset import Dataset, refuse_bare
from dlx.errors import did_you_mean, quoted
from dlx.model import Model, check_model
from dlx.reading import reading_of
from dlx.schema import SchemaError


def check(case: Dataset, *, models: Sequence[Model] = ()) -> DataCheck:
    """Return what in a table would spoil a model or a page, with what each column was taken for.

    Parameters
    ----------
    case : Dataset
        The table: of `dlx.read_table`, `dlx.load` or `dlx.dataset.from_frame`.
    models : sequence of Model
        Models of its columns: cells that alone move what one of them predicts are found, too.

    Returns
    -------
    DataCheck
        Findings, first what a person must decide; `print` shows them, `to_frame()` is a line a finding.

    Examples
    --------
    >>> import dlx
    >>> dlx.check(dlx.load("credit_default")).kinds
    ('near copy', 'far cell', 'level seen once')
    """
    refuse_bare(case, "what is checked")
    for model in models:
        check_model(model)
    case = case if case.table is not None else replace(case, table=case.frame)
    reading = case.reading if case.reading.columns else reading_of(case.schema, case.schema.columns, len(case))
    rows, codes, far = _without_odd_cells(case)
    parts = None
    with contextlib.suppress(SchemaError):  # too few rows to split
        parts = case.splits
    findings = [
        *columns_set_aside(case),
        *special_codes(case, codes),
        *cells_far_outside(case, far),
        *cells_that_move(case, models),
        *columns_that_leak(case),
        *columns_alike(case, rows),
        *repeated_rows(case, parts),
        *levels_seen_once(case),
        *too_few_events(case, parts),
        *(shifted_columns(case, parts.train, parts.test) if parts else ()),
    ]
    accepted, order = case.schema.accepted, list(RULES)
    findings = [replace(one, must_decide=False, accepted=why) if (why := accepted.get(one.key)) else one for one in findings]
    findings.sort(key=lambda one: (not one.must_decide, order.index(one.kind)))
    keys, gone = [one.key for one in findings], "The schema accepts {}, which is not found{}"
    looked_for = [key for key in accepted if key not in keys and (models or not key.startswith(f"{MOVING}:"))]
    said = (gone.format(quoted(key), did_you_mean(key, keys) or "; take it out of [accepted].") for key in looked_for)
    return DataCheck(tuple(findings), reading, tuple(said))


def _without_odd_cells(case: Dataset) -> tuple[np.ndarray, dict[str, list[float]], dict[str, list[Far]]]:
    """Return rows with NaN for what is no number, or a slip; and by column the special codes, and the cells far outside."""
    rows, codes, far = case.schema.numbers(case.rows).copy(), {}, {}
    for feature, column in zip(case.schema.features, rows.T, strict=True):
        if feature.is_categorical:
            continue
        if found := (placeholders_of if feature.date else codes_of)(column):
            codes[feature.name] = found
            column[np.isin(column, found)] = np.nan
        far[feature.name] = far_cells(column, line=RULES["far cell"].line, columns=len(case.schema))
        for cells in far[feature.name]:
            column[cells.rows] = np.nan
    return rows, codes, far
