"""explain(): what it records, and what it does not let through."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import worlds

from dlx import explainers
from dlx.arrays import array_id
from dlx.errors import DlxError
from dlx.explainers import MethodError
from dlx.explanation import Attribution, Explanation, LocalAccuracy
from dlx.model import BlackBox, wrap
from dlx.runner import LocalAccuracyError, explain
from dlx.schema import Feature, Schema, Target


@pytest.fixture
def spoil(monkeypatch):
    """Return a function that makes a method give the linear model's values, plus some error."""

    def install(error=0.0, promise=None):
        module = explainers.method("linear_shap")
        exact = module.attribute

        def off(model, rows, background, *, scale, seed=0):
            attribution = exact(model, rows, background, scale=scale, seed=seed)
            return Attribution(attribution.values + error, attribution.base_values, attribution.evaluations)

        monkeypatch.setattr(module, "attribute", off)
        monkeypatch.setattr(explainers, "fits", lambda *_: True)
        monkeypatch.setattr(module, "PROMISE", promise or module.PROMISE)

    return install


def linear_shap(rows=None, **options):
    case = worlds.table("mixed")
    return explain(
        worlds.model("linear", "mixed"), case[5:12] if rows is None else rows, method="linear_shap",
        background=case[:5], scale="logit", **options,
    )  # fmt: skip


def test_explanation_records_what_made_it():
    case, model = worlds.table("mixed"), worlds.model("net", "mixed")
    made = explain(model, case[5:12], method="gradient_shap", background=case[:5], scale="probability", seed=4, n_samples=20)
    assert (made.method, made.model, made.scale, made.seed, made.options) == (
        "gradient_shap",
        "net",
        "probability",
        4,
        {"n_samples": 20},
    )
    assert made.implementation.startswith("dlx 0.") and made.promise == "does not promise to add up"
    assert made.schema == worlds.MIXED and made.background_id == array_id(case[:5].rows) != array_id(case[:5].rows[::-1])
    assert made.evaluations == 7 * 20 and made.seconds > 0
    np.testing.assert_array_equal(made.index, case.index[5:12])
    np.testing.assert_array_equal(made.rows, case.rows[5:12])


def test_rows_are_the_same_in_any_form_and_keep_their_names():
    case = worlds.table("mixed")[5:12]
    as_case, as_frame, as_codes = linear_shap(case), linear_shap(case.frame), linear_shap(case.rows)
    np.testing.assert_array_equal(as_case.values, as_frame.values)
    np.testing.assert_array_equal(as_case.values, as_codes.values)
    assert list(as_case.index) == list(as_frame.index) == [f"id-{i}" for i in range(5, 12)]
    assert list(as_codes.index) == list(range(7))


def test_defaults_of_options_are_recorded():
    case = worlds.table("numeric")
    made = explain(
        worlds.model("smooth_net", "numeric"),
        case[:2],
        method="integrated_gradients",
        background=case[2:9],
        scale="logit",
    )
    assert made.options == explainers.options("integrated_gradients") != {}


def test_progress_is_told_after_each_batch():
    told = []
    linear_shap(batch_size=3, progress=lambda done, total: told.append((done, total)))
    assert told == [(3, 7), (6, 7), (7, 7)]


def test_contributions_that_do_not_add_up_are_refused(spoil):
    spoil(error=1e-3)
    with pytest.raises(
        LocalAccuracyError, match=r"linear_shap of linear: .*add up to \S+e-0\d, but row id-\d+ is off by 0\.005 logit"
    ):
        linear_shap()


def test_contributions_that_are_not_finite_are_refused_even_without_a_promise(spoil):
    spoil(error=np.nan, promise=LocalAccuracy())
    with pytest.raises(LocalAccuracyError, match="not finite"):
        linear_shap()


@pytest.mark.parametrize(("error", "kept"), [(1e-4, True), (1e-1, False)])
def test_relative_promise_is_held_to_the_mean_effect(spoil, error, kept):
    spoil(error=error, promise=LocalAccuracy(relative=0.01))
    if kept:
        assert np.abs(linear_shap().residuals).max() == pytest.approx(5 * error)
    else:
        with pytest.raises(LocalAccuracyError):
            linear_shap()


