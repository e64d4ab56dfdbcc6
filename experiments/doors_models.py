"""Sends fitted estimators through wrap_trees or wrap, and holds dlx's numbers against their own predict.

python experiments/doors_models.py --count 300 writes models.md and models.csv to --output: how many were accepted, each
refusal by its reason, and each traceback, warning and wrong number, of which there should be none. Numbers may differ by
1e-6 of max(1, size), and by what XGBoost's sum in float32 may be off, derived from its trees. Contributions are held
against the Shapley values by enumeration through the estimator's own predict. An estimator is a function of --seed and its
number: --only 17 sends one alone.
"""

from __future__ import annotations

from pathlib import Path
from random import Random

import pandas as pd
from doors.estimators import any_estimator
from doors.held_models import held
from doors.told import by_reason, faulty, made_with, send, share
from running import run

SHARE_ACCEPTED = 0.9


def main() -> int:
    """Send what was asked for, write it down, and return 1 if something is wrong."""
    return send(str(__doc__), "models", sent, summary, count=300)


def sent(seed: int, number: int, _: Path) -> dict[str, object]:
    """Return what came of an estimator: what it is, through which door it went, why it was refused, what is wrong."""
    fitted = any_estimator(Random(f"{seed}-{number}"))
    verdict = held(fitted)
    return {
        "number": number,
        "estimator": fitted.name,
        "columns": fitted.problem.world.told,
        "outcomes": " ".join(map(str, fitted.problem.world.labels)),
        "plain": fitted.is_plain,
        "door": verdict.door,
        "largest": round(verdict.largest, 4),
        "refusal": " | ".join(verdict.refusals),
        "faults": " | ".join(verdict.faults),
    }


def summary(table: pd.DataFrame, seed: int) -> tuple[str, bool]:
    """Return the figures as markdown, and whether they are what they should be."""
    plain, accepted = table["plain"], table["door"] != ""
    is_right = not (table["faults"] != "").any() and accepted[plain].mean() >= SHARE_ACCEPTED
    kinds = ("traceback", "warning", "wrong")
    counted = {kind: int(table["faults"].str.contains(rf"(?:^| \| ){kind}").sum()) for kind in kinds}
    parts = [
        f"# {len(table)} fitted estimators through `wrap_trees` or `wrap`",
        f"Seed {seed}, {made_with()}. {'As it should be.' if is_right else '**Not as it should be.**'}",
        "| | estimators |\n|---|---|\n"
        f"| plain estimators, forests and boosters that are accepted | {share(accepted[plain])} |\n"
        f"| of the others accepted | {share(accepted[~plain])} |\n"
        f"| by `wrap_trees` | {(table['door'] == 'wrap_trees').sum()} |\n"
        f"| by `wrap` | {(table['door'] == 'wrap').sum()} |\n"
        f"| largest difference, as a share of what is allowed | {table.loc[accepted, 'largest'].max():.2g} |\n"
        + "\n".join(f"| with a fault: {kind} | {count} |" for kind, count in counted.items()),
        "## Refusals",
        by_reason(table["refusal"].str.split(" | ", regex=False).explode()),
        "## Faults",
        by_reason(table["faults"].str.split(" | ", regex=False).explode()),
        faulty(table, ["estimator", "columns"]),
    ]
    return "\n\n".join(parts) + "\n", is_right


if __name__ == "__main__":
    run(main)
