"""Models by what is typed: what is opened predicts what its own library predicts of the table, or is refused in a line."""

from __future__ import annotations

import importlib.util
import io
import os
import pickle
import sys
from pathlib import Path

import catboost
import lightgbm
import numpy as np
import pandas as pd
import pytest
import torch
import xgboost
from scipy.special import expit, softmax
from skl2onnx import to_onnx
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from skops.io import dump

import dlx
from dlx.errors import DlxError
from dlx.model.model_files import LIBRARIES, UntrustedError
from dlx.model.opening import PICKLES, is_own, name_of, open_model

pytestmark = pytest.mark.doors
ROWS = 150
NUMBERS = ["age", "net pay"]
SIBLING = """
import pandas as pd

table = pd.read_csv("loans.csv")
X, y = table.drop(columns="bad"), table["bad"]
"""
MINE = """
import pathlib

import numpy as np
import pandas as pd
from sibling_of_mine import X, y
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

import dlx

with pathlib.Path("runs").open("a") as runs:
    runs.write("x")
print("this is not the answer")
model = make_pipeline(OneHotEncoder(handle_unknown="ignore"), LogisticRegression()).fit(X, y)
wrapped = dlx.wrap(model, dlx.read_table("loans.csv", target="bad"), name="of mine")
number = 3


class Holder:
    inner = model


def rule(table):
    return 0.2 + 0.6 * (table["job"] == "smith")


def lazy(table):
    from imported_late import share

    return np.full(len(table), share)
"""


@pytest.fixture(scope="session")
def loans() -> pd.DataFrame:
    """A table with words, and numbers under a name that LightGBM cannot hold."""
    rng = np.random.default_rng(3)
    table = pd.DataFrame({"age": rng.integers(18, 70, ROWS), "job": rng.choice(["smith", "clerk", "cook"], ROWS)})
    table["net pay"] = rng.normal(2, 1, ROWS).round(3)
    score = (table["age"] - 44) / 13 + (table["job"] == "smith") + rng.normal(size=ROWS)
    return table.assign(bad=np.where(score > 0, "yes", "no"))


@pytest.fixture
def case(loans, tmp_path, monkeypatch):
    """The table as it is read of a file in the current folder, where the user's own files are."""
    monkeypatch.chdir(tmp_path)
    others = [place for place in sys.path if Path(place, "mine.py").exists()]  # of other tests
    monkeypatch.setattr(sys, "path", [place for place in sys.path if place not in others])
    monkeypatch.delitem(sys.modules, "mine", raising=False)
    before = set(sys.modules)
    loans.to_csv("loans.csv", index=False)
    yield dlx.read_table("loans.csv", target="bad")
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]


@pytest.fixture
def mine(case):
    """The case, with a Python file of the user's own beside it."""
    Path("sibling_of_mine.py").write_text(SIBLING)
    Path("imported_late.py").write_text("share = 0.3")
    Path("mine.py").write_text(MINE)
    return case


@pytest.fixture
def numbers(loans, case):
    """The same table with its numbers only."""
    loans[[*NUMBERS, "bad"]].to_csv("numbers.csv", index=False)
    return dlx.read_table("numbers.csv", target="bad")


def chances(model, case) -> np.ndarray:
    return model.predict(case, "probability")


# Python objects ------------------------------------------------------------------------------------------------------


def test_an_object_of_a_file_predicts_what_it_does_there_and_the_file_runs_once(mine, loans, capsys):
    found = open_model("mine.py:model", mine)
    expected = sys.modules["mine"].model.predict_proba(loans.drop(columns="bad"))[:, 1]
    assert np.allclose(chances(found, mine), expected)
    assert found.name == "mine"
    held = open_model("mine.py:Holder.inner", mine)
    assert (held.name, Path("runs").read_text()) == ("inner", "x")
    out, err = capsys.readouterr()
    assert (out, err) == ("", "this is not the answer\n")


def test_functions_and_models_of_dlx_are_taken_and_siblings_are_found_later_too(mine, loans):
    assert set(chances(open_model("mine.py:rule", mine), mine)) == {0.2, 0.8}
    assert set(chances(open_model("mine.py:lazy", mine), mine)) == {0.3}
    wrapped = open_model("mine.py:wrapped", mine)
    assert wrapped.coefficients is sys.modules["mine"].wrapped.coefficients and wrapped.name == "of mine"


