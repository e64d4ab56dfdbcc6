"""The architectures: the folder is the registry, trees are scikit-learn's trees, and what was shipped can be explained."""

from __future__ import annotations

import inspect
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import worlds
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

from dlx import architectures, cases, checkpoint
from dlx.architectures import ArchitectureError
from dlx.architectures.random_forest import smoothed_trees, training_rows
from dlx.explainers.deeplift import nonlinear_uses, outside_table, refuse_unknown_nonlinearities
from dlx.model import trees_of
from dlx.runner import explain


def made_of(name):
    """The kind of model that an architecture's fit is annotated to return; None for a net."""
    return None if architectures.is_net(name) else inspect.signature(architectures.architecture(name).fit).return_annotation


NETS = [name for name in architectures.names() if architectures.is_net(name)]
TREES = [name for name in architectures.names() if made_of(name) == "TreeModel"]
HEADLINE = ["bank_loan", "heart_attack"]
SHIPPED = {folder.name.removesuffix("-0") for folder in (checkpoint.shipped_root() / "heart_attack").iterdir()}


@pytest.fixture(scope="module", params=HEADLINE)
def headline(request):
    """Each of the two headline cases in turn."""
    return cases.load(request.param)


@pytest.fixture(scope="module")
def gappy():
    """A table with missing values in numbers and categories, as scikit-learn sees it."""
    return worlds.table("mixed", 900)


def test_the_folder_is_the_registry():
    files = {path.stem for path in Path(architectures.__file__).parent.glob("*.py")} - {"__init__"}
    assert set(architectures.names()) == files >= {"mlp", "resnet", "gradient_boosting", "logistic_regression"}
    assert {"mlp", "resnet"} <= set(NETS) and {"decision_tree", "gradient_boosting", "random_forest"} <= set(TREES)


def test_an_unknown_name_is_an_error_that_lists_the_names():
    with pytest.raises(ArchitectureError, match="no model 'nosuch'; the models are additive, decision_tree, "):
        architectures.architecture("nosuch")


def test_names_are_listed_without_torch_or_sklearn():
    code = "import sys, dlx; dlx.architectures(); print({'torch', 'sklearn', 'lightning'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize("name", architectures.names())
def test_every_option_is_a_number_with_a_default(name):
    assert all(isinstance(default, (int, float)) for default in architectures.options(name).values())


@pytest.mark.parametrize("name", NETS)
def test_nets_start_at_the_base_rate_and_use_each_nonlinearity_once(name):
    network = architectures.architecture(name).build(7, [math.log(0.2 / 0.8)]).eval()
    assert network(torch.zeros(3, 7)).shape == (3, 1)
    last = [module for module in network.modules() if isinstance(module, torch.nn.Linear)][-1:]
    starts = last[0].bias if last else network.biases[0]  # of an ensemble each member has a head
    assert torch.sigmoid(starts).item() == pytest.approx(0.2)
    if not outside_table(network):  # DeepLIFT takes the others no way
        refuse_unknown_nonlinearities(name, network, torch.zeros(1, 7))
    assert max(nonlinear_uses(network, torch.zeros(1, 7)).values()) == 1


@pytest.mark.parametrize("depth", [2, 8])
def test_boosted_trees_are_scikit_learns(gappy, depth):
    rows, outcomes = training_rows(gappy)
    boosted = HistGradientBoostingClassifier(max_iter=60, max_depth=depth, early_stopping=False).fit(rows, outcomes)
    assert np.isnan(rows).any()
    trees, scale = trees_of(boosted)
    assert scale == "logit"
    np.testing.assert_allclose(trees.in_float32().predict(rows), boosted.decision_function(rows), atol=1e-6)


@pytest.mark.parametrize("estimator", [RandomForestClassifier(30, random_state=0), DecisionTreeClassifier(random_state=0)])
def test_unsmoothed_probability_trees_are_scikit_learns(gappy, estimator):
    rows, outcomes = training_rows(gappy)
    estimator.fit(rows, outcomes)
    trees = smoothed_trees(estimator, 0.5, smoothing=0.0)
    np.testing.assert_allclose(trees.predict(rows), estimator.predict_proba(rows)[:, 1], atol=1e-6)


