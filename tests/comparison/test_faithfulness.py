"""Faithfulness: every metric against its definition in plain Python, planted truths, ties, chance, and what has no value."""

from __future__ import annotations

import dataclasses
import math
from itertools import pairwise
from statistics import fmean

import numpy as np
import pandas as pd
import pytest
import worlds

from dlx.background import nearest
from dlx.comparison import AlignmentError, faithfulness_metrics
from dlx.comparison.faithfulness_metrics import LOWER_IS_BETTER, Probe, faithfulness, faithfulness_by_row, replacements
from dlx.errors import DlxError
from dlx.explanation import Explanation
from dlx.model import BlackBox, LinearModel
from dlx.schema import Feature, Schema

METRICS = ["pgi", "pgu", "deletion", "insertion", "infidelity", "relative_infidelity", "sensitivity_n"]
EVERYBODY = 10_000  # more neighbours than any background here has rows


def explained(model, values, rows, *, base=None, scale="logit", **changes):
    """Return an explanation with some contributions, and the model's own outputs."""
    outputs = model.predict(rows, scale)
    base = outputs.mean() + 0.1 if base is None else base
    base = np.broadcast_to(np.asarray(base, dtype=float), len(rows))
    made = Explanation(
        np.asarray(values, dtype=float), base, outputs, rows, model.schema, scale, "lime", "lime", model.name, "b"
    )
    return dataclasses.replace(made, **changes)


def random_explanation(kind, world, seed=0, **changes):
    model, rows = worlds.model(kind, world), worlds.people(world)
    return model, explained(model, np.random.default_rng(seed).normal(size=rows.shape), rows, **changes)


def additive(world="numeric"):
    """Return a linear model, people, a background, and the exact contributions of a model without interactions."""
    model, rows, background = worlds.model("linear", "numeric"), worlds.table(world).rows[40:100], worlds.table(world).rows[:30]
    weights = model.coefficients / model.encoder.scale
    truth = explained(model, weights * (rows - background.mean(axis=0)), rows, base=model.predict(background, "logit").mean())
    return model, truth, background


# The definitions, without numpy and one evaluation at a time


def gower_of(schema, x, other, background):
    """Return the distance of two lists."""
    gaps = []
    for i, feature in enumerate(schema.features):
        if math.isnan(x[i]) or math.isnan(other[i]):
            gaps.append(0.0 if math.isnan(x[i]) and math.isnan(other[i]) else 1.0)
        elif feature.is_categorical:
            gaps.append(float(x[i] != other[i]))
        else:
            known = [row[i] for row in background if not math.isnan(row[i])]
            gaps.append(abs(x[i] - other[i]) / (max(known) - min(known)))
    return fmean(gaps)


def pearson(a, b):
    """Return the correlation of two lists."""
    mean_a, mean_b = fmean(a), fmean(b)
    products = [sum((x - p) * (y - q) for x, y in zip(c, d, strict=True)) for c, p, d, q in (
        (a, mean_a, b, mean_b), (a, mean_a, a, mean_a), (b, mean_b, b, mean_b))]  # fmt: skip
    return products[0] / math.sqrt(products[1] * products[2])


def trapezoid(heights):
    """Return the area under points one apart, over their width."""
    areas = [(a + b) / 2 for a, b in pairwise(heights)]
    return sum(areas) / len(areas) if areas else heights[0]


