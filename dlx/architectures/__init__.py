"""One architecture a file. The folder is the registry; a file's name is the architecture's name everywhere.

A net's file has ``build(width, bias, *, <its options>) -> nn.Module``: dense rows [rows, width] to outputs [rows, len(bias)],
untrained, where the head's bias starts from ``bias``: the log-odds of two classes, the log share of each of several, or the
mean of a standardised value, [0.0]. One whose build takes ``groups`` is told which column each dense one belongs to. One that
reads more off the training rows than the encoder does has ``adapt(network, train, dense)``, which sets it before training; one
that can be bound takes ``monotone`` there, and has ``network.project()``, which is called after each step. Of several classes
each output of one with ``AGAINST_OTHERS`` learns its class against the others.

Any other has ``fit(train, *, seed, weights, <its options>) -> Model``, where ``train`` is a Dataset with outcomes 0 and 1, or
with values, and weights [rows] have a mean of 1 or are None. Of several classes each is fitted against the others. A file that
serves some tasks only has ``TASKS``; one that is quick on any number of training rows has ``READS_ALL``: the others are given a
draw of very many.
One of trees is grown on `random_forest.training_rows` and passed through `placed`, so that special values are no numbers to it.
One that can be bound to rise or fall with a column takes ``monotone``, 1, -1 or 0 a column [features], or None. All options
are numbers, with defaults.
"""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

from dlx.errors import DlxError, did_you_mean
from dlx.files import Folder, modules_in

GIVEN = ("seed", "weights", "monotone", "groups")  # what training passes, beside the options


class ArchitectureError(DlxError):
    """An architecture that does not exist, or does not have the option."""


def names(task: str | None = None) -> list[str]:
    """Return the names of all architectures, without importing them; or of those that serve the kind of a target."""
    every = modules_in(__path__[0])
    return every if task is None else [name for name in every if task in tasks(name)]


def reads_all(name: str) -> bool:
    """Whether an architecture is trained on all training rows, however many; the others on a draw of `rows_used`."""
    return bool(getattr(architecture(name), "READS_ALL", False))


def tasks(name: str) -> tuple[str, ...]:
    """Return the kinds of targets that an architecture serves."""
    served: tuple[str, ...] = getattr(architecture(name), "TASKS", ("binary", "multiclass", "regression"))
    return served


def architecture(name: str) -> ModuleType:
    """Return an architecture's module, or raise an `ArchitectureError` that lists the names."""
    if name not in names():
        raise ArchitectureError(f"no model {name!r}; the models are {', '.join(names())}{did_you_mean(name, names())}")
    return importlib.import_module(f"{__name__}.{name}")


def is_net(name: str) -> bool:
    """Whether an architecture is trained by gradient descent, and stopped by the validation rows."""
    return hasattr(architecture(name), "build")


def can_be_monotone(name: str) -> bool:
    """Whether an architecture can be bound to rise or fall with a column."""
    module = architecture(name)
    made_by = getattr(module, "adapt" if is_net(name) else "fit", None)
    return made_by is not None and "monotone" in inspect.signature(made_by).parameters


def network_of(name: str, width: int, bias: Sequence[float], owner: Sequence[int], own: Mapping[str, Any]) -> Any:
    """Return an architecture's net, untrained, with its own options; `owner`: which column each dense column belongs to."""
    build = architecture(name).build
    given = {"groups": owner} if "groups" in inspect.signature(build).parameters else {}
    return build(width, bias, **given, **own)


def options(name: str) -> dict[str, Any]:
    """Return an architecture's own options with their defaults."""
    module = architecture(name)
    parameters = inspect.signature(module.build if is_net(name) else module.fit).parameters.values()
    return {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY and p.name not in GIVEN}


sys.modules[__name__].__class__ = Folder
