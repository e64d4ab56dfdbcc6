"""Whether a change that one model rewards is rewarded by others: advice that hangs on one model is weak."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from dlx.audit.recourse.result import Recourse
from dlx.model import Model
from dlx.stats import interval_of_share

if TYPE_CHECKING:
    import pandas as pd


def transfer(found: Recourse, models: Sequence[Model]) -> pd.DataFrame:
    """Return the share of first counterfactuals that other models grant too, of the people whom they deny as well.

    Parameters
    ----------
    found : Recourse
        Of one model.
    models : sequence of Model
        Other models of the same table.

    Returns
    -------
    DataFrame
        A line a model: `people` whom both deny and who have a counterfactual, `granted` with its 95 % interval.
    """
    import pandas as pd

    having, best = found.people[found.found], found.best()
    lines = []
    for model in models:
        both = np.zeros(0, bool)
        if len(having):
            both = model.decide(having, found.threshold)
        new = ~model.decide(best[both], found.threshold) if both.any() else np.zeros(0, bool)
        granted = interval_of_share(new)
        ends = {"granted": granted.estimate, "low": granted.low, "high": granted.high}
        lines.append({"model": found.model, "other": model.name, "people": int(both.sum())} | ends)
    return pd.DataFrame(lines, columns=["model", "other", "people", "granted", "low", "high"])
