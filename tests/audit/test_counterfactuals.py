"""Recourse: what it finds is what trying everything finds, and what may not change does not."""

from __future__ import annotations

import functools
import sys
from itertools import combinations, product
from pathlib import Path

import numpy as np
import pytest
import worlds
from scipy.spatial.distance import cdist
from scipy.stats import binomtest

from dlx.arrays import same
from dlx.audit.counterfactuals import ActionSet, RecourseError, column_shifts, denied, recourse
from dlx.audit.counterfactuals.plausibility import Neighbourhood
from dlx.background import ScaledManhattan
from dlx.dataset import Dataset
from dlx.errors import DlxError
from dlx.model import wrap
from dlx.schema import Feature, Schema, SchemaError, Target

LEVELS = ("none", "some", "much")
SCHEMA = Schema(
    (
        Feature("duration", unit="months", actionable=True),
        Feature("savings", "categorical", levels=LEVELS, ordered=True, actionable=True, direction="up"),
        Feature("plans", "categorical", levels=("none", "shop", "bank"), actionable=True, direction="down"),
        Feature("age", protected=True),
        Feature("job", "categorical", levels=("a", "b")),
    ),
    Target("bad", levels=("no", "yes"), threshold=0.4),
)
FREE = {"duration": "any", "savings": "up", "plans": "down"}


@functools.cache
def case(count=120, seed=0):
    rng = np.random.default_rng(seed)
    columns = [rng.integers(2, 14, count) * 3.0, rng.integers(3, size=count), rng.integers(3, size=count)]
    rows = np.column_stack([*columns, rng.normal(40, 9, count), rng.integers(2, size=count)]).astype(float)
    return Dataset(SCHEMA, rows, (rng.random(count) < 0.4).astype(float), index=np.array([f"p{i}" for i in range(count)]))


def logit(table):
    savings = table["savings"].map({"none": 1.2, "some": 0.4, "much": -0.8})
    return table["duration"] / 12 - 1.6 + savings + 0.7 * (table["plans"] == "bank") + 0.02 * (40 - table["age"])


def model(scale="logit"):
    return wrap(logit, SCHEMA, name="rule", scale=scale)


def everything(person, threshold=0.4):
    """Return every person whom the allowed values make of one, by hand [changed, features]."""
    duration, accepted = case().rows[:, 0], model().predict(case(), "probability") < threshold
    low, high = np.quantile(duration, (0.01, 0.99)), np.quantile(duration[accepted], (0.01, 0.99))
    farthest = 2 * np.clip(duration, *low).std()
    allowed = np.unique(duration[(duration >= max(low[0], high[0])) & (duration <= min(low[1], high[1]))])
    durations = np.union1d(allowed[abs(allowed - person[0]) <= farthest], person[0])
    savings, plans = range(int(person[1]), 3), range(int(person[2]) + 1)
    return np.array([[d, s, p, *person[3:]] for d, s, p in product(durations, savings, plans)], dtype=float)


@functools.cache
def crowd_of_case():
    return Neighbourhood(ScaledManhattan.fit(case()), case().rows)


@functools.cache
def told(**asked):
    return recourse(model(), denied(model(), case()), observed=case(), **asked)


def by_hand(person, threshold, margin=0.1):
    """Return the sets of columns that suffice and hold no smaller one, each with the least distance of a plausible person."""
    crowd, metric = crowd_of_case(), crowd_of_case().distance
    changed = everything(person, threshold)
    limit = max(crowd.limit, crowd.to_fifth(person[None])[0])
    enough = model().predict(changed, "logit") <= np.log((1 - margin) * threshold / (1 - threshold))
    good = changed[enough & (crowd.to_fifth(changed) <= limit)]
    best = {}
    for row in good:
        columns = tuple(np.flatnonzero(row != person))
        best[columns] = min(best.get(columns, np.inf), metric.between(person, row[None])[0])
    return {c: d for c, d in best.items() if not any(set(other) < set(c) for other in best)}


@pytest.mark.parametrize("threshold", [0.3, 0.4, 0.6])
def test_what_is_found_is_what_trying_everything_finds(threshold):
    people = denied(model(), case(), threshold=threshold)
    found = recourse(model(), people, observed=case(), threshold=threshold, wanted=10)
    assert 20 < len(people) == len(found.answers)
    for answer in found.answers:
        truth = by_hand(answer.row, threshold)
        told = {tuple(SCHEMA.position(n) for n in one.columns): one.distance for one in answer.counterfactuals}
        assert set(told) == set(truth)
        assert all(told[c] == pytest.approx(truth[c], abs=1e-9) for c in truth)
        assert bool(truth) == bool(answer.counterfactuals)


