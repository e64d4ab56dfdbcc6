"""Fitted estimators that dlx can only ask: pipelines of encoders, ensembles of their own rule, functions of a DataFrame."""

from __future__ import annotations

from random import Random
from typing import Any

import lightgbm as lgb
import numpy as np
import pandas as pd
import xgboost as xgb
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.ensemble import (
    AdaBoostClassifier,
    AdaBoostRegressor,
    BaggingClassifier,
    BaggingRegressor,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    IsolationForest,
    RandomForestClassifier,
    StackingClassifier,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from doors.boosters import float32_bound
from doors.fitted import Fitted, Outputs, Problem, exact, of_class
from doors.views import chosen_class, told
from doors.worlds import ANY, COMPLETE, NUMBERS, categories, coded, counts, doubles, flags, texts, world

CLASSIFIERS = (
    *(lambda: LogisticRegression(max_iter=300), lambda: KNeighborsClassifier(7), GaussianNB),
    *(
        lambda: RandomForestClassifier(10, max_depth=5, random_state=0),
        lambda: HistGradientBoostingClassifier(max_iter=10, random_state=0),
    ),
    *(lambda: MLPClassifier((8,), max_iter=30, random_state=0), lambda: DecisionTreeClassifier(max_depth=4, random_state=0)),
)
REGRESSORS = (
    LinearRegression,
    Ridge,
    lambda: KNeighborsRegressor(5),
    lambda: DecisionTreeRegressor(max_depth=4, random_state=0),
)


def pipeline(random: Random) -> Fitted:
    """Return a pipeline that encodes columns by their dtypes: levels unknown to it are ignored without a word."""
    kind = random.choice(("binary", "binary", "binary", "multiclass", "regression"))
    problem = Problem(world(random, (*ANY, coded, flags), kind=kind), random)
    last = random.choice(REGRESSORS if kind == "regression" else CLASSIFIERS)()
    estimator = make_pipeline(_encoded(problem, random), SimpleImputer(), StandardScaler(), last)
    estimator.fit(problem.world.seen, problem.world.seen_outcome)
    return asked(estimator, problem, f"pipeline of {type(last).__name__}")


def _encoded(problem: Problem, random: Random) -> Any:
    """Return what encodes text, categories, flags and codes, one way or the other, and lets numbers pass."""
    frame = problem.world.frame
    grouped = [name for name in frame if not pd.api.types.is_numeric_dtype(frame[name]) or name.startswith(("coded", "flags"))]
    unknown = {"handle_unknown": "ignore", "sparse_output": False}
    ordinal = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    encoder = random.choice((OneHotEncoder(**unknown), ordinal, OneHotEncoder(drop="first", sparse_output=False)))
    rest = [name for name in frame if name not in grouped]
    return make_column_transformer((encoder, grouped), ("passthrough", rest), sparse_threshold=0)


def asked(estimator: Any, problem: Problem, name: str, doors: tuple[str, ...] = ("wrap",), *, is_plain: bool = True) -> Fitted:
    """Return an estimator on the user's own frame, whose predict or predict_proba says what is right."""
    target, level = chosen_class(problem)
    if level is None:
        own: dict[str, Outputs] = {"value": lambda frame: np.asarray(estimator.predict(frame), dtype=np.float64)}
    else:
        one = of_class(estimator, level)
        own = {"probability": lambda frame: one(estimator.predict_proba(frame))}
    return Fitted(name, problem, estimator, own, doors, is_plain, target)


def ensemble_of_its_own(random: Random) -> Fitted:
    """Return what has estimators_ and is no plain mean of trees: read as it is, asked, or refused."""
    problem = Problem(world(random, COMPLETE), random)
    small, large = DecisionTreeClassifier(max_depth=2, random_state=0), DecisionTreeClassifier(max_depth=6, random_state=0)
    estimator = random.choice(
        (
            AdaBoostClassifier(small, n_estimators=8, random_state=0),
            BaggingClassifier(large, n_estimators=6, random_state=0),
            BaggingClassifier(large, n_estimators=6, max_features=0.6, random_state=0),
            VotingClassifier([("a", small), ("b", large)], voting="soft", weights=[1, 9]),
            VotingClassifier([("a", small), ("b", large), ("c", GaussianNB())], voting="soft"),
            StackingClassifier([("a", small), ("b", large)], cv=3),
            RandomForestClassifier(8, max_depth=4, max_samples=0.5, random_state=0),
            GradientBoostingClassifier(
                n_estimators=5, random_state=0, init=DecisionTreeClassifier(max_depth=1, random_state=0)
            ),
        )
    )
    estimator.fit(problem.world.seen, problem.world.seen_outcome)
    return asked(estimator, problem, f"{type(estimator).__name__} of its own rule", ("wrap_trees", "wrap"), is_plain=False)


def regression_ensemble(random: Random) -> Fitted:
    """Return regressors of the same kind, and the scores of a forest that isolates."""
    problem = Problem(world(random, COMPLETE, kind="regression"), random)
    small, large = DecisionTreeRegressor(max_depth=2, random_state=0), DecisionTreeRegressor(max_depth=6, random_state=0)
    estimator = random.choice(
        (
            AdaBoostRegressor(small, n_estimators=8, random_state=0),
            BaggingRegressor(large, n_estimators=6, max_features=0.6, random_state=0),
            VotingRegressor([("a", small), ("b", large)], weights=[1, 4]),
            IsolationForest(n_estimators=10, random_state=0),
        )
    )
    estimator.fit(problem.world.seen, problem.world.seen_outcome)
    if isinstance(estimator, IsolationForest):
        own: dict[str, Outputs] = {"value": estimator.score_samples}
        return Fitted("IsolationForest", problem, estimator, own, ("wrap_trees",), is_plain=False)
    return asked(estimator, problem, f"{type(estimator).__name__} of its own rule", ("wrap_trees", "wrap"), is_plain=False)


def in_a_shell(random: Random) -> Fitted:
    """Return an estimator inside another that calibrates, searches or scales."""
    problem = Problem(world(random, NUMBERS[:5], kind=random.choice(("binary", "multiclass"))), random)
    forest = RandomForestClassifier(8, max_depth=4, random_state=0)
    estimator = random.choice(
        (
            CalibratedClassifierCV(forest, cv=3),
            CalibratedClassifierCV(SVC(), cv=3, method="isotonic"),
            GridSearchCV(forest, {"max_depth": [2, 3]}, cv=2),
            make_pipeline(StandardScaler(), MLPClassifier((8,), max_iter=30, random_state=0)),
            lgb.LGBMClassifier(n_estimators=8, verbose=-1, n_jobs=1),
        )
    )
    estimator.fit(problem.world.seen, problem.world.seen_outcome)
    return asked(estimator, problem, f"{type(estimator).__name__} around another")


def without_probability(random: Random) -> Fitted:
    """Return a classifier that gives classes only, or its scores under a stated scale."""
    problem = Problem(world(random, COMPLETE), random)
    estimator = make_pipeline(StandardScaler(), SVC()).fit(problem.world.seen, problem.world.seen_outcome)
    level = chosen_class(problem)[1] or ""
    one = of_class(estimator, level)
    own: dict[str, Outputs] = {"logit": lambda frame: one(estimator.decision_function(frame))}
    if random.random() < 0.5:
        return Fitted("SVC without probabilities", problem, estimator, own, is_plain=False)
    return Fitted("decision_function of an SVC", problem, own["logit"], own, scale="logit")


def function(random: Random) -> Fitted:
    """Return a function of a DataFrame that relies on dtypes, order and columns that it picks."""
    problem = Problem(world(random, (coded, flags, texts, categories, doubles, counts), most=4), random)
    dummies = pd.get_dummies(problem.world.seen)
    inner = LogisticRegression(max_iter=300).fit(dummies, problem.labels)
    last = problem.world.frame.columns[-1]
    grouped = pd.get_dummies(problem.world.seen[last].astype("object")).columns

    def dummied(frame: pd.DataFrame) -> np.ndarray:
        return inner.predict_proba(pd.get_dummies(frame).reindex(columns=dummies.columns, fill_value=0))

    def compared(frame: pd.DataFrame) -> pd.Series:
        return 0.2 + 0.6 * (frame[last] == problem.world.seen[last].iloc[0])

    def by_type(frame: pd.DataFrame) -> np.ndarray:
        known = frame[last].isin(grouped).to_numpy()
        return np.where(known, 0.3, 0.7) + 0.1 * (
            frame.dtypes.astype(str).tolist() == problem.world.frame.dtypes.astype(str).tolist()
        )

    chosen = random.choice((dummied, compared, by_type))

    def own(frame: pd.DataFrame) -> np.ndarray:
        outputs = np.asarray(chosen(frame), dtype=np.float64)
        return outputs[:, 1] if outputs.ndim == 2 else outputs

    return Fitted(f"function: {chosen.__name__}", problem, chosen, {"probability": own})


def objective_of_its_own(random: Random) -> Fitted:
    """Return boosters whose link or leaves only their owner knows: read right, asked, or refused."""
    problem = Problem(world(random, NUMBERS[:5], kind="regression", most=4), random)
    rows, values = problem.codes(problem.world.seen), problem.labels
    made: tuple[Any, ...] = (
        xgb.XGBRegressor(n_estimators=5, objective=lambda t, p: (p - t, np.ones_like(p)), n_jobs=1),
        lgb.LGBMRegressor(n_estimators=5, objective=lambda t, p: (p - t, np.ones_like(p)), verbose=-1, n_jobs=1),
        lgb.LGBMRegressor(n_estimators=5, linear_tree=True, verbose=-1, n_jobs=1),
        xgb.XGBRegressor(n_estimators=5, booster="gblinear", n_jobs=1),
        lgb.LGBMRegressor(n_estimators=5, objective="poisson", verbose=-1, n_jobs=1),
        xgb.XGBRegressor(n_estimators=5, objective="count:poisson", n_jobs=1),
        xgb.XGBRegressor(n_estimators=5, objective="reg:quantileerror", quantile_alpha=0.7, n_jobs=1),
        xgb.XGBRegressor(n_estimators=5, multi_strategy="multi_output_tree", n_jobs=1),
    )
    estimator = random.choice(made)
    positive = values - values.min() if "poisson" in str(estimator.get_params().get("objective")) else values
    is_wide = getattr(estimator, "multi_strategy", None) == "multi_output_tree"
    estimator.fit(rows, np.column_stack([values, -values]) if is_wide else positive)

    def own(frame: pd.DataFrame) -> np.ndarray:
        outputs = np.asarray(estimator.predict(problem.codes(frame)), dtype=np.float64)
        return outputs[:, 0] if outputs.ndim == 2 else outputs

    options = {
        k: v for k, v in estimator.get_params().items() if k in ("objective", "linear_tree", "booster", "multi_strategy") and v
    }
    bound = exact
    if isinstance(estimator, xgb.XGBModel) and not is_wide and estimator.booster != "gblinear":
        bound = float32_bound(estimator.get_booster(), lambda frame: estimator.apply(problem.codes(frame)))
    return Fitted(
        told(estimator, options), problem, estimator, {"value": own}, ("wrap_trees", "wrap"), is_plain=False, bound=bound
    )
