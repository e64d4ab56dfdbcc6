"""The door for models: what is wrapped predicts what the user's own model predicts, or is refused in a line."""

from __future__ import annotations

import copy
import functools
import re

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.special import expit, logit
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier
from torch import nn
from torch.nn import functional

import dlx
from dlx.encoder import Encoder
from dlx.errors import DlxError
from dlx.model import FidelityError, NeuralModel, ScaleError, wrap
from dlx.schema import Feature, Schema, Target

pytestmark = pytest.mark.doors
ROWS = 240
NAMES = ("a", "b", "c")
NUMBERS = Schema(tuple(map(Feature, NAMES)), Target("y", levels=("0", "1")))
VALUES = Schema(NUMBERS.features, Target("y", "regression"))


@functools.cache
def mixed():
    """A table with a column of each dtype that people have, and an outcome in words that sorts the other way."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "region": rng.integers(1, 5, ROWS),
            "owner": rng.random(ROWS) < 0.5,
            "age": rng.normal(40, 9, ROWS),
            "children": rng.integers(0, 4, ROWS),
            "job": rng.choice(["clerk", "smith", "none"], ROWS),
            "grade": pd.Categorical(rng.choice(["low", "mid", "top"], ROWS), ["low", "mid", "top", "never"], ordered=True),
        }
    )
    score = np.where(table["owner"], 1.5, -1.5) + 0.1 * (table["age"] - 40) + (table["region"] == 3)
    table["result"] = np.where(score + rng.normal(size=ROWS) > 0, "bad", "good")
    schema = dlx.infer_schema(table, "result", positive="bad")
    region = Feature("region", kind="categorical", levels=("1", "2", "3", "4"))
    schema = Schema((region, *schema.features[1:]), schema.target)
    return table, dlx.from_frame(table, schema)


def pipeline(model):
    words = make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore"))
    columns = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["region", "owner"]), (words, ["job"]), (OrdinalEncoder(), ["grade"]),
        remainder="passthrough",
    )  # fmt: skip
    return make_pipeline(columns, model)


def shapley(predict, person, background):
    """Brute force over all coalitions of the columns of tables, through the user's own predict."""
    import itertools
    import math

    width, worth = person.shape[1], {}
    for members in itertools.product([False, True], repeat=width):
        mixed_rows = background.copy()
        for column, joins in zip(person.columns, members, strict=True):
            if joins:
                mixed_rows[column] = person[column].iloc[np.zeros(len(background), dtype=int)].to_numpy()
        worth[members] = predict(mixed_rows.astype(background.dtypes)).mean()
    values = np.zeros(width)
    for j, members in itertools.product(range(width), worth):
        if not members[j]:
            size = sum(members)
            joined = (*members[:j], True, *members[j + 1 :])
            values[j] += (
                math.factorial(size)
                * math.factorial(width - size - 1)
                / math.factorial(width)
                * (worth[joined] - worth[members])
            )
    return values


# Dtypes, columns, categories


@pytest.mark.parametrize("check", ["case", "schema", "frame"])
def test_a_pipeline_sees_the_table_that_it_was_fitted_on(check):
    table, case = mixed()
    frame = table.drop(columns="result")
    fitted = pipeline(LogisticRegression(max_iter=1000)).fit(frame, table["result"])
    truth = fitted.predict_proba(frame)[:, list(fitted.classes_).index("bad")]
    model = {
        "case": lambda: wrap(fitted, case),
        "schema": lambda: wrap(fitted, case.schema),
        "frame": lambda: wrap(fitted, case.schema, check=table),
    }[check]()
    assert model.target == "bad"
    for rows in (case, table, frame, case.rows):
        np.testing.assert_allclose(model.predict(rows, "probability"), truth, atol=1e-12)
    made = dlx.explain(model, case[:2], method="exact_shapley", background=case[10:16], scale="probability")
    np.testing.assert_allclose(made.outputs, truth[:2])
    expected = shapley(lambda t: fitted.predict_proba(t)[:, 0], frame.iloc[[0]], frame.iloc[10:16])
    np.testing.assert_allclose(made.values[0], expected, atol=1e-9)


def test_a_schema_by_hand_takes_the_dtypes_of_the_rows_or_says_that_it_has_none():
    table, case = mixed()
    by_hand = Schema(
        tuple(Feature(f.name, kind=f.kind, levels=f.levels, ordered=f.ordered) for f in case.schema.features),
        case.schema.target,
    )
    frame = table.drop(columns="result")
    fitted = pipeline(LogisticRegression(max_iter=1000)).fit(frame, table["result"])
    model = wrap(fitted, by_hand)
    np.testing.assert_allclose(model.predict(frame, "probability"), fitted.predict_proba(frame)[:, 0])
    made = dlx.explain(model, frame[:3], method="exact_shapley", background=frame[5:9], scale="probability")
    np.testing.assert_allclose(made.outputs, fitted.predict_proba(frame[:3])[:, 0])
    with pytest.raises(DlxError, match="does Pipeline read 'region' as 1, 2, 3 or as text"):
        model.predict(case.rows, "probability")


@pytest.mark.parametrize(
    "read",
    [
        lambda t: pd.get_dummies(t, columns=["region", "owner"]).filter(like="region_").to_numpy(float) @ [0.1, 0.2, 0.3, 0.4],
        lambda t: np.where(t["owner"], 0.9, 0.1),  # "False" would be true
        lambda t: (t["region"] == 3) * 0.5,
        lambda t: t["grade"].cat.codes / 4 + 0.25,
        lambda t: (t["grade"] >= "mid") * 0.5,
        lambda t: t["children"] / 7,
        lambda t: t.iloc[:, 2] / 100,
        lambda t: t.select_dtypes("bool").mean(axis=1) * 0.3 + (t["job"] == "smith") * 0.2,
    ],
)
def test_a_function_sees_integers_booleans_categories_and_the_order_of_the_columns(read):
    table, case = mixed()
    frame = table.drop(columns="result")
    for model in (wrap(read, case), wrap(read, case.schema)):
        np.testing.assert_allclose(model.predict(case.rows, "probability"), read(frame))
        np.testing.assert_allclose(model.predict(frame[frame.columns[::-1]], "probability"), read(frame))


