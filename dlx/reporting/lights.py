"""The six lights of the first screen: what is measured, where the lines are, and where the lines come from.

Each light is one number of one section. It is green on the good side of both lines, amber between them, red beyond; grey is
what nobody measured.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from dlx.comparison.trustworthiness import FAR
from dlx.reporting.prose import Number, Tables

GREEN, AMBER, RED, GREY = "green", "amber", "red", "grey"


@dataclass(frozen=True)
class Light:
    """A rule of the first screen."""

    name: str
    section: str  # that its number comes from, and that a click leads to
    table: str
    column: str  # in the line of the model to use
    what: str  # the number is, in words
    of: str  # the same in a word or two, beside the number
    green: float  # as good is green
    red: float  # worse is red
    source: str  # of these lines
    style: str = "whole"  # as a filter of `prose`
    metric: str = ""  # of the line, where a model has one a metric

    def measure(self, tables: Tables, model: str) -> Number | None:
        """Return the number of the model to use; None where it was not measured."""
        where = {"model": model} | ({"metric": self.metric} if self.metric else {})
        found = tables.lines(self.table, **where)
        return found[0][self.column] if found else None

    def colour(self, number: float | None) -> str:
        """Return the colour of a number."""
        if number is None or math.isnan(number):
            return GREY
        sign = 1 if self.green >= self.red else -1
        return GREEN if sign * number >= sign * self.green else AMBER if sign * number >= sign * self.red else RED


CALIBRATION = Light(
    "Calibration",
    "performance",
    "worth",
    "stretch",
    "by how much the log-odds must be stretched or shrunk for probabilities to come true",
    "times off",
    1.25,
    1.5,
    "our convention: off by a quarter, by a half",
    "two",
)
OF_A_PROBABILITY = (
    Light(
        "Accuracy",
        "performance",
        "performance",
        "estimate",
        "ROC AUC on the test rows",
        "ROC AUC",
        0.8,
        0.7,
        "Hosmer and Lemeshow, Applied Logistic Regression: from .7 on acceptable, from .8 on excellent",
        "share",
        "auc",
    ),
    CALIBRATION,
    Light(
        "Fairness",
        "fairness",
        "fairness_lights",
        "value",
        "the smallest ratio of favourable decisions between two groups",
        "as often",
        0.8,
        0.65,
        "the four-fifths rule of the US guidelines on selection, 29 CFR 1607.4(D); the second line is our convention",
        "share",
    ),
)
OF_A_VALUE = (
    Light(
        "Accuracy",
        "performance",
        "performance",
        "estimate",
        "share of the variance that predictions explain (R²) on the test rows",
        "R²",
        0.5,
        0.25,
        "Hair, Ringle and Sarstedt, PLS-SEM: from .25 on weak, from .50 on moderate",
        "share",
        "r2",
    ),
    replace(
        CALIBRATION,
        table="value_summary",
        what="by how much the distances of predictions from their mean must be stretched or shrunk to come true",
    ),
    Light(
        "Fairness",
        "fairness",
        "fairness_lights",
        "value",
        "the largest difference in mean error between two groups, in standard deviations of the outcome",
        "SD apart",
        0.2,
        0.5,
        "Cohen, Statistical Power Analysis: from .2 on a small difference, from .5 on a medium one",
        "share",
    ),
)
OF_EXPLANATIONS = (
    Light(
        "Stable explanations",
        "agreement",
        "agreement_lights",
        "stability",
        "share of a person's most important columns that stay under another background or seed",
        "stay",
        0.8,
        0.6,
        "our convention: four in five, three in five",
    ),
    Light(
        "True explanations",
        "agreement",
        "agreement_lights",
        "distance",
        "distance of the trusted methods from the exact Shapley values, as a share of their length",
        "off",
        0.1,
        FAR,
        "our convention; a method beyond the second line answers another question, and its page says so",
    ),
    Light(
        "Attacks found",
        "attacks",
        "attacks_lights",
        "found",
        "share of the attacks on explanations that hid a column and that a defence found",
        "",
        1.0,
        0.5,
        "our convention: every one, half of them",
    ),
)
LIGHTS = {"probability": OF_A_PROBABILITY + OF_EXPLANATIONS, "value": OF_A_VALUE + OF_EXPLANATIONS}  # by `Target.scale`
