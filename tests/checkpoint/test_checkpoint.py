"""Checkpoints: come back to the last bit, are whole or not there, and say so when they were damaged."""

from __future__ import annotations

import contextlib
import dataclasses
import inspect
import json
import os
import shlex
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import worlds
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save

import dlx
import dlx.cli
from dlx import architectures, cases, checkpoint, training
from dlx.architectures import ArchitectureError
from dlx.audit.recalibration import recalibrated
from dlx.checkpoint import CheckpointError, contents, folders, obtain
from dlx.checkpoint.contents import _narrowed, unpack
from dlx.dataset import Dataset
from dlx.files import FileError
from dlx.model import Provenance
from dlx.progress import Narrator
from dlx.remedies import RemedyError, fix
from dlx.schema import Schema

pytestmark = pytest.mark.doors

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
        name: training.train(case, name, device="cpu", config=SHORT if architectures.is_net(name) else None)
        for name in architectures.names("binary")
    }


@pytest.fixture
def saved(runs, tmp_path):
    """The folder of a tree."""
    return checkpoint.save(runs["decision_tree"], tmp_path)


@pytest.fixture(scope="module")
def forgeable(runs, tmp_path_factory):
    """A tree's folder with what its files held, to be written anew and anew."""
    path = checkpoint.save(runs["decision_tree"], tmp_path_factory.mktemp("forged"))
    return SimpleNamespace(path=path, weights=(path / FILES[0]).read_bytes(), description=(path / FILES[1]).read_bytes())


@pytest.mark.parametrize("name", architectures.names("binary"))
def test_a_model_comes_back_to_the_last_bit(case, runs, tmp_path, name):
    path = checkpoint.save(runs[name], tmp_path)
    before = torch.get_rng_state()
    model = checkpoint.load(path, case=case)
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
    again = training.train(case, name, device="cpu", config=runs[name].made_by.config)
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
    remedy = r"make it with: dlx.train\(case, 'decision_tree', seed=0\)"
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
    arrays = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    return folders.write_folder(saved, {FILES[0]: save(arrays), FILES[1]: (saved / FILES[1]).read_bytes()})


def forged(saved, **fields):
    """Write the description anew, with other fields and a manifest that fits; a folder of the name that it claims."""
    said = json.loads((saved / FILES[1]).read_bytes()) | fields
    return signed(saved, json.dumps(said).encode())


def signed(saved, description):
    """Write any bytes as the description, with a manifest that fits."""
    return folders.write_folder(saved, {FILES[0]: (saved / FILES[0]).read_bytes(), FILES[1]: description})


def refused(path, match=None, **asked):
    """Return the one line that a checkpoint is refused with."""
    with pytest.raises(CheckpointError, match=match) as told:
        checkpoint.load(path, **asked)
    line = str(told.value)
    assert "\n" not in line and len(line) < 1_000 and ("make " in line or "rename" in line)
    return line


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
    calls, sync = [], os.fsync

    def interrupted(*arguments):
        calls.append(1)
        if len(calls) > calls_before:
            raise KeyboardInterrupt
        return sync(*arguments)

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        checkpoint.save(runs["decision_tree"], tmp_path)
    assert not [path for path in tmp_path.rglob("*") if path.is_file() or path.parent != tmp_path]


def test_an_interrupted_replacement_leaves_what_was_there(case, runs, saved, monkeypatch):
    rename, calls = Path.rename, []

    def interrupted(self, target):
        calls.append(self)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        checkpoint.save(runs["decision_tree"], saved.parents[1])
    assert not checkpoint.differs(saved, case)
    assert list(saved.parent.iterdir()) == [saved]


def test_a_rerun_replaces_the_folder(case, runs, saved):
    (saved / "model.json").write_bytes(b"damaged")
    assert checkpoint.differs(saved, case)
    assert checkpoint.save(runs["decision_tree"], saved.parents[1]) == saved
    assert not checkpoint.differs(saved, case) and list(saved.parent.iterdir()) == [saved]


def test_other_data_are_an_error(case, saved):
    with pytest.raises(CheckpointError, match="was trained on other data than the present 'mixed'"):
        checkpoint.load(saved, case=case[:200])


