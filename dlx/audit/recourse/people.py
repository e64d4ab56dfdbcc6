"""People with other values: everything that is no changed column goes along, also what only a model of one's own reads."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from dlx.dataset import Dataset
from dlx.model import Model
from dlx.model.kinds import BlackBox


def with_values(people: Dataset, rows: np.ndarray) -> Dataset:
    """Return people with other coded values [people, features], and the rest of their table as it came."""
    table = people.table
    if table is not None:
        features = people.schema.decode(rows, index=table.index)
        table = table.assign(**{name: features[name] for name in features})
    return dataclasses.replace(people, rows=rows, table=table)


def for_person(model: Model, people: Dataset, which: int) -> Model:
    """Return a model that may be asked about changed codes of one person: what it reads beside them is that person's."""
    if not isinstance(model, BlackBox):
        return model
    model = model.typed(people)
    if not model.carried or people.table is None:
        return model
    companion: Any = people.table[list(model.carried)].iloc[[which]]
    return dataclasses.replace(model, companion=companion)
