"""Sends generated tables through read_table, train and explain, and holds what comes out against what the generator knows.

python experiments/doors_tables.py --count 500 writes tables.md and tables.csv to --output: how many were accepted, each
refusal by its reason, and each traceback, warning and silent change, of which there should be none. A table is a function
of --seed and its number: --only 17 sends one alone and keeps its file.
"""

from __future__ import annotations

from pathlib import Path
from random import Random

import pandas as pd
from doors.faults import any_table
from doors.held_tables import held
from doors.told import by_reason, faulty, made_with, send, share
from running import run

SHARE_ACCEPTED = 0.8


def main() -> int:
    """Send what was asked for, write it down, and return 1 if something is wrong."""
    return send(str(__doc__), "tables", sent, summary, count=500)


def sent(seed: int, number: int, folder: Path) -> dict[str, object]:
    """Return what came of a table: its file and oddities, how far it went, why it was refused, what is wrong."""
    random = Random(f"{seed}-{number}")
    table = any_table(random)
    verdict = held(table, folder, random)
    return {
        "number": number,
        "file": table.file.name,
        "rows": len(table.target.truth),
        "columns": len(table.columns),
        "odd": "; ".join(table.oddities),
        "usable": table.usable,
        "reached": verdict.reached,
        "refusal": verdict.refusal.replace(str(folder), "."),
        "faults": " | ".join(verdict.faults).replace(str(folder), "."),
    }


def summary(table: pd.DataFrame, seed: int) -> tuple[str, bool]:
    """Return the figures as markdown, and whether they are what they should be."""
    usable, accepted = table["usable"], table["reached"] == "explained"
    is_right = not (table["faults"] != "").any() and accepted[usable].mean() >= SHARE_ACCEPTED
    kinds = ("traceback", "warning", "silent", "contributions", "AUC", "a refusal")
    counted = {kind: int(table["faults"].str.contains(rf"(?:^| \| ){kind}").sum()) for kind in kinds}
    parts = [
        f"# {len(table)} generated tables through `read_table`, `train` and `explain`",
        f"Seed {seed}, {made_with()}. {'As it should be.' if is_right else '**Not as it should be.**'}",
        "| | tables |\n|---|---|\n"
        f"| that a person would use as they are | {usable.sum()} |\n"
        f"| of them accepted and explained | {share(accepted[usable])} |\n"
        f"| of the others accepted | {share(accepted[~usable])} |\n"
        + "\n".join(f"| with a fault: {kind} | {count} |" for kind, count in counted.items()),
        "## Refusals of tables that a person would use",
        by_reason(table.loc[usable, "refusal"]),
        "## Refusals of the others",
        by_reason(table.loc[~usable, "refusal"]),
        "## Faults",
        by_reason(table["faults"].str.split(" | ", regex=False).explode()),
        faulty(table, ["file", "odd"]),
    ]
    return "\n\n".join(parts) + "\n", is_right


if __name__ == "__main__":
    run(main)