def test_an_estimator_of_arrays_reads_arrays_and_one_of_some_columns_reads_these():
    table, case = mixed()
    numeric = dlx.from_frame(table, Schema(tuple(map(Feature, ("age", "children"))), case.schema.target))
    of_array = LogisticRegression().fit(table[["age", "children"]].to_numpy(), table["result"])
    np.testing.assert_allclose(
        wrap(of_array, numeric).predict(numeric, "probability"),
        of_array.predict_proba(table[["age", "children"]].to_numpy())[:, 0],
    )
    other_order = LogisticRegression().fit(table[["children", "age"]], table["result"])
    np.testing.assert_allclose(
        wrap(other_order, case).predict(case, "probability"), other_order.predict_proba(table[["children", "age"]])[:, 0]
    )
    with pytest.raises(DlxError, match="reads columns that the table lacks: children; the table has age"):
        wrap(other_order, Schema((Feature("age"),), case.schema.target))
    with pytest.raises(DlxError, match="was fitted on 2 columns, but the table has 6"):
        wrap(of_array, case)


@pytest.mark.parametrize("kind", ["binary", "regression"])
def test_an_estimator_of_a_datasets_codes_is_told_from_one_of_its_numbers(kind):
    from sklearn.ensemble import ExtraTreesRegressor

    rng = np.random.default_rng(0)
    table = pd.DataFrame({"grade": rng.integers(1, 6, ROWS), "age": rng.normal(size=ROWS), "owner": rng.random(ROWS) < 0.5})
    worth = (table["grade"] % 2) * 3 + table["age"] + rng.normal(size=ROWS) / 9
    table["y"] = worth if kind == "regression" else (worth > 1.5)
    case = dlx.from_frame(table, dlx.infer_schema(table, "y", categorical=["grade"]))
    frame = table.drop(columns="y")
    grower = ExtraTreesRegressor if kind == "regression" else RandomForestClassifier
    for_numbers = grower(20, random_state=0).fit(frame.to_numpy(), table["y"])
    model, scale = wrap(for_numbers, case), "value" if kind == "regression" else "probability"
    own = for_numbers.predict(frame.to_numpy()) if kind == "regression" else for_numbers.predict_proba(frame.to_numpy())[:, 1]
    np.testing.assert_allclose(model.predict(case, scale), own)
    for_codes = grower(20, random_state=0).fit(case.rows, case.outcomes)
    with pytest.raises(DlxError, match=r"was fitted on the codes 0, 1, ... of .grade., .*model.predict.*encode\(t\)\)"):
        wrap(for_codes, case)
    held = wrap(lambda t: getattr(for_codes, model.behind.function.method)(case.schema.encode(t)), case)
    np.testing.assert_allclose(held.predict(case, scale), held.predict(case.rows, scale))


def test_columns_that_are_set_aside_go_along_with_the_person():
    table = mixed()[0][["age", "children", "result"]].copy()
    table.insert(1, "customer", [f"c{i}" for i in range(ROWS)])
    schema = dlx.infer_schema(table.drop(columns="customer"), "result", positive="bad")
    schema = Schema(schema.features, schema.target, (dlx.schema.Carried("customer", 1, "an id"),))
    case = dlx.from_frame(table, schema)
    bonus = {f"c{i}": 0.1 * (i % 3) for i in range(ROWS)}

    def known(t):
        assert list(t.columns) == ["age", "customer", "children"]
        return expit((t["age"] - 40) / 9) * 0.5 + t["customer"].map(bonus)

    model = wrap(known, case)
    assert model.carried == ("customer",)
    np.testing.assert_allclose(model.predict(table, "probability"), known(table[["age", "customer", "children"]]))
    made = dlx.explain(model, case[:6], method="exact_shapley", background=case[20:40], scale="probability")
    assert made.carried == ("customer",)
    share = expit((table["age"] - 40) / 9) * 0.5
    np.testing.assert_allclose(made.values[:, 0], share[:6] - share[20:40].mean(), atol=1e-12)
    np.testing.assert_allclose(made.base_values, share[20:40].mean() + table["customer"][:6].map(bonus), atol=1e-12)
    with pytest.raises(DlxError, match="reads customer too"):
        dlx.explain(model, case.rows[:3], method="exact_shapley", background=case, scale="probability")
    without = wrap(lambda t: expit((t["age"] - 40) / 9), case)
    assert without.carried == () and len(without.predict(case.rows, "probability")) == ROWS


def test_a_column_that_is_demanded_but_not_looked_at_is_nobody_s_and_hinders_nothing():
    table = mixed()[0].assign(customer=[f"c{i}" for i in range(ROWS)])
    names = [name for name in table if name != "result"]
    columns = make_column_transformer((StandardScaler(), ["age", "children"]), remainder="drop")
    pipeline = make_pipeline(columns, LogisticRegression()).fit(table[names], table["result"])
    case = dlx.from_frame(table, dlx.infer_schema(table, "result", positive="bad"))
    assert [column.name for column in case.schema.carried] == ["customer"]
    model, column = wrap(pipeline, case), list(pipeline.classes_).index("bad")
    right = pipeline.predict_proba(table[names])[:, column]
    np.testing.assert_allclose(model.predict(case, "probability"), right)
    np.testing.assert_allclose(model.predict(case.rows, "probability"), right)
    made = dlx.explain(model, case.rows[:4], method="exact_shapley", background=case[20:40], scale="probability")
    assert made.carried == () and len(dlx.partial_dependence(model, case[:20], "age", scale="probability").mean)


