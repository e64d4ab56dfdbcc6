"""Gradient descent on a net, by Lightning."""

from __future__ import annotations

import contextlib
import logging
import math
import signal
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, NamedTuple

import lightning
import numpy as np
import pandas as pd
import torch
from lightning.pytorch.callbacks import EarlyStopping
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, one_hot

from dlx import architectures
from dlx.dataset import Dataset
from dlx.encoder import Encoder
from dlx.errors import one_line
from dlx.model import EachClass, NeuralModel
from dlx.model.devices import WORTH_A_STEP, place_of
from dlx.model.heads import each_class, in_unit
from dlx.model.kinds import model_of_net
from dlx.threads import one_thread
from dlx.training import Recipe, TrainingError

if TYPE_CHECKING:
    from dlx.progress import Update

MIN_IMPROVEMENT = 1e-5
WATCHED = "validation_loss"
QUIET = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "enable_model_summary": False}

Loss = Callable[[torch.Tensor, torch.Tensor, torch.Tensor | None], torch.Tensor]  # outputs, outcomes, weights
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
    monotone: np.ndarray | None = None,
    progress: Update | None = None,
    logger: Any = None,
) -> tuple[NeuralModel | EachClass, dict[str, Any], str, pd.DataFrame]:
    """Return a trained net with the weights of its best epoch, on the CPU; all its settings; its device; and a line an epoch.

    Weights are those of the training rows; the settings are the options of the architecture and of its `Recipe`. `progress`
    is called after each epoch with the epochs done and the most there can be; a logger of Lightning's is told the losses.
    """
    own = {name: settings[name] for name in architectures.options(architecture)}
    recipe = Recipe(**{name: value for name, value in settings.items() if name not in own}).for_rows(len(train_rows))
    encoder = Encoder.fit(train_rows.schema, train_rows.rows, train_rows.weights)
    task = _task(train_rows, weights, getattr(architectures.architecture(architecture), "AGAINST_OTHERS", False))
    later = None if validation.weights is None else validation.weights / validation.weights.mean()
    train, watched = _tensors(encoder, train_rows, task, weights), _tensors(encoder, validation, task, later)
    stop = EarlyStopping(WATCHED, patience=recipe.patience or 1, min_delta=MIN_IMPROVEMENT)
    limits: dict[str, Any] = {"max_epochs": recipe.max_epochs, "callbacks": [stop], "num_sanity_val_steps": 0, **QUIET}
    limits["logger"] = logger or False
    with torch.device("meta"):
        weights_of_net = sum(weight.numel() for weight in _built(architecture, encoder, task.bias, own).parameters())
    device = place_of(device, (recipe.batch_size or 1) * weights_of_net, least=WORTH_A_STEP)
    devices = [torch.cuda.current_device()] if device == "cuda" else []
    with torch.random.fork_rng(devices=devices), one_thread(), _silent(), _interruptible():
        torch.manual_seed(seed)
        network = _built(architecture, encoder, task.bias, own)
        if (adapt := getattr(architectures.architecture(architecture), "adapt", None)) is not None:
            adapt(network, train_rows, train[0].numpy(), **({} if monotone is None else {"monotone": monotone}))
        train, watched = (tuple(column.to(device) for column in columns) for columns in (train, watched))
        lesson = _Lesson(network, task.loss, recipe, progress)
        batches = _Batches(*train, size=recipe.batch_size, generator=torch.Generator().manual_seed(seed))
        lightning.Trainer(accelerator=device, devices=1, **limits).fit(lesson, batches, _Batches(*watched))
    lesson.network.load_state_dict(lesson.best)
    model = _model_of(lesson.network.cpu().eval(), encoder, architecture, task)
    return model, own | asdict(recipe), device, pd.DataFrame(lesson.history)


class _Task(NamedTuple):
    """What a net learns: where its head's bias starts, the loss of its outputs, and the unit of a value."""

    bias: list[float]
    loss: Loss
    middle: float = 0.0
    spread: float = 1.0


def _task(rows: Dataset, weights: np.ndarray | None, against_others: bool) -> _Task:
    """Return what a net learns of training rows; a value is standardised, and each class may be learnt against the others."""
    target, outcomes = rows.schema.target, rows.outcomes
    assert outcomes is not None
    if target.kind == "regression":
        middle = float(np.average(outcomes, weights=weights))
        return _Task([0.0], _squared_error, middle, float(np.average((outcomes - middle) ** 2, weights=weights)) ** 0.5)
    if target.kind == "multiclass":
        shares = np.bincount(outcomes.astype(np.intp), weights, len(target.levels)) / len(rows)
        if against_others:
            return _Task(np.log(shares / (1 - shares)).tolist(), _log_losses)
        return _Task(np.log(shares).tolist(), _cross_entropy)
    base_rate = float(np.average(outcomes, weights=weights))
    return _Task([math.log(base_rate / (1 - base_rate))], _log_loss)


def _log_loss(outputs: torch.Tensor, outcomes: torch.Tensor, weights: torch.Tensor | None) -> torch.Tensor:
    return binary_cross_entropy_with_logits(outputs.squeeze(1), outcomes, weight=weights)


