"""Batched LIME: its samples, kernel, ridge and choice of columns against the lime package's own, and odd tables."""

from __future__ import annotations

import copy
import dataclasses

import numpy as np
import pytest
import torch
import worlds
from lime.lime_base import LimeBase
from scipy.stats import ks_2samp
from sklearn.linear_model import Ridge
from sklearn.metrics import pairwise_distances
from torch import nn

from dlx.encoder import Encoder
from dlx.errors import DlxError
from dlx.explainers import lime
from dlx.explainers._lime import CompleteCodes, explainer_of
from dlx.explanation import Attribution, Explanation, ExplanationError
from dlx.kernels.lime import local_surrogates, surrogates, weighted_moments
from dlx.kernels.lime.neighbourhoods import Neighbourhood
from dlx.model import BlackBox, Model, NeuralModel
from dlx.runner import explain
from dlx.schema import Feature, Schema
from dlx.threads import one_thread


def rows_of(world, count=5):
    return worlds.table(world).rows[200 : 200 + count]


def background_of(world, count=80):
    return worlds.table(world).rows[:count]


def explained(model, rows, background, **options):
    return explain(model, rows, method="lime", background=background, scale=model.scales[0], **options)


def numbers(width):
    return Schema(tuple(Feature(f"x{i}") for i in range(width)), worlds.TARGET)


def wave(schema):
    """A function with interactions of as many columns as there are."""
    weights = np.cos(np.arange(len(schema)))

    def score(table):
        x = np.column_stack([table[name].map(hash_of) if table[name].dtype == "str" else table[name] for name in table])
        x = np.where(np.isnan(x.astype(float)), -1.5, x.astype(float))
        return np.tanh(x @ weights) + x[:, 0] * x[:, -1]

    def hash_of(level):
        return len(level) + ord(level[0]) % 7

    return BlackBox(score, schema, "wave", scales=("logit", "probability"))


# The samples


@pytest.mark.parametrize("kind", ["plain", "ties", "one reference", "nobody known"])
def test_samples_have_the_law_of_limes_sampler(kind, world):
    schema, background = worlds.SCHEMAS[world], background_of(world).copy()
    if kind == "ties":
        background[:, 2] = np.maximum(background[:, 2], 0.4)  # more than half of them are the smallest
    if kind == "one reference":
        background = background[:1]
    if kind == "nobody known":
        background[:, [feature.missing for feature in schema.features]] = np.nan
    law, codes = Neighbourhood(schema, background), CompleteCodes(schema, background)
    ours = law.draw(8_000, seed=1)
    sampler = explainer_of(codes, codes.fill(background), 2, "none")
    _, theirs = sampler._LimeTabularExplainer__data_inverse(codes.fill(background)[0], 8_000)
    theirs = codes.restore(theirs)
    np.testing.assert_array_equal(law.bins(ours.rows), ours.bins)
    for column in range(len(schema)):
        a, b = ours.rows[:, column], theirs[:, column]
        assert np.isnan(a).mean() == pytest.approx(np.isnan(b).mean(), abs=0.02)
        a, b = a[~np.isnan(a)], b[~np.isnan(b)]
        if not len(a) or np.ptp(a) < 1e-9:
            assert len(a) == len(b) and np.allclose(a, b, atol=1e-9)
        else:
            assert ks_2samp(a.round(9), b.round(9)).pvalue > 1e-3


def test_bins_are_as_common_among_samples_as_in_the_background(world):
    law = Neighbourhood(worlds.SCHEMAS[world], background_of(world))
    samples = law.draw(4_096, seed=3)
    for bins, shares in zip(samples.bins.T, law.shares(samples.bins).T, strict=True):
        for one in np.unique(bins):
            assert (bins == one).mean() == pytest.approx(shares[bins == one][0], abs=1e-3)


