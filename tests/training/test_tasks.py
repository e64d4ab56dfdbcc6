"""Models of several classes and of values, on wine and diabetes of scikit-learn, held against scikit-learn's own."""

from __future__ import annotations

import dataclasses
import functools
import json

import numpy as np
import pytest
import wines
from safetensors.numpy import load_file
from safetensors.numpy import save as save_arrays
from sklearn import metrics
from sklearn.datasets import load_diabetes
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.multiclass import OneVsRestClassifier
from sklearn.tree import DecisionTreeRegressor

import dlx
from dlx import architectures, checkpoint, training
from dlx.architectures.random_forest import training_rows
from dlx.audit import performance
from dlx.checkpoint.folders import write_folder
from dlx.dataset import from_frame
from dlx.encoder import Encoder
from dlx.errors import DlxError
from dlx.progress import Narrator
from dlx.schema import infer_schema
from dlx.training import TrainingError

SMALL = {"hidden": 16, "max_epochs": 12, "learning_rate": 0.02, "dropout": 0.1, "input_dropout": 0.0}
OPTIONS = {
    "additive": {"units": 8, "pairs": 2, "max_epochs": 8, "learning_rate": 0.02},
    "ft_transformer": {"hidden": 16, "heads": 2, "max_epochs": 10, "learning_rate": 0.01},
    "gradient_boosting": {"trees": 20},
    "mlp": SMALL,
    "random_forest": {"trees": 10},
    "resnet": SMALL,
    "tabm": {"hidden": 16, "members": 4, "max_epochs": 12, "learning_rate": 0.01},
}
QUIET = Narrator(quiet=True)


@functools.cache
def diabetes():
    """The case of a value: how diabetes went on after a year."""
    table = load_diabetes(as_frame=True, scaled=False).frame
    return from_frame(table, infer_schema(table, "target"), name="diabetes")


@functools.cache
def trained(case, name):
    return training.train(case, name, device="cpu", config=OPTIONS.get(name))


@pytest.mark.parametrize("name", architectures.names("multiclass"))
def test_a_model_of_several_classes_answers_for_each_and_is_kept_and_found(name, tmp_path):
    case, made = wines.wines(), trained(wines.wines(), name)
    chances, table = made.model.probabilities(case.test), made.metrics.set_index("metric")
    np.testing.assert_allclose(chances.sum(axis=1), 1, atol=1e-12)
    assert table.loc["log_loss", "estimate"] == pytest.approx(metrics.log_loss(case.test.outcomes, chances), abs=1e-9)
    area = metrics.roc_auc_score(case.test.outcomes, chances, multi_class="ovr")
    assert table.loc["macro_auc", "estimate"] == pytest.approx(area, abs=1e-9)
    assert table.loc["log_loss", "estimate"] < 0.75 * table.loc["log_loss", "reference"]
    folder = checkpoint.save(made, tmp_path)
    for found in (checkpoint.load(folder, case=case), checkpoint.load(folder)):
        np.testing.assert_array_equal(found.probabilities(case.test), chances)
        assert found.provenance == made.made_by and found.of("barolo").provenance == made.made_by
    told = checkpoint.load_model(case.of_class("barolo"), name, config=OPTIONS.get(name), checkpoints=tmp_path)
    asked = checkpoint.load_model(case, name, config=OPTIONS.get(name), checkpoints=tmp_path, target="barolo")
    again = checkpoint.train(case, name, config=OPTIONS.get(name), checkpoints=tmp_path, target="barolo", device="cpu")
    for one in (told, asked, again, made.model.of("barbera").of("barolo")):
        assert one.target == "barolo" and one.of("barolo") is one and one.name == made.model.name
        np.testing.assert_array_equal(one.predict(case.test, "logit"), made.model.of("barolo").predict(case.test, "logit"))
        np.testing.assert_array_equal(one.probabilities(case.test), chances)
    with pytest.raises(
        DlxError, match=r"answers for each of barbera, barolo, grignolino; say for which: model\.of\('grignolino'\)"
    ):
        made.model.predict(case.test, "probability")
    with pytest.raises(DlxError, match="its class must be one of 'barbera', 'barolo', 'grignolino', got 'Barolo'"):
        made.model.of("Barolo")


