"""What lessens an unfair treatment, and what it costs: other thresholds, other weights, fewer columns."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from dlx import training
from dlx.audit.fairness.groups import FairnessError, Partition
from dlx.audit.fairness.rates import CLEARED, SELECTED, Treated, treatment
from dlx.audit.fairness.thresholds import fair_rule, trade_off
from dlx.dataset import Dataset
from dlx.model import Model
from dlx.schema import Schema

if TYPE_CHECKING:
    import pandas as pd

EQUAL_ODDS, EQUAL_SELECTION = "thresholds: equal odds", "thresholds: equal selection"
REWEIGHED, DROPPED, DROPPED_PROXIES = "reweighed", "column dropped", "column and proxies dropped"

Treat = Callable[[Dataset], Treated]


def mitigations(
    case: Dataset,
    model: Model,
    by: Partition,
    *,
    architecture: str | None = None,
    config: Mapping[str, Any] | None = None,
    proxies: Sequence[str] = (),
    seed: int = 0,
    device: str = "cpu",
) -> pd.DataFrame:
    """Return what each remedy changes for the test rows: a line a remedy and measure.

    Parameters
    ----------
    case : Dataset
        The table; remedies are fitted on its training and validation rows.
    model : Model
        The model before.
    by : Partition
        What parts the people.
    architecture : str, optional
        What the model is an instance of, as trained with the seed and `config`; without it, no remedy that trains the model
        again is tried.
    config : mapping, optional
        The options of its training that differ from the defaults.
    proxies : sequence of str, optional
        Columns to drop beside those of the partition.
    seed : int
        Seed of the training and of the bootstrap.
    device : {"auto", "cpu", "cuda"}
        Where a net is trained.

    Returns
    -------
    DataFrame
        model, attribute, remedy, and the columns of `trade_off`. A remedy that cannot be had has one line without numbers,
        whose objection says why.

    Raises
    ------
    FairnessError
        If the groups must not be compared, or the outcomes are unknown.
    """
    import pandas as pd

    before, target = treatment(model, case.test, by), case.schema.target
    favourable = CLEARED if target.adverse_action else SELECTED
    tables = []
    fit = None if architecture is None else partial(training.fit, architecture, seed=seed, device=device, config=config)
    for remedy, make in _remedies(case, model, by, fit, proxies):
        try:
            after = make()(case.test)
        except FairnessError as error:
            table = pd.DataFrame([{"measure": "", "objection": str(error)}])
        else:
            table = trade_off(before, after, threshold=target.threshold, favourable=favourable, seed=seed)
        tables.append(table.assign(remedy=remedy))
    table = pd.concat(tables, ignore_index=True).assign(model=model.name, attribute=by.name)
    numbers = ["before", "after", "change", "low", "high"]
    return table.reindex(columns=["model", "attribute", "remedy", "measure", *numbers, "objection"])


def reweighing(groups: np.ndarray, outcomes: np.ndarray) -> np.ndarray:
    """Return weights [rows] under which group and outcome are independent (Kamiran and Calders 2012, reweighing).

    A person of group g with outcome y weighs P(g) P(y) / P(g, y): as many people as if the outcome did not depend on the
    group, over as many as there are.

    Parameters
    ----------
    groups, outcomes : ndarray [rows]
        Of the training rows.
    """
    _, group, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    _, outcome, totals = np.unique(outcomes, return_inverse=True, return_counts=True)
    together = np.zeros((len(sizes), len(totals)))
    np.add.at(together, (group, outcome), 1)
    return sizes[group] * totals[outcome] / (len(groups) * together[group, outcome])


def without(case: Dataset, columns: Sequence[str]) -> Dataset:
    """Return a table that lacks some columns.

    Raises
    ------
    SchemaError
        If it does not have one of them, or no column is left.
    """
    dropped = {case.schema.position(name) for name in columns}
    kept = [i for i in range(len(case.schema)) if i not in dropped]
    target = case.schema.target
    named = tuple(name for name in target.fairness_by if name not in columns)
    schema = Schema(tuple(case.schema.features[i] for i in kept), dataclasses.replace(target, fairness_by=named))
    return dataclasses.replace(case, schema=schema, rows=case.rows[:, kept], table=None)


def _remedies(
    case: Dataset, model: Model, by: Partition, fit: Callable[..., training.Fitted] | None, proxies: Sequence[str]
) -> Iterator[tuple[str, Callable[[], Treat]]]:
    yield EQUAL_ODDS, lambda: fair_rule(model, case.validation, by, constraint="equalized_odds").treat
    yield EQUAL_SELECTION, lambda: fair_rule(model, case.validation, by, constraint="demographic_parity").treat
    if fit is None:
        return

    def trained(columns: Sequence[str] = (), weights: np.ndarray | None = None) -> Treat:
        train, validation = (without(rows, columns) for rows in (case.train, case.validation))
        again = fit(train, validation, weights=weights).model
        return lambda people: treatment(again, people, by)

    def weighted() -> Treat:
        assert case.train.outcomes is not None
        return trained(weights=reweighing(by.codes(case.train), case.train.outcomes))

    yield REWEIGHED, weighted
    yield DROPPED, lambda: trained(by.columns)
    if proxies:
        yield DROPPED_PROXIES, lambda: trained((*by.columns, *proxies))
