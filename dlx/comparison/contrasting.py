"""Why two models differ about a person: the difference of their outputs, feature by feature.

``output_a - output_b = (base_a - base_b) + Σ (φ_a - φ_b) + (residual_a - residual_b)``, exactly; the residuals are 0 for
methods that add up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dlx.comparison.alignment import refuse_unaligned
from dlx.explanation import Explanation

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Contrast:
    """The difference between two explanations of the same rows.

    Parameters
    ----------
    a, b : Explanation
        Aligned: see `dlx.compare`.
    """

    a: Explanation
    b: Explanation

    @property
    def outputs(self) -> np.ndarray:
        """Difference of the models' outputs, [rows]."""
        return self.a.outputs - self.b.outputs

    @property
    def base_values(self) -> np.ndarray:
        """Difference of the base values, [rows]."""
        return self.a.base_values - self.b.base_values

    @property
    def values(self) -> np.ndarray:
        """Difference of the contributions, [rows, features]."""
        return self.a.values - self.b.values

    @property
    def residuals(self) -> np.ndarray:
        """What the contributions of either do not account for, [rows]."""
        return self.outputs - self.base_values - self.values.sum(axis=1)

    def to_frame(self) -> pd.DataFrame:
        """Return one line a row and feature: both contributions and their difference."""
        import pandas as pd

        count, width = self.values.shape
        return pd.DataFrame(
            {
                "row": np.repeat(np.asarray(self.a.index), width),
                "feature": np.tile(np.array(self.a.schema.names, dtype=object), count),
                "label": np.tile(np.array(self.a.schema.labels, dtype=object), count),
                "model": self.a.model,
                "method": self.a.method,
                "contribution": self.a.values.ravel(),
                "other_model": self.b.model,
                "other_method": self.b.method,
                "other_contribution": self.b.values.ravel(),
                "difference": self.values.ravel(),
                "base_difference": np.repeat(self.base_values, width),
                "output_difference": np.repeat(self.outputs, width),
                "scale": self.a.scale,
            }
        )


def contrast(a: Explanation, b: Explanation) -> Contrast:
    """Return which features make two models differ about the same people.

    Raises
    ------
    AlignmentError
        If the explanations are not aligned.
    """
    refuse_unaligned((a, b))
    return Contrast(a, b)
