"""Nets of every kind that the benchmark's kernels were not tuned for, each with columns, a background and a scale of its own.

Widths 64 to 512, depths 2 to 5, ReLU, GELU, SiLU and tanh, batch and layer norm, residuals, modules that are no sequence, 8 to
80 columns of which some are categories (one-hot groups), 50 to 500 reference rows, logits and probabilities. --seed draws the
weights and the people.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from benchmarking.worlds import World
from dlx.architectures import resnet
from dlx.encoder import Encoder
from dlx.model import NeuralModel
from dlx.schema import Feature, Schema, Target

LEVELS = ("a", "b", "c", "d")  # of a category
PEOPLE = 1_000


def chain(
    width: int, *, hidden: int, depth: int, activation: type[nn.Module], norm: type[nn.Module] | None = None
) -> nn.Module:
    """Return layers in a row, a norm before each activation where there is one."""
    layers: list[nn.Module] = []
    for layer in range(depth):
        layers += [nn.Linear(hidden if layer else width, hidden), *([norm(hidden)] if norm else []), activation()]
    return nn.Sequential(*layers, nn.Linear(hidden, 1))


class Own(nn.Module):
    """A net as people write them: no sequence, functions for activations, a residual, a norm where one is wanted."""

    def __init__(self, width: int, *, hidden: int, activation: Callable[[torch.Tensor], torch.Tensor], has_norm: bool) -> None:
        super().__init__()
        self.first, self.second, self.last = nn.Linear(width, hidden), nn.Linear(hidden, hidden), nn.Linear(hidden, 1)
        self.norm = nn.LayerNorm(hidden) if has_norm else nn.Identity()
        self.activation = activation

    def forward(self, dense: torch.Tensor) -> torch.Tensor:
        """Return one number a row, [rows]."""
        hidden = self.activation(self.norm(self.first(dense)))
        return self.last(self.activation(hidden + self.second(hidden))).squeeze(-1)


@dataclass(frozen=True)
class Setting:
    """A net and what it is asked about."""

    name: str
    make: Callable[[int], nn.Module]  # of so many dense columns
    columns: int
    categories: int  # of the columns
    background: int
    scale: str
    has_rules: bool  # whether DeepLIFT has a rule for all of it

    def world(self, seed: int) -> World:
        """Return the net, not trained, and people whose columns are independent."""
        rng = np.random.default_rng(seed)
        torch.manual_seed(seed)
        kinds = [{"kind": "categorical", "levels": LEVELS}] * self.categories + [{}] * (self.columns - self.categories)
        schema = Schema(tuple(Feature(f"x{i}", **kind) for i, kind in enumerate(kinds)), Target("y", levels=("0", "1")))
        encoder = Encoder(schema, np.zeros(self.columns), np.ones(self.columns))
        rows = rng.normal(size=(PEOPLE + self.background, self.columns))
        rows[:, : self.categories] = rng.integers(len(LEVELS), size=(len(rows), self.categories))
        network = self.make(encoder.width)
        with torch.no_grad():
            for norm in network.modules():
                if isinstance(norm, nn.BatchNorm1d):
                    norm.running_mean.normal_()
                    norm.running_var.uniform_(0.5, 2.0)
        return World(self.name, NeuralModel(network.eval(), encoder, "net"), rows[:PEOPLE], rows[PEOPLE:])


def _relu(hidden: int, depth: int) -> Callable[[int], nn.Module]:
    return partial(chain, hidden=hidden, depth=depth, activation=nn.ReLU)


SETTINGS = (
    Setting("relu 64 x 2", _relu(64, 2), 8, 0, 50, "logit", True),
    Setting("relu 128 x 3", _relu(128, 3), 20, 0, 100, "probability", True),
    Setting("relu 256 x 4", _relu(256, 4), 20, 0, 100, "logit", True),
    Setting("relu 512 x 2", _relu(512, 2), 80, 20, 100, "logit", True),
    Setting("relu 64 x 5", _relu(64, 5), 40, 10, 500, "probability", True),
    Setting("gelu 128 x 2", partial(chain, hidden=128, depth=2, activation=nn.GELU), 20, 0, 100, "logit", False),
    Setting("silu 256 x 2", partial(chain, hidden=256, depth=2, activation=nn.SiLU), 20, 5, 50, "probability", False),
    Setting("tanh 128 x 3", partial(chain, hidden=128, depth=3, activation=nn.Tanh), 40, 0, 100, "logit", True),
    Setting(
        "batch norm, relu 128 x 3",
        partial(chain, hidden=128, depth=3, activation=nn.ReLU, norm=nn.BatchNorm1d),
        *(20, 5, 100, "probability", True),
    ),
    Setting(
        "layer norm, own module, gelu 128",
        partial(Own, hidden=128, activation=functional.gelu, has_norm=True),
        *(20, 0, 100, "logit", False),
    ),
    Setting("residual net", partial(resnet.build, bias=[-0.85]), 40, 10, 200, "logit", True),
    Setting(
        "own module, relu 128", partial(Own, hidden=128, activation=torch.relu, has_norm=False), *(20, 0, 100, "logit", False)
    ),
)
