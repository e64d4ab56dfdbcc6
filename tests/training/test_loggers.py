"""Lightning's loggers: they are told the losses of training and the test metrics, and change nothing."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import worlds
from lightning.pytorch.loggers import CSVLogger, MLFlowLogger, TensorBoardLogger

import dlx
from dlx import training
from dlx.training import TrainingError

SHORT = {"max_epochs": 4, "hidden": 8}
LOSSES = ["training_loss", "validation_loss"]


def trained(logger, architecture="mlp", **config):
    return training.train(worlds.table("mixed"), architecture, device="cpu", config=config, logger=logger)


def test_a_logger_is_told_what_the_history_says_and_changes_no_weight(tmp_path):
    plain, made = trained(None, **SHORT), trained(logger := CSVLogger(tmp_path), **SHORT)
    for one, other in zip(plain.model.network.parameters(), made.model.network.parameters(), strict=True):
        assert torch.equal(one, other)
    pd.testing.assert_frame_equal(plain.history, made.history)
    told = pd.read_csv(Path(logger.log_dir) / "metrics.csv")
    epochs = told.dropna(subset=LOSSES[0])
    np.testing.assert_allclose(epochs[LOSSES], made.history[LOSSES], rtol=1e-6)
    assert list(epochs["step"]) == list(made.history["epoch"])
    test = {f"test_{line.metric}": line.estimate for line in made.metrics.itertuples()}
    assert told[list(test)].iloc[-1].to_dict() == pytest.approx(test)
    assert "architecture: mlp" in (text := (Path(logger.log_dir) / "hparams.yaml").read_text()) and "hidden: 8" in text


def test_a_model_without_epochs_is_told_of_too_and_what_is_no_logger_is_refused(tmp_path):
    trained(logger := CSVLogger(tmp_path), "decision_tree")
    assert "test_auc" in pd.read_csv(Path(logger.log_dir) / "metrics.csv")
    with pytest.raises(TrainingError, match=r"logger must be one of Lightning's \(lightning.pytorch.loggers\), got str"):
        trained("tensorboard")


def test_dlx_train_hands_the_logger_on_and_a_checkpoint_that_is_there_tells_nothing(tmp_path):
    case, logger = worlds.table("mixed"), CSVLogger(tmp_path / "logs")
    dlx.train(case, "decision_tree", checkpoints=tmp_path / "c", logger=logger)
    assert "test_auc" in pd.read_csv(Path(logger.log_dir) / "metrics.csv")
    dlx.train(case, "decision_tree", checkpoints=tmp_path / "c", logger=CSVLogger(tmp_path / "others"))
    assert not (tmp_path / "others").exists()


def test_tensorboard_has_curves(tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    made = trained(TensorBoardLogger(tmp_path, name="", version=""), **SHORT)
    found = EventAccumulator(str(tmp_path)).Reload()
    np.testing.assert_allclose([one.value for one in found.Scalars(LOSSES[1])], made.history[LOSSES[1]], rtol=1e-6)
    assert "test_auc" in found.Tags()["scalars"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_mlflow_has_curves_and_takes_the_tables_of_a_report(tmp_path, monkeypatch):
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    place = tmp_path.joinpath("runs").as_uri()
    made = trained(logger := MLFlowLogger("loans", tracking_uri=place), **SHORT)
    client = mlflow.tracking.MlflowClient(place)
    told = client.get_metric_history(logger.run_id, LOSSES[1])
    assert [one.value for one in told] == pytest.approx(list(made.history[LOSSES[1]]))
    assert [one.step for one in told] == list(made.history["epoch"])
    (tmp_path / "report-tables").mkdir()
    (tmp_path / "report-tables" / "agreement.csv").write_text("a,b\n1,2\n")
    mlflow.set_tracking_uri(place)
    with mlflow.start_run(run_id=logger.run_id):
        mlflow.log_artifacts(tmp_path / "report-tables")
    assert [one.path for one in client.list_artifacts(logger.run_id)] == ["agreement.csv"]


@pytest.mark.parametrize(
    ("name", "said"),
    [("mlflo", "a logger is one of tensorboard, mlflow, got 'mlflo'; did you mean 'mlflow'"), ("tensorboard", "")],
)
def test_the_command_takes_loggers_by_name(run, refused, tmp_path, monkeypatch, name, said):
    monkeypatch.chdir(tmp_path)
    table = worlds.table("mixed")
    table.frame.assign(bad=table.outcomes).to_csv("loans.csv", index=False)
    asked = ("train", "loans.csv", "--target", "bad", "--model", "decision_tree", "--logger", name)
    if said:
        assert said in refused(*asked)
        return
    if importlib.util.find_spec("tensorboard") is None:
        assert "the logger tensorboard is not installed: pip install 'dlx[tensorboard]'" in refused(*asked)
    else:
        assert run(*asked).status == 0 and list(Path("logs/loans/decision_tree").rglob("events*"))