def test_an_unknown_format_is_an_error(saved):
    manifest = json.loads((saved / "manifest.json").read_text())
    (saved / "manifest.json").write_text(json.dumps(manifest | {"format": 99}))
    with pytest.raises(CheckpointError, match="must have the format 1, got 99"):
        checkpoint.load(saved)


def test_what_was_not_trained_says_how_to_train_it(tmp_path):
    with pytest.raises(
        CheckpointError, match=r"there is no checkpoint .*; make it with: dlx train bank_loan --model mlp --seed 7"
    ):
        checkpoint.load_model("bank_loan", "mlp", seed=7, checkpoints=tmp_path)
    with pytest.raises(ArchitectureError, match=r"no model 'nosuch'; the models are"):
        checkpoint.load_model("bank_loan", "nosuch")
    with pytest.raises(CheckpointError, match=r"must be fit for a folder, got '\.\./a'"):
        checkpoint.load_model("../a", "mlp")


def test_ones_own_come_before_the_shipped_and_a_folder_that_is_given_is_the_only_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shipped = checkpoint.find("bank_loan", "mlp")
    assert shipped.parents[1] == checkpoint.shipped_root()
    with pytest.raises(CheckpointError, match=r"there is no checkpoint elsewhere/bank_loan/mlp-0; make it with: .* elsewhere"):
        checkpoint.load_model("bank_loan", "mlp", checkpoints="elsewhere")
    own = Path("checkpoints/bank_loan/mlp-0")
    shutil.copytree(shipped, own)
    assert checkpoint.find("bank_loan", "mlp") == own == checkpoint.find("bank_loan", "mlp", checkpoints="checkpoints")


@pytest.mark.parametrize("case", sorted(checkpoint.shipped_root().iterdir()), ids=lambda folder: folder.name)
def test_the_shipped_models_belong_to_the_present_data(case):
    dataset = cases.load(case.name)
    for path in case.iterdir():
        model = checkpoint.load(path, case=dataset)
        assert path.name == (model.name if model.provenance.seed else f"{model.name}-0")
        assert all(np.isfinite(model.predict(dataset[:50], scale)).all() for scale in model.scales)
        assert sum(file.stat().st_size for file in path.iterdir()) < 1_500_000


@pytest.mark.parametrize("name", cases.names())
def test_each_case_is_trained_kept_explained_and_kept_again(tmp_path, name):
    dataset = cases.load(name)
    model = dlx.train(dataset, "decision_tree", checkpoints=tmp_path, device="cpu")
    kept = checkpoint.load(checkpoint.find(name, "decision_tree", checkpoints=tmp_path))
    assert kept.schema == dataset.schema
    scale = kept.scales[0]
    np.testing.assert_array_equal(kept.predict(dataset.test, scale), model.predict(dataset.test, scale))
    made = dlx.explain(kept, dataset.test[:3], method="tree_shap", background=dataset.train[:9], scale=scale)
    made.save(tmp_path / "made.safetensors")
    assert dlx.Explanation.load(tmp_path / "made.safetensors").schema == dataset.schema


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
    assert checkpoint.load(path, case=reworded).schema == reworded.schema
    assert checkpoint.load(path).schema == table.schema


@pytest.mark.parametrize("name", ["mlp", "gradient_boosting", "logistic_regression"])
def test_provenance_is_set_by_training_and_comes_back(case, runs, tmp_path, name):
    made_by = runs[name].model.provenance
    assert made_by == Provenance(name, 0, runs[name].made_by.config, case.sha256)
    assert checkpoint.load(checkpoint.save(runs[name], tmp_path)).provenance == made_by


def test_a_model_that_anything_was_done_to_has_no_provenance(case, runs, tmp_path):
    plain = runs["logistic_regression"].model
    fixed = fix(case, "logistic_regression", drop=[case.schema.names[0]], before=plain)
    assert fixed.before.provenance is plain.provenance and fixed.model.provenance is None
    assert checkpoint.load(fixed.save(tmp_path)).provenance is None
    assert fix(case, "logistic_regression", recalibrate=True, before=plain).model.provenance is None
    assert recalibrated(plain, case.validation).provenance is None
    assert training.fit("logistic_regression", case.train, case.validation).model.provenance is None


# What is on disk is what it says -------------------------------------------------------------------------------------


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**12), 10**12)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=4,
)


