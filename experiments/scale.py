"""How quickly, and in how much memory, many rows are explained: `python experiments/scale.py bank_loan --rows 1000000`.

Columns of a case are drawn anew into Parquet files, and `dlx explain --people folder/` explains them as a user would, by fast
methods. The figures go to the .md beside this file.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from running import run
from table_sizes import measured

import dlx
from dlx.threads import cores

HERE = Path(__file__).parent
FILES = 10
WAYS = (("mlp", "deeplift"), ("gradient_boosting", "tree_shap"))
HEADER = """# Many rows, in fragments

`dlx explain {case} --people folder/ --model MODEL --method METHOD`, {rows:,} rows in {files} Parquet files, 100 reference
rows, on {cores} cores, by `python experiments/scale.py {case} --rows {rows}`. The largest process is what `/usr/bin/time -v`
calls the maximum resident set size; all processes together count shared pages once.

| model, method | wall, s | CPU, s | rows a second | largest process, MB | all processes, MB | result, MB |
|---|---|---|---|---|---|---|
"""


def drawn(case: dlx.Dataset, rows: int, folder: Path, seed: int) -> None:
    """Write rows into Parquet files, each column of a case drawn by itself, so that hardly two rows are alike."""
    folder.mkdir()
    table = case.frame
    for place, part in enumerate(np.array_split(np.arange(rows), FILES)):
        rng = np.random.default_rng([seed, place])
        columns = {name: table[name].to_numpy()[rng.integers(len(table), size=len(part))] for name in table.columns}
        pd.DataFrame(columns).to_parquet(folder / f"part-{place}.parquet", index=False)


def main() -> int:
    """Explain the rows by every way, and write what it took; 1 where a run fails or takes 2 GB."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("case", nargs="?", default="bank_loan")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    lines, is_fine = [], True
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        drawn(dlx.load(asked.case), asked.rows, folder / "people", asked.seed)
        for model, method in WAYS:
            how = [asked.case, "--people", "people", "--model", model, "--method", method, "--output", "why"]
            found = measured([sys.executable, "-m", "dlx", "explain", *how], folder)
            size = sum(path.stat().st_size for path in (folder / "why").glob(f"{model}*/source=*/*.parquet")) / 2**20
            numbers = (found.seconds, found.cpu, asked.rows / found.seconds, found.largest, found.together, size)
            lines.append(f"| {model}, {method} | {' | '.join(f'{one:,.0f}' for one in numbers)} |")
            print(lines[-1])
            is_fine &= not found.status and found.together < 2_048
    about = {"case": asked.case, "rows": asked.rows, "files": FILES, "cores": cores()}
    (HERE / "scale.md").write_text(HEADER.format(**about) + "\n".join(lines) + "\n", encoding="utf-8")
    return int(not is_fine)


if __name__ == "__main__":
    run(main)