def test_a_column_that_was_never_missing_in_training_goes_scikit_learns_way(gappy):
    rows, outcomes = training_rows(gappy)
    forest = RandomForestClassifier(20, random_state=0).fit(rows, outcomes)
    spoiled = np.where(np.arange(rows.shape[1]) == 2, np.nan, rows)
    trees = smoothed_trees(forest, 0.5, smoothing=0.0)
    np.testing.assert_allclose(trees.predict(spoiled), forest.predict_proba(spoiled)[:, 1], atol=1e-6)


@pytest.mark.parametrize("name", ["decision_tree", "random_forest"])
def test_smoothed_leaves_are_never_certain(gappy, name):
    model = architectures.architecture(name).fit(gappy, seed=0, min_rows=1, max_depth=12)
    assert np.isfinite(model.predict(gappy, "logit")).all()


def test_a_smoothed_leaf_is_given_one_row_of_the_base_rate():
    case = worlds.table("numeric")
    rows, outcomes = training_rows(case)
    stump = DecisionTreeClassifier(max_depth=1, random_state=0).fit(rows, outcomes)
    same_leaf = stump.apply(rows) == stump.apply(rows)[0]
    expected = (outcomes[same_leaf].sum() + outcomes.mean()) / (same_leaf.sum() + 1)
    model = architectures.architecture("decision_tree").fit(case, seed=0, max_depth=1, min_rows=1)
    assert model.predict(rows[:1], "probability")[0] == pytest.approx(expected, abs=1e-7)


def test_logistic_regression_is_scikit_learns(gappy):
    model = architectures.architecture("logistic_regression").fit(gappy, seed=0, penalty=2.0)
    dense = model.encoder.transform(gappy.rows).astype(np.float64)
    expected = LogisticRegression(C=0.5, max_iter=5_000).fit(dense, gappy.outcomes).predict_proba(dense)[:, 1]
    np.testing.assert_allclose(model.predict(gappy, "probability"), expected, atol=1e-6)


@pytest.mark.parametrize("name", sorted(SHIPPED & set(TREES)))
def test_shipped_trees_are_explained_exactly_over_the_whole_test_set(headline, name):
    model = checkpoint.load_model(headline, name, checkpoints=checkpoint.shipped_root())
    background = headline.background(10)
    explained = explain(model, headline.test, method="tree_shap", background=background, scale=model.scales[0])
    assert np.abs(explained.residuals).max() < 1e-6


PROMISED = [
    (name, method) for name in sorted(SHIPPED & set(NETS) - {"additive"}) for method in ("deeplift", "integrated_gradients")
]


@pytest.mark.parametrize(("name", "method"), [*PROMISED, ("additive", "additive_shap")])
def test_shipped_nets_are_explained_as_promised_over_the_whole_test_set(headline, name, method):
    model = checkpoint.load_model(headline, name, checkpoints=checkpoint.shipped_root())
    explained = explain(model, headline.test, method=method, background=headline.background(4), scale="logit")
    mean_effect = np.abs(explained.outputs - explained.base_values).mean()
    assert np.abs(explained.residuals).max() < (0.01 * mean_effect if method == "integrated_gradients" else 1e-4)


def test_a_rare_outcome_does_not_collapse_the_nets():
    for name in SHIPPED & set(NETS):
        described = checkpoint.describe(checkpoint.find("heart_attack", name, checkpoints=checkpoint.shipped_root()))
        scores = {line["metric"]: line for line in described["metrics"]}
        assert scores["auc"]["estimate"] > 0.8
        assert scores["log_loss"]["estimate"] < scores["log_loss"]["reference"]


def test_a_net_that_is_only_measured_imports_no_compiler_of_torch():
    lines = [
        "import sys, torch",
        "from dlx import architectures",
        "names = ['mlp', 'resnet', 'additive', 'ft_transformer']",  # as a checkpoint's are before their weights are loaded
        "with torch.device('meta'): [architectures.network_of(one, 3, [0.3], [0, 1, 1], {}) for one in names]",
        "print([one for one in ('torch._dynamo', 'sympy') if one in sys.modules])",
    ]
    ran = subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
