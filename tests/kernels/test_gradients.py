"""Integrated gradients and DeepLIFT by our kernels, against captum, against closed forms, and against a slow exact integral."""

from __future__ import annotations

import copy
import warnings

import numpy as np
import pytest
import torch
import worlds
from captum.attr import DeepLift, IntegratedGradients
from torch import nn
from torch.nn import functional

from dlx.architectures import mlp, resnet
from dlx.encoder import Encoder
from dlx.errors import DlxError
from dlx.explainers._lookups import refuse_lookups
from dlx.kernels.gradients import breakpoints, cells, paths, recording, running_sums
from dlx.kernels.gradients.nonlinearities import NONLINEARITIES, mean_slope
from dlx.kernels.gradients.paths import integrated_gradients
from dlx.kernels.gradients.recording import record
from dlx.kernels.gradients.rescale import deeplift
from dlx.model import NeuralModel
from dlx.runner import explain
from dlx.schema import Feature, Schema, Target

WIDTH = 6
KERNELS = {"integrated gradients": integrated_gradients, "deeplift": deeplift}


def layers(activation, *, depth=2):
    inner = [part for _ in range(depth - 1) for part in (nn.Linear(12, 12), activation())]
    return nn.Sequential(nn.Linear(WIDTH, 12), activation(), *inner, nn.Linear(12, 1))


class Functional(nn.Module):
    """Nonlinearities that are no modules, a residual sum in place, a number, and outputs [rows]."""

    def __init__(self):
        super().__init__()
        self.first, self.second, self.last = nn.Linear(WIDTH, 12), nn.Linear(12, 12), nn.Linear(12, 1)

    def forward(self, dense):
        hidden = functional.relu(self.first(dense))
        deeper = self.second(hidden)
        deeper += hidden
        hidden = torch.relu(deeper) + 0.5
        return (1 + self.last(hidden.relu())).squeeze(-1)


class Joined(nn.Module):
    """A net that is not written down: columns are cut apart and put together again."""

    def __init__(self):
        super().__init__()
        self.inner, self.last = layers(nn.ReLU), nn.Linear(WIDTH, 1)

    def forward(self, dense):
        return self.last(torch.cat([self.inner(dense), dense[:, 1:]], dim=1))


class Wide(nn.Module):
    """A linear path beside a deep one."""

    def __init__(self):
        super().__init__()
        self.linear, self.deep = nn.Linear(WIDTH, 1), layers(nn.ReLU)

    def forward(self, dense):
        return sum([self.linear(dense), self.deep(dense)])


NETS = {
    "mlp": lambda: mlp.build(WIDTH, [-0.85], hidden=12),
    "deep mlp": lambda: mlp.build(WIDTH, [-0.85], hidden=12, depth=4),
    "shallow mlp": lambda: mlp.build(WIDTH, [-0.85], hidden=12, depth=1),
    "resnet": lambda: resnet.build(WIDTH, [-0.85], hidden=8, block_hidden=12),
    "leaky": lambda: layers(lambda: nn.LeakyReLU(0.2)),
    "kinks at the input": lambda: nn.Sequential(nn.ReLU(), nn.Linear(WIDTH, 12), nn.ReLU(inplace=True), nn.Linear(12, 1)),
    "wide": Wide,
    "linear": lambda: nn.Linear(WIDTH, 1),
}
SMOOTH = {"tanh": nn.Tanh, "elu": nn.ELU, "softplus": nn.Softplus, "sigmoid": nn.Sigmoid}


def trained(make, *, probability=False, double=False):
    """Return a net whose every weight counts, with batch norms that have seen rows."""
    torch.manual_seed(1)
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
    return (network.double() if double else network).eval()


def rows(count, seed=0, *, double=False):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, WIDTH, generator=generator, dtype=torch.float32).to(torch.float64 if double else torch.float32)


def off(values, expected):
    """Largest relative error of a row."""
    values, expected = np.asarray(values, dtype=float), np.asarray(expected, dtype=float)
    return (np.linalg.norm(values - expected, axis=1) / np.linalg.norm(expected, axis=1)).max()


def by_captum(explainer, network, persons, references, **options):
    """Return what captum says in float64, averaged over the references."""
    network, target = copy.deepcopy(network).double(), 0 if network(persons[:1]).ndim == 2 else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # captum tells that it sets hooks
        parts = [
            explainer(network).attribute(persons.double(), reference[None].double(), target=target, **options).detach()
            for reference in references
        ]
    return torch.stack(parts).mean(dim=0).numpy()


