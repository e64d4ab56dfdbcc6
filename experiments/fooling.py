"""Builds models that hide what they decide by, shows them to LIME and Kernel SHAP, and asks two defences, over some seeds.

    uv run python experiments/fooling.py --seeds 3

Prints a table a case and writes it as CSV to --output.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd

import dlx
from dlx.audit import vulnerability as lab
from dlx.audit.vulnerability.samples import limes_samples, mixtures
from dlx.dataset import Dataset
from dlx.threads import one_thread

CASES = ("bank_loan", "heart_attack")
HONEST = ("mlp", "gradient_boosting")
PEOPLE = {"lime": 100, "kernel_shap": 60, "kernel_shap, 100 rows": 10}


def main() -> None:
    """Run the attack on each case and print what was shown and what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", nargs="+", default=CASES)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--output", type=Path, default=Path("fooling"))
    asked = parser.parse_args()
    asked.output.mkdir(parents=True, exist_ok=True)
    with one_thread():
        for name in asked.cases:
            tables = [fooled(dlx.load(name), seed) for seed in range(asked.seeds)]
            for what, parts in zip(("shown", "found"), zip(*tables, strict=True), strict=True):
                table = pd.concat(parts, ignore_index=True)
                table.to_csv(asked.output / f"{name}-{what}.csv", index=False)
                print(f"\n{name}: {what}\n{table.round(3).to_string(index=False)}", flush=True)


def fooled(case: Dataset, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return what explainers show of attacked models, and what the defences find in them and in honest ones."""
    rows = case.background(100, seed=seed).rows
    centres = lab.k_means_background(case.train.rows, seed=seed)
    backgrounds = {"lime": rows, "kernel_shap": centres, "kernel_shap, 100 rows": rows}
    gate = lab.Gate.fit(case, rows, seed=seed)
    shown, findings = [], []
    for kind, background in backgrounds.items():
        against = kind.split(",")[0]
        attacked = lab.attack(case, against=against, background=background, seed=seed)
        people = case.test[: PEOPLE[kind]]
        for implementation in ("dlx", "reference") if against == "lime" else ("dlx",):
            line = lab.shown(attacked, people, background, method=against, implementation=implementation, seed=seed)
            shown.append(line.assign(seed=seed))
        made = limes_samples(case.schema, rows, 5_000, seed) if against == "lime" else mixtures(case.test.rows, background, 5_000, seed)
        models = [attacked.scaffold, *(dlx.load_model(case.name, honest) for honest in HONEST)]
        for model in models:
            about = {"is_attacked": model is attacked.scaffold, "seed": seed}
            findings.append(lab.flip_finding(kind, model, case, case.schema.names[attacked.column], **about))
            findings.append(lab.gate_finding(kind, model, gate, made, case, **about))
    return pd.concat(shown, ignore_index=True), lab.findings_frame(findings).assign(seed=seed)


if __name__ == "__main__":
    main()
