"""Pre-flight: every verdict against a residual that is computed without dlx, and the user's model left as it was."""

from __future__ import annotations

import copy
import functools
import warnings

import numpy as np
import pandas as pd
import pytest
import shap
import torch
import worlds
from captum.attr import DeepLift
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import make_pipeline
from torch import nn
from torch.nn import functional

import dlx
from dlx import explainers
from dlx.architectures import mlp, resnet
from dlx.arrays import seeded
from dlx.audit.compatibility import preflight
from dlx.audit.compatibility.checks import APPROXIMATE, issues_on, prepared
from dlx.dataset import Dataset
from dlx.encoder import Encoder
from dlx.errors import DlxError
from dlx.explainers import MethodError
from dlx.explainers._functions import nonlinear_functions
from dlx.model import BlackBox, NeuralModel, ScaleError, wrap
from dlx.schema import Feature, Schema, SchemaError

FAST = ["deeplift", "integrated_gradients", "gradient_shap", "shapley"]


def checked(model, world="numeric", **options):
    table = preflight(model, worlds.people(world), worlds.background(world), **options)
    return table.set_index("method")


def issues(model, rows, background):
    with seeded(0):
        return issues_on(prepared(model, rows, background, None, 0))


def found(model, world="numeric"):
    return issues(model, worlds.people(world), worlds.background(world))


def as_model(network, world="numeric"):
    return NeuralModel(network, worlds.encoder(world), "by hand")


def effect(model, world="numeric", scale=None):
    outputs, references = (
        model.predict(rows, scale or model.scales[0]) for rows in (worlds.people(world), worlds.background(world))
    )
    return np.abs(outputs - references.mean()).mean()


def lost_by_captum(model, world="numeric"):
    """Residual of captum's own DeepLIFT, averaged over the background, as a share of the mean effect."""
    persons, references = model.dense(worlds.people(world)), model.dense(worlds.background(world))
    lift, gaps = DeepLift(copy.deepcopy(model.network)), []
    for person in persons:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            values = lift.attribute(person.repeat(len(references), 1), references).sum(dim=1).mean()
        with torch.no_grad():
            gaps.append(float(model.network(person[None]).sum() - model.network(references).mean() - values))
    return np.abs(gaps).max() / effect(model, world)


class Functional(nn.Module):
    """The net of the worlds with a function where the module was."""

    def __init__(self, function, seed=0):
        super().__init__()
        self.first, _, self.last = worlds.network("numeric", seed)
        self.function = function

    def forward(self, dense):
        return self.last(self.function(self.first(dense)))


# Nets that are fine


@pytest.mark.parametrize("architecture", [mlp, resnet])
def test_nets_of_dlx_are_fine(architecture, world):
    torch.manual_seed(0)
    model = as_model(architecture.build(worlds.encoder(world).width, [-0.4]), world)
    table = checked(model, world)
    assert found(model, world) == []
    fine = {"deeplift", "integrated_gradients", *explainers.apart(), *explainers.having(IS_SHAPLEY=True)}
    assert set(table.index[table["verdict"] == "fine"]) == fine & set(explainers.names_for(model))
    assert set(table.index[table["verdict"] == "approximate"]) == {"gradient_shap", "lime"}
    assert (table.loc[table["verdict"] != "not valid", "fallback"] == "").all()
    assert table.loc["deeplift", "lost"] <= 1e-4 and lost_by_captum(model, world) <= 1e-4


@pytest.mark.parametrize("scale", ["logit", "probability"])
@pytest.mark.parametrize("method", ["gradient_shap", "lime"])
def test_lost_is_the_largest_residual_over_the_mean_effect(method, scale):
    model = worlds.model("net", "numeric")
    table = checked(model, methods=[method], scale=scale)
    made = dlx.explain(model, worlds.people("numeric"), method=method, background=worlds.background("numeric"), scale=scale)
    expected = np.abs(made.residuals).max() / effect(model, scale=scale)
    assert expected > 0
    assert table.loc[method, "lost"] == pytest.approx(expected, rel=1e-6, abs=1e-6)  # what is rounding counts as nothing
    assert table.loc[method, "scale"] == scale