def by_midpoints(network, persons, references, steps=2000):
    return by_captum(IntegratedGradients, network, persons, references, n_steps=steps, method="riemann_middle")


def gaps(network, persons, references, made):
    """What is missing in each row: the output, less the references' mean, less the sum of its values."""
    with torch.no_grad():
        outputs, starts = (network(some).reshape(-1).double().numpy() for some in (persons, references))
    return outputs - starts.mean() - made.values.sum(axis=1)


def by_halves(network, persons, references):
    """Return the exact integral for a net of ReLUs in float64: a piece whose gradients differ is halved until they do not."""
    network, starts = copy.deepcopy(network).double(), references.double().repeat(len(persons), 1)
    changes = persons.double().repeat_interleave(len(references), dim=0) - starts

    def slope(pair, share):
        path = (starts[pair] + share[:, None] * changes[pair]).requires_grad_()
        return torch.autograd.grad(network(path).sum(), path)[0]

    ends = torch.linspace(0, 1, 513, dtype=torch.float64)
    low, high = ends[:-1].repeat(len(starts)), ends[1:].repeat(len(starts))
    pair, total = torch.arange(len(starts)).repeat_interleave(512), torch.zeros_like(starts)
    for halving in range(40):
        middle = (low + high) / 2
        first, half, last = (slope(pair, share) for share in (low + 1e-13, middle, high - 1e-13))
        done = ((first - half).abs().amax(dim=1) < 1e-9) & ((last - half).abs().amax(dim=1) < 1e-9) | (halving == 39)
        total.index_add_(0, pair[done], ((high - low)[:, None] * half)[done])
        low, high = torch.cat([low[~done], middle[~done]]), torch.cat([middle[~done], high[~done]])
        pair = pair[~done].repeat(2)
    return (total * changes).reshape(len(persons), len(references), -1).mean(dim=1).numpy()


# Integrated gradients


@pytest.mark.parametrize("name", [*NETS, "functional"])
def test_integral_of_a_net_of_relus_is_exact(name):
    network, persons, references = trained((NETS | {"functional": Functional})[name]), rows(3), rows(2, 1)
    made = integrated_gradients(network, persons, references)
    assert made.is_exact and off(made.values, by_halves(network, persons, references)) < 1e-6
    assert off(made.values, by_midpoints(network, persons, references)) < 5e-3


@pytest.mark.parametrize("name", NETS)
def test_probability_of_a_net_of_relus_is_exact_too(name):
    network, persons, references = trained(NETS[name], probability=True), rows(3), rows(2, 1)
    made = integrated_gradients(network, persons, references)
    expected = by_midpoints(network, persons, references, 3000)
    assert made.is_exact and off(made.values, expected) < 2e-3  # captum's rule is off by this much where there are kinks
    doubles = copy.deepcopy(network).double(), persons.double(), references.double()
    in_doubles = integrated_gradients(*doubles)
    assert off(made.values, in_doubles.values) < 3e-6 and np.abs(gaps(*doubles, in_doubles)).max() < 1e-12


@pytest.mark.parametrize("activation", [*SMOOTH.values(), nn.GELU, nn.SiLU])
@pytest.mark.parametrize("depth", [1, 2])
@pytest.mark.parametrize("probability", [False, True])
def test_smooth_nets_are_integrated_until_they_add_up(activation, depth, probability):
    network, persons, references = (
        trained(lambda: layers(activation, depth=depth), probability=probability),
        rows(3),
        rows(2, 1),
    )
    made = integrated_gradients(network, persons, references, tolerance=1e-4)
    assert made.is_exact == (depth == 1 and not probability and activation in SMOOTH.values())
    assert off(made.values, by_midpoints(network, persons, references)) < 1e-3
    assert np.abs(gaps(network, persons, references, made)).max() < 1e-4 * np.ptp(
        network(torch.cat([persons, references])).detach().numpy()
    )


def test_tolerance_is_met_by_more_points_and_only_where_it_takes_them():
    network, persons, references = trained(Joined), rows(20), rows(8, 1)
    expected = by_halves(network, persons[:3], references)
    rough, fine = (integrated_gradients(network, persons, references, tolerance=share) for share in (0.1, 1e-3))
    assert rough.evaluations == 28 + 20 * 8 * 50 < fine.evaluations < 28 + 20 * 8 * 50 * 2**6
    assert off(fine.values[:3], expected) < 2e-3 and off(rough.values[:3], expected) < 0.05
    effect = network(references).detach().numpy()
    assert np.abs(gaps(network, persons, references, fine)).max() < 1e-3 * np.abs(effect - effect.mean()).mean()
    most = integrated_gradients(network, persons, references, pieces=16, tolerance=1e-3)
    assert most.evaluations >= 28 + 20 * 8 * 800 and off(most.values[:3], expected) < 1e-3


