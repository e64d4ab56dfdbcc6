"""What dlx makes of models as people bring them: `python experiments/compatibility.py` writes compatibility.md.

Each model is fitted, wrapped and explained: the lines that this takes, the route that dlx chose, which methods are exact, valid
or refused, and the largest differences from the model's own predict and from the Shapley values by enumeration through it.
CatBoost, skops and what writes ONNX (skl2onnx, onnxmltools) are left out where they are not installed.
"""

from __future__ import annotations

import argparse
import importlib.util
import tempfile
import warnings
from collections.abc import Callable, Iterator
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import lightgbm
import lightning
import numpy as np
import pandas as pd
import torch
import xgboost
from doors.held_models import shapley
from doors.told import made_with
from running import run
from sklearn import decomposition, ensemble, impute, linear_model, preprocessing, svm, tree
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.utils import all_estimators
from torch import nn

import dlx
from dlx import explainers
from dlx.audit.compatibility import preflight
from dlx.errors import DlxError
from dlx.files import write_atomically
from dlx.model import Model, Scale, open_model, rescaled
from dlx.model.model_files import UntrustedError
from dlx.threads import one_thread

ROWS, PEOPLE, BACKGROUND = 300, 3, 6
NUMBERS, WORDS = ["income", "age", "children"], ["job", "grade"]
LEFT_OUT = (  # around others, of several outputs, of words' counts, of one column, or without an answer for everybody
    *("Dummy", "ClassifierChain", "MultiOutput", "RegressorChain", "OutputCode", "OneVs", "MultiTask", "PLS", "CCA"),
    *("CategoricalNB", "ComplementNB", "MultinomialNB", "IsotonicRegression", "RadiusNeighbors"),
)


class Brought(NamedTuple):
    """A model as it is brought: what it is, what makes it, and the table that it is fitted on."""

    family: str
    name: str
    make: Callable[[pd.DataFrame, pd.Series], Any]  # a fitted estimator, a function or a net
    table: str  # of `people`


class Filed(NamedTuple):
    """A model as a file, and the one that it was written of."""

    path: Path
    original: Any


