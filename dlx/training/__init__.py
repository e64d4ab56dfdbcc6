"""A table and an architecture become a model. Lightning is imported only when a net is trained."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dlx import architectures
from dlx.dataset import Dataset
from dlx.encoder import Encoder
from dlx.model import Model, NeuralModel, Provenance
from dlx.schema import plural
from dlx.training.configuration import checked_seed, digest, options, overrides
from dlx.training.errors import TrainingError
from dlx.training.monotone import directions
from dlx.training.recipe import Recipe

if TYPE_CHECKING:
    import pandas as pd
    import torch

__all__ = ["Fitted", "Recipe", "Trained", "TrainingError", "digest", "fit", "options", "overrides", "train"]

DEVICES = ("auto", "cpu", "cuda")

Progress = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class Fitted:
    """A model and how it came about.

    Parameters
    ----------
    model : Model
        Nets are on the CPU, with the weights of the best epoch.
    settings : dict
        Every option, with what the number of rows decided.
    device : str
        Where it was trained.
    history : DataFrame
        A line an epoch: epoch, training_loss, validation_loss; empty for other models than nets.
    """

    model: Model
    settings: dict[str, Any]
    device: str
    history: pd.DataFrame

    @property
    def best_epoch(self) -> int | None:
        """The epoch whose weights were kept; None for other models than nets."""
        if not len(self.history):
            return None
        return int(self.history["epoch"].to_numpy()[self.history["validation_loss"].to_numpy().argmin()])


@dataclass(frozen=True, eq=False)
class Trained(Fitted):
    """A model that was trained on a case, with everything that a checkpoint says of it.

    Parameters
    ----------
    case, architecture : str
        Names of the table and of the architecture.
    seed : int
        Seed of everything random.
    config : dict
        The options that differ from the defaults.
    metrics : DataFrame
        `dlx.audit.scores` on the test rows.
    data_sha256 : str
        Hash of the table.
    """

    case: str
    architecture: str
    seed: int
    config: dict[str, Any]
    metrics: pd.DataFrame
    data_sha256: str


def train(
    dataset: Dataset,
    architecture: str,
    *,
    seed: int = 0,
    device: str = "auto",
    config: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> Trained:
    """Return a model of the dataset's training rows, judged on its test rows.

    Parameters
    ----------
    dataset : Dataset
        Rows with outcomes of two classes; the split is the one of seed 0.
    architecture : str
        One of `dlx.architectures.names()`.
    seed : int
        Seed of everything random; the same seed gives the same model, to the last bit, on the same CPU.
    device : {"auto", "cpu", "cuda"}
        Where a net is trained; auto takes CUDA where there is one.
    config : mapping, optional
        Options of the architecture and of its training, see `options(architecture)`.
    progress : callable, optional
        Called with the epochs done and the most there can be.

    Raises
    ------
    ArchitectureError
        If there is no such architecture.
    TrainingError
        If the table, the configuration or the device does not do, or the loss is no number.
    """
    from dlx.audit import performance

    changed, seed = overrides(architecture, config), checked_seed(seed)
    _check_target(dataset)
    train_rows, validation, test = dataset.splits
    _check_classes(test, "test")
    fitted = fit(architecture, train_rows, validation, seed=seed, device=device, config=changed, progress=progress)
    made_by = Provenance(architecture, seed, changed, dataset.sha256)
    model = fitted.model.renamed(name_of(architecture, seed, changed), made_by)
    return Trained(
        model=model,
        settings=fitted.settings,
        device=fitted.device,
        history=fitted.history,
        case=dataset.name,
        architecture=architecture,
        seed=seed,
        config=changed,
        metrics=performance(model, test),
        data_sha256=made_by.data_sha256,
    )


def fit(
    architecture: str,
    train_rows: Dataset,
    validation: Dataset,
    *,
    seed: int = 0,
    device: str = "auto",
    config: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
    weights: np.ndarray | None = None,
    monotone: Mapping[str, int] | None = None,
) -> Fitted:
    """Return a model of the training rows; the validation rows only tell a net when to stop. See `train`.

    Parameters
    ----------
    architecture, seed, device, config, progress
        As in `train`.
    train_rows, validation : Dataset
        Rows with outcomes of both classes.
    weights : ndarray [rows], optional
        How much each training row counts in the loss, positive; only their ratios matter, as they are scaled to a mean
        of 1. Validation rows all count the same.
    monotone : mapping of str to int, optional
        Columns with which the predicted risk must not fall (1) or must not rise (-1).
    """
    changed, weights = overrides(architecture, config), _relative(weights, train_rows)
    bound = directions(architecture, train_rows.schema, monotone or {})
    seed, place = checked_seed(seed), _device(device)
    for rows, part in ((train_rows, "train"), (validation, "validation")):
        _check_target(rows)
        _check_classes(rows, part)
    if architectures.is_net(architecture):
        return _fit_net(architecture, train_rows, validation, seed, place, changed, progress, weights)
    given = {"weights": weights} if bound is None else {"weights": weights, "monotone": bound}
    model = _fit_other(architecture, train_rows, seed, changed | given)
    if progress is not None:
        progress(1, 1)
    return Fitted(model, options(architecture) | changed, "cpu", _history([]))


def name_of(architecture: str, seed: int, config: Mapping[str, Any]) -> str:
    """Return a model's name: the architecture's, with the seed unless it is 0, with a hash of what was configured."""
    suffix = digest(config)
    return f"{architecture}-{seed}-{suffix}" if suffix else f"{architecture}-{seed}" if seed else architecture


def _fit_net(
    architecture: str,
    train_rows: Dataset,
    validation: Dataset,
    seed: int,
    device: str,
    config: dict[str, Any],
    progress: Progress | None,
    weights: np.ndarray | None,
) -> Fitted:
    from dlx.training.nets import descend

    settings = options(architecture) | config
    own = {name: settings[name] for name in architectures.options(architecture)}
    recipe = Recipe(**{name: value for name, value in settings.items() if name not in own}).for_rows(len(train_rows))
    encoder = Encoder.fit(train_rows.schema, train_rows.rows)
    base_rate = float(np.average(_outcomes(train_rows), weights=weights))
    network, history = descend(
        lambda: _built(architecture, encoder.width, base_rate, own),
        _tensors(encoder, train_rows, weights),
        _tensors(encoder, validation),
        recipe,
        seed=seed,
        device=device,
        progress=progress,
    )
    model = NeuralModel(network, encoder, architecture)
    return Fitted(model, own | dataclasses.asdict(recipe), device, _history(history))


def _built(architecture: str, width: int, base_rate: float, own: dict[str, Any]) -> torch.nn.Module:
    try:
        network: torch.nn.Module = architectures.architecture(architecture).build(width, base_rate, **own)
    except (ValueError, RuntimeError) as error:  # torch's own: an option that is no share, or a net beyond all memory
        asked = ", ".join(f"{name}={value}" for name, value in own.items())
        raise TrainingError(f"{architecture} cannot be built with {asked}: {' '.join(str(error).split())}") from error
    return network


def _fit_other(architecture: str, train_rows: Dataset, seed: int, given: dict[str, Any]) -> Model:
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1):  # so that sums have one order
        model: Model = architectures.architecture(architecture).fit(train_rows, seed=seed, **given)
    return model


def _tensors(encoder: Encoder, rows: Dataset, weights: np.ndarray | None = None) -> tuple[torch.Tensor, ...]:
    import torch

    columns = [encoder.transform(rows.rows), _outcomes(rows), *([] if weights is None else [weights])]
    return tuple(torch.from_numpy(column.astype(np.float32)) for column in columns)


def _history(epochs: list[dict[str, float]]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(epochs, columns=["epoch", "training_loss", "validation_loss"])


def _outcomes(rows: Dataset) -> np.ndarray:
    assert rows.outcomes is not None
    return rows.outcomes


def _relative(weights: np.ndarray | None, rows: Dataset) -> np.ndarray | None:
    if weights is None:
        return None
    weights = np.asarray(weights, dtype=np.float64)
    if weights.shape != (len(rows),):
        raise TrainingError(
            f"weights must have one entry a training row, [{len(rows)}], got shape {list(weights.shape)}; "
            "pass the weights in the order of the training rows"
        )
    strange = weights[~(np.isfinite(weights) & (weights > 0))]
    if len(strange):
        raise TrainingError(f"weights must be positive and finite, got {strange[0]:g}; leave out rows that shall not count")
    return weights / weights.mean()


def _check_target(dataset: Dataset) -> None:
    target = dataset.schema.target
    if dataset.outcomes is None:
        raise TrainingError(f"{dataset.name!r} has no outcomes; training needs the column {target.name!r}")
    if target.kind != "binary":
        raise TrainingError(
            f"dlx trains models of binary targets, but {target.name!r} of {dataset.name!r} is {target.kind}; "
            "train a model of your own and explain it with dlx.wrap"
        )


def _check_classes(rows: Dataset, part: str) -> None:
    positive = int((_outcomes(rows) == 1).sum())
    if not np.isin(_outcomes(rows), (0, 1)).all() or positive in (0, len(rows)):
        raise TrainingError(
            f"the {part} rows of {rows.name!r} must hold both outcomes, "
            f"got {positive} positive of {plural(len(rows), 'row')}; pass a table with more rows"
        )


def _device(name: str) -> str:
    if name not in DEVICES:
        raise TrainingError(f"device must be one of {', '.join(DEVICES)}, got {name!r}")
    if name == "cpu":
        return "cpu"
    import torch

    if torch.cuda.is_available():
        return "cuda"
    if name == "cuda":
        raise TrainingError("device 'cuda' needs a GPU that torch can use, and there is none; pass 'cpu' or 'auto'")
    return "cpu"
