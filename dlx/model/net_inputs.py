"""What a network of one's own is given of a table: the tensors that its forward takes, and of which column each is made."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn
from torch.utils._pytree import TreeSpec, tree_flatten, tree_unflatten

from dlx.arrays import in_short
from dlx.encoder import DenseColumns
from dlx.errors import DlxError, in_a_line
from dlx.model.base import as_rows
from dlx.model.kinds import BlackBox
from dlx.model.net_outputs import NetworkError
from dlx.model.pipelines import NoRoute

if TYPE_CHECKING:
    import pandas as pd

    from dlx.schema import Schema

MOST_LEVELS = 20_000  # of all categories together: dense rows have a column for each


@dataclass(frozen=True)
class Slot:
    """A tensor among the arguments of a forward: its shape without rows, and its dtype; None for that of the network."""

    shape: tuple[int, ...]
    dtype: torch.dtype | None

    @property
    def size(self) -> int:
        """Number of entries of a row."""
        return int(np.prod(self.shape, dtype=int))


@dataclass(frozen=True, eq=False)
class NetInputs:
    """The arguments of a network's forward as numbers, [rows, entries], and back.

    Parameters
    ----------
    make : callable
        A table in, the arguments out.
    name : str
        Of the network, in errors.
    """

    make: Callable[[pd.DataFrame], tuple[tuple[Any, ...], dict[str, Any]]]
    name: str

    def flat(self, table: pd.DataFrame) -> tuple[np.ndarray, list[Slot | Any], TreeSpec]:
        """Return the entries of a table, float64 [rows, entries], what they are parts of, and the structure of all of it."""
        try:
            leaves, spec = tree_flatten(self.make(table))
        except DlxError:
            raise
        except Exception as error:  # the user's code
            raise NetworkError(f"the inputs of {self.name} cannot be made of a table: {in_a_line(error)}") from error
        found: list[np.ndarray] = []
        parts: list[Slot | Any] = []
        for leaf in leaves:
            tensor = torch.as_tensor(leaf) if isinstance(leaf, np.ndarray) else leaf
            if not isinstance(tensor, torch.Tensor) or not tensor.ndim or len(tensor) != len(table):
                parts.append(leaf)
                continue
            parts.append(Slot(tuple(tensor.shape[1:]), None if tensor.is_floating_point() else tensor.dtype))
            found.append(tensor.detach().double().reshape(len(table), -1).cpu().numpy())
        if not found:
            raise NetworkError(f"the inputs of {self.name} must hold a tensor with a row for each of the table's, got none")
        return np.concatenate(found, axis=1), parts, spec

    def entries(self, table: pd.DataFrame) -> np.ndarray:
        """Return the entries of a table alone."""
        return self.flat(table)[0]


class Called(nn.Module):
    """A network called with its own arguments, of which each row [entries] is made."""

    def __init__(self, network: nn.Module, parts: list[Slot | Any], spec: TreeSpec) -> None:
        super().__init__()
        self.network, self.parts, self.spec = network, parts, spec

    def forward(self, entries: torch.Tensor) -> Any:
        """Return what the network returns."""
        taken, start = [], 0
        for part in self.parts:
            if isinstance(part, Slot):
                block = entries[:, start : start + part.size].reshape(len(entries), *part.shape)
                taken.append(block.clone() if part.dtype is None else block.round().to(part.dtype))  # it may be written into
                start += part.size
            else:
                taken.append(part)
        args, named = tree_unflatten(taken, self.spec)
        return self.network(*args, **named)


def arguments_of(inputs: Any, network: nn.Module, schema: Schema) -> Callable[[Any], tuple[tuple[Any, ...], dict[str, Any]]]:
    """Return a function from a table to the arguments of a network's forward, of what the user said that it is given.

    What a tuple or a dict is meant as, several arguments or one, the signature of the forward tells.
    """
    made_by = inputs if callable(inputs) and not hasattr(inputs, "transform") else lambda table: _filled(inputs, table, schema)

    def make(table: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
        made = made_by(table)
        if isinstance(made, (tuple, list)) and _takes(network, *made):
            return tuple(made), {}
        if isinstance(made, Mapping) and all(isinstance(name, str) for name in made) and _takes(network, **made):
            return (), dict(made)
        return (made,), {}

    return make


def _takes(network: nn.Module, *args: Any, **named: Any) -> bool:
    with contextlib.suppress(ValueError):  # of a scripted module nothing is known
        try:
            inspect.signature(network.forward).bind(*args, **named)
        except TypeError:
            return False
    return True


def _filled(part: Any, table: pd.DataFrame, schema: Schema) -> Any:
    """Return tensors of a table in the structure of what was said: for columns, fitted transformers, and tuples and dicts."""
    if hasattr(part, "transform"):
        names = getattr(part, "feature_names_in_", None)
        if names is None:
            raise DlxError(
                f"{type(part).__name__} does not know its columns: fit it on a DataFrame, or let inputs be a function"
            )
        made = part.transform(table[list(names)])
        made = np.asarray(made.toarray() if hasattr(made, "toarray") else made, dtype=np.float64)
        return _tensor(made, list(names) if made.shape[1] == len(names) else [], schema)
    if isinstance(part, str):
        return _filled([part], table, schema)[:, 0]
    if isinstance(part, list) and all(isinstance(name, str) for name in part):
        if strange := [name for name in part if name not in schema.names]:
            raise DlxError(f"inputs names the column {strange[0]!r}, which is none of {', '.join(schema.names)}")
        coded = as_rows(schema, table)[:, [schema.names.index(name) for name in part]]
        return _tensor(coded, part, schema)
    if isinstance(part, Mapping):
        return {key: _filled(value, table, schema) for key, value in part.items()}
    if isinstance(part, (tuple, list)):
        return tuple(_filled(value, table, schema) for value in part)
    raise DlxError(
        f"inputs must be columns, fitted transformers, tuples or dicts of these, or a function; got {type(part).__name__}"
    )


def _tensor(numbers: np.ndarray, names: list[str], schema: Schema) -> torch.Tensor:
    """Return numbers [rows, columns] as a tensor: of integers where all of its columns are codes of categories."""
    are_codes = bool(names) and all(schema.features[schema.names.index(name)].is_categorical for name in names)
    if are_codes and np.isnan(numbers).any():
        lacking = names[int(np.isnan(numbers).any(axis=0).argmax())]
        raise DlxError(f"{lacking!r} is missing in some rows, which has no code; pass the fitted encoder that gives it one")
    return torch.from_numpy(numbers).long() if are_codes and (numbers == numbers.round()).all() else torch.from_numpy(numbers)


@dataclass(frozen=True, eq=False)
class NetEncoder(DenseColumns):
    """Original columns to dense ones of which a network's input is linear: entries of numbers, levels of categories.

    A numeric column has a dense column for each entry that is made of it; a categorical one, a column for each level, and one
    more where it may be missing; one that the network does not read, a column of zeros.

    Parameters
    ----------
    box : BlackBox
        Knows the dtypes of the table.
    inputs : NetInputs
        A table to entries.
    base : ndarray [features]
        A coded row.
    made : tuple of ndarray of int
        Of each feature: the entries that are made of it.
    tables : tuple of ndarray or None
        Of each categorical feature: what its levels set these to, [levels, entries].
    """

    box: BlackBox
    inputs: NetInputs
    base: np.ndarray
    made: tuple[np.ndarray, ...]
    tables: tuple[np.ndarray | None, ...]

    __repr__ = in_short

    @property
    def schema(self) -> Schema:
        """The original columns."""
        return self.box.schema

    @cached_property
    def widths(self) -> tuple[int, ...]:
        """Number of dense columns of each feature."""
        pairs = zip(self.made, self.tables, strict=True)
        return tuple(max(1, len(made)) if table is None else len(table) for made, table in pairs)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Name of each dense column: "age", "housing = own"."""
        found: list[str] = []
        for feature, table, width in zip(self.schema.features, self.tables, self.widths, strict=True):
            if table is not None:
                found += [f"{feature.name} = {level}" for level in (*feature.levels, "missing")][:width]
            else:
                found += [feature.name] if width == 1 else [f"{feature.name}, part {i + 1}" for i in range(width)]
        return tuple(found)

    def transform(self, rows: np.ndarray, dtype: Any = np.float32) -> np.ndarray:
        """Return coded rows [rows, features] as dense ones [rows, width]; each value of a column is encoded once."""
        dense = np.zeros((len(rows), self.width), dtype=dtype)
        values: dict[int, np.ndarray] = {}
        places: dict[int, np.ndarray] = {}
        for j, (table, start) in enumerate(zip(self.tables, self.starts, strict=True)):
            if table is not None:
                dense[np.arange(len(rows)), start + np.nan_to_num(rows[:, j], nan=len(table) - 1).astype(np.intp)] = 1.0
            elif len(self.made[j]):
                values[j], places[j] = np.unique(rows[:, j], return_inverse=True)
        if values and len(rows):
            few = np.repeat(self.base[None], max(map(len, values.values())), axis=0)
            for j, some in values.items():
                few[: len(some), j] = some
            entries = self.inputs.entries(self.box.as_read(few, checked=True))
            for j, which in places.items():
                dense[:, self.starts[j] : self.starts[j] + len(self.made[j])] = entries[which][:, self.made[j]]
        return dense