class Lit(lightning.LightningModule):
    """A net as Lightning has it."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """Return log-odds, [rows, 1]."""
        return self.net(rows)


@cache
def people(kind: str) -> tuple[pd.DataFrame, pd.Series, dlx.Dataset]:
    """Return a table, its outcomes and a Dataset: of "numbers", with "gaps", with "words", "native" categories or "levels".

    Levels are native categories without gaps, which CatBoost and ONNX ask for. Of three classes the Dataset is of the second.
    """
    rng, (columns, task) = np.random.default_rng(0), kind.split(" of ")
    table = pd.DataFrame(
        {"income": rng.gamma(2, size=ROWS), "age": rng.normal(40, 9, ROWS), "children": rng.integers(0, 5, ROWS)}
    )
    score = table["income"] + 0.1 * (table["age"] - 40) * (table["children"] > 2) - 2
    if columns != "numbers":
        table.loc[rng.random(ROWS) < 0.15, "income"] = np.nan
    if columns in ("words", "native", "levels"):
        table["job"] = rng.choice(["clerk", "smith", "none"], ROWS)
        table["grade"] = pd.Categorical(rng.choice(["low", "mid", "top"], ROWS), ["low", "mid", "top"], ordered=True)
        score += (table["job"] == "smith") * 1.0 - (table["grade"] == "top")
        table.loc[(rng.random(ROWS) < 0.15) & (columns != "levels"), "job"] = None
        table["job"] = table["job"].astype(object if columns == "words" else "category")
    outcome = pd.Series(score + rng.normal(size=ROWS) / 2, name="y")
    if task == "values":
        outcome = np.exp(outcome / 2)
    else:
        outcome = (outcome > 0).astype(int) + ((outcome > 1) & (task == "three")).astype(int)
    whole = table.assign(y=outcome)
    case = dlx.from_frame(whole, dlx.infer_schema(whole, "y"))
    return table, outcome, case.of_class("1") if task == "three" else case


def families() -> Iterator[Brought]:
    """Yield every classifier and regressor of scikit-learn that fits numbers as it is."""
    stumps = [("a", tree.DecisionTreeClassifier(max_depth=3)), ("b", linear_model.LogisticRegression())]
    for task, kind in (("classes", "classifier"), ("values", "regressor")):
        for name, cls in all_estimators(kind):
            if name.startswith(LEFT_OUT):
                continue
            try:
                estimator = cls(random_state=0) if "random_state" in cls().get_params() else cls()
            except TypeError:  # it is around another
                continue
            yield Brought(f"scikit-learn {kind}s", name, estimator.fit, f"numbers of {task}")
    for shell in (
        ensemble.VotingClassifier(stumps, voting="soft"),
        ensemble.StackingClassifier(stumps, cv=2),
        GridSearchCV(linear_model.LogisticRegression(), {"C": [0.1, 1]}, cv=2),
    ):
        yield Brought("scikit-learn classifiers", type(shell).__name__, shell.fit, "numbers of classes")


def pipelines() -> Iterator[Brought]:
    """Yield eight shapes of pipelines that keep columns apart, and some that do not, each with several last steps."""
    filled = impute.SimpleImputer(add_indicator=True)
    apart = make_pipeline(impute.SimpleImputer(strategy="most_frequent"), preprocessing.OneHotEncoder(handle_unknown="ignore"))
    ordinal = preprocessing.OrdinalEncoder(encoded_missing_value=-1)
    shapes = {
        "scaling, one-hot": (make_pipeline(filled, preprocessing.StandardScaler()), apart),
        "filling, ordinal": (filled, ordinal),
        "splines, one-hot": (make_pipeline(filled, preprocessing.SplineTransformer(4)), apart),
        "bins, one-hot": (make_pipeline(impute.SimpleImputer(), preprocessing.KBinsDiscretizer(4)), apart),
        "ordinal bins, ordinal": (
            make_pipeline(impute.SimpleImputer(), preprocessing.KBinsDiscretizer(4, encode="ordinal")),
            ordinal,
        ),
        "ranks, one-hot": (make_pipeline(filled, preprocessing.QuantileTransformer(n_quantiles=30)), apart),
        "powers, target": (make_pipeline(filled, preprocessing.PowerTransformer()), preprocessing.TargetEncoder()),
        "logarithms, rare together": (
            make_pipeline(filled, preprocessing.FunctionTransformer(np.log1p), preprocessing.StandardScaler()),
            preprocessing.OneHotEncoder(min_frequency=80, handle_unknown="infrequent_if_exist"),
        ),
        "PCA, one-hot": (make_pipeline(filled, preprocessing.StandardScaler(), decomposition.PCA(2)), apart),
        "nearest neighbours fill, one-hot": (impute.KNNImputer(), apart),
    }
    lasts = {
        "logistic": linear_model.LogisticRegression(max_iter=5_000),
        "forest": ensemble.RandomForestClassifier(20, max_depth=6, random_state=0),
        "XGBoost": xgboost.XGBClassifier(n_estimators=20, max_depth=3, n_jobs=1),
    }
    calibrated = {
        "one sigmoid over a linear SVM": CalibratedClassifierCV(svm.LinearSVC(), ensemble=False),
        "five sigmoids over linear SVMs": CalibratedClassifierCV(svm.LinearSVC()),
        "isotonic over a forest": CalibratedClassifierCV(lasts["forest"], ensemble=False, method="isotonic"),
    }
    for shape, (numbers, words) in shapes.items():
        for name, last in (lasts | (calibrated if shape == "scaling, one-hot" else {})).items():
            steps = make_column_transformer((numbers, NUMBERS), (words, WORDS))
            yield Brought("pipelines", f"{shape}: {name}", make_pipeline(steps, last).fit, "words of classes")


def boosters() -> Iterator[Brought]:
    """Yield boosters on numbers with gaps and on pandas categories."""
    for columns, task in (("gaps", "classes"), ("native", "classes"), ("native", "values")):
        kind = "Classifier" if task == "classes" else "Regressor"
        made = {
            "XGBoost": getattr(xgboost, f"XGB{kind}")(n_estimators=20, max_depth=4, enable_categorical=True, n_jobs=1),
            "LightGBM": getattr(lightgbm, f"LGBM{kind}")(n_estimators=20, verbose=-1, n_jobs=1),
            "histogram boosting": getattr(ensemble, f"HistGradientBoosting{kind}")(max_iter=20),
        }
        if importlib.util.find_spec("catboost") and columns == "gaps":
            catboost = importlib.import_module("catboost")
            made["CatBoost"] = catboost.CatBoostClassifier(iterations=20, depth=4, verbose=0, allow_writing_files=False)
        for name, booster in made.items():
            yield Brought("boosters", f"{name}, {columns}, {task}", booster.fit, f"{columns} of {task}")
    if importlib.util.find_spec("catboost"):
        for task, kind in (("classes", "Classifier"), ("values", "Regressor")):
            made = {"verbose": 0, "allow_writing_files": False, "iterations": 20, "depth": 4, "cat_features": WORDS}
            booster = getattr(importlib.import_module("catboost"), f"CatBoost{kind}")(**made)
            yield Brought("boosters", f"CatBoost, native categories, gaps in numbers, {task}", booster.fit, f"levels of {task}")


def several() -> Iterator[Brought]:
    """Yield models of three classes, of which the second is told."""
    few: dict[str, Any] = {"n_estimators": 20, "n_jobs": 1}
    made = {
        "one tree": tree.DecisionTreeClassifier(max_depth=4, random_state=0),
        "forest": ensemble.RandomForestClassifier(20, max_depth=6, random_state=0),
        "extra trees": ensemble.ExtraTreesClassifier(20, max_depth=6, random_state=0),
        "gradient boosting": ensemble.GradientBoostingClassifier(n_estimators=20, random_state=0),
        "histogram boosting": ensemble.HistGradientBoostingClassifier(max_iter=20),
        "XGBoost": xgboost.XGBClassifier(max_depth=4, **few),
        "LightGBM": lightgbm.LGBMClassifier(verbose=-1, **few),
        "LightGBM, each class against the others": lightgbm.LGBMClassifier(objective="multiclassova", verbose=-1, **few),
        "logistic regression": linear_model.LogisticRegression(max_iter=5_000),
        "one forest a class against the others": OneVsRestClassifier(
            ensemble.RandomForestClassifier(20, max_depth=6, random_state=0)
        ),
    }
    if importlib.util.find_spec("catboost"):
        cat: dict[str, Any] = {"iterations": 20, "depth": 4, "verbose": 0, "allow_writing_files": False}
        boosted = importlib.import_module("catboost").CatBoostClassifier
        made["CatBoost"] = boosted(loss_function="MultiClass", **cat)
        made["CatBoost, each class against the others"] = boosted(loss_function="MultiClassOneVsAll", **cat)
    for name, estimator in made.items():
        yield Brought("one of three classes", name, estimator.fit, "numbers of three")
    words = make_column_transformer((impute.SimpleImputer(), NUMBERS), (preprocessing.OrdinalEncoder(), WORDS))
    yield Brought("one of three classes", "ordinal: forest", make_pipeline(words, made["forest"]).fit, "words of three")
    yield Brought("one of three classes", "torch", lambda *_: small_net(3), "numbers of three")


def files(folder: Path) -> Iterator[Brought]:
    """Yield models as files, as `--model` and `dlx.model.open_model` take them."""
    numbers, levels, native = "numbers of classes", "levels of classes", "native of classes"
    filled = make_pipeline(impute.SimpleImputer(), preprocessing.StandardScaler())
    steps = make_column_transformer((filled, NUMBERS), (preprocessing.OneHotEncoder(handle_unknown="ignore"), WORDS))
    last = ensemble.GradientBoostingClassifier(n_estimators=20, random_state=0)
    booster = xgboost.XGBClassifier(n_estimators=20, max_depth=4, enable_categorical=True, n_jobs=1)

    def filed(name: str, estimator: Any, write: Callable[[Any, Path, pd.DataFrame], Any]) -> Callable[..., Filed]:
        def make(table: pd.DataFrame, outcome: pd.Series) -> Filed:
            write(estimator.fit(table, outcome), folder / name, table)
            return Filed(folder / name, estimator)

        return make

    for suffix in ("json", "ubj"):
        written = filed(f"native.{suffix}", booster, lambda made, path, _: made.save_model(path))
        yield Brought("files", f"XGBoost, native categories, .{suffix}", written, native)
    light = lightgbm.LGBMClassifier(n_estimators=20, verbose=-1, n_jobs=1)
    written = filed("light.txt", light, lambda made, path, _: made.booster_.save_model(path))
    yield Brought("files", "LightGBM, native categories, .txt", written, native)
    if importlib.util.find_spec("catboost"):
        made = {"verbose": 0, "allow_writing_files": False, "iterations": 20, "depth": 4, "cat_features": WORDS}
        cat = importlib.import_module("catboost").CatBoostClassifier(**made)
        yield Brought(
            "files", "CatBoost, native categories, .cbm", filed("cat.cbm", cat, lambda c, p, _: c.save_model(p)), levels
        )
    if importlib.util.find_spec("skops"):
        dump = importlib.import_module("skops.io").dump
        for name, one in (("logistic", linear_model.LogisticRegression(max_iter=5_000)), ("forest", last)):
            written = filed(f"{name}.skops", make_pipeline(steps, one), lambda made, path, _: dump(made, path))
            yield Brought("files", f"pipeline, {name}, .skops", written, "words of classes")
    if importlib.util.find_spec("skl2onnx"):
        written = filed("numbers.onnx", make_pipeline(preprocessing.StandardScaler(), last), write_onnx)
        yield Brought("files", "scikit-learn, numbers, .onnx", written, numbers)
        written = filed("levels.onnx", make_pipeline(steps, linear_model.LogisticRegression(max_iter=5_000)), write_onnx)
        yield Brought("files", "scikit-learn, one-hot, .onnx", written, levels)
    if importlib.util.find_spec("onnxmltools"):
        plain = xgboost.XGBClassifier(n_estimators=20, max_depth=4, n_jobs=1)
        name = f"XGBoost by onnxmltools {version('onnxmltools')}, .onnx"
        yield Brought("files", name, filed("boosted.onnx", plain, write_boosted_onnx), numbers)


def write_onnx(made: Any, path: Path, table: pd.DataFrame) -> None:
    """Write a fitted pipeline as ONNX, an input for each column."""
    skl2onnx = importlib.import_module("skl2onnx")
    types = importlib.import_module("skl2onnx.common.data_types")
    names = {name: types.FloatTensorType if name in NUMBERS else types.StringTensorType for name in table}
    inputs = [(name, kind([None, 1])) for name, kind in names.items()]
    if not hasattr(made[0], "transformers_"):
        inputs = [("rows", types.FloatTensorType([None, table.shape[1]]))]
    path.write_bytes(skl2onnx.to_onnx(made, initial_types=inputs, options={"zipmap": False}).SerializeToString())


def write_boosted_onnx(made: Any, path: Path, table: pd.DataFrame) -> None:
    """Write a booster of XGBoost as ONNX, whose columns have no names there."""
    types = importlib.import_module("onnxmltools.convert.common.data_types")
    convert = importlib.import_module("onnxmltools").convert_xgboost
    booster = made.get_booster()
    booster.feature_names = None
    path.write_bytes(
        convert(booster, initial_types=[("rows", types.FloatTensorType([None, table.shape[1]]))]).SerializeToString()
    )


def small_net(outputs: int) -> nn.Module:
    """Return an untrained net of three numbers."""
    torch.manual_seed(0)
    return nn.Sequential(nn.BatchNorm1d(3), nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, outputs)).eval()


def others() -> Iterator[Brought]:
    """Yield nets, a decision function and a function."""
    yield Brought("nets", "torch", lambda *_: small_net(1), "numbers of classes")
    yield Brought("nets", "Lightning", lambda *_: Lit(small_net(1)).eval(), "numbers of classes")
    yield Brought(
        "functions", "decision function of an SVM", lambda t, y: svm.SVC().fit(t, y).decision_function, "numbers of classes"
    )
    yield Brought(
        "functions", "a rule", lambda *_: lambda t: 0.2 + 0.6 * (t["income"] > 2) * (t["age"] < 45), "numbers of classes"
    )


def own_outputs(model: Any) -> tuple[Callable[[pd.DataFrame], np.ndarray], Scale]:
    """Return a model's own outputs of a table, which dlx has no part in, and their scale."""
    if isinstance(model, torch.nn.Module):

        def outputs(table: pd.DataFrame) -> np.ndarray:
            given = model(torch.tensor(table.to_numpy(np.float32))).detach().double()
            return (given if given.shape[1] == 1 else given[:, 1] - given[:, [0, 2]].logsumexp(1)).numpy().ravel()

        return outputs, "logit"
    if hasattr(model, "predict_proba"):
        return lambda t: model.predict_proba(t)[:, 1].astype(float), "probability"
    if hasattr(model, "predict"):
        return lambda t: np.asarray(model.predict(t), dtype=float).ravel(), "value"
    return lambda t: np.asarray(model(t), dtype=float), "logit" if hasattr(model, "__self__") else "probability"


