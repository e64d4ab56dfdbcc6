"""How a schema says which rows are tested on: "random", "time:issued", "group:customer", "column:part"."""

from __future__ import annotations

from typing import NamedTuple

from dlx.errors import DlxError, did_you_mean, quoted

RANDOM, TIME, GROUP, COLUMN = "random", "time", "group", "column"
KINDS = (RANDOM, TIME, GROUP, COLUMN)


class SplitRule(NamedTuple):
    """By what rows become train, validation and test; the column where it goes by one."""

    kind: str
    column: str = ""


def split_rule(text: str, refused: type[DlxError]) -> SplitRule:
    """Return the rule that a text says, or raise."""
    kind, _, column = text.partition(":")
    if kind not in KINDS or (kind == RANDOM) == bool(column):
        near = did_you_mean(kind, KINDS)
        raise refused(f"a split must be random, time:COLUMN, group:COLUMN or column:COLUMN, got {quoted(text)}{near}")
    return SplitRule(kind, column)