def test_samples_depend_on_seed_and_background_only(world):
    schema, background = worlds.SCHEMAS[world], background_of(world)
    once, again, other = (Neighbourhood(schema, background).draw(50, seed).rows for seed in (4, 4, 5))
    np.testing.assert_array_equal(once, again)
    assert not np.array_equal(once, other, equal_nan=True)
    np.testing.assert_array_equal(Neighbourhood(schema, background).draw(20, 4).rows, once[:20])
    assert Neighbourhood(schema, background).draw(0, 4).rows.shape == (0, 5)


# The surrogate, against lime's on the same samples


def lime_on(samples, law, model, row, *, n_features):
    """Return weights, intercept, score and local prediction by lime's own code, of given samples and the row."""
    whole = np.vstack([row, samples.rows])
    presence = (np.vstack([law.bins(row[None]), samples.bins]) == law.bins(row[None])).astype(float)
    width = np.sqrt(len(row)) * 0.75
    base = LimeBase(lambda distance: np.sqrt(np.exp(-(distance**2) / width**2)), random_state=0)
    intercept, chosen, score, local = base.explain_instance_with_data(
        presence, model.predict(whole, model.scales[0])[:, None], pairwise_distances(presence, presence[:1]).ravel(), 0,
        n_features or len(row), "none" if n_features is None else "auto",
    )  # fmt: skip
    weights = np.zeros(len(row))
    for column, weight in chosen:
        weights[column] = weight
    return weights, intercept, score, local[0]


def same_as_lime(model, rows, background, *, n_features=None, n_samples=1_000, atol=5e-6):
    made = local_surrogates(model, rows, background, model.scales[0], seed=5, n_samples=n_samples, n_features=n_features)
    law = Neighbourhood(model.schema, background)
    samples = law.draw(n_samples - 1, seed=5)
    for i, row in enumerate(rows):
        weights, intercept, score, local = lime_on(samples, law, model, row, n_features=n_features)
        np.testing.assert_allclose(made.weights[i], weights, rtol=0, atol=atol)
        np.testing.assert_allclose(
            [made.intercepts[i], made.r2[i], made.intercepts[i] + made.weights[i].sum()], [intercept, score, local], atol=atol
        )
    return made


@pytest.mark.parametrize("kind", ["net", "boosted", "function"])
@pytest.mark.parametrize("n_features", [None, 1, 3, 5])
def test_surrogate_is_limes_on_the_same_samples(kind, n_features, world):
    made = same_as_lime(worlds.model(kind, world), rows_of(world), background_of(world), n_features=n_features)
    assert (np.count_nonzero(made.weights, axis=1) <= (n_features or 5)).all()


@pytest.mark.parametrize("n_features", [None, 4, 6, 7, 10, 40])
def test_surrogate_of_many_columns_is_limes_on_the_same_samples(n_features):
    rows = np.random.default_rng(0).normal(size=(66, 14))
    rows[:60, 3] = 0.0  # present in all samples
    rows[:55, 7] = 1.0  # in most
    rows[60:, [3, 7]] = [0.0, 1.0]
    made = same_as_lime(wave(numbers(14)), rows[60:], rows[:60], n_features=n_features)
    assert (np.count_nonzero(made.weights, axis=1) == min(n_features or 13, 13)).all()  # 0 where it is always present


def test_more_columns_than_samples_are_limes_too():
    rows = np.random.default_rng(1).integers(2, size=(33, 40)).astype(float)
    schema = Schema(tuple(Feature(f"c{i}", "categorical", levels=("a", "bb")) for i in range(40)), worlds.TARGET)
    same_as_lime(wave(schema), rows[30:], rows[:30], n_samples=21, atol=5e-5)
    same_as_lime(wave(schema), rows[30:], rows[:30], n_samples=21, n_features=9, atol=5e-5)


