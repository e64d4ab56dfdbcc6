"""Comparison: every metric against its definition in plain Python, ties, chance, alignment, and the net-tree contrast."""

from __future__ import annotations

import dataclasses
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
import worlds

from dlx.comparison import METRICS, AlignmentError, agreement, agreement_by_row, chance_level, compare, contrast, importance
from dlx.comparison.metrics import metrics_by_row
from dlx.errors import DlxError
from dlx.schema import Feature, Schema

LOANS = np.array([9001, 17, 404, 5, 1234567])
CORRELATIONS = {"rank_correlation", "signed_rank_correlation"}
explanation = worlds.said


def random_pair(count, width, seed=0):
    a, b = np.random.default_rng(seed).normal(size=(2, count, width))
    return explanation(a), explanation(a + b, method="tree_shap")


def of_models(method="kernel_shap", other_method="tree_shap"):
    """Return explanations of a net and of trees, with their own outputs and contributions that leave something over."""
    made = []
    for name, its_method in (("net", method), ("boosted", other_method)):
        model, people = worlds.model(name, "mixed"), worlds.people("mixed")
        values = np.random.default_rng(len(name)).normal(size=people.shape)
        base = model.predict(worlds.background("mixed"), "logit")[: len(people)]
        arrays = {"base_values": base, "outputs": model.predict(people, "logit"), "rows": people}
        about = {"schema": worlds.MIXED, "method": its_method, "model": name, "index": LOANS}
        made.append(explanation(values, **arrays, **about))
    return made


# The definitions, without numpy and without ties


def spearman(a, b):
    """Return 1 - 6 Σ d² / (n (n² - 1)) of two lists without ties."""
    place_a, place_b = ([sorted(values).index(x) for x in values] for values in (a, b))
    n, squares = len(a), sum((i - j) ** 2 for i, j in zip(place_a, place_b, strict=True))
    return 1 - 6 * squares / (n * (n**2 - 1))


def by_definition(a, b, k):
    """Return every metric of two lists of contributions."""
    d, size_a, size_b = len(a), [abs(x) for x in a], [abs(x) for x in b]
    k = min(k, d)
    top_a, top_b = (sorted(range(d), key=lambda i: -sizes[i])[:k] for sizes in (size_a, size_b))
    both = [i for i in top_a if i in top_b]
    same_place = [i for i, j in zip(top_a, top_b, strict=True) if i == j]
    pairs = list(combinations(range(d), 2))
    return {
        "feature_agreement": len(both) / k,
        "rank_agreement": len(same_place) / k,
        "sign_agreement": sum(a[i] * b[i] > 0 for i in both) / k,
        "signed_rank_agreement": sum(a[i] * b[i] > 0 for i in same_place) / k,
        "rank_correlation": spearman(size_a, size_b),
        "pairwise_rank_agreement": sum((size_a[i] > size_a[j]) == (size_b[i] > size_b[j]) for i, j in pairs) / len(pairs),
        "signed_rank_correlation": spearman(a, b),
        "sign_correlation": sum(1 if x * y > 0 else -1 for x, y in zip(a, b, strict=True)) / d,
    }  # fmt: skip


@pytest.mark.parametrize(("width", "k"), [(2, 1), (5, 3), (5, 5), (5, 9), (20, 5)])
@pytest.mark.parametrize("likeness", [0.0, 3.0])
def test_metrics_are_their_definitions(width, k, likeness):
    a, noise = np.random.default_rng(width + k).normal(size=(2, 40, width))
    b = likeness * a + noise
    found = pd.DataFrame(metrics_by_row(a, b, k))
    expected = pd.DataFrame([by_definition(x.tolist(), y.tolist(), k) for x, y in zip(a, b, strict=True)])
    pd.testing.assert_frame_equal(found[list(expected)], expected, rtol=0, atol=1e-12)
    assert list(found) == list(METRICS)


# Ties


@pytest.mark.parametrize("k", [1, 2, 3, 5, 7])
def test_ties_do_not_depend_on_the_order_of_columns(k):
    rng = np.random.default_rng(k)
    a, b = rng.integers(-2, 3, size=(2, 200, 5)).astype(float)
    expected = metrics_by_row(a, b, k)
    for _ in range(5):
        order = rng.permutation(5)
        for name, values in metrics_by_row(a[:, order], b[:, order], k).items():
            np.testing.assert_allclose(values, expected[name], atol=1e-12, err_msg=name)