NAMES = ["mixed/resnet-0", "mixed/decision_tree-1", "mixed/decision_tree-0-0123abcd", "mixed/decision_tree-00", "mixed/model"]


@pytest.mark.parametrize("name", [*NAMES, "other/decision_tree-0"])
@pytest.mark.parametrize("how", [shutil.copytree, lambda old, new: new.symlink_to(old, target_is_directory=True)])
def test_a_folder_under_another_name_is_refused_and_says_what_it_is(case, saved, name, how):
    copy = saved.parents[1] / name
    copy.parent.mkdir(exist_ok=True)
    how(saved, copy)
    line = refused(copy, "holds the decision_tree of mixed, seed 0, which belongs into a folder mixed/decision_tree-0, not ")
    assert name in line and "rename it back" in line
    assert checkpoint.differs(copy, case)
    with pytest.raises(CheckpointError, match="copied or renamed"):
        checkpoint.describe(copy)


def test_what_is_asked_for_by_name_is_what_is_loaded(case, runs, saved, tmp_path, monkeypatch):
    configured = checkpoint.save(runs["mlp"], tmp_path)
    shutil.copytree(configured, tmp_path / "mixed" / "mlp-0")
    for asked in ({"seed": 0}, {"seed": 0, "config": {"max_epochs": 3}}):
        with pytest.raises(CheckpointError, match=r"seed 0, max_epochs=2, which belongs|there is no checkpoint"):
            checkpoint.load_model(case, "mlp", checkpoints=tmp_path, **asked)
    assert checkpoint.load_model(case, "mlp", checkpoints=tmp_path, config=SHORT).provenance.config == SHORT
    shutil.copytree(saved, tmp_path / "mixed" / "random_forest-0", dirs_exist_ok=True)
    for ask in (obtain, dlx.train):
        with pytest.raises(CheckpointError) if ask is obtain else contextlib.nullcontext():
            model = ask(case, "random_forest", checkpoints=tmp_path, narrator=Narrator(quiet=True))
    assert len(model.trees) > 1, "a tree was taken for a forest"
    monkeypatch.chdir(saved)
    assert checkpoint.load(".").name == checkpoint.load(Path("..") / "decision_tree-0").name == "decision_tree"


def test_the_name_of_a_shipped_case_stands_for_its_data(tmp_path):
    table = worlds.table("mixed")
    mine = Dataset(table.schema, table.rows, table.outcomes, name="bank_loan")
    checkpoint.save(training.train(mine, "decision_tree"), tmp_path)
    with pytest.raises(CheckpointError, match="was trained on other data than the present 'bank_loan'"):
        checkpoint.load_model("bank_loan", "decision_tree", checkpoints=tmp_path)
    assert checkpoint.load_model(mine, "decision_tree", checkpoints=tmp_path).schema == mine.schema


def change_of(name, value):
    return pytest.param({name: value}, id=f"{name}={str(value)[:20]}")


