"""People with other values: everything that is no changed column goes along, also what only a model of one's own reads."""

from __future__ import annotations

import dataclasses

import numpy as np

from dlx.dataset import Dataset


def with_values(people: Dataset, rows: np.ndarray) -> Dataset:
    """Return people with other coded values [people, features], and the rest of their table as it came."""
    table = people.table
    if table is not None:
        features = people.schema.decode(rows, index=table.index)
        table = table.assign(**{name: features[name] for name in features})
    return dataclasses.replace(people, rows=rows, table=table)
