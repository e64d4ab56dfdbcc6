"""Two columns at once: additive models give 0, products 1, and scikit-learn's partial dependence gives the same."""

from __future__ import annotations

import numpy as np
import pytest
import worlds
from sklearn.ensemble import RandomForestClassifier
from sklearn.inspection import partial_dependence as reference

from dlx.effects import friedman_h, pair_dependence, partial_dependence
from dlx.errors import DlxError
from dlx.model import BlackBox, wrap
from dlx.schema import Feature, Schema, SchemaError, Target
from dlx.stats import resampled_counts, tails

SCHEMA = Schema(
    (
        *(Feature(name) for name in ("x", "z", "w")),
        Feature("kind", "categorical", levels=("a", "b", "c"), missing=True),
    ),
    Target("y", "regression"),
)


def rows(count=60, seed=0):
    """Return random rows with columns centred on 0; some lack the category."""
    rng = np.random.default_rng(seed)
    made = np.column_stack([rng.normal(size=(count, 3)), rng.integers(3, size=count)]).astype(float)
    made[rng.random(count) < 0.2, 3] = np.nan
    made[:, :3] -= made[:, :3].mean(axis=0)
    return made


def model(score):
    """Return a model of a function of coded rows."""
    return BlackBox(lambda table: score(SCHEMA.encode(table)), SCHEMA, "score", scales=("value",))


def additive(coded):
    """Return a sum of one effect a column."""
    return coded[:, 0] ** 2 - 3 * coded[:, 1] + np.exp(coded[:, 2]) + np.nan_to_num(coded[:, 3], nan=5)


def product(coded):
    """Return a product of two columns and a little of the others."""
    return coded[:, 0] * coded[:, 1] + coded[:, 2]


def test_a_sum_has_no_interaction():
    table = friedman_h(model(additive), rows(), SCHEMA.names, scale="value")
    assert len(table) == 6
    assert table[["h", "h_high", "size", "size_high"]].to_numpy().max() < 1e-7


def test_a_product_is_nothing_but_interaction():
    table = friedman_h(model(product), rows(), ["w", "z", "x"], scale="value")
    assert (table["feature"][0], table["other_feature"][0]) == ("z", "x")
    assert table["h"][0] == pytest.approx(1, abs=1e-10)
    assert table["size"][0] == pytest.approx(np.sqrt(np.mean((rows()[:, 0] * rows()[:, 1] - _cross()) ** 2)), abs=1e-10)
    assert table["size_low"][0] < table["size"][0] < table["size_high"][0]
    assert table["h"][1:].max() < 1e-7


def _cross():
    return np.mean(rows()[:, 0] * rows()[:, 1])


@pytest.mark.parametrize("share", [0.0, 0.5, 2.0])
def test_a_sum_and_a_product_are_told_apart_by_their_spread(share):
    people = rows()
    mixed = model(lambda c: c[:, 0] + c[:, 1] + share * c[:, 0] * c[:, 1])
    found = friedman_h(mixed, people, ["x", "z"], scale="value")["h"][0]
    alone, together = people[:, 0] + people[:, 1], share * (people[:, 0] * people[:, 1] - _cross())
    assert found == pytest.approx(np.sqrt((together**2).mean() / ((alone + together) ** 2).mean()), abs=1e-10)


def test_h_is_that_of_scikit_learn_s_partial_dependence():
    case = worlds.table("numeric")
    fitted = RandomForestClassifier(4, max_depth=5, random_state=0).fit(case.frame, case.outcomes)
    people = case[:25]
    found = friedman_h(wrap(fitted, case.schema), people, ["age", "debt"], scale="probability")

    def at_people(features):
        columns = [people.frame[name].to_numpy() for name in features]
        values = {name: np.unique(column) for name, column in zip(features, columns, strict=True)}
        asked = {"method": "brute", "response_method": "predict_proba", "custom_values": values}
        places = tuple(np.searchsorted(values[name], column) for name, column in zip(features, columns, strict=True))
        mean = reference(fitted, people.frame, features, **asked)["average"][0][places]
        return mean - mean.mean()

    one, other, both = at_people(["age"]), at_people(["debt"]), at_people(["age", "debt"])
    assert found["h"][0] == pytest.approx(np.sqrt(((both - one - other) ** 2).sum() / (both**2).sum()), abs=1e-10)
    assert found["size"][0] == pytest.approx(np.sqrt(((both - one - other) ** 2).mean()), abs=1e-10)
    assert found["h"][0] > 0.05


def test_resampled_people_give_what_a_table_of_them_gives(monkeypatch):
    monkeypatch.setattr("dlx.stats.RESAMPLES", 30)
    people = rows(30)
    mixed = model(lambda c: additive(c) + 2 * product(c) * np.nan_to_num(c[:, 3], nan=5))
    found = friedman_h(mixed, people, ["x", "kind"], scale="value")
    again = []
    for weight in resampled_counts(30, seed=0) / 30:
        some = np.repeat(people, np.rint(weight * 30).astype(int), axis=0)
        again.append(friedman_h(mixed, some, ["x", "kind"], scale="value")["h"][0])
    assert found["h_low"][0] == pytest.approx(np.quantile(again, tails(30)[0]))
    assert found["h_high"][0] == pytest.approx(np.quantile(again, tails(30)[1]))


