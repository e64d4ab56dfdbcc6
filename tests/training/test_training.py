"""Training: repeats to the last bit, keeps the best epoch, stays silent, and says what is wrong with what it was given."""

from __future__ import annotations

import dataclasses
import signal
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch
import worlds

from dlx import architectures, training
from dlx.audit.metrics import METRICS
from dlx.errors import DlxError
from dlx.model.devices import DeviceError
from dlx.training import Recipe, TrainingError

SHORT = {"max_epochs": 3, "hidden": 16}
NETS = [name for name in architectures.names("binary") if architectures.is_net(name)]


def short(name, **config):
    """A configuration that trains any net in a moment; others train in one anyway."""
    return {option: value for option, value in (SHORT | config).items() if option in training.options(name)}


@pytest.fixture(scope="module")
def case():
    """A small table with categories and missing values."""
    return worlds.table("mixed")


@pytest.fixture(scope="module")
def trained(case):
    """A small net, trained until it stopped by itself."""
    return training.train(case, "mlp", device="cpu", config={"hidden": 16, "patience": 2, "learning_rate": 0.02})


def weights(trained):
    return torch.cat([weight.reshape(-1) for weight in trained.model.network.state_dict().values()])


@pytest.mark.parametrize("name", NETS)
def test_the_same_seed_gives_the_same_weights_to_the_last_bit(case, name):
    first, again, other = (
        training.train(case, name, seed=seed, device="cpu", config=short(name, max_epochs=2)) for seed in (0, 0, 1)
    )
    assert torch.equal(weights(first), weights(again))
    assert not torch.equal(weights(first), weights(other))
    pd.testing.assert_frame_equal(first.metrics, again.metrics)


def test_it_leaves_random_numbers_threads_and_screen_alone(case, capfd):
    before, threads = torch.get_rng_state(), torch.get_num_threads()
    numpy_before = np.random.get_state()[1].copy()
    training.train(case, "mlp", device="cpu", config=SHORT)
    assert torch.equal(torch.get_rng_state(), before) and torch.get_num_threads() == threads
    assert (np.random.get_state()[1] == numpy_before).all()
    assert capfd.readouterr() == ("", "")


def test_the_best_epoch_is_kept_and_the_rest_not_waited_for(case, trained):
    history = trained.history
    assert len(history) < 200 and trained.best_epoch < len(history)
    predicted = trained.model.predict(case.validation, "probability")
    kept = history["validation_loss"][trained.best_epoch - 1]
    assert kept == history["validation_loss"].min()
    assert METRICS["log_loss"](case.validation.outcomes, predicted) == pytest.approx(kept, abs=1e-6)


def test_what_comes_back_says_how_it_came_about(case, trained):
    assert trained.made_by.config == {"hidden": 16, "learning_rate": 0.02, "patience": 2}
    assert trained.settings["batch_size"] == 64 and trained.settings["patience"] == 2
    assert trained.model.name == f"mlp-0-{training.digest(trained.made_by.config)}"
    assert trained.made_by.data_sha256 == case.sha256 and trained.device == "cpu"
    assert list(trained.metrics["metric"]) == ["auc", "average_precision", "brier", "log_loss"]


def test_names_carry_the_seed_unless_it_is_0(case):
    assert [training.train(case, "decision_tree", seed=seed).model.name for seed in (0, 1)] == [
        "decision_tree",
        "decision_tree-1",
    ]


def test_options_at_their_defaults_are_no_configuration():
    assert training.overrides("mlp", {"hidden": 128, "dropout": 0.5, "patience": None}) == {}


@pytest.mark.parametrize(("rows", "batch_size"), [(1_999, 64), (2_000, 128), (10_000, 256)])
def test_the_number_of_rows_decides_what_is_left_open(rows, batch_size):
    assert Recipe().for_rows(rows).batch_size == batch_size
    assert Recipe(batch_size=7).for_rows(rows).batch_size == 7


def test_progress_counts_epochs(case):
    seen = []
    training.train(case, "mlp", device="cpu", config=SHORT, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_an_interrupt_is_an_interrupt_and_the_next_one_too(case):
    def interrupt(*_):
        raise KeyboardInterrupt

    handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        training.train(case, "mlp", device="cpu", config=SHORT, progress=interrupt)
    assert signal.getsignal(signal.SIGINT) is handler


def test_a_loss_that_is_no_number_is_an_error(case):
    with pytest.raises(TrainingError, match=r"the loss must stay finite, got .* in epoch 1; lower learning_rate"):
        training.train(case, "mlp", device="cpu", config=SHORT | {"learning_rate": 1e30})


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"widht": 3}, "mlp has no option 'widht'; its options: hidden, depth"),
        ({"hidden": 0}, "hidden must be a whole number from 1 on, got 0"),
        ({"hidden": 2.5}, "hidden must be a whole number"),
        ({"max_epochs": "many"}, "max_epochs must be a whole number from 1 on, got 'many'"),
        ({"learning_rate": -1}, "learning_rate must be a number from 0 on, got -1"),
        ({"dropout": True}, "dropout must be a number"),
    ],
)
def test_a_wrong_option_is_an_error_that_names_it(case, config, message):
    with pytest.raises(TrainingError, match=message):
        training.train(case, "mlp", config=config)