def test_a_stand_in_never_changes_a_prediction():
    table = mixed()[0][["age", "children", "result"]].assign(note=["plain"] * (ROWS - 1) + ["fraud"])
    known = dlx.infer_schema(table.drop(columns="note"), "result", positive="bad")
    schema = Schema(known.features, known.target, (dlx.schema.Carried("note", 2, "free text"),))
    case = dlx.from_frame(table, schema)

    def rarely(t):
        return expit((t["age"] - 40) / 9) * 0.5 + 0.5 * (t["note"] == "fraud")

    model = wrap(rarely, case, check=case[: ROWS // 2])
    people = case[ROWS - 3 :]
    made = dlx.explain(model, people, method="exact_shapley", background=case[:20], scale="probability")
    np.testing.assert_allclose(made.outputs, rarely(table)[-3:])
    assert made.carried == ("note",)


def beside(column, *, carried=False, **options):
    """A case of a number and one more column, which is a feature or set aside."""
    table = pd.DataFrame({"a": np.random.default_rng(0).normal(size=ROWS), "z": column})
    table["y"] = np.where(table["a"] > 0, "p", "n")
    case = dlx.from_frame(table, dlx.infer_schema(table, "y", **options))
    assert ("z" not in case.schema.names) == carried
    return table[["a", "z"]], case


DRAWN = np.random.default_rng(2)


@pytest.mark.parametrize(
    ("column", "read", "options"),
    [
        (DRAWN.choice([np.nan, 1.0, 2.0], ROWS), lambda t: t["z"].map(float).fillna(0) * (t["z"].dtype == float) / 4, ["z"]),
        (pd.Series(DRAWN.choice(["u", "v"], ROWS), dtype=object), lambda t: (t["z"].dtype == object) * 0.3 + 0 * t["a"], []),
        (pd.Series(DRAWN.choice(["u", None], ROWS), dtype=object), lambda t: t.select_dtypes("object")["z"].isna() * 0.3, []),
    ],
    ids=["levels with gaps", "objects", "objects with None"],
)  # fmt: skip
def test_levels_keep_the_dtype_of_their_column(column, read, options):
    table, case = beside(column, categorical=options)
    for rows in (case, case.rows):
        np.testing.assert_allclose(wrap(read, case).predict(rows, "probability"), read(table))


@pytest.mark.parametrize(
    ("column", "read"),
    [
        (pd.Series([f"c{i:03}" for i in range(ROWS)], dtype="category"), lambda t: t["z"].cat.codes / ROWS),
        (pd.Series(["k"] * ROWS, dtype="category"), lambda t: t["z"].cat.codes + 0.5),
        (pd.Series(pd.period_range("2000-01", periods=ROWS, freq="M")), lambda t: t["z"].dt.month / 13),
        (pd.Series([f"{i} of {i} words" if i % 5 else None for i in range(ROWS)]), lambda t: t["z"].str.len().fillna(0) / 50),
        (pd.Series([7] * ROWS, dtype="Int64"), lambda t: (t["z"].dtype == "Int64") * 0.3 + 0 * t["a"]),
        (pd.Series([None] * ROWS, dtype=object), lambda t: (t["z"].dtype == object) * 0.3 + 0 * t["a"]),
    ],
    ids=["ids", "a constant", "months", "free text with gaps", "Int64", "nothing"],
)  # fmt: skip
def test_columns_that_are_set_aside_keep_their_dtype(column, read):
    table, case = beside(column, carried=True)
    model = wrap(read, case)
    np.testing.assert_allclose(model.predict(case, "probability"), read(table))
    made = dlx.explain(model, case[:6], method="exact_shapley", background=case[7:12], scale="probability")
    np.testing.assert_allclose(made.outputs, read(table)[:6])
    np.testing.assert_allclose(made.values, 0, atol=1e-12)


@pytest.mark.parametrize(
    ("column", "read"),
    [
        (pd.Series(pd.to_datetime("2020-01-01") + pd.to_timedelta(range(ROWS), "D")), lambda t: t["z"].dt.month / 13),
        (pd.Series(pd.date_range("2020-01-01", periods=ROWS, freq="h", tz="Europe/Berlin")), lambda t: t["z"].dt.hour / 24),
    ],
    ids=["dates", "dates of a zone"],
)  # fmt: skip
def test_dates_are_features_that_keep_their_dtype(column, read):
    table, case = beside(column)
    model = wrap(read, case)
    for rows in (case, case.rows):
        np.testing.assert_allclose(model.predict(rows, "probability"), read(table))
    made = dlx.explain(model, case[:6], method="exact_shapley", background=case[7:12], scale="probability")
    np.testing.assert_allclose(made.values[:, 1], read(table)[:6] - read(table)[7:12].mean())


def test_a_column_of_which_dlx_does_not_hold_all_is_refused_with_what_to_do():
    bands = pd.cut(np.random.default_rng(0).normal(size=ROWS), 5)
    table, case = beside(bands)
    codes = wrap(lambda t: t["z"].cat.codes / 10, case)
    np.testing.assert_allclose(codes.predict(case, "probability"), table["z"].cat.codes / 10)
    message = "'z' as category of string where the table holds category of interval; .* convert it in the table"
    with pytest.raises(FidelityError, match=message):
        wrap(lambda t: t["z"].map(lambda band: band.mid).astype(float) / 20 + 0.5, case)


@pytest.mark.parametrize(
    ("base", "effect", "noise"), [(1e9, 1e3, 100.0), (0.0, 1e-7, 1e-8), (0.0, 1e-12, 1e-13), (1e6, 1.0, 0.5)]
)
def test_values_of_any_size_are_held_to_what_they_differ_by(base, effect, noise):
    case, rng = dlx.from_frame(pd.DataFrame(PEOPLE, columns=list(NAMES)), VALUES), np.random.default_rng(5)
    with pytest.raises(FidelityError, match="depends on the rows beside it") as refused:
        wrap(lambda t: base + effect * t["a"] + noise * rng.normal(size=len(t)), case)
    predicted, itself = re.search(r"it predicts ([^,]*), .* itself (.*) \(value\)", str(refused.value)).groups()
    assert predicted != itself
    steady = wrap(lambda t: base + effect * t["a"], case)
    np.testing.assert_allclose((steady.predict(case, "value") - base) / effect, PEOPLE[:, 0], rtol=1e-6, atol=1e-6)
    grown = HistGradientBoostingRegressor(max_iter=5, min_samples_leaf=2).fit(PEOPLE, base + effect * PEOPLE[:, 0])
    model = dlx.wrap_trees(grown, case)
    grown.fit(PEOPLE, base - effect * PEOPLE[:, 0])
    with pytest.raises(FidelityError, match="was fitted again or changed since it was wrapped"):
        dlx.explain(model, case[:3], method="tree_shap", background=case[3:9], scale="value")


def test_a_model_that_gives_nan_where_dlx_does_not_is_refused():
    case, calls = dlx.from_frame(pd.DataFrame(PEOPLE, columns=list(NAMES)), VALUES), []
    with pytest.raises(FidelityError, match="itself nan"):
        wrap(lambda t: calls.append(1) or t["a"] * (np.nan if len(calls) > 1 else 1), case)


def test_a_function_that_answers_otherwise_for_one_row_alone_is_refused():
    case = dlx.from_frame(pd.DataFrame(PEOPLE, columns=list(NAMES)), NUMBERS)
    model = wrap(lambda t: np.clip(0.5 + t["a"] / 20 + 0.1 * (len(t) == 1), 0, 1), case)
    with pytest.raises(FidelityError, match="depends on the rows beside it"):
        dlx.explain(model, case[:1], method="exact_shapley", background=case[5:9], scale="probability")


# Classes by name


@pytest.mark.parametrize(
    ("classes", "levels", "chosen"),
    [
        (("bad", "good"), ("good", "bad"), "bad"),
        (("bad", "good"), ("bad", "good"), "good"),
        ((1, 2), ("2", "1"), 1),
        ((0, 1), ("1", "0"), 0),
        ((1.0, 2.0), ("1", "2"), 2.0),
        ((False, True), ("True", "False"), False),
        ((False, True), ("1", "0"), False),
        ((0, 1), ("False", "True"), 1),
        ((0, 1), ("no", "yes"), 1),  # by position
        ((-1, 1), ("1", "-1"), -1),
    ],
)
@pytest.mark.parametrize("how", ["estimator", "method", "logit"])
def test_the_positive_class_is_found_by_its_name(classes, levels, chosen, how):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(ROWS, 3)), columns=list(NAMES))
    outcome = np.array(classes)[(frame["a"] + rng.normal(size=ROWS) > 0).astype(int)]
    fitted = LogisticRegression().fit(frame, outcome)
    schema = Schema(NUMBERS.features, Target("y", levels=levels))
    model = wrap(fitted.predict_proba if how == "method" else fitted, schema, scale="logit" if how == "logit" else None)
    expected = fitted.predict_proba(frame)[:, list(fitted.classes_).index(chosen)]
    np.testing.assert_allclose(model.predict(frame, "probability"), expected, atol=1e-12)
    assert model.scales[0] == ("logit" if how == "logit" else "probability")


