"""How much a feature matters over all people who were explained."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dlx.explanation import Explanation

if TYPE_CHECKING:
    import pandas as pd


def importance(explanation: Explanation) -> pd.DataFrame:
    """Return mean |contribution| of each feature in units of the scale, its share of all, and its rank."""
    import pandas as pd
    from scipy.stats import rankdata

    sizes = explanation.importance
    total = sizes.sum()
    return pd.DataFrame(
        {
            "model": explanation.model,
            "method": explanation.method,
            "scale": explanation.scale,
            "feature": explanation.schema.names,
            "label": explanation.schema.labels,
            "importance": sizes,
            "share": sizes / total if total > 0 else np.zeros_like(sizes),
            "rank": rankdata(-sizes),
            "people": int((~explanation.failed).sum()),
        }
    )