def test_an_object_of_a_module_below_the_current_folder(mine):
    Path("package").mkdir()
    Path("package/part.py").write_text("def rule(table):\n    return table['age'] / 100\n")
    assert np.allclose(chances(open_model("package.part:rule", mine), mine), mine.frame["age"] / 100)


def test_a_file_that_bears_the_name_of_a_library_does_not_take_its_place(case):
    Path("scipy.py").write_text("def rule(table):\n    return 0 * table['age']\n")
    import scipy

    assert not chances(open_model("scipy.py:rule", case), case).any()
    assert sys.modules["scipy"] is scipy


def test_a_lightning_checkpoint_is_loaded_by_its_class_without_a_pickle(numbers):
    Path("net.py").write_text(
        "import lightning, torch\n\n\nclass Net(lightning.LightningModule):\n    def __init__(self, width):\n"
        "        super().__init__()\n        self.save_hyperparameters()\n        self.layer = torch.nn.Linear(2, width)\n\n"
        "    def forward(self, x):\n        return 3 * self.layer(x).sum(1, keepdim=True)\n"
    )
    weights = {"layer.weight": torch.tensor([[0.1, -1.0], [0.0, 0.5]]), "layer.bias": torch.tensor([-2.0, 0.0])}
    kept = {"state_dict": weights, "hyper_parameters": {"width": 2}, "pytorch-lightning_version": "2.6.0"}
    torch.save(kept, "epoch=3.ckpt")
    found = open_model("epoch=3.ckpt:net.py:Net", numbers)
    expected = 3 * (numbers.rows @ np.array([0.1, -0.5]) - 2)
    assert found.name == "epoch=3" and found.scales == ("logit", "probability")
    assert np.allclose(found.predict(numbers, "logit"), expected, atol=1e-4)
    torch.save({**kept, "callbacks": Trap()}, "trap.ckpt")
    with pytest.raises(DlxError, match=r"trap.ckpt holds more than weights, .* \(mine.py:model\)"):
        open_model("trap.ckpt:net.py:Net", numbers)
    with pytest.raises(DlxError, match=r"net.py:torch must be a LightningModule"):
        open_model("epoch=3.ckpt:net.py:torch", numbers)
    assert not Path("sprung").exists()


# What is refused -----------------------------------------------------------------------------------------------------


class Trap:
    """What makes a folder as soon as a pickle of it is loaded."""

    def __reduce__(self):
        return os.mkdir, ("sprung",)


@pytest.mark.parametrize("suffix", [*PICKLES, *LIBRARIES, ".ckpt", ".h5", ""])
def test_no_pickle_is_loaded_whatever_it_is_called(case, suffix):
    held = io.BytesIO()
    torch.save(Trap(), held)
    for content in (pickle.dumps(Trap()), held.getvalue()):
        Path(f"./trap{suffix}").write_bytes(content)
        with pytest.raises(DlxError) as refused:
            open_model(f"./trap{suffix}", case)
        assert not Path("sprung").exists()
    if suffix in PICKLES:
        assert all(way in str(refused.value) for way in ("mine.py:model", ".skops", ".onnx"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nosuch.py:model", "there is no file nosuch.py"),
        ("nosuch.onnx", "there is no file nosuch.onnx"),
        ("mien.py:model", "there is no file mien.py; did you mean 'mine.py'"),
        ("nosuch:model", "nosuch cannot be loaded: ModuleNotFoundError: No module named 'nosuch'"),
        ("mine.py", "mine.py needs the object that is meant: mine.py:model"),
        ("mine.py:modle", "mine.py has no 'modle'; did you mean 'model'?"),
        ("mine.py:number", "mine.py:number: a model must be callable or have predict_proba or predict; int has neither"),
        ("mine.py:LogisticRegression", "mine.py:LogisticRegression: .* is a class; pass a fitted"),
        ("mine.py:X", "mine.py:X: a model must be callable or have predict_proba or predict; DataFrame has neither"),
        ("loans.csv", "loans.csv is no model that can be opened; what can be: file.py:object"),
        ("broken.py:model", r"broken.py cannot be loaded: KeyError: 'nosuch' in line 2; --debug"),
        ("left.py:model", r"left.py cannot be loaded: SystemExit: 3 in line 1"),
        ("odd.py:model", r"odd.py cannot be loaded: SyntaxError"),
        ("weights.ckpt", "weights.ckpt needs the class that is meant: weights.ckpt:file.py:Class"),
        ("some.json", "some.json cannot be read by xgboost"),
        ("some.txt", "some.txt is no model that LightGBM saved"),
    ],
)
def test_what_is_no_model_is_refused_in_a_line(mine, text, said):
    Path("broken.py").write_text("import os\nmodel = os.environ.copy()['nosuch']\n")
    Path("left.py").write_text("raise SystemExit(3)\n")
    Path("odd.py").write_text("model = (\n")
    Path("some.json").write_text("{}")
    Path("some.txt").write_text("some text\n")
    Path("weights.ckpt").touch()
    with pytest.raises(DlxError, match=said) as refused:
        open_model(text, mine)
    assert len(str(refused.value).splitlines()) == 1