def test_the_first_changes_the_fewest_columns_and_is_the_closest_and_the_others_differ():
    for answer in told().answers:
        truth = by_hand(answer.row, 0.4)
        if not truth:
            continue
        first = answer.counterfactuals[0]
        assert (len(first.columns), first.distance) == pytest.approx(min((len(c), d) for c, d in truth.items()))
        sets = [one.columns for one in answer.counterfactuals]
        assert len(set(sets)) == len(sets) == min(3, len(truth))


def test_every_change_is_allowed_verified_and_observed():
    found = told()
    table = found.to_frame()
    assert set(table["column"]) <= set(FREE)
    for answer in found.answers:
        for one in answer.counterfactuals:
            assert model().predict(one.row[None], "probability")[0] == one.risk < 0.4
            assert one.row[1] >= answer.row[1] and one.row[2] <= answer.row[2]
            assert all(one.row[i] in case().rows[:, i] for i in range(3))
            assert tuple(SCHEMA.names[i] for i in np.flatnonzero(~same(one.row, answer.row))) == one.columns
    assert found.best().rows.shape == (found.found.sum(), 5)


def test_where_there_is_none_the_lowest_risk_in_reach_is_that_of_trying_everything():
    found = recourse(model(), denied(model(), case(), threshold=0.15), observed=case(), threshold=0.15)
    boundary = found.boundary().set_index("person")
    assert 0 < len(boundary) < len(found.answers)
    for answer in found.answers:
        if not answer.counterfactuals and not answer.only_implausible:
            lowest = model().predict(everything(answer.row, 0.15), "probability").min()
            assert boundary.loc[answer.person, "lowest_risk"] == pytest.approx(lowest)
            assert (
                boundary.loc[answer.person, "exhausted_columns"]
                == answer.columns_that_may_change
                == boundary.loc[answer.person].iloc[4]
            )


def test_a_change_that_nobody_real_is_like_is_none():
    """Real people stand on a ring, and what would suffice is its middle: no column alone tells, and no correlation."""
    schema = Schema((Feature("a", actionable=True), Feature("b", actionable=True)), Target("y", levels=("n", "y")))
    angle = np.random.default_rng(0).uniform(0, 2 * np.pi, size=400)
    data = Dataset(schema, np.column_stack([np.cos(angle), np.sin(angle)]), None)
    middle = wrap(lambda t: 9 * (t["a"] ** 2 + t["b"] ** 2 - 0.3), schema, name="middle", scale="logit")
    found = recourse(middle, denied(middle, data)[:20], observed=data)
    assert not found.found.any() and all(answer.only_implausible for answer in found.answers)
    assert found.boundary()["only_implausible"].all()
    assert (found.boundary()["lowest_risk"] < 0.5).all()


def test_too_many_combinations_are_searched_with_a_beam(monkeypatch):
    from dlx.audit.counterfactuals import search

    full = told()
    monkeypatch.setattr(search, "LEVEL_ROWS", 4)
    beam = recourse(model(), denied(model(), case()), observed=case())
    assert max(answer.exhausted_columns for answer in beam.answers) < 3
    assert (beam.found == full.found).mean() > 0.9


def test_a_number_moves_no_farther_than_to_the_nearest_observed_value_that_suffices():
    schema = Schema((Feature("debt", actionable=True), Feature("age")), Target("y", levels=("n", "y")))
    rows = np.random.default_rng(0).normal(size=(400, 2))
    data = Dataset(schema, rows, None)
    rule = wrap(lambda t: t["debt"] - 0.3 + 0.2 * t["age"], schema, name="rule", scale="logit")
    written = np.round(rows[:, 0], 2)
    highest = np.quantile(rows[rule.predict(data, "probability") < 0.5, 0], 0.99)
    for answer in recourse(rule, denied(rule, data)[:30], observed=data).answers:
        enough = written[(written - 0.3 + 0.2 * answer.row[1] < np.log(0.9)) & (written <= highest)]
        assert answer.counterfactuals[0].row[0] == enough.max()


def test_a_net_and_trees_have_recourse_with_missing_values_left_alone():
    data = worlds.table("mixed")
    for kind in ("net", "boosted", "forest", "linear"):
        some = worlds.model(kind, "mixed")
        people = denied(some, data)[:15]
        found = recourse(some, people, observed=data, actionable={"income": "up", "age": "down", "housing": "any"})
        assert found.found.any()
        for answer in found.answers:
            for one in answer.counterfactuals:
                assert some.predict(one.row[None], "probability")[0] < 0.5
                assert (np.isnan(one.row) == np.isnan(answer.row)).all()
                assert one.row[3] == answer.row[3] and one.row[2] <= answer.row[2]