@pytest.mark.parametrize("name", architectures.names("regression"))
def test_a_model_of_a_value_answers_in_its_unit_and_is_kept_and_found(name, tmp_path):
    case, made = diabetes(), trained(diabetes(), name)
    predicted, table = made.model.predict(case.test, "value"), made.metrics.set_index("metric")
    assert made.model.scales == ("value",) and made.model.target == "target"
    assert table.loc["r2", "estimate"] == pytest.approx(metrics.r2_score(case.test.outcomes, predicted), abs=1e-9)
    assert table.loc["r2", "estimate"] > 0.25 and 40 < table.loc["mae", "estimate"] < 65
    folder = checkpoint.save(made, tmp_path)
    np.testing.assert_array_equal(checkpoint.load(folder, case=case).predict(case.test, "value"), predicted)
    pd_lines = performance(checkpoint.load(folder), case.test)
    assert pd_lines.drop(columns="model").equals(made.metrics.drop(columns="model"))


@pytest.mark.parametrize("name", ["mlp", "resnet"])
def test_a_net_stops_at_the_smallest_loss_of_the_validation_rows(name):
    of_classes, of_value = trained(wines.wines(), name), trained(diabetes(), name)
    kept = [made.history["validation_loss"].min() for made in (of_classes, of_value)]
    rows = wines.wines().validation
    assert kept[0] == pytest.approx(metrics.log_loss(rows.outcomes, of_classes.model.probabilities(rows)), abs=1e-5)
    rows, spread = diabetes().validation, diabetes().train.outcomes.std()
    error = metrics.root_mean_squared_error(rows.outcomes, of_value.model.predict(rows, "value"))
    assert kept[1] == pytest.approx((error / spread) ** 2, abs=1e-5)


def test_linear_models_and_trees_of_classes_are_scikit_learns_of_each_against_the_others():
    case = wines.wines()
    encoder, (rows, outcomes) = Encoder.fit(case.schema, case.train.rows), training_rows(case.train)
    dense, asked = (encoder.transform(some.rows, np.float64) for some in (case.train, case.test))
    linear = OneVsRestClassifier(LogisticRegression(C=0.1, max_iter=5_000)).fit(dense, case.train.outcomes)
    found = trained(case, "logistic_regression").model.probabilities(case.test)
    np.testing.assert_allclose(found, linear.predict_proba(asked), atol=1e-6)
    options = {"learning_rate": 0.05, "max_iter": 20, "max_leaf_nodes": 4, "l2_regularization": 1.0, "early_stopping": False}
    grown = OneVsRestClassifier(HistGradientBoostingClassifier(**options, random_state=0)).fit(rows, outcomes)
    found = trained(case, "gradient_boosting").model.probabilities(case.test)
    np.testing.assert_allclose(found, grown.predict_proba(training_rows(case.test)[0]), atol=1e-5)


def test_linear_models_and_trees_of_values_are_scikit_learns():
    case = diabetes()
    encoder, (rows, outcomes) = Encoder.fit(case.schema, case.train.rows), training_rows(case.train)
    asked = training_rows(case.test)[0]
    linear = Ridge(alpha=10.0).fit(encoder.transform(case.train.rows, np.float64), outcomes)
    found = {name: trained(case, name).model.predict(case.test, "value") for name in ("linear_regression", "gradient_boosting")}
    np.testing.assert_allclose(
        found["linear_regression"], linear.predict(encoder.transform(case.test.rows, np.float64)), rtol=1e-5
    )
    options = {"learning_rate": 0.05, "max_iter": 20, "max_leaf_nodes": 4, "l2_regularization": 1.0, "early_stopping": False}
    grown = HistGradientBoostingRegressor(**options, random_state=0).fit(rows, outcomes)
    np.testing.assert_allclose(found["gradient_boosting"], grown.predict(asked), rtol=1e-5)
    plain = {"smoothing": 0.0, "max_depth": 4}
    for name, reference in {
        "decision_tree": DecisionTreeRegressor(max_depth=4, min_samples_leaf=20, random_state=0),
        "random_forest": RandomForestRegressor(10, max_depth=4, min_samples_leaf=3, random_state=0),
    }.items():
        config = plain | OPTIONS.get(name, {})
        made = training.fit(name, case.train, case.validation, config=config).model.predict(case.test, "value")
        np.testing.assert_allclose(made, reference.fit(rows, outcomes).predict(asked), rtol=1e-5)


def test_parts_hold_classes_in_their_shares_and_values_of_each_size():
    case = wines.wines()
    shares = [np.bincount(part.outcomes.astype(int)) / len(part) for part in case.splits]
    assert np.ptp(shares, axis=0).max() < 0.03
    case = diabetes()
    edges = np.quantile(case.outcomes, np.arange(1, 10) / 10)
    tenths = [np.bincount(np.searchsorted(edges, part.outcomes), minlength=10) / len(part) for part in case.splits]
    assert np.abs(np.array(tenths) - 0.1).max() < 0.04


