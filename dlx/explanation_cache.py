"""A cache of explanations: files in a folder, each taken again only if all that it was computed from is the same.

A file is named ``<method>-<asked>-<maker>.safetensors``: a hash of all that was asked, and one of dlx's code and of the
versions that it computes with. What another maker left can never be taken again, and goes when something new is kept.
"""

from __future__ import annotations

import functools
import hashlib
import os
import re
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from dlx import explainers
from dlx.arrays import array_id
from dlx.explanation import Explanation, ExplanationError
from dlx.model import Model, Scale, as_rows
from dlx.progress import Narrator
from dlx.runner import explain

APART = (  # they compute no explanation
    *("architectures", "cases", "checkpoint", "cli", "context.py", "explanation_cache.py", "plots", "remedies", "reporting"),
    *("training", "workbench"),
)
LIBRARIES = ("dlx", "captum", "shap", "lime", "torch", "numpy", "scipy", "numba")
KEPT = re.compile(r"[a-z_]+-[0-9a-f]{16}(-(?P<maker>[0-9a-f]{8}))?\.safetensors")


class ExplanationCache:
    """Explains what was not explained before; each explanation is a file, so that an interrupted run goes on where it stopped.

    Parameters
    ----------
    folder : Path, optional
        Where the files are; without it, explanations are kept as long as the object lives.
    narrator : Narrator
        Told of a file that cannot be read, which is made anew.
    """

    def __init__(self, folder: Path | None, narrator: Narrator) -> None:
        self.folder = folder
        self.narrator = narrator
        self._held: dict[str, Explanation] = {}
        self._is_swept = False
        self._from_before = set(os.listdir(folder)) if folder and folder.is_dir() else set()

    def find(self, model: Model, rows: Any, **asked: Any) -> Explanation | None:
        """Return the cached explanation, or None; the parameters are those of `dlx.explain`."""
        return self._find(name_of(model, rows, **asked), model, rows, **asked)

    def _find(self, name: str, model: Model, rows: Any, **asked: Any) -> Explanation | None:
        if self.folder is None:
            return self._held.get(name)
        path = self.folder / f"{name}.safetensors"
        if not os.path.isfile(path):
            return None
        try:
            found = Explanation.load(path)
            if not _is_asked(found, model, rows, **asked):
                raise ExplanationError(f"{path} is not the explanation that its name says")
        except ExplanationError as error:
            self.narrator.say(f"{error}; explaining again")
            path.unlink(missing_ok=True)
            return None
        return found

    def is_from_before(self, model: Model, rows: Any, **asked: Any) -> bool:
        """Return whether an earlier run cached the explanation."""
        return f"{name_of(model, rows, **asked)}.safetensors" in self._from_before

    def explain(
        self, model: Model, rows: Any, *, progress: Callable[[int, int], None] | None = None, **asked: Any
    ) -> Explanation:
        """Return the cached explanation, or a new one; a row that fails is NaN. Parameters as of `dlx.explain`."""
        name = name_of(model, rows, **asked)
        found = self._find(name, model, rows, **asked)
        if found is None:
            found = explain(model, rows, strict=False, progress=progress, **asked)
            if self.folder is None:
                self._held[name] = found
            else:
                found.save(self.folder / f"{name}.safetensors")
                self._sweep(self.folder)
        return found

    def _sweep(self, folder: Path) -> None:
        """Remove what other code or other versions had cached, once."""
        kept = [] if self._is_swept else [*folder.glob("*.safetensors")]
        self._is_swept = True
        for path in kept:
            found = KEPT.fullmatch(path.name)
            if found and found["maker"] != maker():
                path.unlink(missing_ok=True)


@functools.cache
def maker() -> str:
    """Return a hash of the code that computes explanations, and of the versions of the libraries that it uses."""
    package = Path(__file__).parent
    sources = [path for path in sorted(package.rglob("*.py")) if path.relative_to(package).parts[0] not in APART]
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sources))
    digest.update(repr([(name, version(name)) for name in LIBRARIES]).encode())
    return digest.hexdigest()[:8]


def _is_asked(
    found: Explanation, model: Model, rows: Any, *, method: str, background: Any, scale: Scale, seed: int = 0, **_: Any
) -> bool:
    said = (found.method, found.model, found.scale, found.seed, found.rows_id, found.background_id)
    coded, reference = as_rows(model.schema, rows), as_rows(model.schema, background)
    return said == (method, model.name, scale, seed, array_id(coded), array_id(reference))


def name_of(model: Model, rows: Any, *, method: str, background: Any, scale: Scale, seed: int = 0, **options: Any) -> str:
    """Return the file name of an explanation, a hash of all that its values depend on; a model is known by its predictions."""
    coded, reference = as_rows(model.schema, rows), as_rows(model.schema, background)
    answers = np.concatenate([model.predict(some, scale) for some in (rows, background)])
    made_by = [version(explainers.method(method).LIBRARY), model.name, scale, str(seed)]
    made_by.append(repr(sorted((explainers.options(method) | options).items())))
    data = [array_id(answers), array_id(coded), array_id(reference), model.schema.sha256]
    names = map(str, getattr(rows, "index", ()))
    return f"{method}-{hashlib.sha256('/'.join([*made_by, *data, *names]).encode()).hexdigest()[:16]}-{maker()}"
