"""Fitted trees of scikit-learn: on codes, or on columns of the user's own frame, with options of all kinds."""

from __future__ import annotations

from random import Random
from typing import Any

from sklearn import ensemble, tree

from doors.fitted import Fitted, Outputs, Problem, of_class
from doors.views import KINDS, View, chosen_class, told, view_of
from doors.worlds import ANY, COMPLETE, NUMBERS, categories, flags, world


def forest(random: Random) -> Fitted:
    """Return a tree or a forest of scikit-learn on codes."""
    kind = random.choice(KINDS)
    how = random.choice(("codes", "frame"))
    problem = Problem(world(random, ANY if how == "codes" else (*NUMBERS, flags), kind=kind), random)
    view = view_of(problem, how, random)
    suffix = "Regressor" if kind == "regression" else "Classifier"
    room, name = random.choice(
        ((tree, "DecisionTree"), (ensemble, "RandomForest"), (ensemble, "ExtraTrees"), (tree, "ExtraTree"))
    )
    options: dict[str, Any] = {
        "max_depth": random.choice((3, 6, None)),
        "min_samples_leaf": random.choice((1, 5)),
        "random_state": 0,
    }
    if room is ensemble:
        options |= {"n_estimators": random.choice((3, 20)), "max_features": random.choice((1.0, "sqrt")), "n_jobs": 1}
    if kind != "regression":
        options["class_weight"] = random.choice((None, "balanced"))
    estimator = getattr(room, name + suffix)(**options)
    estimator.fit(view(problem.world.seen), problem.world.seen_outcome, sample_weight=problem.weights)
    return _of_scikit(estimator, view, told(estimator, options, view.told))


def boosting(random: Random) -> Fitted:
    """Return boosted trees of scikit-learn with thresholds among float32 rows."""
    kind = random.choice(KINDS)
    problem = Problem(world(random, (*COMPLETE, flags), kind=kind), random)
    view = view_of(problem, random.choice(("codes", "frame")), random)
    options: dict[str, Any] = {"n_estimators": random.choice((3, 30)), "max_depth": random.choice((2, 4)), "random_state": 0}
    options["subsample"] = random.choice((0.7, 1.0))
    if random.random() < 0.2:
        options["init"] = "zero"
    if random.random() < 0.2:
        options |= {"n_iter_no_change": 3}
    cls = ensemble.GradientBoostingRegressor if kind == "regression" else ensemble.GradientBoostingClassifier
    if kind != "multiclass" and random.random() < 0.3:
        options["loss"] = random.choice(("huber", "quantile", "absolute_error")) if kind == "regression" else "exponential"
    estimator = cls(**options).fit(view(problem.world.seen), problem.world.seen_outcome, sample_weight=problem.weights)
    return _of_scikit(estimator, view, told(estimator, options, view.told))


def histogram_boosting(random: Random) -> Fitted:
    """Return HistGradientBoosting on codes, with sets of categories where columns have them."""
    kind = random.choice(KINDS)
    how = random.choice(("codes", "codes", "frame"))
    problem = Problem(world(random, ANY if how == "codes" else (*NUMBERS, flags, categories), kind=kind), random)
    view = view_of(problem, how, random)
    options: dict[str, Any] = {"max_iter": random.choice((3, 40)), "random_state": 0, "early_stopping": random.random() < 0.3}
    options |= {"min_samples_leaf": random.choice((1, 20)), "max_leaf_nodes": random.choice((7, 31))}
    grouped = [i for i in problem.grouped if len(problem.case.schema.features[i].levels) <= 255]
    if grouped and how == "codes" and random.random() < 0.8:
        options["categorical_features"] = grouped
    if kind == "regression":
        estimator = ensemble.HistGradientBoostingRegressor(**options)
    else:
        options["class_weight"] = random.choice((None, "balanced"))
        estimator = ensemble.HistGradientBoostingClassifier(**options)
    estimator.fit(view(problem.world.seen), problem.world.seen_outcome, sample_weight=problem.weights)
    return _of_scikit(estimator, view, told(estimator, options, view.told))


def _of_scikit(estimator: Any, view: View, name: str) -> Fitted:
    """Return what scikit-learn's own predict says of people."""
    target, level = chosen_class(view.problem)
    if level is None:
        own: dict[str, Outputs] = {"value": lambda frame: estimator.predict(view(frame))}
    else:
        one = of_class(estimator, level)
        own = {"probability": lambda frame: one(estimator.predict_proba(view(frame)))}
        if hasattr(estimator, "decision_function"):
            own["logit"] = lambda frame: one(estimator.decision_function(view(frame)))
        if len(estimator.classes_) > 2 or getattr(estimator, "loss", "") == "exponential":
            own.pop("logit", None)  # a score, and no log-odds
    return Fitted(name, view.problem, estimator, own, view.doors, target=target)
