"""What a booster of XGBoost, LightGBM or CatBoost knows of the table that it was fitted on."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Sequence
from typing import Any


def estimator_of(model: Any) -> Any:
    """Return a copy of a booster of XGBoost as its estimator, which reads tables; anything else as it is."""
    if type(model).__name__ != "Booster" or type(model).__module__.partition(".")[0] != "xgboost":
        return model
    import xgboost

    task = json.loads(model.save_config())["learner"]["objective"]["name"]
    made = xgboost.XGBClassifier() if task.startswith(("binary:", "multi:")) else xgboost.XGBRegressor()
    made.load_model(model.save_raw())
    return made


def own_names(owner: Any) -> Sequence[str]:
    """Return the names that CatBoost's estimators and the boosters of XGBoost and LightGBM have of their columns, if any."""
    known = (getattr(owner, name, None) for name in ("feature_names_", "feature_names", "feature_name"))
    return next(filter(None, (names() if callable(names) else names for names in known)), ())


def category_places(owner: Any) -> list[int]:
    """Return which columns XGBoost or LightGBM was fitted on as pandas categories, by their places."""
    with contextlib.suppress(AttributeError, ValueError):  # not fitted yet, as is said when it is called; or a linear booster
        booster = owner.get_booster() if hasattr(owner, "get_booster") else getattr(owner, "booster_", owner)
        if hasattr(booster, "get_categories"):
            held = booster.get_categories(export_to_arrow=True).to_arrow()
            return [place for place, (_, values) in enumerate(held) if values is not None]
        if listed := getattr(booster, "pandas_categorical", None):
            said = booster.model_to_string(num_iteration=1).partition("feature_infos=")[2].splitlines()[0].split(" ")
            places = [place for place, values in enumerate(said) if not values.startswith("[") and values != "none"]
            return places if len(places) == len(listed) else []
    return []
