"""How far the best net is from the best other model, on repeated folds; winners are chosen on validation rows.

In each fold a fifth of the training rows is set aside: nets stop by it, and of the nets, and of all other models, the one is
taken whose loss is smallest there (log loss; of a value, the root mean squared error); the others are then fitted on all
training rows. What both reach on the fold's test rows is compared (ROC AUC; of a value, R²): the net as it stopped, which saw
fewer rows than the others, and fitted again on all training rows, with as many passes as it took to its best (Goodfellow,
Bengio and Courville 2016, algorithm 7.2). Intervals are corrected for folds that share training rows (Nadeau and Bengio 2003).
Lines are kept in a CSV file as they come, and what it holds is not measured again: a run can be stopped and taken up.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from cross_validate import CASES, FOLDS, SCORES, scores, served, splits, stopping_parts
from running import run
from scipy.stats import t

from dlx import architectures, cases, training
from dlx.dataset import Dataset
from dlx.files import write_atomically
from dlx.model import Model
from dlx.progress import Narrator

HERE = Path(__file__).parent
GOAL = -0.003  # of the mean difference
LOSSES = {"binary": "log_loss", "regression": "rmse"}  # by which winners are chosen
JUDGED = {"auc": "ROC AUC", "r2": "R²"}  # what is compared
FOLD = ["case", "repeat", "fold"]
COLUMNS = [*FOLD, "model", "fit", "passes", "validation_loss", *(metric for task in SCORES.values() for metric in task)]
FITS = {"first": "four fifths", "again": "all"}  # of the training rows, that the net was fitted on


def main() -> None:
    """Measure what is not in the CSV file yet, and write the table beside it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--case", action="append", choices=CASES, help="may be given again; all by default")
    parser.add_argument(
        "--model", action="append", choices=architectures.names(), help="may be given again; all that serve a case by default"
    )
    parser.add_argument("--repeats", type=int, default=2, help="how often the rows are shuffled and cut into 5 folds")
    parser.add_argument("--thorough", action="store_true", help="10 repeats")
    parser.add_argument("--output", type=Path, default=HERE / "training_quality.csv", help="the CSV file")
    arguments = parser.parse_args()
    repeats = 10 if arguments.thorough else arguments.repeats
    narrator = Narrator()
    for case in arguments.case or CASES:
        with narrator.step(f"Training on {case}", "folds") as update:
            dataset = cases.load(case)
            for done, (repeat, fold, rest, test) in enumerate(splits(dataset, repeats), 1):
                place = {"case": case, "repeat": repeat, "fold": fold}
                for model in served(dataset, arguments.model):
                    _measure(arguments.output, place, model, rest, test)
                _fit_again(arguments.output, place, rest, test)
                update(done, repeats * FOLDS)
    table = markdown(pd.read_csv(arguments.output))
    print(table)
    write_atomically(arguments.output.with_suffix(".md"), table)


def _measure(path: Path, place: dict[str, Any], name: str, rest: Dataset, test: Dataset) -> None:
    """Add a line to the file: the loss of a model on the validation rows of a fold, its scores on the test rows."""
    if (_known(path, place)["model"] == name).any():
        return
    seed = _seed(place)
    train, validation = stopping_parts(rest, seed)
    fitted = training.fit(name, train, validation, seed=seed, device="cpu")
    chosen_by = scores(fitted.model, validation)[LOSSES[rest.schema.target.kind]]
    if not architectures.is_net(name):
        fitted = training.fit(name, rest, validation, seed=seed, device="cpu")
    told = {"model": name, "fit": "first", "passes": fitted.best_epoch, "validation_loss": chosen_by}
    _add(path, place | told, fitted.model, test)


def _fit_again(path: Path, place: dict[str, Any], rest: Dataset, test: Dataset) -> None:
    """Add a line: the net that the validation rows of a fold choose, fitted again on all training rows."""
    lines = _known(path, place)
    nets = lines[lines["model"].map(architectures.is_net)].sort_values("validation_loss", kind="stable")
    if not len(nets) or (nets["fit"][nets["model"] == nets["model"].iloc[0]] == "again").any():
        return
    chosen, seed = nets.iloc[0], _seed(place)
    validation = stopping_parts(rest, seed)[1]
    if np.isnan(chosen["passes"]):  # a line from before passes were counted
        return
    passes = {"max_epochs": int(chosen["passes"]), "patience": int(chosen["passes"])}
    fitted = training.fit(str(chosen["model"]), rest, validation, seed=seed, device="cpu", config=passes)
    told = chosen[[*FOLD, "model", "passes", "validation_loss"]].to_dict()
    _add(path, told | {"fit": "again"}, fitted.model, test)