def by_definition(f, x, donors, taken, phi, base, subsets):
    """Return every metric of one person; `f` takes a list, `subsets` are lists of sets of columns."""
    columns, output = range(len(x)), f(x)
    sign = 1 if output > base else -1

    def replaced(which, by):
        return [f([by_one[i] if i in which else x[i] for i in columns]) for by_one in by]

    def effect(which):
        return fmean([output - y for y in replaced(which, taken)])

    def kept_in_donors(which):
        return fmean([f([x[i] if i in which else donor[i] for i in columns]) - f(donor) for donor in donors])

    by_size, by_help = sorted(columns, key=lambda i: -abs(phi[i])), sorted(columns, key=lambda i: -sign * phi[i])
    ks = range(1, len(x) + 1)
    gaps = {which: fmean([abs(output - y) for y in replaced(set(which), taken)]) for k in range(len(x) + 1)
            for which in (tuple(by_size[:k]), tuple(by_size[k:]))}  # fmt: skip
    misses = [(sum(phi[i] for i in s) - effect(s)) ** 2 for s in subsets[0]]
    return {
        "pgi": trapezoid([gaps[tuple(by_size[:k])] for k in ks]),
        "pgu": trapezoid([gaps[tuple(by_size[k:])] for k in ks[:-1]]),
        "deletion": fmean([sign * effect(set(by_help[:k])) for k in ks]),
        "insertion": fmean([sign * kept_in_donors(set(by_help[:k])) for k in ks]),
        "infidelity": fmean(misses),
        "relative_infidelity": fmean(misses) / fmean([effect(s) ** 2 for s in subsets[0]]),
        "sensitivity_n": fmean(
            [pearson([sum(phi[i] for i in s) for s in drawn], [effect(s) for s in drawn]) for drawn in subsets[1:]]
        ),
    }


@pytest.mark.parametrize(("kind", "scale"), [("linear", "logit"), ("net", "probability"), ("forest", "probability")])
def test_metrics_are_their_definitions(kind, scale, world):
    model, explanation = random_explanation(kind, world, scale=scale)
    background = worlds.background(world)
    found = faithfulness_by_row(model, explanation, background, neighbours=4, subsets=12, seed=3)
    probe = Probe.of(model, explanation, background, 4, 12, 3)
    subsets = [[set(np.flatnonzero(mask)) for mask in masks] for masks in probe.subsets]
    assert [{len(s) for s in drawn} for drawn in subsets[1:]] == [{1}, {2}, {3}]
    assert {len(s) for s in subsets[0]} == {1, 2, 3, 4}

    def f(row):
        return float(model.predict(np.array([row]), scale)[0])

    for i, row in enumerate(worlds.people(world).tolist()):
        likeness = sorted(background.tolist(), key=lambda other: gower_of(model.schema, row, other, background.tolist()))
        np.testing.assert_array_equal(probe.donors[i], likeness[:4])
        expected = by_definition(f, row, likeness[:4], probe.taken[i].tolist(), explanation.values[i].tolist(),
                                 explanation.base_values[i], subsets)  # fmt: skip
        assert found.loc[i, METRICS].to_dict() == pytest.approx(expected, rel=1e-5, abs=1e-6)


# Donors and replaced values


def test_replaced_values_are_the_donors_but_a_level_always_differs():
    rows, background = worlds.people("mixed"), worlds.background("mixed")
    donors = background[nearest(worlds.MIXED, rows, background, 6)]
    taken = replacements(worlds.MIXED, rows, donors, background, 0)
    own = np.broadcast_to(rows[:, None], taken.shape)
    for i, feature in enumerate(worlds.MIXED.features):
        if not feature.is_categorical:
            np.testing.assert_array_equal(taken[:, :, i], donors[:, :, i])
            continue
        alike = (donors[:, :, i] == own[:, :, i]) | (np.isnan(donors[:, :, i]) & np.isnan(own[:, :, i]))
        assert alike.any() and not alike.all()
        np.testing.assert_array_equal(taken[~alike, i], donors[~alike, i])
        assert not ((taken[:, :, i] == own[:, :, i]) | (np.isnan(taken[:, :, i]) & np.isnan(own[:, :, i]))).any()
        known = set(background[~np.isnan(background[:, i]), i])
        assert set(taken[~np.isnan(taken[:, :, i]), i]) <= known


