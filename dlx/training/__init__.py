"""A table and an architecture become a model. Lightning is imported only when a net is trained."""

from __future__ import annotations

import hashlib
import importlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from dlx import architectures
from dlx.arrays import check_seed, in_short, row_ids
from dlx.dataset import Dataset
from dlx.dataset.parts import TRAIN, VALIDATION, rows_used
from dlx.encoder import Encoder
from dlx.errors import DlxError, did_you_mean, in_a_line, plural
from dlx.model import EachClass, LinearModel, Model, Provenance, TreeModel
from dlx.model.devices import place_of
from dlx.schema import Schema

if TYPE_CHECKING:
    import pandas as pd

    from dlx.progress import Update

LOGGERS = ("tensorboard", "mlflow")
LOGS, DATABASE = "logs", "sqlite:///mlflow.db"  # in the current folder


class TrainingError(DlxError):
    """Data that no model can be trained on, an option or a device that there is not, or a loss that is no number."""


@dataclass(frozen=True)
class Recipe:
    """The settings of a net's optimiser, AdamW; where one is None, the number of training rows decides."""

    learning_rate: float = 5e-4
    weight_decay: float = 0.1  # of matrices only
    batch_size: int | None = None  # rows of a step
    max_epochs: int | None = None  # most passes over the rows
    patience: int | None = None  # passes without a better validation loss until it stops

    def for_rows(self, count: int) -> Recipe:
        """Return the recipe with what the number of training rows decides."""
        large = count >= 10_000
        return replace(
            self,
            batch_size=self.batch_size or (256 if large else 128 if count >= 2_000 else 64),
            max_epochs=self.max_epochs or (40 if large else 200),
            patience=self.patience or (8 if large else 20),
        )


def options(architecture: str) -> dict[str, Any]:
    """Return all options of an architecture with their defaults; a net's include those of its `Recipe`."""
    own = architectures.options(architecture)
    return own | asdict(Recipe()) if architectures.is_net(architecture) else own


