"""A model for a case: the one that was trained before, or a new one."""

from __future__ import annotations

from pathlib import Path

from dlx import checkpoint
from dlx.dataset import Dataset
from dlx.model import Model
from dlx.progress import Narrator
from dlx.training import train


def obtain(
    case: Dataset,
    architecture: str,
    *,
    seed: int = 0,
    retrain: bool = False,
    device: str = "auto",
    root: str | Path | None = None,
    narrator: Narrator,
) -> Model:
    """Return the checkpoint's model; trained, and kept as a checkpoint, where there is none or it is to be made anew.

    Raises
    ------
    CheckpointError
        If there is a checkpoint, but it is damaged or belongs to other data.
    """
    if not retrain:
        try:
            path = checkpoint.find(case.name, architecture, seed=seed, root=root)
        except checkpoint.CheckpointError:
            narrator.say(f"No checkpoint of {architecture} for {case.name} yet")
        else:
            return checkpoint.load(path, dataset=case)
    with narrator.step(f"Training {architecture} on {case.name}", "epochs at most") as update:
        trained = train(case, architecture, seed=seed, device=device, progress=update)
    checkpoint.save(trained, root or checkpoint.ROOT)
    return trained.model
