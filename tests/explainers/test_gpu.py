"""Nets on a GPU: what each method gives there is what it gives on the processor; skipped, with the reason, where there is none.

The same runs everywhere on a processor that passes for a GPU: the blocks, the tensors that stay, and the one thread.
"""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch._subclasses import FakeTensorMode

import dlx
from dlx import explainers
from dlx.explainers import PASSES
from dlx.kernels.lime.ridge import LoneColumns, local_fits
from dlx.kernels.lime.weighted_moments import Pool, moments, weighted_sums
from dlx.kernels.shapley import designs
from dlx.kernels.shapley.exact import all_coalitions, shapley_of_table
from dlx.kernels.shapley.splitting import SplitNet
from dlx.model import NeuralModel, devices
from dlx.model.devices import DeviceError, beside, columns, place_of

CLOSE = 1e-4  # of the largest contribution of a row
FEWER = {"gradient_shap": {"n_samples": 60}, "lime": {"n_samples": 600}, "shapley": {"max_pairs": 40}, "kernel_shap": {}}


@pytest.fixture(params=["cuda", "a processor that passes for a GPU"])
def device(request, monkeypatch):
    if request.param == "cuda":
        if not torch.cuda.is_available():
            pytest.skip("there is no GPU that torch can use")
        return "cuda"

    def in_a_thread(*_):
        raise AssertionError("threads would fight over one device")

    monkeypatch.setattr(devices, "PROCESSORS", ())
    monkeypatch.setattr(devices, "NUMBERS_AT_ONCE", 50_000)  # several blocks of everything
    monkeypatch.setattr("dlx.threads._pool", in_a_thread)
    monkeypatch.setattr("dlx.model.devices.place_of", lambda *_, **__: "cpu")
    return "cpu"


@pytest.fixture(scope="module")
def case():
    return dlx.load("bank_loan")


def lime_first():
    nets = dlx.load_model("bank_loan", "mlp")
    return sorted(explainers.names_for(nets), key=lambda name: name != "lime")


@pytest.fixture(scope="module")
def on_the_processor(case):
    """What every method gives on the processor, by method and by net; made once."""
    made = {}

    def explained(net, method, scale):
        if (net, method, scale) not in made:
            made[net, method, scale] = of_people(dlx.load_model(case, net), case, method, scale)
        return made[net, method, scale]

    return explained


def of_people(model, case, method, scale):
    asked = FEWER.get(method, {}) if set(FEWER.get(method, {})) <= set(explainers.options(method)) else {}
    people, background = case.test[:12], case.background(6)
    if PASSES[explainers.method(method).COST] == max(PASSES.values()):
        people, background = people[:2], background[:3]
    return dlx.explain(model, people, method=method, background=background, scale=scale, **asked)


@pytest.mark.parametrize("method", lime_first())
def test_values_are_those_of_the_processor(case, method, on_the_processor, device):
    nets = ("mlp", "resnet") if PASSES[explainers.method(method).COST] == 1 else ("mlp",)
    for net in nets:
        for scale in ("logit", "probability") if method in explainers.having(IS_SHAPLEY=True) else ("logit",):
            model = dlx.load_model(case, net).on(device)
            found, expected = of_people(model, case, method, scale), on_the_processor(net, method, scale)
            off = np.abs(found.values - expected.values).max(axis=1)
            assert (off <= CLOSE * np.abs(expected.values).max(axis=1)).all()
            if expected.standard_errors is not None:
                np.testing.assert_allclose(found.standard_errors, expected.standard_errors, rtol=1e-3, atol=1e-6)


def test_of_many_people_lime_is_that_of_the_processor(case, device):
    asked = {"method": "lime", "background": case.background(20), "scale": "logit", "n_samples": 700}
    one, other = (dlx.explain(dlx.load_model(case, "mlp").on(place), case.test, **asked) for place in ("cpu", device))
    np.testing.assert_allclose(one.values, other.values, atol=CLOSE * np.abs(one.values).max(axis=1).min())


