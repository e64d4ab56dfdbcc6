"""Files that other libraries wrote as something that predicts: one function a library, none of which loads a pickle."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dlx.dataset import Dataset
from dlx.errors import DlxError, in_a_line
from dlx.model.base import Scale
from dlx.model.estimators import estimator_of, known_columns

if TYPE_CHECKING:
    import pandas as pd

LIBRARIES = {  # by the suffix: the module, and what is installed
    **dict.fromkeys((".json", ".ubj"), ("xgboost", "xgboost")),
    ".txt": ("lightgbm", "lightgbm"),
    ".cbm": ("catboost", "catboost"),
    ".onnx": ("onnxruntime", "'dlx[onnx]'"),
    ".skops": ("skops", "'dlx[skops]'"),
}
_DTYPES = {"float": "float32", "double": "float64", "string": "object"}  # of ONNX, where numpy calls them otherwise
_SOME = 256  # rows that tell on which scale an ONNX model answers


class UntrustedError(DlxError):
    """A skops file that holds types which nobody said are to be trusted."""

    def __init__(self, path: Path, types: Sequence[str]) -> None:
        self.types = list(types)
        asked = " ".join(f"--trust {name}" for name in types)
        super().__init__(f"{path} holds types that may run code: {', '.join(types)}; if you trust who wrote it: {asked}")


def refuse_missing_library(path: Path) -> None:
    """Raise a `DlxError` that says what to install if the library that reads a file is not there."""
    module, package = LIBRARIES[path.suffix.lower()]
    if importlib.util.find_spec(module) is None:
        raise DlxError(f"{path} needs {module}, which is not installed: pip install {package}")


def read_model_file(path: Path, case: Dataset, trusted: Sequence[str] = ()) -> tuple[Any, Scale | None]:
    """Return what a file holds as something that predicts, and the scale that it answers on, where the file tells.

    Raises
    ------
    UntrustedError
        If a skops file holds types beside those that skops and the caller trust.
    DlxError
        If the library is not installed, or the file is none of its.
    """
    refuse_missing_library(path)
    library = LIBRARIES[path.suffix.lower()][0]
    try:
        if library == "onnxruntime":
            return _onnx(path, case)
        return _skops(path, trusted) if library == "skops" else _BOOSTERS[library](path), None
    except DlxError:
        raise
    except Exception as error:  # each library has errors of its own
        raise DlxError(f"{path} cannot be read by {library}: {in_a_line(error)}") from error


def _xgboost(path: Path) -> Any:
    import xgboost

    return estimator_of(xgboost.Booster(model_file=str(path)))


def _lightgbm(path: Path) -> Any:
    import lightgbm

    with path.open("rb") as file:
        if file.readline().strip() != b"tree":  # LightGBM would print that it is none
            raise DlxError(f"{path} is no model that LightGBM saved: its first line is not 'tree'")
    return lightgbm.Booster(model_file=str(path))


def _catboost(path: Path) -> Any:
    catboost = importlib.import_module("catboost")
    kind = "Classifier" if len(catboost.CatBoost().load_model(str(path)).classes_) else "Regressor"
    return getattr(catboost, f"CatBoost{kind}")().load_model(str(path))


_BOOSTERS: dict[str, Callable[[Path], Any]] = {"xgboost": _xgboost, "lightgbm": _lightgbm, "catboost": _catboost}


def _skops(path: Path, trusted: Sequence[str]) -> Any:
    skops = importlib.import_module("skops.io")
    if types := [name for name in skops.get_untrusted_types(file=path) if name not in trusted]:
        raise UntrustedError(path, types)
    return skops.load(path, trusted=list(trusted))


def _onnx(path: Path, case: Dataset) -> tuple[Any, Scale | None]:
    """Return a function of a table, by the output that is called probabilities, or the last one, and its scale.

    Numbers outside 0 to 1 are log-odds; of two columns, those of the second class against the first.
    """
    import pandas as pd

    session = importlib.import_module("onnxruntime").InferenceSession(str(path), providers=["CPUExecutionProvider"])
    output = next((one for one in session.get_outputs() if "prob" in one.name.lower()), session.get_outputs()[-1])
    is_value = case.schema.target.kind == "regression"
    if not is_value and output.type in ("tensor(int64)", "tensor(string)"):
        raise DlxError(f"{path} gives classes only; export it with their probabilities")
    some = case[:: max(1, len(case) // _SOME)]
    some_table = some.schema.decode(some.rows)
    feed = _feeding(path, session.get_inputs(), some_table)

    def ask(table: pd.DataFrame) -> Any:
        found = session.run([output.name], feed(table))[0]
        return pd.DataFrame(found) if isinstance(found, list) else found  # zipmap: the classes of each row by name

    given = np.asarray(ask(some_table))
    if is_value or (given.min() >= 0 and given.max() <= 1):
        return ask, None
    return (lambda table: np.diff(ask(table)) if given.shape[1:] == (2,) else ask(table)), "logit"


def _feeding(path: Path, inputs: Sequence[Any], some: pd.DataFrame) -> Callable[[pd.DataFrame], dict[str, np.ndarray]]:
    """Return what makes the inputs of an ONNX model of a table: one matrix, or a column for each input, of its name."""
    first, names = inputs[0], list(some.columns)
    kinds = (one.type.removeprefix("tensor(").rstrip(")") for one in inputs)
    dtypes = [_DTYPES.get(kind, kind) for kind in kinds]
    if isinstance(first.shape[0], int):
        raise DlxError(f"{path} reads {first.shape[0]} rows at a time only; export it with a first axis that is dynamic")
    if columns := known_columns([one.name for one in inputs], tuple(names)):
        told = list(zip(inputs, columns, dtypes, strict=True))
        return lambda table: {one.name: table[[column]].to_numpy(dtype) for one, column, dtype in told}
    width = first.shape[1] if len(inputs) == 1 else 0
    if isinstance(width, int) and width != len(names):
        reads = f"a matrix of {width} columns" if width else ", ".join(one.name for one in inputs)
        raise DlxError(f"{path} reads {reads}, but the table has {len(names)} columns: {', '.join(names)}")
    try:
        some.to_numpy(dtypes[0])
    except ValueError as error:
        raise DlxError(
            f"{path} reads a matrix of numbers, but columns hold text ({error}); export the pipeline with an input for each "
            "column, or hand over a function that makes the numbers (mine.py:predict)"
        ) from error
    return lambda table: {first.name: table[names].to_numpy(dtypes[0])}
