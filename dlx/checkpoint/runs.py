"""Models for a case: trained and kept, or the ones that were trained before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dlx import cases, checkpoint, training
from dlx.dataset import Dataset, claim, refuse_claimed
from dlx.files import refuse_unwritable
from dlx.model import Model
from dlx.progress import Narrator

ELSEWHERE = "pass another folder as checkpoints (--checkpoints)"


def train(
    case: str | Dataset,
    architecture: str,
    *,
    seed: int = 0,
    config: Mapping[str, Any] | None = None,
    checkpoints: str | Path | None = None,
    root: str | Path | None = None,
    device: str = "auto",
    retrain: bool = False,
    narrator: Narrator | None = None,
) -> Model:
    """Return a model trained on a case, and keep it as a checkpoint.

    A checkpoint that is there is taken if it is what training would give: whole, of the same data and options, on the
    device that was asked for, by the same versions of dlx and of torch (nets) or scikit-learn. Else the narrator says what is
    different, and the model is trained anew; one that was fixed (`dlx.remedies.fix`) is never replaced without `retrain`.

    Parameters
    ----------
    case : str or Dataset
        Rows with outcomes of two classes; or the name of a case.
    architecture : str
        One of `dlx.architectures()`.
    seed : int
        Seed of everything random; the same seed gives the same model, to the last bit, on the same CPU.
    config : mapping, optional
        Options of the architecture and of its training, see `dlx.training.options(architecture)`.
    checkpoints, root : str or Path, optional
        The folder of all checkpoints; ./checkpoints by default. `root` is its former name.
    device : {"auto", "cpu", "cuda"}
        Where a net is trained; auto takes CUDA where there is one.
    retrain : bool
        Train anew what is there already.
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
    case = cases.load(case) if isinstance(case, str) else case
    narrator, checkpoints = narrator or Narrator(), checkpoints or root or checkpoint.ROOT
    path = checkpoint.folder(case.name, architecture, seed=seed, config=config, checkpoints=checkpoints)
    refuse_claimed(path.parent, case, "give one of the two another name: name=... (--name)")
    for place in (path.parent, path):
        refuse_unwritable(place, ELSEWHERE)
    if path.is_dir() and not retrain:
        why = checkpoint.differs(path, case, device=device)
        if not why:
            narrator.say(f"{path} is there already; retrain makes it anew")
            return checkpoint.load(path, case=case)
        if checkpoint.remedy_of(path) is not None:
            raise checkpoint.CheckpointError(f"{why}, which training would replace; {ELSEWHERE}, or ask to retrain")
        narrator.say(f"{why}; training anew")
    with narrator.step(f"Training {architecture} on {case.name}, seed {seed}", "epochs") as update:
        trained = training.train(case, architecture, seed=seed, device=device, config=config, progress=update)
    checkpoint.save(trained, checkpoints)
    claim(path.parent, case)
    return trained.model


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
    path = None if retrain else checkpoint.find(case.name, architecture, seed=seed, checkpoints=checkpoints)
    if path is not None and (case.name in cases.names() or checkpoint.describe(path)["data_sha256"] == case.sha256):
        return checkpoint.load(path, case=case)
    return train(case, architecture, seed=seed, device=device, retrain=retrain, checkpoints=checkpoints, narrator=narrator)


def refuse_unkept(
    case: Dataset, architectures: Sequence[str], *, seed: int, retrain: bool = False, checkpoints: str | Path | None = None
) -> None:
    """Raise a `FileError`, before anything is trained, if a model that must be trained could not be kept."""
    for architecture in architectures:
        if retrain or checkpoint.find(case.name, architecture, seed=seed, checkpoints=checkpoints) is None:
            refuse_unwritable(checkpoints or checkpoint.ROOT, ELSEWHERE)