def test_ridge_is_sklearns():
    rng = np.random.default_rng(0)
    pool, person = rng.integers(4, size=(300, 6)).astype(np.int32), np.array([[0, 1, 2, 3, 0, 1]], dtype=np.int32)
    pool[:220, 1] = 1  # common: its opposite is counted
    outputs = rng.normal(size=300)
    made = surrogates._Problem(
        weighted_moments.Pool(pool, outputs), person, np.array([2.5]), np.zeros((1, 6), bool), np.zeros((1, 6))
    ).fit(None, 0.1, torch.device("cpu"), np.arange(1))
    presence = np.vstack([np.ones(6), pool == person]).astype(float)
    weight = weighted_moments.kernel((presence == 0).sum(axis=1), 6)
    ridge = Ridge(alpha=1).fit(presence, np.r_[2.5, outputs], sample_weight=weight)
    expected = np.r_[ridge.intercept_, ridge.score(presence, np.r_[2.5, outputs], weight), ridge.coef_]
    np.testing.assert_allclose(made[0], expected, rtol=0, atol=1e-6)


def test_kernel_is_limes():
    schema = numbers(7)
    codes = CompleteCodes(schema, np.zeros((1, 7)))
    limes = explainer_of(codes, np.zeros((1, 7)), 0, "none").base.kernel_fn
    absent = np.arange(8)
    np.testing.assert_allclose(weighted_moments.kernel(absent, 7), limes(np.sqrt(absent)), rtol=1e-12)


# lime itself: the same mean over seeds, and no more noise


def test_mean_over_seeds_is_limes_and_the_spread_no_larger(world):
    model, rows, background = worlds.model("net", world), rows_of(world, 3), background_of(world)
    asked = {"scale": "logit", "n_samples": 800}
    with one_thread():
        ours, theirs = (
            np.stack([made(model, rows, background, seed=seed, **asked).values for seed in range(20)])
            for made in (lime.attribute, lime.reference)
        )
    spread, limes_spread = ours.std(axis=0, ddof=1), theirs.std(axis=0, ddof=1)
    error = np.sqrt((spread**2 + limes_spread**2) / 20)
    away = np.abs(ours.mean(axis=0) - theirs.mean(axis=0))
    assert (away < 2 * error + 1e-9).mean() > 0.9 and (away < 4 * error + 1e-9).all()
    assert np.sqrt((spread**2).mean()) < np.sqrt((limes_spread**2).mean())


def test_noise_is_two_thirds_of_limes_at_the_same_number_of_samples():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(12, 16), nn.ReLU(), nn.Linear(16, 1))
    rows = np.random.default_rng(0).normal(size=(84, 12))
    model = NeuralModel(network, Encoder.identity(numbers(12)))
    asked = {"scale": "logit", "n_samples": 1_500}
    with one_thread():
        ours, theirs = (
            np.stack([made(model, rows[:4], rows[4:], seed=seed, **asked).values for seed in range(12)])
            for made in (lime.attribute, lime.reference)
        )
    assert np.sqrt(ours.var(axis=0).mean()) < 0.67 * np.sqrt(theirs.var(axis=0).mean())


# Bins that are in no sample


def test_a_column_that_nobody_shares_gets_the_mean_change_of_taking_its_value():
    schema = Schema((Feature("rare", "categorical", levels=("no", "yes", "so")), Feature("x"), Feature("z")), worlds.TARGET)
    model = BlackBox(lambda t: 2.0 * (t["rare"] == "yes") * (t["x"] + 3) + t["z"], schema, scales=("value",))
    rng = np.random.default_rng(0)
    background = np.column_stack([np.zeros(60), rng.normal(size=(60, 2))])
    rows = np.array([[1.0, 0.1, 0.2], [0.0, 0.1, 0.2], [2.0, 0.1, 0.2]])
    made = local_surrogates(model, rows, background, "value", seed=0, n_samples=1_000)
    law = Neighbourhood(schema, background)
    samples = law.draw(999, seed=0)
    weight = weighted_moments.kernel((samples.bins != law.bins(rows[:1])).sum(axis=1), 3)
    assert made.weights[0, 0] == pytest.approx(2 * (weight @ (samples.rows[:, 1] + 3)) / weight.sum(), rel=1e-9)
    assert made.weights[1, 0] == 0 and abs(made.weights[2, 0]) < 1e-12
    np.testing.assert_allclose(made.weights[0, 1:], made.weights[1, 1:], atol=0.02)
    assert made.evaluations == 999 + 3 + 2 * 999
    chosen = local_surrogates(model, rows, background, "value", seed=0, n_samples=1_000, n_features=1)
    assert chosen.weights[2].tolist() == [0, 0, pytest.approx(made.weights[2, 2], abs=1e-3)]
    few = Neighbourhood(schema, background[:6])
    assert (few.shares(few.bins(rows))[:, 0] == [0, 1, 0]).all()
    chosen = local_surrogates(model, rows, background[:6], "value", seed=0, n_samples=1_000, n_features=1)
    assert np.flatnonzero(chosen.weights[0]).tolist() == [0]  # as common as one more reference would make it


