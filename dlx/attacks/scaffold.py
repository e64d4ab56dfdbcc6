"""A model that behaves on real people and pretends elsewhere: the scaffold of Slack et al. (2020), arXiv 1911.02508."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dlx.attacks.detector import Detector
from dlx.attacks.samples import VulnerabilityError
from dlx.model import Model, Scale
from dlx.model.protocol import CLASSIFIER
from dlx.schema import Feature, Schema

MARGIN, REACH = 0.25, 4.0  # logits around the threshold that the biased model, and the innocuous one, reach


@dataclass(frozen=True, eq=False)
class Votes(Model):
    """Decides by some columns alone: each votes for (at most its cut) or against (above, or missing).

    The logit is that of the threshold, plus `reach` times the mean vote: one column decides alone, several by majority.

    Parameters
    ----------
    schema : Schema
        All columns, and the threshold.
    columns : tuple of int
        Positions of those that vote.
    cuts : tuple of float
        The largest value, or code, of each that votes for.
    reach : float
        Logits.
    name : str
        The name in tables.
    """

    schema: Schema
    columns: tuple[int, ...]
    cuts: tuple[float, ...]
    reach: float
    name: str = "votes"
    scales: tuple[Scale, ...] = CLASSIFIER

    def compute(self, rows: np.ndarray) -> np.ndarray:
        """Return the logit of coded rows."""
        votes = np.where(rows[:, list(self.columns)] <= np.array(self.cuts), 1.0, -1.0)
        return threshold_logit(self.schema) + self.reach * votes.mean(axis=1)


@dataclass(frozen=True, eq=False)
class Scaffold(Model):
    """One model for rows that a detector takes for real, another one for all others.

    Parameters
    ----------
    real, elsewhere : Model
        The model that decides about people, and the one that explainers are to see.
    detector : Detector
        Says how real a row is.
    limit : float
        From which realness on a row is taken for real.
    name : str
        The name in tables.
    """

    real: Model
    elsewhere: Model
    detector: Detector
    limit: float
    name: str = "scaffold"

    @property
    def schema(self) -> Schema:
        """The columns that it reads."""
        return self.real.schema

    @property
    def scales(self) -> tuple[Scale, ...]:
        """The scales of the real model."""
        return self.real.scales

    def compute(self, rows: np.ndarray) -> np.ndarray:
        """Return the output of coded rows on the first of the scales."""
        is_real, scale = self.detector.realness(rows) >= self.limit, self.scales[0]
        return np.where(is_real, self.real.predict(rows, scale), self.elsewhere.predict(rows, scale))


def threshold_logit(schema: Schema) -> float:
    """Return the logit of the threshold."""
    return float(np.log(schema.target.threshold) - np.log1p(-schema.target.threshold))


def decisions(model: Model, rows: np.ndarray) -> np.ndarray:
    """Return who is flagged, bool [rows]."""
    return model.predict(rows, "probability") >= model.schema.target.threshold


def biased_model(schema: Schema, column: int, cut: float, margin: float = MARGIN) -> Votes:
    """Return the model that decides by one column alone, its scores a margin of logits on either side of the threshold."""
    return Votes(schema, (column,), (cut,), margin, name=f"decides by {schema.names[column]}")


def innocuous_model(schema: Schema, rows: np.ndarray, background: np.ndarray, column: int, cut: float, count: int = 4) -> Votes:
    """Return a model that decides by the majority of columns that have nothing to do with a protected one.

    Taken are unprotected columns that split both the rows and the background somewhat evenly, those least associated
    with the protected split first; if there are too few, those that split most evenly.
    """
    group = rows[:, column] <= cut
    found = []
    for i, feature in enumerate(schema.features):
        if i == column or feature.protected or np.isnan(rows[:, i]).mean() > 0.1:
            continue
        evenness, own_cut = _best_cut(rows[:, i], background[:, i])
        if evenness > 0:
            found.append((evenness < 0.16, _association(rows[:, i] <= own_cut, group), i, own_cut))
    if not found:
        raise VulnerabilityError(
            f"the attack needs an unprotected column beside {schema.names[column]!r} that varies, got none; add one"
        )
    _, _, columns, cuts = zip(*sorted(found)[:count], strict=True)
    return Votes(schema, columns, cuts, REACH, name="innocuous")


def group_words(feature: Feature, cut: float) -> str:
    """Return who is in the group that a cut makes: "Age 27 years or less", "Sex: female"."""
    if not feature.is_categorical:
        return f"{feature.label} {feature.format(cut)} or less"
    return f"{feature.label}: {' or '.join(feature.level_labels[: int(cut) + 1])}"


def _best_cut(column: np.ndarray, background: np.ndarray) -> tuple[float, float]:
    """Return how evenly a column can be split in both tables, at most 1/4, and where."""
    known = column[~np.isnan(column)]
    cuts = np.unique(np.quantile(known, np.linspace(0.1, 0.9, 17), method="nearest"))
    shares = [((column <= cut).mean(), (background <= cut).mean()) for cut in cuts]
    evenness = [min(own * (1 - own), theirs * (1 - theirs)) for own, theirs in shares]
    return float(max(evenness)), float(cuts[int(np.argmax(evenness))])


def _association(one: np.ndarray, other: np.ndarray) -> float:
    """Return the absolute correlation of two splits that both vary."""
    return float(abs(np.corrcoef(one, other)[0, 1]))
