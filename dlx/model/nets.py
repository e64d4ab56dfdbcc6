"""Networks of one's own as models: on dense rows, or called with what is made of a table, numbers and codes side by side."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn
from torch.utils._pytree import tree_structure

from dlx.encoder import Encoder, level_numbers
from dlx.errors import DlxError
from dlx.model.base import Model, Scale, as_rows, scales_from, table_of
from dlx.model.fidelity import FidelityError, verified
from dlx.model.heads import speaking_for
from dlx.model.kinds import CHUNK_ROWS, BlackBox, NeuralModel
from dlx.model.lookups import Answered, Levels, refuse_other_readers, tabulated
from dlx.model.net_inputs import Called, NetEncoder, NetInputs, Slot, arguments_of, encoder_of
from dlx.model.net_outputs import BROUGHT
from dlx.model.networks import dtype_of, frozen
from dlx.model.pipelines import NoRoute
from dlx.model.routes import as_black_box

if TYPE_CHECKING:
    import pandas as pd

    from dlx.schema import Schema

ROUTE = "Read as a net, of which gradients can be asked"


@dataclass(frozen=True)
class Own:
    """A user's network as a function of a table: the inputs that are made of it, and the network called with them."""

    entries: Callable[[pd.DataFrame], np.ndarray]
    network: nn.Module

    def __call__(self, table: pd.DataFrame) -> np.ndarray:
        """Return the network's outputs, [rows]."""
        weight = next(self.network.parameters(), torch.zeros(0))
        entries = torch.from_numpy(self.entries(table)).to(device=weight.device, dtype=dtype_of(self.network))
        with torch.no_grad():
            return torch.cat(
                [self.network(some).reshape(-1).double().cpu() for some in torch.split(entries, CHUNK_ROWS)]
            ).numpy()

    def of(self, place: int) -> Own:
        """Return the same for another of several classes."""
        return Own(self.entries, speaking_for(self.network, place))


def on_dense_rows(
    network: nn.Module, schema: Schema, name: str, scale: Scale | None, chosen: int | None, encoder: Encoder | None, check: Any
) -> NeuralModel:
    """Return a frozen copy of a network on dense rows as a model; the rows at hand are what it is tried on."""
    spoiled = [f.name for f in schema.features if (f.is_categorical and not level_numbers(f)) or f.missing]
    if encoder is None and spoiled:
        raise DlxError(
            f"a network reads numbers, but {', '.join(spoiled)} are categorical or may be missing; say what its forward is "
            "given: dlx.wrap(network, case, inputs=...), or pass the encoder that it was trained with"
        )
    encoder = Encoder.identity(schema) if encoder is None else encoder
    if not hasattr(encoder, "schema"):
        raise DlxError(f"the encoder of {name} must be an Encoder of dlx, got {type(encoder).__name__}")
    if encoder.schema.codes != schema.codes:
        raise DlxError(f"the encoder of {name} must be of the schema that is passed, but it was fitted on other columns")
    dense = None if check is None else torch.from_numpy(encoder.transform(as_rows(schema, check), np.float64))
    copied, own = frozen(network, encoder.width, dense, scale=scale, target=schema.target, chosen=chosen, name=name)
    return NeuralModel(copied, encoder, name, scales_from(own), chosen=chosen, route=f"{ROUTE}.")


def on_inputs(
    network: nn.Module, schema: Schema, name: str, scale: Scale | None, chosen: int | None, inputs: Any, check: Any
) -> Model:
    """Return a network as a model of the table that its inputs are made of, held to itself on the rows at hand.

    Its gradients can be asked where each number that it is given is made of one column, and codes reach lookups only; else
    nothing but its predictions. The `route` of the model says why.
    """
    if check is None:
        raise DlxError(f"the inputs of {name} are made of rows: wrap it with a Dataset, or pass check")
    table = table_of(check)
    box = BlackBox(len, schema if table is None else schema.typed(table), name)
    given = NetInputs(arguments_of(inputs, network, box.schema), name)
    coded = as_rows(box.schema, check)
    entries, parts, spec = given.flat(box.as_it_came(check))
    rows = torch.from_numpy(entries)
    is_plain = parts == [Slot((entries.shape[1],), None)] and spec == tree_structure(((0,), {}))
    around = network if is_plain else Called(network, parts, spec)
    copied, own = frozen(around, rows.shape[1], rows, scale=scale, target=schema.target, chosen=chosen, name=name)
    for module in copied.modules():
        if isinstance(module, Called):
            setattr(module.network, BROUGHT, True)
    box = replace(box, function=Own(given.entries, copied), scales=scales_from(own), chosen=chosen)
    try:
        return verified(_read(box, given, copied, coded), check)
    except (NoRoute, FidelityError) as why:
        return verified(as_black_box(box, why), check)