def _log_losses(outputs: torch.Tensor, outcomes: torch.Tensor, weights: torch.Tensor | None) -> torch.Tensor:
    is_it = one_hot(outcomes.long(), outputs.shape[1]).float()
    losses = binary_cross_entropy_with_logits(outputs, is_it, reduction="none").sum(1)
    return (losses if weights is None else losses * weights).mean()


def _cross_entropy(outputs: torch.Tensor, outcomes: torch.Tensor, weights: torch.Tensor | None) -> torch.Tensor:
    losses = cross_entropy(outputs, outcomes.long(), reduction="none")
    return (losses if weights is None else losses * weights).mean()


def _squared_error(outputs: torch.Tensor, outcomes: torch.Tensor, weights: torch.Tensor | None) -> torch.Tensor:
    losses = (outputs.squeeze(1) - outcomes) ** 2
    return (losses if weights is None else losses * weights).mean()


def _tensors(encoder: Encoder, rows: Dataset, task: _Task, weights: np.ndarray | None) -> Batch:
    assert rows.outcomes is not None
    columns = (encoder.transform(rows.rows), (rows.outcomes - task.middle) / task.spread, weights)
    return tuple(torch.from_numpy(column.astype(np.float32)) for column in columns if column is not None)


def _built(architecture: str, encoder: Encoder, bias: Sequence[float], own: dict[str, Any]) -> nn.Module:
    try:
        network: nn.Module = architectures.network_of(architecture, encoder.width, bias, encoder.owner.tolist(), own)
    except (ValueError, RuntimeError) as error:  # torch's own: an option that is no share, or a net beyond all memory
        asked = ", ".join(f"{name}={value}" for name, value in own.items())
        raise TrainingError(f"{architecture} cannot be built with {asked}: {one_line(error)}") from error
    return network


def _model_of(network: nn.Module, encoder: Encoder, name: str, task: _Task) -> NeuralModel | EachClass:
    """Return a trained net as a model of its task."""
    kind = encoder.schema.target.kind
    if kind == "multiclass":
        return each_class(network, encoder, name)
    if kind == "regression":
        return model_of_net(in_unit(network, task.middle, task.spread), encoder, name, ("value",))
    return model_of_net(network, encoder, name)


class _Lesson(lightning.LightningModule):
    """The loss of a task, AdamW, and the weights of the best epoch."""

    def __init__(self, network: nn.Module, loss: Loss, recipe: Recipe, progress: Update | None) -> None:
        super().__init__()
        self.network, self.loss, self.recipe, self.progress = network, loss, recipe, progress
        self.losses: list[torch.Tensor] = []
        self.history: list[dict[str, float]] = []
        self.best: dict[str, torch.Tensor] = {}

    def configure_optimizers(self) -> torch.optim.Optimizer:
        matrices = [weight for weight in self.network.parameters() if weight.ndim > 1]
        others = [weight for weight in self.network.parameters() if weight.ndim <= 1]
        groups = [{"params": matrices, "weight_decay": self.recipe.weight_decay}, {"params": others, "weight_decay": 0.0}]
        return torch.optim.AdamW(groups, lr=self.recipe.learning_rate)

    def training_step(self, batch: Batch, _: int) -> torch.Tensor:
        loss = self._loss(batch)
        self.losses.append(loss.detach())
        return loss

    def on_train_batch_end(self, *_: Any) -> None:
        if (project := getattr(self.network, "project", None)) is not None:
            project()

    def validation_step(self, batch: Batch, _: int) -> None:
        self.log(WATCHED, self._loss(batch), batch_size=len(batch[1]), logger=False)

    def _loss(self, batch: Batch) -> torch.Tensor:
        dense, outcomes, *weights = batch
        outputs = self.network(dense)
        if outputs.ndim == 3:  # of an ensemble in training: each member learns by itself
            outcomes, *weights = (column.repeat_interleave(outputs.shape[1]) for column in (outcomes, *weights))
            outputs = outputs.flatten(0, 1)
        loss = self.loss(outputs, outcomes, weights[0] if weights else None)
        if not torch.isfinite(loss):
            raise TrainingError(
                f"the loss must stay finite, got {loss.item()} in epoch {self.current_epoch + 1}; "
                "lower learning_rate, or look for extreme numbers in the table"
            )
        return loss

    def on_validation_epoch_end(self) -> None:
        loss, epoch = float(self.trainer.callback_metrics[WATCHED]), len(self.history) + 1
        if loss < min((line[WATCHED] for line in self.history), default=np.inf):
            self.best = {name: weight.detach().cpu().clone() for name, weight in self.network.state_dict().items()}
        self.history.append({"epoch": epoch, "training_loss": float(torch.stack(self.losses).mean()), WATCHED: loss})
        self.losses.clear()
        if self.logger is not None:
            self.logger.log_metrics({name: number for name, number in self.history[-1].items() if name != "epoch"}, epoch)
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
            yield tuple(column[some.to(column.device)] for column in self.columns)


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Keep Lightning's banner and its advice from the screen."""
    with contextlib.ExitStack() as stack, warnings.catch_warnings():
        for logger in map(logging.getLogger, ("lightning.pytorch", "lightning.fabric")):
            stack.callback(logger.setLevel, logger.level)
            logger.setLevel(logging.ERROR)
        warnings.filterwarnings("ignore", module=r"lightning\.")
        yield


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
