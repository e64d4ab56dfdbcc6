"""Checkpoints: come back to the last bit, are whole or not there, and say so when they were damaged."""

from __future__ import annotations

import dataclasses
import json
import shutil

import numpy as np
import pytest
import torch
import worlds

from dlx import checkpoint, datasets, models, training
from dlx.audit.recalibration import recalibrated
from dlx.checkpoint import CheckpointError, folders
from dlx.checkpoint.contents import _narrowed, unpack
from dlx.checkpoint.runs import obtain
from dlx.dataset import Dataset
from dlx.model import Provenance
from dlx.models import ArchitectureError
from dlx.progress import Narrator
from dlx.remedies import fix
from dlx.schema import Schema

SHORT = {"max_epochs": 2}
FILES = ["weights.safetensors", "model.json", "manifest.json"]


@pytest.fixture(scope="module")
def case():
    """A small table with categories and missing values."""
    return worlds.table("mixed")


@pytest.fixture(scope="module")
def runs(case):
    """One model of each architecture, after a short training."""
    return {
        name: training.train(case, name, device="cpu", config=SHORT if models.is_net(name) else None) for name in models.names()
    }


@pytest.fixture
def saved(runs, tmp_path):
    """The folder of a tree."""
    return checkpoint.save(runs["decision_tree"], tmp_path)


@pytest.mark.parametrize("name", models.names())
def test_a_model_comes_back_to_the_last_bit(case, runs, tmp_path, name):
    path = checkpoint.save(runs[name], tmp_path)
    before = torch.get_rng_state()
    model = checkpoint.load(path, dataset=case)
    assert torch.equal(torch.get_rng_state(), before)
    assert (model.name, model.scales, model.schema) == (
        runs[name].model.name,
        runs[name].model.scales,
        runs[name].model.schema,
    )
    for scale in model.scales:
        np.testing.assert_array_equal(model.predict(case, scale), runs[name].model.predict(case, scale))


@pytest.mark.parametrize("name", ["resnet", "random_forest", "gradient_boosting"])
def test_the_same_training_writes_the_same_bytes(case, runs, tmp_path, name):
    again = training.train(case, name, device="cpu", config=runs[name].config)
    first, second = checkpoint.save(runs[name], tmp_path / "a"), checkpoint.save(again, tmp_path / "b")
    for file in FILES:
        assert (first / file).read_bytes() == (second / file).read_bytes()


