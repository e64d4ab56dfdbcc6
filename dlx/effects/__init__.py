"""What a model does when columns change: partial dependence, ALE, Friedman's H, interactions, permutation importance.

The folder is the registry: what a file names in `__all__` can be imported from here.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any


def names() -> list[str]:
    """Return the names of all effects: the functions that measure one, and the results that they return."""
    return sorted(_homes())


def _homes() -> dict[str, str]:
    """Return the file of each public name."""
    files = [path.stem for path in Path(__file__).parent.glob("*.py") if not path.stem.startswith("_")]
    return {name: file for file in files for name in importlib.import_module(f"{__name__}.{file}").__all__}


def __getattr__(name: str) -> Any:
    if name.startswith("_") or name not in (homes := _homes()):
        raise AttributeError(f"dlx.effects has no {name!r}; dir(dlx.effects) lists what it has")
    return getattr(importlib.import_module(f"{__name__}.{homes[name]}"), name)


def __dir__() -> list[str]:
    return ["names", *names()]
