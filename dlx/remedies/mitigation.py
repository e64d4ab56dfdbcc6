"""What lessens an unfair treatment, and what it costs: other thresholds, other weights, fewer columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from dlx.audit.fairness.groups import FairnessError, Partition
from dlx.audit.fairness.rates import CLEARED, SELECTED, Treated, treatment
from dlx.audit.fairness.thresholds import fair_rule, trade_off
from dlx.dataset import Dataset
from dlx.model import Model, Provenance
from dlx.remedies.recoding import recoding_of
from dlx.stats import Weights, counts_of

EQUAL_ODDS, EQUAL_SELECTION = "thresholds: equal odds", "thresholds: equal selection"
REWEIGHED, DROPPED, DROPPED_PROXIES = "reweighed", "column dropped", "column and proxies dropped"


def mitigations(
    case: Dataset,
    model: Model,
    by: Partition,
    *,
    made_by: Provenance | None = None,
    proxies: Sequence[str] = (),
    seed: int = 0,
) -> pd.DataFrame:
    """Return what each remedy changes for the test rows: a line a remedy and measure.

    A line has model, attribute, remedy, and the columns of `trade_off`. A remedy that cannot be had has one line without
    numbers, whose objection says why. Remedies are fitted on the training and validation rows.

    Parameters
    ----------
    model, by : Model, Partition
        The model before, and what parts the people.
    made_by : Provenance, optional
        How dlx trained the model; without it, no remedy that trains the model again is tried.
    proxies : sequence of str, optional
        Columns to drop beside those of the partition.

    Raises
    ------
    FairnessError
        If the groups must not be compared, or the outcomes are unknown.
    """
    tried = attempts(case, model, by, made_by=made_by, proxies=proxies, seed=seed)
    return pd.concat([attempt() for attempt in tried], ignore_index=True)


def attempts(
    case: Dataset, model: Model, by: Partition, *, made_by: Provenance | None, proxies: Sequence[str], seed: int
) -> list[Callable[[], pd.DataFrame]]:
    """Return a function a remedy that fits it and returns its lines of `mitigations`, whose parameters these are."""
    before = treatment(model, case.test, by)

    def trained(made_by: Provenance, drop: Sequence[str] = (), weights: np.ndarray | None = None) -> Treated:
        again = recoding_of(case.train, drop=drop).trained(case, made_by, device="cpu", weights=weights)
        return treatment(again.model, case.test, by)

    remedies: dict[str, Callable[[], Treated]] = {
        EQUAL_ODDS: lambda: fair_rule(model, case.validation, by, constraint="equalized_odds").treat(case.test),
        EQUAL_SELECTION: lambda: fair_rule(model, case.validation, by, constraint="demographic_parity").treat(case.test),
    }
    if made_by is not None:
        weights = reweighing(by.codes(case.train), case.whole.train.outcomes, case.train.weights)
        remedies[REWEIGHED] = lambda: trained(made_by, weights=weights)
        remedies[DROPPED] = lambda: trained(made_by, by.columns)
        remedies |= {DROPPED_PROXIES: lambda: trained(made_by, (*by.columns, *proxies))} if proxies else {}
    named = {"model": model.name, "attribute": by.name}
    return [partial(_attempt, case, before, treat, seed, named | {"remedy": remedy}) for remedy, treat in remedies.items()]


def _attempt(case: Dataset, before: Treated, treat: Callable[[], Treated], seed: int, named: dict[str, str]) -> pd.DataFrame:
    """Return what one remedy changes, or why it cannot be had."""
    target = case.schema.target
    favourable = CLEARED if target.adverse_action else SELECTED
    try:
        table = trade_off(before, treat(), threshold=target.threshold, favourable=favourable, seed=seed)
    except FairnessError as error:
        table = pd.DataFrame([{"measure": "", "objection": str(error)}])
    numbers = ["before", "after", "change", "low", "high"]
    return table.assign(**named).reindex(columns=[*named, "measure", *numbers, "objection"])


def reweighing(groups: np.ndarray, outcomes: Any, weights: Weights = None) -> np.ndarray:
    """Return weights [rows] under which group and outcome are independent (Kamiran and Calders 2012, reweighing).

    A training row of group g with outcome y weighs P(g) P(y) / P(g, y): as many people as if the outcome did not depend on
    the group, over as many as there are; times its own weight, where it has one, which then counts in these shares too.
    """
    group, outcome = (np.unique(some, return_inverse=True)[1] for some in (groups, outcomes))
    _, cell = np.unique(group * (outcome.max() + 1) + outcome, return_inverse=True)
    own = counts_of(weights, len(group))
    sizes, totals, together = (np.bincount(some, own) for some in (group, outcome, cell))
    return own * sizes[group] * totals[outcome] / (own.sum() * together[cell])


def balanced(groups: Any, weights: Weights = None) -> np.ndarray:
    """Return weights [rows] under which all groups count the same, times their own weights, where rows have some."""
    _, group = np.unique(groups, return_inverse=True)
    own = counts_of(weights, len(group))
    sizes = np.bincount(group, own)
    return own * own.sum() / (len(sizes) * sizes[group])
