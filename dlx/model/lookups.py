"""What a network looks up by codes (embeddings, one-hot vectors), as rows of tables: linear in the one-hot of a category.

Whatever a network makes of a code before it looks it up (an offset into one table, another order, a hash), the code that a
lookup is asked for is a function of one level of one column: it is tabulated, by running the network on every level. The
lookup's answers then are a table's rows, one-hot times a matrix, and the network runs on them instead. That nothing else
in it reads the codes is tried (`refuse_other_readers`): with the answers held, other codes must not move its output.
"""

from __future__ import annotations

import contextlib
import inspect
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.nn import functional
from torch.utils._pytree import tree_leaves

from dlx.errors import in_a_line
from dlx.model.net_outputs import shown
from dlx.model.networks import Calls
from dlx.model.pipelines import NoRoute

ASKED = {  # functions that look codes up, and which of their arguments holds the codes
    functional.embedding: 0,
    functional.embedding_bag: 0,
    functional.one_hot: 0,
    torch.Tensor.__getitem__: 1,
    torch.index_select: 2,
    torch.Tensor.index_select: 2,
}
FEWEST_ROWS = 11  # of a run on every level
CALLS = {functional.one_hot: "a one-hot", torch.Tensor.__getitem__: "an index"}


@dataclass(frozen=True)
class Levels:
    """A categorical column: where its levels are among dense columns, and the entries of a network's input that they set."""

    name: str
    start: int  # its first dense column
    entries: torch.Tensor  # int [some]
    values: torch.Tensor  # [levels, some], what each level sets these to


@dataclass(frozen=True)
class Answer:
    """What one lookup gives of rows: columns of the network's first layer, in a shape."""

    columns: slice
    shape: tuple[int, ...]  # of a row
    axis: int  # of the rows among the axes


@dataclass(frozen=True, eq=False)
class Lookups:
    """The lookups of a network that categories decide, and the layer that answers them.

    Parameters
    ----------
    answers : tuple of Answer or None
        By call; None of one that no category decides: it is left to the network.
    weight, bias : Tensor [answered, width], [answered]
        Dense columns to the answers.
    asking : frozenset of str
        The columns that are looked up.
    """

    answers: tuple[Answer | None, ...]
    weight: torch.Tensor
    bias: torch.Tensor
    asking: frozenset[str]


class Answered(nn.Module):
    """A network whose lookups are answered: rows [rows, entries + answers] to its outputs."""

    def __init__(self, network: nn.Module, entries: int, answers: tuple[Answer | None, ...]) -> None:
        super().__init__()
        self.network, self.entries, self.answers = network, entries, answers

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        """Return the network's output, what was worked out in place of what it looks up, call by call."""
        worked_out, answers = rows[:, self.entries :], iter(self.answers)

        def answering(function: Any, args: Any, kwargs: Any) -> Any:
            if _codes_of(function, args, kwargs) is None or (answer := next(answers, None)) is None:
                return function(*args, **kwargs)
            given = worked_out[:, answer.columns].reshape(-1, *answer.shape)
            return given.movedim(0, answer.axis).clone()  # a network may write into it

        with Calls(answering):
            output: torch.Tensor = self.network(rows[:, : self.entries])
        return output


@dataclass(frozen=True)
class _Call:
    function: Any
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    codes: torch.Tensor

    @property
    def bag(self) -> dict[str, Any]:
        """The arguments of a bag, by name; none of another call."""
        if self.function is not functional.embedding_bag:
            return {}
        bound = inspect.signature(self.function).bind(*self.args, **self.kwargs)
        bound.apply_defaults()
        return bound.arguments

    def of(self, codes: torch.Tensor) -> torch.Tensor:
        """Return what the call gives of other codes, each for itself, [codes, ...]."""
        place = ASKED[self.function]
        given: torch.Tensor
        if self.bag:
            given = self.function(**self.bag | {"input": codes[:, None], "offsets": None})
        elif place < len(self.args):
            given = self.function(*self.args[:place], codes, *self.args[place + 1 :], **self.kwargs)
        else:
            given = self.function(*self.args, **self.kwargs | {"input" if place == 0 else "index": codes})
        return given


def _codes_of(function: Any, args: Any, kwargs: dict[str, Any]) -> torch.Tensor | None:
    """Return the codes that a function looks up; None of one that looks up nothing."""
    place = ASKED.get(function)
    if place is None:
        return None
    codes = args[place] if place < len(args) else kwargs.get("input", kwargs.get("index"))
    if isinstance(codes, torch.Tensor) and codes.dtype in (torch.int64, torch.int32) and codes.ndim:
        return codes
    return None