@pytest.mark.parametrize("kind", worlds.MODELS)
def test_table_has_a_line_for_every_method_and_never_promises_what_explain_refuses(kind, world):
    model = worlds.model(kind, world)
    table = checked(model, world)
    assert list(table.index) == explainers.names()
    assert list(table.columns) == ["model", "scale", "verdict", "lost", "reason", "fallback"]
    takes = set(explainers.names_for(model))
    assert set(table.index[table["verdict"] != "not valid"]) == takes
    for method in set(explainers.names()) - takes:
        assert np.isnan(table.loc[method, "lost"]) and f"{method} does not take {model.name}" in table.loc[method, "reason"]
        assert table.loc[method, "fallback"] == (
            "integrated_gradients" if "deeplift" in takes and method in FAST else "exact_shapley"
        )


# Nonlinearities without a rule


@pytest.mark.parametrize("module", [nn.GELU(), nn.SiLU(), nn.Mish(), nn.SELU(), nn.PReLU(), nn.LayerNorm(8)], ids=str)
def test_module_outside_the_table_is_named_with_what_captum_would_lose(module):
    first, _, last = worlds.network("numeric")
    model = as_model(nn.Sequential(first, nn.Sequential(module), last))
    (issue,) = found(model)
    expected = lost_by_captum(model)
    assert (issue.what, issue.where, issue.affects) == ("outside table", "1.0", ("deeplift",))
    assert issue.measured == pytest.approx(expected, rel=1e-3) and expected > 0.01
    assert f"1.0 is a {type(module).__name__}, which" in issue.text and f"{expected:.1%}" in issue.text
    table = checked(model, methods=FAST)
    assert table["verdict"].to_dict() == dict(zip(FAST, ["not valid", "fine", "approximate", "fine"], strict=True))
    assert table.loc["deeplift", "lost"] == issue.measured
    assert table.loc["deeplift", "fallback"] == "integrated_gradients" and issue.text in table.loc["deeplift", "reason"]


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (functional.relu, "torch.nn.functional.relu"),
        (torch.tanh, "torch.tanh"),
        (lambda x: x.clamp(min=0), "torch.Tensor.clamp"),
        (lambda x: x * torch.sigmoid(x), "torch.sigmoid"),
        (lambda x: x * x.roll(1, 1), "torch.Tensor.mul"),
        (lambda x: torch.maximum(x, -x), "torch.maximum"),
        (lambda x: torch.where(x > 0, x, 0.1 * x), "torch.where"),
        (lambda x: x.clone().relu_(), "torch.Tensor.relu_"),
        (lambda x: x - x.max(dim=1, keepdim=True).values, "torch.Tensor.max"),
    ],
)
def test_function_that_captum_cannot_see_is_found_and_measured(function, name):
    model = as_model(Functional(function))
    issue = next(one for one in found(model) if name in one.text)
    expected = lost_by_captum(model)
    assert (issue.what, issue.where, issue.affects) == ("function", "", ("deeplift",))
    assert issue.measured == pytest.approx(expected, rel=1e-3)
    assert expected > APPROXIMATE
    line = checked(model, methods=["deeplift"]).loc["deeplift"]
    assert (line["verdict"], line["fallback"]) == ("not valid", "integrated_gradients")
    assert line["lost"] == pytest.approx(expected, rel=1e-3)


def test_function_that_loses_little_is_still_not_what_explain_gives():
    model = as_model(Functional(lambda x: x + 0.005 * torch.tanh(x)))
    line = checked(model, methods=["deeplift"]).loc["deeplift"]
    assert 1e-4 < line["lost"] < 0.01
    assert line["verdict"] == "not valid" and "contributions must add up" in line["reason"]
    with pytest.raises(dlx.runner.LocalAccuracyError):
        dlx.explain(model, worlds.people("numeric"), method="deeplift", background=worlds.background("numeric"), scale="logit")


@pytest.mark.parametrize(("strength", "kept"), [(0.0005, True), (0.03, False), (3.0, False)])
def test_a_promise_is_a_share_of_the_effect_however_small_the_outputs(strength, kept):
    model = as_model(Functional(lambda x: x + strength * torch.tanh(x)))
    with torch.no_grad():
        model.network.last.weight *= 1e-5
        model.network.last.bias.zero_()
    people, background = worlds.people("numeric"), worlds.background("numeric")
    line = checked(model, methods=["deeplift"]).loc["deeplift"]
    if kept:
        made = dlx.explain(model, people, method="deeplift", background=background, scale="logit")
        assert line["lost"] == pytest.approx(np.abs(made.residuals).max() / effect(model), rel=1e-3)
        assert line["verdict"] == "fine"
    else:
        with pytest.raises(dlx.runner.LocalAccuracyError, match=r"deeplift of .* contributions must add up to"):
            dlx.explain(model, people, method="deeplift", background=background, scale="logit")
        assert line["verdict"] == "not valid" and "torch.tanh" in line["reason"]


