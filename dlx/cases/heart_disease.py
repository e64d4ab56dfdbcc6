"""UCI Heart Disease: 920 patients sent to coronary angiography in four hospitals, 509 with a narrowed artery.

The hospital is no feature: it comes as `extra["site"]`, a shift to test on (train on Cleveland, explain in Hungary).
The table measures disease in the arteries, not a heart attack.
"""

from __future__ import annotations

from dlx.cases import read_embedded
from dlx.dataset import Dataset

NOT_MEASURED = {"chol": [0], "trestbps": [0]}


def load() -> Dataset:
    """Return the patients of the four sites; the target is any narrowing of 50 % or more (num > 0)."""
    return read_embedded(
        "heart_disease",
        lambda table: table.mask(table.isin(NOT_MEASURED)).assign(num=(table["num"] > 0).astype(int)),
        extra=["site"],
    )
