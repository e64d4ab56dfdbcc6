"""Columns of text as a file spells them, and what means missing in them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dlx.errors import listed, plural, quoted
from dlx.schema import SchemaError
from dlx.schema.cells import MARKS, numbers_in

if TYPE_CHECKING:
    import pandas as pd

BLOCK = 50_000  # lines


class Missing(NamedTuple):
    """Texts that mean missing in every column, and marks, in lower case, that do among numbers, dates and truth values."""

    texts: frozenset[str] = frozenset()
    marks: frozenset[str] = frozenset()

    @classmethod
    def of(cls, asked: Collection[str] | None) -> Missing:
        """Return the texts and marks for what was asked: None is the usual marks, an empty list the empty cell alone."""
        if asked is None:
            return cls(marks=MARKS)
        if isinstance(asked, str) or not all(isinstance(mark, str) for mark in asked):
            raise SchemaError(f"missing must be a list of texts, got {quoted(asked)}")
        own = frozenset(mark.strip() for mark in asked) - {""}
        return cls(own, MARKS if own else frozenset())


NOTHING = Missing()  # but the empty cell


@dataclass(frozen=True, eq=False)
class Cells:
    """A column of text as a file spells it: its different texts once, and which one each row has."""

    name: str
    texts: list[str]  # "" for an empty cell; in the order in which they occur first
    codes: np.ndarray  # the position of each row's text, [rows]
    missing: Missing = NOTHING

    @cached_property
    def counts(self) -> dict[str, int]:
        """How often each text occurs."""
        return dict(zip(self.texts, np.bincount(self.codes, minlength=len(self.texts)).tolist(), strict=True))

    @cached_property
    def numbers(self) -> np.ndarray:
        """The number that each text spells, float64 [texts]; NaN where it spells none."""
        return numbers_in(self.texts)

    @cached_property
    def unread(self) -> list[str]:
        """The texts that cannot be read as a number; "" is one, and each mark of missing."""
        return [self.texts[position] for position in np.flatnonzero(np.isnan(self.numbers))]

    @cached_property
    def blanks(self) -> set[str]:
        """The texts that mean missing in any column: empty ones, and those that were named."""
        among = self.texts if self.missing.texts else self.unread
        return {text for text in among if not text.strip() or text.strip() in self.missing.texts}

    @cached_property
    def marks(self) -> list[str]:
        """The other texts that are missing beside numbers, dates and truth values."""
        return [text for text in self.unread if text.strip().lower() in self.missing.marks and text not in self.blanks]

    @cached_property
    def levels(self) -> dict[str, int]:
        """How often each text occurs that is not missing in a column of words."""
        return {text: count for text, count in self.counts.items() if text not in self.blanks}

    @cached_property
    def values(self) -> dict[str, int]:
        """How often each text occurs that is not missing in a column of numbers."""
        return {text: count for text, count in self.levels.items() if text not in self.marks} if self.marks else self.levels

    @property
    def are_numbers(self) -> bool:
        """Whether all texts but the empty one spell numbers."""
        return not any(self.unread)

    def first(self, text: str) -> int:
        """Return the first row that holds a text."""
        return int((self.codes == self.texts.index(text)).argmax())

    def followed_by(self, other: Cells) -> Cells:
        """Return the column with the rows of another one after its own."""
        texts = list(dict.fromkeys([*self.texts, *other.texts]))
        place = {text: position for position, text in enumerate(texts)}
        theirs = np.array([place[text] for text in other.texts])[other.codes]
        return replace(self, texts=texts, codes=np.append(self.codes, theirs))

    def counted(self, texts: Iterable[str]) -> str:
        """Return texts with their counts and first rows: "'NA' in 2 rows, first in row 7"."""
        shown = list(texts)
        each = [f"{quoted(one)} in {plural(self.counts[one], 'row')}, first in row {self.first(one)}" for one in shown[:3]]
        return listed(each) + (f", and {len(shown) - 3:,} more" if len(shown) > 3 else "")

    def missing_notes(self, *, marks: bool) -> tuple[str, ...]:
        """Return the notes on texts that were taken for missing: those of `blanks`, and if wanted the `marks`."""
        taken = [[text for text in self.texts if text and text in self.blanks], self.marks if marks else []]
        return tuple(f"missing: {self.counted(texts)}" for texts in taken if texts)

    def words(self, gone: Collection[str]) -> pd.Series:
        """Return the texts as a column of pandas, NaN where they mean missing."""
        import pandas as pd

        spelled = pd.array([np.nan if text in gone else text for text in self.texts], dtype="str")
        return pd.Series(spelled.take(self.codes), name=self.name)

    def of_texts(self, values: Any, dtype: type) -> pd.Series:
        """Return a column of pandas from the value of each text."""
        import pandas as pd

        return pd.Series(np.asarray(values, dtype=dtype)[self.codes], name=self.name)


class Opened(NamedTuple):
    """A file before its columns are decided."""

    cells: list[Cells]  # of a text
    table: pd.DataFrame | None = None  # of a typed file
    said: tuple[str, ...] = ()  # what was recognised of it: "separated by semicolons"
    delimiter: str = ""

    @property
    def names(self) -> list[str]:
        """The names of the columns."""
        return [cells.name for cells in self.cells] if self.table is None else list(self.table.columns)

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(self.cells[0].codes) if self.table is None else len(self.table)

    def followed_by(self, other: Opened) -> Opened:
        """Return the rows of two files, whose columns must have the same names."""
        import pandas as pd

        apart = [name for name in self.names if name not in other.names] or [n for n in other.names if n not in self.names]
        if apart or (self.table is None) != (other.table is None):
            why = f"only one of them has the column {apart[0]!r}" if apart else "one is text, the other has types"
            raise SchemaError(f"the two files must be alike, but {why}; make them so")
        if self.table is not None:
            return self._replace(table=pd.concat([self.table, other.table], ignore_index=True))
        theirs = {cells.name: cells for cells in other.cells}
        return self._replace(cells=[cells.followed_by(theirs[cells.name]) for cells in self.cells])


def columns_of(lines: Iterator[list[str]]) -> list[tuple[list[str], np.ndarray]]:
    """Return the different texts of each column, and which one each line has."""
    import pyarrow as pa

    blocks: list[list[pa.Array]] = []
    while block := list(islice(lines, BLOCK)):
        blocks.append([pa.array(cells, pa.large_string()) for cells in zip(*block, strict=True)])
    made = (pa.chunked_array(column).combine_chunks().dictionary_encode() for column in zip(*blocks, strict=True))
    return [(one.dictionary.to_pylist(), one.indices.to_numpy()) for one in made]


def named(header: list[str], columns: list[tuple[list[str], np.ndarray]]) -> tuple[list[Cells], list[str]]:
    """Return columns under the names of a header, and what was done to these."""
    names = [name.strip() or f"Unnamed: {i}" for i, name in enumerate(header)]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise SchemaError(f"columns of the same name: {listed(repeated)}; rename them")
    blanks = [name for name in header if name != name.strip() and name.strip()]
    said = [f"blanks around names left out: {', '.join(map(quoted, blanks))}"] if blanks else []
    return [Cells(name, *column) for name, column in zip(names, columns, strict=True)], said