@pytest.mark.parametrize(
    "fields",
    [
        *[change_of("kind", value) for value in ("NeuralModel", "LinearModel", "BlackBox", "", None, 3, ["TreeModel"])],
        *[change_of("architecture", value) for value in ("mlp", "gradient_boosting", "nosuch", "../mlp", "", None, ["mlp"])],
        *[change_of("seed", value) for value in (-1, 1, 0.0, "0", True, None, 10**30)],
        *[change_of("name", value) for value in ("other", "a\nb", None, 3)],
        *[change_of("case", value) for value in ("other", "../mixed", "/mixed", "a\nb", "", None, ["mixed"])],
        *[change_of("config", value) for value in ({"depth": 10**9}, {"nosuch": 1}, [], None, {"leaves": None})],
        *[change_of("settings", value) for value in ({}, [], None, {"nosuch": 1}, {"depth": 10**9})],
        *[change_of("scales", value) for value in (["logit"], ["value"], [], "logit", None, ["logit", "logit"], [["a"], 1])],
        *[change_of("device", value) for value in ("auto", "tpu", None, 0)],
        *[change_of("best_epoch", value) for value in (-1, "1", 1.5)],
        *[change_of("history", value) for value in (None, {}, [1], [{"epoch": 1}])],
        *[change_of("metrics", value) for value in (None, {}, [1], [{"metric": "auc"}])],
        *[change_of("versions", value) for value in (None, [], {"dlx": 1}, {"dlx": "a\nb"})],
        *[change_of("data_sha256", value) for value in (None, "", "0", "X" * 64, 0)],
        *[change_of("schema", value) for value in (None, [], {}, {"features": [], "target": {}}, {"features": 3, "target": 4})],
        change_of("unknown", 1),
    ],
)  # fmt: skip
def test_a_forged_description_is_one_line_even_if_its_sum_is_right(saved, fields):
    refused(forged(saved, **fields))


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(contents.Description) if field.name != "split"])
def test_a_description_without_a_field_is_refused(saved, field):
    said = json.loads((saved / FILES[1]).read_bytes())
    del said[field]
    refused(signed(saved, json.dumps(said).encode()), f"it needs {field}")


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"null", b"[]", b"3", b"[" * 100_000, b'{"a":' * 100_000, b"\xff\xfe", b'{"seed": NaN}', b'{"a": 1, "a": 2}',
     b"\0" * 9],
)  # fmt: skip
@pytest.mark.parametrize("file", ["model.json", "manifest.json"])
def test_what_is_no_description_or_manifest_is_one_line(saved, content, file):
    signed(saved, content) if file == "model.json" else (saved / file).write_bytes(content)
    assert file in refused(saved)


@pytest.mark.parametrize(
    "change",
    [{"format": True}, {"format": 1.0}, {"format": None}, {"sha256": []}, {"sha256": {}}, {"sha256": None}, 
     {"sha256": {"../x": "0"}},     {"sha256": {"model.json": 3, "weights.safetensors": []}}],
)  # fmt: skip
def test_a_manifest_of_other_types_or_names_is_refused(saved, change):
    manifest = json.loads((saved / "manifest.json").read_text())
    (saved / "manifest.json").write_text(json.dumps(manifest | change))
    refused(saved)


@pytest.mark.parametrize("architecture", ["mlp", "resnet"])
@pytest.mark.parametrize(
    "config",
    [{"depth": 10**9}, {"hidden": 10**9}, {"hidden": 10**18}, {"depth": 10**6, "hidden": 1}, {"dropout": 5.0}, {"depth": 1},
     {"hidden": 65}],
)  # fmt: skip
def test_a_net_is_not_built_larger_than_its_weights(runs, tmp_path, architecture, config):
    saved = checkpoint.save(runs[architecture], tmp_path)
    said = json.loads((saved / FILES[1]).read_bytes())
    asked = training.overrides(architecture, SHORT | config)
    path = checkpoint.folder("mixed", architecture, checkpoints=tmp_path, config=asked)
    if path != saved:
        saved = saved.rename(path)
    fields = {"config": asked, "settings": said["settings"] | asked, "name": training.name_of(architecture, 0, asked)}
    assert "does not hold what it says" in refused(forged(saved, **fields))


