"""What a model says of people when some of their columns are set to values, and everything else stays theirs.

``f(do(x_S = v))`` of some people and some settings v is what partial dependence, accumulated local effects and permutation
importance are made of. Rows are made for black boxes alone:

- the first layer of a net adds up its columns, so that its output is a sum of one term a person and one a setting;
- trees that ask none of the columns are walked once a person; people and settings go down the others together, and part
  where a node tells them apart;
- a linear model is a sum of one term a person and one a setting; an additive net too, but for pairs of columns.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dlx.kernels.shapley.splitting import behind, split
from dlx.model import AdditiveModel, LinearModel, Model, NeuralModel, Scale, Transformed, TreeModel, check_scale
from dlx.model.base import as_probabilities
from dlx.model.devices import Array, in_blocks, is_accelerator, numbers_at_once, widest
from dlx.model.kinds import with_carried_of
from dlx.threads import in_chunks

CHUNK_ROWS = 8_192  # outputs of a net or an additive one that a thread is given at a time
TREE_ROWS = 65_536  # and of trees, most of which are walked once for all settings of a person
BLOCK_ROWS = 1_024  # of which a net's layers are computed at a time: their activations stay in the cache
BLOCK_BYTES = 32 * 2**20  # of rows that are made for a black box at a time


@dataclass(frozen=True, eq=False)
class Intervention:
    """Some columns of people set to values.

    Parameters
    ----------
    people : ndarray [people, features]
        Coded.
    columns : sequence of int
        Positions of the columns that are set.
    values : ndarray [settings, columns]
        Coded.
    which : ndarray of int [people, some], optional
        The settings of each person; all of them by default.
    """

    people: np.ndarray
    columns: Sequence[int]
    values: np.ndarray
    which: np.ndarray | None = None

    @property
    def count(self) -> int:
        """How many settings each person is asked about."""
        return len(self.values) if self.which is None else self.which.shape[1]

    @property
    def settings(self) -> np.ndarray:
        """A row of each setting, [settings, features]; the columns that are not set are the first person's."""
        rows = np.repeat(self.people[:1], len(self.values), axis=0)
        rows[:, self.columns] = self.values
        return rows

    def is_set(self, owner: np.ndarray) -> np.ndarray:
        """Return which dense columns are set, bool [width], by the column that each belongs to."""
        return np.isin(owner, self.columns)

    def of(self, some: np.ndarray, table: Array) -> Array:
        """Return the entries of a table [settings, ...] for the settings of some people, [people or 1, some, ...]."""
        return table[None] if self.which is None else table[self.which[some]]

    def in_chunks(self, function: Callable[[np.ndarray], np.ndarray], rows: int) -> np.ndarray:
        """Return a function of positions of people, [people, some], of about so many outputs at a time on all cores."""
        return in_chunks(function, np.arange(len(self.people)), max(1, rows // self.count))


def intervened(
    model: Model, people: np.ndarray, columns: Sequence[int], values: np.ndarray, scale: Scale, which: np.ndarray | None = None
) -> np.ndarray:
    """Return the output of each person with some columns set, float64 [people, settings].

    Parameters
    ----------
    model : Model
        Any model; a black box that reads more than its features has a companion of each person, or one of all.
    people : ndarray [people, features]
        Coded, and checked.
    columns : sequence of int
        Positions of the columns that are set.
    values : ndarray [settings, columns]
        What they are set to, coded.
    scale : {"logit", "probability", "value"}
        Unit of the output.
    which : ndarray of int [people, some], optional
        The settings that each person is asked about, [people, some] of the outputs; all of them by default.
    """
    check_scale(model, scale)
    if which is not None:
        values, places = distinct(values)
        which = places[which]
        if len(values) <= which.shape[1]:
            return np.take_along_axis(intervened(model, people, columns, values, scale), which, axis=1)
    asked = Intervention(people, columns, values, which)
    if not len(people) or not asked.count:
        return np.empty((len(people), asked.count))
    if isinstance(model, Transformed):
        outputs = model.change(intervened(model.model, people, columns, values, model.own, which))
    else:
        outputs = next((route for kind, route in _ROUTES if isinstance(model, kind)), _by_rows)(model, asked)
    return model.on_scale(outputs.ravel(), scale).reshape(len(people), asked.count)


def distinct(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the different rows of values [settings, columns], missing ones alike, and which of them each is, [settings]."""
    kinds, which = np.unique(np.where(np.isnan(values), np.inf, values), axis=0, return_inverse=True)
    return np.where(np.isinf(kinds), np.nan, kinds), which.ravel()


def _by_additive_net(model: AdditiveModel, asked: Intervention) -> np.ndarray:
    """Return outputs by what the columns that are set add alone, and in the pairs that they are in."""
    import torch

    recode, net, weights = model.parts
    additive: Any = net
    is_set = torch.from_numpy(asked.is_set(model.owner)).to(model.device)
    met = [(i, pair[0] in asked.columns, pair[1] in asked.columns) for i, pair in enumerate(model.pairs) if pair is not None]
    met = [one for one in met if one[1] or one[2]]
    pairs = [i for i, *_ in met]

    def parts(rows: np.ndarray) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        dense = recode(model.dense(rows))
        left, right = additive.halves(dense)
        return (additive.of_columns(dense, weights).double() * is_set).sum(1), left[:, pairs], right[:, pairs]

    def of(some: np.ndarray) -> np.ndarray:
        people = asked.people[some]
        with torch.no_grad():
            alone, left, right = parts(people)
            found = asked.of(some, settings[0]) - alone[:, None]
            found += model.network(model.dense(people)).double().view(-1, 1)
            for i, (pair, is_first, is_second) in enumerate(met):
                ours, theirs = left[:, i : i + 1], right[:, i : i + 1]
                first = asked.of(some, settings[1][:, i]) if is_first else ours
                second = asked.of(some, settings[2][:, i]) if is_second else theirs
                now, before = (additive.joined(*ends, weights, pair) for ends in ((first, second), (ours, theirs)))
                found += (now - before).double()
            return found.cpu().numpy()

    with torch.no_grad():
        settings = parts(asked.settings)
    return asked.in_chunks(of, CHUNK_ROWS)


def _by_net(model: NeuralModel, asked: Intervention) -> np.ndarray:
    """Return outputs by the layers behind the first, where that is linear; else by the whole network."""
    import torch

    net, count, device, width = split(model, asked.people, asked.settings), asked.count, model.device, widest(model.network)
    layers = [model.network] if net is None else net.rest
    is_set = torch.from_numpy(asked.is_set(model.encoder.owner)).to(device)
    terms = model.dense(asked.settings) * is_set
    terms = terms if net is None else terms @ net.first.weight.detach().T
    step = max(1, (numbers_at_once(device) // width if is_accelerator(device) else BLOCK_ROWS) // count)

    def of(some: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            start = model.dense(asked.people[some]) * ~is_set
            start = (start if net is None else net.first(start))[:, None]
            hidden = start.new_empty(min(step, len(some)), count, start.shape[2])  # of one block after the other
            outputs = start.new_empty(len(some), count)
            for first in range(0, len(some), step):
                block = slice(first, first + step)
                here = hidden[: len(some[block])]
                torch.add(start[block], asked.of(some[block], terms), out=here)
                outputs[block] = behind(layers, here.flatten(0, 1), model.name).view(-1, count)
            return outputs.double().cpu().numpy()

    people = np.arange(len(asked.people))
    outputs = in_blocks(of, people, max(1, CHUNK_ROWS // count), device, lambda: count * width)
    return as_probabilities(outputs, model.scales[0], model.name)


def _by_trees(model: TreeModel, asked: Intervention) -> np.ndarray:
    encoded = (lambda rows: rows) if model.encoder is None else model.encoder.transform
    owner = np.arange(asked.people.shape[1]) if model.encoder is None else model.encoder.owner
    rows, settings, is_set = encoded(asked.people), encoded(asked.settings), asked.is_set(owner)
    if asked.which is None:
        return asked.in_chunks(lambda some: model.trees.predict_set(rows[some], settings, is_set), TREE_ROWS)
    which = asked.which
    return asked.in_chunks(lambda some: model.trees.predict_set(rows[some], settings, is_set, which[some]), CHUNK_ROWS)


def _by_sum(model: LinearModel, asked: Intervention) -> np.ndarray:
    is_set = asked.is_set(model.encoder.owner)
    terms = model.encoder.transform(asked.settings)[:, is_set] @ model.coefficients[is_set]

    def of(some: np.ndarray) -> np.ndarray:
        rest = model.encoder.transform(asked.people[some])[:, ~is_set] @ model.coefficients[~is_set]
        return model.intercept + rest[:, None] + asked.of(some, terms)

    return asked.in_chunks(of, CHUNK_ROWS)


def _by_rows(model: Model, asked: Intervention) -> np.ndarray:
    """Return outputs of rows that are made: the path for every model, and the only one for a black box."""
    count, size, found = asked.count, len(asked.people), []
    step = max(1, BLOCK_BYTES // (asked.people[:1].nbytes * count))
    for start in range(0, size, step):
        some = np.arange(start, min(start + step, size))
        rows = np.repeat(asked.people[some, None], count, axis=1)
        rows[:, :, asked.columns] = asked.of(some, asked.values)
        one = with_carried_of(model, np.repeat(some, count))
        outputs = one.predict(rows.reshape(-1, rows.shape[2]), one.scales[0], checked=True)
        found.append(outputs.reshape(len(some), count))
    return np.concatenate(found)


_ROUTES: tuple[tuple[type[Model], Callable[[Any, Intervention], np.ndarray]], ...] = (
    (AdditiveModel, _by_additive_net),
    (NeuralModel, _by_net),
    (TreeModel, _by_trees),
    (LinearModel, _by_sum),
)