def test_mean_over_seeds_is_limes_where_a_level_is_nobodys():
    model, rows, background = worlds.model("net", "mixed"), rows_of("mixed", 2).copy(), background_of("mixed", 15)
    background = background[(background[:, 1] != 2) & ~np.isnan(background[:, 0])]
    rows[0, 1], rows[1, 0] = 2, np.nan
    asked = {"scale": "logit", "n_samples": 3_000}
    with one_thread():
        ours = np.stack([lime.attribute(model, rows, background, seed=seed, **asked).values for seed in range(5)])
        theirs = np.stack([lime.reference(model, rows, background, seed=seed, **asked).values for seed in range(12)])
    spread = theirs.std(axis=0, ddof=1)
    for i, column in ((0, 1), (1, 0)):
        assert abs(ours.mean(axis=0)[i, column] - theirs.mean(axis=0)[i, column]) < 2 * spread[i, column]
        assert ours.std(axis=0)[i, column] < spread[i, column]
        assert np.abs(theirs.mean(axis=0)[i, column]) > 0.05


# What must not matter


def test_order_of_rows_batches_blocks_and_budget_do_not_matter(world, monkeypatch):
    model, rows, background = worlds.model("net", world), rows_of(world, 40), background_of(world)
    whole = explained(model, rows, background, n_samples=900)
    order = np.random.default_rng(0).permutation(40)
    np.testing.assert_allclose(explained(model, rows[order], background, n_samples=900).values, whole.values[order], atol=1e-6)
    for size in (1, 7):
        small = explained(model, rows, background, n_samples=900, batch_size=size)
        np.testing.assert_allclose(small.values, whole.values, atol=1e-6)
        np.testing.assert_allclose(small.extras["surrogate_r2"], whole.extras["surrogate_r2"], atol=1e-6)
    tight = local_surrogates(model, rows, background, "logit", seed=0, n_samples=900, budget_bytes=1)
    np.testing.assert_allclose(tight.weights * (1 - tight.shares), whole.values, atol=1e-6)
    for name, value in (
        ("lime.weighted_moments.SLAB", 100),
        ("lime.surrogates.FITTED_BYTES", 5_000),
        ("lime.weighted_moments.TABLE_BYTES", 5_000),
    ):
        monkeypatch.setattr(f"dlx.kernels.{name}", value)
        np.testing.assert_allclose(explained(model, rows, background, n_samples=900).values, whole.values, atol=1e-6)


@pytest.mark.parametrize("references", [1, 2])
def test_how_questions_about_lone_bins_are_grouped_does_not_matter(references, monkeypatch):
    model, rows, background = worlds.model("net", "mixed"), rows_of("mixed", 12), background_of("mixed", references)
    whole = explained(model, rows, background, n_samples=60)
    monkeypatch.setattr(surrogates, "PAIRED_BYTES", 1)
    np.testing.assert_allclose(explained(model, rows, background, n_samples=60).values, whole.values, atol=1e-6)
    drawn_anew = explained(model, rows, background, n_samples=60, seed=1).values
    assert (np.abs(drawn_anew - whole.values).max() > 1e-4) == (references > 1)  # one row leaves nothing to draw


