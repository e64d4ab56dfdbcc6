"""Variance components: unbiased, the sums of squares in plain loops, planted truths, and designs that do not allow them."""

from __future__ import annotations

import dataclasses
from itertools import product

import numpy as np
import pandas as pd
import pytest
import worlds

from dlx.comparison import AlignmentError
from dlx.comparison.components import COMPONENTS, DISTANCES, VarianceComponents, components_by_person, variance_components
from dlx.errors import DlxError

LOANS = np.array([9001, 17, 404])


def design(values, index=None):
    """Return the design of contributions [models, methods, seeds, people, features]."""
    models, methods, _, people, _ = values.shape
    names = tuple(f"model {i}" for i in range(models)), tuple(f"method {i}" for i in range(methods))
    return VarianceComponents(*names, values, np.arange(people) if index is None else index, "logit")


def simulated(spread, shape=(3, 2, 4), people=3000, features=2, seed=0):
    """Return contributions with components of known standard deviation, drawn anew for each person."""
    rng = np.random.default_rng(seed)
    models, methods, seeds = shape
    shapes = {
        "model": (models, 1, 1),
        "method": (1, methods, 1),
        "model x method": (models, methods, 1),
        "seed": (models, 1, seeds),
        "rest": shape,
    }
    draws = [spread.get(name, 0.0) * rng.normal(size=(*axes, people, features)) for name, axes in shapes.items()]
    return sum(np.broadcast_to(draw, (*shape, people, features)) for draw in draws)


# The estimates


@pytest.mark.parametrize("shape", [(3, 2, 4), (2, 4, 2)])
def test_components_are_unbiased(shape):
    spread = {"model": 1.0, "method": 0.5, "model x method": 0.7, "seed": 0.4, "rest": 0.3}
    found = components_by_person(simulated(spread, shape))
    assert list(found) == list(COMPONENTS)
    for name, values in found.items():
        error = values.std() / len(values) ** 0.5
        assert values.mean() == pytest.approx(2 * spread[name] ** 2, abs=4 * error), name  # two columns are summed
        assert error < 0.1 * values.mean(), name


def in_loops(y):
    """Return the components of one person and column, y[model][method][seed], from sums of squares in plain loops."""
    models, methods, seeds = len(y), len(y[0]), len(y[0][0])

    def mean(of):
        return sum(of) / len(of)

    every = list(product(range(models), range(methods), range(seeds)))
    grand = mean([y[m][k][s] for m, k, s in every])
    model = [mean([y[m][k][s] for k in range(methods) for s in range(seeds)]) for m in range(models)]
    method = [mean([y[m][k][s] for m in range(models) for s in range(seeds)]) for k in range(methods)]
    cell = [[mean(y[m][k]) for k in range(methods)] for m in range(models)]
    run = [[mean([y[m][k][s] for k in range(methods)]) for s in range(seeds)] for m in range(models)]
    squares = {
        "model": sum((model[m] - grand) ** 2 for m, _, _ in every) / (models - 1),
        "method": sum((method[k] - grand) ** 2 for _, k, _ in every) / (methods - 1),
        "both": sum((cell[m][k] - model[m] - method[k] + grand) ** 2 for m, k, _ in every) / ((models - 1) * (methods - 1)),
        "seed": sum((run[m][s] - model[m]) ** 2 for m, _, s in every) / (models * (seeds - 1)),
    }
    left = sum((y[m][k][s] - cell[m][k] - run[m][s] + model[m]) ** 2 for m, k, s in every)
    rest = left / (models * (methods - 1) * (seeds - 1))
    return {  # each expected mean square, solved for its own component
        "model": (squares["model"] - squares["both"] - squares["seed"] + rest) / (methods * seeds),
        "method": (squares["method"] - squares["both"]) / (models * seeds),
        "model x method": (squares["both"] - rest) / seeds,
        "seed": (squares["seed"] - rest) / methods,
        "rest": rest,
    }


@pytest.mark.parametrize("shape", [(2, 2, 2), (3, 2, 4), (2, 5, 3)])
def test_components_are_those_of_sums_of_squares_in_loops(shape):
    values = np.random.default_rng(1).normal(size=(*shape, 3, 4)) + 5
    found = components_by_person(values)
    for person in range(3):
        columns = [in_loops(values[..., person, column].tolist()) for column in range(4)]
        for name in COMPONENTS:
            assert found[name][person] == pytest.approx(sum(column[name] for column in columns), rel=1e-9, abs=1e-12)
    np.testing.assert_allclose(design(values).by_person()[list(COMPONENTS)], pd.DataFrame(found))