def overrides(architecture: str, config: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the options of a configuration that differ from the defaults, in the order of their names.

    A `TrainingError` says which option the architecture does not have, or which value does not fit it.
    """
    defaults, changed = options(architecture), {}
    for name, value in sorted((config or {}).items()):
        if name not in defaults:
            raise TrainingError(
                f"{architecture} has no option {name!r}; its options: {', '.join(defaults)}{did_you_mean(name, defaults)}"
            )
        default, is_whole = defaults[name], isinstance(value, int) and not isinstance(value, bool)
        if isinstance(default, float):
            if not (is_whole or isinstance(value, float)) or not 0 <= value < float("inf"):
                raise TrainingError(f"{architecture}: {name} must be a number from 0 on, got {value!r}")
            value = float(value)
        elif not (value is None and default is None) and not (is_whole and value >= 1):
            raise TrainingError(f"{architecture}: {name} must be a whole number from 1 on, got {value!r}")
        if value != default:
            changed[name] = value
    return changed


def digest(config: Mapping[str, Any]) -> str:
    """Return a short hash of the options that differ from the defaults; empty where none does."""
    return hashlib.sha256(json.dumps(dict(config), sort_keys=True).encode()).hexdigest()[:8] if config else ""


def name_of(architecture: str, seed: int, config: Mapping[str, Any]) -> str:
    """Return a model's name: the architecture's, with the seed unless it is 0, with a hash of what was configured."""
    suffix = digest(config)
    return f"{architecture}-{seed}-{suffix}" if suffix else f"{architecture}-{seed}" if seed else architecture


@dataclass(frozen=True, eq=False)
class Fitted:
    """A fitted model with its settings, device and training history."""

    model: Model  # nets are on the CPU, with the weights of the best epoch
    settings: dict[str, Any]  # every option, with what the number of rows decided
    device: str  # where it was trained
    history: pd.DataFrame  # a line an epoch: epoch, training_loss, validation_loss; empty for other models than nets

    __repr__ = in_short

    @property
    def best_epoch(self) -> int | None:
        """The epoch whose weights were kept; None for other models than nets."""
        return int(self.history["epoch"][self.history["validation_loss"].idxmin()]) if len(self.history) else None


@dataclass(frozen=True, eq=False)
class Trained(Fitted):
    """A model that was trained on a case, with everything that a checkpoint says of it."""

    case: str  # the name of the table
    made_by: Provenance
    metrics: pd.DataFrame  # `dlx.audit.performance` on the test rows
    split: str  # `Dataset.split_words`

    __repr__ = in_short


def train(
    case: Dataset,
    architecture: str,
    *,
    seed: int = 0,
    device: str = "auto",
    config: Mapping[str, Any] | None = None,
    progress: Update | None = None,
    logger: Any = None,
) -> Trained:
    """Return a model of a case's training rows, judged on its test rows; nothing is kept. See `dlx.train`.

    The split is the one of seed 0. `progress` is called with the epochs done and the most there can be. A logger of Lightning's
    is told the losses of a net, epoch by epoch, then the options and the test metrics of any model.

    Raises
    ------
    ArchitectureError
        If there is no such architecture.
    TrainingError
        If the table, the configuration or the device does not do, or the loss is no number.
    """
    from dlx.audit import performance

    changed, seed, case = overrides(architecture, config), check_seed(seed), case.whole
    check_task(case, architecture)
    _check_outcomes(case, "")
    _, validation, test = replace(case, is_limited=True).splits
    _check_outcomes(test, "test ")
    if logger is not None and not (hasattr(logger, "log_metrics") and hasattr(logger, "log_hyperparams")):
        raise TrainingError(f"logger must be one of Lightning's (lightning.pytorch.loggers), got {type(logger).__name__}")
    asked: dict[str, Any] = {"seed": seed, "device": device, "config": changed, "progress": progress, "logger": logger}
    fitted = fit(architecture, case.train, validation, **asked)
    made_by = Provenance(architecture, seed, changed, case.sha256)
    model = fitted.model.renamed(name_of(architecture, seed, changed), made_by)
    metrics = performance(model, test)
    if logger is not None:
        logger.log_hyperparams({"case": case.name, "architecture": architecture, "seed": seed} | fitted.settings)
        logger.log_metrics({f"test_{name}": float(x) for name, x in zip(metrics["metric"], metrics["estimate"], strict=True)})
        logger.finalize("success")
    return Trained(model, fitted.settings, fitted.device, fitted.history, case.name, made_by, metrics, case.split_words)


def fit(
    architecture: str,
    train_rows: Dataset,
    validation: Dataset,
    *,
    seed: int = 0,
    device: str = "auto",
    config: Mapping[str, Any] | None = None,
    progress: Update | None = None,
    logger: Any = None,
    weights: np.ndarray | None = None,
    monotone: Mapping[str, int] | None = None,
) -> Fitted:
    """Return a model of the training rows; the validation rows only tell a net when to stop. See `train`.

    Of many rows those are read that `dlx.dataset.parts.rows_used` names, unless the architecture reads all.

    Parameters
    ----------
    architecture, seed, device, config, progress, logger
        As in `train`.
    train_rows, validation : Dataset
        Rows with outcomes: all classes, or values.
    weights : ndarray [rows], optional
        How much each training row counts in the loss, positive; only their ratios matter. By default those of the rows, as
        which validation rows count, too.
    monotone : mapping of str to int, optional
        Columns with which the predicted risk must not fall (1) or must not rise (-1).
    """
    import pandas as pd
    from threadpoolctl import threadpool_limits

    changed = overrides(architecture, config)
    bound: dict[str, Any] = {"monotone": _directions(architecture, train_rows.schema, monotone)} if monotone else {}
    seed, settings = check_seed(seed), options(architecture) | changed
    place_of(device)
    check_task(train_rows, architecture)
    _check_outcomes(train_rows, "train ")
    _check_outcomes(validation, "validation ")
    used = np.arange(len(train_rows)) if architectures.reads_all(architecture) else rows_used(train_rows, TRAIN)
    weights = train_rows.weights if weights is None else weights
    weights = None if weights is None else _relative(weights, len(train_rows), used)
    train_rows, validation = train_rows[used], validation[rows_used(validation, VALIDATION)]
    seen = row_ids(np.vstack([train_rows.rows, validation.rows]))
    if architectures.is_net(architecture):
        from dlx.training.nets import fit_net

        rows = (train_rows, validation, weights)
        net, *more = fit_net(architecture, *rows, settings, seed=seed, device=device, progress=progress, logger=logger, **bound)
        return Fitted(replace(net, trained_on=seen), *more)
    with threadpool_limits(limits=1):  # so that sums have one order
        model = _fitted(architecture, train_rows, seed=seed, weights=weights, **bound, **changed)
    if progress is not None:
        progress(1, 1)
    no_epochs = pd.DataFrame(columns=["epoch", "training_loss", "validation_loss"])
    return Fitted(replace(model, trained_on=seen), settings, "cpu", no_epochs)


def _fitted(architecture: str, rows: Dataset, **given: Any) -> Model:
    """Return what an architecture's `fit` gives, of several classes for each of them against the others."""
    fit_one, target = architectures.architecture(architecture).fit, rows.schema.target
    if target.kind != "multiclass":
        model: Model = fit_one(rows, **given)
        return model
    models = [fit_one(rows.of_class(level), **given) for level in target.levels]
    return EachClass(tuple(_reading(model, rows.schema) for model in models), architecture)


def _reading(model: TreeModel | LinearModel, schema: Schema) -> Model:
    """Return a model of two classes as one of the same columns whose target has several."""
    if isinstance(model, TreeModel):
        return replace(model, schema=schema)
    assert isinstance(model.encoder, Encoder)
    return replace(model, encoder=replace(model.encoder, schema=schema))


def _directions(architecture: str, schema: Schema, monotone: Mapping[str, int]) -> np.ndarray:
    """Return with which columns a model must rise (1) or fall (-1), and 0 for the others, int [features].

    A `TrainingError` says which architectures can be bound, and that a column must have an order.
    """
    if not architectures.can_be_monotone(architecture):
        able = ", ".join(name for name in architectures.names() if architectures.can_be_monotone(name))
        raise TrainingError(f"{architecture} cannot be bound to rise or fall with a column; of the models, {able} can")
    if schema.target.kind == "multiclass":
        raise TrainingError("of several classes not all can rise with a column; bind a model of one of them against the others")
    found = np.zeros(len(schema), dtype=int)
    for name, direction in monotone.items():
        feature = schema[name]
        if direction not in (1, -1):
            raise TrainingError(f"{name!r} must be bound to 1 (up) or -1 (down), got {direction!r}")
        if feature.is_categorical and not feature.ordered and len(feature.levels) > 2:
            raise TrainingError(f"{name!r} has levels without an order, with which nothing can rise; bind an ordered column")
        if feature.special:
            raise TrainingError(f"{name!r} has special values, which have no order beside its numbers; bind another column")
        found[schema.position(name)] = direction
    return found


def _relative(weights: np.ndarray, count: int, used: np.ndarray) -> np.ndarray:
    """Return the weights of the rows that are used, with a mean of 1."""
    weights = np.asarray(weights, dtype=np.float64)
    if weights.shape != (count,):
        raise TrainingError(f"weights must have one entry a training row, [{count}], got shape {list(weights.shape)}")
    if len(strange := weights[~(np.isfinite(weights) & (weights > 0))]):
        raise TrainingError(f"weights must be positive and finite, got {strange[0]:g}; leave out rows that shall not count")
    return weights[used] / weights[used].mean()


def _check_outcomes(rows: Dataset, part: str) -> None:
    """Raise unless there are outcomes, and all classes occur, or more than one value."""
    target, outcomes = rows.schema.target, rows.outcomes
    if outcomes is None:
        raise TrainingError(f"{rows.name!r} has no outcomes; training needs the column {target.name!r}")
    if target.kind == "regression" and not np.ptp(outcomes) and part != "validation ":
        raise TrainingError(f"the {part}rows of {rows.name!r} must hold different values of {target.name!r}; pass more rows")
    if target.kind == "multiclass":
        counts = np.bincount(outcomes.astype(np.intp), minlength=len(target.levels))
        if not counts.all():
            rare = target.levels[int(counts.argmin())]
            raise TrainingError(
                f"the {part}rows of {rows.name!r} must hold each of the {len(counts)} outcomes, got none of {rare!r} among "
                f"{plural(len(rows), 'row')}; pass a table with more of them, or leave that outcome out"
            )
    if target.kind != "binary":
        return
    positive = int((outcomes == 1).sum())
    if not np.isin(outcomes, (0, 1)).all() or positive in (0, len(rows)):
        raise TrainingError(
            f"the {part}rows of {rows.name!r} must hold both outcomes, "
            f"got {positive} positive of {plural(len(rows), 'row')}; pass a table with more rows"
        )


def check_task(rows: Dataset, architecture: str) -> None:
    """Raise unless an architecture serves the kind of outcome that a table has."""
    target = rows.schema.target
    if target.kind in architectures.tasks(architecture):
        return
    kind, other = ("a value", "classes") if target.kind == "regression" else ("one of some classes", "values")
    raise TrainingError(
        f"{architecture} is for {other}, but {target.name!r} of {rows.name!r} is {kind}; "
        f"the models of it are {', '.join(architectures.names(target.kind))}"
    )


def logger_of(kind: str, case: str, model: str) -> Any:
    """Return a logger of Lightning's, "tensorboard" or "mlflow", for the training of a model on a case.

    TensorBoard's writes below ./logs, MLflow's to the server that MLFLOW_TRACKING_URI names, or to ./mlflow.db.

    Raises
    ------
    TrainingError
        If there is no such logger, its library is not installed, or MLflow cannot write where it is told to.
    """
    if kind not in LOGGERS:
        raise TrainingError(f"a logger is one of {', '.join(LOGGERS)}, got {kind!r}{did_you_mean(kind, LOGGERS)}")
    from lightning.pytorch import loggers

    try:
        if kind == "tensorboard":
            return loggers.TensorBoardLogger(LOGS, name=f"{case}/{model}", default_hp_metric=False)
        place = os.environ.get("MLFLOW_TRACKING_URI", DATABASE)
        made = loggers.MLFlowLogger(experiment_name=case, run_name=model, tracking_uri=place)
        importlib.import_module("mlflow.tracking").MlflowClient(place).search_experiments(max_results=1)
    except ModuleNotFoundError as error:
        raise TrainingError(f"the logger {kind} is not installed: pip install 'dlx[{kind}]'") from error
    except Exception as error:  # MLflow's own, of a server that is not there or a store that it does not open
        remedy = "name a server as MLFLOW_TRACKING_URI=http://..., or pip install mlflow for a database"
        raise TrainingError(f"MLflow cannot write to {place}: {in_a_line(error)[:150]}; {remedy}") from error
    return made
