"""Gradient descent on a net: log loss, AdamW, and the weights of the best epoch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.optim.adamw import adamw  # the class takes seconds more: it imports torch's compiler

from dlx import architectures
from dlx.dataset import Dataset
from dlx.encoder import Encoder
from dlx.errors import one_line
from dlx.model import NeuralModel
from dlx.threads import one_thread
from dlx.training import Recipe, TrainingError

if TYPE_CHECKING:
    from dlx.progress import Update

MIN_IMPROVEMENT = 1e-5
ADAMW: dict[str, Any] = {"amsgrad": False, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "maximize": False}

Batch = tuple[torch.Tensor, ...]  # dense rows [rows, width], outcomes [rows] and, where rows count differently, weights [rows]


def fit_net(
    architecture: str,
    train_rows: Dataset,
    validation: Dataset,
    weights: np.ndarray | None,
    settings: Mapping[str, Any],
    *,
    seed: int,
    device: str,
    progress: Update | None = None,
) -> tuple[NeuralModel, dict[str, Any], str, pd.DataFrame]:
    """Return a trained net with the weights of its best epoch, on the CPU; all its settings; its device; and a line an epoch.

    Weights are those of the training rows; the settings are the options of the architecture and of its `Recipe`. `progress`
    is called after each epoch with the epochs done and the most there can be.
    """
    own = {name: settings[name] for name in architectures.options(architecture)}
    recipe = Recipe(**{name: value for name, value in settings.items() if name not in own}).for_rows(len(train_rows))
    encoder = Encoder.fit(train_rows.schema, train_rows.rows)
    assert train_rows.outcomes is not None
    base_rate = float(np.average(train_rows.outcomes, weights=weights))
    train, watched = _tensors(encoder, train_rows, weights, device), _tensors(encoder, validation, None, device)
    devices = [torch.cuda.current_device()] if device == "cuda" else []
    with torch.random.fork_rng(devices=devices), one_thread():
        torch.manual_seed(seed)
        network = _built(architecture, encoder.width, base_rate, own).to(device)
        history = _descend(network, train, watched, recipe, seed, progress)
    model = NeuralModel(network.cpu().eval(), encoder, architecture)
    return model, own | asdict(recipe), device, history


def _tensors(encoder: Encoder, rows: Dataset, weights: np.ndarray | None, device: str) -> Batch:
    columns = (encoder.transform(rows.rows), rows.outcomes, weights)
    return tuple(torch.from_numpy(column.astype(np.float32)).to(device) for column in columns if column is not None)


def _built(architecture: str, width: int, base_rate: float, own: dict[str, Any]) -> nn.Module:
    try:
        network: nn.Module = architectures.architecture(architecture).build(width, base_rate, **own)
    except (ValueError, RuntimeError) as error:  # torch's own: an option that is no share, or a net beyond all memory
        asked = ", ".join(f"{name}={value}" for name, value in own.items())
        raise TrainingError(f"{architecture} cannot be built with {asked}: {one_line(error)}") from error
    return network


def _descend(
    network: nn.Module, train: Batch, watched: Batch, recipe: Recipe, seed: int, progress: Update | None
) -> pd.DataFrame:
    """Give a net the weights of its best epoch, and return a line an epoch."""
    assert recipe.max_epochs and recipe.patience and recipe.batch_size
    generator, step = torch.Generator().manual_seed(seed), _stepping(network, recipe)
    lines, best, since = list[tuple[int, float, float]](), dict[str, torch.Tensor](), 0  # epochs since the loss was better
    lowest = aim = torch.tensor(torch.inf)  # the lowest watched loss, and the last that was better by more than noise
    while len(lines) < recipe.max_epochs and since < recipe.patience:
        epoch, losses = len(lines) + 1, list[torch.Tensor]()
        network.train()
        for batch in _batches(train, recipe.batch_size, generator):
            loss = _log_loss(network, batch, epoch)
            step(loss)
            losses.append(loss.detach())
        network.eval()
        with torch.no_grad():
            reached = _log_loss(network, watched, epoch).cpu()
        if reached < lowest:
            lowest, best = reached, {name: weight.detach().clone() for name, weight in network.state_dict().items()}
        aim, since = (reached, 0) if reached + MIN_IMPROVEMENT < aim else (aim, since + 1)
        lines.append((epoch, float(torch.stack(losses).mean()), float(reached)))
        if progress is not None:
            progress(epoch, recipe.max_epochs)
    network.load_state_dict(best)
    return pd.DataFrame(lines, columns=["epoch", "training_loss", "validation_loss"])


def _stepping(network: nn.Module, recipe: Recipe) -> Callable[[torch.Tensor], None]:
    """Return a function that moves the weights of a net down a loss; only matrices decay."""
    trained = [one for one in network.parameters() if one.requires_grad]
    weights: list[torch.Tensor] = sorted(trained, key=lambda one: one.ndim <= 1)
    matrices, counts = sum(one.ndim > 1 for one in weights), [torch.tensor(0.0) for _ in weights]
    means, squares = ([torch.zeros_like(one) for one in weights] for _ in range(2))
    groups = (slice(matrices), recipe.weight_decay), (slice(matrices, None), 0.0)

    def step(loss: torch.Tensor) -> None:
        slopes, chosen = list(torch.autograd.grad(loss, weights, materialize_grads=True)), {"lr": recipe.learning_rate, **ADAMW}
        with torch.no_grad():
            for some, decay in groups:
                moved = weights[some], slopes[some], means[some], squares[some]
                adamw(*moved, [], counts[some], weight_decay=decay, **chosen)

    return step


def _log_loss(network: nn.Module, batch: Batch, epoch: int) -> torch.Tensor:
    dense, outcomes, *weights = batch
    logits = network(dense).squeeze(1)
    loss = binary_cross_entropy_with_logits(logits, outcomes, weight=weights[0] if weights else None)
    if not torch.isfinite(loss):
        raise TrainingError(
            f"the loss must stay finite, got {loss.item()} in epoch {epoch}; "
            "lower learning_rate, or look for extreme numbers in the table"
        )
    return loss


def _batches(columns: Batch, size: int, generator: torch.Generator) -> Iterator[Batch]:
    """Yield rows in a new order, cut into batches of nearly equal size: so none is a single row."""
    count = len(columns[0])
    for some in torch.randperm(count, generator=generator).tensor_split(max(1, count // size)):
        yield tuple(column[some] for column in columns)
