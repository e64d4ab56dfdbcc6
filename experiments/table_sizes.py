"""How long a report of a large or awkward table takes, and how much memory: `python experiments/table_sizes.py wide`.

A table is drawn from a seed, and `dlx report own.csv --target y` is run on it as a reader would, training included. With
`--all`, one size after another is run, and the figures go to the .md beside this file.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from running import run
from scipy.special import expit

HERE = Path(__file__).parent
ENVIRONMENT = os.environ | {"PYTHONPATH": str(HERE.parent)}
MOST = 6_000  # MB: a run that needs more is stopped
GLANCE = 0.2  # seconds between two looks at the memory
GREEK = "αβγδεζηθικλμνξοπρστυφχψω"

HEADER = """# Reports of large and awkward tables

`dlx report own.csv --target y`, training included, on two cores, by `python experiments/table_sizes.py --all`. The largest
process is what `/usr/bin/time -v` calls the maximum resident set size; all processes together count shared pages once.

| table | wall, s | CPU, s | largest process, MB | all processes, MB | page, MB |
|---|---|---|---|---|---|
"""


@dataclass(frozen=True)
class Size:
    """A table to be drawn: how many rows, columns and levels, and how much of it is missing or positive."""

    words: str
    rows: int = 20_000
    numeric: int = 14
    categorical: int = 6
    levels: int = 4
    most_levels: int = 0  # of the first category; 0 for as many as the others
    missing: float = 0.02
    positive: float = 0.25
    is_unicode: bool = False

    def draw(self, seed: int) -> pd.DataFrame:
        """Return a table whose numbers share factors, and whose outcome depends on twelve of its columns."""
        rng = np.random.default_rng(seed)
        factors = rng.normal(size=(self.rows, 5))
        columns: dict[str, np.ndarray | pd.Series] = {}
        effects = []
        for i in range(self.numeric):
            z = factors @ rng.normal(scale=0.4, size=5) + rng.normal(size=self.rows)
            effects.append(z + 0.5 * (z > 1) if i % 2 else -np.abs(z))
            columns[self._name(i, "number")] = (
                np.round(np.exp(z), 2) if i % 3 == 0 else np.round(40 + 12 * z) if i % 3 == 1 else np.round(z, 3)
            )
        for i in range(self.categorical):
            levels = self.most_levels if self.most_levels and not i else 2 if i % 4 == 3 else self.levels
            codes = np.minimum((levels * rng.beta(1, 2, self.rows)).astype(int), levels - 1)
            effects.append(rng.normal(size=levels)[codes])
            columns[self._name(i, "kind")] = np.array(
                [f"{GREEK[j % 24] if self.is_unicode else 'level '}{j}" for j in range(levels)]
            )[codes]
        chosen = rng.permutation(len(effects))[:12]
        score = sum(rng.normal() * effects[i] for i in chosen) + 0.5 * effects[chosen[0]] * effects[chosen[1]]
        score = 2 * (score - score.mean()) / score.std()
        table = pd.DataFrame(columns)
        table = table.mask(rng.random(table.shape) < self.missing)
        cut = np.quantile(score + rng.logistic(size=self.rows), 1 - self.positive)
        return table.assign(y=np.where(rng.random(self.rows) < expit(3 * (score - cut)), "yes", "no"))

    def _name(self, i: int, kind: str) -> str:
        return f"{kind}_{i}" if not self.is_unicode else f"{'Größe' if kind == 'number' else '種類'} {GREEK[i % 24]}{i} €"


SIZES: Mapping[str, Size] = {
    "wide": Size("20,000 rows x 500 columns", numeric=420, categorical=80),
    "long": Size("500,000 rows x 20 columns", rows=500_000),
    "levels": Size("a category of 1,000 levels", most_levels=1_000),
    "missing": Size("30 % missing", missing=0.3),
    "rare": Size("1 % positive", positive=0.01),
    "categorical": Size("all categorical", numeric=0, categorical=20),
    "numeric": Size("all numeric", numeric=20, categorical=0),
    "unicode": Size("names and levels beyond ASCII", is_unicode=True),
}


@dataclass
class Run:
    """What a command took: wall and CPU seconds; memory in MB of its largest process, and of all its processes together."""

    status: int
    seconds: float
    cpu: float
    largest: float
    together: float


def measured(command: list[str], folder: Path) -> Run:
    """Return what a command took; each of its lines is shown with the seconds passed and the memory held."""
    started, now, most, pid = time.perf_counter(), 0.0, 0.0, 0
    said = folder / "said.txt"
    with said.open("w") as file:
        process = subprocess.Popen(command, cwd=folder, env=ENVIRONMENT, stderr=file, start_new_session=True)
    try:
        with said.open() as lines:
            while not pid and now <= MOST:
                time.sleep(GLANCE)
                now = together(process.pid)
                most = max(most, now)
                pid, status, usage = os.wait4(process.pid, os.WNOHANG)
                for line in lines:
                    passed = time.perf_counter() - started
                    print(f"{passed:6.1f} s {now:6,.0f} MB, at most {most:6,.0f} | {line}", end="", flush=True)
    finally:  # it is too large, or this was interrupted
        if not pid:
            os.killpg(process.pid, signal.SIGKILL)
            _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    spent = time.perf_counter() - started
    return Run(process.returncode, spent, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, most)


def together(session: int) -> float:
    """Return the memory in MB of all processes of a session; pages that they share count once."""
    total = 0.0
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                if int((folder / "stat").read_text().rpartition(")")[2].split()[3]) == session:
                    lines = (folder / "smaps_rollup").read_text().splitlines()
                    total += sum(float(line.split()[1]) for line in lines if line.startswith("Pss:"))
            except (OSError, IndexError):  # it has ended
                continue
    return total / 1024


def report(size: Size, seed: int, folder: Path) -> tuple[Run, float]:
    """Return what a report of a table took, and the size of its page in MB."""
    size.draw(seed).to_csv(folder / "own.csv", index=False)
    ask = ["own.csv", "--target", "y", "--positive", "yes", "--checkpoints", "models", "--output", "page"]
    found = measured([sys.executable, "-m", "dlx", "report", *ask], folder)
    page = folder / "page" / "report.html"
    return found, page.stat().st_size / 2**20 if page.exists() else float("nan")


def main() -> int:
    """Run the sizes that were asked for; 1 where one fails, or is beyond 10 minutes or 4 GB."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "sizes", nargs="*", help=", ".join(f"{name}: {size.words}" for name, size in SIZES.items()).replace("%", "%%")
    )
    parser.add_argument("--all", action="store_true", help="all of them, and write the figures")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rows", type=int, help="instead of the rows that the size has")
    parser.add_argument("--keep", type=Path, help="folder in which the tables and pages stay")
    asked = parser.parse_args()
    lines, is_fine = [], True
    for name in SIZES if asked.all else asked.sizes:
        size = replace(SIZES[name], rows=asked.rows or SIZES[name].rows)
        with tempfile.TemporaryDirectory() as scratch:
            folder = (asked.keep or Path(scratch)) / name
            folder.mkdir(parents=True, exist_ok=True)
            found, page = report(size, asked.seed, folder)
        figures = (found.seconds, found.cpu, found.largest, found.together)
        lines.append(f"| {size.words} | {' | '.join(f'{one:,.0f}' for one in figures)} | {page:.1f} |")
        print(lines[-1])
        is_fine &= not found.status and found.seconds <= 600 and max(found.largest, found.together) <= 4_096
        if asked.all:
            (HERE / "table_sizes.md").write_text(HEADER + "\n".join(lines) + "\n", encoding="utf-8")
    return int(not is_fine)


if __name__ == "__main__":
    run(main)