@pytest.mark.parametrize(
    "function",
    [
        lambda x: 3 * x.reshape(len(x), 2, 4).flatten(1) + 100,
        lambda x: torch.cat([x[:, 4:], x[:, :4] - x[:, 4:]], dim=1),
        lambda x: functional.linear(x, torch.eye(8)).to(torch.float64).float(),
        lambda x: torch.relu(x + 1e3) - 1e3,  # never bends where people are
        lambda x: functional.dropout(x, 0.5, training=False),
        lambda x: functional.batch_norm(x, torch.ones(8), torch.full((8,), 4.0)),
    ],
)
def test_functions_that_are_affine_on_the_people_are_not_found(function):
    model = as_model(Functional(function))
    assert found(model) == []
    assert checked(model, methods=["deeplift"]).loc["deeplift", "verdict"] == "fine"


def test_function_is_found_where_its_module_stands_and_not_inside_leaves():
    network = nn.Sequential(nn.Sequential(nn.Linear(5, 8), nn.Tanh()), Functional(torch.sigmoid), nn.Sigmoid())
    network[1].first = nn.Linear(8, 8)
    places = nonlinear_functions(network.eval(), torch.randn(9, 5))
    assert places == [("1", "torch.sigmoid")]


def test_rounding_of_large_numbers_is_no_bend():
    network = Functional(lambda x: (x + 1e5) - 1e5).eval()
    assert nonlinear_functions(network, torch.randn(9, 5)) == []


def test_relu_that_is_used_again_is_named():
    relu = nn.ReLU()
    model = as_model(nn.Sequential(nn.Linear(5, 4), relu, nn.Linear(4, 4), relu, nn.Linear(4, 1)))
    (issue,) = found(model)
    assert (issue.what, issue.where, issue.measured) == ("used again", "1", 2)
    line = checked(model, methods=["deeplift"]).loc["deeplift"]
    assert (line["verdict"], line["fallback"]) == ("not valid", "integrated_gradients")
    assert np.isnan(line["lost"]) and line["reason"].startswith("1 is used 2 times in one forward")


def test_scripted_net_is_not_looked_into():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = as_model(torch.jit.trace(worlds.network("numeric"), torch.zeros(2, 5)))
    (issue,) = found(model)
    table = checked(model, methods=["deeplift", "shapley"])
    assert issue.what == "scripted" and table["verdict"].tolist() == ["not valid", "fine"]
    assert table.loc["deeplift", "fallback"] == "integrated_gradients"


# Columns that gradients cannot see


class Codes(nn.Module):
    """The codes of the fourth column through an embedding or a rounding, the others through a linear layer."""

    def __init__(self, *, embed):
        super().__init__()
        torch.manual_seed(0)
        self.embed = nn.Embedding(4, 1) if embed else None
        self.linear = nn.Linear(4, 1)

    def forward(self, dense):
        code, others = dense[:, 3], torch.cat([dense[:, :3], dense[:, 4:]], dim=1)
        return self.linear(others) + (torch.round(code)[:, None] if self.embed is None else self.embed(code.long()))


@pytest.mark.parametrize("embed", [True, False])
def test_gradients_of_integer_codes_are_not_valid_by_what_the_codes_add(embed):
    schema, rng = worlds.NUMERIC, np.random.default_rng(0)
    rows = np.column_stack([rng.normal(size=(14, 3)), rng.integers(4, size=14), rng.normal(size=14)])
    people, background = rows[:8], rows[8:]
    network = Codes(embed=embed)
    model = NeuralModel(network, Encoder(schema, np.zeros(5), np.ones(5)), "codes")
    adds = network.embed.weight.detach().numpy()[:, 0] if embed else np.arange(4.0)
    outputs, references = model.predict(people, "logit"), model.predict(background, "logit")

    table = preflight(model, people, background).set_index("method")
    for method in ("integrated_gradients", "gradient_shap", "deeplift"):
        assert table.loc[method, "verdict"] == "not valid" and table.loc[method, "fallback"] == "exact_shapley"
        assert "months" in table.loc[method, "reason"] or method == "deeplift"
        with pytest.raises(MethodError, match=f"{method} cannot explain codes: it looks up the value of months"):
            dlx.explain(model, people, method=method, background=background, scale="logit")
    assert table.loc["exact_shapley", "verdict"] == "fine"

    (issue,) = [one for one in issues(model, people, background) if "gradient_shap" in one.affects]
    swing = np.abs(adds[people[:, 3].astype(int)][:, None] - adds[background[:, 3].astype(int)]).max()
    assert issue.measured == pytest.approx(swing / np.abs(outputs - references.mean()).mean(), rel=1e-4)
    assert (issue.what, issue.where) == (("embedding", "embed") if embed else ("no gradient", "months"))


