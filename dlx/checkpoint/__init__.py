"""Models on disk: one folder a run, whole or not there, verified before anything in it is parsed. No pickle.

The folder is ``<root>/<case>/<architecture>-<seed>``, with ``-<hash>`` where options differ from the defaults, and bears no
other name: what a checkpoint says of itself must be what its path says. It holds:

- ``weights.safetensors``: a net's weights and its encoder, the arrays of trees, or coefficients
- ``model.json``: what it is, how it was trained, how good it is
- ``manifest.json``: the sha256 of the two

Where no root is given, a checkpoint is looked for below ./checkpoints and among the shipped ones; where one is given, there
and nowhere else.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlx import architectures, cases, training
from dlx.checkpoint.contents import REMEDY, description_of, model_of, pack, parsed, unpack, versions
from dlx.checkpoint.folders import (
    ROOT,
    CheckpointError,
    as_json,
    folder,
    read_folder,
    refuse_renamed,
    remedy,
    shipped_root,
    write_folder,
)
from dlx.dataset import Dataset, claim, refuse_claimed
from dlx.dataset.parts import BY_OUTCOME
from dlx.errors import did_you_mean, one_line
from dlx.files import recover, refuse_unwritable
from dlx.model import Model, for_case
from dlx.schema import Schema

if TYPE_CHECKING:
    from dlx.progress import Narrator

__all__ = ["ROOT", "CheckpointError", "describe", "differs", "find", "folder", "load", "load_model", "remedy_of", "save"]

WEIGHTS, DESCRIPTION = "weights.safetensors", "model.json"
ELSEWHERE = "pass another folder as checkpoints (--checkpoints)"
MALFORMED = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RuntimeError, MemoryError)


def load_model(
    case: str | Dataset,
    architecture: str,
    *,
    seed: int = 0,
    config: Mapping[str, Any] | None = None,
    checkpoints: str | Path | None = None,
    root: str | Path | None = None,
    target: str | None = None,
    device: str = "cpu",
) -> Model:
    """Return a model that was trained before (`dlx.train`), or came with dlx.

    One of several classes answers for each of them: `target` says for which, or `Model.of` later.

    Parameters
    ----------
    case : str or Dataset
        The dataset, which must be the one that the model was trained on; or the name of a case. The name of a shipped case
        stands for its data.
    architecture : str
        One of `dlx.architectures()`.
    seed, config : int, mapping
        The seed and the options that it was trained with.
    checkpoints, root : str or Path, optional
        The folder of all checkpoints, and the only place to look; by default ./checkpoints, then the shipped ones. `root` is
        its former name.
    target : str, optional
        Of several classes the one that the model shall speak for; that of a Dataset which tells of one (`Dataset.of_class`).
    device : {"auto", "cpu", "cuda"}
        Where a net goes; "auto" takes a GPU if there is one, and the net is so large that a page is worth its start.

    Raises
    ------
    ArchitectureError
        If there is no such architecture.
    CheckpointError
        If it was not trained yet, was damaged, is another model, or belongs to other data.
    """
    name, table = (case, None) if isinstance(case, str) else (case.name, case)
    place = checkpoints or root
    path = find(name, architecture, seed=seed, config=config, checkpoints=place)
    if path is None:
        wanted = folder(name, architecture, seed=seed, config=config, checkpoints=place or ROOT)
        others = sorted(path.name for path in wanted.parent.glob(f"{architecture}-*"))
        only = f", only {', '.join(others[:5])}" if others else ""
        near = did_you_mean(name, cases.names()) if name not in cases.names() else ""
        raise CheckpointError(f"there is no checkpoint {wanted}{only}{near}; {remedy(wanted, table)}")
    model = load(path, case=cases.load(name) if table is None and name in cases.names() else table)
    return (model if target is None else model.of(target)).on(device)


def find(
    case: str,
    architecture: str,
    *,
    seed: int = 0,
    config: Mapping[str, Any] | None = None,
    checkpoints: str | Path | None = None,
) -> Path | None:
    """Return the folder of a trained model of a case, which is looked for as by `load_model`; None where there is none."""
    for place in (ROOT, shipped_root()) if checkpoints is None else (checkpoints,):
        path = folder(case, architecture, seed=seed, config=config, checkpoints=place)
        recover(path)
        if os.path.isdir(path):
            return path
    return None


def save(trained: training.Trained, checkpoints: str | Path = ROOT) -> Path:
    """Return the folder that now holds a trained model, below that of all checkpoints; one of the same name is replaced."""
    made_by = trained.made_by
    final = folder(trained.case, made_by.architecture, seed=made_by.seed, config=made_by.config, checkpoints=checkpoints)
    return write_folder(final, {WEIGHTS: pack(trained.model), DESCRIPTION: as_json(description_of(trained))})


def load(path: str | Path, *, case: Dataset | None = None) -> Model:
    """Return the model that a folder holds; a net's is on the CPU.

    Parameters
    ----------
    path : str or Path
        The folder, ``<case>/<architecture>-<seed>``; one that was renamed, or copied under another name, is refused.
    case : Dataset, optional
        The table that it must have been trained on.

    Raises
    ------
    CheckpointError
        If a file is lacking, was truncated or altered, does not hold what the path says, or the model was trained on
        other data.
    """
    path = Path(path)
    with _refusing(path, case):
        said, files = _read(path)
        if case is not None and case.sha256 != said["data_sha256"]:
            sums = f"sha256 {said['data_sha256'][:12]}…, not {case.sha256[:12]}…"
            other = f"{path} was trained on other data than the present {case.name!r}: {sums}"
            raise CheckpointError(_of_another_split(path, said, case) or other)
        schema = Schema.from_dict(said["schema"])
        if case is not None:  # its words may have changed since; what its codes mean has not
            if schema.sha256 != case.whole.schema.sha256:
                raise ValueError("its columns are not those of the data that it names")
            schema = case.whole.schema
        model = dataclasses.replace(model_of(said, unpack(files[WEIGHTS]), schema), origin=(os.path.abspath(path),))
        if case is not None and not model.provenance:
            model = dataclasses.replace(model, trained_on=case.learnt_from)
        return model if case is None else for_case(model, case)


def describe(path: str | Path) -> dict[str, Any]:
    """Return what a checkpoint, verified as by `load`, says of itself: architecture, settings, history, metrics, versions."""
    with _refusing(Path(path), None):
        return _read(Path(path))[0]


def differs(path: str | Path, case: Dataset, *, device: str = "auto") -> str:
    """Return in words why a checkpoint is not what training on a case would give; empty where it is.

    The device counts for nets only: "auto" is any.
    """
    try:
        said = describe(path)
    except CheckpointError as error:
        return str(error).partition(";")[0]
    if said["data_sha256"] != case.sha256:
        return _of_another_split(path, said, case) or f"{path} was trained on other data than {case.name} has now"
    if REMEDY in said["settings"]:
        return f"{path} holds a model that was fixed"
    is_net = architectures.is_net(said["architecture"])
    if is_net and device not in ("auto", said["device"]):
        return f"{path} was trained on the device {said['device']}"
    here, by = versions(), said["versions"]
    other = [f"{name} {by.get(name)}" for name in ("dlx", "torch" if is_net else "scikit-learn") if by.get(name) != here[name]]
    return f"{path} was trained by {', '.join(other)}" if other else ""


def remedy_of(path: str | Path) -> dict[str, Any] | None:
    """Return how the model of a whole checkpoint was fixed (`Remedy.to_dict`); None for one that was not."""
    try:
        found: dict[str, Any] | None = describe(path)["settings"].get(REMEDY)
    except CheckpointError:
        return None
    return found


def train(
    case: str | Dataset,
    architecture: str,
    *,
    seed: int = 0,
    config: Mapping[str, Any] | None = None,
    checkpoints: str | Path | None = None,
    root: str | Path | None = None,
    target: str | None = None,
    device: str = "auto",
    retrain: bool = False,
    logger: Any = None,
    narrator: Narrator | None = None,
) -> Model:
    """Return a model trained on a case, and keep it as a checkpoint.

    A checkpoint that is there is taken if it is what training would give: whole, of the same data and options, on the
    device that was asked for, by the same versions of dlx and of torch (nets) or scikit-learn. Else the narrator says what is
    different, and the model is trained anew; one that was fixed (`dlx.remedies.fix`) is never replaced without `retrain`.

    Parameters
    ----------
    case : str or Dataset
        Rows with outcomes, of two or several classes, or values; or the name of a case.
    architecture : str
        One of `dlx.architectures()`.
    seed : int
        Seed of everything random; the same seed gives the same model, to the last bit, on the same CPU.
    config : mapping, optional
        Options of the architecture and of its training, see `dlx.training.options(architecture)`.
    checkpoints, root : str or Path, optional
        The folder of all checkpoints; ./checkpoints by default. `root` is its former name.
    target : str, optional
        Of several classes, all of which are learnt, the one that the model shall speak for; as of `load_model`.
    device : {"auto", "cpu", "cuda"}
        Where a net is trained, and where it then is; auto trains on a GPU, where there is one, what has large batches of a
        large net, see `dlx.model.devices`.
    retrain : bool
        Train anew what is there already.
    logger : Logger of lightning.pytorch.loggers, optional
        Told the losses of a net, epoch by epoch, the options and the test metrics, if the model is trained::

            logger = lightning.pytorch.loggers.MLFlowLogger("loans")  # or TensorBoardLogger("logs")
            model = dlx.train(case, "mlp", logger=logger)

    narrator : Narrator, optional
        Says what is going on, on standard error.

    Raises
    ------
    ArchitectureError
        If there is no such architecture.
    TrainingError
        If the table, the options or the device does not do, or the loss is no number.
    FileError
        If the checkpoint could not be written, before anything is trained.
    CheckpointError
        If a model that was fixed would be replaced.
    """
    from dlx.progress import Narrator

    case = cases.load(case) if isinstance(case, str) else case
    case = case if target is None else case.of_class(target)
    narrator, checkpoints = narrator or Narrator(), checkpoints or root or ROOT
    path = folder(case.name, architecture, seed=seed, config=config, checkpoints=checkpoints)
    refuse_claimed(path.parent, case, "give one of the two another name: name=... (--name)")
    for place in (path.parent, path):
        refuse_unwritable(place, ELSEWHERE)
    if path.is_dir() and not retrain:
        why = differs(path, case, device=device)
        if not why:
            narrator.say(f"{path} is there already; retrain makes it anew")
            return load(path, case=case).on(device)
        if remedy_of(path) is not None:
            raise CheckpointError(f"{why}, which training would replace; {ELSEWHERE}, or ask to retrain")
        narrator.say(f"{why}; training anew")
    with narrator.step(f"Training {architecture} on {case.name}, seed {seed}", "epochs") as update:
        asked: dict[str, Any] = {"seed": seed, "device": device, "config": config, "progress": update, "logger": logger}
        trained = training.train(case, architecture, **asked)
    save(trained, checkpoints)
    claim(path.parent, case)
    return for_case(trained.model, case).on(device)


def obtain(
    case: Dataset,
    architecture: str,
    *,
    seed: int = 0,
    device: str = "auto",
    retrain: bool = False,
    checkpoints: str | Path | None = None,
    narrator: Narrator | None = None,
) -> Model:
    """Return the model of a checkpoint; trained where there is none, or it is to be made anew.

    It is looked for as by `load_model`. One of a table of one's own that has changed since is trained anew, and the narrator
    says so. The parameters are those of `train`.

    Raises
    ------
    CheckpointError
        If there is a checkpoint, but it is damaged, is another model, or belongs to other data than the shipped case.
    """
    path = None if retrain else find(case.name, architecture, seed=seed, checkpoints=checkpoints)
    if path is not None and (case.name in cases.names() or describe(path)["data_sha256"] == case.sha256):
        return load(path, case=case)
    return train(case, architecture, seed=seed, device=device, retrain=retrain, checkpoints=checkpoints, narrator=narrator)


def refuse_unkept(
    case: Dataset, architectures: Sequence[str], *, seed: int, retrain: bool = False, checkpoints: str | Path | None = None
) -> None:
    """Raise a `FileError`, before anything is trained, if a model that must be trained could not be kept."""
    for architecture in architectures:
        if retrain or find(case.name, architecture, seed=seed, checkpoints=checkpoints) is None:
            refuse_unwritable(checkpoints or ROOT, ELSEWHERE)


def _of_another_split(path: str | Path, said: Mapping[str, Any], case: Dataset) -> str:
    """Return that a checkpoint may have seen the test rows, as it was trained on another split; empty where it was not."""
    then, now = said.get("split", BY_OUTCOME), case.split_words
    return "" if then == now else f"{path} may have seen the test rows: it was trained on rows split {then}, not {now}"


def _read(path: Path) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Return the description and the files of a checkpoint that is what its path says."""
    files = read_folder(path, (WEIGHTS, DESCRIPTION))
    said = parsed(files[DESCRIPTION])
    refuse_renamed(path, said)
    return said, files


@contextlib.contextmanager
def _refusing(path: Path, case: Dataset | None) -> Iterator[None]:
    """Make one line of what is wrong with a checkpoint: a `CheckpointError` that says how to make it again."""
    try:
        yield
    except CheckpointError as error:
        raise CheckpointError(f"{error}; {remedy(path, case)}") from error
    except MALFORMED as error:
        why = one_line(f"it lacks {error}" if isinstance(error, KeyError) else str(error) or type(error).__name__)[:300]
        raise CheckpointError(f"{path} does not hold what it says in {DESCRIPTION}: {why}; {remedy(path, case)}") from error
