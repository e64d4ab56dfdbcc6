"""Builds models that hide what they decide by, shows them to LIME and Kernel SHAP, and asks two defences, over some seeds.

    uv run python experiments/fooling.py --seeds 0 1 2

Prints two tables a case and writes them as CSV to --output. The attack and the limits of the defences were set by looking at
bank_loan and heart_attack with seeds 0 to 2; other seeds and other cases (--cases heart_disease) are the test of them.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd
from running import run

import dlx
from dlx.attacks import fool
from dlx.files import csv_text, refuse_unwritable, write_together
from dlx.threads import one_thread

CASES = ("bank_loan", "heart_attack")
HONEST = ("mlp", "gradient_boosting")
SHOWN = ["seed", "way", "implementation", "cut", "fidelity", "people", "hidden", "low", "high", "first"]
FOUND = ["seed", "demonstration", "model", "is_attacked", "defence", "estimate", "low", "high", "limit", "says", "is_right"]


def main() -> None:
    """Run the attack on each case and print what was shown and what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", nargs="+", default=CASES)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--people", type=int, default=100, help="whom the explainers explain")
    parser.add_argument("--few", type=int, default=10, help="whom Kernel SHAP explains against 100 real rows")
    parser.add_argument("--margin", type=float, default=0.25, help="logits of the biased scores around the threshold")
    parser.add_argument("--output", type=Path, default=Path("fooling"), help="folder of the tables")
    asked = parser.parse_args()
    refuse_unwritable(asked.output, "pass another --output")
    for name in asked.cases:
        shown, found = tables(name, asked)
        parts = {"shown": shown, "found": found}
        write_together({asked.output / f"{name}-{part}.csv": csv_text(table) for part, table in parts.items()})
        print(f"\n{name}\n{shown[SHOWN].round(3).to_string(index=False)}\n\n{found[FOUND].round(3).to_string(index=False)}")


def tables(name: str, asked: argparse.Namespace) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return what explainers show of attacked models, and what the defences find in them and in honest ones."""
    case = dlx.load(name)
    honest = [dlx.load_model(name, model) for model in HONEST]
    shown, found = [], []
    for seed in asked.seeds:
        background = case.background(100, seed=seed).rows
        options = {"margin": asked.margin, "few": asked.few, "seed": seed}
        with one_thread():
            made = fool(case, honest, background=background, people=case.test[: asked.people], full=True, **options)
        shown.append(made.shown.assign(seed=seed))
        found.append(made.detections.assign(seed=seed))
    return pd.concat(shown, ignore_index=True), pd.concat(found, ignore_index=True)


if __name__ == "__main__":
    run(main)
