"""One class of a net of several outputs: its head's gradients, its mean gradients, and gradient methods against captum."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from captum.attr import DeepLift, IntegratedGradients
from scipy.integrate import quad_vec
from torch import nn

from dlx.architectures import mlp, resnet
from dlx.kernels.gradients.paths import integrated_gradients
from dlx.kernels.gradients.rescale import _by_autograd, deeplift
from dlx.model.heads import AgainstOthers, Share, mean_gradient

WIDTH, CLASSES = 5, 4
HEADS = {"log-odds": AgainstOthers(2), "probability": Share(2)}
NETS = {
    "mlp": lambda: mlp.build(WIDTH, [0.0] * CLASSES, hidden=12),
    "resnet": lambda: resnet.build(WIDTH, [0.0] * CLASSES, hidden=8, block_hidden=12),
}


@pytest.fixture(scope="module", params=NETS)
def body(request):
    """A net of several outputs in evaluation mode, with outputs as far apart as trained ones are."""
    torch.manual_seed(0)
    network = NETS[request.param]().eval().requires_grad_(False)
    return nn.Sequential(network, nn.Linear(CLASSES, CLASSES).requires_grad_(False)), *torch.randn(2, 6, WIDTH) * 3


@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)
def test_a_head_is_a_function_of_softmax_and_its_gradient_is_torchs(head):
    outputs = (3 * torch.randn(7, CLASSES, dtype=torch.float64)).requires_grad_()
    share = torch.softmax(outputs, dim=1)[:, 2]
    expected = share if isinstance(head, Share) else torch.logit(share)
    torch.testing.assert_close(head(outputs)[:, 0], expected)
    (slopes,) = torch.autograd.grad(head(outputs).sum(), outputs)
    torch.testing.assert_close(head.gradient(outputs), slopes)


@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)
@pytest.mark.parametrize("size", [1e-3, 1.0, 5.0, 60.0])
def test_the_mean_gradient_is_that_of_the_straight_line_and_adds_up(head, size):
    torch.manual_seed(0)
    start, end = size * torch.randn(2, 5, CLASSES, dtype=torch.float64)
    found = mean_gradient(head, start, end)
    torch.testing.assert_close((found * (end - start)).sum(1, keepdim=True), head(end) - head(start), rtol=1e-9, atol=1e-12)
    if size < 10:
        exact, _ = quad_vec(lambda t: head.gradient(start + t * (end - start)).numpy(), 0, 1)
        np.testing.assert_allclose(found, exact, atol=1e-8)


@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)
def test_integrated_gradients_of_a_class_are_captums_and_exact(body, head):
    network, persons, references = nn.Sequential(body[0], head), *body[1:]
    made = integrated_gradients(network, persons, references)
    with torch.no_grad():
        effect = network(persons).double().reshape(-1) - network(references).double().mean()
    assert made.is_exact and np.abs(effect.numpy() - made.values.sum(axis=1)).max() < 1e-5
    pairs = persons.repeat_interleave(len(references), dim=0), references.repeat(len(persons), 1)
    theirs = IntegratedGradients(network).attribute(*pairs, n_steps=400, method="riemann_middle", internal_batch_size=2_000)
    theirs = theirs.reshape(len(persons), len(references), WIDTH).mean(dim=1)
    assert np.abs(made.values - theirs.numpy()).max() < 0.01 * np.abs(made.values).max()


@pytest.mark.parametrize("head", HEADS.values(), ids=HEADS)
def test_deeplift_of_a_class_is_captums_of_each_output_times_the_mean_gradient(body, head):
    network, (before, persons, references) = nn.Sequential(body[0], head), body
    made = deeplift(network, persons, references).values
    pairs = persons.repeat_interleave(len(references), dim=0), references.repeat(len(persons), 1)
    slopes = mean_gradient(head, before(pairs[1]), before(pairs[0]))
    lift = DeepLift(before, eps=1e-6)
    with pytest.warns(UserWarning, match="hooks"):
        each = [lift.attribute(pairs[0].clone().requires_grad_(), pairs[1], target=k).detach() for k in range(CLASSES)]
    theirs = sum(slopes[:, [k]] * each[k] for k in range(CLASSES)).reshape(len(persons), len(references), WIDTH).mean(dim=1)
    np.testing.assert_allclose(made, theirs, atol=1e-4)
    effects = network(persons) - network(references).mean()
    np.testing.assert_allclose(made.sum(axis=1), effects[:, 0], atol=1e-4)
    np.testing.assert_allclose(_by_autograd(network, persons, references), made, atol=1e-4)