def test_another_level_is_drawn_by_its_frequency_and_stays_where_there_is_none():
    schema = Schema(
        (Feature("a", "categorical", levels=("u", "v", "w"), missing=True), Feature("b", "categorical", levels=("x", "y")))
    )
    background = np.array([[0.0, 1]] * 5 + [[1, 1]] * 2 + [[np.nan, 1]] * 3)
    own = np.tile([0.0, 1.0], (1, 4000, 1))
    taken = replacements(schema, own[:, 0], own, background, 1)[0]
    assert set(taken[:, 1]) == {1}
    assert fmean(taken[:, 0] == 1) == pytest.approx(0.4, abs=0.03)
    assert fmean(np.isnan(taken[:, 0])) == pytest.approx(0.6, abs=0.03)


# Planted truths


def test_exact_contributions_of_an_additive_model_leave_no_infidelity():
    model, truth, background = additive()
    by_row = faithfulness_by_row(model, truth, background, neighbours=EVERYBODY)
    np.testing.assert_allclose(by_row["infidelity"], 0, atol=1e-10)
    np.testing.assert_allclose(by_row["relative_infidelity"], 0, atol=1e-8)
    np.testing.assert_allclose(by_row["sensitivity_n"], 1, atol=1e-8)
    # deleting and inserting in the order of s φ adds up s φ from the largest: no order does better
    helps = np.sign(truth.outputs - truth.base_values)[:, None] * truth.values
    best = (-np.sort(-helps, axis=1)).cumsum(axis=1).mean(axis=1)
    np.testing.assert_allclose(by_row["deletion"], best, atol=1e-5)
    np.testing.assert_allclose(by_row["insertion"], best, atol=1e-5)


def test_shuffled_contributions_are_worse_on_every_metric_and_as_good_as_chance():
    model, truth, background = additive()
    shuffled = np.random.default_rng(1).permuted(truth.values, axis=1)
    both = [truth, dataclasses.replace(truth, values=shuffled, method="shuffled")]
    table = faithfulness(model, both, background, neighbours=EVERYBODY, subsets=32).set_index(["method", "metric"])
    for metric in METRICS:
        higher_is_better = metric not in LOWER_IS_BETTER
        true, false = table.loc[("lime", metric)], table.loc[("shuffled", metric)]
        assert true["higher_is_better"] == higher_is_better
        worst, best = (true["low"], false["high"]) if higher_is_better else (false["low"], true["high"])
        assert worst > best, metric
        assert worst > true["chance"] if higher_is_better else best < true["chance"], metric
        assert false["low"] < false["chance"] + 0.3 * abs(true["mean"] - false["mean"]), metric
        assert false["high"] > false["chance"] - 0.3 * abs(true["mean"] - false["mean"]), metric


def flips_with_sex():
    """Return a model that gives 2 to men and 0 to women, and what each says of itself."""
    model = BlackBox(lambda people: 2.0 * (people["sex"] == "m"), worlds.MIXED, "by_sex", scales=("logit", "probability"))
    rows = worlds.table("mixed").rows[20:32]
    phi = np.zeros(rows.shape)
    phi[:, 3] = np.where(rows[:, 3] == 1, 2.0, -2.0)
    return model, explained(model, phi, rows, base=1.0), worlds.table("mixed").rows[:20]


def test_a_model_of_one_level_has_metrics_known_in_advance():
    model, truth, background = flips_with_sex()
    by_row = faithfulness_by_row(model, truth, background)
    known = {"pgi": 2, "pgu": 0, "deletion": 2, "infidelity": 0, "relative_infidelity": 0, "sensitivity_n": 1}
    for metric, value in known.items():  # sex always changes when it is replaced, and nothing else matters
        np.testing.assert_allclose(by_row[metric], value, atol=1e-12, err_msg=metric)
    unlike = [fmean(background[:, 3] != sex) for sex in truth.rows[:, 3]]
    np.testing.assert_allclose(by_row["insertion"], 2 * np.array(unlike), atol=1e-12)


