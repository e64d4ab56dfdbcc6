"""Any fitted estimator: trees and boosters mostly, and what can only be asked."""

from __future__ import annotations

import warnings
from random import Random

from lightgbm.basic import LightGBMError
from xgboost.core import XGBoostError

from doors import boosters, pipelines, scikit
from doors.fitted import Fitted

RECIPES = {
    scikit.forest: 5,
    scikit.boosting: 3,
    scikit.histogram_boosting: 6,
    boosters.xgboost: 7,
    boosters.lightgbm: 7,
    boosters.raw_booster: 2,
    pipelines.pipeline: 6,
    pipelines.in_a_shell: 2,
    pipelines.function: 3,
    pipelines.without_probability: 1,
    pipelines.ensemble_of_its_own: 3,
    pipelines.regression_ensemble: 1,
    pipelines.objective_of_its_own: 2,
}


def any_estimator(random: Random) -> Fitted:
    """Return a fitted estimator of some library; what the library says while it is fitted is nobody's concern here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        while True:
            try:
                return random.choices(list(RECIPES), list(RECIPES.values()))[0](random)
            except (ValueError, LightGBMError, XGBoostError):
                continue  # the library itself does not fit what was drawn
