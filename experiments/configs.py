"""What a TOML file of experiments says, checked: no key is dropped, no value is taken for another."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dlx import architectures, cases, training
from dlx.errors import DlxError, did_you_mean
from dlx.schema.fields import conform, described


@dataclass(frozen=True)
class Config:
    """What a script trains and compares.

    Parameters
    ----------
    case : str
        One of `dlx.cases()`.
    models : tuple of str
        Architectures; all by default.
    seeds : tuple of int
        Seeds, each a run of its own.
    people, background : int, optional
        How many rows are explained, against how many; what `dlx.report` takes by default.
    overrides : mapping of str to mapping
        Options of an architecture that differ from the defaults, by its name.
    """

    case: str
    models: tuple[str, ...] = ()
    seeds: tuple[int, ...] = (0,)
    people: int | None = None
    background: int | None = None
    overrides: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        conform(self, "experiment", DlxError)
        if self.case not in cases.names():
            known = f"{', '.join(cases.names())}{did_you_mean(self.case, cases.names())}"
            raise DlxError(f"no case {self.case!r}; the cases are {known}")
        for name in self.models:
            architectures.architecture(name)
        if not self.seeds:
            raise DlxError("seeds must name at least one, got none")
        for what, values in {"models": self.models, "seeds": self.seeds}.items():
            if len(set(values)) < len(values):
                raise DlxError(f"{what} must be different, got {list(values)}")
        small = {"seeds": min(self.seeds, default=0), "people": self.people, "background": self.background}
        for what, number in small.items():
            if number is not None and number < (what != "seeds"):
                raise DlxError(f"{what} must be at least {int(what != 'seeds')}, got {number}")
        for name, options in self.overrides.items():
            if name not in self.architectures:
                near = did_you_mean(name, self.architectures)
                raise DlxError(f"[overrides.{name}] is of no model that is trained: {', '.join(self.architectures)}{near}")
            training.overrides(name, options)

    @property
    def architectures(self) -> tuple[str, ...]:
        """The architectures that are trained."""
        return self.models or tuple(architectures.names("binary"))


def read_config(path: Path) -> Config:
    """Return what a file says, or raise a `DlxError` that names the file and the key."""
    try:
        entry = tomllib.loads(path.read_text(encoding="utf-8-sig"))
        if entry.get("models") == []:
            raise DlxError("models must name at least one, got none; leave the key out for all")
        return Config(**described(Config, entry, "experiment", DlxError))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise DlxError(f"cannot read {path}: {error}") from error
    except DlxError as error:
        raise DlxError(f"{path}: {error}") from error
