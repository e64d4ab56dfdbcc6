"""Models for a case: trained and kept, or the ones that were trained before."""

from __future__ import annotations

from pathlib import Path

from dlx import checkpoint, datasets, training
from dlx.dataset import Dataset
from dlx.dataset.claims import claim, refuse_claimed
from dlx.model import Model
from dlx.progress import Narrator


def train(
    case: Dataset,
    architecture: str,
    *,
    seed: int = 0,
    device: str = "auto",
    retrain: bool = False,
    root: str | Path = checkpoint.ROOT,
    narrator: Narrator | None = None,
) -> Model:
    """Return a model trained on a case, and keep it as a checkpoint; one that is there already is taken.

    Parameters
    ----------
    case : Dataset
        Rows with outcomes of two classes.
    architecture : str
        One of `dlx.architectures()`.
    seed : int
        Seed of everything random; the same seed gives the same model, to the last bit, on the same CPU.
    device : {"auto", "cpu", "cuda"}
        Where a net is trained; auto takes CUDA where there is one.
    retrain : bool
        Train anew what is there already.
    root : str or Path
        The folder of all checkpoints.
    narrator : Narrator, optional
        Says what is going on, on standard error.

    Raises
    ------
    ArchitectureError
        If there is no such architecture.
    TrainingError
        If the table or the device does not do, or the loss is no number.
    """
    narrator = narrator or Narrator()
    path = checkpoint.folder(case.name, architecture, seed=seed, root=root)
    refuse_claimed(path.parent, case, "give one of the two another name: name=... (--name)")
    if not retrain and checkpoint.is_current(path, case):
        narrator.say(f"{path} is there already; retrain makes it anew")
        return checkpoint.load(path)
    with narrator.step(f"Training {architecture} on {case.name}, seed {seed}", "epochs") as update:
        trained = training.train(case, architecture, seed=seed, device=device, progress=update)
    checkpoint.save(trained, root)
    claim(path.parent, case)
    return trained.model


def obtain(
    case: Dataset,
    architecture: str,
    *,
    seed: int = 0,
    device: str = "auto",
    retrain: bool = False,
    root: str | Path = checkpoint.ROOT,
    narrator: Narrator | None = None,
) -> Model:
    """Return the model of a checkpoint, ours or a shipped one; trained where there is none, or it is to be made anew.

    A checkpoint of a table of one's own that has changed since is trained anew too. The parameters are those of `train`.

    Raises
    ------
    CheckpointError
        If there is a checkpoint, but it is damaged, or belongs to other data than the shipped case.
    """
    narrator = narrator or Narrator()
    try:
        path = checkpoint.find(case.name, architecture, seed=seed, root=root)
    except checkpoint.CheckpointError:
        retrain = True
    else:
        is_own = case.name not in datasets.names()
        if is_own and not retrain and checkpoint.describe(path)["data_sha256"] != case.sha256:
            narrator.say(f"{path} was trained on other rows than {case.name} has now")
            retrain = True
    if retrain:
        return train(case, architecture, seed=seed, device=device, retrain=True, root=root, narrator=narrator)
    return checkpoint.load(path, dataset=case)
