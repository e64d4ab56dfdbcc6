"""Taiwan credit cards: 30,000 holders in September 2005, 6,636 of whom defaulted the month after.

The largest of the shipped tables, for scale and speed. Codes that the source never explained are levels of
their own ("undocumented"), not merged into "other".
"""

from __future__ import annotations

from dlx.cases import read_embedded
from dlx.dataset import Dataset


def load() -> Dataset:
    """Return the card holders; nothing is missing."""
    return read_embedded("credit_default")