def test_what_goes_missing_with_a_level_goes_with_it():
    schema = Schema(
        (
            Feature("smokes", "categorical", levels=("no", "yes"), actionable=True, direction="down"),
            Feature("cigarettes", missing=True, actionable=True, direction="down"),
        ),
        Target("ill", levels=("n", "y")),
    )
    rng = np.random.default_rng(0)
    smokes = rng.integers(2, size=200).astype(float)
    rows = np.column_stack([smokes, np.where(smokes == 1, rng.integers(1, 30, size=200), np.nan)])
    data = Dataset(schema, rows, None)
    risky = wrap(lambda t: 0.1 + 0.8 * (t["smokes"] == "yes"), schema, name="risky", scale="probability")
    assert ActionSet.of(data).implied == ((0, 0.0, 1),)
    for answer in recourse(risky, denied(risky, data)[:10], observed=data).answers:
        assert answer.counterfactuals[0].row[0] == 0 and np.isnan(answer.counterfactuals[0].row[1])


def test_the_distance_is_the_sum_of_what_differs():
    data, metric = case(), ScaledManhattan.fit(case())
    one, other = data.rows[3], data.rows[8]
    spread = data.rows.std(axis=0)
    by_column = (
        abs(one - other)[[0, 3]] / spread[[0, 3]],
        abs(one[1] - other[1]) / 2,
        float(one[2] != other[2]),
        float(one[4] != other[4]),
    )
    assert metric.between(one, other[None])[0] == pytest.approx(by_column[0].sum() + sum(by_column[1:]))


def test_loneliness_is_the_distance_to_the_fifth_nearest():
    data = worlds.table("mixed")
    crowd = Neighbourhood(ScaledManhattan.fit(data), data.rows)
    places = crowd.distance.points(data.rows)
    among = np.sort(cdist(places, places, "cityblock"), axis=1)
    assert crowd.limit == pytest.approx(np.quantile(among[:, 5], 0.95))
    assert crowd.to_fifth(data.rows[:9]) == pytest.approx(among[:9, 4])


def test_summary_counts_with_intervals():
    found = told()
    table = found.summary().set_index("measure")
    first = [answer.counterfactuals[0] for answer in found.answers if answer.counterfactuals]
    wilson = binomtest(len(first), len(found.answers)).proportion_ci(method="wilson")
    share = table.loc["share_with_recourse"]
    assert tuple(share[["estimate", "low", "high"]]) == pytest.approx(
        (len(first) / len(found.answers), wilson.low, wilson.high)
    )
    assert table.loc["median_columns_changed", "estimate"] == np.median([len(one.columns) for one in first])
    assert table.loc["mean_distance", "estimate"] == pytest.approx(np.mean([one.distance for one in first]))
    by_column = found.by_column().set_index("column")
    ways = [answer.counterfactuals for answer in found.answers if answer.counterfactuals]
    changed = np.mean([any("savings" in one.columns for one in some) for some in ways])
    assert by_column.loc["savings", "estimate"] == pytest.approx(changed)


def test_a_change_transfers_where_the_other_model_grants_it():
    found = told()
    strict = wrap(lambda t: logit(t) + 1, SCHEMA, name="strict", scale="logit")
    kind = wrap(lambda t: logit(t) - 9, SCHEMA, name="kind", scale="logit")
    table = found.transferability([model(), strict, kind]).set_index("other")
    assert table.loc["rule", "granted"] == 1 and table.loc["rule", "people"] == found.found.sum()
    assert table.loc["strict", "granted"] == (strict.predict(found.best().rows, "probability") < 0.4).mean()
    assert table.loc["kind", "people"] == 0 and np.isnan(table.loc["kind", "granted"])


def test_the_association_of_a_column_is_the_mean_difference_when_it_is_moved():
    people = denied(model(), case())
    table = column_shifts(model(), people, observed=case()).set_index(["column", "direction"])
    quartile = np.quantile(case().rows[:, 0], 0.25, method="nearest")
    moved = people.rows[people.rows[:, 0] > quartile].copy()
    before = model().predict(moved, "probability")
    moved[:, 0] = quartile
    line, after = table.loc[("duration", "down")], model().predict(moved, "probability")
    assert (line["people"], line["change"]) == (len(moved), pytest.approx((after - before).mean()))
    assert line["low"] < line["change"] < line["high"]
    assert table.loc[("savings", "up"), "to"] == "much" and table.loc[("plans", "down"), "to"] == "none"
    assert ("duration", "up") in table.index and ("plans", "up") not in table.index