@pytest.mark.parametrize("k", [1, 2, 3, 5, 7])
def test_explanation_agrees_with_itself_fully(k):
    a = np.random.default_rng(k).integers(-2, 3, size=(200, 5)).astype(float)
    ordered = np.ptp(np.abs(a), axis=1) > 0
    metrics = metrics_by_row(a, a, k)
    np.testing.assert_allclose(metrics.pop("sign_correlation")[ordered], (a != 0).mean(axis=1)[ordered])
    for name, values in metrics.items():
        np.testing.assert_allclose(values[ordered], 1, err_msg=name)
        assert np.isnan(values[~ordered]).all() and not ordered.all()


@pytest.mark.parametrize(
    ("a", "b", "k", "expected"),
    [  # the tie for place 2 belongs to the top half
        ([3, 1, -1, 0], [3, 1, 0, 0.5], 2, {"feature_agreement": 0.75, "rank_agreement": 0.5, "sign_agreement": 0.75}),
        ([3, 1, -1, 0], [3, 0, 1, 0.5], 2, {"feature_agreement": 0.75, "sign_agreement": 0.5}),
        ([1, 1, 1, 0], [1, -1, 1, 0], 1, {"feature_agreement": 1, "rank_agreement": 1, "signed_rank_agreement": 2 / 3}),
        ([1, 1, 1, 0], [2, 1, 0, 0], 1, {"feature_agreement": 1 / 3, "rank_agreement": 0, "rank_correlation": 2 / 13.5**0.5}),
        ([2, 1, 1], [3, 2, 1], 3, {"pairwise_rank_agreement": 2 / 3}),
        ([2, 1, 1], [2, 1, -1], 3, {"pairwise_rank_agreement": 1, "sign_correlation": 1 / 3}),
    ],
)  # fmt: skip
def test_ties_share_their_places(a, b, k, expected):
    found = metrics_by_row(np.array([a], float), np.array([b], float), k)
    assert {name: found[name][0] for name in expected} == pytest.approx(expected)


def test_rows_without_an_order_are_left_out_and_counted():
    a, b = random_pair(30, 4)
    spoiled, spoiled_too = a.values.copy(), b.values.copy()
    spoiled[3], spoiled_too[7] = 0, [-2, 2, 2, 2]
    a, b = dataclasses.replace(a, values=spoiled), dataclasses.replace(b, values=spoiled_too)
    by_row, table = agreement_by_row(a, b, k=2), agreement(a, b, k=2).set_index("metric")
    assert by_row.loc[[3, 7], list(METRICS)].isna().all(axis=None)
    assert set(table["rows"]) == {28}
    for name in METRICS:
        assert table.loc[name, "mean"] == pytest.approx(by_row[name].drop([3, 7]).mean())
    assert set(table["undefined"]) == {2} and set(table["failed"]) == {0}
    nothing = agreement(dataclasses.replace(a, values=np.zeros((30, 4))), b)
    assert set(nothing["rows"]) == {0} and nothing[["mean", "low", "high"]].isna().all(axis=None)


@pytest.mark.parametrize("spoiled", [np.nan, np.inf, -np.inf])
def test_rows_that_either_did_not_explain_are_nan_and_counted(spoiled):
    a, b = random_pair(30, 4)
    one, other = a.values.copy(), b.values.copy()
    one[3, 1], other[3, 2], other[7, 0], one[9] = spoiled, spoiled, spoiled, 0
    for k in (1, 4):
        expected = metrics_by_row(np.delete(a.values, [3, 7, 9], axis=0), np.delete(b.values, [3, 7, 9], axis=0), k)
        for name, values in metrics_by_row(one, other, k).items():
            assert np.isnan(values[[3, 7, 9]]).all()
            np.testing.assert_array_equal(np.delete(values, [3, 7, 9]), expected[name])
    table = agreement(dataclasses.replace(a, values=one), dataclasses.replace(b, values=other))
    assert set(table["rows"]) == {27} and set(table["failed"]) == {2} and set(table["undefined"]) == {1}


def test_nobody_explained_is_a_table_without_numbers():
    a, b = random_pair(3, 4)
    table = agreement(dataclasses.replace(a, values=np.full((3, 4), np.nan)), b)
    assert table[["mean", "low", "high"]].isna().all(axis=None) and set(table["failed"]) == {3} and set(table["rows"]) == {0}
    lines = importance(dataclasses.replace(a, values=np.full((3, 4), np.nan)))
    assert lines["importance"].isna().all() and set(lines["people"]) == {0}


