"""One method a file. The folder is the registry; a file's name is the method's name everywhere."""

from __future__ import annotations

import importlib
import inspect
import typing
from pathlib import Path
from types import ModuleType
from typing import Any

from dlx.errors import DlxError, did_you_mean
from dlx.model import Model


class MethodError(DlxError):
    """A method that does not exist, or does not fit the model."""


class LibraryError(MethodError):
    """What a network, or the library that explains it, raised."""


def names() -> list[str]:
    """Return the names of all methods, without importing them."""
    return sorted(path.stem for path in Path(__file__).parent.glob("*.py") if not path.stem.startswith("_"))


def method(name: str) -> ModuleType:
    """Return a method's module.

    It has `attribute`, its `LABEL`, the `QUESTION` it answers, its `LIBRARY`, its `PROMISE` of local accuracy, and
    `IS_SHAPLEY`: whether it sets out to give Shapley values.

    Raises
    ------
    MethodError
        If there is no such method.
    """
    if name not in names():
        raise MethodError(f"no method {name!r}; the methods are {', '.join(names())}{did_you_mean(name, names())}")
    return importlib.import_module(f"{__name__}.{name}")


def has_reference(name: str) -> bool:
    """Whether a method has a kernel of ours, beside the library's code that it is held against."""
    return hasattr(method(name), "reference")


def fits(name: str, model: Model) -> bool:
    """Whether a method takes the model, by the annotation of its parameter `model`."""
    return isinstance(model, typing.get_type_hints(method(name).attribute)["model"])


def names_for(model: Model) -> list[str]:
    """Return the names of the methods that take the model."""
    return [name for name in names() if fits(name, model)]


def options(name: str) -> dict[str, Any]:
    """Return a method's own options with their defaults."""
    parameters = inspect.signature(method(name).attribute).parameters.values()
    shared = {"scale", "seed"}
    return {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY and p.name not in shared}
