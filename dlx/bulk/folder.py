"""The folder of a bulk explanation: a file of values and one that sums them up for each fragment, and a manifest of all."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dlx.bulk.fragments import Fragment
from dlx.errors import DlxError
from dlx.explanation import Explanation
from dlx.explanation_file import packed_as_parquet
from dlx.files import csv_text, parsed_json, write_atomically, write_together

if TYPE_CHECKING:
    import pyarrow.dataset as pad

MANIFEST = "manifest.json"
Entry = dict[str, Any]


def read(folder: str | Path) -> pad.Dataset:
    """Return the contributions in a folder that `dlx.bulk.explain` wrote, as a pyarrow Dataset that loads nothing yet.

    Its columns are `row`, the number of a row in its file; `contribution/<feature>`, `value/<feature>` (coded),
    `base_value`, `output`, and `source`, the file. Read some with
    ``read(folder).to_table(columns=["row", "contribution/age"], filter=...)``.

    Raises
    ------
    DlxError
        If the folder has no manifest, because the run did not come to its end: run it again, it goes on.
    """
    import pyarrow as pa
    import pyarrow.dataset as pad

    folder = Path(folder)
    path = folder / MANIFEST
    if not path.is_file():
        inside = sorted(str(one.parent) for one in folder.glob(f"*/{MANIFEST}"))
        remedy = f"read {' or '.join(inside[:3])} in it" if inside else "run it again"
        raise DlxError(f"{folder} has no {MANIFEST}: it is none of dlx.bulk.explain, or the run was stopped; {remedy}")
    files = [str(folder / one["file"]) for one in parsed_json(path.read_bytes())["fragments"] if one["rows"]]
    if not files:
        raise DlxError(f"{folder} holds no explained rows: all were refused, see its .csv files")
    sources = pad.partitioning(pa.schema([("source", pa.string())]), flavor="hive")
    return pad.dataset(files, format="parquet", partitioning=sources, partition_base_dir=str(folder))


def entry_written_before(folder: Path, stem: str) -> Entry | None:
    """Return the entry of a fragment that was explained before, where its values are what was written."""
    entry, values = folder / f"{stem}.json", folder / f"{stem}.parquet"
    if not entry.is_file():
        return None
    found = parsed_json(entry.read_bytes())
    if found["rows"] and not (values.is_file() and hashlib.sha256(values.read_bytes()).hexdigest() == found["sha256"]):
        return None
    return dict(found)


def write(folder: Path, stem: str, fragment: Fragment, made: Explanation | None, refused: Mapping[int, str]) -> Entry:
    """Write what a fragment gave, all of it or nothing, and return its entry."""
    import pandas as pd

    why = dict(refused)
    entry: Entry = {"source": fragment.source, "start": fragment.start, "stop": fragment.stop, "refused": len(refused)}
    entry |= {"file": f"{stem}.parquet", "rows": 0, "failed": 0, "sha256": ""}
    contents: dict[Path, bytes | str] = {}
    if made is not None:
        why |= {int(made.index[row]): reason for row, reason in made.failures.items()}
        contents[folder / f"{stem}.parquet"] = content = packed_as_parquet(made)
        sums = {"contributions": np.nansum(made.values, axis=0), "sizes": np.nansum(np.abs(made.values), axis=0)}
        entry |= {"rows": len(made), "failed": len(made.failures), "sha256": hashlib.sha256(content).hexdigest()}
        entry |= {"outputs": float(made.outputs.sum()), **{name: some.tolist() for name, some in sums.items()}}
    if why:
        table = pd.DataFrame({"row": sorted(why), "why": [why[row] for row in sorted(why)]})
        contents[folder / f"{stem}.csv"] = csv_text(table)
    write_together(contents | {folder / f"{stem}.json": json.dumps(entry)})
    return entry


def write_manifest(folder: Path, entries: Sequence[Entry], names: Sequence[str], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Write and return the manifest: the settings, a summary of all rows, and the entry of each fragment."""
    counts = {name: sum(one[name] for one in entries) for name in ("rows", "failed", "refused")}
    explained = counts["rows"] - counts["failed"]
    importance = np.sum([one["sizes"] for one in entries if one["rows"]], axis=0) / max(explained, 1)
    summary = counts | {"importance": dict(zip(names, np.atleast_1d(importance).tolist(), strict=False))}
    manifest = dict(settings) | {"summary": summary, "fragments": list(entries)}
    write_atomically(folder / MANIFEST, json.dumps(manifest, indent=1))
    return manifest