def test_unit_and_zero_of_the_output_do_not_matter():
    schema = numbers(4)
    rows = np.random.default_rng(0).normal(size=(44, 4))
    plain = wave(schema)
    base = explained(plain, rows[:4], rows[4:], n_samples=500)
    for factor, shift in ((1e25, 0.0), (1e-25, 0.0), (1.0, 1e6)):
        scaled = dataclasses.replace(
            plain, function=lambda t, factor=factor, shift=shift: factor * plain.function(t) + shift, scales=("value",)
        )
        made = explained(scaled, rows[:4], rows[4:], n_samples=500)
        np.testing.assert_allclose(made.values / factor, base.values, atol=1e-6)
        np.testing.assert_allclose(made.extras["surrogate_r2"], base.extras["surrogate_r2"], atol=1e-6)


# Odd tables


def test_constant_model_has_no_contributions_and_a_perfect_surrogate(world):
    model = BlackBox(lambda table: np.full(len(table), 0.1), worlds.SCHEMAS[world], scales=("value",))
    made = explained(model, rows_of(world), background_of(world), n_samples=300)
    assert not made.values.any() and (made.base_values == 0.1).all() and (made.extras["surrogate_r2"] == 1).all()


def test_odd_tables_have_defined_values(world):
    model, rows, background = worlds.model("net", world), rows_of(world), background_of(world)
    constant = background.copy()
    constant[:, 2] = background[0, 2]
    twice = np.repeat(background[:9], 2, axis=0)
    for references in (constant, background[:1], twice, background[:2]):
        for options in ({}, {"n_features": 2}, {"n_samples": 2}, {"n_samples": 3, "n_features": 9}):
            made = explained(model, np.repeat(rows, 2, axis=0), references, **{"n_samples": 200} | options)
            assert np.isfinite(made.values).all() and np.isfinite(made.extras["surrogate_r2"]).all()
            np.testing.assert_allclose(made.values[::2], made.values[1::2], atol=1e-7)


def test_one_feature():
    model = BlackBox(lambda t: 2.0 * (t["x0"] > 0), numbers(1), scales=("value",))
    background = np.linspace(-1, 1, 40)[:, None]
    made = explained(model, np.array([[0.9], [-0.9]]), background, n_samples=4_000)
    np.testing.assert_allclose(made.values[:, 0], [1.0, -1.0], atol=0.01)  # 0 or 2 against the mean of 1
    same_as_lime(model, np.array([[0.9], [-0.9]]), background)


def test_a_column_of_a_thousand_levels():
    levels = tuple(f"level {i}" for i in range(1_000))
    schema = Schema((Feature("x"), Feature("many", "categorical", levels=levels), Feature("y")), worlds.TARGET)
    effect = dict(zip(levels, np.sin(np.arange(1_000)), strict=True))
    model = BlackBox(lambda t: t["many"].map(effect).astype(float) + t["x"], schema, scales=("value",))
    rng = np.random.default_rng(0)
    rows = np.column_stack([rng.normal(size=1_200), np.r_[np.arange(1_000), np.arange(200)], rng.normal(size=1_200)])
    made = explained(model, rows[:1_000], rows[200:], n_samples=2_000)  # levels 0 to 199 are the last references'
    assert np.corrcoef(made.values[:, 1], np.sin(np.arange(1_000)))[0, 1] > 0.9
    unseen = explained(model, rows[:200], rows[200:1_000], n_samples=2_000)  # nobody's, or in no sample
    np.testing.assert_allclose(unseen.values[:, 1], np.sin(np.arange(200)) - np.sin(np.arange(200, 1_000)).mean(), atol=0.05)


def test_nets_that_give_no_numbers_are_told():
    network = worlds.network("numeric")
    with torch.no_grad():
        network[0].weight.fill_(np.nan)
    model = NeuralModel(network, worlds.encoder("numeric"))
    with pytest.raises(DlxError, match="net must return finite numbers, got nan for row 0"):
        explained(model, rows_of("numeric"), background_of("numeric"), n_samples=100)