def test_column_that_has_a_gradient_and_a_step_makes_the_sample_of_gradients_not_valid_too():
    model = as_model(Functional(lambda x: x + 3 * torch.round(x)))
    table = checked(model, methods=FAST)
    assert table["verdict"].tolist() == ["not valid"] * 3 + ["fine"]
    assert table.loc["gradient_shap", "reason"].startswith("it samples what integrated_gradients sums up")
    assert table["fallback"].tolist() == ["exact_shapley"] * 3 + [""]


# Predictions that depend on the batch, or on chance


def in_training(model):
    model.network.train()
    return model


def batch_norm(**options):
    torch.manual_seed(0)
    return as_model(nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8, **options), nn.ReLU(), nn.Linear(8, 1)))


BATCHED = {
    "train mode": lambda: in_training(batch_norm()),
    "no running statistics": lambda: batch_norm(track_running_stats=False),
}


@pytest.mark.parametrize("case", BATCHED)
def test_batch_norm_that_looks_at_the_batch_spoils_every_method(case):
    model = BATCHED[case]()
    people, background = worlds.people("numeric"), worlds.background("numeric")
    together = model.predict(np.concatenate([people, background]), "logit")
    apart = [model.predict(np.stack([row, background[0]]), "logit")[0] for row in people]
    mean_effect = np.abs(together[: len(people)] - together[len(people) :].mean()).mean()
    (issue,) = found(model)
    assert (issue.what, issue.where) == ("batch", "1")
    assert issue.measured == pytest.approx(np.abs(together[: len(people)] - apart).max() / mean_effect, rel=1e-5)
    assert "BatchNorm1d 1 takes the mean and variance of the batch" in issue.text
    table = checked(model)
    assert (table["verdict"] == "not valid").all() and (table["fallback"] == "").all()
    assert issue.measured > APPROXIMATE and issue.text in table.loc["kernel_shap", "reason"]


def test_dropout_in_train_mode_is_chance():
    network = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 1))
    (issue,) = found(in_training(as_model(network)))
    assert (issue.what, issue.where) == ("random", "2") and "Dropout 2 drops units at random; call eval()" in issue.text
    assert found(as_model(network)) == []


@pytest.mark.parametrize("what", ["batch", "random"])
def test_black_box_that_moves_is_found_by_how_much(what):
    rng = np.random.default_rng(0)
    moves = {"batch": lambda t: t["age"].mean(), "random": lambda t: rng.normal(size=len(t))}[what]
    model = BlackBox(lambda t: t["age"] + 0.02 * moves(t), worlds.NUMERIC, "moving", ("logit", "probability"))
    (issue,) = found(model)
    assert issue.what == what and issue.affects == tuple(explainers.names_for(model))
    if what == "batch":
        everyone = np.concatenate([worlds.people("numeric"), worlds.background("numeric")])[:, 0]
        expected = 0.02 * np.abs(everyone[:5] - everyone.mean()).max() / np.abs(everyone[:5] - everyone[5:].mean()).mean()
        assert issue.measured == pytest.approx(expected)
        assert 0.01 < expected < APPROXIMATE and "alone" in issue.text
    table = checked(model, methods=["tree_shap", "lime"])
    assert table["verdict"].tolist() == ["not valid", "not valid"]
    assert "moving itself" in table.loc["lime", "reason"]


# Missing values, constants, numbers that are none


def no_answer(table):
    if table["income"].isna().any():
        raise KeyError("no income")
    return table["age"]


TROUBLE = {
    no_answer: "does not predict (KeyError: 'no income') where 'income' is missing",
    lambda t: t["age"] + t["income"]: "must return finite numbers, got nan for row 0 of 8) where 'income' is missing",
}


