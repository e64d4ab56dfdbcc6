"""What the data check finds in tables with known flaws, and in the shipped tables as a stranger would bring them.

    python experiments/data_check.py --tables 200 > experiments/data_check.md

The tables are those of tests/flawed.py, which knows nothing of the check, each read from a CSV file. A flaw is found if a
finding has its name and its columns; a sound column is named if any finding is about it.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from running import run

import dlx
from dlx.cases import DATA
from dlx.data_check import DataCheck

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from flawed import Flawed, flawed_table, shifted_table

POSITIVE = {"bank_loan": "bad", "credit_default": "1", "heart_attack": "1", "heart_disease": None}


def checked(table: Flawed, folder: Path, split: str | None = None) -> tuple[DataCheck, float]:
    """Return the check of a table that is read from a file, and the seconds that it took."""
    path = folder / "flawed.csv"
    table.frame.to_csv(path, index=False)
    case = dlx.read_table(path, target=table.target, positive="yes", split=split)
    begun = time.perf_counter()
    return dlx.check(case), time.perf_counter() - begun


def flaws(count: int) -> None:
    """Print how many flaws of each kind were found, which were missed, and which sound columns were named."""
    of, found, named, missed, seconds = Counter(), Counter(), Counter(), [], []
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(count):
            table = flawed_table(seed)
            check, took = checked(table, Path(folder))
            seconds.append(took)
            said = {(one.kind, frozenset(one.columns)) for one in check}
            for kind, columns, severity in table.flaws:
                of[kind] += 1
                found[kind] += (kind, frozenset(columns)) in said
                missed += [] if (kind, frozenset(columns)) in said else [f"table {seed}, {kind}: {severity}"]
            sound = {*table.frame} - table.touched - {table.target}
            of["sound columns"] += len(sound)
            found["sound columns"] += len(sound & {name for one in check for name in one.columns})
            named.update(one.kind for one in check if sound & {*one.columns})
    print("| flaw | tables | found | share |\n|---|---|---|---|")
    for kind in sorted(of, key=lambda kind: (kind == "sound columns", kind)):
        print(f"| {kind} | {of[kind]} | {found[kind]} | {found[kind] / of[kind]:.1%} |")
    print(f"\nSound columns were named as: {', '.join(f'{kind} {times}' for kind, times in named.items()) or 'nothing'}.")
    print(f"Seconds of a check: {sorted(seconds)[count // 2]:.2f} in the middle, {max(seconds):.2f} at most.\n\nMissed:\n")
    print("\n".join(f"- {one}" for one in missed))


def shifts(count: int) -> None:
    """Print how many shifts between the months of training and of test were found."""
    found, named, sound = 0, 0, 0
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(count):
            table = shifted_table(seed)
            said = {
                name for one in checked(table, Path(folder), "time:month")[0] if one.kind == "shift" for name in one.columns
            }
            fine = {*table.frame} - table.touched - {table.target, "month"}
            found, named, sound = found + len(said & table.touched), named + len(said & fine), sound + len(fine)
    share = f"{found} were found ({found / 2 / count:.1%})"
    print(f"Of {2 * count} columns that shift in {count} other tables, split by month, {share};")
    print(f"of {sound:,} that do not, {named} were named.")


def shipped() -> None:
    """Print what is found in the tables that dlx ships, by their own schemas and by none."""
    for name, positive in POSITIVE.items():
        target = dlx.load(name).schema.target.name
        path = next(DATA.glob(f"{name}.csv*"))
        bare = dlx.read_table(path, target=target, positive=positive, name=f"{name} without its schema")
        for case in (dlx.load(name), bare):
            check = dlx.check(case)
            print(f"\n### {case.name}: {len(check.to_decide)} to decide, {len(check) - len(check.to_decide)} to know\n")
            for one in check:
                kind = "**decide**" if one.must_decide else "accepted" if one.accepted else "know"
                print(f"- {kind}: {one.rule.title}: {one.said} {one.accepted or one.remedy}")


def main() -> int:
    """Print both, as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", type=int, default=200)
    count = parser.parse_args().tables
    print(f"# What the data check finds\n\n`python experiments/data_check.py --tables {count}`\n")
    print(f"## {count} tables with known flaws\n")
    flaws(count)
    print("\n## Shifts\n")
    shifts(count // 4)
    print("\n## The shipped tables")
    shipped()
    return 0


if __name__ == "__main__":
    run(main)