def test_rows_that_fail_are_named_and_nan_where_that_is_asked_for(monkeypatch):
    case = worlds.table("numeric")
    model = BlackBox(lambda table: table["age"] + 2 * table["amount"], worlds.NUMERIC, scales=("logit", "probability"))
    module = explainers.method("exact_shapley")
    exact = module.attribute

    def fails_on_one(model, rows, background, *, scale, seed=0):
        if (rows[:, 0] == case.rows[7, 0]).any():
            raise RuntimeError("no such customer")
        return exact(model, rows, background, scale=scale, seed=seed)

    monkeypatch.setattr(module, "attribute", fails_on_one)
    monkeypatch.setattr(explainers, "fits", lambda *_: True)
    asked = {"method": "exact_shapley", "background": case[:4], "scale": "logit", "batch_size": 4}
    with pytest.raises(RuntimeError, match="no such customer"):
        explain(model, case[5:12], **asked)
    made = explain(model, case[5:12], strict=False, **asked)
    assert made.failed.tolist() == [False, False, True, False, False, False, False]
    assert made.failures == {2: "RuntimeError: no such customer"}
    assert np.isnan(made.values[2]).all() and np.isnan(made.standard_errors[2]).all()
    np.testing.assert_allclose(made.values[~made.failed, 1], 2 * (made.rows[~made.failed, 1] - case.rows[:4, 1].mean()))
    assert (
        made[:2].failures == {} and made[1:4].failures == {1: made.failures[2]} and made[::-1].failures == {4: made.failures[2]}
    )
    np.testing.assert_allclose(made.importance, np.abs(made.values[~made.failed]).mean(axis=0))


def test_rows_that_break_the_promise_are_nan_where_that_is_asked_for(spoil):
    spoil(error=1e-3)
    made = linear_shap(strict=False)
    assert made.failed.all() and np.isnan(made.importance).all()
    assert set(made.failures) == set(range(7))
    assert all("must add up to " in why for why in made.failures.values())


def test_failures_are_kept_in_the_file(spoil, tmp_path):
    spoil(error=np.nan)
    made = linear_shap(strict=False)
    found = Explanation.load(made.save(tmp_path / "failed.safetensors"))
    assert found.failures == made.failures and found.failed.all()


@pytest.mark.parametrize(
    ("method", "options", "implementation", "made_by"),
    [
        ("tree_shap", {}, "dlx", "dlx"),
        ("tree_shap", {}, "reference", "shap"),
        ("tree_shap", {"path_dependent": True}, "dlx", "shap"),
        ("lime", {"n_samples": 50}, "dlx", "dlx"),
        ("lime", {"n_samples": 50, "repaired": False}, "dlx", "lime"),
        ("kernel_shap", {}, "dlx", "shap"),
        ("exact_shapley", {}, "reference", "dlx"),
    ],
)
def test_an_explanation_says_which_code_made_it(method, options, implementation, made_by):
    case = worlds.table("numeric")
    asked = {"method": method, "background": case[:5], "scale": "logit", "implementation": implementation}
    made = explain(worlds.model("boosted", "numeric"), case[5:7], **asked, **options)
    assert made.implementation.split()[0] == made_by


def test_people_and_backgrounds_that_are_no_rows_are_refused_with_what_to_pass():
    model, case = worlds.model("linear", "numeric"), worlds.table("numeric")
    for rows, background, said in (
        (case.frame.iloc[0], case, r"rows must be a Dataset, .* got Series; a single row is frame\.iloc\[\[0\]\]"),
        (case[:1], 100, r"background must be a Dataset, .* got int; draw training rows, case\.background\(100\)"),
        (np.full((1, len(case.schema)), "a", dtype=object), case, "rows in an array must be codes, numbers: could not convert"),
    ):
        with pytest.raises(DlxError, match=said):
            explain(model, rows, method="linear_shap", background=background, scale="logit")


def test_an_implementation_that_there_is_not_is_refused():
    with pytest.raises(MethodError, match="implementation must be one of dlx, reference, got 'captum'"):
        linear_shap(implementation="captum")


@pytest.mark.parametrize("method", ["shapley", "exact_shapley", "kernel_shap"])
def test_where_every_output_is_0_and_those_between_are_not_the_sum_may_round(method):
    rng = np.random.default_rng(0)
    schema = Schema(tuple(Feature(f"x{i}") for i in range(6)), Target("y", levels=("0", "1")))
    rows = rng.normal(size=(400, 6))
    hard = wrap(
        lambda x: ((x.x0 > 0.5) & (x.x1 > 0.5) | (x.x2 * x.x3 * x.x4 > 2)).to_numpy().astype(float),
        schema,
        check=schema.decode(rows),
    )
    never = rows[hard.predict(rows, "probability") == 0]
    for k in range(4):
        told = explain(hard, never[3 * k : 3 * k + 3], method=method, background=never[100 + k : 140 + k], scale="probability")
        assert np.abs(told.residuals).max() < 1e-15 and not told.failed.any()


def test_everything_is_predicted_on_one_thread():
    case, net, seen = worlds.table("numeric"), worlds.net("numeric"), []
    hook = net.network.register_forward_hook(lambda *_: seen.append(torch.get_num_threads()))
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        explain(net, case.test.rows[:1], method="deeplift", background=case.train.rows[:2], scale="logit")
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
        hook.remove()
    assert seen and set(seen) == {1}
