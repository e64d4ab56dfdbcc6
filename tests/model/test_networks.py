"""Nets as dlx keeps them: the weights are the copy's own, the numbers real, on a scale that is known; what gradients miss."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

import dlx
from dlx.architectures import mlp, resnet
from dlx.errors import DlxError
from dlx.model import ScaleError, wrap
from dlx.model.networks import to_hook, untrained_copy
from dlx.schema import Feature, Schema, Target

pytestmark = pytest.mark.doors
FEATURES = tuple(map(Feature, "abc"))
CHANCES = Schema(FEATURES, Target("y", levels=("0", "1")))
VALUES = Schema(FEATURES, Target("y", "regression"))
PEOPLE = np.random.default_rng(3).normal(size=(300, 3))
CASE = dlx.from_frame(pd.DataFrame(PEOPLE, columns=list("abc")).assign(y=np.arange(300) % 2), CHANCES)
GRADIENT_METHODS = ("integrated_gradients", "deeplift", "gradient_shap")


def net(*last):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 16), nn.ReLU(), nn.Linear(16, 1), *last)


class Calls(nn.Module):
    """A net whose forward is a function of the rows."""

    def __init__(self, forward):
        super().__init__()
        self.net, self.how = net(), forward

    def forward(self, x):
        return self.how(self.net, x)


INNER = net()


class OfGlobal(nn.Module):
    def forward(self, x):
        return INNER(x)


class OfClosure(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 1)
        self.how = lambda x: self.layer(x) + 1

    def forward(self, x):
        return self.how(x)


WEIGHTS = torch.ones(3, 1, requires_grad=True)


class OfTensor(nn.Module):
    def forward(self, x):
        return x @ WEIGHTS


def hooked():
    network, other = net(), nn.Linear(1, 1)
    network.register_forward_hook(lambda _, __, output: other(output))
    return network


@pytest.mark.parametrize("make", [OfGlobal, OfClosure, OfTensor, hooked])
def test_a_net_that_reads_weights_outside_it_is_refused(make):
    for case in (CASE, CHANCES):
        with pytest.raises(DlxError, match=r"reads weights of a network outside it, .* keep that network as an attribute"):
            wrap(make(), case)


class OfList(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers, self.weights = [nn.Linear(3, 3)], [nn.Parameter(torch.ones(3, 1))]
        self.how = self.added

    def added(self, x):
        return self.layers[0](x) @ self.weights[0]

    def forward(self, x):
        return self.how(x)


def test_weights_that_are_kept_in_lists_are_copied_too():
    network = OfList()
    model = wrap(network, CASE)
    before = model.predict(PEOPLE, "logit")
    with torch.no_grad():
        np.testing.assert_allclose(before, network(torch.tensor(PEOPLE).float()).numpy()[:, 0], atol=1e-6)
        network.layers[0].weight.add_(1.0)
        network.weights[0].add_(1.0)
    np.testing.assert_array_equal(model.predict(PEOPLE, "logit"), before)


@pytest.mark.parametrize("case", [CASE, CASE[:7], CHANCES], ids=["case", "few", "schema"])
def test_numbers_between_0_and_1_are_asked_about(case):
    for squash in (torch.sigmoid, nn.functional.hardsigmoid):
        network = Calls(lambda inner, x, squash=squash: squash(inner(x)))
        with pytest.raises(ScaleError, match=r"for different rows: probabilities, or logits. say it"):
            wrap(network, case)
        with torch.no_grad():
            own = network(torch.tensor(PEOPLE).float()).double().numpy()[:, 0]
        np.testing.assert_allclose(wrap(network, case, scale="probability").predict(PEOPLE, "probability"), own, atol=1e-6)


def test_codes_through_an_embedding_are_asked_about_too():
    class Embeds(nn.Module):
        def __init__(self):
            super().__init__()
            self.codes, self.last = nn.Embedding(2, 2), nn.Linear(4, 1)

        def forward(self, x):
            return torch.sigmoid(self.last(torch.cat([self.codes(x[:, 0].long()), x[:, 1:]], dim=1)))

    with pytest.raises(ScaleError, match="probabilities, or logits"):
        wrap(Embeds(), CHANCES)


@pytest.mark.parametrize("last", [nn.LogSigmoid(), nn.LogSoftmax(dim=1)])
def test_logarithms_of_probabilities_are_no_logits(last):
    for scale in (None, "logit"):
        with pytest.raises(ScaleError, match=f"ends in {type(last).__name__}: it returns logarithms of probabilities"):
            wrap(net(last), CASE, scale=scale)


@pytest.mark.parametrize(
    ("returned", "kind"),
    [
        (lambda x: x[:, 0] > 0, "bool"),
        (lambda x: (x[:, 0] > 0).long(), "int64"),
        (lambda x: torch.fft.fft(x)[:, 1], "complex64"),
    ],
)
def test_what_is_no_real_number_is_refused(returned, kind):
    with pytest.raises(DlxError, match=f"must return real numbers, got {kind}"):
        wrap(Calls(lambda _, x: returned(x)), VALUES)


def doubling(inner, x):
    x.mul_(2)
    return inner(x)


def test_a_net_that_writes_into_its_rows_is_what_it_is():
    network = Calls(doubling)
    model = wrap(network, CASE)
    with torch.no_grad():
        own = network(torch.tensor(PEOPLE).float()).double().numpy()[:, 0]
    np.testing.assert_allclose(model.predict(PEOPLE, "logit"), own, atol=1e-6)
    for method in GRADIENT_METHODS:
        with pytest.raises(DlxError, match=f"{method} cannot explain Calls: RuntimeError: .*in-place.*use shapley") as refused:
            dlx.explain(model, PEOPLE[:3], method=method, background=PEOPLE[5:15], scale="logit")
        assert "\n" not in str(refused.value)


def without_gradients(inner, x):
    with torch.no_grad():
        return inner(x)


def by_numpy(inner, x):
    return inner(torch.from_numpy(np.tanh(x.detach().numpy())))


def one_detached(inner, x):
    return inner(torch.cat([x[:, :1].detach(), x[:, 1:]], dim=1))


@pytest.mark.parametrize("forward", [without_gradients, torch.inference_mode()(without_gradients), by_numpy, one_detached])
@pytest.mark.parametrize("method", GRADIENT_METHODS)
@pytest.mark.parametrize("implementation", ["dlx", "reference"])
def test_gradient_methods_refuse_columns_that_are_detached(forward, method, implementation):
    model = wrap(Calls(forward), VALUES, check=pd.DataFrame(PEOPLE[:20], columns=list("abc")))
    with pytest.raises(DlxError, match=f"{method} cannot explain Calls: .* the value of a.* detaching it, .*use shapley"):
        dlx.explain(model, PEOPLE[:5], method=method, background=PEOPLE[5:], scale="value", implementation=implementation)
    made = dlx.explain(model, PEOPLE[:2], method="exact_shapley", background=PEOPLE[5:9], scale="value")
    assert np.abs(made.values[:, 0]).max() > 1e-5


def halved(_, __, output):
    return output * 0.5


def tripled(_, given):
    return (given[0] * 3,)


def in_place(_, __, output):
    return output.mul_(0.5)


@pytest.mark.parametrize("hook", [halved, in_place, tripled])
def test_a_sigmoid_that_is_not_the_last_word_is_kept(hook):
    network = net(nn.Sigmoid())
    register = network[-1].register_forward_pre_hook if hook is tripled else network[-1].register_forward_hook
    register(hook)
    with torch.no_grad():
        own = network(torch.tensor(PEOPLE).float()).double().numpy()[:, 0]
    for case in (CASE, CHANCES):
        model = wrap(network, case, scale="probability")
        np.testing.assert_allclose(model.predict(PEOPLE, "probability"), own, atol=1e-6)
        with pytest.raises(ScaleError, match="probabilities, or logits"):
            wrap(network, case)


def test_an_output_that_is_named_for_another_scale_is_refused():
    class Named(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = net()

        def forward(self, x):
            return {"probs": torch.sigmoid(self.net(x)), "rows": x}

    with pytest.raises(DlxError, match="returns 'probs', which are not on the scale that was asked for"):
        wrap(Named(), CASE, scale="logit")
    assert wrap(Named(), CASE, scale="probability").scales == ("probability", "logit")


def test_what_is_no_encoder_or_no_rows_is_said():
    with pytest.raises(DlxError, match="the encoder of Sequential must be an Encoder of dlx, got str"):
        wrap(net(), CASE, encoder="standardised")
    with pytest.raises(DlxError, match="check must be a Dataset, a DataFrame or an array of codes, got int"):
        wrap(net(), CASE, check=5)


def convolving():
    torch.manual_seed(0)
    parts = (nn.Unflatten(1, (1, 3)), nn.Conv1d(1, 4, 2), nn.ReLU(), nn.AvgPool1d(2), nn.Flatten())
    return nn.Sequential(*parts, nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))


def by_dense_layers(network):
    """The same function of linear layers alone."""
    first = lambda x: network[1](network[0](x)).flatten(1)  # noqa: E731
    pooled = lambda h: network[3](h.reshape(-1, 4, 2)).flatten(1)  # noqa: E731
    dense = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 4, bias=False), *network[5:])
    with torch.no_grad():
        dense[0].bias[:] = first(torch.zeros(1, 3))[0]
        dense[0].weight[:] = (first(torch.eye(3)) - dense[0].bias).T
        dense[2].weight[:] = pooled(torch.eye(8)).T
    return dense


@pytest.mark.parametrize("implementation", ["dlx", "reference"])
def test_deeplift_takes_convolutions_and_means_for_the_linear_layers_that_they_are(implementation):
    network = convolving()
    asked = {"method": "deeplift", "background": PEOPLE[5:15], "scale": "value", "implementation": implementation}
    made, same = (dlx.explain(wrap(one, VALUES), PEOPLE[:4], **asked).values for one in (network, by_dense_layers(network)))
    np.testing.assert_allclose(made, same, atol=1e-6)


def test_deeplift_names_attention():
    attention = nn.MultiheadAttention(4, 1, batch_first=True)

    class Attends(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.attention, self.last = nn.Linear(3, 8), attention, nn.Linear(8, 1)

        def forward(self, x):
            places = self.first(x).reshape(-1, 2, 4)
            return self.last(self.attention(places, places, places)[0].flatten(1))

    for implementation in ("dlx", "reference"):
        with pytest.raises(DlxError, match="captum has no rule for MultiheadAttention"):
            dlx.explain(
                wrap(Attends(), VALUES), PEOPLE[:3], method="deeplift", background=PEOPLE[5:9], scale="value",
                implementation=implementation,
            )  # fmt: skip


@pytest.mark.parametrize("make", [mlp.build, resnet.build])
def test_a_copy_to_hook_shares_weights_and_nothing_else(make):
    network = make(5, [0.3]).train()
    copied, rows = to_hook(network), torch.randn(6, 5)
    expected = untrained_copy(network)(rows)
    torch.testing.assert_close(copied(rows), expected, rtol=0, atol=0)
    assert network.training and not any(module.training for module in copied.modules())
    assert not any(weight.requires_grad for weight in copied.parameters())
    assert all(weight.requires_grad for weight in network.parameters())
    shared = zip(network.parameters(), copied.parameters(), strict=True)
    assert all(one.data_ptr() == other.data_ptr() for one, other in shared)
    for module in copied.modules():
        module.register_forward_hook(lambda *_: torch.zeros(1))
    copied[-1].weight = nn.Parameter(torch.zeros_like(copied[-1].weight))
    torch.testing.assert_close(untrained_copy(network)(rows), expected, rtol=0, atol=0)
    assert not any(module._forward_hooks for module in network.modules())


def test_what_holds_more_than_weights_is_copied_whole():
    class Holder(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = [nn.Linear(2, 1)]

        def forward(self, rows):
            return self.layers[0](rows)

    hooked = nn.Sequential(nn.Linear(2, 1))
    hooked[0].register_forward_hook(lambda _, __, output: 2 * output)
    for network in (Holder(), hooked):
        copied, rows = to_hook(network), torch.randn(3, 2)
        torch.testing.assert_close(copied(rows), network(rows), rtol=0, atol=0)
        weights = [[weight for weight in _linear(one).parameters()] for one in (network, copied)]
        assert weights[0][0].data_ptr() != weights[1][0].data_ptr()


def _linear(network):
    return network.layers[0] if hasattr(network, "layers") else network[0]
