"""Perturbed people who could exist: columns take the values that like people of the background have.

A column is replaced as a whole, so that no half of a one-hot group and no invented level ever reaches a model.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from dlx.arrays import array_id, check_seed, same
from dlx.background import CELLS, nearest
from dlx.errors import DlxError
from dlx.explanation import Explanation
from dlx.model import Model, Scale, as_rows, check_scale
from dlx.schema import Schema


def replacements(schema: Schema, rows: np.ndarray, donors: np.ndarray, background: np.ndarray, seed: int) -> np.ndarray:
    """Return what each column of a person takes when it is replaced, one time a donor.

    A number takes the donor's. A level takes the donor's where it differs from the person's, else another one of the
    background, drawn by its frequency (missing counts as a level); where there is no other, it stays. Every person
    has the same draws.

    Rows are [rows, features], donors [rows, donors, features], the background [references, features]; what is taken is as the
    donors.
    """
    taken = donors.copy()
    draws = np.random.default_rng(seed).random(donors.shape[1:])
    for i in schema.categorical:
        own = np.broadcast_to(rows[:, i, None], donors.shape[:2])
        other = _other_level(rows[:, i], background[:, i], draws[:, i])
        taken[:, :, i] = np.where(same(own, donors[:, :, i]), other, donors[:, :, i])
    return taken


@dataclass(frozen=True, eq=False)
class Probe:
    """A model, people, and what their columns take when they are replaced: all that a metric needs beside an explanation."""

    model: Model
    scale: Scale
    rows: np.ndarray  # [rows, features]
    donors: np.ndarray  # [rows, donors, features]
    taken: np.ndarray  # [rows, donors, features]
    subsets: tuple[np.ndarray, ...]  # random columns, bool [subsets, features]: for infidelity, for each size of sensitivity-n

    @classmethod
    def of(cls, model: Model, explanation: Explanation, background: Any, neighbours: int, subsets: int, seed: int) -> Probe:
        """Return what the people of an explanation need, or raise a `DlxError` that says what does not fit."""
        if neighbours < 1 or subsets < 2:
            raise DlxError(f"faithfulness needs at least 1 neighbour and 2 subsets, got {neighbours} and {subsets}")
        scale, coded = checked_scale(model, explanation), coded_background(model, background)
        rows, schema, width = explanation.rows, model.schema, len(model.schema)
        donors = coded[nearest(schema, rows, coded, neighbours)]
        taken = replacements(schema, rows, donors, coded, check_seed(seed))
        rng = np.random.default_rng(seed)
        drawn = [rng.integers(1, max(width, 2), size=subsets)]
        drawn += [np.full(subsets, n) for n in sorted({1, width // 4, width // 2, 3 * width // 4} & set(range(1, width)))]
        return cls(
            model, scale, rows, donors, taken, tuple(rng.permuted(np.arange(width) < sizes[:, None], axis=1) for sizes in drawn)
        )

    @cached_property
    def outputs(self) -> np.ndarray:
        """The model's output of each person, [rows]."""
        return self.model.predict(self.rows, self.scale)

    @cached_property
    def effects(self) -> tuple[np.ndarray, ...]:
        """The output minus that with a subset replaced, mean over donors, [rows, subsets] for each of the subsets."""
        masks, place = np.unique(np.concatenate(self.subsets), axis=0, return_inverse=True)
        effects = self.outputs[:, None] - self.evaluate(self.taken, masks[None]).mean(axis=2)
        return tuple(np.split(effects[:, place], np.cumsum([len(one) for one in self.subsets])[:-1], axis=1))

    def evaluate(self, taken: np.ndarray, masks: np.ndarray) -> np.ndarray:
        """Return the outputs with the columns of masks [rows or 1, masks, features] replaced, [rows, masks, donors].

        One row of masks serves everybody; memory is bounded.
        """
        shape, width = (len(self.rows), masks.shape[1], taken.shape[1]), self.rows.shape[1]
        person, mask = (part.ravel() for part in np.indices(shape[:2]))
        masks = np.broadcast_to(masks, (*shape[:2], width))
        outputs = np.empty((len(person), shape[2]))
        step = max(1, CELLS // taken[0].size)
        for start in range(0, len(person), step):
            who, which = person[start : start + step], mask[start : start + step]
            mixed = np.where(masks[who, which][:, None], taken[who], self.rows[who, None])
            asked = self.model.predict(mixed.reshape(-1, width), self.scale, checked=True)
            outputs[start : start + step] = asked.reshape(len(who), -1)
        return outputs.reshape(shape)


def checked_scale(model: Model, explanation: Explanation) -> Scale:
    """Return the scale of an explanation, or raise a `DlxError` if it is not one of this model, or explains nobody."""
    if explanation.model != model.name:
        raise DlxError(
            f"an explanation is judged by the model that it explains, got one of {explanation.model} and the model "
            f"{model.name}; pass the model {explanation.model}, or explain {model.name}"
        )
    if explanation.schema.sha256 != model.schema.sha256:
        raise DlxError(f"{model.name} must read the columns that were explained, but does not; explain it again")
    if not len(explanation):
        raise DlxError(f"an explanation must be of at least 1 row, got 0; explain some people with {explanation.method}")
    check_scale(model, explanation.scale)
    return next(scale for scale in model.scales if scale == explanation.scale)


def coded_background(model: Model, background: Any) -> np.ndarray:
    """Return the background as coded rows [references, features], or raise a `DlxError` if there is none."""
    coded = as_rows(model.schema, background)
    if not len(coded):
        raise DlxError("background must have at least 1 row, got 0; pass rows of the training data")
    return coded


def same_background(model: Model, explanation: Explanation, background: Any) -> np.ndarray:
    """Return the coded background, or raise a `DlxError` if the explanation was made against another."""
    coded = coded_background(model, background)
    if array_id(coded) != explanation.background_id:
        raise DlxError(
            f"{explanation.method} of {explanation.model} is explained again, which needs the background that it was made "
            "against, but this is another; pass the same background=... as to dlx.explain"
        )
    return coded


def is_finite(explanation: Explanation) -> np.ndarray:
    """Return which rows have a value for every column and a base value, bool [rows]."""
    return np.isfinite(explanation.values).all(axis=1) & np.isfinite(explanation.base_values)


def _other_level(own: np.ndarray, column: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """Return a level of the background other than each person's own, [rows, draws]; their own where there is none."""
    levels, counts = np.unique(column, return_counts=True)
    weights = np.where(same(levels, own[:, None]), 0, counts)
    upto = weights.cumsum(axis=1)
    place = (draws[None, :, None] * upto[:, -1, None, None] >= upto[:, None, :]).sum(axis=2)
    return levels[np.minimum(place, len(levels) - 1)]