def test_naming_a_column_that_the_model_ignores_costs_on_every_metric():
    model, truth, background = flips_with_sex()
    blamed = truth.values[:, [0, 1, 2, 4, 3]]  # idle gets what sex deserves
    by_row = faithfulness_by_row(model, dataclasses.replace(truth, values=blamed), background, subsets=128)
    # sex now is in a tie of 4 columns without contribution: k = 1, 2, ..., 5 gives 0, 1/4, ..., 1 of the gap
    np.testing.assert_allclose(by_row["pgi"], 2 * fmean([1 / 8, 3 / 8, 5 / 8, 7 / 8]))
    np.testing.assert_allclose(by_row["pgu"], 2 * fmean([7 / 8, 5 / 8, 3 / 8]))
    np.testing.assert_allclose(by_row["deletion"], 2 * fmean([0, 1 / 4, 2 / 4, 3 / 4, 1]))
    assert (by_row["relative_infidelity"] > 0.6).all() and (by_row["sensitivity_n"] < 0).all()
    nothing = faithfulness_by_row(model, dataclasses.replace(truth, values=np.zeros_like(blamed)), background)
    np.testing.assert_allclose(nothing["relative_infidelity"], 1)
    assert nothing["sensitivity_n"].isna().all()


# Ties


def test_columns_without_an_order_are_replaced_along_a_straight_line():
    model, truth, background = additive()
    alike = dataclasses.replace(truth, values=np.where(np.arange(5) % 2, 1.0, -1.0) * np.ones((60, 1)))
    by_row = faithfulness_by_row(model, alike, background, neighbours=EVERYBODY)
    gap = np.abs(truth.outputs[:, None] - model.predict(background, "logit")).mean(axis=1)
    np.testing.assert_allclose(by_row["pgi"], gap * fmean([0.3, 0.5, 0.7, 0.9]), rtol=1e-6)
    np.testing.assert_allclose(by_row["pgu"], gap * fmean([0.7, 0.5, 0.3]), rtol=1e-6)


@pytest.mark.parametrize("values", [[2, 1, -1, 1, 0], [0, 0, 3, -3, 0], [1, 1, 1, 1, 1]])
def test_no_metric_of_ties_depends_on_the_order_of_columns(values):
    model, truth, background = additive()
    tied = dataclasses.replace(truth, values=np.tile(np.array(values, float), (60, 1)))
    back = np.array([3, 1, 4, 0, 2])
    schema = Schema(tuple(model.schema.features[i] for i in back), model.schema.target)
    encoder = dataclasses.replace(
        model.encoder, schema=schema, center=model.encoder.center[back], scale=model.encoder.scale[back]
    )
    turned = LinearModel(model.coefficients[back], model.intercept, encoder)
    there = explained(turned, tied.values[:, back], tied.rows[:, back], base=tied.base_values)
    orders = ["pgi", "pgu", "deletion", "insertion"]
    one = faithfulness_by_row(model, tied, background)[orders]
    other = faithfulness_by_row(turned, there, background[:, back])[orders]
    np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


# What a row depends on


def test_a_row_does_not_depend_on_the_rows_beside_it(world):
    model, explanation = random_explanation("boosted", world, index=list("abcde"))
    by_row = faithfulness_by_row(model, explanation, worlds.background(world), neighbours=5).set_index("row")
    turned = faithfulness_by_row(model, explanation[::-1], worlds.background(world), neighbours=5).set_index("row")
    alone = faithfulness_by_row(model, explanation[2], worlds.background(world), neighbours=5).set_index("row")
    pd.testing.assert_frame_equal(turned.loc[list("abcde")], by_row)
    pd.testing.assert_frame_equal(alone, by_row.loc[["c"]])
    one, other = (
        faithfulness(model, [e], worlds.background(world)).set_index("metric") for e in (explanation, explanation[::-1])
    )
    pd.testing.assert_series_equal(one["chance"], other["chance"])