def test_path_across_very_many_kinks():
    torch.manual_seed(0)
    network = trained(lambda: mlp.build(WIDTH, [-0.85], hidden=96, depth=3))
    made = integrated_gradients(network, 20 * rows(4), -20 * rows(3, 1))
    assert made.is_exact and made.evaluations > 4 * 3 * 60
    assert np.abs(gaps(network, 20 * rows(4), -20 * rows(3, 1), made)).max() < 1e-6 * np.abs(made.values).sum(axis=1).max()


def test_a_staircase_of_one_column_has_every_kink_found():
    steps = nn.Sequential(nn.Linear(1, 64), nn.ReLU(), nn.Linear(64, 1), nn.ReLU(), nn.Linear(1, 1))
    with torch.no_grad():
        steps[0].weight.fill_(1.0)
        steps[0].bias.copy_(-torch.arange(64) / 64)
        steps[2].weight.copy_(2.0 * (-1.0) ** torch.arange(64)[None])
        steps[2].weight[0, 0] = 1.0
        steps[2].bias.zero_()
    start, end = torch.tensor([[-0.3]]), torch.tensor([[1.7]])
    made = integrated_gradients(steps, end, start)
    assert made.evaluations == 2 + 2 + 64  # both ends, and 64 switches between them
    np.testing.assert_allclose(made.values, (steps(end) - steps(start)).detach().numpy(), atol=1e-6)


def test_a_net_of_too_many_units_is_integrated_by_a_rule(monkeypatch):
    network, persons, references = trained(NETS["mlp"]), rows(3), rows(2, 1)
    exact = integrated_gradients(network, persons, references)
    monkeypatch.setattr(breakpoints, "MOST_BREAKPOINTS", 11)
    monkeypatch.setattr(running_sums, "MOST_UNITS", 23)
    made = integrated_gradients(network, persons, references)
    assert exact.is_exact and not made.is_exact and off(made.values, exact.values) < 5e-3


# DeepLIFT


@pytest.mark.parametrize("name", [*NETS, *SMOOTH, "joined"])
@pytest.mark.parametrize("probability", [False, True])
def test_deeplift_is_captums(name, probability):
    make = (NETS | {name: lambda kind=kind: layers(kind) for name, kind in SMOOTH.items()} | {"joined": Joined})[name]
    network, persons, references = trained(make, probability=probability), rows(5), rows(3, 1)
    expected = by_captum(DeepLift, network, persons, references)
    in_doubles = deeplift(copy.deepcopy(network).double(), persons.double(), references.double())
    assert off(in_doubles.values, expected) < 1e-6
    assert off(deeplift(network, persons, references).values, expected) < 1e-5
    one = deeplift(network, persons, references[:1])
    assert off(one.values, by_captum(DeepLift, network, persons, references[:1])) < 1e-5


def test_deeplift_takes_a_function_for_its_gradient_as_captum_does():
    network, persons, references = trained(Functional), rows(5), rows(3, 1)
    made = deeplift(network, persons, references)
    assert off(made.values, by_captum(DeepLift, network, persons, references)) < 1e-5
    effect = network(persons).detach().numpy() - network(references).detach().numpy().mean()
    assert np.abs(made.values.sum(axis=1) - effect).max() > 0.01


@pytest.mark.parametrize("module", [kind() for kind in NONLINEARITIES], ids=lambda module: type(module).__name__)
def test_mean_slope_is_the_difference_quotient_and_the_derivative_where_values_meet(module):
    values = torch.tensor([-30.0, -2.0, -0.5, -1e-5, 1e-5, 0.3, 2.0, 30.0])
    start, end = torch.meshgrid(values, values, indexing="ij")
    apart = ~torch.eye(8, dtype=torch.bool)
    quotient = ((module(end.double()) - module(start.double())) / (end.double() - start.double()))[apart]
    found = mean_slope(module, start, end).double()
    np.testing.assert_allclose(found[apart], quotient, atol=1e-6)
    values = values.double().requires_grad_()
    (slopes,) = torch.autograd.grad(module(values).sum(), values)
    np.testing.assert_allclose(found.diagonal(), slopes, atol=1e-6)
    assert float(mean_slope(nn.ReLU(), torch.zeros(1), torch.zeros(1))) == 0.0


