"""The fast path of nets whose first layer is linear, against the path for every model; and what must not take it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import worlds
from torch import nn
from torch.nn import functional

from dlx.architectures import mlp, resnet
from dlx.dataset import Dataset
from dlx.encoder import Encoder
from dlx.errors import DlxError
from dlx.kernels.shapley import Game, exact_values, shapley_of_table
from dlx.kernels.shapley.exact import all_coalitions
from dlx.kernels.shapley.splitting import split
from dlx.model import NeuralModel
from dlx.model.heads import AgainstOthers
from dlx.runner import explain
from dlx.schema import Feature, Schema


class Own(nn.Module):
    """A net as people write them: no sequence, a norm, activations that are functions, a residual."""

    def __init__(self, width, beside=False):
        super().__init__()
        self.front, self.norm, self.inner, self.head = (
            nn.Linear(width, 16),
            nn.LayerNorm(16),
            nn.Linear(16, 16),
            nn.Linear(16, 1),
        )
        self.beside = nn.Linear(width, 1) if beside else None

    def forward(self, dense):
        hidden = functional.gelu(self.norm(self.front(dense)))
        out = self.head(hidden + functional.silu(self.inner(hidden))).squeeze(-1)
        return out if self.beside is None else out + self.beside(dense).squeeze(-1)


def nets(world):
    width = worlds.encoder(world).width
    torch.manual_seed(0)
    made = {
        "mlp": mlp.build(width, [-0.85]),
        "resnet": resnet.build(width, [-0.85]),
        "one of three classes": nn.Sequential(mlp.build(width, [0.0, 0.2, -0.2]), AgainstOthers(1)),
        "one layer": nn.Linear(width, 1),
        "own": Own(width).eval(),
        "no bias": nn.Sequential(nn.Identity(), nn.Sequential(nn.Linear(width, 9, bias=False), nn.Tanh()), nn.Linear(9, 1)),
    }
    return {name: NeuralModel(network, worlds.encoder(world), name) for name, network in made.items()}


def game(model, world, scale="logit"):
    return Game(model, worlds.people(world), worlds.background(world), scale)


def all_pairs(played):
    people, references = np.divmod(np.arange(len(played.rows) * len(played.background)), len(played.background))
    return people, references, np.tile(np.arange(played.players), (len(people), 1))


@pytest.mark.parametrize("world", worlds.SCHEMAS)
@pytest.mark.parametrize("name", ["mlp", "resnet", "one of three classes", "one layer", "own", "no bias"])
@pytest.mark.parametrize("scale", ["logit", "probability"])
def test_split_first_layer_gives_what_mixed_rows_give(name, world, scale):
    fast = game(nets(world)[name], world, scale)
    members = all_coalitions(5)
    assert fast.net is not None
    found = fast.pairs(*all_pairs(fast), members)
    mixed = np.where(members[:, None, None], fast.rows[:, None], fast.background)
    expected = fast.model.predict(mixed.reshape(-1, 5), scale).reshape(32, -1).T
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)
    np.testing.assert_allclose(fast.worth(members)[0], expected.reshape(5, 9, 32).mean(axis=1), rtol=0, atol=1e-6)
    np.testing.assert_allclose(fast._mixed(*all_pairs(fast), members), expected, rtol=0, atol=1e-6)


def test_large_numbers_keep_their_differences():
    schema = Schema((Feature("time"), Feature("x")), worlds.TARGET)
    rows = np.array([[1.7e9, 1.0], [1.7e9 + 1024, -1.0]])
    network = nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 1))
    with torch.no_grad():
        network[0].weight[:] = torch.tensor([[1.0, 0], [-1, 0], [0, 1], [0, -1]])
        network[0].bias[:] = torch.tensor([-1.7e9, 1.7e9, 0, 0])
        network[2].weight.fill_(1.0)
    model = NeuralModel(network, Encoder.identity(schema))
    found = Game(model, rows[1:], rows[:1], "logit").pairs(*np.zeros((2, 1), int), np.array([[0, 1]]), all_coalitions(2))
    np.testing.assert_allclose(np.diff(found)[0, 0], 1024, rtol=1e-6)


def test_size_of_blocks_does_not_matter(monkeypatch):
    played = game(nets("mixed")["mlp"], "mixed")
    once = exact_values(played)
    for name, size in (("shapley.splitting.BLOCK_ROWS", 1), ("shapley.games.CHUNK_ROWS", 7), ("shapley.games.TABLE_CELLS", 40)):
        monkeypatch.setattr(f"dlx.kernels.{name}", size)
        np.testing.assert_allclose(exact_values(played), once, rtol=0, atol=1e-6)


class Doubling(nn.Linear):
    def forward(self, dense):
        return 2 * super().forward(dense)


class Reversed(nn.Sequential):
    def forward(self, dense):
        return super().forward(-dense)


def hooked(width):
    network = nn.Sequential(nn.Linear(width, 3), nn.Linear(3, 1))
    network[0].register_forward_hook(lambda _module, _given, found: found * 2)
    return network


@pytest.mark.parametrize(
    "make",
    [
        lambda width: Doubling(width, 1),
        lambda width: nn.Sequential(Doubling(width, 3), nn.Linear(3, 1)),
        lambda width: Reversed(nn.Linear(width, 3), nn.Linear(3, 1)),
        lambda width: nn.Sequential(nn.ReLU(), nn.Linear(width, 1)),
        lambda width: Own(width, beside=True).eval(),
        hooked,
    ],
)
def test_net_that_does_more_than_its_layers_is_left_whole(make):
    torch.manual_seed(0)
    model = NeuralModel(make(worlds.encoder("mixed").width), worlds.encoder("mixed"))
    played = game(model, "mixed")
    assert played.net is None
    worth, _ = played.worth(all_coalitions(5))
    np.testing.assert_allclose(worth[:, -1], played.outputs(), atol=1e-6)
    np.testing.assert_allclose(exact_values(played), shapley_of_table(worth), atol=1e-6)


def test_no_other_model_is_split():
    for kind in ("linear", "boosted", "forest", "function"):
        assert split(worlds.model(kind, "mixed"), worlds.people("mixed"), worlds.background("mixed")) is None


def test_columns_that_are_alike_are_not_played():
    played = game(nets("mixed")["mlp"], "mixed")
    seen = {
        (int(person), int(reference)): list(some)
        for group in played.groups()
        for person, reference, some in zip(*group, strict=True)
    }
    for person, row in enumerate(played.rows):
        for reference, other in enumerate(played.background):
            differ = [i for i in range(5) if not (row[i] == other[i] or (np.isnan(row[i]) and np.isnan(other[i])))]
            assert seen.get((person, reference), []) == differ
    assert (4, 3) not in seen  # the last person is a reference row


@pytest.mark.parametrize("method", ["exact_shapley", "shapley"])
def test_net_with_a_missing_weight_is_one_clear_error(method):
    model = nets("mixed")["mlp"]
    with torch.no_grad():
        model.network[1].weight[0, 0] = torch.nan
    case = Dataset(worlds.MIXED, worlds.people("mixed"))
    with pytest.raises(DlxError, match="mlp must return finite numbers, got nan for row"):
        explain(model, case, method=method, background=worlds.background("mixed"), scale="logit")


@pytest.mark.parametrize("method", ["exact_shapley", "shapley"])
def test_net_that_gives_two_numbers_a_row_is_one_clear_error(method):
    network = nn.Sequential(nn.Linear(worlds.encoder("mixed").width, 2))
    model = NeuralModel(network, worlds.encoder("mixed"), "two")
    with pytest.raises(Exception, match="two must return one number a row"):
        explain(model, worlds.people("mixed"), method=method, background=worlds.background("mixed"), scale="logit")