def encoder_of(inputs: NetInputs, box: BlackBox, coded: np.ndarray) -> NetEncoder:
    """Return the encoder of a network's inputs; a `NoRoute` where one is made of several columns, or is not a number.

    Parameters
    ----------
    inputs : NetInputs
        A table to entries.
    box : BlackBox
        Knows the dtypes of the table.
    coded : ndarray [rows, features]
        Rows at hand, on which it is seen what is made of what.
    """
    features, names = box.schema.features, box.schema.names
    if sum(len(feature.levels) for feature in features) > MOST_LEVELS:
        raise NoRoute(f"its categories have more than {MOST_LEVELS} levels, each of which would be a dense column")
    if not np.isfinite(inputs.entries(box.as_read(coded, checked=True))).all():
        raise NoRoute("what it is given holds gaps, of which there is no gradient")
    owner: dict[int, int] = {}
    made, tables = list[np.ndarray](), list[np.ndarray | None]()
    for j, feature in enumerate(features):
        levels = [*range(len(feature.levels)), *([np.nan] if feature.missing else [])]
        values = np.array(levels, dtype=np.float64) if feature.is_categorical else np.unique(coded[:, j])
        rows = np.repeat(coded[:1], len(values), axis=0)
        rows[:, j] = values
        try:
            entries = inputs.entries(box.as_read(rows, checked=True))
        except NetworkError as error:
            raise NoRoute(f"not every value of {feature.name} can be given to it: {error}") from error
        mine = np.flatnonzero((entries != entries[0]).any(axis=0))
        if shared := [entry for entry in mine.tolist() if entry in owner]:
            raise NoRoute(f"its inputs mix {names[owner[shared[0]]]} and {feature.name}")
        owner |= dict.fromkeys(mine.tolist(), j)
        made.append(mine)
        tables.append(entries[:, mine] if feature.is_categorical and len(mine) else None)
    return NetEncoder(box, inputs, coded[0], tuple(made), tuple(tables))