def test_a_model_that_does_not_react_has_no_h():
    table = friedman_h(model(lambda c: np.full(len(c), 3.0)), rows(), ["x", "z"], scale="value")
    assert np.isnan(table[["h", "h_low", "h_high"]].to_numpy()).all()
    assert table["size"][0] < 1e-12
    constant = rows()
    constant[:, 0] = 1.0
    constant[:, 3] = np.nan
    assert friedman_h(model(product), constant, SCHEMA.names, scale="value")["size"].max() < 1e-10


def test_people_are_sampled_down_and_counted():
    table = friedman_h(model(product), rows(50), ["x", "z"], scale="value", most_people=20)
    assert table["people"][0] == 20
    assert table["h"][0] == friedman_h(model(product), rows(50), ["x", "z"], scale="value", most_people=20)["h"][0]


@pytest.mark.parametrize("features", [("x", "z"), ("x", "kind"), ("kind", "w")])
def test_the_surface_of_a_pair_has_its_own_and_its_joint_part(features):
    people = rows()

    def score(coded):
        return additive(coded) + product(coded)

    found = pair_dependence(model(score), people, features, scale="value", grid_points=5)
    i, j = (SCHEMA.position(name) for name in features)
    for a, value in enumerate(found.grid):
        for b, other in enumerate(found.other_grid):
            changed = people.copy()
            changed[:, i], changed[:, j] = value, other
            assert found.mean[a, b] == pytest.approx(score(changed).mean(), abs=1e-10)
    one, other = (partial_dependence(model(score), people, name, scale="value", grid_points=5) for name in features)
    np.testing.assert_array_equal(found.grid, one.grid)
    np.testing.assert_array_equal(found.other_grid, other.grid)
    np.testing.assert_allclose(found.beyond, found.mean - one.mean[:, None] - other.mean + score(people).mean(), atol=1e-10)
    expected = np.outer(found.grid, found.other_grid) + _cross() if features == ("x", "z") else np.zeros(found.mean.shape)
    np.testing.assert_allclose(found.beyond, expected, atol=1e-10)


def test_people_are_counted_at_every_pair_of_values():
    people = rows()
    found = pair_dependence(model(product), people, ("x", "kind"), scale="value", grid_points=3)
    assert found.counts.sum() == len(people)
    assert found.counts.sum(axis=0).tolist() == [*((people[:, 3] == k).sum() for k in range(3)), np.isnan(people[:, 3]).sum()]
    few = pair_dependence(model(product), people, ("x", "kind"), scale="value", observed=people[:2])
    assert few.counts.sum() == 2
    frame = found.to_frame()
    assert len(frame) == 12 and set(frame["other_value"]) == {"a", "b", "c", "missing"}
    np.testing.assert_array_equal(frame["mean"], found.mean.ravel())


def test_bad_pairs_are_refused():
    one = model(product)
    with pytest.raises(DlxError, match="needs different columns, got x more than once"):
        pair_dependence(one, rows(), ("x", "x"), scale="value")
    with pytest.raises(DlxError, match="needs different columns, got z more than once"):
        friedman_h(one, rows(), ["z", "x", "z"], scale="value")
    with pytest.raises(DlxError, match="needs at least 2 columns, got 1"):
        friedman_h(one, rows(), ["z"], scale="value")
    with pytest.raises(DlxError, match="a pair has 2 columns, got 3: x, z, w"):
        pair_dependence(one, rows(), ("x", "z", "w"), scale="value")
    with pytest.raises(SchemaError, match="no feature 'nosuch'"):
        pair_dependence(one, rows(), ("x", "nosuch"), scale="value")
    with pytest.raises(DlxError, match="at least 1 row and 2 grid points, got 60 and 1"):
        pair_dependence(one, rows(), ("x", "z"), scale="value", grid_points=1)
    with pytest.raises(DlxError, match="at least 2 rows, got 1; pass more people"):
        friedman_h(one, rows(1), ["x", "z"], scale="value")


def test_one_person_a_constant_and_a_column_that_all_lack_make_small_surfaces():
    alone = pair_dependence(model(product), rows(1), ("x", "z"), scale="value")
    assert alone.mean.shape == (1, 1) and alone.beyond[0, 0] == pytest.approx(0)
    people = rows()
    people[:, 0], people[:, 3] = 1.0, np.nan
    found = pair_dependence(model(product), people, ("x", "kind"), scale="value")
    assert found.mean.shape == (1, 4) and np.isnan(found.other_grid[-1])
    assert found.counts.tolist() == [[0, 0, 0, 60]]


def test_of_many_levels_the_most_common_are_drawn_and_set_together():
    schema = Schema(
        (Feature("kind", "categorical", levels=tuple(map(str, range(50))), dtype="int64"), Feature("x")),
        Target("y", "regression"),
    )
    many = BlackBox(lambda table: table["kind"].astype(float) + table["x"], schema, "sum", scales=("value",))
    codes = np.repeat(np.arange(50.0), np.arange(50) // 2 + 1)  # the later, the more people
    people = np.column_stack([codes, np.linspace(0, 1, len(codes))])
    curve = partial_dependence(many, people, "kind", scale="value")
    assert len(curve.grid) == 50
    np.testing.assert_array_equal(curve.of_common_levels.grid, np.arange(30, 50))
    np.testing.assert_array_equal(curve.of_common_levels.curves, curve.curves[:, 30:])
    pair = pair_dependence(many, people, ("kind", "x"), scale="value")
    np.testing.assert_array_equal(pair.grid, np.arange(30, 50))
    assert pair.counts.sum() == (codes >= 30).sum()
    np.testing.assert_allclose(pair.beyond, 0, atol=1e-9)
