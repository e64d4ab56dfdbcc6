"""Loggers of Lightning by name, for the command line; in Python any logger of Lightning's is passed as it is."""

from __future__ import annotations

import importlib
import os
from typing import Any

from dlx.errors import did_you_mean, in_a_line
from dlx.training import TrainingError

KINDS = ("tensorboard", "mlflow")
FOLDER, DATABASE = "logs", "sqlite:///mlflow.db"  # in the current folder


def logger_of(kind: str, case: str, model: str) -> Any:
    """Return a logger of Lightning's, "tensorboard" or "mlflow", for the training of a model on a case.

    TensorBoard's writes below ./logs, MLflow's to the server that MLFLOW_TRACKING_URI names, or to ./mlflow.db.

    Raises
    ------
    TrainingError
        If there is no such logger, its library is not installed, or MLflow cannot write where it is told to.
    """
    if kind not in KINDS:
        raise TrainingError(f"a logger is one of {', '.join(KINDS)}, got {kind!r}{did_you_mean(kind, KINDS)}")
    from lightning.pytorch import loggers

    try:
        if kind == "tensorboard":
            return loggers.TensorBoardLogger(FOLDER, name=f"{case}/{model}", default_hp_metric=False)
        place = os.environ.get("MLFLOW_TRACKING_URI", DATABASE)
        made = loggers.MLFlowLogger(experiment_name=case, run_name=model, tracking_uri=place)
        importlib.import_module("mlflow.tracking").MlflowClient(place).search_experiments(max_results=1)
    except ModuleNotFoundError as error:
        raise TrainingError(f"the logger {kind} is not installed: pip install 'dlx[{kind}]'") from error
    except Exception as error:  # MLflow's own, of a server that is not there or a store that it does not open
        remedy = "name a server as MLFLOW_TRACKING_URI=http://..., or pip install mlflow for a database"
        raise TrainingError(f"MLflow cannot write to {place}: {in_a_line(error)[:150]}; {remedy}") from error
    return made