def test_what_is_added_to_all_and_the_order_of_anything_change_nothing():
    values = np.random.default_rng(1).normal(size=(3, 2, 4, 5, 2))
    expected = components_by_person(values)
    for same in (values + 100, values[::-1, ::-1, ::-1], values[..., ::-1]):
        for name, numbers in components_by_person(same).items():
            np.testing.assert_allclose(numbers, expected[name], rtol=1e-7, atol=1e-9)


# Planted truths


@pytest.mark.parametrize("planted", list(COMPONENTS))
def test_the_only_thing_that_differs_has_the_whole_share(planted):
    table = design(simulated({planted: 0.8})).components().set_index("component")
    assert table.loc[planted, "share"] > 0.95 and (table["share"].drop(planted) < 0.05).all()
    assert table.loc[planted, "size"] == pytest.approx(0.8 * 2**0.5, rel=0.05)
    assert table["share"].sum() == pytest.approx(1)


def test_shares_and_sizes_lie_in_their_intervals():
    spread = {"model": 1.0, "method": 0.5, "model x method": 0.7, "seed": 0.4, "rest": 0.3}
    table = design(simulated(spread, people=400)).components().set_index("component")
    total = sum(one**2 for one in spread.values())
    for name, one in spread.items():
        line = table.loc[name]
        assert line["size_low"] < line["size"] < line["size_high"] and line["share_low"] < line["share"] < line["share_high"]
        assert line["size_low"] < one * 2**0.5 < line["size_high"]
        assert line["share_low"] < one**2 / total < line["share_high"]
    assert set(table["people"]) == {400} and set(table["failed"]) == {0} and set(table["scale"]) == {"logit"}
    again = design(simulated(spread, people=400))
    pd.testing.assert_frame_equal(again.components().set_index("component"), table)
    assert not again.components(seed=1)["size_low"].equals(table["size_low"].reset_index(drop=True))


@pytest.mark.parametrize("seeds", [2, 3, 7])
def test_explanations_that_never_differ_have_no_components_and_no_shares(seeds):
    values = np.broadcast_to(np.random.default_rng(0).normal(size=(6, 4)), (3, 2, seeds, 6, 4))
    table = design(values).components()
    assert set(table["size"]) == set(table["size_low"]) == set(table["size_high"]) == {0}
    assert table[["share", "share_low", "share_high"]].isna().all(axis=None) and set(table["people"]) == {6}
    assert set(design(values).distances()["mean"]) == {0}


def test_a_component_below_zero_counts_as_zero_only_after_the_mean_over_people():
    found = design(simulated({"seed": 1.0}))
    by_person, table = found.by_person(), found.components().set_index("component")
    assert (by_person["model"] < 0).mean() > 0.2 and (by_person["rest"] > -1e-12).all()
    assert table.loc["model", "size"] ** 2 == pytest.approx(max(by_person["model"].mean(), 0), abs=1e-12)


# Who is counted


def test_people_whose_explanation_failed_are_left_out_and_counted():
    values = np.random.default_rng(0).normal(size=(2, 2, 2, 6, 3))
    spoiled = values.copy()
    spoiled[1, 0, 1, 4, 2] = np.nan
    table, whole = design(spoiled).components(), design(np.delete(values, 4, axis=3)).components()
    assert set(table["people"]) == {5} and set(table["failed"]) == {1}
    pd.testing.assert_frame_equal(table.drop(columns="failed"), whole.drop(columns="failed"))
    distances = design(spoiled).distances()
    touched = distances[(distances["kind"] == "seeds") & (distances["one"] == "model 1") & (distances["within"] == "method 0")]
    expected = np.linalg.norm(np.delete(values, 4, axis=3)[1, 0, 0] - np.delete(values, 4, axis=3)[1, 0, 1], axis=1).mean()
    assert touched["mean"].item() == pytest.approx(expected)
    nobody = design(np.full((2, 2, 2, 3, 2), np.nan)).components()
    assert nobody[["size", "share", "size_low", "share_high"]].isna().all(axis=None) and set(nobody["failed"]) == {3}