@pytest.mark.parametrize(("b", "sign"), [(2.0, 1), (-2.0, -1)])
def test_one_feature_is_always_the_top_and_has_no_correlation(b, sign):
    table = agreement(explanation([[1.0]] * 3), explanation([[b]] * 3, method="shap")).set_index("metric")
    assert set(table["k"]) == {1}
    assert set(table.index[table["rows"] == 0]) == CORRELATIONS == set(table.index[table["mean"].isna()])
    expected = dict.fromkeys(("feature_agreement", "rank_agreement", "pairwise_rank_agreement"), 1.0)
    expected |= dict.fromkeys(("sign_agreement", "signed_rank_agreement"), float(sign > 0)) | {"sign_correlation": sign}
    assert table.loc[list(expected), "mean"].to_dict() == expected


@pytest.mark.parametrize("k", [0, -3])
def test_k_below_one_is_refused(k):
    with pytest.raises(DlxError, match=f"k must be at least 1, got {k}"):
        agreement(*random_pair(3, 4), k=k)


# Chance and intervals


@pytest.mark.parametrize(("k", "width"), [(1, 4), (3, 6), (5, 5), (9, 5)])
def test_chance_is_what_random_orders_and_signs_reach(k, width):
    rng = np.random.default_rng(width)
    size, sign = np.argsort(rng.random((2, 6000, width)), axis=2) + 1.0, rng.choice([-1, 1], size=(2, 6000, width))
    for name, values in metrics_by_row(*(size * sign), k).items():
        error = values.std() / len(values) ** 0.5
        assert chance_level(name, k, width) == pytest.approx(values.mean(), abs=4 * error + 1e-12), name


def test_intervals_contain_the_mean_and_shrink_with_more_rows():
    few, many = (agreement(*random_pair(count, 6), k=3).set_index("metric") for count in (40, 1000))
    by_row = agreement_by_row(*random_pair(1000, 6), k=3)
    for name in METRICS:
        for table in (few, many):
            assert table.loc[name, "low"] < table.loc[name, "mean"] < table.loc[name, "high"]
        half = 1.96 * by_row[name].std() / 1000**0.5
        found = many.loc[name, ["low", "high"]].to_numpy(dtype=float)
        np.testing.assert_allclose(found, by_row[name].mean() + np.array([-half, half]), atol=0.2 * half)
    assert ((many["high"] - many["low"]) < 0.4 * (few["high"] - few["low"])).all()


def test_agreement_is_a_function_of_its_seed():
    a, b = random_pair(40, 6)
    pd.testing.assert_frame_equal(agreement(a, b, seed=1), agreement(a, b, seed=1))
    assert not agreement(a, b, seed=1)["low"].equals(agreement(a, b, seed=2)["low"])


# Alignment

ONE, OTHER = random_pair(5, 4)
UNITS = Schema((Feature("x0", unit="EUR"), *ONE.schema.features[1:]))
NAMES = Schema((Feature("y"), *ONE.schema.features[1:]))


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (dataclasses.replace(OTHER, scale="probability"), r"scale but do not \(logit and probability\); explain both with"),
        (dataclasses.replace(OTHER, rows=OTHER.rows + 1), "rows but do not; explain the same people, in the same order"),
        (OTHER[:3], "rows but do not; explain the same people, in the same order"),
        (OTHER[::-1], "rows but do not; explain the same people, in the same order"),
        (dataclasses.replace(OTHER, index=LOANS), "row names but do not; explain the same people, in the same order"),
        (dataclasses.replace(OTHER, options={"units": "lime"}), r"unit but do not \(contribution and lime\); explain"),
        (dataclasses.replace(OTHER, options={"path_dependent": True}), r"reference but do not \(rows and the trees\); expl"),
        (dataclasses.replace(OTHER, background_id="c"), "background but do not; pass the same background=... to both"),
        (dataclasses.replace(OTHER, schema=UNITS), "schema but do not; explain both with the same schema"),
        (dataclasses.replace(OTHER, schema=NAMES), "columns but do not; explain models that read the same table"),
    ],
)  # fmt: skip
def test_what_is_not_aligned_is_refused_with_the_remedy(other, message):
    with pytest.raises(AlignmentError, match=f"^lime of net and tree_shap of net must share the {message}"):
        contrast(ONE, other)
    third = dataclasses.replace(ONE, method="third")
    with pytest.raises(AlignmentError, match=message):
        compare([ONE, third, other])


def test_one_explanation_or_the_same_twice_is_no_comparison():
    for few in ([], [ONE]):
        with pytest.raises(AlignmentError, match=f"at least 2 explanations, got {len(few)}"):
            compare(few)
    with pytest.raises(AlignmentError, match="lime of net is given twice; give the models different names, or leave"):
        compare([ONE, OTHER, dataclasses.replace(ONE, seed=5)])


# Tables