def _seed(place: dict[str, Any]) -> int:
    return FOLDS * int(place["repeat"]) + int(place["fold"])


def _known(path: Path, place: dict[str, Any]) -> pd.DataFrame:
    """Return the lines of a fold that the file holds."""
    known = pd.read_csv(path) if path.exists() else pd.DataFrame(columns=COLUMNS)
    return known[(known[FOLD] == pd.Series(place)[FOLD]).all(axis=1)]


def _add(path: Path, line: dict[str, Any], model: Model, test: Dataset) -> None:
    """Write a line with a model's scores on the test rows."""
    whole = pd.DataFrame([line | scores(model, test)], columns=COLUMNS).round(6)
    whole.to_csv(path, mode="a", header=not path.exists(), index=False)


def differences(lines: pd.DataFrame, metric: str = "auc") -> pd.DataFrame:
    """Return, for each fold, the net and the other model that the validation rows choose, and by how much the net is ahead.

    The columns "first" and "again" are differences in a metric, of the net as it stopped and as it was fitted again.
    """
    again = lines[lines["fit"] == "again"].set_index([*FOLD, "model"])[metric].rename("again")
    first = lines[lines["fit"] == "first"].assign(is_net=lines["model"].map(architectures.is_net))
    chosen = first.sort_values("validation_loss", kind="stable").groupby([*FOLD, "is_net"]).first()
    chosen = (
        chosen[["model", metric]]
        .unstack("is_net")
        .reindex(columns=pd.MultiIndex.from_product([["model", metric], [True, False]]))
    )
    found = pd.DataFrame({"net": chosen["model"][True], "first": chosen[metric][True], "other": chosen["model"][False]})
    found = found.assign(theirs=chosen[metric][False]).dropna().reset_index().join(again, on=[*FOLD, "net"])
    return found.assign(first=found["first"] - found["theirs"], again=found["again"] - found["theirs"])


def corrected_interval(values: np.ndarray) -> tuple[float, float, float]:
    """Return the mean of differences over folds that share training rows, and its 95 % interval (Nadeau and Bengio 2003).

    The variance of the mean is (1/n + test/train) times that of the n values, where one of five folds is tested.
    """
    mean, spread = float(values.mean()), float(values.std(ddof=1))
    half = float(t.ppf(0.975, len(values) - 1)) * spread * (1 / len(values) + 1 / (FOLDS - 1)) ** 0.5
    return mean, mean - half, mean + half


def markdown(lines: pd.DataFrame) -> str:
    """Return what was found as two tables a task: how good each model is, and how far the best net is from the best other."""
    text = ["# How good the nets are", "", f"By `{HERE.name}/training_quality.py`; see there how winners are chosen."]
    for metric, name in JUDGED.items():
        if metric in lines and len(some := lines[lines[metric].notna()]):
            text += ["", *_means(some, metric, name), "", *_distances(some, metric, name)]
    return "\n".join(text) + "\n"


def _means(lines: pd.DataFrame, metric: str, name: str) -> list[str]:
    means = lines[lines["fit"] == "first"].pivot_table(index="case", columns="model", values=metric)
    return [
        f"{name}, mean over the folds:",
        "",
        f"| case | {' | '.join(means.columns)} |",
        "|---" * (1 + len(means.columns)) + "|",
        *(f"| {case} | {' | '.join(f'{value:.4f}' for value in values)} |" for case, *values in means.itertuples()),
    ]


def _distances(lines: pd.DataFrame, metric: str, name: str) -> list[str]:
    text = [
        "Best net - best other model, each chosen on validation rows (how often which):",
        "",
        f"| case | folds | net fitted on | difference in {name.removeprefix('ROC ')} | 95 % interval | at least {GOAL} "
        "| nets chosen | others chosen |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for case, some in differences(lines, metric).groupby("case"):
        chosen = (", ".join(f"{k} {v}" for k, v in some[which].value_counts().items()) for which in ("net", "other"))
        both = " | ".join(chosen)
        for fit, rows in FITS.items():
            if len(values := some[fit].dropna().to_numpy()) > 1:
                mean, low, high = corrected_interval(values)
                verdict = "yes" if mean >= GOAL else f"no, by {GOAL - mean:.4f}"
                text.append(
                    f"| {case} | {len(values)} | {rows} | {mean:+.4f} | {low:+.4f} to {high:+.4f} | {verdict} | {both} |"
                )
    return text


if __name__ == "__main__":
    run(main)