@pytest.mark.parametrize("function", TROUBLE)
def test_column_that_may_be_missing_and_troubles_the_model_is_named(function):
    model = BlackBox(function, worlds.MIXED, "picky", ("logit", "probability"))
    rows = worlds.table("mixed").rows
    complete = rows[~np.isnan(rows).any(axis=1)]
    (issue,) = issues(model, complete[:8], complete[8:18])
    assert (issue.what, issue.where, issue.affects, issue.measured) == ("missing", "income", (), 1.0)
    assert TROUBLE[function] in issue.text
    table = preflight(model, complete[:8], complete[8:18], methods=["kernel_shap", "shapley"])
    assert table["verdict"].tolist() == ["fine", "fine"]

    later = np.concatenate([complete[:8], rows[np.isnan(rows[:, 0])][:1]])  # beyond the people that are tried
    table = preflight(model, later, complete[8:18]).set_index("method")
    assert (table["verdict"] == "not valid").all() and (table["fallback"] == "").all()
    assert TROUBLE[function] in table.loc["shapley", "reason"]


def test_models_of_dlx_have_no_trouble_with_missing_values():
    for kind in worlds.MODELS:
        assert not [one for one in found(worlds.model(kind, "mixed"), "mixed") if one.what == "missing"]


def test_net_that_gives_nan_is_not_valid_for_any_method():
    model = as_model(Functional(torch.log))
    (issue,) = found(model)
    assert issue.what == "raises" and "must return finite numbers, got nan" in issue.text and issue.measured > 0.5
    table = checked(model)
    assert (table["verdict"] == "not valid").all() and (table["fallback"] == "").all() and table["lost"].isna().all()


@pytest.mark.parametrize("constant", [0.0, 0.3])
def test_constant_model_adds_up_and_is_said_to_be_constant(constant):
    model = BlackBox(lambda t: np.full(len(t), constant), worlds.NUMERIC, "flat")
    (issue,) = found(model)
    assert issue.what == "constant" and f"flat predicts {constant:.4g} for all 14 rows" in issue.text
    model = as_model(nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 1)))
    with torch.no_grad():
        model.network[2].weight.zero_()
    table = checked(model)
    taken = table.loc[explainers.names_for(model)]
    assert set(taken["verdict"]) == {"fine", "approximate"} and (taken["lost"] == 0).all()
    assert taken["reason"].str.contains("there is nothing to explain").all()


# Trees


def test_forest_is_exact_on_its_own_scale_and_not_valid_on_the_other():
    model, people, background = worlds.model("forest", "numeric"), worlds.people("numeric"), worlds.background("numeric")
    own = checked(model, methods=["tree_shap"]).loc["tree_shap"]
    assert (own["verdict"], own["fallback"], own["scale"]) == ("fine", "", "probability")
    shapped = shap.TreeExplainer(model.trees.for_shap(), background.astype(np.float32), feature_perturbation="interventional")
    outputs = model.predict(people, "probability")
    gap = outputs - model.predict(background, "probability").mean()
    residual = gap - shapped.shap_values(people.astype(np.float32), check_additivity=False).sum(axis=1)
    assert own["lost"] == pytest.approx(np.abs(residual).max() / np.abs(gap).mean(), rel=1e-3, abs=1e-7)

    table = checked(model, methods=["tree_shap", "exact_shapley"], scale="logit")
    assert table["verdict"].tolist() == ["not valid", "fine"] and table.loc["tree_shap", "fallback"] == "exact_shapley"
    p = model.predict(background, "probability")
    off = np.abs(np.log(p / (1 - p)).mean() - np.log(p.mean() / (1 - p.mean()))) / effect(model, scale="logit")
    assert (
        off > 0.01
        and f"the mean of the background alone is {off:.1%} of the mean effect off" in table.loc["tree_shap", "reason"]
    )


def test_trees_are_checked_for_their_scale():
    checks = {one.what: one for one in found(worlds.model("boosted", "mixed"), "mixed")}
    assert set(checks) == {"scale"} and checks["scale"].affects == ()