def line_of(brought: Brought) -> dict[str, str]:
    """Return what came of a model, as a line of the table."""
    table, outcome, case = people(brought.table)
    told = {"family": brought.family, "model": brought.name, "lines": "1"}
    try:
        made = brought.make(table, outcome)
    except (TypeError, ValueError) as error:  # it does not fit this table
        return told | {"route": f"not fitted: {' '.join(str(error).split())[:80]}"}
    if isinstance(made, Filed):
        return told | _of_file(made, case, table)
    margin = not hasattr(made, "predict_proba") and hasattr(made, "decision_function")
    asked = made.decision_function if margin else made
    try:
        is_margin = margin or hasattr(made, "__self__")
        model = dlx.wrap(asked, case, **({"scale": "logit"} if is_margin else {}))
    except DlxError as error:
        return told | {"route": f"refused: {error}"}
    told["lines"] = "1, of its decision_function" if margin else "1"
    own, scale = own_outputs(asked)
    return (
        told
        | {"route": model.route or type(model).__name__}
        | methods_of(model, case)
        | distances(model, case, table, own, scale)
    )


def _of_file(made: Filed, case: dlx.Dataset, table: pd.DataFrame) -> dict[str, str]:
    """Return what came of a model as a file, held to the one that it was written of."""
    try:
        model = open_model(str(made.path), case)
    except UntrustedError as error:
        model = open_model(str(made.path), case, trusted=error.types)
    except DlxError as error:
        return {"route": f"refused: {error}"}
    own, scale = own_outputs(made.original)
    return {"route": model.route} | methods_of(model, case) | distances(model, case, table, own, scale)