@pytest.mark.parametrize(("suffix", "remedy"), [(suffix, package) for suffix, (_, package) in LIBRARIES.items()])
def test_a_library_that_is_not_installed_is_named_with_what_installs_it(case, monkeypatch, suffix, remedy):
    Path(f"some{suffix}").touch()
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(DlxError, match=f"is not installed: pip install {remedy}".replace("[", r"\[")):
        open_model(f"some{suffix}", case)


def test_texts_that_name_a_model_of_the_user_s_own_and_how_it_is_called():
    own = ["x/a.py:model", "pack.age:model", "pack.age:one.two", "x/credit.onnx", "credit.v2.json", "last.ckpt:net.py:Net"]
    assert [name_of(text) for text in own] == ["a", "age", "two", "credit", "credit.v2", "last"]
    assert all(map(is_own, own)) and not any(map(is_own, dlx.architectures()))


# Files of other libraries --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".json", ".ubj", ".txt"])
def test_boosters_on_pandas_categories_read_a_table_of_words(case, loans, suffix):
    table = loans.drop(columns="bad").astype({"job": "category"})
    if suffix == ".txt":
        fitted = lightgbm.LGBMClassifier(n_estimators=5, verbose=-1).fit(table, loans["bad"])
        fitted.booster_.save_model("boosted.txt")
    else:
        fitted = xgboost.XGBClassifier(n_estimators=5, enable_categorical=True).fit(table, loans["bad"] == "yes")
        fitted.save_model(f"boosted{suffix}")
    found = open_model(f"boosted{suffix}", case)
    assert found.name == "boosted"
    assert np.allclose(chances(found, case), fitted.predict_proba(table)[:, 1], atol=1e-6)


def test_boosters_themselves_are_wrapped_by_their_names_of_columns(case, loans):
    table = loans[["net pay", "job"]].astype({"job": "category"})
    boosted = lightgbm.LGBMClassifier(n_estimators=5, verbose=-1).fit(table, loans["bad"]).booster_
    assert np.allclose(chances(dlx.wrap(boosted, case), case), boosted.predict(table))
    grown = xgboost.XGBClassifier(n_estimators=5, enable_categorical=True).fit(table, loans["bad"] == "yes").get_booster()
    assert np.allclose(chances(dlx.wrap(grown, case), case), grown.inplace_predict(table))
    with pytest.raises(DlxError, match="Booster reads columns that the table lacks: net_pay, job"):
        dlx.wrap(boosted, dlx.dataset.from_frame(loans.drop(columns="job"), dlx.infer_schema(loans.drop(columns="job"), "bad")))


def test_a_booster_of_numbers_keeps_its_trees(numbers, loans):
    fitted = lightgbm.LGBMClassifier(n_estimators=5, verbose=-1).fit(loans[NUMBERS], loans["bad"])
    fitted.booster_.save_model("boosted.txt")
    found = open_model("boosted.txt", numbers)
    assert type(found).__name__ == "TreeModel"
    assert np.allclose(chances(found, numbers), fitted.predict_proba(loans[NUMBERS])[:, 1])


