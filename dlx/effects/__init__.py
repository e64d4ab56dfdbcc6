"""What a model does when columns change: partial dependence, ALE, Friedman's H, interactions, permutation importance.

The folder is the registry: what a file names in `__all__` can be imported from here.
"""

import importlib
from pathlib import Path
from typing import Any

_FILES = sorted(path.stem for path in Path(__file__).parent.glob("*.py") if not path.stem.startswith("_"))
_HOMES = {name: file for file in _FILES for name in importlib.import_module(f"{__name__}.{file}").__all__}
__all__ = list(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"dlx.effects has no {name!r}; dir(dlx.effects) lists what it has")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