def _read(box: BlackBox, given: NetInputs, copied: nn.Module, coded: np.ndarray) -> NeuralModel:
    """Return a network behind a linear layer, which makes its inputs and the answers to its lookups of dense rows."""
    encoder = encoder_of(given, box, coded)
    weight = next(copied.parameters(), torch.zeros(0))
    kind = torch.empty(0, device=weight.device, dtype=dtype_of(copied))
    dense = torch.from_numpy(encoder.transform(coded, np.float64)).to(kind)
    entries = torch.from_numpy(given.entries(box.as_read(coded, checked=True))).to(kind)
    columns = _levels(encoder)
    lookups = tabulated(copied, entries, dense, columns)
    codes = _codes(copied, columns, lookups.asking)
    first = _first(encoder, entries, dense, columns, codes)
    own: dict[str, Any] = {"scales": box.scales, "behind": box, "chosen": box.chosen}
    if not lookups.asking and not codes:
        return NeuralModel(nn.Sequential(first, copied), encoder, box.name, route=f"{ROUTE}.", **own)
    answered = Answered(copied, entries.shape[1], lookups.answers)
    with torch.no_grad():
        values = torch.cat([first(dense), dense @ lookups.weight.T + lookups.bias], dim=1)
    others = values.clone()
    others[:, codes] = entries[:, codes]
    held = [column.name for column in columns if {*column.entries.tolist()} & {*codes}]
    refuse_other_readers(answered, values, others, held)
    joined = _linear(torch.cat([first.weight, lookups.weight]), torch.cat([first.bias, lookups.bias]))
    route = f"{ROUTE}, with a column for each level of {', '.join(sorted(lookups.asking))}."
    return NeuralModel(nn.Sequential(joined, answered), encoder, box.name, route=route, **own)


def _levels(encoder: NetEncoder) -> list[Levels]:
    parts = zip(encoder.schema.features, encoder.starts.tolist(), encoder.made, encoder.tables, strict=True)
    return [
        Levels(feature.name, start, torch.from_numpy(made), torch.from_numpy(table))
        for feature, start, made, table in parts
        if table is not None
    ]


def _codes(copied: nn.Module, columns: list[Levels], asking: frozenset[str]) -> list[int]:
    """Return the entries that are codes: of columns that are looked up, and integers, of which there is no gradient."""
    called = next((module for module in copied.modules() if isinstance(module, Called)), None)
    slots = [part for part in called.parts if isinstance(part, Slot)] if called else []
    integer = np.repeat([slot.dtype is not None for slot in slots] or [False], [slot.size for slot in slots] or [0])
    mine = [(column.name in asking, entry) for column in columns for entry in column.entries.tolist()]
    return sorted(entry for is_asked, entry in mine if is_asked or (len(integer) and integer[entry]))


def _first(
    encoder: NetEncoder, entries: torch.Tensor, dense: torch.Tensor, columns: list[Levels], codes: list[int]
) -> nn.Linear:
    """Return the layer that makes a network's inputs of dense rows; codes stay those of the first row at hand."""
    weight, bias = dense.new_zeros(entries.shape[1], dense.shape[1]), entries[0].clone()
    for start, made, table in zip(encoder.starts.tolist(), encoder.made, encoder.tables, strict=True):
        bias[made] = 0.0
        if table is None:
            weight[made, start + np.arange(len(made))] = 1.0
    for column in columns:
        span = slice(column.start, column.start + len(column.values))
        weight[column.entries, span] = column.values.T.to(dense)
    weight[codes], bias[codes] = 0.0, entries[0, codes]
    return _linear(weight, bias)


def _linear(weight: torch.Tensor, bias: torch.Tensor) -> nn.Linear:
    layer = nn.Linear(weight.shape[1], len(weight), device=weight.device, dtype=weight.dtype)
    layer.weight, layer.bias = (nn.Parameter(values, requires_grad=False) for values in (weight, bias))
    return layer