def test_dlx_train_gives_a_model_that_is_asked_for_a_class_and_says_what_is_there(tmp_path, capsys):
    case = wines.wines()
    one = dlx.train(case.of_class("barolo"), "decision_tree", checkpoints=tmp_path, narrator=QUIET)
    every = dlx.train(case, "decision_tree", checkpoints=tmp_path)
    assert "is there already" in capsys.readouterr().err and one.target == "barolo"
    np.testing.assert_array_equal(every.of("barolo").predict(case.test, "logit"), one.predict(case.test, "logit"))
    assert "'each of barbera, barolo, grignolino' on the scales probability, logit" in repr(every)


def test_what_cannot_be_learnt_is_refused_in_one_line():
    case, few = wines.wines(), np.flatnonzero(wines.wines().outcomes > 0)
    with pytest.raises(DlxError, match="got 131 rows, of which 1 with the outcome 'barbera'"):
        training.train(case[np.append(few, 130)], "decision_tree")
    lacking = case.train[case.train.outcomes > 0]
    with pytest.raises(TrainingError, match="the train rows of 'wine' must hold each of the 3 outcomes, got none of 'barbera'"):
        training.fit("decision_tree", lacking, case.validation)
    with pytest.raises(
        TrainingError, match="linear_regression is for values, but 'cultivar' of 'wine' is one of some classes; the"
    ):
        training.train(case, "linear_regression")
    with pytest.raises(
        TrainingError, match=r"logistic_regression is for classes, but 'target' of 'diabetes' is a value; .*, linear_reg"
    ):
        training.train(diabetes(), "logistic_regression")
    alike = dataclasses.replace(diabetes(), outcomes=np.ones(len(diabetes())))
    with pytest.raises(TrainingError, match="rows of 'diabetes' must hold different values of 'target'"):
        training.train(alike, "decision_tree")


def forged(folder, *, arrays=None, said=None):
    """Return a checkpoint's folder with other arrays or another description, and sums that fit."""
    held, told = load_file(folder / "weights.safetensors"), json.loads((folder / "model.json").read_bytes())
    for change, what in ((arrays, held), (said, told)):
        if change is not None:
            change(what)
    return write_folder(folder, {"weights.safetensors": save_arrays(held), "model.json": json.dumps(told).encode()})


@pytest.mark.parametrize(
    ("name", "arrays", "said"),
    [
        ("decision_tree", lambda held: [held.pop(key) for key in [*held] if key.startswith("2.")], None),
        (
            "decision_tree",
            lambda held: held.update({key.replace("2.", "3."): held[key] for key in [*held] if key[0] == "2"}),
            None,
        ),
        ("decision_tree", lambda held: held.update({"1.trees.value": held["1.trees.value"] * 9}), None),
        (
            "mlp",
            None,
            lambda told: told["schema"]["target"].update(levels=["a", "b", "c", "d"], level_labels=["a", "b", "c", "d"]),
        ),
        ("mlp", None, lambda told: told["schema"]["target"].update(kind="regression", levels=[], level_labels=[])),
        ("mlp", None, lambda told: told.update(scales=["value"])),
        ("logistic_regression", None, lambda told: told["schema"]["target"].update(kind="binary", levels=["a", "b"])),
    ],
)
def test_a_checkpoint_of_several_classes_that_does_not_hold_them_is_refused(name, arrays, said, tmp_path):
    folder = checkpoint.save(trained(wines.wines(), name), tmp_path)
    with pytest.raises(checkpoint.CheckpointError, match="does not hold what it says") as told:
        checkpoint.load(forged(folder, arrays=arrays, said=said))
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        (None, lambda told: told.update(scales=["logit", "probability"])),
        (lambda held: held.pop("network.line.bias"), None),
        (lambda held: held.update({"network.line.weight": held["network.line.weight"] * np.nan}), None),
        (None, lambda told: told["schema"]["target"].update(kind="binary", levels=["a", "b"], level_labels=["a", "b"])),
    ],
)
def test_a_checkpoint_of_a_value_that_does_not_hold_it_is_refused(arrays, said, tmp_path):
    folder = checkpoint.save(trained(diabetes(), "mlp"), tmp_path)
    with pytest.raises(checkpoint.CheckpointError, match="does not hold what it says"):
        checkpoint.load(forged(folder, arrays=arrays, said=said))