def test_one_person_has_no_interval_and_one_feature_is_enough():
    table = design(simulated({"model": 1.0, "rest": 0.1}, people=1, features=1)).components()
    assert table["size"].notna().all() and table[["size_low", "size_high", "share_low"]].isna().all(axis=None)


# Distances


def test_distances_by_hand():
    values = np.zeros((2, 2, 2, 1, 2))
    values[0, 0] = [[[3, 4]], [[0, 0]]]  # model 0, method 0: both seeds
    values[0, 1] = [[[0, 0]], [[0, 0]]]
    values[1, 0] = [[[0, 0]], [[0, 8]]]
    values[1, 1] = [[[6, 8]], [[6, 0]]]
    table = design(values).distances()
    found = {(line.kind, line.one, line.other, line.within): line.mean for line in table.itertuples()}
    assert found == pytest.approx(
        {
            ("models", "model 0", "model 1", "method 0"): (5 + 8) / 2,
            ("models", "model 0", "model 1", "method 1"): (10 + 6) / 2,
            ("methods", "method 0", "method 1", "model 0"): (5 + 0) / 2,
            ("methods", "method 0", "method 1", "model 1"): (10 + 10) / 2,
            ("seeds", "model 0", "model 0", "method 0"): 5,
            ("seeds", "model 0", "model 0", "method 1"): 0,
            ("seeds", "model 1", "model 1", "method 0"): 8,
            ("seeds", "model 1", "model 1", "method 1"): 8,
        }
    )
    assert set(table["what"]) == set(DISTANCES.values()) and set(table["scale"]) == {"logit"}


def test_distances_have_intervals_over_people():
    table = design(simulated({"model": 1.0, "rest": 0.5}, people=50)).distances()
    assert (table["low"] < table["mean"]).all() and (table["mean"] < table["high"]).all()
    gaps = table.groupby("kind")["mean"].mean()
    assert gaps["models"] > 1.5 * gaps["methods"] and gaps["methods"] == pytest.approx(gaps["seeds"], rel=0.1)


# From explanations


def runs(values):
    """Return explanations of every model, method and seed, in any order."""
    made = {}
    for (m, k, s), one in [(where, values[where]) for where in np.ndindex(values.shape[:3])]:
        explanation = worlds.said(one, model=f"model {m}", method=f"method {k}", index=LOANS, scale="logit")
        made[f"model {m}", f"method {k}", 10 + s] = explanation
    return made


def test_explanations_are_stacked_by_their_keys():
    values = np.random.default_rng(0).normal(size=(2, 3, 2, 3, 4))
    made = runs(values)
    found = variance_components(made)
    assert (found.models, found.methods) == (("model 0", "model 1"), ("method 0", "method 1", "method 2"))
    np.testing.assert_array_equal(found.values, values)
    assert found.scale == "logit" and found.by_person()["row"].tolist() == LOANS.tolist()
    turned = variance_components(dict(reversed(made.items()))).components().set_index("component")
    np.testing.assert_allclose(turned["size"], found.components().set_index("component")["size"])


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((1, 2, 2), "variance components need at least 2 models, got 1"),
        ((2, 1, 2), "variance components need at least 2 methods, got 1"),
        ((2, 2, 1), "variance components need at least 2 training seeds, got 1"),
        ((0, 0, 0), "variance components need at least 2 models, got 0"),
    ],
)
def test_one_of_anything_has_no_components(shape, message):
    with pytest.raises(DlxError, match=message):
        variance_components(runs(np.zeros((*shape, 3, 4))))


def test_missing_combination_is_named():
    made = runs(np.zeros((2, 2, 2, 3, 4)))
    del made["model 1", "method 0", 11], made["model 1", "method 1", 10]
    with pytest.raises(DlxError, match=r"all 8 combinations .*, got 6; explain \('model 1', 'method 0', 11\) too"):
        variance_components(made)


@pytest.mark.parametrize(
    ("spoiled", "what"),
    [({"scale": "probability"}, "scale"), ({"background_id": "c"}, "background"), ({"index": LOANS[::-1]}, "row names")],
)
def test_design_that_is_not_aligned_is_refused(spoiled, what):
    made = runs(np.zeros((2, 2, 2, 3, 4)))
    made["model 1", "method 1", 11] = dataclasses.replace(made["model 1", "method 1", 11], **spoiled)
    with pytest.raises(AlignmentError, match=f"must share the {what}"):
        variance_components(made)