@pytest.mark.parametrize(
    ("architecture", "array", "change"),
    [
        ("mlp", "network.1.weight", lambda a: a * np.nan),
        ("mlp", "network.1.weight", lambda a: a.astype(np.float64) * 1e300),
        ("mlp", "network.1.weight", lambda a: a.ravel()),
        ("mlp", "network.1.bias", lambda a: a[:-1]),
        ("mlp", "network.1.bias", lambda a: a + np.float64(1e-12)),
        ("mlp", "network.new", lambda _: np.zeros(3)),
        ("mlp", "new", lambda _: np.zeros(3)),
        ("mlp", "encoder.new", lambda _: np.zeros(3)),
        ("mlp", "encoder.center", lambda a: a * np.inf),
        ("mlp", "encoder.scale", lambda a: a * 0),
        ("mlp", "encoder.scale", lambda a: -a),
        ("mlp", "encoder.scale", lambda a: a[:-1]),
        ("resnet", "network.norm.running_var", lambda a: a - 1e6),
        ("resnet", "network.norm.num_batches_tracked", lambda a: a + 0.5),
        ("logistic_regression", "coefficients", lambda a: a * np.nan),
        ("logistic_regression", "coefficients", lambda a: a[:-1]),
        ("logistic_regression", "coefficients", lambda a: a[:, None]),
        ("logistic_regression", "intercept", lambda a: np.append(a, 1.0)),
        ("logistic_regression", "intercept", lambda a: a[:0]),
        ("logistic_regression", "intercept", lambda a: a * np.inf),
        ("decision_tree", "trees.feature", lambda a: a + 0.25),
        ("decision_tree", "trees.left", lambda a: a.astype(np.int64) + 2**32),
        ("decision_tree", "trees.right", lambda a: np.where(a > 0, 1, a)),
        ("decision_tree", "trees.missing_left", lambda a: a + 2),
        ("decision_tree", "trees.value", lambda a: a * 7),
        ("decision_tree", "trees.value", lambda a: -a),
        ("decision_tree", "trees.value", lambda a: a[:, None]),
        ("decision_tree", "trees.value", lambda a: a[:0]),
        ("decision_tree", "trees.roots", lambda a: a + 1),
        ("decision_tree", "trees.roots", lambda a: a[:0]),
        ("decision_tree", "trees.base", lambda a: np.repeat(a, 2)),
        ("decision_tree", "trees.base", lambda a: a * np.nan + np.nan),
        ("random_forest", "trees.roots", lambda a: a[::-1]),
        ("gradient_boosting", "trees.threshold", lambda a: a * np.inf),
    ],
)
def test_arrays_that_are_not_the_models_are_refused_even_if_their_sum_is_right(runs, tmp_path, architecture, array, change):
    def spoiled(arrays):
        with np.errstate(all="ignore"):
            arrays[array] = np.asarray(change(arrays.get(array)))

    assert "does not hold what it says" in refused(rewritten(checkpoint.save(runs[architecture], tmp_path), spoiled))


def test_two_nodes_with_one_child_are_refused_before_anything_walks_them(saved):
    """Paths through 40 such nodes are a million million."""
    count = 81

    def ladder(arrays):
        inner = np.arange(count) < count - 1
        arrays.clear()
        arrays |= {f"trees.{name}": np.where(inner, np.arange(count) + 1, -1) for name in ("left", "right")}
        arrays |= {"trees.feature": np.where(inner, 0, -1), "trees.missing_left": inner, "trees.roots": np.array([0])}
        arrays |= {f"trees.{name}": np.where(inner, 0.0, 0.5) for name in ("threshold", "value", "cover")}
        arrays |= {"trees.base": np.zeros(1)}

    refused(rewritten(saved, ladder), "one parent")


@given(data=st.data())
def test_no_mutation_of_a_description_is_a_traceback(forgeable, data):
    said = json.loads(forgeable.description)
    place, keys = said, data.draw(st.lists(st.integers(0, 30), min_size=1, max_size=4))
    for key in keys:
        names = sorted(place) if isinstance(place, dict) else list(range(len(place)))
        name = names[key % len(names)]
        if not isinstance(place[name], (dict, list)) or not place[name] or key is keys[-1]:
            break
        place = place[name]
    place[name] = data.draw(JSON)
    try:
        checkpoint.load(signed(forgeable.path, json.dumps(said).encode()))
    except CheckpointError as error:
        assert "\n" not in str(error)


@given(content=st.binary(max_size=200), at=st.integers(0, 2_000), file=st.sampled_from(FILES[:2]))
def test_no_bytes_within_a_file_are_a_traceback(forgeable, content, at, file):
    files = {FILES[0]: forgeable.weights, FILES[1]: forgeable.description}
    files[file] = files[file][:at] + content + files[file][at + len(content) :]
    try:
        model = checkpoint.load(folders.write_folder(forgeable.path, files))
    except CheckpointError as error:
        assert "\n" not in str(error)
    else:
        assert np.isfinite(model.compute(np.zeros((1, 5)))).all()


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("other", ["folder", "pipe", "loop", "sparse"])
def test_what_is_no_file_of_a_checkpoint_is_refused_without_being_read(saved, file, other):
    path = saved / file
    path.unlink()
    if other == "folder":
        path.mkdir()
    elif other == "pipe":
        os.mkfifo(path)
    elif other == "loop":
        path.symlink_to(path)
    else:
        with path.open("wb") as sparse:
            sparse.truncate(2**40)
    assert file in refused(saved)


