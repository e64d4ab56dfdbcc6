"""Models: scales, and anything that predicts wrapped as one."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
import torch
import worlds
from scipy.special import expit
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.svm import SVC
from torch import nn

from dlx.dataset import Dataset
from dlx.errors import DlxError
from dlx.model import BlackBox, LinearModel, Model, NeuralModel, Provenance, ScaleError, wrap
from dlx.schema import Feature, Schema, SchemaError, Target

pytestmark = pytest.mark.doors

AMOUNT = Schema(worlds.NUMERIC.features, Target("cost", "regression"))
CLASSES = Schema(worlds.NUMERIC.features, Target("grade", "multiclass", levels=("a", "b", "c")))
FRAME = worlds.table("numeric").frame


@pytest.mark.parametrize("kind", worlds.MODELS)
def test_every_model_speaks_its_scales_and_takes_rows_in_any_form(kind, world, case):
    model = worlds.model(kind, world)
    logits, probabilities = model.predict(case, "logit"), model.predict(case, "probability")
    assert isinstance(model, Model) and logits.dtype == np.float64 and logits.shape == (300,)
    np.testing.assert_allclose(probabilities, expit(logits), rtol=1e-9)
    np.testing.assert_array_equal(model.predict(case.frame, "logit"), logits)
    np.testing.assert_array_equal(model.predict(case.rows, "logit"), logits)
    assert len(model.predict(case.rows[:0], "logit")) == 0
    with pytest.raises(ScaleError, match=rf"{model.name} has no scale 'value'; it has '(logit|probability)', "):
        model.predict(case, "value")


@pytest.mark.parametrize("kind", worlds.MODELS)
def test_a_repr_fits_in_three_lines_and_says_what_a_model_is(kind, world):
    model = worlds.model(kind, world)
    made = model.renamed("known", Provenance("mlp", 3, {"hidden": 16}))
    assert made.provenance.seed == 3 and made.renamed("other").provenance is None
    for said, words in ((repr(model), (model.name,)), (repr(made), ("'known'", "trained by dlx: mlp, seed 3, hidden=16"))):
        wanted = (
            type(model).__name__,
            *words,
            f"{len(model.schema)} columns: {model.schema.names[0]}",
            model.target,
            ", ".join(model.scales),
        )
        assert len(said.splitlines()) == 3 and max(map(len, said.splitlines())) < 128
        assert all(word in said for word in wanted)


def test_models_compute_their_formula(case, world):
    net, linear = worlds.model("net", world), worlds.model("linear", world)
    dense = worlds.encoder(world).transform(case.rows).astype(float)
    np.testing.assert_allclose(linear.predict(case, "logit"), 0.3 + dense @ linear.coefficients)
    first, _, last = worlds.network(world).double()
    by_hand = (
        np.maximum(dense @ first.weight.T.detach().numpy() + first.bias.detach().numpy(), 0) @ last.weight[0].detach().numpy()
    )
    np.testing.assert_allclose(net.predict(case, "logit"), by_hand + last.bias.item(), atol=1e-6)


def test_dataset_of_another_schema_is_read_by_its_words_not_its_codes():
    features = worlds.MIXED.features
    turned = Feature("housing", "categorical", levels=("own", "free", "rent"), missing=True)
    other = Schema((features[2], turned, features[0], *features[3:]), worlds.TARGET)
    case, model = worlds.table("mixed"), worlds.model("net", "mixed")
    same_people = Dataset(other, other.encode(case.frame))
    np.testing.assert_array_equal(model.predict(same_people, "logit"), model.predict(case, "logit"))
    stranger = Schema((Feature("housing", "categorical", levels=("castle",)), *(f for f in features if f.name != "housing")))
    with pytest.raises(SchemaError, match="unknown level 'castle'"):
        model.predict(Dataset(stranger, np.zeros((1, 5))), "logit")


# dlx.wrap


def test_function_is_wrapped_on_the_scale_it_answers_on():
    rows = worlds.table("numeric")
    assert wrap(lambda t: expit(t["age"]), worlds.NUMERIC).scales == ("probability", "logit")
    np.testing.assert_allclose(wrap(lambda t: expit(t["age"]), worlds.NUMERIC).predict(rows, "logit"), rows.rows[:, 0])
    np.testing.assert_allclose(
        wrap(lambda t: t["age"], worlds.NUMERIC, scale="logit").predict(rows, "probability"), expit(rows.rows[:, 0])
    )
    assert wrap(lambda t: t[["age"]], worlds.NUMERIC, scale="logit").predict(rows, "logit").shape == (300,)
    np.testing.assert_array_equal(wrap(lambda t: 5 * t["age"], AMOUNT, name="cost").predict(rows, "value"), 5 * rows.rows[:, 0])


def test_function_sees_the_words_of_the_table():
    seen = []
    wrap(lambda t: seen.append(t) or np.full(len(t), 0.5), worlds.MIXED).predict(worlds.table("mixed")[:5], "probability")
    pd.testing.assert_frame_equal(seen[0], worlds.table("mixed")[:5].frame.reset_index(drop=True))


def test_estimators_are_wrapped_by_what_they_can_do():
    outcomes, grades = worlds.table("numeric").outcomes, np.arange(300) % 3
    logistic, graded = LogisticRegression().fit(FRAME, outcomes), LogisticRegression().fit(FRAME, grades)
    regression = LinearRegression().fit(FRAME, outcomes * 7)
    np.testing.assert_allclose(wrap(logistic, worlds.NUMERIC).predict(FRAME, "logit"), logistic.decision_function(FRAME))
    np.testing.assert_allclose(wrap(graded, CLASSES, target=0).predict(FRAME, "probability"), graded.predict_proba(FRAME)[:, 0])
    np.testing.assert_allclose(wrap(regression, AMOUNT).predict(FRAME, "value"), regression.predict(FRAME))
    with pytest.raises(ValueError, match="SVC has no predict_proba, and its predict gives classes"):
        wrap(SVC().fit(FRAME, outcomes), worlds.NUMERIC)
    assert wrap(graded, CLASSES, target=0).target == CLASSES.target.levels[0]


def test_network_is_wrapped_with_its_encoder_or_on_plain_numbers():
    network = worlds.network("mixed").train()
    model = wrap(network, worlds.MIXED, encoder=worlds.encoder("mixed"), name="mine")
    assert isinstance(model, NeuralModel) and model.name == "mine" and network.training
    np.testing.assert_array_equal(
        model.predict(FRAME_MIXED, "logit"), worlds.model("net", "mixed").predict(FRAME_MIXED, "logit")
    )
    plain = wrap(nn.Linear(5, 1), AMOUNT)
    with torch.no_grad():
        expected = plain.network(torch.tensor(FRAME.to_numpy(), dtype=torch.float32))[:, 0].double().numpy()
    np.testing.assert_allclose(plain.predict(FRAME, "value"), expected, atol=1e-6)
    with pytest.raises(
        ValueError,
        match=r"income, housing, sex, idle are categorical or may be missing; .* inputs=\.\.\.\), or pass the encoder",
    ):
        wrap(network, worlds.MIXED)


FRAME_MIXED = worlds.table("mixed").frame


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (
            lambda: wrap("model.pkl", worlds.NUMERIC),
            DlxError,
            "callable or have predict_proba or predict; str has neither",
        ),
        (
            lambda: wrap(len, worlds.NUMERIC, scale="odds"),
            ScaleError,
            "scale must be one of logit, probability, value, got 'odds'",
        ),
        (
            lambda: wrap(lambda t: t["age"], worlds.NUMERIC),
            ScaleError,
            "which are no probabilities; say on which scale",
        ),
        (lambda: wrap(lambda _: 1, worlds.NUMERIC), ValueError, r"one number a row, shape \[300\], got \[\]"),
        (
            lambda: wrap(lambda t: np.ones((len(t), 3)), CLASSES),
            ValueError,
            r"got \[300, 3\]; choose one output, .*target=1",
        ),
        (lambda: wrap(lambda t: np.ones((len(t), 3)), CLASSES, target=3), ValueError, "target must be 0 to 2, got 3"),
        (
            lambda: wrap(lambda t: np.full(len(t), np.nan), worlds.NUMERIC),
            ValueError,
            "must return finite numbers, got nan",
        ),
        (
            lambda: wrap(nn.Linear(5, 3), worlds.NUMERIC),
            ValueError,
            "Linear must return one number a row, or one for each of .*, got 3",
        ),
    ],
)
def test_predictor_that_is_none_is_an_error_that_says_what_it_gave(make, error, message):
    with pytest.raises(error, match=message):
        make_and_predict(make())


def make_and_predict(model):
    return model.predict(FRAME, model.scales[0])


def test_certain_probability_has_no_logit():
    model = BlackBox(lambda t: (t["age"] > 0).astype(float), worlds.NUMERIC, "sure", ("probability", "logit"))
    with pytest.raises(ScaleError, match="exactly 0 or 1 for 300 of 300 rows, where the logit is infinite"):
        model.predict(FRAME, "logit")


def test_models_are_frozen():
    model = LinearModel(np.zeros(5), 0.0, worlds.encoder("numeric"))
    with pytest.raises(AttributeError):
        model.intercept = 1.0


@pytest.mark.parametrize("kind", ["net", "smooth_net"])
def test_net_on_its_dense_columns_predicts_what_it_does_on_the_original_ones(kind, world, case):
    model = worlds.model(kind, world)
    dense, rows = model.on_dense_columns(), model.encoder.transform(case.rows).astype(np.float64)
    for scale in model.scales:
        np.testing.assert_array_equal(dense.predict(rows, scale), model.predict(case, scale))
    assert dense.name == model.name and dense.target == model.target and dense.schema.labels == model.encoder.names
    assert len(set(dense.schema.names)) == len(dense.schema) == model.encoder.width
    assert dense.network is model.network  # the same weights, not a copy


@pytest.mark.parametrize("kind", sorted(worlds.MODELS))
@pytest.mark.parametrize(("column", "value"), [(0, np.inf), (2, np.nan), (3, 77), (3, 0.5)])
def test_codes_that_the_schema_does_not_have_are_never_predicted(kind, column, value):
    rows = worlds.table("mixed").rows[:3].copy()
    rows[0, column] = value
    name = worlds.MIXED.names[column]
    with pytest.raises(ValueError, match=name):
        worlds.model(kind, "mixed").predict(rows, "probability")
    with pytest.raises(ValueError, match="one column a feature"):
        worlds.model(kind, "mixed").predict(rows[:, :2], "probability")


def test_a_model_decides_from_the_threshold_on_by_that_of_the_people_or_of_its_own_schema():
    data, model = worlds.table("mixed"), worlds.model("linear", "mixed")
    risk, stated = model.predict(data, "probability"), model.schema.target.threshold
    assert (model.decide(data) == (risk >= stated)).all() and (model.decide(data.rows) == (risk >= stated)).all()
    assert model.decide(data, float(risk[3]))[3] and not model.decide(data, float(np.nextafter(risk[3], 1)))[3]
    other = dataclasses.replace(
        data, schema=dataclasses.replace(data.schema, target=dataclasses.replace(data.schema.target, threshold=0.2))
    )
    assert (model.decide(other) == (risk >= 0.2)).all()


@pytest.mark.parametrize("world", worlds.SCHEMAS)
@pytest.mark.parametrize("kind", worlds.MODELS)
def test_rows_that_dlx_mixed_are_predicted_as_others_and_not_checked_again(kind, world, monkeypatch):
    model, rows = worlds.model(kind, world), worlds.people(world)
    expected = model.predict(rows, model.scales[-1])
    if kind != "function":  # which reads a table that is made of codes
        monkeypatch.setattr(type(model.schema), "check", lambda *_: pytest.fail("checked"))
    np.testing.assert_array_equal(model.predict(rows, model.scales[-1], checked=True), expected)
