"""NHANES 2017-2018: the systolic blood pressure of adults, from what else was asked and measured. The outcome is a value.

The people are those of `heart_attack`. No model is told of diastolic pressure, which the same cuff measured at the same moment.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from dlx.cases import heart_attack
from dlx.dataset import Dataset, from_frame
from dlx.schema import Schema, Target

OUTCOME, SAME_CUFF = "sbp_mean", "dbp_mean"
TARGET = Target(
    name=OUTCOME,
    kind="regression",
    label="systolic blood pressure",
    unit="mmHg",
    fairness_by=("sex", "race_ethnicity", "income_poverty_ratio"),
)
CAVEATS = (
    "One visit: pressure is the mean of a few readings within minutes. It differs from day to day, as no column can tell.",
    "Treatment runs backwards: pills lower the pressure of those who had a high one, and no column says who takes them.",
    "The survey weights are not in the table, and some groups were drawn more often: means here are not those of the country.",
    "Most habits are self-reported. Age is top-coded: 80 means 80 or older. The income ratio is top-coded: 5 means 5 or more.",
    "Missing by design: only those who smoked 100 cigarettes were asked “smokes now”, only those who smoke how many a day.",
    "Whether somebody had a heart attack is known, but no model is told: it is the outcome of the case `heart_attack`.",
)


def load() -> Dataset:
    """Return the adults whose pressure was measured, named by their sequence number in the survey."""
    people = heart_attack.load()
    measured = people[~np.isnan(people.rows[:, people.schema.position(OUTCOME)])]
    card = replace(
        people.card,
        title="NHANES 2017-2018: adults of the United States and their blood pressure",
        summary=f"The {len(measured):,} adults of `heart_attack` whose pressure was measured: its systolic value, in mmHg.",
        caveats=CAVEATS,
        remedy={},
    )
    features = tuple(feature for feature in people.schema if feature.name not in {OUTCOME, SAME_CUFF})
    return from_frame(measured.frame, Schema(features, TARGET), name="blood_pressure", card=card)
