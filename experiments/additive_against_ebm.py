"""The additive net beside interpret's explainable boosting machine (EBM), on the same folds.

Needs `pip install interpret-core`. The net stops by a fifth of its training rows, the EBM is fitted on all of them with its
defaults; both may have pairs of columns. The interval is that of `training_quality.py`.
"""

from __future__ import annotations

import argparse
import importlib
import time
from pathlib import Path
from typing import Any

import pandas as pd
from cross_validate import FOLDS, SCORES, splits, stopping_parts
from running import run
from training_quality import corrected_interval

from dlx import cases, training
from dlx.dataset import Dataset
from dlx.files import write_atomically
from dlx.progress import Narrator

HERE = Path(__file__).parent
CASES = [name for name in cases.names() if cases.load(name).schema.target.kind == "binary"]
DIGITS = {"auc": 4, "log_loss": 4, "seconds": 1, "pairs": 1}


def main() -> None:
    """Print the table, and write it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--case", action="append", choices=CASES, help="may be given again; all by default")
    parser.add_argument("--repeats", type=int, default=1, help="how often the rows are shuffled and cut into 5 folds")
    parser.add_argument("--output", type=Path, default=HERE / "additive_against_ebm.md", help="the table")
    arguments = parser.parse_args()
    lines, narrator = [], Narrator()
    for case in arguments.case or CASES:
        with narrator.step(f"Both on {case}", "folds") as update:
            for done, (repeat, fold, rest, test) in enumerate(splits(cases.load(case), arguments.repeats), 1):
                for name, fit in (("additive", _additive), ("ebm", _ebm)):
                    lines.append({"case": case, "model": name, "fold": done} | _judged(fit, rest, test, FOLDS * repeat + fold))
                update(done, arguments.repeats * FOLDS)
        write_atomically(arguments.output, markdown(pd.DataFrame(lines)))
    print(markdown(pd.DataFrame(lines)))


def _judged(fit: Any, rest: Dataset, test: Dataset, seed: int) -> dict[str, Any]:
    """Return the scores of a model on the test rows of a fold, the CPU seconds of its training, and its pairs."""
    start = time.process_time()
    predict, pairs = fit(rest, seed)
    seconds = time.process_time() - start
    return {metric: score(test.outcomes, predict(test)) for metric, score in SCORES["binary"].items()} | {
        "seconds": seconds,
        "pairs": pairs,
    }


def _additive(rest: Dataset, seed: int) -> tuple[Any, int]:
    train, validation = stopping_parts(rest, seed)
    model: Any = training.fit("additive", train, validation, seed=seed, device="cpu").model
    return lambda rows: model.predict(rows, "probability"), sum(pair is not None for pair in model.pairs)


def _ebm(rest: Dataset, seed: int) -> tuple[Any, int]:
    names, glassbox = list(rest.schema.names), importlib.import_module("interpret.glassbox")
    model = glassbox.ExplainableBoostingClassifier(random_state=seed, n_jobs=1).fit(rest.frame[names], rest.outcomes)
    return lambda rows: model.predict_proba(rows.frame[names])[:, 1], sum(len(term) > 1 for term in model.term_features_)


def markdown(lines: pd.DataFrame) -> str:
    """Return a line a case: both means, the difference with its interval, seconds and pairs."""
    text = [
        "# The additive net beside interpret's EBM",
        "",
        f"By `{HERE.name}/additive_against_ebm.py`; means over folds.",
        "",
        "Where there are two numbers, the first is the net's.",
        "",
        "| case | folds | AUC | difference | 95 % interval | log loss | CPU seconds | pairs |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for case, some in lines.groupby("case"):
        by_fold = some.pivot(index="fold", columns="model", values=list(DIGITS))
        mean, low, high = corrected_interval((by_fold["auc"]["additive"] - by_fold["auc"]["ebm"]).to_numpy())
        means, interval = by_fold.mean(), f"{mean:+.4f} | {low:+.4f} to {high:+.4f}"
        both = [", ".join(f"{means[of, m]:.{n}f}" for m in ("additive", "ebm")) for of, n in DIGITS.items()]
        text.append(f"| {case} | {len(by_fold)} | {both[0]} | {interval} | {' | '.join(both[1:])} |")
    return "\n".join(text) + "\n"


if __name__ == "__main__":
    run(main)
