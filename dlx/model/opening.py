"""Models of the user's own by what is typed: an object of a Python file or module, or a file that another library wrote."""

from __future__ import annotations

import contextlib
import functools
import importlib
import sys
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import replace
from importlib.machinery import PathFinder
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from dlx.dataset import Dataset
from dlx.errors import DlxError, did_you_mean, in_a_line
from dlx.model.base import Model, Scale, for_case
from dlx.model.model_files import LIBRARIES, read_model_file, refuse_missing_library
from dlx.model.wrapping import ids_of, wrap

PICKLES = (".pkl", ".pickle", ".joblib", ".dill", ".cloudpickle", ".pt", ".pth", ".bin", ".sav")
WEIGHTS = ".ckpt"
HAND_OVER = "hand the model over as the object of a Python file of yours that loads it (mine.py:model)"
FORMS = (
    "file.py:object, package.module:object, a file .onnx, .json or .ubj (XGBoost), .txt (LightGBM), .cbm (CatBoost) or .skops, "
    "or weights.ckpt:file.py:Class (Lightning)"
)


def is_own(text: str) -> bool:
    """Return whether a text names a model of the user's own: a file or an object, not an architecture of dlx."""
    return any(mark in text for mark in ":./")


def name_of(text: str) -> str:
    """Return the name that a model gets on the page: that of the object, unless it is "model", or the stem of the file."""
    weights, place, known = _parts(text)
    if weights or not known:
        return Path(weights or text).stem
    called = known.rpartition(".")[2]
    if called != "model":
        return called
    return Path(place).stem if place.endswith(".py") else place.rpartition(".")[2]


def refuse_unopenable(text: str) -> None:
    """Raise a `DlxError` if a text names no model that can be opened, by its form, its file and the library that reads it."""
    weights, place, known = _parts(text)
    kind = Path(text).suffix.lower()
    for path in filter(None, (weights, place if place.endswith(".py") else "", "" if known else text)):
        if not Path(path).is_file() and (Path(path).suffix or "/" in path):
            near = did_you_mean(Path(path).name, (beside.name for beside in Path(path).parent.glob("*")))
            raise DlxError(f"there is no file {path}{near}")
    if known:
        return
    if kind in PICKLES:
        raise DlxError(
            f"{text} may be a pickle, which runs whatever code is in it, and is not loaded; {HAND_OVER}, or save it by skops "
            "(.skops) or as ONNX (.onnx)"
        )
    if kind in (".py", WEIGHTS):
        whole = f"{text}:model" if kind == ".py" else f"{text}:file.py:Class"
        raise DlxError(f"{text} needs the {'object' if kind == '.py' else 'class'} that is meant: {whole}")
    if kind not in LIBRARIES:
        raise DlxError(f"{text} is no model that can be opened; what can be: {FORMS}")
    refuse_missing_library(Path(text))


def open_model(text: str, case: Dataset, *, trusted: Sequence[str] = (), trained_on: Any = None) -> Model:
    """Return the model that a text names, wrapped for the columns of a case, and held to what it predicts itself.

    Parameters
    ----------
    text : str
        ``file.py:object`` or ``package.module:object``, whose code is run; a file .onnx, .json or .ubj (XGBoost), .txt
        (LightGBM), .cbm (CatBoost) or .skops; or ``weights.ckpt:file.py:Class``, a checkpoint of Lightning.
    case : Dataset
        The columns that it reads, and some rows to hold it to.
    trusted : sequence of str
        Types that a skops file may hold beside those that skops trusts itself.
    trained_on : Dataset, DataFrame, list or str, optional
        As of `wrap`: "train", or a file of rows, or the rows.

    Raises
    ------
    UntrustedError
        If a skops file holds types that are not trusted.
    DlxError
        If there is no such file or object, it is no model, or a library is not installed.
    """
    refuse_unopenable(text)
    model = replace(_opened(text, case, trusted), origin=(text, *trusted))
    return model if trained_on is None else replace(model, trained_on=ids_of(trained_on, case))


def _opened(text: str, case: Dataset, trusted: Sequence[str]) -> Model:
    weights, place, known = _parts(text)
    if not known:
        with _importable(Path.cwd()):  # a skops file may hold types of one's own
            made, scale = read_model_file(Path(text), case, trusted)
        return _wrapped(made, case, text, scale)
    thing = _object(place, known)
    if weights:
        if not hasattr(thing, "load_from_checkpoint"):
            raise DlxError(f"{place}:{known} must be a LightningModule, which has load_from_checkpoint; got {thing!r:.60}")
        try:
            with _running(weights, place):
                thing = thing.load_from_checkpoint(weights, map_location="cpu", weights_only=True)
        except DlxError as error:
            if type(error.__cause__).__name__ != "UnpicklingError":
                raise
            raise DlxError(f"{weights} holds more than weights, and is not loaded; {HAND_OVER}") from error
    return _wrapped(thing, case, text)


def _parts(text: str) -> tuple[str, str, str]:
    """Return the checkpoint, the file or module, and the object that a text names; "" where it has none."""
    weights, mark, rest = text.rpartition(f"{WEIGHTS}:")
    place, _, known = rest.rpartition(":")
    return (weights + WEIGHTS if mark else ""), place, known if place else ""


def _wrapped(made: Any, case: Dataset, text: str, scale: Scale | None = None) -> Model:
    """Return an object as a model of some of the case's rows at least; one that was wrapped already as it is."""
    try:
        if not isinstance(made, Model):
            return wrap(made, case, name=name_of(text), scale=scale)
        made = for_case(made, case)
        made.predict(case[:2], made.scales[0])
        return made
    except DlxError as error:
        raise DlxError(f"{text}: {error}") from error


def _object(place: str, known: str) -> Any:
    """Return an object of a Python file or module, whose code is run."""
    with _running(place, place):
        if place.endswith(".py"):
            module = _of_file(Path(place).resolve())
        else:
            with _importable(Path.cwd()):
                module = importlib.import_module(place)
    try:
        return functools.reduce(getattr, known.split("."), module)
    except AttributeError as error:
        raise DlxError(f"{place} has no {known!r}{did_you_mean(known, vars(module))}") from error


def _of_file(path: Path) -> ModuleType:
    """Return a Python file as a module, which is run once; the files beside it can be imported."""
    for name in (path.stem, str(path)):
        if getattr(sys.modules.get(name), "__file__", None) == str(path):
            return sys.modules[name]
    found = PathFinder.find_spec(path.stem)
    is_taken = path.stem in sys.modules or (found is not None and found.origin != str(path))
    spec = spec_from_file_location(str(path) if is_taken else path.stem, path)
    assert spec is not None and spec.loader is not None
    module = sys.modules[spec.name] = module_from_spec(spec)
    try:
        with _importable(path.parent):
            spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[spec.name]
        raise
    return module


@contextlib.contextmanager
def _importable(folder: Path) -> Iterator[None]:
    """Let the modules of a folder be found first, and afterwards behind all that is installed: some are imported later."""
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        sys.path.append(str(folder))


@contextlib.contextmanager
def _running(what: str, place: str) -> Iterator[None]:
    """Say in one line what the user's code raises, and in which line of it; what it prints goes to standard error."""
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    except (Exception, SystemExit) as error:
        own = Path(place).resolve()
        lines = [step.lineno for step in traceback.extract_tb(error.__traceback__) if step.filename == str(own)]
        at = f" in line {lines[-1]}" if lines else ""
        raise DlxError(f"{what} cannot be loaded: {in_a_line(error)}{at}; --debug shows the traceback") from error