def test_classes_that_are_not_those_of_the_target_are_refused():
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(90, 3)), columns=list(NAMES))
    three = LogisticRegression().fit(frame, np.arange(90) % 3)
    colours = LogisticRegression().fit(frame, np.array(["red", "blue"])[np.arange(90) % 2])
    for fitted in (three, three.predict_proba, colours):
        with pytest.raises(DlxError, match=r"must (have been fitted on|give a column for each of) the classes"):
            model = wrap(fitted, NUMBERS)
            model.predict(frame, "probability")
    with pytest.raises(DlxError, match="must give a column for each of the classes 0, 1, got 3 columns"):
        wrap(lambda t: three.predict_proba(t) + 0.0, NUMBERS).predict(frame, "probability")
    with pytest.raises(DlxError, match="is a classifier, but the target is the value of a regression"):
        wrap(three, VALUES)
    with pytest.raises(DlxError, match="predict of LogisticRegression gives classes"):
        wrap(colours.predict, NUMBERS)
    with pytest.raises(DlxError, match="must return numbers, got"):
        wrap(lambda t: list(colours.predict(t)), NUMBERS).predict(frame, "probability")


@pytest.mark.parametrize("target", [0, 1, 2, "b"])
def test_one_class_of_several_is_found_by_its_name(target):
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(90, 3)), columns=list(NAMES))
    fitted = LogisticRegression().fit(frame, np.array(["b", "c", "a"])[np.arange(90) % 3])
    levels = ("c", "a", "b")
    schema = Schema(NUMBERS.features, Target("y", "multiclass", levels=levels))
    chosen = target if isinstance(target, str) else levels[target]
    model = wrap(fitted, schema, target=target)
    assert model.target == chosen
    np.testing.assert_allclose(
        model.predict(frame, "probability"), fitted.predict_proba(frame)[:, list(fitted.classes_).index(chosen)]
    )


def test_classes_known_by_position_only_that_rank_the_wrong_way_round_are_refused():
    table, case = mixed()
    frame = table.drop(columns="result")
    turned = pipeline(LogisticRegression(max_iter=1000)).fit(frame, (table["result"] == "good").astype(int))
    with pytest.raises(DlxError, match=r"ranks the outcomes the wrong way round \(AUC 0\.\d\d\)"):
        wrap(turned, case)
    right = pipeline(LogisticRegression(max_iter=1000)).fit(frame, (table["result"] == "bad").astype(int))
    np.testing.assert_allclose(wrap(right, case).predict(case, "probability"), right.predict_proba(frame)[:, 1])


def of_three(*levels):
    """A case in which the largest of a, b, c names the outcome, and a net of three outputs in that order."""
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(ROWS, 3)), columns=list(NAMES))
    net = nn.Linear(3, 3)
    net.load_state_dict({"weight": 3 * torch.eye(3), "bias": torch.zeros(3)})
    target = Target("y", "multiclass" if len(levels) > 2 else "binary", levels=levels)
    largest = np.array(NAMES)[frame.to_numpy().argmax(1)]
    outcome = largest if len(levels) > 2 else np.where(largest == "a", "a", "b")
    return net, dlx.from_frame(frame.assign(y=outcome), Schema(NUMBERS.features, target))


def test_outputs_without_classes_that_tell_the_outcomes_at_other_places_are_refused():
    net, case = of_three("a", "b", "c")

    def as_function(table):
        return torch.softmax(net(torch.tensor(table.to_numpy(np.float32))), 1)

    for model in (net, as_function):
        assert wrap(model, case, target="b").predict(case, "probability")[case.outcomes == 1].mean() > 0.6
    _, other = of_three("a", "c", "b")
    for model in (net, as_function):
        with pytest.raises(DlxError, match="taken for 'a', 'c', 'b' tells the outcomes better as 'a', 'b', 'c'"):
            wrap(model, other, target=1)
        assert wrap(model, other, target=1, check=other.frame).target == "c"
    _, a_or_not = of_three("b", "a")
    turned = nn.Linear(3, 1)
    turned.load_state_dict({"weight": torch.tensor([[-3.0, 0, 0]]), "bias": torch.zeros(1)})
    for model in (turned, lambda table: expit(-3 * table["a"])):
        with pytest.raises(DlxError, match=r"what was taken for 'a' ranks the outcomes the wrong way .* make 'b' the positive"):
            wrap(model, a_or_not)


# Scales