@pytest.mark.parametrize(
    ("asked", "problem", "error"),
    [
        ({"actionable": {}}, "none is actionable; set actionable = true", RecourseError),
        ({"actionable": {"age": "any"}}, "'age' is protected and must not be changed", RecourseError),
        (
            {"actionable": {"savings": "sideways"}},
            "direction of 'savings' must be 'any', 'up' or 'down', got 'sideways'",
            RecourseError,
        ),
        ({"actionable": {"salary": "up"}}, "no feature 'salary'", SchemaError),
        ({"threshold": 0.0}, "threshold must lie between 0 and 1", RecourseError),
        ({"threshold": 1.2}, "threshold must lie between 0 and 1", RecourseError),
        ({"threshold": float("nan")}, "threshold must lie between 0 and 1", RecourseError),
        ({"wanted": 0}, "wanted and most_columns must be at least 1", RecourseError),
    ],
)
def test_a_question_that_cannot_be_asked_is_refused(asked, problem, error):
    with pytest.raises(error, match=problem):
        recourse(model(), denied(model(), case()), observed=case(), **asked)


def test_who_is_not_denied_or_nobody_is_said_so():
    granted = case()[model().predict(case(), "probability") < 0.4]
    with pytest.raises(RecourseError, match=r"person p\d+ has a probability of 0\.\d+ by rule, below 0.4; choose people with"):
        recourse(model(), granted, observed=case())
    nobody = denied(wrap(lambda t: logit(t) - 99, SCHEMA, name="kind", scale="logit"), case())
    assert len(nobody) == 0
    with pytest.raises(RecourseError, match=r"rule denies nobody here at 0\.4"):
        recourse(model(), nobody, observed=case())


@pytest.mark.parametrize(
    ("field", "problem"), [({"direction": "sideways"}, "direction must be"), ({"level_reasons": ["x"]}, "1 level_reasons")]
)
def test_a_schema_with_an_odd_direction_or_too_few_words_is_refused(field, problem):
    entry = {"name": "savings", "kind": "categorical", "levels": list(LEVELS)} | field
    with pytest.raises(SchemaError, match=problem):
        Schema.from_dict({"features": [entry], "target": {"name": "bad", "levels": ["no", "yes"]}})


def test_directions_and_words_do_not_change_what_codes_mean():
    plain = Schema(
        tuple(Feature(f.name, f.kind, levels=f.levels, ordered=f.ordered, unit=f.unit) for f in SCHEMA.features), SCHEMA.target
    )
    assert plain.sha256 == SCHEMA.sha256 and plain.features != SCHEMA.features
    assert Schema.from_dict(SCHEMA.to_dict()) == SCHEMA


def test_dice_finds_no_more_and_what_it_finds_is_valid_too():
    sys.path.insert(0, str(Path(__file__).parents[2] / "experiments"))
    from recourse_against_dice import contest, summary

    some = worlds.model("linear", "numeric")
    schema = Schema(tuple(Feature(n, actionable=n != "idle") for n in worlds.NUMERIC.names), worlds.TARGET)
    data = Dataset(schema, worlds.table("numeric").rows, worlds.table("numeric").outcomes)
    told = summary(contest(data, some, denied(some, data.test)[:3])).set_index("method")
    assert told.loc["dlx", "found"] == told.loc["dlx", "people"] >= told.loc["DiCE genetic", "found"]
    assert told.loc["dlx", "valid"] == told.loc["dlx", "counterfactuals"] > 0
    assert told.loc["dlx", "median_columns"] <= told.loc["DiCE genetic", "median_columns"]
    assert told.loc["dlx", "times_as_fast"] > 1


def test_every_pair_of_sizes_is_tried_in_order():
    """The search stops at the size at which enough was found: no larger set is told than is needed."""
    for answer in told(wanted=1).answers:
        sizes = [len(c) for c in by_hand(answer.row, 0.4)]
        if sizes:
            assert len(answer.counterfactuals) == 1 and len(answer.counterfactuals[0].columns) == min(sizes)
            assert (
                answer.exhausted_columns == min(sizes)
                and answer.evaluations < 1 + sum(1 for k in (1, 2, 3) for _ in combinations(range(3), k)) * 200
            )


def test_rows_without_a_schema_are_refused_with_the_remedy():
    case, model = worlds.table("mixed"), worlds.model("boosted", "mixed")
    for ask in (
        lambda: denied(model, case.frame),
        lambda: recourse(model, case.frame, observed=case),
        lambda: recourse(model, denied(model, case)[:1], observed=case.rows),
    ):
        with pytest.raises(DlxError, match=r"must be a Dataset, got \w+; make one with dlx.dataset.from_frame"):
            ask()
