"""A table with fewer columns and levels, a recipe trained again on it, and that model as one of the original table.

Leaving columns out and merging levels are both a choice among dense columns, so that a linear layer of the original table is
the reduced one's with copied weights, and 0 where a column was left out: no number is rounded. Trees ask for sets of the
original codes instead.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from dlx import training
from dlx.arrays import in_short
from dlx.dataset import Dataset
from dlx.encoder import Encoder
from dlx.errors import DlxError, did_you_mean
from dlx.model import LinearModel, Model, NeuralModel, Provenance, TreeModel, for_case
from dlx.schema import Feature, Schema

Groups = list[list[int]]  # codes that have become one level

NOWHERE = -1


class RemedyError(DlxError):
    """A remedy that names what the table does not have, leaves nothing, or does not suit the model."""


@dataclass(frozen=True, eq=False)
class Recoding:
    """How rows of the original table become rows of the reduced one."""

    original: Schema  # the columns of the case
    kept: tuple[int, ...]  # positions of the columns that stay, in order
    groups: dict[int, Groups]  # by position, of those columns whose levels were merged

    __repr__ = in_short

    @cached_property
    def schema(self) -> Schema:
        """The reduced table's columns."""
        features, target = self.original.features, self.original.target
        kept = tuple(merged_feature(features[i], self.groups[i]) if i in self.groups else features[i] for i in self.kept)
        names = {feature.name for feature in kept}
        return Schema(kept, replace(target, fairness_by=tuple(name for name in target.fairness_by if name in names)))

    def codes(self, position: int) -> np.ndarray:
        """Return the new code of each level of a column, int [levels]."""
        found = np.arange(len(self.original.features[position].levels))
        for new, group in enumerate(self.groups.get(position, [])):
            found[group] = new
        return found

    def reduce(self, rows: np.ndarray) -> np.ndarray:
        """Return coded rows of the original table [rows, features] as rows of the reduced one."""
        rows = rows.copy()
        for i in self.groups:
            known = ~np.isnan(rows[:, i])
            rows[known, i] = self.codes(i)[rows[known, i].astype(np.intp)]
        return rows[:, self.kept]

    def reduced(self, dataset: Dataset) -> Dataset:
        """Return a dataset with the reduced columns, the same rows in the same order."""
        return replace(dataset, schema=self.schema, rows=self.reduce(dataset.rows), table=None)

    def trained(self, case: Dataset, made_by: Provenance, **asked: Any) -> training.Fitted:
        """Return a model of the reduced table, trained by the recipe of another one; see `dlx.training.fit` for the rest.

        It is trained on all classes, where the case tells of one of several, and answers for that one.
        """
        rows = self.reduced(case.whole.train), self.reduced(case.whole.validation)
        fitted = training.fit(made_by.architecture, *rows, seed=made_by.seed, config=made_by.config, **asked)
        return replace(fitted, model=replace(for_case(fitted.model, case), siblings=None))

    def restored(self, model: Model) -> Model:
        """Return a model that predicts of original rows what the reduced model predicts of them reduced.

        It must be trees, a linear model, or a net; else a `RemedyError`.
        """
        if len(self.kept) == len(self.original) and not self.groups:
            return model
        if isinstance(model, TreeModel):
            columns = np.append(self.kept, -1)[model.trees.feature]  # a leaf stays a leaf
            merged = np.flatnonzero(np.isin(columns, list(self.groups))).tolist()
            sets = {node: np.flatnonzero(self.codes(columns[node]) <= model.trees.threshold[node]) for node in merged}
            reading = model.trees.reading.renumbered(np.array(self.kept))
            trees = replace(model.trees, feature=columns, reading=reading).with_sets(sets)
            return replace(model, trees=trees, schema=self.original, original=None)
        if not isinstance(model, (LinearModel, NeuralModel)) or not isinstance(model.encoder, Encoder):
            raise RemedyError(f"{model.name} is a {type(model).__name__}, of which nothing is known but what it predicts")
        center, scale = np.zeros(len(self.original)), np.ones(len(self.original))
        center[list(self.kept)], scale[list(self.kept)] = model.encoder.center, model.encoder.scale
        encoder = Encoder(self.original, center, scale)
        sources = self._sources(model.encoder, encoder)
        if isinstance(model, LinearModel):
            return replace(model, coefficients=_spread(model.coefficients, sources), encoder=encoder)
        import torch
        from torch import nn

        from dlx.model.networks import framed

        network = copy.deepcopy(model.network)
        first = next((layer for layer in network.children() if not isinstance(layer, nn.Dropout)), None)
        if not isinstance(network, nn.Sequential) or not isinstance(first, nn.Linear):
            recode = nn.Linear(encoder.width, model.encoder.width, bias=False).requires_grad_(False)
            recode.weight.copy_(torch.from_numpy(np.arange(model.encoder.width)[:, None] == sources))
            return model.remade(framed(network, recode=recode), encoder=encoder)
        weight = _spread(first.weight.detach().cpu().numpy(), sources)
        first.weight = nn.Parameter(torch.from_numpy(weight).to(first.weight), requires_grad=first.weight.requires_grad)
        first.in_features = weight.shape[-1]
        return model.remade(network, encoder=encoder)

    def _sources(self, reduced: Encoder, full: Encoder) -> np.ndarray:
        """Return which dense column of the reduced table each of the original one has become, [width]; -1 for none.

        An original one-hot column becomes its group's; a step between levels that were merged becomes none.
        """
        sources = np.full(full.width, NOWHERE)
        for place, i in enumerate(self.kept):
            feature, local = self.original.features[i], np.arange(full.widths[i])
            if i in self.groups:
                codes = self.codes(i)
                own = np.where(codes[:-1] == codes[1:], NOWHERE, codes[:-1]) if feature.ordered else codes
                local = np.append(own, reduced.widths[place] - 1) if feature.missing else own
            dense = np.where(local == NOWHERE, NOWHERE, reduced.starts[place] + local)
            sources[full.starts[i] : full.starts[i] + full.widths[i]] = dense
        return sources