def test_scales_are_obeyed_or_refused():
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(90, 3)), columns=list(NAMES))
    fitted = LogisticRegression().fit(frame, np.arange(90) % 2)
    model = wrap(fitted, NUMBERS, scale="logit")
    np.testing.assert_allclose(model.predict(frame, "logit"), fitted.decision_function(frame), atol=1e-9)
    np.testing.assert_allclose(model.predict(frame, "probability"), fitted.predict_proba(frame)[:, 1], atol=1e-12)
    margin = wrap(fitted.decision_function, NUMBERS, scale="logit")
    np.testing.assert_allclose(margin.predict(frame, "probability"), fitted.predict_proba(frame)[:, 1], atol=1e-12)
    with pytest.raises(ScaleError, match="gives probabilities; scale must be"):
        wrap(fitted, NUMBERS, scale="value")
    for scale in ("logit", "probability"):
        with pytest.raises(ScaleError, match="is that of a regression: scale must be 'value'"):
            wrap(LinearRegression().fit(frame, frame["a"]), VALUES, scale=scale)


def test_a_forest_that_sums_to_a_bit_more_than_one_is_a_probability():
    model = wrap(lambda t: np.where(t["a"] > 0, 1 + 2e-16, -1e-17), NUMBERS)
    assert set(model.predict(np.array([[1.0, 0, 0], [-1, 0, 0]]), "probability")) == {0.0, 1.0}


# Held to the original


def test_a_function_that_answers_by_the_rows_beside_it_or_by_chance_is_refused():
    case = dlx.from_frame(pd.DataFrame(np.random.default_rng(0).normal(size=(60, 3)), columns=list(NAMES)), NUMBERS)
    rng = np.random.default_rng(1)
    for moves in (
        lambda t: expit(t["a"] - t["a"].mean()),
        lambda t: expit(t["a"].rank() / len(t)),
        lambda t: expit(t["a"] + 0.01 * rng.normal(size=len(t))),
        lambda t: expit(t["a"].to_numpy() + 0.01 * np.arange(len(t))),
        lambda t: expit(np.sort(t["a"])),
        lambda t: expit(t["a"] + (len(t) > 35)),
    ):
        with pytest.raises(FidelityError, match="depends on the rows beside it, on their order, on the index, or on chance"):
            wrap(moves, NUMBERS, check=case)
        model = wrap(moves, NUMBERS)
        with pytest.raises(FidelityError, match="dlx would explain another model"):
            dlx.explain(model, case.rows[:40], method="shapley", background=case.rows[40:], scale="probability")


def test_a_function_of_the_index_is_refused():
    table = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 3)), columns=list(NAMES), index=range(1000, 1060))
    case = dlx.from_frame(table, NUMBERS)
    with pytest.raises(FidelityError, match="on the index"):
        wrap(lambda t: expit(t["a"] + (np.asarray(t.index) % 3)), case)


def test_a_model_that_is_fitted_again_is_told_so():
    table, case = mixed()
    frame = table.drop(columns="result")
    fitted = pipeline(RandomForestClassifier(10, random_state=0)).fit(frame, table["result"])
    model = wrap(fitted, case)
    dlx.explain(model, case[:3], method="shapley", background=case[10:15], scale="probability")
    fitted.fit(frame, np.roll(table["result"], 1))
    with pytest.raises(FidelityError, match="was fitted again or changed since it was wrapped"):
        dlx.explain(model, case[:3], method="shapley", background=case[10:15], scale="probability")


def test_rows_that_a_model_sees_otherwise_are_refused_with_the_column():
    table, case = mixed()
    frame = table.drop(columns="result").astype({"region": str})
    fitted = make_pipeline(
        make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["region"]), remainder="drop"), LogisticRegression()
    ).fit(frame, table["region"] == 3)
    binary = Schema(case.schema.features, Target("y", levels=("False", "True")))
    with pytest.raises(FidelityError, match="dlx gives it 'region' as int64 where the table holds str"):
        wrap(fitted, binary, check=frame)


def test_errors_of_a_users_function_are_one_line():
    def fails(_):
        raise RuntimeError("no\nluck")

    with pytest.raises(DlxError, match=r"fails raised RuntimeError on 1 row: no$"):
        wrap(fails, NUMBERS).predict(np.zeros((1, 3)), "probability")
    with pytest.raises(DlxError, match="raised NotFittedError"):
        wrap(LogisticRegression(), NUMBERS).predict(np.zeros((1, 3)), "probability")
    with pytest.raises(DlxError, match="SVC has no predict_proba"):
        wrap(SVC().fit(np.eye(3), [0, 1, 0]), NUMBERS)
    with pytest.raises(DlxError, match="an encoder is for networks"):
        wrap(len, NUMBERS, encoder=Encoder.identity(NUMBERS))


def test_what_is_no_model_or_is_one_already_is_said():
    with pytest.raises(DlxError, match=r"model must be a Model of dlx, got LogisticRegression; wrap it first: dlx.wrap"):
        dlx.explain(LogisticRegression(), PEOPLE, method="shapley", background=PEOPLE, scale="logit")
    with pytest.raises(DlxError, match="Sequential is a Model already"):
        wrap(wrap(net(), NUMBERS), NUMBERS)
    with pytest.raises(DlxError, match="check must have at least 1 row"):
        wrap(lambda t: t["a"], VALUES, check=pd.DataFrame(PEOPLE[:0], columns=list(NAMES)))
    assert len(wrap(LinearRegression().fit(PEOPLE, PEOPLE[:, 0]), VALUES).predict(PEOPLE[:0], "value")) == 0


@pytest.mark.parametrize("wrapped", [dlx.wrap, dlx.wrap_trees])
@pytest.mark.parametrize("schema", [pd.DataFrame(np.eye(3)), None, "table"], ids=["frame", "none", "text"])
def test_what_is_no_schema_is_said(wrapped, schema):
    with pytest.raises(DlxError, match=r"a model is wrapped with a Dataset or a Schema, got .*: dlx.dataset.from_frame"):
        wrapped(DecisionTreeClassifier(), schema)


@pytest.mark.parametrize("wrapped", [dlx.wrap, dlx.wrap_trees])
def test_rows_that_a_model_is_held_to_are_rows(wrapped):
    fitted = DecisionTreeClassifier(max_depth=2).fit(PEOPLE, PEOPLE[:, 0] > 0)
    for check in (pd.DataFrame(PEOPLE[:0], columns=list(NAMES)), PEOPLE[:0]):
        with pytest.raises(DlxError, match="check must have at least 1 row, got 0 rows"):
            wrapped(fitted, NUMBERS, check=check)
    with pytest.raises(DlxError, match="check must be a Dataset, a DataFrame or an array of codes, got list"):
        wrapped(fitted, NUMBERS, check=PEOPLE.tolist())
    assert len(wrapped(fitted, NUMBERS, check=PEOPLE[:1]).predict(PEOPLE, "probability")) == len(PEOPLE)


