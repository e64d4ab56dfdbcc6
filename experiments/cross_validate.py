"""Compares all models by repeated stratified 5-fold cross-validation, all on the same folds.

A net stops by a fifth of its training rows; every other model is fitted on all of them, which is harder for the nets.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from running import run
from sklearn.model_selection import StratifiedKFold, train_test_split

from dlx import architectures, cases, training
from dlx.audit.metrics import METRICS
from dlx.dataset import Dataset
from dlx.files import csv_text, refuse_unwritable, write_atomically
from dlx.progress import Narrator

FOLDS = 5
STOPPING_SHARE = 0.2
CASES = [name for name in cases.names() if cases.load(name).schema.target.kind == "binary"]
NAMES = architectures.names("binary")
SCORES = {name: METRICS[name] for name in ("auc", "brier", "log_loss")}


def main() -> None:
    """Print a table a case, and write it as a CSV file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--case", action="append", choices=CASES, help="may be given again; all by default")
    parser.add_argument("--model", action="append", choices=NAMES, help="may be given again; all by default")
    parser.add_argument("--repeats", type=int, default=3, help="how often the rows are shuffled and cut into 5 folds")
    parser.add_argument("--output", type=Path, default=Path("cross_validation"), help="folder of the CSV files")
    arguments = parser.parse_args()
    refuse_unwritable(arguments.output, "pass another --output")
    narrator = Narrator()
    for case in arguments.case or CASES:
        with narrator.step(f"cross-validating {case}", "fits") as progress:
            folds = cross_validate(cases.load(case), arguments.model or NAMES, arguments.repeats, progress)
        table = summary(folds)
        print(markdown(case, table))
        print(write_atomically(arguments.output / f"{case}.csv", csv_text(table.reset_index())), end="\n\n")


def cross_validate(dataset: Dataset, models: list[str], repeats: int, progress: Callable[[int, int], None]) -> pd.DataFrame:
    """Return a line a model and fold: model, repeat, fold, auc, brier, log_loss."""
    lines = []
    for repeat, fold, rest, test in splits(dataset, repeats):
        stopping = train_test_split(
            np.arange(len(rest)), test_size=STOPPING_SHARE, stratify=rest.outcomes, random_state=FOLDS * repeat + fold
        )
        train, validation = (rest[np.sort(part)] for part in stopping)
        for name in models:
            rows = train if architectures.is_net(name) else rest
            predicted = training.fit(name, rows, validation, seed=repeat, device="cpu").model.predict(test, "probability")
            scores = {metric: score(test.outcomes, predicted) for metric, score in SCORES.items()}
            lines.append({"model": name, "repeat": repeat, "fold": fold} | scores)
            progress(len(lines), repeats * FOLDS * len(models))
    return pd.DataFrame(lines)


def splits(dataset: Dataset, repeats: int) -> Iterator[tuple[int, int, Dataset, Dataset]]:
    """Yield repeat, fold, and the rows to train and to test on."""
    for repeat in range(repeats):
        folds = StratifiedKFold(FOLDS, shuffle=True, random_state=repeat).split(dataset.rows, dataset.outcomes)
        for fold, (rest, test) in enumerate(folds):
            yield repeat, fold, dataset[rest], dataset[test]


def summary(folds: pd.DataFrame) -> pd.DataFrame:
    """Return a line a model, best AUC first: means over the folds, and the AUC's standard deviation over the folds."""
    grouped = folds.groupby("model")
    table = grouped[list(SCORES)].mean()
    table.insert(1, "auc_sd", grouped["auc"].std())
    return table.sort_values("auc", ascending=False)


def markdown(case: str, table: pd.DataFrame) -> str:
    """Return the summary as a markdown table, with the distance of the best net to the best other model."""
    lines = [f"| {case} | {' | '.join(table.columns)} |", "|---" * (1 + len(table.columns)) + "|"]
    lines += [f"| {model} | {' | '.join(f'{value:.4f}' for value in scores)} |" for model, *scores in table.itertuples()]
    is_net = np.array([architectures.is_net(model) for model in table.index])
    if 0 < is_net.sum() < len(is_net):
        gap = table["auc"][is_net].max() - table["auc"][~is_net].max()
        lines.append(f"\nbest net - best other model: {gap:+.4f} AUC")
    return "\n".join(lines)


if __name__ == "__main__":
    run(main)