# What both must do


@pytest.mark.parametrize("kernel", KERNELS.values(), ids=KERNELS)
def test_linear_net_has_its_closed_form(kernel):
    network, persons, references = trained(lambda: nn.Linear(WIDTH, 1)), rows(7), rows(4, 1)
    expected = network[0].weight.detach() * (persons - references.mean(dim=0))
    assert off(kernel(network, persons, references).values, expected) < 1e-6


@pytest.mark.parametrize("kernel", KERNELS.values(), ids=KERNELS)
@pytest.mark.parametrize("make", [*NETS.values(), Joined, lambda: layers(nn.Tanh), lambda: layers(nn.GELU)])
def test_person_who_is_the_reference_gets_zeros(kernel, make):
    network, persons = trained(make, probability=True), rows(4)
    np.testing.assert_array_equal(kernel(network, persons[:1], persons[:1]).values, 0)
    made = kernel(network, persons, persons)
    assert np.isfinite(made.values).all()


@pytest.mark.parametrize("kernel", KERNELS.values(), ids=KERNELS)
@pytest.mark.parametrize("make", [NETS["resnet"], lambda: layers(nn.Tanh), Joined])
def test_order_and_blocks_do_not_matter(kernel, make, monkeypatch):
    network, persons, references = trained(make), rows(11), rows(9, 1)
    once = kernel(network, persons, references).values
    order = torch.randperm(11, generator=torch.Generator().manual_seed(0))
    np.testing.assert_allclose(kernel(network, persons[order], references.flip(0)).values, once[order], atol=2e-6)
    np.testing.assert_allclose(kernel(network, persons[3:4], references).values, once[3:4], atol=2e-6)
    for numbers in (1, 700):
        monkeypatch.setattr("dlx.kernels.gradients.graph.BLOCK_NUMBERS", numbers)
        monkeypatch.setattr(paths, "POINTS_AT_ONCE", numbers)
        monkeypatch.setattr(paths, "PAIRS_AT_ONCE", numbers)
        monkeypatch.setattr("dlx.kernels.gradients.rescale.PAIRS_AT_ONCE", min(numbers, 4))
        np.testing.assert_allclose(kernel(network, persons, references).values, once, atol=2e-6)


@pytest.mark.parametrize("kernel", KERNELS.values(), ids=KERNELS)
def test_numbers_come_back_in_float64(kernel):
    made = kernel(trained(NETS["mlp"]), rows(2), rows(1, 1))
    assert made.values.dtype == np.float64 and made.values.shape == (2, WIDTH)


@pytest.mark.parametrize("kernel", KERNELS.values(), ids=KERNELS)
@pytest.mark.parametrize("make", [NETS["resnet"], Joined, Functional, lambda: layers(nn.GELU)])
def test_network_given_is_left_as_it_was(kernel, make):
    network, persons = trained(make), rows(3)
    network.requires_grad_(True)
    before = {path: str(vars(module)) for path, module in network.named_modules()}
    kernel(network, persons, rows(2, 1))
    assert {path: str(vars(module)) for path, module in network.named_modules()} == before
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in network.modules())
    assert all(weight.grad is None and weight.requires_grad for weight in network.parameters()) and not network.training


def test_no_hook_stays_where_a_network_fails():
    network = trained(Wide)
    with pytest.raises(RuntimeError, match="mat1"):
        record(network, torch.zeros(2, WIDTH + 1))
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in network.modules())


# What is written down


def test_linear_path_beside_a_deep_one_is_written_down():
    graph = record(trained(Wide), rows(2))
    assert graph is not None and len(graph.nonlinear) == 2 and len(graph.inner_nonlinear) == 1 and len(graph.front) == 2
    assert max(graph.widths) == 12


def test_what_a_module_does_is_known_from_the_first_time_but_not_its_weights_nor_what_was_replaced():
    network = trained(NETS["resnet"])
    before = record(network, rows(2))
    with torch.no_grad():
        for weight in network.parameters():
            weight.mul_(0.5)
        halved, known = record(network, rows(2)), len(recording.RECIPES)
        torch.testing.assert_close(halved.fill({0: rows(3)}, halved.last), network(rows(3)))
        assert len(halved.steps) == len(before.steps) and len(recording.RECIPES) == known
        block = next(module for module in network.modules() if isinstance(module, resnet.Block))
        block.activation = nn.Tanh()
        other = record(network, rows(2))
        torch.testing.assert_close(other.fill({0: rows(3)}, other.last), network(rows(3)))


