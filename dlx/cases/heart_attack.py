"""NHANES 2017-2018: 5,255 adults of the United States, 254 of whom were ever told that they had a heart attack.

The survey is cross-sectional: it measured people after the attack, so that the treated have low cholesterol and look
protected. An explanation explains the model, not the world; there is no better table to learn that on.
"""

from __future__ import annotations

from dlx.cases import read_embedded
from dlx.dataset import Dataset

NOT_ANSWERED = {
    "education": ["Don't Know"],
    "cigs_per_day": [777, 999],  # refused, don't know
    "sedentary_min": [9999],  # don't know
}


def load() -> Dataset:
    """Return the adults, named by their sequence number in the survey."""
    return read_embedded("heart_attack", lambda table: table.mask(table.isin(NOT_ANSWERED)).set_index("SEQN"))