@pytest.mark.parametrize("with_words", [True, False])
def test_catboost(case, numbers, loans, with_words):
    table = loans[["age", "job", "net pay"]] if with_words else loans[NUMBERS].to_numpy()
    options = {"cat_features": ["job"] if with_words else None, "allow_writing_files": False, "verbose": 0}
    fitted = catboost.CatBoostClassifier(5, **options).fit(table, loans["bad"])
    fitted.save_model("cat.cbm")
    read = case if with_words else numbers
    assert np.allclose(chances(open_model("cat.cbm", read), read), fitted.predict_proba(table)[:, 1])


def pipeline(loans, columns) -> object:
    words = [name for name in columns if name == "job"]
    encoded = make_column_transformer((OneHotEncoder(), words), (StandardScaler(), NUMBERS))
    return make_pipeline(encoded, LogisticRegression()).fit(loans[columns], loans["bad"])


def test_a_skops_file_is_loaded_when_its_types_are_trusted(case, loans):
    columns = ["age", "job", "net pay"]
    boosted = lightgbm.LGBMClassifier(n_estimators=2, verbose=-1)
    fitted = make_pipeline(make_column_transformer((OneHotEncoder(), ["job"]), remainder="passthrough"), boosted)
    dump(fitted.fit(loans[columns], loans["bad"]), "some.skops")
    with pytest.raises(UntrustedError, match=r"--trust lightgbm.sklearn.LGBMClassifier") as refused:
        open_model("some.skops", case)
    found = open_model("some.skops", case, trusted=refused.value.types)
    assert np.allclose(chances(found, case), fitted.predict_proba(loans[columns])[:, 1])


@pytest.mark.parametrize("zipmap", [True, False])
@pytest.mark.parametrize("with_words", [True, False])
def test_onnx_of_scikit_learn(case, numbers, loans, zipmap, with_words):
    columns = ["age", "job", "net pay"] if with_words else NUMBERS
    table = loans[columns].astype(dict.fromkeys(NUMBERS, "float32"))
    fitted, read = pipeline(loans, columns), case if with_words else numbers
    if not with_words:
        fitted, table = (
            make_pipeline(StandardScaler(), LogisticRegression()).fit(table.to_numpy(), loans["bad"]),
            table.to_numpy(),
        )
    Path("pipe.onnx").write_bytes(to_onnx(fitted, table[:1], options={"zipmap": zipmap}).SerializeToString())
    assert np.allclose(chances(open_model("pipe.onnx", read), read), fitted.predict_proba(table)[:, 1], atol=1e-6)
    if with_words:
        with pytest.raises(DlxError, match=r"pipe.onnx reads age, job, net_pay, but the table has 2 columns: age, net pay"):
            open_model("pipe.onnx", numbers)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the exporter
@pytest.mark.parametrize("outputs", [1, 2])
def test_onnx_of_torch_gives_log_odds_and_needs_an_axis_of_rows(case, numbers, outputs):
    net, rows = torch.nn.Linear(2, outputs), torch.from_numpy(numbers.rows.astype(np.float32))
    with torch.no_grad():
        net.weight.zero_()[-1] = torch.tensor([0.1, -0.5])
        net.bias.zero_()[-1] = -2
    asked = {"input_names": ["x"], "output_names": ["y"], "dynamo": False}
    torch.onnx.export(net, rows[:4], "net.onnx", dynamic_axes={"x": {0: "rows"}}, **asked)
    torch.onnx.export(net, rows[:4], "fixed.onnx", **asked)
    given = net(rows).detach().numpy()
    expected = expit(given[:, 0]) if outputs == 1 else softmax(given, axis=1)[:, 1]
    assert np.allclose(chances(open_model("net.onnx", numbers), numbers), expected, atol=1e-6)
    with pytest.raises(DlxError, match=r"fixed.onnx reads 4 rows at a time only"):
        open_model("fixed.onnx", numbers)
    with pytest.raises(DlxError, match=r"net.onnx reads a matrix of 2 columns, but the table has 3 columns"):
        open_model("net.onnx", case)
