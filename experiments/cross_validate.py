"""Compares all models by repeated 5-fold cross-validation, stratified where the outcome is a class, all on the same folds.

A net stops by a fifth of its training rows; every other model is fitted on all of them, which is harder for the nets.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from running import run
from sklearn.model_selection import KFold, StratifiedKFold, train_test_split

from dlx import architectures, cases, training
from dlx.audit.metrics import METRICS, VALUE_METRICS
from dlx.dataset import Dataset
from dlx.files import csv_text, refuse_unwritable, write_atomically
from dlx.model import Model
from dlx.progress import Narrator

FOLDS = 5
STOPPING_SHARE = 0.2
CASES = cases.names()
SCORES = {  # of each task; the first is what models are compared by
    "binary": {name: METRICS[name] for name in ("auc", "brier", "log_loss")},
    "regression": {name: VALUE_METRICS[name] for name in ("r2", "rmse", "mae")},
}


def main() -> None:
    """Print a table a case, and write it as a CSV file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--case", action="append", choices=CASES, help="may be given again; all by default")
    parser.add_argument(
        "--model", action="append", choices=architectures.names(), help="may be given again; all that serve a case by default"
    )
    parser.add_argument("--repeats", type=int, default=3, help="how often the rows are shuffled and cut into 5 folds")
    parser.add_argument("--output", type=Path, default=Path("cross_validation"), help="folder of the CSV files")
    arguments = parser.parse_args()
    refuse_unwritable(arguments.output, "pass another --output")
    narrator = Narrator()
    for case in arguments.case or CASES:
        with narrator.step(f"cross-validating {case}", "fits") as progress:
            dataset = cases.load(case)
            folds = cross_validate(dataset, served(dataset, arguments.model), arguments.repeats, progress)
        table = summary(folds)
        print(markdown(case, table))
        print(write_atomically(arguments.output / f"{case}.csv", csv_text(table.reset_index())), end="\n\n")


def cross_validate(dataset: Dataset, models: list[str], repeats: int, progress: Callable[[int, int], None]) -> pd.DataFrame:
    """Return a line a model and fold: model, repeat, fold, and the scores of the case's task."""
    lines = []
    for repeat, fold, rest, test in splits(dataset, repeats):
        train, validation = stopping_parts(rest, FOLDS * repeat + fold)
        for name in models:
            rows = train if architectures.is_net(name) else rest
            model = training.fit(name, rows, validation, seed=repeat, device="cpu").model
            lines.append({"model": name, "repeat": repeat, "fold": fold} | scores(model, test))
            progress(len(lines), repeats * FOLDS * len(models))
    return pd.DataFrame(lines)


def splits(dataset: Dataset, repeats: int) -> Iterator[tuple[int, int, Dataset, Dataset]]:
    """Yield repeat, fold, and the rows to train and to test on."""
    for repeat in range(repeats):
        cutter = KFold if dataset.schema.target.kind == "regression" else StratifiedKFold
        folds = cutter(FOLDS, shuffle=True, random_state=repeat).split(dataset.rows, dataset.outcomes)
        for fold, (rest, test) in enumerate(folds):
            yield repeat, fold, dataset[rest], dataset[test]


def stopping_parts(rest: Dataset, seed: int) -> tuple[Dataset, Dataset]:
    """Return the training rows that nets learn from, and those that they stop by."""
    strata = None if rest.schema.target.kind == "regression" else rest.outcomes
    parts = train_test_split(np.arange(len(rest)), test_size=STOPPING_SHARE, stratify=strata, random_state=seed)
    train, validation = (rest[np.sort(part)] for part in parts)
    return train, validation


def served(dataset: Dataset, models: list[str] | None) -> list[str]:
    """Return those of some models, or of all, that serve a case's task."""
    return [name for name in models or architectures.names() if dataset.schema.target.kind in architectures.tasks(name)]


def scores(model: Model, rows: Dataset) -> dict[str, float]:
    """Return the scores of a model on rows, by metric."""
    kind = rows.schema.target.kind
    predicted = model.predict(rows, "value" if kind == "regression" else "probability")
    return {metric: score(rows.outcomes, predicted) for metric, score in SCORES[kind].items()}


def summary(folds: pd.DataFrame) -> pd.DataFrame:
    """Return a line a model, best first by the first score: means over the folds, and that score's standard deviation."""
    grouped = folds.groupby("model")
    table = grouped[list(folds.columns.drop(["model", "repeat", "fold"]))].mean()
    first = table.columns[0]
    table.insert(1, f"{first}_sd", grouped[first].std())
    return table.sort_values(first, ascending=False)


def markdown(case: str, table: pd.DataFrame) -> str:
    """Return the summary as a markdown table, with the distance of the best net to the best other model."""
    lines = [f"| {case} | {' | '.join(table.columns)} |", "|---" * (1 + len(table.columns)) + "|"]
    lines += [f"| {model} | {' | '.join(f'{value:.4f}' for value in scores)} |" for model, *scores in table.itertuples()]
    is_net = np.array([architectures.is_net(model) for model in table.index])
    if 0 < is_net.sum() < len(is_net):
        first = table.iloc[:, 0]
        lines.append(f"\nbest net - best other model: {first[is_net].max() - first[~is_net].max():+.4f} {first.name}")
    return "\n".join(lines)


if __name__ == "__main__":
    run(main)
