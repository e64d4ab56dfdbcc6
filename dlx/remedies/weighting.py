"""How much each training row counts."""

from __future__ import annotations

import numpy as np

from dlx.audit.fairness.groups import partition
from dlx.dataset import Dataset
from dlx.remedies.mitigation import reweighing
from dlx.remedies.remedy import BY_OUTCOME


def row_weights(case: Dataset, by: str) -> np.ndarray | None:
    """Return the weight of each training row [rows], or None where rows count the same.

    Parameters
    ----------
    case : Dataset
        The table.
    by : str
        "outcome" balances the outcomes; a protected column makes its groups and the outcomes independent; empty for none.
    """
    if not by:
        return None
    outcomes = case.train.outcomes
    assert outcomes is not None
    if by == BY_OUTCOME:
        from sklearn.utils.class_weight import compute_sample_weight

        return compute_sample_weight("balanced", outcomes)
    return reweighing(partition(case, by).codes(case.train), outcomes)