class Skipping(nn.Module):
    """A block whose way depends on an attribute that is no part of it."""

    def __init__(self):
        super().__init__()
        self.linear, self.activation, self.skips = nn.Linear(WIDTH, WIDTH), nn.ReLU(), True

    def forward(self, dense):
        return self.activation(self.linear(dense)) + dense if self.skips else self.activation(self.linear(dense))


def test_a_module_that_goes_another_way_is_listened_to_again():
    torch.manual_seed(0)
    network = nn.Sequential(Skipping(), nn.Linear(WIDTH, 1)).eval()
    for skips in (True, False, True):
        network[0].skips = skips
        graph = record(network, rows(2))
        with torch.no_grad():
            torch.testing.assert_close(graph.fill({0: rows(3)}, graph.last), network(rows(3)))
    network[0].forward = lambda dense: dense * dense
    assert record(network, rows(2)) is None


def test_no_column_is_taken_for_one_that_is_looked_up_where_torch_makes_no_gradients():
    encoder = Encoder.identity(Schema(tuple(Feature(f"x{i}") for i in range(WIDTH)), Target("y", kind="regression")))
    model = NeuralModel(trained(Functional), encoder, "net", ("value",))
    with torch.no_grad():
        refuse_lookups("integrated_gradients", model, rows(3).numpy(), rows(2, 1).numpy())


class Odd(nn.Module):
    def __init__(self, odd):
        super().__init__()
        self.inner, self.last, self.odd = layers(nn.ReLU), nn.Linear(WIDTH, 1), odd

    def forward(self, dense):
        return self.odd(self, dense)


class Subclass(nn.Linear):
    def forward(self, dense):
        return super().forward(dense) ** 2


@pytest.mark.parametrize(
    "odd",
    [
        lambda net, dense: net.inner(dense) * net.last(dense),
        lambda net, dense: net.inner(dense + dense[:, :1]),
        lambda net, dense: net.inner(dense + torch.ones(WIDTH)),
        lambda net, dense: net.inner(dense) if dense.sum() > 0 else net.last(dense),
        lambda net, dense: torch.add(net.inner(dense), net.last(dense), alpha=2),
        lambda net, dense: net.inner(dense[0:1]) + net.last(dense),
        lambda net, dense: functional.gelu(net.inner(dense)),
    ],
)
def test_network_that_does_something_else_is_not_written_down(odd):
    assert record(trained(lambda: Odd(odd)), rows(4)) is None


def test_module_that_is_not_what_it_seems_is_not_written_down():
    torch.manual_seed(0)
    assert record(nn.Sequential(Subclass(WIDTH, 1)).eval(), rows(2)) is None
    assert record(nn.Sequential(nn.BatchNorm1d(WIDTH), nn.Linear(WIDTH, 1)), rows(2)) is None  # it is in training
    assert record(nn.Sequential(nn.BatchNorm1d(WIDTH, track_running_stats=False), nn.Linear(WIDTH, 1)).eval(), rows(2)) is None
    network = layers(nn.ReLU).eval()
    assert record(network, rows(2)) is not None
    network[1].register_forward_hook(lambda *_: 2 * _[-1])
    assert record(network, rows(2)) is None
    made = integrated_gradients(network, rows(3), rows(2, 1), tolerance=1e-3)
    assert off(made.values, by_halves(network, rows(3), rows(2, 1))) < 3e-3


# Nets that are too deep to be walked


@pytest.fixture
def unwalked(monkeypatch):
    """No net is quick to walk, so that all are cut into cells."""
    monkeypatch.setattr(paths, "is_quick", lambda _: False)


def exactly(network, persons, references):
    graph = record(copy.deepcopy(network).double(), references.double())
    with torch.no_grad():
        return breakpoints.exact_on_average(graph, persons.double(), references.double())[0].numpy()


