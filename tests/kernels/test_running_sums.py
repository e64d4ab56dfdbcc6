"""Integrated gradients by running sums, against every piece evaluated in float64, and against fine sums by autograd."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from dlx.architectures import mlp, resnet
from dlx.kernels.gradients import running_sums
from dlx.kernels.gradients.breakpoints import exact_on_average
from dlx.kernels.gradients.recording import record
from dlx.kernels.gradients.running_sums import can_be_walked, walked_on_average

WIDTH, CPU = 7, torch.device("cpu")


class Branches(nn.Module):
    """Two branches side by side, one deeper than the other, both of them skipped by the input."""

    def __init__(self):
        super().__init__()
        self.a = nn.Sequential(nn.Linear(WIDTH, 9), nn.ReLU(), nn.Linear(9, 5))
        self.b = nn.Sequential(nn.Linear(WIDTH, 11), nn.LeakyReLU(0.3), nn.Linear(11, 8), nn.ReLU(), nn.Linear(8, 5))
        self.skip, self.last = nn.Linear(WIDTH, 5), nn.Sequential(nn.ReLU(), nn.Linear(5, 1))

    def forward(self, dense):
        return self.last(self.a(dense) + self.b(dense) + self.skip(dense))


def normed(depth):
    inner = [part for _ in range(depth) for part in (nn.Linear(13, 13), nn.BatchNorm1d(13), nn.ReLU())]
    return nn.Sequential(nn.BatchNorm1d(WIDTH), nn.Linear(WIDTH, 13), nn.ReLU(), *inner, nn.Linear(13, 1))


def chain(*between):
    return nn.Sequential(nn.Linear(WIDTH, 10), between[0], nn.Linear(10, 10), between[1], nn.Linear(10, 1), *between[2:])


NETS = {
    **{f"mlp of depth {depth}": lambda depth=depth: mlp.build(WIDTH, [-0.85], hidden=17, depth=depth) for depth in (2, 3, 5)},
    "resnet": lambda: resnet.build(WIDTH, [-0.85], hidden=9, block_hidden=14),
    "deep resnet": lambda: resnet.build(WIDTH, [-0.85], hidden=6, block_hidden=10, depth=4),
    "batch norms": lambda: normed(3),
    "branches": Branches,
    "leaky": lambda: chain(nn.LeakyReLU(0.2), nn.LeakyReLU(1.5)),
    "down to the left": lambda: chain(nn.LeakyReLU(-0.5), nn.ReLU()),
    "a unit at the end": lambda: chain(nn.ReLU(), nn.ReLU(), nn.ReLU()),
    "units in a row": lambda: nn.Sequential(nn.ReLU(), nn.LeakyReLU(0.5), chain(nn.ReLU(), nn.ReLU())),
}


def trained(make, *, probability=False, seed=1):
    """Return a net whose every weight counts, with batch norms that have seen rows."""
    torch.manual_seed(seed)
    network = nn.Sequential(make(), *[nn.Sigmoid()] * probability)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.Linear):
                module.weight.mul_(2)
                module.bias.normal_(0, 0.5)
            if isinstance(module, nn.BatchNorm1d):
                for array, spread in ((module.running_mean, 1.0), (module.weight, 0.5), (module.bias, 0.5)):
                    array.normal_(1, spread)
                module.running_var.uniform_(0.5, 2)
    return network.eval()


def rows(count, seed=0):
    return torch.randn(count, WIDTH, generator=torch.Generator().manual_seed(seed))


def walked(network, persons, references):
    graph = record(network, references)
    assert can_be_walked(graph, CPU)
    with torch.no_grad():
        return walked_on_average(graph, persons, references)


def piece_by_piece(network, persons, references):
    """Return the same in float64 by evaluating the whole net at every breakpoint."""
    references = references.double()
    with torch.no_grad():
        return exact_on_average(record(copy.deepcopy(network).double(), references), persons.double(), references)


def by_fine_sums(network, persons, references, steps=40_000):
    """Return the same in float64 by autograd at so many midpoints of each path."""
    network, share = copy.deepcopy(network).double(), (torch.arange(steps, dtype=torch.float64)[:, None] + 0.5) / steps
    total = torch.zeros(persons.shape, dtype=torch.float64)
    for person, made in zip(persons.double(), total, strict=True):
        for reference in references.double():
            path = torch.lerp(reference, person, share).requires_grad_()
            made += (person - reference) * torch.autograd.grad(network(path).sum(), path)[0].mean(dim=0)
    return total / len(references)


def off(values, expected):
    """Largest error, as a share of the largest contribution."""
    return float((values - expected).abs().max() / expected.abs().max())


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("probability", [False, True])
def test_sums_are_those_of_every_piece(name, probability):
    network, persons, references = trained(NETS[name], probability=probability), rows(6), rows(5, 1)
    expected, points = piece_by_piece(network, persons, references)
    in_doubles, knots = walked(copy.deepcopy(network).double(), persons.double(), references.double())
    assert off(in_doubles, expected) < 1e-11 and off(walked(network, persons, references)[0], expected) < 1e-6
    if "mlp" in name:  # elsewhere units are counted that no other one depends on
        assert knots == points


@pytest.mark.parametrize("name", ["mlp of depth 2", "resnet", "branches", "leaky"])
@pytest.mark.parametrize("probability", [False, True])
def test_sums_are_what_fine_ones_come_to(name, probability):
    network, persons, references = trained(NETS[name], probability=probability, seed=2), rows(2), rows(2, 1)
    assert off(walked(network, persons, references)[0], by_fine_sums(network, persons, references)) < 2e-5


@pytest.mark.parametrize("depth", [1, 2, 4])
def test_a_probability_close_to_one_keeps_its_digits(depth):
    network, persons, references = trained(lambda: mlp.build(WIDTH, [-0.85], hidden=17, depth=depth)), rows(4), rows(3, 1)
    for shift in (-30.0, 0.0, 12.0, 30.0):
        shifted = nn.Sequential(copy.deepcopy(network), nn.Linear(1, 1), nn.Sigmoid()).double().eval()
        with torch.no_grad():
            shifted[1].weight.fill_(0.5)
            shifted[1].bias.fill_(shift)
        found = walked(shifted, persons.double(), references.double())[0]
        assert off(found, piece_by_piece(shifted, persons, references)[0]) < 1e-11


def test_switches_at_the_same_time_count_once_each():
    network, numbers = trained(NETS["mlp of depth 3"]), torch.Generator().manual_seed(3)
    with torch.no_grad():
        for layer in network.modules():
            if isinstance(layer, nn.Linear):  # whole numbers without a bias, and of each layer's units some three times
                layer.weight.copy_(torch.randint(-2, 3, layer.weight.shape, generator=numbers))
                layer.bias.zero_()
                if len(layer.weight) > 1:
                    layer.weight[5:10] = layer.weight[10:15] = layer.weight[:5]
    people = (2 * rows(3)).round()
    found = walked(network, people, -people)[0]  # from one's own opposite, every unit of every layer switches half way
    assert off(found, by_fine_sums(network, people, -people)) < 2e-4
    assert off(found, piece_by_piece(network, people, -people)[0]) < 1e-6


def test_units_and_columns_that_do_nothing_get_and_change_nothing():
    network, persons, references = trained(NETS["mlp of depth 3"]), rows(5), rows(4, 1)
    with torch.no_grad():
        for layer in (network[0][1], network[0][4]):
            layer.weight[:6], layer.bias[:3], layer.bias[3:6] = 0, 0, -1
        network[0][1].weight[:, 2] = 0
    persons[:, 4] = references[:, 4] = 0.7
    found = walked(network, persons, references)[0]
    assert off(found, piece_by_piece(network, persons, references)[0]) < 1e-6
    assert not found[:, [2, 4]].any() and found[:, [0, 1, 3, 5, 6]].all()


@pytest.mark.parametrize("name", ["mlp of depth 2", "deep resnet"])
@pytest.mark.parametrize("probability", [False, True])
def test_the_same_people_get_the_same_and_a_reference_gets_nothing(name, probability, monkeypatch):
    network, persons, references = trained(NETS[name], probability=probability), rows(5).repeat(2, 1), rows(4, 1)
    found = walked(network, persons, references)[0]
    assert off(found[:5], found[5:]) < 1e-6
    assert not walked(network, references[:1].repeat(3, 1), references[:1])[0].any()
    both = walked(network, references, references)[0]
    assert off(both, piece_by_piece(network, references, references)[0]) < 1e-6
    monkeypatch.setattr(running_sums, "CHUNK_PAIRS", 4)  # one person each, on two threads
    monkeypatch.setattr("dlx.kernels.gradients.graph.BLOCK_NUMBERS", 50)
    assert off(walked(network, persons, references)[0], found) < 1e-6


@pytest.mark.parametrize("size", [1e-6, 1e4])
def test_weights_of_any_size(size):
    network, persons, references = trained(NETS["resnet"]), rows(4), rows(3, 1)
    with torch.no_grad():
        for layer in network.modules():
            if isinstance(layer, nn.Linear):
                layer.weight.mul_(size)
    assert off(walked(network, persons, references)[0], piece_by_piece(network, persons, references)[0]) < 1e-6


@pytest.mark.parametrize("weight", [float("nan"), float("inf")])
def test_a_walk_ends_whatever_the_weights(weight):
    network = trained(NETS["mlp of depth 3"], probability=True)
    with torch.no_grad():
        network[0][4].weight[2, 3] = weight
    assert not walked(network, rows(3), rows(2, 1))[0].isfinite().all()


def test_what_is_not_walked():
    graph = record(trained(NETS["resnet"]), rows(2))
    assert can_be_walked(graph, CPU) and not can_be_walked(graph, torch.device("cuda"))
    for network in (chain(nn.ReLU(), nn.Tanh()), chain(nn.Sigmoid(), nn.ReLU()), nn.Linear(WIDTH, 1)):
        assert not can_be_walked(record(network.eval(), rows(2)), CPU)
    wide = mlp.build(WIDTH, [-0.85], hidden=running_sums.MOST_UNITS // 2 + 1).eval()
    assert not can_be_walked(record(wide, rows(2)), CPU)
    one = mlp.build(WIDTH, [-0.85], depth=1).eval()
    assert not can_be_walked(record(one, rows(2)), CPU) and can_be_walked(
        record(nn.Sequential(one, nn.Sigmoid()), rows(2)), CPU
    )