@pytest.mark.parametrize("index", [LOANS, np.array(["L-7", "L-1", "L-3", "ü", "0"]), pd.Index([30, 10, 20, 50, 40])])
def test_loan_ids_name_the_lines(index):
    a, b = (dataclasses.replace(one, index=index) for one in (ONE, OTHER))
    comparison = compare([a, b, dataclasses.replace(b, model="trees")])
    by_row = comparison.agreement_by_row(k=2)
    assert list(by_row["row"]) == 3 * list(index)
    np.testing.assert_array_equal(by_row[list(METRICS)][:5], pd.DataFrame(metrics_by_row(a.values, b.values, 2)))
    assert list(contrast(a, b).to_frame()["row"]) == list(np.repeat(index, 4))


def test_agreement_has_a_line_a_pair_and_metric():
    third = dataclasses.replace(OTHER, model="trees", values=ONE.values)
    table = compare([ONE, OTHER, third]).agreement(k=2)
    pairs = table[["model", "method", "other_model", "other_method"]].drop_duplicates().to_numpy().tolist()
    assert pairs == [
        ["net", "lime", "net", "tree_shap"], ["net", "lime", "trees", "tree_shap"], ["net", "tree_shap", "trees", "tree_shap"]
    ]  # fmt: skip
    assert list(table["metric"]) == 3 * list(METRICS) and set(table["scale"]) == {"logit"}
    first, second = table[: len(METRICS)], table[len(METRICS) : 2 * len(METRICS)]
    pd.testing.assert_frame_equal(first, agreement(ONE, OTHER, k=2))
    assert set(second["mean"]) == {1.0}  # the third says what the first says
    assert list(first["chance"]) == [chance_level(name, 2, 4) for name in METRICS]


def test_explanation_is_found_by_model_and_method():
    comparison = compare([ONE, OTHER])
    assert comparison["net", "tree_shap"] is OTHER
    with pytest.raises(DlxError, match="no explanation of 'trees' by 'lime'; there are lime of net; tree_shap of net"):
        comparison["trees", "lime"]


def test_importance_is_the_mean_size_and_its_share():
    table = importance(explanation([[1, -2, 0], [3, 2, 0]]))
    assert table[["importance", "share", "rank"]].to_numpy().tolist() == [[2, 0.5, 1.5], [2, 0.5, 1.5], [0, 0, 3]]
    assert set(table["people"]) == {2} and list(table["feature"]) == ["x0", "x1", "x2"]
    assert list(importance(explanation(np.zeros((2, 3))))["share"]) == [0, 0, 0]
    both = compare([ONE, OTHER]).importance()
    np.testing.assert_allclose(both.groupby("method")["share"].sum(), 1)
    np.testing.assert_allclose(both["importance"][4:], np.abs(OTHER.values).mean(axis=0))


# Net and trees


def test_contrast_accounts_for_the_whole_difference():
    net, trees = of_models()
    compared = contrast(net, trees)
    assert np.abs(compared.residuals).min() > 0.01  # what neither accounts for is told, not hidden
    np.testing.assert_allclose(compared.residuals, net.residuals - trees.residuals, atol=1e-12)
    outputs = worlds.model("net", "mixed").predict(net.rows, "logit")
    outputs -= worlds.model("boosted", "mixed").predict(net.rows, "logit")
    total = compared.base_values + compared.values.sum(axis=1) + compared.residuals
    np.testing.assert_allclose(total, outputs, rtol=0, atol=1e-12)
    np.testing.assert_allclose(compared.outputs, outputs, rtol=0, atol=0)
    np.testing.assert_array_equal(contrast(trees, net).values, -compared.values)


def test_contrast_of_methods_that_add_up_has_no_residual_in_its_table():
    net, trees = (dataclasses.replace(e, outputs=e.base_values + e.values.sum(axis=1)) for e in of_models())
    table = compare([net, trees]).contrast("net", "boosted", "kernel_shap", "tree_shap").to_frame()
    np.testing.assert_allclose(table["difference"], table["contribution"] - table["other_contribution"], atol=1e-12)
    people = table.groupby("row", sort=False)
    total = people["base_difference"].first() + people["difference"].sum()
    np.testing.assert_allclose(total, people["output_difference"].first(), rtol=0, atol=1e-12)
    assert list(total.index) == list(LOANS) and list(table["label"][:5]) == list(worlds.MIXED.labels)


def test_contrast_uses_one_method_for_both_unless_told():
    net, trees = of_models(other_method="kernel_shap")
    compared = compare([net, trees]).contrast("net", "boosted", "kernel_shap")
    assert (compared.a, compared.b) == (net, trees)