def methods_of(model: Model, case: dlx.Dataset) -> dict[str, str]:
    """Return which methods are exact, which valid, and which refused for what reason, as cells of a line."""
    found = preflight(model, case[:PEOPLE], case[10 : 10 + BACKGROUND]).set_index("method")
    valid = [name for name in found.index if found.loc[name, "verdict"] != "not valid"]
    exact = [name for name in valid if explainers.exact_for(name, model, model.scales[0])]
    said = found["reason"][~found.index.isin(valid)]
    reasons = pd.Series(
        [reason.partition("; the methods")[0].removeprefix(f"{name} ") for name, reason in said.items()], said.index
    )
    why = [f"{', '.join(names)}: {reason}" for reason, names in reasons.groupby(reasons).groups.items()]
    return {"exact": ", ".join(exact), "valid": ", ".join(sorted(set(valid) - set(exact))), "refused": "; ".join(why)}


def distances(
    model: Model, case: dlx.Dataset, table: pd.DataFrame, own: Callable[..., np.ndarray], scale: Scale
) -> dict[str, str]:
    """Return the largest differences from the model's own predict and from Shapley values by enumeration through it."""
    explained, right = model.scales[0], own(table)
    shared = explained if scale in ("value", "logit") else "probability"
    apart = np.abs(model.predict(case, scale if scale in model.scales else shared) - right).max()
    some, background = table[:PEOPLE], table[10 : 10 + BACKGROUND]
    method = explainers.best_shapley(model, explained)
    made = dlx.explain(model, some, method=method, background=background, scale=explained)
    brute = shapley(lambda t: rescaled(own(t), scale, explained, model.name), some, background)
    return {"predict": f"{apart:.1g}", "Shapley": f"{np.abs(made.values - brute).max():.1g} ({method})"}


