"""Permutation importance: scikit-learn's, the definition with the same permutations, honest intervals."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import worlds
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.inspection import permutation_importance as reference
from sklearn.metrics import log_loss, roc_auc_score

import dlx
from dlx.dataset import Dataset
from dlx.effects import permutation_importance
from dlx.errors import DlxError
from dlx.model import wrap
from dlx.schema import Feature, Schema, SchemaError
from dlx.stats import weighted_auc

SCORERS = {"log_loss": "neg_log_loss", "auc": "roc_auc"}


class AsEstimator(ClassifierMixin, BaseEstimator):
    """A model of ours, as scikit-learn sees one."""

    def __init__(self, model=None):
        self.model = model

    def fit(self, rows, outcomes):
        """Remember the classes."""
        assert len(rows) == len(outcomes)
        self.classes_ = np.unique(outcomes)
        return self

    def predict_proba(self, rows):
        """Return the probabilities of both classes."""
        probability = self.model.predict(np.asarray(rows), "probability")
        return np.column_stack([1 - probability, probability])

    def predict(self, rows):
        """Return the likelier class."""
        return (self.predict_proba(rows)[:, 1] >= 0.5).astype(float)


@pytest.mark.parametrize("metric", list(SCORERS))
@pytest.mark.parametrize("kind", ["net", "boosted"])
def test_importance_is_that_of_scikit_learn(kind, world, metric):
    model, people = worlds.model(kind, world), worlds.table(world)
    table = permutation_importance(model, people, metric=metric, repeats=12).set_index("feature").loc[list(people.schema.names)]
    estimator = AsEstimator(model).fit(people.rows, people.outcomes)
    asked = {"scoring": SCORERS[metric], "n_repeats": 12, "random_state": 1}
    expected = reference(estimator, people.rows, people.outcomes, **asked)
    error = np.sqrt(2 / 12) * expected.importances_std
    np.testing.assert_allclose((table["importance"] - expected.importances_mean) / np.maximum(error, 1e-9), 0, atol=4)
    assert table.loc["idle", "importance"] == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(("metric", "score"), [("log_loss", lambda y, p: -log_loss(y, p)), ("auc", roc_auc_score)])
def test_importance_equals_the_definition_with_the_same_permutations(world, metric, score):
    model, people = worlds.model("net", world), worlds.table(world)
    found = permutation_importance(model, people, ["age"], metric=metric, repeats=3, seed=5)
    rng, position = np.random.default_rng(5), people.schema.position("age")
    scores = []
    for _ in range(3):
        shuffled = people.rows.copy()
        shuffled[:, position] = shuffled[rng.permutation(len(people)), position]
        scores.append(score(people.outcomes, model.predict(shuffled, "probability")))
    own = score(people.outcomes, model.predict(people, "probability"))
    assert found["importance"][0] == pytest.approx(own - np.mean(scores), abs=1e-8)  # a net computes in float32
    assert abs(found["baseline"][0]) == pytest.approx(abs(own), abs=1e-10)


def test_a_weighted_auc_is_scikit_learn_s():
    rng = np.random.default_rng(0)
    outcomes, predicted = rng.integers(2, size=80).astype(float), rng.random(80).round(1)
    weights = rng.integers(4, size=(5, 80)).astype(float)
    expected = [roc_auc_score(outcomes, predicted, sample_weight=weight) for weight in weights]
    np.testing.assert_allclose(weighted_auc(outcomes, predicted, weights), expected, atol=1e-12)


@pytest.mark.parametrize("metric", list(SCORERS))
def test_intervals_cover_the_importance_among_many_people(metric):
    schema = Schema((Feature("x"), Feature("z")))
    model = wrap(lambda table: 1 / (1 + np.exp(-table["x"] - 0.3 * table["z"])), schema)

    def people(count, seed):
        rng = np.random.default_rng(seed)
        rows = rng.normal(size=(count, 2))
        chance = model.predict(rows, "probability")
        return Dataset(schema, rows, (rng.random(count) < chance).astype(float))

    many, score = people(40_000, 0), {"log_loss": lambda y, p: -log_loss(y, p), "auc": roc_auc_score}[metric]
    shuffled = {name: many.rows.copy() for name in schema.names}
    for i, rows in enumerate(shuffled.values()):
        rows[:, i] = np.random.default_rng(1).permutation(rows[:, i])
    own = score(many.outcomes, model.predict(many, "probability"))
    truth = pd.Series({n: own - score(many.outcomes, model.predict(rows, "probability")) for n, rows in shuffled.items()})
    held = []
    for seed in range(25):
        table = permutation_importance(model, people(150, 100 + seed), metric=metric, repeats=5, seed=seed).set_index("feature")
        held.append((table["low"] <= truth[table.index]) & (truth[table.index] <= table["high"]))
    assert 0.85 <= np.mean(held) <= 1.0


def test_the_most_important_column_comes_first_and_progress_is_told():
    told = []
    found = permutation_importance(
        worlds.model("boosted", "numeric"), worlds.table("numeric"), progress=lambda *at: told.append(at)
    )
    assert found["feature"][0] == "age"
    assert (found["importance"].diff()[1:] <= 0).all()
    assert told == [(i, 5) for i in range(1, 6)]
    named = permutation_importance(worlds.model("boosted", "numeric"), worlds.table("numeric"), ["debt", "age", "debt"])
    assert list(named["feature"]) == ["age", "debt"]
    whole = found.set_index("feature")
    for line in named.itertuples():
        assert line.importance == whole.loc[line.feature, "importance"]  # whatever other columns were asked for


def test_a_constant_column_and_one_that_all_lack_have_no_importance():
    case = worlds.table("mixed")
    rows = case.rows.copy()
    rows[:, 0], rows[:, 2] = np.nan, 1.0
    found = permutation_importance(worlds.model("net", "mixed"), Dataset(case.schema, rows, case.outcomes), ["income", "age"])
    np.testing.assert_array_equal(found[["importance", "low", "high"]], 0)


def test_bad_input_is_refused():
    model, people = worlds.model("boosted", "numeric"), worlds.table("numeric")
    with pytest.raises(SchemaError, match="no feature 'nosuch'"):
        permutation_importance(model, people, ["nosuch"])
    with pytest.raises(DlxError, match="metric must be one of log_loss, auc, got 'accuracy'"):
        permutation_importance(model, people, metric="accuracy")
    with pytest.raises(DlxError, match="at least 1 repeat, got 0"):
        permutation_importance(model, people, repeats=0)
    for outcomes in (None, np.zeros(len(people))):
        with pytest.raises(DlxError, match="needs outcomes of both classes"):
            permutation_importance(model, Dataset(people.schema, people.rows, outcomes))
    with pytest.raises(DlxError, match="needs outcomes of both classes"):
        permutation_importance(model, people[:1])


def test_what_a_model_of_ones_own_reads_beside_the_features_stays_with_each_person():
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"day": pd.date_range("2020-01-01", periods=200), "x": rng.normal(size=200)})
    late = (table["day"] >= "2020-05-01").to_numpy()
    table["y"] = (table["x"] + 2 * late + rng.normal(size=200) > 1).astype(int)
    case = dlx.from_frame(table, dlx.infer_schema(table, target="y", aside={"day": "when"}))
    model = wrap(lambda people: expit((people["x"] + 2 * (people["day"] >= "2020-05-01") - 1).to_numpy()), case)
    (line,) = permutation_importance(model, case, metric="auc", repeats=3).itertuples()
    orders = np.random.default_rng(0)
    shuffled = [table.assign(x=table["x"].to_numpy()[orders.permutation(200)]) for _ in range(3)]
    chances = [expit(some["x"] + 2 * late - 1) for some in (table, *shuffled)]
    own, *after = (roc_auc_score(table["y"], chance) for chance in chances)
    assert line.feature == "x" and line.importance == pytest.approx(own - np.mean(after))
