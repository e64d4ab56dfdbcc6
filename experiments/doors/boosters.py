"""Fitted boosters of XGBoost and LightGBM: on codes or a frame with pandas categories, with options of all kinds."""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random
from typing import Any

import lightgbm as lgb
import numpy as np
import pandas as pd
import xgboost as xgb

from doors.fitted import EPSILON, Fitted, Outputs, Problem, exact, of_class, spelled
from doors.views import KINDS, View, chosen_class, told, view_of
from doors.worlds import NUMBERS, World, categories, flags, world


def _boosted_world(random: Random, kind: str, on_frame: bool, labels: tuple[tuple[Any, ...], ...] = ()) -> World:
    makers = (*NUMBERS, flags, categories, categories) if on_frame or random.random() < 0.5 else NUMBERS
    return world(random, makers, kind=kind, labels=labels)


def xgboost(random: Random) -> Fitted:
    """Return a booster of XGBoost's scikit-learn face; its labels are positions."""
    kind, on_frame, is_named = random.choice(KINDS), random.random() < 0.4, random.random() < 0.85
    labels = () if not is_named else ((0, 1, 2),) if kind == "multiclass" else ((0, 1),)
    problem = Problem(_boosted_world(random, kind, on_frame, labels), random)
    view = view_of(problem, "frame" if on_frame else "named codes", random)
    options: dict[str, Any] = {"n_estimators": random.choice((3, 40)), "max_depth": random.choice((2, 6)), "n_jobs": 1}
    options |= random.choice(
        ({}, {"booster": "dart", "rate_drop": 0.3}, {"base_score": 0.3}, {"grow_policy": "lossguide"}, {"tree_method": "exact"})
    )
    options |= random.choice(({}, {"num_parallel_tree": 3}, {"subsample": 0.7}, {"reg_lambda": 0.0}))
    options |= {"missing": random.choice((-1.0, 0.0))} if random.random() < 0.1 and not on_frame else {}
    if kind == "regression" and random.random() < 0.3:
        options["objective"] = random.choice(("reg:absoluteerror", "reg:pseudohubererror"))
    if problem.grouped:
        options |= {"enable_categorical": True, "max_cat_to_onehot": random.choice((1, 4)), "tree_method": "hist"}
        if not on_frame:
            options["feature_types"] = ["c" if i in problem.grouped else "q" for i in range(len(problem.case.schema))]
    cls = random.choice(
        (xgb.XGBRegressor, xgb.XGBRFRegressor) if kind == "regression" else (xgb.XGBClassifier, xgb.XGBRFClassifier)
    )
    if cls in (xgb.XGBRFRegressor, xgb.XGBRFClassifier):
        options = {k: v for k, v in options.items() if k not in ("booster", "rate_drop", "num_parallel_tree", "base_score")}
    estimator = cls(**options)
    if (
        not problem.world.labels
        and random.random() < 0.3
        and hasattr(estimator, "early_stopping_rounds")
        and "RF" not in cls.__name__
    ):
        estimator.set_params(early_stopping_rounds=2)
        estimator.fit(
            view(problem.world.seen),
            problem.alphabetic,
            eval_set=[(view(problem.world.frame[-80:]), problem.world.outcome[-80:])],
            verbose=False,
        )
    else:
        estimator.fit(view(problem.world.seen), problem.alphabetic, sample_weight=problem.weights)
    return _of_xgboost(estimator, view, told(estimator, options, view.told))


def _of_xgboost(estimator: Any, view: View, name: str) -> Fitted:
    problem, doors = view.problem, view.doors
    target, level = chosen_class(problem)
    bound = float32_bound(estimator.get_booster(), lambda frame: estimator.apply(view(frame)))
    if level is None:
        return Fitted(
            name, problem, estimator, {"value": lambda frame: _floats(estimator.predict(view(frame)))}, doors, bound=bound
        )
    position, sign = sorted(problem.levels).index(level), 1 if problem.levels == tuple(sorted(problem.levels)) else -1
    own: dict[str, Outputs] = {"probability": lambda frame: _floats(estimator.predict_proba(view(frame)))[:, position]}
    if len(problem.levels) == 2:
        own["logit"] = lambda frame: sign * _floats(estimator.predict(view(frame), output_margin=True))
    is_named = [spelled(label) for label in estimator.classes_] == sorted(problem.levels)
    return Fitted(name, problem, estimator, own, doors, is_named, target, bound)


def float32_bound(booster: xgb.Booster, leaf_of: Callable[[pd.DataFrame], Any]) -> Outputs:
    """Return the bound of XGBoost's sums in float32: the trees times the unit of rounding times the sizes of a row's leaves."""
    leaves = [_leaves(json.loads(one)) for one in booster.get_dump(dump_format="json")]
    base = _base(booster)

    def bound(frame: pd.DataFrame) -> np.ndarray:
        where = np.asarray(leaf_of(frame)).reshape(len(frame), -1).astype(int)
        sizes = [np.array([leaves[t][leaf] for leaf in where[:, t]]) for t in range(where.shape[1])]
        return EPSILON * (len(leaves) + 2) * (np.sum(sizes, axis=0) + base)

    return bound


