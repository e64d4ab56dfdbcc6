"""What is explained at a time: a range of the rows of a Parquet file, read and coded without the rest of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dlx.dataset import Dataset, from_frame
from dlx.errors import DlxError, one_line, plural
from dlx.schema import Feature, Schema, SchemaError
from dlx.schema.frames import of_arrow

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

CONVERT = "pyarrow.dataset.write_dataset(pyarrow.dataset.dataset('FOLDER', format='csv'), 'OTHER', format='parquet')"
READ_ROWS = 16_384  # that are decoded at a time


@dataclass(frozen=True)
class Fragment:
    """Some rows of a Parquet file, from `start` up to `stop`; `source` is its name within the folder."""

    path: Path
    source: str
    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start

    def read(self) -> pd.DataFrame:
        """Return the rows, named by their number in the file."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        with pq.ParquetFile(self.path) as file:
            sizes = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
            ends = np.cumsum(sizes)
            groups = np.flatnonzero((ends > self.start) & (ends - sizes < self.stop)).tolist()
            position, parts = int(ends[groups[0]] - sizes[groups[0]]), []
            for batch in file.iter_batches(READ_ROWS, row_groups=groups):
                first, last = max(self.start - position, 0), min(self.stop - position, len(batch))
                parts += [batch[first:last]] if first < last else []
                position += len(batch)
                if position >= self.stop:
                    break
        table = of_arrow(pa.Table.from_batches(parts), keep_whole=True)
        return table.set_axis(np.arange(self.start, self.stop), axis=0)


def fragments_of(people: Path, rows: int) -> list[Fragment]:
    """Return the fragments of a Parquet file, or of those in a folder, each of at most so many rows."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    files = sorted(people.rglob("*.parquet")) if people.is_dir() else [people]
    if not files and any(people.rglob("*.csv")):
        raise DlxError(f"{people} holds .csv files, and rows are read from .parquet ones in fragments; convert them: {CONVERT}")
    found = []
    for path in files:
        if path.name.startswith((".", "_")):
            continue
        try:
            count = pq.read_metadata(path).num_rows
        except (OSError, pa.ArrowException) as error:
            raise DlxError(f"{path} cannot be read as a Parquet file: {one_line(error)}; mend it, or take it away") from error
        source = path.relative_to(people).as_posix() if people.is_dir() else path.name
        found += [Fragment(path, source, start, min(start + rows, count)) for start in range(0, count, rows)]
    if not found:
        raise DlxError(f"{people} holds no rows: pass a Parquet file, or a folder of them")
    return found


def drift(fragments: Sequence[Fragment], schema: Schema) -> list[str]:
    """Return in which files the columns of the schema are not as in the first file: they lack one, or have another type."""
    import pyarrow.parquet as pq

    types: dict[str, pa.DataType] = {}
    said = []
    for source, path in {one.source: one.path for one in fragments}.items():
        columns = {field.name: field.type for field in pq.read_schema(path)}
        lacking = [name for name in schema.names if name not in columns]
        other = [
            f"{n} is {columns[n]}, not {types[n]}"
            for n in schema.names
            if n in columns and types.get(n, columns[n]) != columns[n]
        ]
        types = {name: kind for name, kind in columns.items() if name in schema.names} | types
        if lacking or other:
            said.append(f"{source}: {'; '.join([*(f'lacks {name}' for name in lacking), *other])}")
    return said


def people_of(fragment: Fragment, schema: Schema) -> tuple[Dataset | None, dict[int, str]]:
    """Return the rows that fit a schema, None where none does, and why the others do not, by their number in the file."""
    import pyarrow as pa

    try:
        table = fragment.read()
    except FileNotFoundError as error:
        raise DlxError(f"there is no file {fragment.path}; people must lie where every machine sees them") from error
    except (OSError, pa.ArrowException) as error:
        return None, dict.fromkeys(range(fragment.start, fragment.stop), f"the file cannot be read there: {one_line(error)}")
    return fitting(table, schema)


def fitting(table: pd.DataFrame, schema: Schema) -> tuple[Dataset | None, dict[int, str]]:
    """Return the rows of a table that fit a schema, None where none does, and why the others do not, by their names.

    The names of the rows, `table.index`, are numbers; no two are the same.
    """
    import pandas as pd

    refused: dict[int, str] = {}
    if lacking := [name for name in schema.names if name not in table.columns]:
        refused = dict.fromkeys(table.index.tolist(), f"the file lacks {plural(len(lacking), 'column')}: {', '.join(lacking)}")
    for feature in schema.features if not refused else ():
        column = table[feature.name]
        for first, value, why in _misfits(feature, column):
            has_it = (column.isna() if pd.isna(value) else column == value).to_numpy(dtype=bool)
            for row in table.index[has_it].tolist():
                refused.setdefault(row, why.replace(f"row {first}", f"row {row}"))
    kept = table.drop(index=list(refused), columns=[name for name in [schema.target.name] if name in table.columns])
    return (from_frame(kept, schema) if len(kept) else None), dict(sorted(refused.items()))


def _misfits(feature: Feature, column: pd.Series) -> Iterator[tuple[int, Any, str]]:
    """Yield the values of a column that are none of the feature's: the first row, the value, the reason; found by halving."""
    waiting = [column.drop_duplicates()]
    while waiting:
        some = waiting.pop()
        try:
            feature.encode(some)
        except SchemaError as error:
            if len(some) == 1:
                yield some.index[0], some.iloc[0], str(error)
            else:
                waiting += [some.iloc[len(some) // 2 :], some.iloc[: len(some) // 2]]
