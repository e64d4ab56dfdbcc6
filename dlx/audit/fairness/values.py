"""How well a model predicts the values of groups of people: mean errors with intervals, and how far apart the groups are."""

from __future__ import annotations

import numpy as np

from dlx.audit.fairness.groups import Partition
from dlx.audit.fairness.rates import GroupMeasures
from dlx.audit.scores import answers
from dlx.dataset import Dataset
from dlx.model import Model
from dlx.stats import counts_of, resampled_counts

ERROR, SIZE, PREDICTED, OBSERVED = "mean_error", "mean_absolute_error", "mean_prediction", "mean_outcome"


def group_errors(model: Model, people: Dataset, by: Partition, *, seed: int = 0) -> GroupMeasures:
    """Return how a model predicts the values of groups of people.

    The means are of the error (predicted less observed: above 0 a group is predicted too high), of its size, of the prediction
    and of the outcome, by people's weights. Intervals are a bootstrap of each group.

    Parameters
    ----------
    model, people, by : Model, Dataset, Partition
        Who predicts; rows with outcomes, not seen in training; what parts them, see `partition`.
    seed : int
        Seed of the bootstrap.

    Raises
    ------
    FairnessError
        If the groups must not be compared.
    DlxError
        If outcomes are unknown or all alike.
    """
    by.refuse()
    outcomes, predicted = answers(model, people, "the errors of groups")
    present, codes, sizes = np.unique(by.codes(people), return_inverse=True, return_counts=True)
    drawn = resampled_counts(len(codes), people.weights, seed=seed, groups=codes)
    counts, members = np.vstack([counts_of(people.weights, len(codes)), drawn]), codes[:, None] == np.arange(len(present))
    told = {ERROR: predicted - outcomes, SIZE: np.abs(predicted - outcomes), PREDICTED: predicted, OBSERVED: outcomes}
    means = {name: counts @ (one[:, None] * members) / (counts @ members) for name, one in told.items()}
    return GroupMeasures(model.name, by.name, by.names(present), sizes, means)
