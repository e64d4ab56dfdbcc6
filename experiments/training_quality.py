"""How far the best net is from the best other model, on repeated folds; winners are chosen on validation rows.

In each fold a fifth of the training rows is set aside: nets stop by it, and of the nets, and of all other models, the one is
taken whose log loss is smallest there; the others are then fitted on all training rows. What both reach on the fold's test rows
is compared, with an interval that is corrected for folds that share training rows (Nadeau and Bengio 2003). Lines are kept in a
CSV file as they come, and what it holds is not measured again: a run can be stopped and taken up.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from cross_validate import FOLDS, SCORES, STOPPING_SHARE, splits
from running import run
from scipy.stats import t
from sklearn.model_selection import train_test_split

from dlx import architectures, cases, training
from dlx.dataset import Dataset
from dlx.files import write_atomically
from dlx.progress import Narrator

HERE = Path(__file__).parent
GOAL = -0.003  # of the mean difference in AUC
KEY = ["case", "model", "repeat", "fold"]


def main() -> None:
    """Measure what is not in the CSV file yet, and write the table beside it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--case", action="append", choices=cases.names(), help="may be given again; all by default")
    parser.add_argument(
        "--model", action="append", choices=architectures.names("binary"), help="may be given again; all by default"
    )
    parser.add_argument("--repeats", type=int, default=2, help="how often the rows are shuffled and cut into 5 folds")
    parser.add_argument("--thorough", action="store_true", help="10 repeats")
    parser.add_argument("--output", type=Path, default=HERE / "training_quality.csv", help="the CSV file")
    arguments = parser.parse_args()
    repeats = 10 if arguments.thorough else arguments.repeats
    narrator = Narrator()
    for case in arguments.case or cases.names():
        with narrator.step(f"Training on {case}", "folds") as update:
            for done, (repeat, fold, rest, test) in enumerate(splits(cases.load(case), repeats), 1):
                for model in arguments.model or architectures.names("binary"):
                    _measure(arguments.output, {"case": case, "model": model, "repeat": repeat, "fold": fold}, rest, test)
                update(done, repeats * FOLDS)
    table = markdown(pd.read_csv(arguments.output))
    print(table)
    write_atomically(arguments.output.with_suffix(".md"), table)


def _measure(path: Path, key: dict[str, str | int], rest: Dataset, test: Dataset) -> None:
    """Add a line to the file: the log loss of a model on the validation rows of a fold, its scores on the test rows."""
    known = pd.read_csv(path) if path.exists() else pd.DataFrame(columns=KEY)
    if (known[KEY] == pd.Series(key)[KEY]).all(axis=1).any():
        return
    seed, name = FOLDS * int(key["repeat"]) + int(key["fold"]), str(key["model"])
    parts = train_test_split(np.arange(len(rest)), test_size=STOPPING_SHARE, stratify=rest.outcomes, random_state=seed)
    train, validation = (rest[np.sort(part)] for part in parts)
    model = training.fit(name, train, validation, seed=seed, device="cpu").model
    chosen_by = SCORES["log_loss"](validation.outcomes, model.predict(validation, "probability"))
    if not architectures.is_net(name):
        model = training.fit(name, rest, validation, seed=seed, device="cpu").model
    predicted = model.predict(test, "probability")
    scores = {metric: score(test.outcomes, predicted) for metric, score in SCORES.items()}
    line = pd.DataFrame([key | {"validation_log_loss": chosen_by} | scores]).round(6)
    line.to_csv(path, mode="a", header=not path.exists(), index=False)


def differences(lines: pd.DataFrame) -> pd.DataFrame:
    """Return, for each fold, the AUC of the net and of the other model that the validation rows choose, and the difference."""
    lines = lines.assign(is_net=lines["model"].map(architectures.is_net)).sort_values("validation_log_loss", kind="stable")
    chosen = lines.groupby(["case", "repeat", "fold", "is_net"]).first()[["model", "auc"]].unstack("is_net")
    chosen = chosen.reindex(columns=pd.MultiIndex.from_product([["model", "auc"], [True, False]]))
    found = pd.DataFrame({"net": chosen["model"][True], "other": chosen["model"][False]})
    return found.assign(difference=chosen["auc"][True] - chosen["auc"][False]).dropna().reset_index()


def corrected_interval(values: np.ndarray) -> tuple[float, float, float]:
    """Return the mean of differences over folds that share training rows, and its 95 % interval (Nadeau and Bengio 2003).

    The variance of the mean is (1/n + test/train) times that of the n values, where one of five folds is tested.
    """
    mean, spread = float(values.mean()), float(values.std(ddof=1))
    half = float(t.ppf(0.975, len(values) - 1)) * spread * (1 / len(values) + 1 / (FOLDS - 1)) ** 0.5
    return mean, mean - half, mean + half


def markdown(lines: pd.DataFrame) -> str:
    """Return what was found as two tables: how good each model is, and how far the best net is from the best other one."""
    means = lines.pivot_table(index="case", columns="model", values="auc").round(4)
    text = [
        "# How good the nets are",
        "",
        f"By `{HERE.name}/training_quality.py`; see there how winners are chosen.",
        "",
        "ROC AUC, mean over the folds:",
        "",
        f"| case | {' | '.join(means.columns)} |",
        "|---" * (1 + len(means.columns)) + "|",
        *(f"| {case} | {' | '.join(f'{value:.4f}' for value in scores)} |" for case, *scores in means.itertuples()),
        "",
        "Best net - best other model, each chosen on validation rows (net: how often which):",
        "",
        f"| case | folds | difference in AUC | 95 % interval | at least {GOAL} | nets chosen | others chosen |",
        "|---|---|---|---|---|---|---|",
    ]
    for case, some in differences(lines).groupby("case"):
        mean, low, high = corrected_interval(some["difference"].to_numpy())
        verdict = "yes" if mean >= GOAL else f"no, by {GOAL - mean:.4f}"
        chosen = (", ".join(f"{k} {v}" for k, v in some[which].value_counts().items()) for which in ("net", "other"))
        interval = f"{low:+.4f} to {high:+.4f}"
        text.append(f"| {case} | {len(some)} | {mean:+.4f} | {interval} | {verdict} | {' | '.join(chosen)} |")
    return "\n".join(text) + "\n"


if __name__ == "__main__":
    run(main)
