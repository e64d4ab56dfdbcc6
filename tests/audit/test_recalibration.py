"""Recalibration: scikit-learn's maps, models that stay what they are, and explanations that follow."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
import worlds
from scipy.special import expit, logit
from sklearn.calibration import _SigmoidCalibration
from sklearn.isotonic import IsotonicRegression
from sklearn.tree import DecisionTreeClassifier
from torch import nn

import dlx
from dlx.audit.miscalibration import calibration, log_odds
from dlx.audit.recalibration import better_kind, isotonic, platt, recalibrated
from dlx.dataset import Dataset
from dlx.errors import DlxError
from dlx.kernels.shapley.splitting import split
from dlx.model import BlackBox, NeuralModel, TreeModel, wrap, wrap_trees
from dlx.schema import Feature, Schema

SCHEMA = Schema((Feature("score"),))
MODEL = wrap(lambda table: table["score"], SCHEMA, name="score")
OWN = {  # kinds that add up on the log-odds, and the method of each
    "net": ["deeplift", "integrated_gradients", "shapley"],
    "smooth_net": ["integrated_gradients"],
    "linear": ["linear_shap"],
    "boosted": ["tree_shap"],
}


def followers(model, world):
    """Return the people of a table with outcomes that follow a model's ranks, but not its probabilities."""
    case, rng = worlds.table(world), np.random.default_rng(5)
    odds = log_odds(model.predict(case, "probability"))
    chance = expit(0.3 + 1.3 * (odds - odds.mean()) / odds.std())
    return Dataset(case.schema, case.rows, (rng.random(len(case)) < chance).astype(float))


def people(scores, outcomes):
    """Return people whose column is their predicted probability."""
    return Dataset(SCHEMA, np.asarray(scores, dtype=float)[:, None], np.asarray(outcomes, dtype=float), name="loans")


def off(count=600, *, slope=2.0, seed=0):
    """Return predicted probabilities that are too extreme, and outcomes."""
    rng = np.random.default_rng(seed)
    odds = rng.normal(-0.5, 1.0, size=count)
    return expit(slope * odds), (rng.random(count) < expit(odds)).astype(float)


def test_platt_is_the_maximum_of_the_likelihood():
    scores, outcomes = off()
    found, shifts = platt(outcomes, scores), (-1e-4, 0, 1e-4)

    def likelihood(a, b):
        odds = (found.intercept + a) + (found.slope + b) * logit(scores)
        return (outcomes * odds - np.logaddexp(0, odds)).sum()

    assert max((likelihood(a, b), a, b) for a in shifts for b in shifts)[1:] == (0, 0)
    # scikit-learn's own, which pulls its targets towards one half by a row of each class
    theirs = _SigmoidCalibration().fit(logit(scores), outcomes)
    assert found.slope == pytest.approx(-theirs.a_, abs=0.02) and found.intercept == pytest.approx(-theirs.b_, abs=0.02)


def test_platt_makes_slope_one_and_intercept_zero_on_its_own_rows():
    those = people(*off())
    assert calibration(MODEL, those).needs_recalibration
    found = calibration(recalibrated(MODEL, those, kind="platt"), those)
    assert found.slope.estimate == pytest.approx(1, abs=1e-6) and found.intercept.estimate == pytest.approx(0, abs=1e-6)
    assert not found.needs_recalibration


def test_isotonic_is_that_of_scikit_learn_away_from_0_and_1():
    scores, outcomes = off(150)
    theirs = IsotonicRegression(out_of_bounds="clip").fit(scores, outcomes).predict(scores)
    found = recalibrated(MODEL, people(scores, outcomes), kind="isotonic").predict(people(scores, outcomes), "probability")
    np.testing.assert_allclose(found, np.clip(theirs, 1 / 152, 151 / 152), atol=1e-12)
    assert np.isfinite(isotonic(outcomes, scores)(np.array([0.0, 1.0]))).all()