class OfArrays:
    """Like skorch: it reads arrays, but does not say so."""

    classes_ = ["0", "1"]  # noqa: RUF012

    def predict_proba(self, rows):
        if not isinstance(rows, np.ndarray):
            raise TypeError("expected an array")
        return np.column_stack([1 - expit(rows[:, 0]), expit(rows[:, 0])])


class InItsOrder:
    """Like CatBoost: it knows its columns under another name, and reads them in their order only."""

    feature_names_, classes_ = ["c", "a", "b"], ("0", "1")

    def predict_proba(self, table):
        assert list(table.columns) == self.feature_names_
        return np.column_stack([1 - expit(table["a"]), expit(table["a"])])


def test_estimators_that_only_look_like_those_of_scikit_learn():
    case = dlx.from_frame(pd.DataFrame(PEOPLE, columns=list(NAMES)), NUMBERS)
    np.testing.assert_allclose(wrap(InItsOrder(), case).predict(case, "probability"), expit(PEOPLE[:, 0]))
    with pytest.raises(
        DlxError, match=r"where it reads arrays, wrap a function: lambda t: model.predict_proba\(t.to_numpy\(\)\)"
    ):
        wrap(OfArrays(), case)
    model = wrap(lambda t: OfArrays().predict_proba(t.to_numpy()), case)
    np.testing.assert_allclose(model.predict(case, "probability"), expit(PEOPLE[:, 0]))
    table, mixed_case = mixed()
    coded = LogisticRegression(max_iter=1000).fit(mixed_case.rows, mixed_case.outcomes)
    with pytest.raises(DlxError, match=r"where it reads the codes of a schema, wrap a function: .*schema.encode\(t\)"):
        wrap(coded, mixed_case)
    model = wrap(lambda t: coded.predict_proba(mixed_case.schema.encode(t)), mixed_case)
    np.testing.assert_allclose(model.predict(table, "probability"), coded.predict_proba(mixed_case.rows)[:, 1])
    with pytest.raises(DlxError, match="LogisticRegression is a class; pass a fitted LogisticRegression"):
        wrap(LogisticRegression, case)


def test_tensors_frames_and_columns_are_numbers():
    rows = np.random.default_rng(0).random((5, 3))
    for given in (
        lambda t: torch.tensor(t["a"].to_numpy(), requires_grad=True),
        lambda t: t[["a"]],
        lambda t: t["a"].tolist(),
        lambda t: np.column_stack([1 - t["a"], t["a"]]),
    ):
        np.testing.assert_allclose(wrap(given, NUMBERS).predict(rows, "probability"), rows[:, 0])


# Nets


def net(*last, width=3, dtype=torch.float32):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(width, 16), nn.ReLU(), nn.Linear(16, 1), *last).to(dtype)


PEOPLE = np.random.default_rng(3).normal(size=(20, 3))


def own(network, rows=PEOPLE):
    """What a network says itself, in its own precision."""
    dtype = next(network.parameters()).dtype
    with torch.no_grad():
        return copy.deepcopy(network).eval()(torch.tensor(rows, dtype=dtype)).double().numpy().ravel()


class Several(nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.net, self.shape = net(), shape

    def forward(self, x):
        z = self.net(x)
        return {
            "dict": {"logits": z, "hidden": x},
            "both": {"logits": z[:, 0], "probs": torch.sigmoid(z[:, 0])},
            "tuple": (z, x),
            "one": [z],
            "two": (z, z),
            "none": (x, x),
            "text": "no",
            "loss": {"loss": z.mean(), "logits": z},
        }[self.shape]


@pytest.mark.parametrize("shape", ["dict", "both", "tuple", "one", "loss"])
def test_a_net_whose_output_is_clear_is_read(shape):
    network = Several(shape)
    model = wrap(network, NUMBERS)
    np.testing.assert_allclose(model.predict(PEOPLE, "logit"), own(network.net), atol=1e-6)
    made = dlx.explain(model, PEOPLE[:3], method="integrated_gradients", background=PEOPLE[5:], scale="logit")
    straight = dlx.explain(
        wrap(network.net, NUMBERS), PEOPLE[:3], method="integrated_gradients", background=PEOPLE[5:], scale="logit"
    )
    np.testing.assert_allclose(made.values, straight.values, atol=0.01 * np.abs(straight.values).max())


class TwoInputs(nn.Module):
    def forward(self, numbers, words):
        return numbers + words


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (lambda: Several("two"), "must return one number a row, but 2 of its outputs are that: 0 .*, 1"),
        (lambda: Several("none"), "must return one number a row, but none of its outputs are that"),
        (lambda: Several("text"), "must return a tensor, got str"),
        (TwoInputs, r"called with dense rows, .* missing 1 .* argument: 'words'; .* wrap a module that takes such rows"),
        (lambda: net(width=4), r"cannot be called with dense rows, one tensor \[rows, 3\]: RuntimeError"),
        (lambda: nn.Sequential(nn.Linear(3, 3)), r"must return one number a row, or one for each of .0., .1., got 3"),
        (lambda: nn.Sequential(nn.Linear(3, 1), nn.BatchNorm1d(1, track_running_stats=False)), "normalises over the batch"),
        (lambda: nn.LSTM(3, 1), "must answer for a row whatever rows are beside it"),
    ],
)
def test_a_net_whose_output_is_not_clear_is_one_line(network, message):
    with pytest.raises(DlxError, match=message) as refused:
        wrap(network(), NUMBERS)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_nets_of_any_precision_predict_what_they_do_themselves(dtype):
    network = net(dtype=dtype)
    model = wrap(network, NUMBERS)
    eps = torch.finfo(dtype).eps
    np.testing.assert_allclose(model.predict(PEOPLE, "logit"), own(network), atol=20 * eps)
    for method in ("integrated_gradients", "deeplift", "exact_shapley", "gradient_shap", "lime"):
        made = dlx.explain(model, PEOPLE[:4], method=method, background=PEOPLE[5:], scale="logit")
        if method == "exact_shapley" and dtype == torch.float64:
            expected = shapley(lambda t: own(network, t.to_numpy()), pd.DataFrame(PEOPLE[:1]), pd.DataFrame(PEOPLE[5:]))
            np.testing.assert_allclose(made.values[0], expected, atol=1e-12)
    assert next(network.parameters()).dtype == dtype