# A folder that is given, and what is there already -------------------------------------------------------------------


class Heard(Narrator):
    """Remembers what was said."""

    def __init__(self):
        super().__init__(quiet=True)
        self.lines = []

    def say(self, line):
        self.lines.append(line)


def trained_again(case, root, **asked):
    """Whether `train` trained anew, and what it said of what was there."""
    heard, path = Heard(), checkpoint.folder(case.name, "decision_tree", checkpoints=root)
    before = (path / "manifest.json").stat().st_ino
    dlx.train(case, "decision_tree", checkpoints=root, narrator=heard, **asked)
    return (path / "manifest.json").stat().st_ino != before, heard.lines[0]


def test_train_takes_what_is_there_only_if_it_is_what_training_would_give(case, runs, saved, tmp_path):
    anew, said = trained_again(case, tmp_path)
    assert not anew and said.endswith("is there already; retrain makes it anew")
    versions = json.loads((saved / FILES[1]).read_bytes())["versions"]
    forged(saved, versions=versions | {"scikit-learn": "0.1"})
    anew, said = trained_again(case, tmp_path)
    assert anew and said.endswith("decision_tree-0 was trained by scikit-learn 0.1; training anew")
    changed = Dataset(case.schema, case.rows[:250], case.outcomes[:250], name=case.name)
    anew, said = trained_again(changed, tmp_path)
    assert anew and said.endswith("decision_tree-0 was trained on other data than mixed has now; training anew")
    (saved / FILES[1]).write_bytes(b"damaged")
    anew, said = trained_again(case, tmp_path)
    assert anew and "model.json is not what manifest.json says" in said and said.endswith("training anew")


def test_a_model_of_another_split_may_have_seen_the_test_rows_and_is_refused_or_trained_anew(case, runs, saved, tmp_path):
    ordered = dataclasses.replace(
        case, schema=dataclasses.replace(case.schema, split="time:day"), extra={"day": np.arange(300)}
    )
    why = "may have seen the test rows: it was trained on rows split at random, by outcome, not by day: rows from 180 on stop "
    why += "the training, those from 240 on are tested on"
    with pytest.raises(CheckpointError, match=why):
        dlx.load_model(ordered, "decision_tree", checkpoints=tmp_path)
    anew, said = trained_again(ordered, tmp_path)
    assert anew and said.endswith(f"{why}; training anew")
    assert obtain(ordered, "decision_tree", checkpoints=tmp_path).provenance.data_sha256 == ordered.sha256
    said = json.loads((saved / FILES[1]).read_bytes())
    assert said["split"] == ordered.split_words
    del said["split"]  # as of a checkpoint that is older than splits
    assert "rows split at random, by outcome, not by day" in checkpoint.differs(
        signed(saved, json.dumps(said | {"data_sha256": case.sha256}).encode()), ordered
    )


def test_a_net_of_another_device_is_trained_anew_where_the_device_is_named(case, runs, tmp_path):
    path = forged(checkpoint.save(runs["mlp"], tmp_path), device="cuda")
    assert checkpoint.differs(path, case) == ""
    assert checkpoint.differs(path, case, device="cpu") == f"{path} was trained on the device cuda"


def test_a_fixed_model_is_never_replaced_without_a_word_and_never_replaces_a_plain_one(case, runs, tmp_path):
    fixed = fix(case, "decision_tree", drop=[case.schema.names[0]], before=runs["decision_tree"].model)
    path = fixed.save(tmp_path)
    assert fixed.save(tmp_path) == path and checkpoint.differs(path, case)
    other = fix(case, "decision_tree", drop=[case.schema.names[1]], before=runs["decision_tree"].model)
    with pytest.raises(RemedyError, match="holds a model that was not fixed so"):
        other.save(tmp_path)
    with pytest.raises(CheckpointError, match=r"holds a model that was fixed, which training would replace; .* retrain"):
        dlx.train(case, "decision_tree", checkpoints=tmp_path, narrator=Narrator(quiet=True))
    assert obtain(case, "decision_tree", checkpoints=tmp_path).name == "decision_tree fixed"
    dlx.train(case, "decision_tree", checkpoints=tmp_path, retrain=True, narrator=Narrator(quiet=True))
    with pytest.raises(RemedyError, match="holds a model that was not fixed so"):
        fixed.save(tmp_path)