def tabulated(network: nn.Module, entries: torch.Tensor, dense: torch.Tensor, columns: Sequence[Levels]) -> Lookups:
    """Return the lookups of a network as tables; a `NoRoute` where one looks up what several columns make together.

    Parameters
    ----------
    network : nn.Module
        Entries [rows, entries] to outputs [rows].
    entries, dense : Tensor [rows, entries], [rows, width]
        Rows at hand, as the network and as its first layer reads them.
    columns : sequence of Levels
        The categorical columns.
    """
    count = _count(network, entries, max([len(column.values) for column in columns], default=0))
    base = entries[:1].repeat(count, 1)
    heard = _heard(network, base)
    of_levels = []
    for column in columns:
        rows, levels = base.clone(), torch.arange(count) % len(column.values)
        rows[:, column.entries] = column.values[levels].to(rows)
        try:
            of_levels.append(_heard(network, rows))
        except (IndexError, RuntimeError) as error:
            raise NoRoute(f"it cannot be asked for every level of {column.name}: {in_a_line(error)}") from error
    some = torch.arange(count) % len(entries)
    real = _heard(network, entries[some])
    if any([call.function for call in calls] != [call.function for call in heard] for calls in (real, *of_levels)):
        raise NoRoute("what it looks up changes from row to row")
    tables = [
        _table(_name(network, call), call, [calls[i] for calls in of_levels], real[i], dense[some], columns)
        for i, call in enumerate(heard)
    ]
    return _joined(tables, dense)


def _count(network: nn.Module, entries: torch.Tensor, levels: int) -> int:
    """Return a number of rows that tells the axis of the rows: more than there are levels, and the length of no weight."""
    weights = itertools.chain(network.parameters(), network.buffers())
    lengths = {length for weight in weights for length in weight.shape} | {entries.shape[1]}
    return next(count for count in itertools.count(max(FEWEST_ROWS, levels)) if count not in lengths)


def _heard(network: nn.Module, rows: torch.Tensor) -> list[_Call]:
    calls: list[_Call] = []

    def hearing(function: Any, args: Any, kwargs: Any) -> Any:
        if (codes := _codes_of(function, args, kwargs)) is not None:
            calls.append(_Call(function, args, kwargs, codes.clone()))
        return function(*args, **kwargs)

    with torch.no_grad(), Calls(hearing):
        network(rows.clone())  # a network may write into what it is given
    return calls


def _name(network: nn.Module, call: _Call) -> str:
    """Return how an error names a lookup: by the weight that it looks up in."""
    tensors = [value for value in tree_leaves((call.args, call.kwargs)) if isinstance(value, torch.Tensor)]
    held = itertools.chain(network.named_parameters(), network.named_buffers())
    path = next((path for path, weight in held if any(weight is value for value in tensors)), None)
    return CALLS.get(call.function, "a lookup") if path is None else shown(network, path.removesuffix(".weight"))


def _table(
    name: str, call: _Call, of_levels: list[_Call], real: _Call, dense: torch.Tensor, columns: Sequence[Levels]
) -> Lookups | None:
    """Return what one lookup gives as a table, None where no category decides it."""
    axes = [axis for axis, length in enumerate(call.codes.shape) if length == len(dense)]
    owners: dict[int, int] = {}
    if len(axes) != 1 or any(one.codes.shape != call.codes.shape for one in (real, *of_levels)):
        if all(torch.equal(call.codes, one.codes) for one in of_levels):
            return None
        raise NoRoute(f"{name} is asked for codes that are not one row after the other")
    (axis,) = axes
    flat = [one.codes.movedim(axis, 0).reshape(len(dense), -1) for one in (call, real, *of_levels)]
    for j, codes in enumerate(flat[2:]):
        for place in (codes != flat[0]).any(dim=0).nonzero().flatten().tolist():
            if place in owners:
                raise NoRoute(f"{name} looks up {columns[owners[place]].name} and {columns[j].name} together")
            owners[place] = j
    if not owners:
        return None
    asked = flat[0][:1].expand(len(dense), -1).clone()
    for place, j in owners.items():
        held = dense[:, columns[j].start : columns[j].start + len(columns[j].values)].argmax(dim=1)
        asked[:, place] = flat[2 + j][held, place]
    if not torch.equal(asked, flat[1]):
        raise NoRoute(f"{name} looks up what {columns[next(iter(owners.values()))].name} and other columns make together")
    return _filled(name, call, flat, owners, axis, dense, columns)