def _spread(weights: np.ndarray, sources: np.ndarray) -> np.ndarray:
    """Return weights [..., reduced width] as weights of the original dense columns [..., width]."""
    return np.ascontiguousarray(np.where(sources == NOWHERE, 0, weights[..., sources]))


def recoding_of(train: Dataset, *, drop: Sequence[str] = (), merge: int | None = None) -> Recoding:
    """Return the recoding that leaves columns out and merges levels that fewer training rows have than `merge`.

    Raises
    ------
    RemedyError
        If a column to leave out is not there or no column is left, or the count is below 1.
    """
    schema = train.whole.schema
    if unknown := [name for name in drop if name not in schema.names]:
        raise RemedyError(
            f"columns to leave out must be in the table, but {', '.join(map(repr, unknown))} is not; "
            f"it has {', '.join(schema.names)}{did_you_mean(unknown[0], schema.names)}"
        )
    if merge is not None and merge < 1:
        raise RemedyError(f"levels are merged below a count of rows from 1 on, got {merge}")
    kept = tuple(i for i, name in enumerate(schema.names) if name not in drop)
    if not kept:
        raise RemedyError(f"a model needs at least one column, but all {len(schema)} are to be left out; keep some")
    categorical = [i for i in kept if schema.features[i].is_categorical] if merge is not None else []
    groups = {i: merged_levels(schema.features[i], train.rows[:, i], merge or 1) for i in categorical}
    return Recoding(schema, kept, {i: some for i, some in groups.items() if len(some) < len(schema.features[i].levels)})


def merged_levels(feature: Feature, column: np.ndarray, least: int) -> Groups:
    """Return the levels of a categorical column in groups of codes: those that are too rare do not stand alone.

    A level with an order is merged with the smaller of its neighbours, the rarest first, until all groups are large enough.
    Of the others, those that are too rare make one group, which stays as it is if it is too rare itself: a frequent level
    is not given up for it. A single rare level takes the next rarest along. A column keeps two groups at least: if it
    cannot, its levels stay as they are.
    """
    counts = np.bincount(column[~np.isnan(column)].astype(np.intp), minlength=len(feature.levels))
    apart = [[code] for code in range(len(counts))]
    if not feature.ordered:
        order = np.argsort(counts, kind="stable").tolist()
        rare = order[: max(2, int((counts < least).sum()))] if (counts < least).any() else []
        groups = [[code] for code in range(len(counts)) if code not in rare] + ([sorted(rare)] if rare else [])
        return groups if len(groups) > 1 else apart
    groups = apart.copy()
    while len(groups) > 1 and min(sizes := [int(counts[group].sum()) for group in groups]) < least:
        rarest = int(np.argmin(sizes))
        beside = [place for place in (rarest - 1, rarest + 1) if 0 <= place < len(groups)]
        first, second = sorted((rarest, min(beside, key=lambda place: sizes[place])))
        groups[first : second + 1] = [groups[first] + groups[second]]
    return groups if len(groups) > 1 else apart


def merged_feature(feature: Feature, groups: Groups) -> Feature:
    """Return the column with a level a group, which is named after those that it holds."""
    levels, labels = (
        tuple(" / ".join(names[code] for code in group) for group in groups) for names in (feature.levels, feature.level_labels)
    )
    lost: dict[str, Any] = dict.fromkeys(("level_values", "level_reasons", "reachable", "adverse_levels", "forbidden"), ())
    return replace(feature, levels=levels, level_labels=labels, dtype="", **lost)