def shares(case):
    """Weights of training rows that double the women."""
    return 1.0 + (case.train.rows[:, case.schema.position("sex")] == 0)


def fitted(case, name, weights, **config):
    return training.fit(name, case.train, case.validation, device="cpu", config=config, weights=weights)


@pytest.mark.parametrize("name", ["mlp", *sorted(set(architectures.names("binary")) - set(NETS))])
def test_only_the_ratios_of_weights_matter_and_equal_ones_change_nothing(case, name):
    config = short(name)
    plain, equal, skewed, doubled = (
        fitted(case, name, weights, **config).model.predict(case.test, "logit")
        for weights in (None, np.full(len(case.train), 0.5), shares(case), 2 * shares(case))
    )
    if name != "random_forest":  # scikit-learn draws its rows by weight, from other random numbers
        np.testing.assert_array_equal(equal, plain)
    np.testing.assert_allclose(doubled, skewed, atol=1e-6)
    assert np.abs(skewed - plain).max() > 1e-3


def test_a_weight_of_two_is_a_row_twice_in_a_tree(case):
    twice = case.train[np.repeat(np.arange(len(case.train)), shares(case).astype(int))]
    config = {"max_depth": 3, "min_rows": 1, "smoothing": 0}
    weighted = fitted(case, "decision_tree", shares(case), **config)
    repeated = training.fit("decision_tree", twice, case.validation, config=config)
    np.testing.assert_allclose(*(made.model.predict(case.test, "probability") for made in (weighted, repeated)), atol=1e-6)


def test_a_net_learns_the_weighted_log_loss(case):
    config = {"hidden": 8, "dropout": 0, "input_dropout": 0, "batch_size": len(case.train), "max_epochs": 1}
    still = config | {"learning_rate": 0.0}
    net = fitted(case, "mlp", shares(case), **still)
    predicted, outcomes = net.model.predict(case.train, "probability"), case.train.outcomes
    losses = -np.log(np.where(outcomes == 1, predicted, 1 - predicted))
    assert net.history["training_loss"][0] == pytest.approx(np.average(losses, weights=shares(case)), abs=1e-6)
    assert net.history["validation_loss"][0] == pytest.approx(
        METRICS["log_loss"](case.validation.outcomes, net.model.predict(case.validation, "probability")), abs=1e-6
    )


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (lambda n: np.ones(n + 1), r"one entry a training row, \[180\], got shape \[181\]"),
        (np.zeros, "weights must be positive and finite, got 0; leave out"),
        (lambda n: np.full(n, np.nan), "weights must be positive and finite, got nan"),
    ],
)
def test_weights_are_checked(case, weights, message):
    with pytest.raises(TrainingError, match=message):
        fitted(case, "decision_tree", weights(len(case.train)))


def test_outcomes_are_needed_and_both_of_them(case):
    with pytest.raises(TrainingError, match="'mixed' has no outcomes"):
        training.train(dataclasses.replace(case, outcomes=None), "decision_tree")
    alike = dataclasses.replace(case, outcomes=np.zeros(len(case)))
    with pytest.raises(TrainingError, match="must hold both outcomes, got 0 positive of"):
        training.train(alike, "decision_tree")


def test_devices_are_checked(case):
    with pytest.raises(DeviceError, match="device must be one of auto, cpu, cuda, got 'tpu'"):
        training.train(case, "mlp", device="tpu")
    if not torch.cuda.is_available():
        with pytest.raises(DeviceError, match="device 'cuda' needs a GPU"):
            training.train(case, "mlp", device="cuda")


def test_a_seed_is_a_whole_number_from_0_on(case):
    for seed in (-1, 1.5, True):
        with pytest.raises(DlxError, match=f"a seed must be 0 to .*, got {seed}; pass a whole number"):
            training.train(case, "mlp", seed=seed)


def test_lightning_waits_for_a_net():
    code = "import sys, dlx.training, dlx.checkpoint; print({'lightning', 'torch', 'sklearn'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
