"""Whether an explanation depends on what a net has learnt: its layers are made random, and it should change.

The cascading randomisation of Adebayo et al. (2018), "Sanity Checks for Saliency Maps", arXiv 1810.03292, section 3. An
explanation that stays the same when the weights are gone explains the data, or the people, but not the model.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from dlx import runner
from dlx.arrays import check_seed
from dlx.comparison.alignment import checked_scale, coded_background, is_finite
from dlx.comparison.metrics import SHARE, chance_level, metrics_by_row, summary
from dlx.errors import DlxError, plural
from dlx.explanation import Explanation
from dlx.model import NeuralModel
from dlx.stats import interval_of_mean

SURVIVES_ABOVE = 0.5  # of the way from chance to full agreement, at the lower end of the interval


def sanity_check(
    model: NeuralModel,
    explanation: Explanation,
    background: Any,
    *,
    explain: Callable[..., Explanation] = runner.explain,
    k: int = 5,
    seed: int = 0,
) -> pd.DataFrame:
    """Return how much of an explanation is left as more and more layers of its net are made random.

    Parameters
    ----------
    model : NeuralModel
        The net that is explained; it is copied, not changed.
    explanation : Explanation
        Of some people.
    background : Dataset, DataFrame or ndarray [references, features]
        The one that the explanation was made against.
    explain : callable
        Explains the same people with each random net; `dlx.explain`.
    k : int
        How many features count as the top; all of them where there are fewer.
    seed : int
        Seed of the random weights and the bootstrap.

    Returns
    -------
    DataFrame
        One line a stage, from the last layer to all of them: the `layer` made random last, `layers_random` in all, the
        `feature_agreement` of the explanations before and after (with its 95 % interval and `chance` level), the mean
        `rank_correlation` of their sizes, and the rows that have a value, `failed`, or have none else (`undefined`).
        `survives` is the verdict on the method, the same on all its lines, and True is bad: with all layers random, the
        lower end of the interval of (agreement - chance) / (1 - chance) is still above one half. Where that cannot be
        decided it is False, and `note` says why.

    Raises
    ------
    DlxError
        If the model is no net or has no weights, or the explanation is of another model or against another background.
    """
    if not isinstance(model, NeuralModel):
        raise DlxError(f"the sanity check makes layers random, which needs a net, got {model.name}, a {type(model).__name__}")
    scale, coded = checked_scale(model, explanation), coded_background(model, background, of=explanation)
    how = {"method": explanation.method, "scale": scale, "seed": explanation.seed, **explanation.options}
    width, lines = len(model.schema), []
    chance = chance_level("feature_agreement", k, width)
    for count, (layer, net) in enumerate(randomised(model, seed=seed), 1):
        after = explain(net, explanation.rows, background=coded, **how)
        finite, found = is_finite(explanation) & is_finite(after), metrics_by_row(explanation.values, after.values, k)
        agreement, ranks = (np.where(finite, found[name], np.nan) for name in ("feature_agreement", "rank_correlation"))
        stage = {"layer": layer, "layers_random": count, "k": min(k, width), "chance": chance}
        numbers = summary(agreement, ~finite, within=SHARE, seed=seed)
        stage |= {"feature_agreement": numbers.pop("mean"), "low": numbers.pop("low"), "high": numbers.pop("high")}
        lines.append(stage | {"rank_correlation": summary(ranks, ~finite)["mean"]} | numbers)
    survives, note = outlives(agreement, chance, seed=seed)
    about = {"model": model.name, "method": explanation.method, "scale": scale}
    return pd.DataFrame([about | line | {"survives": survives, "note": note} for line in lines])


def randomised(model: NeuralModel, *, seed: int) -> list[tuple[str, NeuralModel]]:
    """Return copies of a net with one more layer made random each, from the last to the first, and the layer's name.

    The order is that in which the net names its layers. A layer is anything with weights of its own or a
    ``reset_parameters()``, which draws them as before training; running means are reset too. A net without, or with a layer
    that cannot draw its weights, is a `DlxError`. The net itself and torch's global generator are left as they are.
    """
    import torch

    layers = {
        name: layer
        for name, layer in model.network.named_modules()
        if any(True for _ in layer.parameters(recurse=False))
        or (hasattr(layer, "reset_parameters") and not any(True for _ in layer.children()))
    }
    if not layers:
        raise DlxError(f"{model.name} has no layer with weights, so none can be made random")
    resets = ("reset_parameters", "_reset_parameters")  # torch's attention has it private
    for name, layer in layers.items():
        if not any(hasattr(layer, reset) for reset in resets):
            raise DlxError(
                f"layer {name!r} of {model.name} must have reset_parameters() to be made random, but {type(layer).__name__} "
                "has none; give it one that draws its weights as before training"
            )
    stages, network = [], model.network
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(check_seed(seed))
        for count, name in enumerate(reversed(layers), 1):
            network = copy.deepcopy(network)
            drawn: Any = network.get_submodule(name)
            getattr(drawn, next(reset for reset in resets if hasattr(drawn, reset)))()
            title = f"{model.name}, {plural(count, 'layer')} random"
            stages.append((name, model.remade(network, name=title, provenance=None)))
    return stages


def outlives(agreement: np.ndarray, chance: float, *, seed: int = 0) -> tuple[bool, str]:
    """Return whether an explanation outlives the weights, by its feature agreement [rows], and why that is not decided."""
    if chance == 1:
        return False, "not decided: the top k are all features, which agree by chance"
    low = interval_of_mean((agreement - chance) / (1 - chance), within=(-chance / (1 - chance), 1), seed=seed).low
    if np.isnan(low):
        return False, "not decided: no row has a value with all layers random"
    return bool(low > SURVIVES_ABOVE), ""
