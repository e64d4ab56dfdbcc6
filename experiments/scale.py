"""How quickly, and in how much memory, many rows are explained: `python experiments/scale.py bank_loan --rows 1000000`.

Columns of a case are drawn anew into Parquet files, and `dlx explain --people folder/` explains them as a user would, by fast
methods. The figures go to the .md beside this file.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from running import run
from table_sizes import measured

import dlx
from dlx.bulk import FRAGMENT_ROWS
from dlx.bulk.fragments import drift, fragments_of
from dlx.threads import cores

HERE = Path(__file__).parent
FILES = 10
WAYS = (("mlp", "deeplift"), ("gradient_boosting", "tree_shap"))
MANY = 10**9
HEADER = """# Many rows, in fragments

`dlx explain {case} --people folder/ --model MODEL --method METHOD`, {rows:,} rows in {files} Parquet files, 100 reference
rows, on {cores} cores, by `python experiments/scale.py {case} --rows {rows}`. Rows a second are those of a core, by CPU
time. The largest process is what `/usr/bin/time -v` calls the maximum resident set size; all processes together count shared
pages once. "Again" is the same command once more, which finds all fragments made. The machine had a load of {load:.0f}
meanwhile, other work included, which wall time shows.

| model, method | wall, s | CPU, s | rows a second | largest process, MB | all processes, MB | result, MB | again, CPU s |
|---|---|---|---|---|---|---|---|
"""
PAPER = """
## On paper: 1,000,000,000 rows

Computed from the figures above, and from these, which the same command measured: looking at a file before the start (its
footer, twice) takes {footer:.1f} ms, a fragment's entry in the manifest {entry:,.0f} bytes, and a core decodes
{decoded:,.0f} rows a second. No cluster of more than one machine, and no GPU, was at hand.

- **Cost**: {hours}.
- **Bytes**: {input:,.0f} GB in; {results}. Values are float64, with the coded rows beside them.
- **Files**: {fragments:,} fragments of {fragment_rows:,} rows, each a .parquet and a .json, and a .csv where rows are refused.
- **Driver**: it looks at {many_files:,} files of {rows_of_a_file:,} rows one after the other, {look:,.0f} s on a local disk,
  and {remote:,.0f} min at 50 ms a look on an object store, before the first fragment is explained. That breaks first: fewer,
  larger files mend it. The manifest is {manifest:,.0f} MB of JSON, written once.
- **A rerun** reads all rows and results again, to know that they are the same: {again}. Of a run that was stopped
  halfway, half.
- **Skew**: fragments are of one size, and whoever is free takes the next, so that large and small files cost the same. But a
  fragment is decoded from the beginning of its row group: with groups of {limit} rows that takes as long as the quicker
  of these methods. Rewrite files of larger groups; pyarrow writes 1,048,576 rows at most by default.
"""


def drawn(case: dlx.Dataset, rows: int, folder: Path, seed: int) -> None:
    """Write rows into Parquet files, each column of a case drawn by itself, so that hardly two rows are alike."""
    folder.mkdir()
    table = case.frame
    for place, part in enumerate(np.array_split(np.arange(rows), FILES)):
        rng = np.random.default_rng([seed, place])
        columns = {name: table[name].to_numpy()[rng.integers(len(table), size=len(part))] for name in table.columns}
        pd.DataFrame(columns).to_parquet(folder / f"part-{place}.parquet", index=False)


def explained(case: str, rows: int, model: str, method: str, folder: Path) -> dict[str, float | str]:
    """Return what explaining the rows took, and once more; its result is left in the folder."""
    how = [case, "--people", "people", "--model", model, "--method", method, "--output", "why"]
    found, again = (measured([sys.executable, "-m", "dlx", "explain", *how], folder) for _ in range(2))
    size = sum(path.stat().st_size for path in (folder / "why").glob(f"{model}*/source=*/*.parquet")) / 2**20
    line = {"way": f"{model}, {method}", "wall": found.seconds, "cpu": found.cpu, "rate": rows / found.cpu}
    line |= {"largest": found.largest, "together": found.together, "result": size, "again": again.cpu}
    return line | {"is_fine": not found.status and found.together < 2_048}


def on_paper(lines: list[dict[str, Any]], rows: int, folder: Path, case: dlx.Dataset) -> str:
    """Return what so many rows would cost, and what breaks first, by the figures of fewer."""
    more, started = MANY / rows, time.perf_counter()
    fragments = fragments_of(folder / "people", FRAGMENT_ROWS)
    drift(fragments, case.schema)
    footer, started = (time.perf_counter() - started) / FILES, time.process_time()
    decoded = len(fragments[0].read()) / (time.process_time() - started)
    entries = [path.stat().st_size for path in (folder / "why").rglob("rows-*.json")]
    files, count = int(FILES * more), -(-MANY // FRAGMENT_ROWS)
    said = {
        "hours": "; ".join(f"{one['way']} {MANY / one['rate'] / 3_600:,.0f} core hours" for one in lines),
        "results": ", ".join(f"{one['result'] * more / 1_024:,.0f} GB out by {one['way']}" for one in lines),
        "again": "; ".join(f"{one['way']} {one['again'] * more / 3_600:,.0f} core hours" for one in lines),
        "limit": f"{2 * decoded * FRAGMENT_ROWS / max(one['rate'] for one in lines):,.0f}",
        "input": sum(path.stat().st_size for path in (folder / "people").iterdir()) / 2**30 * more,
    }
    return PAPER.format(
        **said,
        footer=1_000 * footer,
        entry=np.mean(entries),
        decoded=decoded,
        fragments=count,
        fragment_rows=FRAGMENT_ROWS,
        many_files=files,
        rows_of_a_file=rows // FILES,
        look=footer * files,
        remote=2 * 0.05 * files / 60,
        manifest=np.mean(entries) * count / 2**20,
    )


def main() -> int:
    """Explain the rows by every way, and write what it took; 1 where a run fails or takes 2 GB."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("case", nargs="?", default="bank_loan")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    case = dlx.load(asked.case)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        drawn(case, asked.rows, folder / "people", asked.seed)
        lines = [explained(asked.case, asked.rows, model, method, folder) for model, method in WAYS]
        paper = on_paper(lines, asked.rows, folder, case)
    numbers = ("wall", "cpu", "rate", "largest", "together", "result", "again")
    table = [f"| {one['way']} | {' | '.join(f'{one[name]:,.0f}' for name in numbers)} |\n" for one in lines]
    about = {"case": asked.case, "rows": asked.rows, "files": FILES, "cores": cores(), "load": os.getloadavg()[1]}
    (HERE / "scale.md").write_text(HEADER.format(**about) + "".join(table) + paper, encoding="utf-8")
    return int(not all(one["is_fine"] for one in lines))


if __name__ == "__main__":
    run(main)