@pytest.mark.parametrize("kind", OWN)
def test_by_platt_every_contribution_to_the_logit_is_the_old_one_times_the_slope(kind, world):
    model = worlds.model(kind, world)
    case = followers(model, world)
    stretch = platt(case.outcomes, model.predict(case, "probability"))
    after = recalibrated(model, case, kind="platt")
    assert type(after) is type(model) and after.scales == model.scales and after.name == f"{model.name} recalibrated"
    expected = stretch.intercept + stretch.slope * model.predict(case, "logit")
    np.testing.assert_allclose(after.predict(case, "logit"), expected, rtol=1e-5, atol=1e-5)
    for method in OWN[kind]:
        old, new = (
            dlx.explain(m, worlds.people(world), method=method, background=worlds.background(world), scale="logit")
            for m in (model, after)
        )
        np.testing.assert_allclose(new.values, stretch.slope * old.values, rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(new.base_values, stretch.intercept + stretch.slope * old.base_values, rtol=1e-5, atol=1e-5)


def test_the_first_layer_of_a_recalibrated_net_still_splits_and_the_net_itself_is_left_as_it_was(world):
    model = worlds.net(world)
    case = followers(model, world)
    before = model.predict(case, "logit")
    after = recalibrated(model, case, kind="platt")
    assert split(after, worlds.people(world), worlds.background(world)) is not None
    np.testing.assert_array_equal(model.predict(case, "logit"), before)


class Flat(nn.Module):
    """A net that returns logits [rows]."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, rows):
        return self.network(rows).squeeze(-1)


def test_a_net_without_a_last_dimension_is_stretched_too(world):
    case = followers(worlds.net(world), world)
    model = NeuralModel(Flat(worlds.network(world)), worlds.encoder(world))
    after, column = (recalibrated(m, case, kind="platt") for m in (model, worlds.net(world)))
    assert after.network(torch.zeros(3, model.encoder.width)).shape == (3, 1)
    np.testing.assert_allclose(after.predict(case, "logit"), column.predict(case, "logit"), atol=1e-6)
    for method in ("deeplift", "integrated_gradients"):
        made = dlx.explain(after, worlds.people(world), method=method, background=worlds.background(world), scale="probability")
        assert np.abs(made.residuals).max() < 1e-3


@pytest.mark.parametrize("kind", ["platt", "isotonic"])
def test_a_single_tree_stays_one(kind):
    case = worlds.table("numeric")
    fitted = DecisionTreeClassifier(max_depth=3, min_samples_leaf=5, random_state=0).fit(case.rows, case.outcomes)
    model = wrap_trees(fitted, case.schema)
    after = recalibrated(model, case, kind=kind)
    assert isinstance(after, TreeModel) and len(after.trees) == 1 and after.scales[0] == "probability"
    scores = model.predict(case, "probability")
    make = platt if kind == "platt" else isotonic
    np.testing.assert_allclose(after.predict(case, "probability"), make(case.outcomes, scores)(scores), atol=1e-6)
    made = dlx.explain(after, case[:5], method="tree_shap", background=case[:9], scale="probability")
    assert np.abs(made.residuals).max() < 1e-6


@pytest.mark.parametrize(
    ("name", "kind"), [("forest", "platt"), ("forest", "isotonic"), ("boosted", "isotonic"), ("net", "isotonic")]
)
def test_what_no_sum_survives_is_a_black_box_that_can_be_explained(name, kind, world):
    model = worlds.model(name, world)
    case = followers(model, world)
    after = recalibrated(model, case, kind=kind)
    assert isinstance(after, BlackBox) and after.scales[0] == "probability"
    scores = np.clip(model.predict(case, "probability"), 0, 1)
    make = platt if kind == "platt" else isotonic
    np.testing.assert_allclose(after.predict(case, "probability"), make(case.outcomes, scores)(scores), atol=1e-9)
    made = dlx.explain(after, case[:4], method="exact_shapley", background=case[:9], scale="probability")
    assert np.abs(made.residuals).max() < 1e-6


def test_auto_takes_steps_only_where_they_are_needed():
    scores, outcomes = off(1500)
    assert better_kind(outcomes, scores) == "platt"
    rng = np.random.default_rng(3)
    steps = np.where(scores < 0.3, 0.05, np.where(scores < 0.6, 0.5, 0.55))
    assert better_kind((rng.random(len(steps)) < steps).astype(float), scores) == "isotonic"
    assert better_kind(np.r_[np.ones(9), np.zeros(100)], np.linspace(0.1, 0.9, 109)) == "platt"  # too few to tell


def test_certain_predictions_are_recalibrated_without_infinities():
    scores, outcomes = off(200)
    scores[:6] = [0, 0, 1, 1, 0, 1]
    for kind in ("platt", "isotonic", "auto"):
        after = recalibrated(MODEL, people(scores, outcomes), kind=kind)
        assert np.isfinite(after.predict(people(scores, outcomes), "logit")).all()
    assert np.isfinite(log_odds(np.array([0.0, 1.0]))).all()


@pytest.mark.parametrize(
    ("scores", "outcomes", "message"),
    [
        ([0.3] * 6, [0, 1] * 3, r"predictions that differ, but score predicts 0.3 for all 6 validation rows"),
        ([0.1, 0.2, 0.8, 0.9], [0, 0, 1, 1], "those of score separate the 4 validation rows"),
        ([0.1, 0.2, 0.8, 0.9], [1, 1, 0, 0], "those of score separate the 4 validation rows"),
        ([0.1, 0.2, 0.7, 0.8, 0.9], [1, 1, 1, 0, 0], "separate"),
        ([0.1, 0.2, 0.6, 0.8, 0.9, 0.5], [1, 1, 0, 0, 1, 0], "its slope is -.*calibration cannot mend a ranking"),
        ([0.1, 0.2], [1, 1], "loans: the recalibration of score needs outcomes of both classes, got 2 positive of 2"),
        ([0.1], [1], "needs outcomes of both classes"),
    ],
)
def test_what_cannot_be_recalibrated_is_refused(scores, outcomes, message):
    with pytest.raises(DlxError, match=message):
        recalibrated(MODEL, people(scores, outcomes))


def test_an_unknown_kind_and_a_regression_are_refused():
    those = people(*off(50))
    with pytest.raises(DlxError, match="kind must be one of platt, isotonic, auto, got 'beta'"):
        recalibrated(MODEL, those, kind="beta")
    value = dataclasses.replace(MODEL, scales=("value",))
    with pytest.raises(DlxError, match="score has no scale 'probability'"):
        recalibrated(value, those)
