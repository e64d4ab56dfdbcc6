"""How often a model that was trained on the test rows is named, and one that was not: `python experiments/memorisers.py`.

Estimators of scikit-learn are fitted on all rows of a table, or on its training rows alone, nobody says which, and
`dlx.audit.training_rows` judges. The figures go to the .md beside this file.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from running import run
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

import dlx
from dlx.audit.training_rows import seen_rows
from dlx.dataset import Dataset, from_frame
from dlx.encoder import Encoder
from dlx.model import wrap

HERE = Path(__file__).parent
KINDS = {
    "random forest": lambda: RandomForestClassifier(60, random_state=0),
    "boosted trees": lambda: HistGradientBoostingClassifier(random_state=0),
    "decision tree": lambda: DecisionTreeClassifier(random_state=0),
    "nearest neighbour": lambda: KNeighborsClassifier(1),
    "15 nearest neighbours": lambda: KNeighborsClassifier(15),
    "logistic regression": lambda: make_pipeline(StandardScaler(), LogisticRegression(max_iter=1_000)),
}
LOGITS = {  # of a drawn table, by its six columns
    "a line": lambda x: 2 * x[:, 0] - x[:, 1],
    "a product": lambda x: 3 * x[:, 0] * x[:, 1],
    "nothing": lambda x: 0 * x[:, 0],
    "a steep line": lambda x: 6 * x[:, 0] + 4 * x[:, 1] - 3 * x[:, 2],
}


def tables() -> Iterator[tuple[str, Dataset]]:
    """Yield three shipped cases and twelve drawn tables, by name."""
    for name in ("bank_loan", "heart_disease", "heart_attack"):
        yield name, dlx.load(name)
    rng = np.random.default_rng(0)
    for rows, (name, logit) in itertools.product((150, 400, 1_000), LOGITS.items()):
        x = rng.normal(size=(rows, 6))
        table = pd.DataFrame(x, columns=list("abcdef")).assign(y=(rng.random(rows) < 1 / (1 + np.exp(-logit(x)))).astype(int))
        yield f"{name}, {rows} rows", from_frame(table, dlx.infer_schema(table, "y"), name="drawn")


def judged(case: Dataset) -> pd.DataFrame:
    """Return a line a model: what it was trained on, and whether it was named."""
    encoder = Encoder.fit(case.schema, case.train.rows)

    def fitted(kind: str, rows: Dataset) -> dlx.Model:
        estimator = KINDS[kind]().fit(encoder.transform(rows.rows, np.float64), rows.outcomes)

        def answer(table: pd.DataFrame) -> np.ndarray:
            return estimator.predict_proba(encoder.transform(case.schema.encode(table), np.float64))[:, 1]

        return wrap(answer, case.schema, name=f"{kind}/{'all rows' if rows is case else 'training rows'}")

    models = [fitted(kind, rows) for kind in KINDS for rows in (case, case.train)]
    told = seen_rows(models, case)
    return told.assign(kind=told["model"].str.split("/").str[0], trained=told["model"].str.split("/").str[1])


def main() -> None:
    """Judge the models of every table, and write how many were named."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--output", type=Path, default=HERE / "memorisers.md")
    asked = parser.parse_args()
    every = pd.concat([judged(case).assign(table=name) for name, case in tables()])
    named = every.groupby(["kind", "trained"])["knows_too_well"].agg(["sum", "count"]).unstack()
    lines = [str(__doc__), "| estimator | named, trained on all rows | named, trained on the training rows |", "|---|---|---|"]
    for kind in KINDS:
        cells = [
            f"{named.loc[kind, ('sum', rows)]} of {named.loc[kind, ('count', rows)]}" for rows in ("all rows", "training rows")
        ]
        lines.append(f"| {kind} | {' | '.join(cells)} |")
    asked.output.write_text("\n".join([*lines, ""]), encoding="utf-8")
    print(asked.output)


if __name__ == "__main__":
    run(main)