def test_a_folder_holds_three_files_and_says_what_made_it(case, runs, tmp_path):
    path = checkpoint.save(runs["mlp"], tmp_path)
    assert sorted(file.name for file in path.iterdir()) == sorted(FILES)
    assert path == tmp_path / "mixed" / f"mlp-0-{training.digest(SHORT)}"
    described = checkpoint.describe(path)
    assert described["data_sha256"] == case.sha256 and described["config"] == SHORT
    assert described["best_epoch"] in (1, 2) and len(described["history"]) == 2
    assert {"dlx", "torch", "scikit-learn", "python"} <= set(described["versions"])
    assert [line["metric"] for line in described["metrics"]] == ["auc", "average_precision", "brier", "log_loss"]


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("damage", ["flip", "truncate", "empty", "delete"])
def test_damage_is_an_error_that_names_the_file_and_the_remedy(saved, file, damage):
    content = bytearray((saved / file).read_bytes())
    if damage == "delete":
        (saved / file).unlink()
    else:
        content[len(content) // 2] ^= 1
        (saved / file).write_bytes({"flip": content, "truncate": content[:-9], "empty": b""}[damage])
    remedy = "make it with: dlx train mixed.csv --target COLUMN --model decision_tree"
    with pytest.raises(CheckpointError, match=f"decision_tree-0.*{remedy}") as told:
        checkpoint.load(saved)
    named = "weights|model.json|manifest" if file == "manifest.json" else file
    assert any(name in str(told.value) for name in named.split("|"))


def test_every_single_flipped_bit_of_a_manifest_is_noticed_or_harmless(case, saved):
    expected = checkpoint.load(saved).predict(case, "probability")
    content = (saved / "manifest.json").read_bytes()
    for position in range(len(content)):
        flipped = bytearray(content)
        flipped[position] ^= 4
        (saved / "manifest.json").write_bytes(flipped)
        try:
            np.testing.assert_array_equal(checkpoint.load(saved).predict(case, "probability"), expected)
        except CheckpointError:
            continue


def rewritten(saved, change):
    """Write the weights anew, changed, with a manifest that fits."""
    arrays = {name: array.copy() for name, array in unpack((saved / FILES[0]).read_bytes()).items()}
    change(arrays)
    from safetensors.numpy import save

    return folders.write_folder(saved, {FILES[0]: save(arrays), FILES[1]: (saved / FILES[1]).read_bytes()})


@pytest.mark.parametrize(
    ("array", "value", "message"),
    [
        ("trees.left", 30_000, "a child must come after its parent"),
        ("trees.left", 0, "a child must come after its parent"),
        ("trees.feature", 77, "the trees ask column 77"),
        ("trees.feature", -5, "a node must ask a column"),
        ("trees.threshold", np.nan, "thresholds of the trees must be finite"),
    ],
)
def test_a_damaged_tree_is_refused_even_if_its_sum_is_right(saved, array, value, message):
    def change(arrays):
        arrays[array] = arrays[array].astype(np.float64 if array.endswith("threshold") else np.int32)
        arrays[array][0] = value

    with pytest.raises(CheckpointError, match=message):
        checkpoint.load(rewritten(saved, change))


@pytest.mark.parametrize("array", ["trees.value", "trees.roots"])
def test_a_lacking_array_is_an_error(saved, array):
    with pytest.raises(CheckpointError, match="does not hold what it says"):
        checkpoint.load(rewritten(saved, lambda arrays: arrays.pop(array)))


def test_a_net_of_another_width_is_an_error(runs, tmp_path):
    def change(arrays):
        arrays["network.1.weight"] = arrays["network.1.weight"][:, 1:].copy()

    with pytest.raises(CheckpointError, match="does not hold what it says"):
        checkpoint.load(rewritten(checkpoint.save(runs["mlp"], tmp_path), change))


@pytest.mark.parametrize("calls_before", [0, 1, 2])
def test_an_interrupt_leaves_nothing_half_written(runs, tmp_path, monkeypatch, calls_before):
    calls, write = [], folders.write_atomically

    def interrupted(*arguments):
        calls.append(1)
        if len(calls) > calls_before:
            raise KeyboardInterrupt
        return write(*arguments)

    monkeypatch.setattr(folders, "write_atomically", interrupted)
    with pytest.raises(KeyboardInterrupt):
        checkpoint.save(runs["decision_tree"], tmp_path)
    assert not [path for path in tmp_path.rglob("*") if path.is_file() or path.parent != tmp_path]


def test_an_interrupted_replacement_leaves_what_was_there(case, runs, saved, monkeypatch):
    from pathlib import Path

    rename, calls = Path.rename, []

    def interrupted(self, target):
        calls.append(self)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        checkpoint.save(runs["decision_tree"], saved.parents[1])
    assert checkpoint.is_current(saved, case)
    assert list(saved.parent.iterdir()) == [saved]


def test_a_rerun_replaces_the_folder(case, runs, saved):
    (saved / "model.json").write_bytes(b"damaged")
    assert not checkpoint.is_current(saved, case)
    assert checkpoint.save(runs["decision_tree"], saved.parents[1]) == saved
    assert checkpoint.is_current(saved, case) and list(saved.parent.iterdir()) == [saved]


def test_other_data_are_an_error(case, saved):
    with pytest.raises(CheckpointError, match="was trained on other data than the present 'mixed'"):
        checkpoint.load(saved, dataset=case[:200])


def test_an_unknown_format_is_an_error(saved):
    manifest = json.loads((saved / "manifest.json").read_text())
    (saved / "manifest.json").write_text(json.dumps(manifest | {"format": 99}))
    with pytest.raises(CheckpointError, match="must have the format 1, got 99"):
        checkpoint.load(saved)


def test_what_was_not_trained_says_how_to_train_it(tmp_path):
    with pytest.raises(
        CheckpointError, match=r"there is no checkpoint .*; make it with: dlx train bank_loan --model mlp --seed 7"
    ):
        checkpoint.load_model("bank_loan", "mlp", seed=7, root=tmp_path)
    with pytest.raises(ArchitectureError, match=r"no model 'nosuch'; the models are"):
        checkpoint.load_model("bank_loan", "nosuch")
    with pytest.raises(CheckpointError, match=r"must be fit for a folder, got '\.\./a'"):
        checkpoint.load_model("../a", "mlp")


def test_ones_own_come_before_the_shipped(tmp_path):
    shipped = checkpoint.find("bank_loan", "mlp", root=tmp_path)
    assert shipped.parents[1] == checkpoint.shipped_root()
    own = tmp_path / "bank_loan" / "mlp-0"
    shutil.copytree(shipped, own)
    assert checkpoint.find("bank_loan", "mlp", root=tmp_path) == own


@pytest.mark.parametrize("name", datasets.names())
def test_the_shipped_models_belong_to_the_present_data(name):
    dataset = datasets.load(name)
    for architecture in models.names():
        path = checkpoint.find(name, architecture, root=checkpoint.shipped_root())
        model = checkpoint.load(path, dataset=dataset)
        assert model.name == architecture and np.isfinite(model.predict(dataset[:50], "logit")).all()
        assert sum(file.stat().st_size for file in path.iterdir()) < 1_500_000


@pytest.mark.parametrize(
    ("numbers", "kept"),
    [
        ([0, 127], np.int8),
        ([-1, 300], np.int16),
        ([2**40], np.int64),
        ([0.5, -3.0], np.float32),
        ([0.1], np.float64),
        ([1e300], np.float64),
        (7, np.int8),
    ],
)
def test_numbers_are_kept_small_only_where_nothing_is_lost(numbers, kept):
    array = np.array(numbers)
    narrowed = _narrowed(array)
    assert narrowed.dtype == kept and narrowed.shape == array.shape
    np.testing.assert_array_equal(narrowed.astype(array.dtype), array)


def test_a_table_of_ones_own_that_has_changed_is_trained_anew(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    table = worlds.table("mixed")
    mine, changed = (Dataset(table.schema, rows.rows, rows.outcomes, name="mine") for rows in (table, table[:250]))
    quiet = Narrator(quiet=True)
    first = obtain(mine, "decision_tree", narrator=quiet)
    folder = checkpoint.folder("mine", "decision_tree")
    written = (folder / "manifest.json").stat().st_mtime_ns
    again = obtain(mine, "decision_tree", narrator=quiet)
    assert (folder / "manifest.json").stat().st_mtime_ns == written
    np.testing.assert_array_equal(first.predict(table, "logit"), again.predict(table, "logit"))
    obtain(changed, "decision_tree", narrator=quiet)
    assert checkpoint.describe(folder)["data_sha256"] == changed.sha256


def test_a_model_speaks_in_the_present_words_of_its_table(tmp_path):
    table = worlds.table("mixed")
    path = checkpoint.save(training.train(table, "decision_tree"), tmp_path)
    features = [dataclasses.replace(feature, label=f"the {feature.name}") for feature in table.schema.features]
    reworded = Dataset(Schema(tuple(features), table.schema.target), table.rows, table.outcomes, name=table.name)
    assert checkpoint.load(path, dataset=reworded).schema == reworded.schema
    assert checkpoint.load(path).schema == table.schema


@pytest.mark.parametrize("name", ["mlp", "gradient_boosting", "logistic_regression"])
def test_provenance_is_set_by_training_and_comes_back(case, runs, tmp_path, name):
    made_by = runs[name].model.provenance
    assert made_by == Provenance(name, 0, runs[name].config, case.sha256)
    assert checkpoint.load(checkpoint.save(runs[name], tmp_path)).provenance == made_by


def test_a_model_that_anything_was_done_to_has_no_provenance(case, runs, tmp_path):
    plain = runs["logistic_regression"].model
    fixed = fix(case, "logistic_regression", drop=[case.schema.names[0]], before=plain)
    assert fixed.before.provenance is plain.provenance and fixed.model.provenance is None
    assert checkpoint.load(fixed.save(tmp_path)).provenance is None
    assert fix(case, "logistic_regression", recalibrate=True, before=plain).model.provenance is None
    assert recalibrated(plain, case.validation).provenance is None
    weighted = training.fit("logistic_regression", case.train, case.validation, weights=np.linspace(1, 2, len(case.train)))
    assert weighted.model.provenance is None
    of_rows = training.fit("logistic_regression", case.train, case.validation).model.provenance
    assert of_rows == Provenance("logistic_regression", 0, {}, case.train.sha256)
