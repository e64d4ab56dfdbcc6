"""Gradient descent on a net, by Lightning. The only file that imports lightning."""

from __future__ import annotations

import contextlib
import logging
import signal
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from typing import Any

import lightning
import numpy as np
import torch
from lightning.pytorch.callbacks import EarlyStopping
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits

from dlx import architectures
from dlx.dataset import Dataset
from dlx.encoder import Encoder
from dlx.errors import one_line
from dlx.model import NeuralModel
from dlx.threads import one_thread
from dlx.training.settings import Recipe, TrainingError

MIN_IMPROVEMENT = 1e-5
WATCHED = "validation_loss"

Batch = tuple[torch.Tensor, ...]  # dense rows [rows, width], outcomes [rows] and, where rows count differently, weights [rows]
Progress = Callable[[int, int], None]


def fit_net(
    architecture: str,
    train_rows: Dataset,
    validation: Dataset,
    weights: np.ndarray | None,
    settings: Mapping[str, Any],
    *,
    seed: int,
    device: str,
    progress: Progress | None = None,
) -> tuple[NeuralModel, dict[str, Any], list[dict[str, float]]]:
    """Return a trained net with the weights of its best epoch, on the CPU; all its settings; and a line an epoch.

    Weights are those of the training rows; the settings are the options of the architecture and of its `Recipe`. `progress`
    is called after each epoch with the epochs done and the most there can be.
    """
    own = {name: settings[name] for name in architectures.options(architecture)}
    recipe = Recipe(**{name: value for name, value in settings.items() if name not in own}).for_rows(len(train_rows))
    encoder = Encoder.fit(train_rows.schema, train_rows.rows)
    assert train_rows.outcomes is not None
    base_rate = float(np.average(train_rows.outcomes, weights=weights))
    train, watched = _tensors(encoder, train_rows, weights), _tensors(encoder, validation, None)
    devices = [torch.cuda.current_device()] if device == "cuda" else []
    with torch.random.fork_rng(devices=devices), one_thread(), _silent(), _interruptible():
        torch.manual_seed(seed)
        lesson = _Lesson(_built(architecture, encoder.width, base_rate, own), recipe, progress)
        batches = _Batches(*train, size=recipe.batch_size, generator=torch.Generator().manual_seed(seed))
        _trainer(recipe, device).fit(lesson, batches, _Batches(*watched))
    lesson.network.load_state_dict(lesson.best)
    return NeuralModel(lesson.network.cpu().eval(), encoder, architecture), own | asdict(recipe), lesson.history


def _tensors(encoder: Encoder, rows: Dataset, weights: np.ndarray | None) -> Batch:
    columns = (encoder.transform(rows.rows), rows.outcomes, weights)
    return tuple(torch.from_numpy(column.astype(np.float32)) for column in columns if column is not None)


def _built(architecture: str, width: int, base_rate: float, own: dict[str, Any]) -> nn.Module:
    try:
        network: nn.Module = architectures.architecture(architecture).build(width, base_rate, **own)
    except (ValueError, RuntimeError) as error:  # torch's own: an option that is no share, or a net beyond all memory
        asked = ", ".join(f"{name}={value}" for name, value in own.items())
        raise TrainingError(f"{architecture} cannot be built with {asked}: {one_line(error)}") from error
    return network


class _Lesson(lightning.LightningModule):
    """Log loss, AdamW, and the weights of the best epoch."""

    def __init__(self, network: nn.Module, recipe: Recipe, progress: Progress | None) -> None:
        super().__init__()
        self.network, self.recipe, self.progress = network, recipe, progress
        self.losses: list[torch.Tensor] = []
        self.history: list[dict[str, float]] = []
        self.best: dict[str, torch.Tensor] = {}
        self.best_loss = float("inf")

    def configure_optimizers(self) -> torch.optim.Optimizer:
        matrices = [weight for weight in self.network.parameters() if weight.ndim > 1]
        others = [weight for weight in self.network.parameters() if weight.ndim <= 1]
        decay = self.recipe.weight_decay
        groups = [{"params": matrices, "weight_decay": decay}, {"params": others, "weight_decay": 0.0}]
        return torch.optim.AdamW(groups, lr=self.recipe.learning_rate)

    def training_step(self, batch: Batch, _: int) -> torch.Tensor:
        loss = _log_loss(self.network, batch, self.current_epoch)
        self.losses.append(loss.detach())
        return loss

    def validation_step(self, batch: Batch, _: int) -> None:
        loss = _log_loss(self.network, batch, self.current_epoch)
        self.log(WATCHED, loss, batch_size=len(batch[1]))

    def on_validation_epoch_end(self) -> None:
        loss, epoch = float(self.trainer.callback_metrics[WATCHED]), len(self.history) + 1
        training_loss = float(torch.stack(self.losses).mean())
        self.history.append({"epoch": epoch, "training_loss": training_loss, WATCHED: loss})
        self.losses.clear()
        if loss < self.best_loss:
            self.best_loss = loss
            self.best = {name: weight.detach().cpu().clone() for name, weight in self.network.state_dict().items()}
        if self.progress is not None:
            self.progress(epoch, self.recipe.max_epochs or epoch)


class _Batches:
    """Rows in a new order each epoch, cut into batches of nearly equal size: so none is a single row.

    Without a size, all rows are one batch; without a generator, they keep their order.
    """

    def __init__(self, *columns: torch.Tensor, size: int | None = None, generator: torch.Generator | None = None) -> None:
        self.columns, self.generator, self.length = columns, generator, len(columns[0])
        self.count = max(1, self.length // (size or self.length))

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[Batch]:
        order = torch.arange(self.length)
        if self.generator is not None:
            order = torch.randperm(self.length, generator=self.generator)
        for some in order.tensor_split(self.count):
            yield tuple(column[some] for column in self.columns)


def _log_loss(network: nn.Module, batch: Batch, epoch: int) -> torch.Tensor:
    dense, outcomes, *weights = batch
    loss = binary_cross_entropy_with_logits(network(dense).squeeze(1), outcomes, weight=weights[0] if weights else None)
    if not torch.isfinite(loss):
        raise TrainingError(
            f"the loss must stay finite, got {loss.item()} in epoch {epoch + 1}; "
            "lower learning_rate, or look for extreme numbers in the table"
        )
    return loss


def _trainer(recipe: Recipe, device: str) -> lightning.Trainer:
    stop = EarlyStopping(WATCHED, patience=recipe.patience or 1, min_delta=MIN_IMPROVEMENT)
    return lightning.Trainer(
        accelerator=device,
        devices=1,
        max_epochs=recipe.max_epochs,
        callbacks=[stop],
        num_sanity_val_steps=0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Keep Lightning's banner and its advice from the screen."""
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    loggers += [logging.getLogger(f"lightning.{part}.utilities.rank_zero") for part in ("pytorch", "fabric")]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"lightning\.")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """Let Ctrl-C be a KeyboardInterrupt again: Lightning turns it into an exit, and ignores the next ones for good."""
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SystemExit as left:
        if isinstance(left.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from None
        raise
    finally:
        if signal.getsignal(signal.SIGINT) is not handler:
            signal.signal(signal.SIGINT, handler)