def native(*, categorical=(1, 3)):
    """Histogram boosting on codes, some of them native categories."""
    case = worlds.table("mixed")
    rows = np.nan_to_num(case.rows, nan=2)
    rows = np.column_stack([rows[:, 0], rows[:, 1], rows[:, 2], (rows[:, 2] * 3).round() % 7, rows[:, 4]])
    fitted = HistGradientBoostingClassifier(max_iter=15, min_samples_leaf=3, categorical_features=list(categorical) or None)
    return fitted.fit(rows, (rows[:, 3] % 2 + case.outcomes > 1).astype(float)), rows


def test_native_categories_of_an_estimator_or_a_pipeline_are_found_and_tree_shap_is_not_taken():
    fitted, rows = native()
    schema = Schema(tuple(Feature(name) for name in "abcde"), worlds.TARGET)
    for predictor in (fitted, make_pipeline("passthrough", fitted)):
        model = wrap(predictor, schema, name="wrapped")
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="X has feature names", category=UserWarning)
            (issue,) = issues(model, rows[:5], rows[5:14])
            table = preflight(model, rows[:5], rows[5:14], methods=["tree_shap", "exact_shapley"]).set_index("method")
        assert (issue.what, issue.where, issue.measured) == (
            "native categories",
            "HistGradientBoostingClassifier",
            2,
        )
        assert table["verdict"].tolist() == ["not valid", "fine"]
        assert table.loc["tree_shap", "fallback"] == "exact_shapley" and issue.text in table.loc["tree_shap", "reason"]


def test_shaps_own_explainer_is_wrong_on_native_categories_without_saying_so():
    fitted, rows = native()
    reference = shap.maskers.Independent(rows[:30].astype(np.float32), max_samples=30)
    explainer = shap.TreeExplainer(fitted, reference, feature_perturbation="interventional")
    values = explainer.shap_values(rows[30:60].astype(np.float32), check_additivity=False)
    gap = fitted.decision_function(rows[30:60]) - fitted.decision_function(rows[:30]).mean()
    assert np.abs(gap - values.sum(axis=1)).max() > 0.1


def test_estimators_without_native_categories_are_not_accused():
    (plain, rows), (fitted, _) = native(categorical=()), native()
    schema = Schema(tuple(Feature(name) for name in "abcde"), worlds.TARGET)

    def accused(function):
        model = BlackBox(function, schema, scales=("probability", "logit"))
        return [(one.where, one.measured) for one in issues(model, rows[:5], rows[5:14]) if one.what == "native categories"]

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="X has feature names", category=UserWarning)
        for function in (plain.predict, make_pipeline("passthrough", plain).predict, lambda t: t["a"] * 0 + 0.5):
            assert accused(function) == []
        assert accused(make_pipeline("passthrough", fitted).predict) == [("HistGradientBoostingClassifier", 2)]


# What stands in


def test_fallback_of_a_wide_table_samples():
    schema = Schema(tuple(Feature(f"x{i}") for i in range(21)))
    model = BlackBox(lambda t: t.to_numpy().sum(axis=1), schema, "wide", ("logit", "probability"))
    rows = np.random.default_rng(0).normal(size=(9, 21))
    table = preflight(model, rows[:4], rows[4:]).set_index("method")
    assert "20 at most" in table.loc["exact_shapley", "reason"]
    refused = ["deeplift", "exact_shapley", "linear_shap", "tree_shap"]
    assert (table.loc[refused, "verdict"] == "not valid").all() and (table.loc[refused, "fallback"] == "shapley").all()


@pytest.mark.parametrize("broken", [("shapley",), ("shapley", "exact_shapley"), ("shapley", "exact_shapley", "kernel_shap")])
def test_fallback_is_never_one_that_is_not_valid(broken, monkeypatch):
    def explain(*given, method, **options):
        if method in broken:
            raise MethodError("broken")
        return dlx.explain(*given, method=method, **options)

    monkeypatch.setattr("dlx.audit.compatibility.verdicts.explain", explain)
    line = checked(worlds.model("function", "numeric"), methods=["tree_shap"]).loc["tree_shap"]
    left = [name for name in ("exact_shapley", "shapley", "kernel_shap") if name not in broken]
    assert line["fallback"] == (left[0] if left else "")


# The model of the user, and the border


class Failing(nn.Linear):
    def forward(self, _):
        raise ZeroDivisionError("no such thing")