@pytest.mark.parametrize("scale", ["logit", "probability"])
@pytest.mark.parametrize("depth", [2, 3, 5])
def test_cells_are_as_close_as_they_say_and_add_up(depth, scale, unwalked):
    torch.manual_seed(depth)
    network = mlp.build(WIDTH, [-0.85], hidden=32, depth=depth)
    network = nn.Sequential(network, *[nn.Sigmoid()] * (scale == "probability")).eval()
    persons, references = 2 * rows(12), 2 * rows(40, 1)
    expected = exactly(network, persons, references)
    made = integrated_gradients(network, persons, references)
    errors = np.abs(made.values - expected).max(axis=1) / np.abs(expected).max(axis=1)
    assert not made.is_exact and (made.errors <= paths.CELL_ERROR).all()
    assert (errors < made.errors).mean() > 0.7 and errors.max() < 4 * paths.CELL_ERROR
    assert np.abs(gaps(network, persons, references, made)).max() < 1e-5
    finer = integrated_gradients(network, persons, references, pieces=4)
    assert np.abs(finer.values - expected).max() < 0.5 * np.abs(made.values - expected).max()
    assert (finer.errors < 0.2 * made.errors + 1e-9).all() and finer.evaluations > made.evaluations


@pytest.mark.parametrize("references", [1, 3])
def test_cells_of_one_layer_are_exact_and_rows_stand_for_themselves(references, unwalked, monkeypatch):
    shallow, deep = (mlp.build(WIDTH, [-0.85], hidden=24, depth=depth).eval() for depth in (1, 4))
    persons, starts = rows(5), rows(references, 1)
    np.testing.assert_allclose(
        integrated_gradients(shallow, persons, starts).values, exactly(shallow, persons, starts), atol=1e-6
    )
    made = integrated_gradients(deep, persons, starts)
    monkeypatch.setattr(cells, "CHUNK_PAIRS", 1)
    alone = np.concatenate([integrated_gradients(deep, row[None], starts).values for row in persons])
    np.testing.assert_allclose(made.values, alone, atol=1e-6)
    at_a_reference = integrated_gradients(deep, starts[:1], starts[:1])
    assert not at_a_reference.values.any() and not at_a_reference.errors.any()


# Through explain()


@pytest.mark.parametrize("method", ["integrated_gradients", "deeplift"])
@pytest.mark.parametrize("kind", ["net", "smooth_net", "linear_net"])
@pytest.mark.parametrize("scale", ["logit", "probability"])
def test_both_implementations_say_the_same(method, kind, scale, world):
    model, people, background = worlds.model(kind, world), worlds.people(world), worlds.background(world)
    how = {"method": method, "background": background, "scale": scale}
    options = {"n_steps": 2000} if method == "integrated_gradients" else {}
    ours, theirs = (explain(model, people, implementation=who, **how, **options) for who in ("dlx", "reference"))
    assert ours.implementation.startswith("dlx ") and theirs.implementation.startswith("captum ")
    np.testing.assert_allclose(ours.values, theirs.values, atol=1e-3 if method == "integrated_gradients" else 1e-5)
    np.testing.assert_allclose(ours.base_values, theirs.base_values, atol=1e-12)
    assert ours.evaluations < theirs.evaluations


@pytest.mark.parametrize(("method", "kernel"), [("integrated_gradients", integrated_gradients), ("deeplift", deeplift)])
def test_dense_columns_are_summed_with_their_signs_to_the_original_column(method, kernel):
    model, people, background = worlds.model("net", "mixed"), worlds.people("mixed"), worlds.background("mixed")
    found = kernel(model.network, model.dense(people), model.dense(background)).values
    expected = np.stack([found[:, model.encoder.owner == column].sum(axis=1) for column in range(5)], axis=1)
    made = explain(model, people, method=method, background=background, scale="logit")
    np.testing.assert_allclose(made.values, expected, atol=1e-9)


@pytest.mark.parametrize("method", ["integrated_gradients", "deeplift"])
@pytest.mark.parametrize("weight", [float("nan"), float("inf")])
@pytest.mark.parametrize("depth", [1, 2])
def test_weights_that_are_not_finite_are_one_clear_error(method, weight, depth):
    network = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), *[nn.Linear(8, 8), nn.ReLU()] * (depth - 1), nn.Linear(8, 1))
    with torch.no_grad():
        network[0].weight[:2, :2] = weight
    model = NeuralModel(network, worlds.encoder("numeric"), "broken")
    how = {"method": method, "background": worlds.background("numeric"), "scale": "logit"}
    with pytest.raises(DlxError, match=r"broken must return finite numbers, got (nan|inf|-inf) for row"):
        explain(model, worlds.people("numeric"), **how)
