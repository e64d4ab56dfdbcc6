"""explain(), with a memory: what was made once is kept in a folder, and taken from there if what made it is the same."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

import dlx
from dlx import explainers
from dlx.arrays import array_id
from dlx.explanation import Explanation, ExplanationError
from dlx.model import Model, Scale, as_rows
from dlx.progress import Narrator
from dlx.runner import explain


class Keeper:
    """Explains, and keeps each explanation as a file of its own; an interrupted run goes on where it stopped.

    Parameters
    ----------
    folder : Path, optional
        Where the files are; without it, explanations are kept as long as the object lives.
    narrator : Narrator
        Told of a file that cannot be read.
    """

    def __init__(self, folder: Path | None, narrator: Narrator) -> None:
        self.folder = folder
        self.narrator = narrator
        self._held: dict[str, Explanation] = {}

    def find(self, model: Model, rows: Any, **asked: Any) -> Explanation | None:
        """Return the explanation that was kept, or None; the parameters are those of `dlx.explain`."""
        name = _name_of(model, rows, **asked)
        if self.folder is None:
            return self._held.get(name)
        path = self.folder / f"{name}.safetensors"
        if not path.is_file():
            return None
        try:
            return Explanation.load(path)
        except ExplanationError as error:
            self.narrator.say(f"{error}; explaining again")
            path.unlink()
            return None

    def explain(
        self, model: Model, rows: Any, *, progress: Callable[[int, int], None] | None = None, **asked: Any
    ) -> Explanation:
        """Return the explanation that was kept, or make it; a row that fails is NaN. Parameters as of `dlx.explain`."""
        found = self.find(model, rows, **asked)
        if found is None:
            found = explain(model, rows, strict=False, progress=progress, **asked)
            name = _name_of(model, rows, **asked)
            if self.folder is None:
                self._held[name] = found
            else:
                found.save(self.folder / f"{name}.safetensors")
        return found


@functools.cache
def _code() -> str:
    """Return a hash of the code that explanations are made by."""
    package = Path(dlx.__file__).parent
    sources = [path for part in ("explainers", "games", "model") for path in sorted((package / part).glob("*.py"))]
    sources += [package / name for name in ("encoder.py", "trees.py", "_leaves.py", "runner.py")]
    return hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:16]


def _name_of(model: Model, rows: Any, *, method: str, background: Any, scale: Scale, seed: int = 0, **options: Any) -> str:
    """Return a name that changes with anything that the values depend on; a model is known by what it predicts."""
    coded, reference = as_rows(model.schema, rows), as_rows(model.schema, background)
    answers = np.concatenate([model.predict(some, scale) for some in (rows, background)])
    made_by = [_code(), version("dlx"), version(explainers.method(method).LIBRARY), model.name, scale, str(seed)]
    made_by.append(repr(sorted((explainers.options(method) | options).items())))
    data = [array_id(answers), array_id(coded), array_id(reference), model.schema.sha256]
    names = map(str, getattr(rows, "index", ()))
    return f"{method}-{hashlib.sha256('/'.join([*made_by, *data, *names]).encode()).hexdigest()[:16]}"
