"""South German Credit: 1,000 loans of a bank in southern Germany, 1973 to 1975, 300 of them bad.

The table is better known as "German Credit", with labels that are wrong in most columns; these are the labels that
Groemping corrected in 2019. "Denied" is a predicted risk above the threshold: nobody recorded a denial.
"""

from __future__ import annotations

from dlx.cases import read_embedded
from dlx.dataset import Dataset


def load() -> Dataset:
    """Return the loans; "unknown" and "none" are categories, and nothing is missing."""
    return read_embedded("bank_loan")