# Where R2 and local prediction travel


def test_local_prediction_is_base_and_contributions_in_either_unit(world):
    model, rows, background = worlds.model("boosted", world), rows_of(world), background_of(world)
    for units in lime.UNITS:
        made = explained(model, rows, background, n_samples=400, units=units)
        np.testing.assert_allclose(made.extras["local_prediction"], made.base_values + made.values.sum(axis=1), atol=1e-12)
        assert ((made.extras["surrogate_r2"] > 0) & (made.extras["surrogate_r2"] < 1)).all()


def test_reference_says_the_same_beside_its_values(world):
    model, rows, background = worlds.model("net", world), rows_of(world, 2), background_of(world)
    ours, theirs = (made(model, rows, background, scale="logit", n_samples=2_000) for made in (lime.attribute, lime.reference))
    assert ours.extras.keys() == theirs.extras.keys()
    for name in ours.extras:
        np.testing.assert_allclose(ours.extras[name], theirs.extras[name], atol=0.1)


def test_extras_are_kept_sliced_and_saved(tmp_path):
    made = explained(worlds.model("net", "mixed"), rows_of("mixed"), background_of("mixed"), n_samples=100)
    again = Explanation.load(made.save(tmp_path / "one.safetensors"))
    assert again.extras.keys() == {"surrogate_r2", "local_prediction"}
    for name, array in made.extras.items():
        np.testing.assert_array_equal(again.extras[name], array)
        np.testing.assert_array_equal(made[1:3].extras[name], array[1:3])
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1
    with pytest.raises(ExplanationError, match=r"surrogate_r2 must be \[5\], got \[4\]"):
        dataclasses.replace(made, extras={"surrogate_r2": np.zeros(4)})


def test_rows_that_fail_have_no_extras(monkeypatch):
    def fails_on_missing(model: Model, rows, background, *, scale, seed):
        if np.isnan(rows).any():
            raise ZeroDivisionError
        return Attribution(rows, rows[:, 0], extras={"surrogate_r2": rows[:, 0]})

    monkeypatch.setattr(lime, "attribute", fails_on_missing)
    rows = np.where(np.isnan(rows_of("mixed")), 0, rows_of("mixed"))
    rows[2, 0] = np.nan
    made = explained(worlds.model("net", "mixed"), rows, background_of("mixed"), strict=False)
    np.testing.assert_array_equal(made.extras["surrogate_r2"], rows[:, 0])


def test_samples_are_predicted_once_for_calls_alike_until_the_model_changes(monkeypatch):
    made, of = [], surrogates._Predicted.of
    monkeypatch.setattr(surrogates._Predicted, "of", lambda *asked: made.append(asked) or of(*asked))
    rows, background = rows_of("numeric", 3), background_of("numeric", 12)
    net = worlds.model("net", "numeric")
    net = net.remade(copy.deepcopy(net.network))
    one, again = (lime.attribute(net, rows, background, scale="logit", n_samples=200) for _ in range(2))
    np.testing.assert_array_equal(one.values, again.values)
    assert len(made) == 1 and one.evaluations == again.evaluations
    lime.attribute(net, rows, background, scale="logit", n_samples=200, seed=1)
    with torch.no_grad():
        next(net.network.parameters()).mul_(2)
    trained_on = lime.attribute(net, rows, background, scale="logit", n_samples=200, seed=1)
    fresh = lime.attribute(net.remade(copy.deepcopy(net.network)), rows, background, scale="logit", n_samples=200, seed=1)
    np.testing.assert_array_equal(trained_on.values, fresh.values)
    box = BlackBox(lambda table: table.iloc[:, 0].to_numpy(), net.schema, scales=("value",))
    for _ in range(2):
        lime.attribute(box, rows, background, scale="value", n_samples=50)
    assert len(made) == 6