def test_seconds_since_1970_keep_their_digits_in_a_net_of_doubles():
    offset = 1.7e9
    network = nn.Sequential(nn.Linear(3, 1)).double()
    with torch.no_grad():
        network[0].weight[:] = torch.tensor([[1.0, 0.5, 0.0]])
        network[0].bias[:] = -offset
    rows = np.column_stack([offset + PEOPLE[:, 0], PEOPLE[:, 1:]])
    model = wrap(network, VALUES)
    np.testing.assert_allclose(model.predict(rows, "value"), PEOPLE[:, 0] + 0.5 * PEOPLE[:, 1], atol=1e-6)
    made = dlx.explain(model, rows[:4], method="exact_shapley", background=rows[5:], scale="value")
    np.testing.assert_allclose(made.values[:, 0], rows[:4, 0] - rows[5:, 0].mean(), atol=1e-6)


def scripted():
    return torch.jit.script(net())


def compiled():
    return torch.compile(net())


def parametrized():
    network = net()
    nn.utils.parametrizations.weight_norm(network[0])
    return network


def hooked():
    network = net()
    network[0].register_forward_hook(lambda _, __, output: output * 2)
    return network


def dropping():
    return nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.ReLU(), nn.Linear(8, 1))


@pytest.mark.filterwarnings("ignore:.*torch.jit.*:FutureWarning")
@pytest.mark.parametrize("make", [net, scripted, parametrized, hooked, dropping, compiled])
def test_a_net_is_a_frozen_copy_and_nothing_of_the_users_object_changes(make):
    network = make()
    network.train()
    before = copy.deepcopy(getattr(network, "_orig_mod", network).state_dict())
    expected = own(getattr(network, "_orig_mod", network))
    model = wrap(network, NUMBERS)
    np.testing.assert_allclose(model.predict(PEOPLE, "logit"), expected, atol=1e-6)
    made = dlx.explain(model, PEOPLE[:4], method="exact_shapley", background=PEOPLE[5:], scale="logit")
    assert network.training and all(weight.requires_grad for weight in network.parameters())
    for name, weight in getattr(network, "_orig_mod", network).state_dict().items():
        torch.testing.assert_close(weight, before[name])
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(1.0)
    if make is not scripted:
        network.register_forward_hook(lambda _, __, output: output + 7)
    again = dlx.explain(model, PEOPLE[:4], method="exact_shapley", background=PEOPLE[5:], scale="logit")
    np.testing.assert_array_equal(made.values, again.values)
    np.testing.assert_allclose(made.outputs, expected[:4], atol=1e-6)