HEADERS = {
    **{"family": "", "model": "Model", "lines": "Lines", "route": "Route", "exact": "Exact methods", "valid": "Valid methods"},
    **{"refused": "Refused", "predict": "From its own predict", "Shapley": "From brute force"},
}


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="models whose family or name holds this")
    parser.add_argument("--output", type=Path, default=Path(__file__).with_suffix(".md"))
    asked, lines = parser.parse_args(), []
    with warnings.catch_warnings(), one_thread(), tempfile.TemporaryDirectory() as folder:
        warnings.simplefilter("ignore")
        for brought in (*families(), *pipelines(), *boosters(), *several(), *others(), *files(Path(folder))):
            if asked.only in f"{brought.family} {brought.name}":
                lines.append(line_of(brought))
                print(f"{brought.name}: {lines[-1]['route']}", flush=True)
    write_atomically(asked.output, written(pd.DataFrame(lines, columns=list(HEADERS)).fillna("")))


def written(lines: pd.DataFrame) -> str:
    """Return the lines as Markdown, a table a family."""
    read = lines["route"].str.startswith("Read as")
    made = [made_with(), *([f"catboost {version('catboost')}"] if importlib.util.find_spec("catboost") else [])]
    parts = [
        "# Models as people bring them",
        f"`python experiments/compatibility.py`, {', '.join(made)}. {ROWS} rows; {PEOPLE} people against {BACKGROUND} others. "
        f"Of {len(lines)} models {read.sum()} are read exactly, {lines['route'].str.startswith('Only').sum()} are only asked, "
        f"{lines['route'].str.startswith('refused').sum()} refused.",
    ]
    for family, some in lines.groupby("family", sort=False):
        parts += [f"## {family[0].upper()}{family[1:]}", grid(some.drop(columns="family"))]
    return "\n\n".join(parts) + "\n"


def grid(some: pd.DataFrame, headers: dict[str, str] = HEADERS) -> str:
    """Return lines as a table of Markdown."""
    rows = [[headers[name] for name in some], ["---"] * some.shape[1], *some.to_numpy().tolist()]
    return "\n".join(f"| {' | '.join(str(cell).replace('|', ' ') for cell in row)} |" for row in rows)


if __name__ == "__main__":
    run(main)