def _filled(
    name: str,
    call: _Call,
    flat: list[torch.Tensor],
    owners: dict[int, int],
    axis: int,
    dense: torch.Tensor,
    columns: Sequence[Levels],
) -> Lookups:
    """Return the table of a lookup, place by place."""
    is_bag = bool(call.bag)
    if is_bag:
        _check_bag(name, call)
    places = flat[0].shape[1]
    with torch.no_grad():
        still = call.of(flat[0][0]).to(dense).flatten(1)  # [places, one answer], of the first row
        size = still.shape[1]
        each = 1 / places if call.bag.get("mode") == "mean" else 1.0
        columns_of = [slice(0, size) if is_bag else slice(p * size, (p + 1) * size) for p in range(places)]
        weight = dense.new_zeros(size if is_bag else places * size, dense.shape[1])
        bias = dense.new_zeros(len(weight))
        for place, into in enumerate(columns_of):
            if place not in owners:
                bias[into] += each * still[place]
                continue
            column = columns[owners[place]]
            found = call.of(flat[2 + owners[place]][: len(column.values), place]).to(dense).flatten(1)
            weight[into, column.start : column.start + len(column.values)] += each * found.T
    rest = [length for i, length in enumerate(call.codes.shape) if i != axis]
    shape = (size,) if is_bag else (*rest, *call.of(flat[0][0]).shape[1:])
    answer = Answer(slice(0, len(bias)), tuple(shape), 0 if is_bag else axis)
    return Lookups((answer,), weight, bias, frozenset(columns[j].name for j in owners.values()))


def _check_bag(name: str, call: _Call) -> None:
    """Raise unless a bag is the sum or the mean of what it looks up."""
    given = call.bag
    whole = call.codes.ndim == 2 or (given["offsets"] is not None and len(given["offsets"]) == len(call.codes))
    if not whole or given["per_sample_weights"] is not None or given["padding_idx"] is not None or given["mode"] == "max":
        raise NoRoute(f"{name} is a bag that is no sum or mean of a row for each column")


def _joined(tables: Sequence[Lookups | None], dense: torch.Tensor) -> Lookups:
    """Return lookups one after the other."""
    answers: list[Answer | None] = []
    at = 0
    for table in tables:
        one = None if table is None else table.answers[0]
        answers.append(one and replace(one, columns=slice(at, at + one.columns.stop)))
        at += one.columns.stop if one else 0
    some = [Lookups((), dense.new_zeros(0, dense.shape[1]), dense.new_zeros(0), frozenset()), *filter(None, tables)]
    weight, bias = torch.cat([table.weight for table in some]), torch.cat([table.bias for table in some])
    return Lookups(tuple(answers), weight, bias, frozenset().union(*(table.asking for table in some)))


# Whether anything but lookups reads codes


def refuse_other_readers(network: Answered, rows: torch.Tensor, others: torch.Tensor, columns: Sequence[str]) -> None:
    """Raise a `NoRoute` that names the module that codes move by anything but a lookup.

    Parameters
    ----------
    network : Answered
        The network.
    rows, others : Tensor [rows, entries + answers]
        Alike but for the codes.
    columns : sequence of str
        Whose codes.
    """
    before, after = _outputs_of_modules(network, rows), _outputs_of_modules(network, others)
    if _alike(before[-1].outputs, after[-1].outputs):
        return
    by_itself = (
        one.path
        for one, other in zip(before, after, strict=True)
        if _alike(one.given, other.given) and not _alike(one.outputs, other.outputs)
    )
    moved = shown(network, next(by_itself, before[-1].path))
    raise NoRoute(f"{moved} reads the codes of {', '.join(columns)} by other means than an embedding")


class _Ran(NamedTuple):
    path: str
    given: list[torch.Tensor]
    outputs: list[torch.Tensor]


def _alike(some: list[torch.Tensor], others: list[torch.Tensor]) -> bool:
    return len(some) == len(others) and all(torch.equal(one, other) for one, other in zip(some, others, strict=True))


def _outputs_of_modules(network: nn.Module, rows: torch.Tensor) -> list[_Ran]:
    ran: list[_Ran] = []

    def note(path: str, _: Any, args: Any, kwargs: Any, output: Any) -> None:
        ran.append(_Ran(path, _reals((args, kwargs)), _reals(output)))

    with contextlib.ExitStack() as hooks, torch.no_grad():
        for path, module in network.named_modules():
            hooks.callback(module.register_forward_hook(partial(note, path), with_kwargs=True).remove)
        network(rows.clone())
    return ran


def _reals(values: Any) -> list[torch.Tensor]:
    return [value.clone() for value in tree_leaves(values) if isinstance(value, torch.Tensor) and value.is_floating_point()]