def _base(booster: xgb.Booster) -> float:
    """Return the size of the margin from which a booster starts."""
    text = json.loads(booster.save_config())["learner"]["learner_model_param"]["base_score"]
    bases = np.array(text.strip("[]").split(","), dtype=float)
    inside = bases[(bases > 0) & (bases < 1)]
    return float(np.abs(np.r_[bases, np.log(inside / (1 - inside))]).max())


def _leaves(node: dict[str, Any]) -> dict[int, float]:
    if "leaf" in node:
        return {node["nodeid"]: float(np.abs(node["leaf"]).max())}
    return {leaf: size for child in node["children"] for leaf, size in _leaves(child).items()}


def _floats(outputs: Any) -> np.ndarray:
    return np.asarray(outputs, dtype=np.float64)


def lightgbm(random: Random) -> Fitted:
    """Return a booster of LightGBM's scikit-learn face."""
    kind, on_frame = random.choice(KINDS), random.random() < 0.4
    problem = Problem(_boosted_world(random, kind, on_frame), random)
    view = view_of(problem, "frame" if on_frame else "named codes", random)
    options: dict[str, Any] = {
        "n_estimators": random.choice((3, 40)),
        "num_leaves": random.choice((4, 31)),
        "n_jobs": 1,
        "verbose": -1,
    }
    options |= random.choice(
        ({}, {"boosting_type": "dart"}, {"boosting_type": "rf", "subsample": 0.6, "subsample_freq": 1}, {"extra_trees": True})
    )
    options |= random.choice(
        ({}, {"min_child_samples": 1}, {"max_bin": 15}, {"path_smooth": 1.0}, {"max_cat_to_onehot": 1, "cat_smooth": 0.1})
    )
    if kind == "regression" and random.random() < 0.3:
        options["objective"] = random.choice(("l1", "huber", "quantile"))
    if random.random() < 0.1 and not on_frame:
        options["zero_as_missing"] = True
    estimator = (lgb.LGBMRegressor if kind == "regression" else lgb.LGBMClassifier)(**options)
    how: dict[str, Any] = {} if on_frame or not problem.grouped else {"categorical_feature": problem.grouped}
    estimator.fit(view(problem.world.seen), problem.world.seen_outcome, sample_weight=problem.weights, **how)
    return _of_lightgbm(estimator, view, told(estimator, options, view.told))


def _of_lightgbm(estimator: Any, view: View, name: str) -> Fitted:
    problem, doors = view.problem, view.doors
    target, level = chosen_class(problem)
    if level is None:
        return Fitted(name, problem, estimator, {"value": lambda frame: estimator.predict(view(frame))}, doors)
    one = of_class(estimator, level)
    own: dict[str, Outputs] = {"probability": lambda frame: one(estimator.predict_proba(view(frame)))}
    if len(problem.levels) == 2 and estimator.boosting_type != "rf":  # whose raw score is the sum of what it averages
        own["logit"] = lambda frame: one(estimator.predict(view(frame), raw_score=True))
    return Fitted(name, problem, estimator, own, doors, target=target)


def raw_booster(random: Random) -> Fitted:
    """Return a booster without the scikit-learn face: it has no classes, and answers by position."""
    problem = Problem(world(random, NUMBERS, kind=random.choice(("binary", "regression"))), random)
    is_binary, names = bool(problem.world.labels), list(problem.world.frame)
    rows = problem.codes(problem.world.seen)
    if random.random() < 0.5:
        data = xgb.DMatrix(rows, problem.labels, feature_names=names)
        booster = xgb.train({"objective": "binary:logistic" if is_binary else "reg:squarederror", "nthread": 1}, data, 12)

        def asked(frame: pd.DataFrame, **how: Any) -> np.ndarray:
            return _floats(booster.predict(xgb.DMatrix(problem.codes(frame), feature_names=names), **how))

        own: dict[str, Outputs] = {"logit": lambda f: asked(f, output_margin=True)} if is_binary else {"value": asked}
        bound = float32_bound(booster, lambda frame: asked(frame, pred_leaf=True))
    else:
        booster = lgb.train(
            {"objective": "binary" if is_binary else "l2", "verbose": -1, "num_threads": 1},
            lgb.Dataset(rows, problem.labels),
            12,
        )
        own = {"logit" if is_binary else "value": lambda frame: booster.predict(problem.codes(frame), raw_score=True)}
        bound = exact
    return Fitted(f"raw {type(booster).__module__.split('.')[0]} booster", problem, booster, own, ("wrap_trees",), bound=bound)