def test_a_net_is_trained_and_loaded_there(case, device, tmp_path):
    asked = {"device": device, "config": {"max_epochs": 1}, "checkpoints": tmp_path}
    trained = dlx.train(case, "mlp", **asked)
    assert trained.device.type == device
    loaded = dlx.load_model(case, "mlp", **asked)
    assert loaded.device.type == device
    np.testing.assert_array_equal(loaded.predict(case.test, "logit"), trained.predict(case.test, "logit"))


def test_coalitions_tables_solves_and_sums_stay_there(case, monkeypatch):
    """Of tensors that only say where they are: what is on two devices at once, or leaves the GPU too soon, is an error."""
    monkeypatch.setattr("torch.cuda.mem_get_info", lambda _: (2**20, 2**30))  # so that there are several blocks
    model, game = dlx.load_model(case, "mlp"), designs.design(8, 20, 0)
    monkeypatch.setattr(NeuralModel, "device", torch.device("cuda"))
    places, players = np.arange(6), np.tile(np.arange(8), (6, 1))
    pool = Pool(np.tile(np.arange(4, dtype=np.int32), (300, 1)), np.arange(300.0))
    with FakeTensorMode(allow_non_fake_inputs=True):
        layers = [nn.Linear(model.encoder.width, 16, device="cuda"), nn.ReLU(), nn.Linear(16, 1, device="cuda")]
        net = SplitNet(replace(model, network=nn.Sequential(*layers)), layers[0], layers[1:], case.rows[:6], case.rows[:6])
        every = [net.worth(places, places, players, members) for members in (net.all_coalitions(8), all_coalitions(8))]
        odd = columns([beside(every[0], np.ones(6))[:, None], every[0][:, :20]])
        sums = weighted_sums(pool, pool.bins[:20], torch.device("cuda"))
        present, none = torch.ones(20, 4, dtype=torch.float64, device="cuda"), torch.zeros(20, 4, device="cuda")
        found = moments(sums, present, present[:, 0])
        fits = [local_fits(found, LoneColumns(none.bool(), none.double(), 0.1), count) for count in (None, 2)]
        made = [*every, shapley_of_table(every[0]), game.values(odd), game.variances(odd), *found, *fits[0], *fits[1]]
        assert {tensor.device.type for tensor in made} == {"cuda"}


def test_auto_takes_a_gpu_where_the_work_is_worth_its_start(monkeypatch):
    assert place_of("auto") == ("cuda" if torch.cuda.is_available() else "cpu")
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    assert place_of("auto", devices.WORTH_A_START) == "cuda" == place_of("cuda", 0)
    assert place_of("auto", devices.WORTH_A_START - 1) == "cpu" == place_of("cpu")
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert place_of("auto") == "cpu"
    with pytest.raises(DeviceError, match="needs a GPU that torch can use, and there is none"):
        place_of("cuda")
    with pytest.raises(DeviceError, match="must be one of auto, cpu, cuda, got 'gpu'"):
        place_of("gpu")


def test_a_net_of_the_user_s_own_is_copied_and_not_moved(case, monkeypatch):
    model = dlx.load_model(case, "mlp")
    assert model.on("cpu") is model is model.on("auto", 0)
    moved = model.on("cuda") if torch.cuda.is_available() else None
    assert moved is None or (moved.device.type, model.device.type) == ("cuda", "cpu")
    there = NeuralModel(nn.Linear(model.encoder.width, 1, device="meta"), model.encoder)
    assert there.on("auto", 0) is there  # where its user put it
    model.network.shift = torch.zeros(3)  # neither a parameter nor a buffer
    monkeypatch.setattr("dlx.model.devices.place_of", lambda *_, **__: "meta")
    copied = model.on("cuda").network
    assert {copied.shift.device.type, *(weight.device.type for weight in copied.parameters())} == {"meta"}
    assert {model.network.shift.device.type, model.device.type} == {"cpu"}


@pytest.mark.parametrize("command", ["explain", "report", "audit", "serve"])
def test_a_gpu_that_there_is_not_is_told_of(refused, monkeypatch, command):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    more = ("--method", "lime") if command == "explain" else ()
    assert "needs a GPU that torch can use" in refused(command, "bank_loan", "--model", "mlp", *more, "--device", "cuda")
