"""Models on disk: one folder a run, whole or not there, verified before anything in it is parsed. No pickle.

The folder is ``<root>/<case>/<architecture>-<seed>``, with ``-<hash>`` where options differ from the defaults:

- ``weights.safetensors``: a net's weights and its encoder, the arrays of trees, or coefficients
- ``model.json``: what it is, how it was trained, how good it is
- ``manifest.json``: the sha256 of the two
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dlx import training
from dlx.checkpoint.contents import describe_trained, model_of, pack, unpack
from dlx.checkpoint.folders import CheckpointError, as_json, read_folder, remedy, write_folder
from dlx.dataset import Dataset
from dlx.model import Model
from dlx.training import Trained

__all__ = ["CheckpointError", "describe", "find", "folder", "is_current", "load", "load_model", "save", "shipped_root"]

ROOT = Path("checkpoints")
WEIGHTS, DESCRIPTION = "weights.safetensors", "model.json"


def shipped_root() -> Path:
    """Return the folder of the checkpoints that come with dlx: in the wheel, or beside the package in a clone."""
    package = Path(__file__).parents[1]
    packed = package / "_checkpoints"
    return packed if packed.is_dir() else package.parent / "checkpoints"


def folder(
    case: str, architecture: str, *, seed: int = 0, root: str | Path = ROOT, config: Mapping[str, Any] | None = None
) -> Path:
    """Return where a run's checkpoint belongs: a function of what makes it.

    Raises
    ------
    CheckpointError
        If the case's name cannot be the name of a folder.
    """
    if not case or case.startswith(".") or set(case) & set('/\\:*?"<>|\0'):
        raise CheckpointError(f"a case's name must be fit for a folder, got {case!r}; pass another name to read_table")
    suffix = training.digest(training.overrides(architecture, config))
    return Path(root) / case / "-".join(filter(None, (architecture, str(seed), suffix)))


def save(trained: Trained, root: str | Path = ROOT) -> Path:
    """Return the folder that now holds a trained model; one of the same name is replaced.

    Parameters
    ----------
    trained : Trained
        What `dlx.training.train` returned.
    root : str or Path
        The folder of all checkpoints.
    """
    final = folder(trained.case, trained.architecture, seed=trained.seed, root=root, config=trained.config)
    return write_folder(final, {WEIGHTS: pack(trained.model), DESCRIPTION: as_json(describe_trained(trained))})


def load(path: str | Path, *, dataset: Dataset | None = None) -> Model:
    """Return the model that a folder holds; a net's is on the CPU.

    Parameters
    ----------
    path : str or Path
        The folder.
    dataset : Dataset, optional
        The table that it must have been trained on.

    Raises
    ------
    CheckpointError
        If a file is lacking, was truncated or altered, or the model was trained on other data.
    """
    path = Path(path)
    files = read_folder(path, (WEIGHTS, DESCRIPTION))
    described = _parsed(path, files[DESCRIPTION])
    if dataset is not None and dataset.sha256 != described["data_sha256"]:
        raise CheckpointError(
            f"{path} was trained on other data than the present {dataset.name!r}: "
            f"sha256 {described['data_sha256'][:12]}…, not {dataset.sha256[:12]}…; {remedy(path)}"
        )
    if dataset is not None:  # its words may have changed since; what its codes mean has not
        described["schema"] = dataset.schema.to_dict()
    try:
        return model_of(described, unpack(files[WEIGHTS]))
    except (ValueError, KeyError, TypeError, IndexError, RuntimeError) as error:
        raise CheckpointError(f"{path} does not hold what it says: {error}; {remedy(path)}") from error


def describe(path: str | Path) -> dict[str, Any]:
    """Return what a checkpoint says of itself: architecture, settings, history, metrics, versions.

    Raises
    ------
    CheckpointError
        If a file is lacking, was truncated or altered.
    """
    path = Path(path)
    return _parsed(path, read_folder(path, (WEIGHTS, DESCRIPTION))[DESCRIPTION])


def is_current(path: str | Path, dataset: Dataset) -> bool:
    """Whether a folder holds a whole checkpoint that was trained on the dataset."""
    try:
        return bool(describe(path)["data_sha256"] == dataset.sha256)
    except CheckpointError:
        return False


def find(
    case: str,
    architecture: str,
    *,
    seed: int = 0,
    root: str | Path | None = None,
    config: Mapping[str, Any] | None = None,
) -> Path:
    """Return the folder of a run: below `root`, by default ./checkpoints, or else among the shipped ones.

    Raises
    ------
    ArchitectureError
        If there is no such architecture.
    CheckpointError
        If it was not trained yet.
    """
    candidates = [folder(case, architecture, seed=seed, root=place, config=config) for place in (root or ROOT, shipped_root())]
    for candidate in candidates:
        if candidate.is_dir():
            return candidate
    raise CheckpointError(f"there is no checkpoint {candidates[0]}; {remedy(candidates[0])}")


def load_model(
    case: str | Dataset,
    architecture: str,
    *,
    seed: int = 0,
    root: str | Path | None = None,
    config: Mapping[str, Any] | None = None,
) -> Model:
    """Return a model that was trained before, or came with dlx.

    Parameters
    ----------
    case : str or Dataset
        Name of the case; or the dataset itself, which then must be the one that the model was trained on.
    architecture : str
        One of `dlx.models.names()`.
    seed : int
        The seed it was trained with.
    root : str or Path, optional
        Where to look first; ./checkpoints by default.
    config : mapping, optional
        The options that it was trained with.

    Raises
    ------
    ArchitectureError
        If there is no such architecture.
    CheckpointError
        If it was not trained yet, was damaged, or belongs to other data.
    """
    name = case.name if isinstance(case, Dataset) else case
    path = find(name, architecture, seed=seed, root=root, config=config)
    return load(path, dataset=case if isinstance(case, Dataset) else None)


def _parsed(path: Path, content: bytes) -> dict[str, Any]:
    try:
        described: dict[str, Any] = json.loads(content)
    except ValueError as error:
        raise CheckpointError(f"{path / DESCRIPTION} is no JSON: {error}; {remedy(path)}") from error
    return described
