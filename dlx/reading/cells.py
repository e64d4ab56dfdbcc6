"""A column of text as a file spells it: its different texts once, and which one each row has."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from dlx.errors import listed
from dlx.schema import plural
from dlx.schema.cells import plain_numbers, quoted

if TYPE_CHECKING:
    import pandas as pd

BLOCK = 50_000  # lines


@dataclass(frozen=True, eq=False)
class Cells:
    """A column of text.

    Parameters
    ----------
    name : str
        The column's name.
    texts : list of str
        The different texts, "" for an empty cell, in the order in which they occur first.
    codes : ndarray [rows]
        The position of each row's text.
    """

    name: str
    texts: list[str]
    codes: np.ndarray

    @cached_property
    def counts(self) -> dict[str, int]:
        """How often each text occurs."""
        return dict(zip(self.texts, np.bincount(self.codes, minlength=len(self.texts)).tolist(), strict=True))

    @cached_property
    def plain(self) -> np.ndarray | None:
        """The numbers of the texts that are not empty, if they are all digits and signs; else None."""
        return plain_numbers([text for text in self.texts if text])

    def counts_without(self, texts: Collection[str]) -> dict[str, int]:
        """Return how often each text occurs, without some."""
        if not texts:
            return self.counts
        left = set(texts)
        return {text: count for text, count in self.counts.items() if text not in left}

    def told(self, texts: Iterable[str]) -> str:
        """Return texts with their counts and first rows: "'NA' in 2 rows, first in row 7"."""
        shown = list(texts)
        each = [f"{quoted(one)} in {plural(self.counts[one], 'row')}, first in row {self.first(one)}" for one in shown[:3]]
        return listed(each) + (f", and {len(shown) - 3:,} more" if len(shown) > 3 else "")

    def first(self, text: str) -> int:
        """Return the first row that holds a text."""
        return int((self.codes == self.texts.index(text)).argmax())

    def of_texts(self, values: Mapping[str, float]) -> np.ndarray:
        """Return the number of each text; NaN where it has none."""
        return np.array([values.get(text, np.nan) for text in self.texts], dtype=np.float64)

    @cached_property
    def plain_of_texts(self) -> np.ndarray:
        """The number of each text where they are all digits and signs; NaN of the empty one."""
        numbers = np.full(len(self.texts), np.nan)
        numbers[[bool(text) for text in self.texts]] = self.plain
        return numbers

    def words(self, gone: Collection[str] = ()) -> pd.Series:
        """Return the texts as a column of pandas, NaN where they mean missing."""
        import pandas as pd

        spelled = pd.array([np.nan if text in gone else text for text in self.texts], dtype="str")
        return pd.Series(spelled.take(self.codes), name=self.name)


def columns_of(lines: Iterator[list[str]], width: int) -> list[tuple[list[str], np.ndarray]]:
    """Return the different texts of each column, and which one each line has."""
    import pyarrow as pa

    blocks: list[list[pa.Array]] = [[] for _ in range(width)]
    while block := list(islice(lines, BLOCK)):
        for column, cells in zip(blocks, zip(*block, strict=True), strict=True):
            column.append(pa.array(cells, pa.large_string()))
    made = (pa.chunked_array(column, pa.large_string()).combine_chunks().dictionary_encode() for column in blocks)
    return [(one.dictionary.to_pylist(), one.indices.to_numpy()) for one in made]