def test_numbers_are_a_function_of_the_seed():
    model, explanation = random_explanation("boosted", "mixed")
    first, again, other = (faithfulness(model, [explanation], worlds.table("mixed")[:40], seed=seed) for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(first, again)
    off = {name: np.abs(first[name] - other[name]) for name in ("mean", "chance")}
    assert (off["mean"] > 1e-6).sum() > 3 and (off["chance"] > 1e-6).all()


def test_memory_is_bounded_and_changes_nothing(monkeypatch):
    sizes = []

    def score(people):
        sizes.append(len(people))
        return people["age"] * people["amount"]

    model = BlackBox(score, worlds.NUMERIC, "counting", scales=("logit", "probability"))
    rows = worlds.people("numeric")
    explanation = explained(model, rows, rows)
    at_once = faithfulness_by_row(model, explanation, worlds.background("numeric"))
    batches_at_once, largest = len(sizes), max(sizes)
    sizes.clear()
    monkeypatch.setattr(faithfulness_metrics, "CELLS", 9 * 5 * 20)  # 20 masks of 9 donors and 5 columns
    pd.testing.assert_frame_equal(faithfulness_by_row(model, explanation, worlds.background("numeric")), at_once)
    assert max(sizes) == 9 * 20 < largest and len(sizes) > batches_at_once
    assert batches_at_once < 10  # no evaluation by itself


# What has no value, and what is told of it


def test_rows_that_failed_are_nan_and_counted():
    model, explanation = random_explanation("linear", "mixed")
    values, base = explanation.values.copy(), explanation.base_values.copy()
    values[1, 2], values[3], base[4] = np.nan, np.inf, np.nan
    spoiled = dataclasses.replace(explanation, values=values, base_values=base)
    background = worlds.background("mixed")
    found, whole = (faithfulness_by_row(model, e, background) for e in (spoiled, explanation))
    assert found.loc[[1, 3, 4], METRICS].isna().all(axis=None)
    pd.testing.assert_frame_equal(found.loc[[0, 2]], whole.loc[[0, 2]])
    table = faithfulness(model, [spoiled], background)
    assert set(table["rows"]) == {2} and set(table["failed"]) == {3} and set(table["undefined"]) == {0}
    np.testing.assert_allclose(table["mean"], found[METRICS].mean())
    nobody = faithfulness(model, [dataclasses.replace(explanation, values=np.full((5, 5), np.nan))], background)
    assert set(nobody["failed"]) == {5} and nobody[["mean", "low", "high", "chance"]].isna().all(axis=None)


@pytest.mark.parametrize("tremble", [0, 1e-6])
def test_a_model_that_reacts_by_rounding_only_leaves_ratios_undefined(tremble):
    def score(people):
        return 400 + tremble * np.sin(1e5 * people["age"])

    model = BlackBox(score, worlds.MIXED, "constant", scales=("logit", "probability"))
    rows = worlds.people("mixed")
    explanation = explained(model, np.random.default_rng(0).normal(size=rows.shape), rows, base=0.1)
    table = faithfulness(model, [explanation], worlds.background("mixed")).set_index("metric")
    assert dict(table["undefined"]) == dict.fromkeys(METRICS, 0) | {"relative_infidelity": 5, "sensitivity_n": 5}
    assert table.loc[["pgi", "pgu", "deletion", "insertion"], "mean"].abs().max() <= 2 * tremble
    assert table.loc["infidelity", "mean"] > 0.1


def test_a_person_at_the_base_value_has_no_direction():
    model, explanation = random_explanation("linear", "numeric")
    base = explanation.base_values.copy()
    base[2] = explanation.outputs[2]
    table = faithfulness(model, [dataclasses.replace(explanation, base_values=base)], worlds.background("numeric"))
    assert dict(zip(table["metric"], table["undefined"], strict=True)) == dict.fromkeys(METRICS, 0) | {
        "deletion": 1,
        "insertion": 1,
    }


def test_one_column_is_defined_but_for_the_correlation():
    schema = Schema((Feature("x"),))
    model = BlackBox(lambda people: 3 * people["x"], schema, "line", scales=("logit", "probability"))
    rows, background = np.array([[1.0], [-2.0]]), np.array([[0.0], [0.5]])
    truth = explained(model, 3 * (rows - 0.25), rows, base=0.75)
    by_row = faithfulness_by_row(model, truth, background)
    assert by_row["pgi"].tolist() == by_row["deletion"].tolist() == by_row["insertion"].tolist() == [2.25, 6.75]
    assert by_row["pgu"].tolist() == by_row["infidelity"].tolist() == by_row["relative_infidelity"].tolist() == [0, 0]
    table = faithfulness(model, [truth], background).set_index("metric")
    assert table.loc["sensitivity_n", "undefined"] == 2 and table["undefined"].sum() == 2
    pd.testing.assert_series_equal(table["mean"], table["chance"], check_names=False)


# Tables


@pytest.mark.parametrize("index", [["L-7", "L-1", "3", "ü", "0"], [9001, 17, 404, 5, 1]])
def test_loan_ids_name_the_lines(index):
    model, explanation = random_explanation("linear", "mixed", index=index)
    by_row = faithfulness_by_row(model, explanation, worlds.table("mixed").frame)
    assert list(by_row["row"]) == index and list(by_row) == ["model", "method", "row", *METRICS]
    assert set(by_row["model"]) == {"linear"} and set(by_row["method"]) == {"lime"}


def test_table_has_a_line_a_method_and_metric():
    model, explanation = random_explanation("linear", "mixed")
    other = dataclasses.replace(explanation, method="linear_shap", values=2 * explanation.values)
    background = worlds.table("mixed")[:40]
    table = faithfulness(model, [explanation, other], background, neighbours=5)
    assert list(table["metric"]) == 2 * METRICS and list(table["method"]) == 7 * ["lime"] + 7 * ["linear_shap"]
    assert set(table["scale"]) == {"logit"} and set(table["model"]) == {"linear"}
    pd.testing.assert_frame_equal(table[:7], faithfulness(model, [explanation], background.frame, neighbours=5))
    assert ((table["low"] <= table["mean"]) & (table["mean"] <= table["high"])).all()
    same_order = table.set_index(["method", "metric"])["mean"].unstack("method").loc[["pgi", "pgu", "deletion", "insertion"]]
    pd.testing.assert_series_equal(same_order["lime"], same_order["linear_shap"], check_names=False)


@pytest.mark.parametrize(
    ("changes", "options", "message"),
    [
        ({"model": "trees"}, {}, "got one of trees and the model linear; pass the model trees, or explain linear"),
        ({"schema": Schema((Feature("z"), *worlds.MIXED.features[1:]))}, {}, "must read the columns that were explained"),
        ({"scale": "value"}, {}, "linear has no scale 'value'"),
        ({}, {"neighbours": 0}, "at least 1 neighbour and 2 subsets, got 0 and 64"),
        ({}, {"subsets": 1}, "at least 1 neighbour and 2 subsets, got 25 and 1"),
        ({}, {"seed": -1}, "a seed must be 0 to"),
        ({}, {"background": np.empty((0, 5))}, "background must have at least 1 row, got 0; pass rows of the training data"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused_with_the_remedy(changes, options, message):
    model, explanation = random_explanation("linear", "mixed")
    explanation = dataclasses.replace(explanation, **changes)
    options = {"background": worlds.background("mixed"), **options}
    with pytest.raises(DlxError, match=message):
        faithfulness(model, [explanation], **options)
    with pytest.raises(DlxError, match=message):
        faithfulness_by_row(model, explanation, **options)


def test_no_explanation_no_people_and_unaligned_ones_are_refused():
    model, explanation = random_explanation("linear", "mixed")
    background = worlds.background("mixed")
    with pytest.raises(DlxError, match="at least 1 explanation, got 0; make one with"):
        faithfulness(model, [], background)
    with pytest.raises(DlxError, match="must be of at least 1 row, got 0; explain some people with lime"):
        faithfulness(model, [explanation[:0]], background)
    with pytest.raises(AlignmentError, match="must share the rows"):
        faithfulness(model, [explanation, explanation[::-1]], background)