def state(network):
    """Training flags, attributes with numbers of hooks, weights and running statistics of a net."""
    modules = [
        {name: len(value) if hasattr(value, "__len__") else value for name, value in vars(module).items()}
        for module in network.modules()
    ]
    weights = {name: value.numpy().tobytes() for name, value in network.state_dict().items()}
    return modules, weights, [(weight.requires_grad, weight.grad) for weight in network.parameters()]


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("training", [False, True])
def test_network_of_the_user_is_left_as_it_was(fails, training):
    last = Failing(8, 1) if fails else nn.Linear(8, 1)
    model = as_model(nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), Functional(torch.tanh), nn.Dropout(0.3), last))
    model.network[2].first, model.network[2].last = nn.Linear(8, 8), nn.GELU()
    model.network[0].weight.requires_grad_(False)
    for part in (1, 3):
        model.network[part].train(training)
    before, generators = state(model.network), (np.random.get_state()[1].copy(), torch.random.get_rng_state())
    table = checked(model)
    found(model)
    assert state(model.network) == before
    np.testing.assert_array_equal(np.random.get_state()[1], generators[0])
    assert torch.equal(torch.random.get_rng_state(), generators[1])
    if fails:
        assert (table["verdict"] == "not valid").all() and (table["fallback"] == "").all()
        assert "by hand does not predict: ZeroDivisionError: no such thing" in table.loc["shapley", "reason"]


def test_hooks_are_removed_also_where_the_forward_raises():
    network = nn.Sequential(nn.Linear(5, 8), nn.Sequential(nn.ReLU(), Failing(8, 1))).eval()
    before = state(network)
    with pytest.raises(ZeroDivisionError):
        nonlinear_functions(network, torch.randn(9, 5))
    assert state(network) == before
    assert torch.overrides._len_torch_function_stack() == 0


@pytest.mark.parametrize("kind", ["net", "forest", "function"])
def test_same_seed_gives_the_same_table(kind, world):
    model = worlds.model(kind, world)
    first = checked(model, world, seed=3)
    np.random.seed(99)
    torch.manual_seed(99)
    pd.testing.assert_frame_equal(first, checked(model, world, seed=3))
    assert found(model, world) == found(model, world)


def test_a_dataset_and_a_table_are_taken_as_arrays_are(world):
    model, case = worlds.model("net", world), worlds.table(world)
    rows, background = case.rows[20:28], case.rows[:10]
    expected = preflight(model, rows, background, methods=["lime"])
    as_tables = [case.schema.decode(some) for some in (rows, background)]
    as_datasets = [Dataset(case.schema, some) for some in (rows, background)]
    for some in (as_tables, as_datasets):
        pd.testing.assert_frame_equal(preflight(model, *some, methods=["lime"]), expected)


@pytest.mark.parametrize(
    ("spoil", "error", "message"),
    [
        ({"seed": -1}, DlxError, "a seed must be 0 to"),
        ({"methods": ["no such"]}, MethodError, "no method 'no such'; the methods are ablation, additive_shap, "),
        ({"scale": "value"}, ScaleError, "net has no scale 'value'"),
        ({"rows": np.empty((0, 5))}, DlxError, "rows must have at least 1 row, got 0 rows"),
        ({"background": np.empty((0, 5))}, DlxError, "background must have at least 1 row, got 0 rows"),
        ({"rows": np.full((2, 5), np.nan)}, SchemaError, "column 'age' must not be missing"),
    ],
    ids=str,
)
def test_bad_input_is_an_error_that_names_it(spoil, error, message):
    given = {"rows": worlds.people("numeric"), "background": worlds.background("numeric")} | spoil
    with pytest.raises(error, match=message):
        preflight(worlds.model("net", "numeric"), given.pop("rows"), given.pop("background"), **given)


def test_a_method_that_fails_on_some_people_is_approximate_and_says_so(monkeypatch):
    case, module = worlds.table("mixed"), explainers.method("lime")
    lime, threshold = module.attribute, np.sort(case.rows[:8, 2])[-2]

    @functools.wraps(lime)
    def fails_on_one(model, rows, background, **options):
        if (rows[:, 2] > threshold).any():
            raise RuntimeError("no such person")
        return lime(model, rows, background, **options)

    monkeypatch.setattr(module, "attribute", fails_on_one)
    line = preflight(worlds.model("net", "mixed"), case[:8], case[8:30], methods=["lime"]).iloc[0]
    assert line["verdict"] == "approximate" and np.isnan(line["lost"]) and not line["fallback"]
    assert "fails on 12% of the people it was tried on" in line["reason"] and "no such person" in line["reason"]
