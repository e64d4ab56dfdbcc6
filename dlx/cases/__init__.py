"""The tables that dlx ships: one case a file, and the folder is the list of them."""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType

from dlx.dataset import Dataset, shipped
from dlx.errors import did_you_mean, listed
from dlx.schema import SchemaError


def names() -> list[str]:
    """Return the names of the cases, sorted, without importing them."""
    return shipped()


def load(name: str) -> Dataset:
    """Return a shipped case as a Dataset, with its schema and its card.

    Parameters
    ----------
    name : str
        One of `names()`.

    Raises
    ------
    SchemaError
        If there is no such case, or its data file is not the one that was shipped.
    """
    if name not in names():
        raise SchemaError(
            f"no case {name!r}; the cases are {listed(names())}; "
            f"for a table of your own use dlx.read_table(path, target=...){did_you_mean(name, names())}"
        )
    case: Dataset = import_module(f"dlx.cases.{name}").load()
    return case


class _Room(ModuleType):
    """The folder, which can be called: `dlx.cases()` returns its names."""

    def __call__(self) -> list[str]:
        return names()


sys.modules[__name__].__class__ = _Room