class EndsFunctional(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = net()

    def forward(self, x):
        return torch.sigmoid(self.net(x))[:, 0]


class EndsInside(nn.Module):
    def __init__(self):
        super().__init__()
        self.net, self.squash = net(), nn.Sigmoid()

    def forward(self, x):
        return self.squash(self.net(x)).squeeze(1)


@pytest.mark.parametrize("make", [lambda: net(nn.Sigmoid()), EndsInside, EndsFunctional])
def test_a_net_that_ends_in_a_sigmoid_is_squashed_once(make):
    network = make()
    model = wrap(network, NUMBERS, scale="probability")
    np.testing.assert_allclose(model.predict(PEOPLE, "probability"), own(network), atol=1e-6)
    np.testing.assert_allclose(model.predict(PEOPLE, "logit"), logit(own(network)), atol=1e-4)
    for scale in ("probability", "logit"):
        made = dlx.explain(model, PEOPLE[:3], method="integrated_gradients", background=PEOPLE[5:], scale=scale)
        outputs = own(network)[:3] if scale == "probability" else logit(own(network))[:3]
        np.testing.assert_allclose(made.values.sum(axis=1) + made.base_values, outputs, atol=2e-2)
    if make is EndsFunctional:
        for scale in (None, "logit"):
            if scale is None:
                with pytest.raises(ScaleError, match="probabilities, or logits"):
                    wrap(network, NUMBERS)
    else:
        np.testing.assert_allclose(wrap(network, NUMBERS).predict(PEOPLE, "probability"), own(network), atol=1e-6)
        with pytest.raises(ScaleError, match="ends in a sigmoid"):
            wrap(network, NUMBERS, scale="logit")
    with pytest.raises(ScaleError, match="which are no probabilities"):
        wrap(net(), NUMBERS, scale="probability")


def test_a_net_that_gives_nan_is_an_error():
    class Log(nn.Module):
        def forward(self, x):
            return torch.log(x.sum(dim=1))

    model = wrap(Log(), VALUES)
    with pytest.raises(DlxError, match="must return finite numbers, got nan for row"):
        dlx.explain(model, PEOPLE, method="shapley", background=PEOPLE, scale="value")


def test_an_encoder_of_another_table_is_refused():
    other = Encoder.identity(Schema(tuple(map(Feature, "uvw")), NUMBERS.target))
    with pytest.raises(DlxError, match="the encoder of Sequential must be of the schema that is passed"):
        wrap(net(), NUMBERS, encoder=other)


# Columns that gradients cannot see


class Looks(nn.Module):
    """A column by its code: through an embedding, a rounding, a comparison, an index; and in small."""

    def __init__(self, how, strength):
        super().__init__()
        torch.manual_seed(0)
        self.table, self.rest, self.how, self.strength = nn.Embedding(6, 1), nn.Linear(2, 1), how, strength

    def forward(self, x):
        code = x[:, 0].clamp(0, 5)
        looked = {
            "embedding": lambda: self.table(code.long()),
            "functional": lambda: functional.embedding(code.long(), self.table.weight),
            "index": lambda: self.table.weight[code.long()],
            "round": lambda: torch.round(code)[:, None],
            "step": lambda: torch.where(code > 2, 1.0, -1.0)[:, None],
            "one_hot": lambda: functional.one_hot(code.long(), 6).float() @ self.table.weight,
        }[self.how]()
        return (self.strength * looked + torch.tanh(self.rest(x[:, 1:])))[:, 0]


@pytest.mark.parametrize("how", ["embedding", "functional", "index", "round", "step", "one_hot"])
@pytest.mark.parametrize("method", ["integrated_gradients", "deeplift", "gradient_shap"])
@pytest.mark.parametrize("implementation", ["dlx", "reference"])
def test_gradient_methods_refuse_columns_that_are_looked_up(how, method, implementation):
    rng = np.random.default_rng(0)
    rows = np.column_stack([rng.integers(6, size=20), rng.normal(size=(20, 2))]).astype(float)
    model = wrap(Looks(how, 5e-4), VALUES, check=pd.DataFrame(rows, columns=list(NAMES)))
    with pytest.raises(DlxError, match=f"{method} cannot explain Looks: it looks up the value of a .*use shapley"):
        dlx.explain(model, rows[:5], method=method, background=rows[5:], scale="value", implementation=implementation)
    made = dlx.explain(model, rows[:5], method="exact_shapley", background=rows[5:], scale="value")
    assert np.abs(made.values[:, 0]).max() > 1e-5


def test_embeddings_of_positions_are_no_lookup():
    class Positions(nn.Module):
        def __init__(self):
            super().__init__()
            self.place, self.last = nn.Embedding(3, 1), nn.Linear(3, 1)

        def forward(self, x):
            return self.last(torch.tanh(x + self.place(torch.arange(3))[:, 0]))

    model = wrap(Positions(), VALUES)
    made = dlx.explain(model, PEOPLE[:3], method="integrated_gradients", background=PEOPLE[5:], scale="value")
    assert (np.abs(made.values) > 0).all()


@pytest.mark.parametrize("module", [nn.MaxPool1d(4), nn.Softmax(dim=1)])
def test_deeplift_names_the_modules_that_it_cannot_take(module):
    class Has(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.odd, self.last = nn.Linear(3, 8), module, nn.LazyLinear(1)

        def forward(self, x):
            hidden = self.first(x)
            return self.last(self.odd(hidden[:, None])[:, 0] if isinstance(self.odd, nn.MaxPool1d) else self.odd(hidden))

    network = Has()
    network(torch.zeros(2, 3))
    with pytest.raises(DlxError, match=f"dlx has no rule for {type(module).__name__} odd; pass implementation='reference'"):
        dlx.explain(wrap(network, NUMBERS), PEOPLE[:3], method="deeplift", background=PEOPLE[5:], scale="logit")


# Promises


class Functions(nn.Module):
    def __init__(self, bend, shift, size):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second, self.last = nn.Linear(3, 32), nn.Linear(32, 32), nn.Linear(32, 1)
        self.bend, self.shift, self.size = bend, shift, size

    def forward(self, x):
        return (self.size * self.last(self.bend(self.second(self.bend(self.first(x))))) + self.shift)[:, 0]


@pytest.mark.parametrize(
    ("shift", "size", "schema", "scale"),
    [(-9.0, 12.0, NUMBERS, "probability"), (0.0, 1e-3, VALUES, "value"), (0.0, 1e6, VALUES, "value")],
)
def test_deeplift_keeps_a_relative_promise(shift, size, schema, scale):
    model = wrap(Functions(functional.relu, shift, size), schema)
    with pytest.raises(DlxError, match="contributions must add up to"):
        dlx.explain(model, PEOPLE[:5], method="deeplift", background=PEOPLE[5:], scale=scale)


@pytest.mark.parametrize("unit", [1e-9, 1e-3, 1e3, 1e6, 1e9, 1e12])
@pytest.mark.parametrize("method", ["exact_shapley", "kernel_shap", "shapley"])
def test_targets_of_any_size_add_up(unit, method):
    model = wrap(lambda t: (t["a"] * t["b"] + t["c"] ** 2).to_numpy() * unit, VALUES)
    made = dlx.explain(model, PEOPLE[:3], method=method, background=PEOPLE[5:], scale="value")
    truth = np.array([shapley(lambda t: t["a"] * t["b"] + t["c"] ** 2, f, pd.DataFrame(PEOPLE[5:], columns=list(NAMES)))
        for f in (pd.DataFrame(PEOPLE[[i]], columns=list(NAMES)) for i in range(3))])  # fmt: skip
    np.testing.assert_allclose(made.values / unit, truth, atol=1e-6)


@pytest.mark.parametrize("unit", [1e6, 1e9])
def test_trees_and_lines_of_large_targets_add_up(unit):
    from sklearn.ensemble import GradientBoostingRegressor

    from dlx.model import LinearModel

    rng = np.random.default_rng(0)
    rows = rng.normal(size=(200, 3))
    grown = GradientBoostingRegressor(n_estimators=20).fit(rows, (rows[:, 0] * rows[:, 1]) * unit)
    model = dlx.wrap_trees(grown, VALUES)
    np.testing.assert_allclose(model.predict(rows, "value"), grown.predict(rows), rtol=1e-6, atol=1e-6 * unit)
    dlx.explain(model, rows[:5], method="tree_shap", background=rows[5:25], scale="value")
    line = LinearModel(np.arange(1.0, 4) * unit, 5.0, Encoder.identity(VALUES), "line", ("value",))
    dlx.explain(line, rows[:5], method="linear_shap", background=rows[5:25], scale="value")


def test_an_explanation_adds_up_to_the_users_own_predict():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(300, 3)), columns=list(NAMES))
    outcome = (frame["a"] + frame["b"] * frame["c"] + rng.normal(size=300) > 0).astype(int)
    case = dlx.from_frame(frame.assign(y=outcome), dlx.infer_schema(frame.assign(y=outcome), "y"))
    for fitted in (
        HistGradientBoostingClassifier(max_iter=20),
        DecisionTreeClassifier(max_depth=4, random_state=0),
        make_pipeline(StandardScaler(), SVC()).set_output(transform="pandas"),
        LogisticRegression(),
    ):
        fitted.fit(frame, outcome)
        predictor = fitted if hasattr(fitted, "predict_proba") else fitted.decision_function
        scale = "probability" if hasattr(fitted, "predict_proba") else "logit"
        model = wrap(predictor, case, scale=None if scale == "probability" else scale)
        made = dlx.explain(model, case[:20], method="exact_shapley", background=case[100:150], scale=scale)
        truth = (
            fitted.predict_proba(frame[:20])[:, 1] if hasattr(fitted, "predict_proba") else fitted.decision_function(frame[:20])
        )
        np.testing.assert_allclose(made.base_values + made.values.sum(axis=1), truth, atol=1e-9)
        assert not isinstance(model, NeuralModel)
