"""What a data check returns: findings, each with its columns, an example, and the line that acts on it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from dlx.data_check.rules import RULES, Rule
from dlx.errors import listed, plural
from dlx.reading import Reading

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Finding:
    """Something about a table that a person should know, or must decide.

    Parameters
    ----------
    kind : str
        One of `dlx.data_check.RULES`: "leak".
    columns : tuple of str
        The columns that it is about; none where it is about rows.
    said : str
        What was found, a sentence.
    remedy : str
        The line to put into the schema, or the words for the command line.
    count : int
        How many rows have it.
    row, value : Any, str
        The name of a row that has it, and what stands there.
    measure : float
        The number that is read against the line of its rule.
    must_decide : bool
        Whether a person must decide: dlx cannot know which of two answers is right, and pages differ by them.
    accepted : str
        Why a person decided that it is no fault, as the schema says; empty where nobody did.
    """

    kind: str
    columns: tuple[str, ...]
    said: str
    remedy: str
    count: int
    row: Any = ""
    value: str = ""
    measure: float = float("nan")
    must_decide: bool = False
    accepted: str = ""

    @property
    def key(self) -> str:
        """What a schema calls it under `[accepted]`: its kind and its columns."""
        return f"{self.kind}: {', '.join(self.columns)}" if self.columns else self.kind

    @property
    def to_accept(self) -> str:
        """The line that accepts it, under `[accepted]` at the end of the schema; empty where nothing is to decide."""
        return f'{json.dumps(self.key, ensure_ascii=False)} = "the reason"' if self.must_decide else ""

    @property
    def rule(self) -> Rule:
        """The rule by which it was found: what was measured, its line, and the reason for this."""
        return RULES[self.kind]

    def __str__(self) -> str:
        accepted = f" Accepted: {self.accepted}" if self.accepted else ""
        to_accept = f"; to accept it, under [accepted] in the schema: {self.to_accept}" if self.must_decide else ""
        return f"{self.rule.title}: {self.said} {self.remedy}{to_accept}{accepted}"


@dataclass(frozen=True, repr=False)
class DataCheck:
    """What was found in a table: first what a person must decide; and what a schema accepts that was not found."""

    findings: tuple[Finding, ...]
    reading: Reading
    not_found: tuple[str, ...] = ()  # a sentence each

    def __repr__(self) -> str:
        return f"DataCheck({plural(len(self), 'finding')}, {len(self.to_decide)} to decide: {listed(self.kinds, 8)})"

    def __str__(self) -> str:
        return "\n".join([str(self.reading), *map(str, self.findings), *self.not_found])

    def __iter__(self) -> Iterator[Finding]:
        return iter(self.findings)

    def __len__(self) -> int:
        return len(self.findings)

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of the findings, each once."""
        return tuple(dict.fromkeys(finding.kind for finding in self.findings))

    @property
    def to_decide(self) -> tuple[Finding, ...]:
        """The findings that a person must decide."""
        return tuple(finding for finding in self.findings if finding.must_decide)

    @property
    def summary(self) -> str:
        """The table in a line, and how much there is to decide and to know."""
        accepted = sum(bool(one.accepted) for one in self)
        known = len(self) - len(self.to_decide) - accepted
        more = f", {accepted:,} accepted" if accepted else ""
        return f"{self.reading.summary}; {plural(len(self.to_decide), 'finding')} to decide, {known:,} to know{more}"

    def to_frame(self) -> pd.DataFrame:
        """Return a line a finding, with the columns of `Finding`."""
        import pandas as pd

        names = list(Finding.__dataclass_fields__)
        lines = [asdict(one) | {"columns": ", ".join(one.columns), "row": str(one.row)} for one in self.findings]
        return pd.DataFrame(lines, columns=names)
