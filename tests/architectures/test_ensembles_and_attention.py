"""TabM and FT-Transformer: what their packages compute, where these are installed, and on which scale an ensemble's mean is."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import worlds
from scipy.special import expit, logit, softmax

from dlx import training
from dlx.architectures import architecture
from dlx.explainers import MethodError
from dlx.runner import LocalAccuracyError, explain

GROUPS = [0, 1, 1, 1, 2]
ROWS = torch.randn(7, len(GROUPS), generator=torch.Generator().manual_seed(0))


def built(name, bias=(0.3,), **options):
    """A net of an architecture, untrained, and in evaluation mode."""
    torch.manual_seed(1)
    return architecture(name).build(len(GROUPS), list(bias), **({"groups": GROUPS} | options)).eval()


def members_of(network):
    """What each member of an ensemble answers, [rows, members, outputs], without dropout."""
    network.training = True
    with torch.no_grad():
        found = network(ROWS).double().numpy()
    network.training = False
    return found


def test_the_mean_of_an_ensemble_is_that_of_probabilities_and_of_values():
    network = built("tabm", members=5, hidden=8)
    with torch.no_grad():
        network.heads.mul_(20)  # so that members disagree, and the mean logit would be another number
        said = network(ROWS).double().numpy()
        members = members_of(network)
        np.testing.assert_allclose(said, logit(expit(members).mean(axis=1)), atol=1e-5)
        assert np.abs(said - members.mean(axis=1)).max() > 0.1
        network.mean.of_values.fill_(True)
        np.testing.assert_allclose(network(ROWS).numpy(), members.mean(axis=1), atol=1e-5)
        several = built("tabm", (0.1, 0.2, -0.3), members=5, hidden=8)
        probabilities = softmax(members_of(several), axis=2).mean(axis=1)
        np.testing.assert_allclose(np.exp(several(ROWS).numpy()), probabilities, atol=1e-6)


def test_members_start_from_the_bias_and_learn_by_themselves():
    network = built("tabm", members=3, hidden=4)
    assert (network.biases == 0.3).all()
    signs = network.blocks[0][0].first
    assert set(signs.unique().tolist()) <= {-1.0, 1.0} and (signs[:, 1:4] == signs[:, 1:2]).all()
    case = worlds.table("numeric", 200)
    short = {"max_epochs": 3, "members": 3, "hidden": 8}
    biases = training.fit("tabm", case.train, case.validation, device="cpu", config=short).model.network.biases.detach()
    assert len(biases.unique()) == 3


def test_tabm_computes_what_its_package_does():
    package = pytest.importorskip("tabm", reason="tabm is not installed")
    ours = built("tabm", members=4, hidden=6, depth=3, groups=None)
    theirs = package.TabM.make(n_num_features=5, d_out=1, k=4, d_block=6, n_blocks=3).eval()
    state = {
        f"backbone.blocks.{i}.0.{new}": getattr(block[0], old) for i, block in enumerate(ours.blocks) for old, new in NAMES
    }
    theirs.load_state_dict(state | {"output.weight": ours.heads, "output.bias": ours.biases})
    np.testing.assert_allclose(members_of(ours), theirs(ROWS).detach().numpy(), atol=1e-6)


NAMES = (("weight", "weight"), ("first", "r"), ("last", "s"), ("bias", "bias"))


def test_ft_transformer_computes_what_its_package_does():
    package = pytest.importorskip("rtdl_revisiting_models", reason="rtdl_revisiting_models is not installed")
    ours = built("ft_transformer", hidden=12, heads=3, depth=2, groups=None)
    asked = {"n_blocks": 2, "d_block": 12, "attention_n_heads": 3, "attention_dropout": 0.2, "ffn_d_hidden": 16}
    more = {"ffn_d_hidden_multiplier": None, "ffn_dropout": 0.1, "residual_dropout": 0.0}
    theirs = package.FTTransformer(n_cont_features=5, cat_cardinalities=[], d_out=1, **asked, **more).eval()
    state = {"cls_embedding.weight": ours.bias[0], "cont_embeddings.bias": ours.bias[1:], "cont_embeddings.weight": ours.weight}
    for i, block in enumerate(ours.blocks):
        for part in ("weight", "bias"):
            three = getattr(block.attention, f"in_proj_{part}").chunk(3)
            modules = {f"attention.W_{which}": values for which, values in zip("qkv", three, strict=True)}
            modules |= {"attention.W_out": getattr(block.attention.out_proj, part)}
            modules |= {"ffn_normalization": getattr(block.norm, part), "ffn.linear1": getattr(block.widen, part)}
            modules |= {"ffn.linear2": getattr(block.narrow, part)}
            modules |= {"attention_normalization": getattr(block.first_norm, part)} if i else {}
            state |= {f"backbone.blocks.{i}.{name}.{part}": values for name, values in modules.items()}
    for name, module in {"normalization": ours.norm, "linear": ours.head}.items():
        state |= {f"backbone.output.{name}.{part}": getattr(module, part) for part in ("weight", "bias")}
    theirs.load_state_dict(state)
    with torch.no_grad():
        np.testing.assert_allclose(ours(ROWS).numpy(), theirs(ROWS, None).numpy(), atol=1e-6)


def test_a_one_hot_column_is_one_token():
    network = built("ft_transformer", hidden=8, heads=2)
    assert network.bias.shape == (1 + 3, 8)
    dense = torch.zeros(1, 5)
    dense[0, 2] = 1.0
    token = network.bias[2] + network.weight[2]
    seen = []
    handle = network.blocks[0].register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    network(dense)
    handle.remove()
    torch.testing.assert_close(seen[0][0, 2], token)


@pytest.mark.parametrize("name", ["tabm", "ft_transformer"])
def test_methods_that_have_no_rule_for_them_say_so_and_others_add_up(name):
    case = worlds.table("mixed", 200)
    short = {"max_epochs": 1, "hidden": 8} | ({"members": 3} if name == "tabm" else {})
    model = training.fit(name, case.train, case.validation, device="cpu", config=short).model
    people, background = case.test[:3], case.background(5)
    with pytest.raises((MethodError, LocalAccuracyError), match=r"captum has no rule for|, which the rule cannot see"):
        explain(model, people, method="deeplift", background=background, scale="logit")
    explain(model, people, method="integrated_gradients", background=background, scale="logit", n_steps=100)