def test_models_are_trained_and_loaded_by_the_same_words_and_by_the_former_one(case, tmp_path, monkeypatch):
    shared = ["case", "architecture", "seed", "config", "checkpoints", "root"]
    for door in (dlx.train, dlx.load_model):
        assert list(inspect.signature(door).parameters)[: len(shared)] == shared
    asked = {"seed": 1, "config": {"min_rows": 40}}
    made = dlx.train(case, "decision_tree", **asked, root=tmp_path, narrator=Narrator(quiet=True))
    for word in ("checkpoints", "root"):
        assert dlx.load_model(case, "decision_tree", **asked, **{word: tmp_path}).provenance == made.provenance
    monkeypatch.setattr(cases, "load", lambda name: case if name == "bank_loan" else None)
    assert (
        dlx.train("bank_loan", "decision_tree", **asked, checkpoints=tmp_path, narrator=Narrator(quiet=True)).name == made.name
    )


def test_a_configured_model_is_trained_and_found_by_its_options(case, tmp_path):
    config = {"min_rows": 40}
    model = dlx.train(case, "decision_tree", config=config, checkpoints=tmp_path, narrator=Narrator(quiet=True))
    found = checkpoint.load_model(case, "decision_tree", config=config, checkpoints=tmp_path)
    assert found.provenance == model.provenance == Provenance("decision_tree", 0, config, case.sha256)
    with pytest.raises(CheckpointError, match=r"there is no checkpoint \S+/decision_tree-0, only decision_tree-0-[0-9a-f]{8};"):
        checkpoint.load_model(case, "decision_tree", checkpoints=tmp_path)


@pytest.mark.parametrize("place", ["file", "file/below", "mixed-is-a-file", "run-is-a-file"])
def test_where_a_model_could_not_be_kept_nothing_is_trained(case, tmp_path, monkeypatch, place):
    (tmp_path / "file").touch()
    for taken in ("mixed-is-a-file/mixed", "run-is-a-file/mixed/decision_tree-0"):
        (tmp_path / taken).parent.mkdir(parents=True)
        (tmp_path / taken).touch()

    def never(*_, **__):
        raise AssertionError("trained")

    monkeypatch.setattr(training, "train", never)
    for ask in (dlx.train, obtain):
        with pytest.raises(FileError, match=r"cannot write to .*; pass another folder as checkpoints"):
            ask(case, "decision_tree", checkpoints=tmp_path / place, narrator=Narrator(quiet=True))


def test_the_way_out_names_the_file_and_what_was_asked_for(case, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = "".join(f"{i * 7 % 11},{i * 7 % 10},{'YN'[i % 2]}\n" for i in range(10))
    Path("My loans.csv").write_text("a,b,y\n" + rows)
    table = dlx.read_table("My loans.csv", target="y", positive="N", keep=["b"])
    with pytest.raises(CheckpointError) as told:
        checkpoint.load_model(table, "mlp", seed=3)
    words = shlex.split(str(told.value).partition("make it with: ")[2])
    asked = ["--target", "y", "--positive", "N", "--keep", "b"]
    assert words == ["dlx", "train", "My loans.csv", *asked, "--model", "mlp", "--seed", "3"]
    for other in ("My loans", case):
        with pytest.raises(CheckpointError, match=r"make it with: dlx\.train\(case, 'mlp', seed=3\)"):
            checkpoint.load_model(other, "mlp", seed=3)


def test_a_model_whose_metrics_have_no_interval_is_kept(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("few.csv").write_text("a,b,y\n" + "".join(f"{i * 7 % 11},{i * 7 % 10},{'YN'[i % 2]}\n" for i in range(10)))
    monkeypatch.setattr("sys.argv", ["dlx", "train", "few.csv", "--target", "y", "--model", "decision_tree"])
    with pytest.raises(SystemExit) as ended:
        dlx.cli.main()
    assert ended.value.code == 0 and "no interval" in capsys.readouterr().out
    metrics = checkpoint.describe("checkpoints/few/decision_tree-0")["metrics"]
    assert metrics[0]["low"] is None is metrics[0]["high"] and metrics[0]["estimate"] >= 0
