"""Issues of torch networks: nonlinearities without a rule of DeepLIFT, columns without gradients, unsettled modules."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from torch import nn
from torch.jit import ScriptModule

from dlx import explainers
from dlx.audit.compatibility.checks import STEADY, Bench, Issue, attempted, lost_words
from dlx.errors import in_a_line
from dlx.explainers import deeplift
from dlx.explainers._functions import nonlinear_functions
from dlx.explainers._lookups import EMBEDDINGS, without_gradient
from dlx.model import NeuralModel
from dlx.model.net_outputs import shown

RULES = (deeplift.__name__.rpartition(".")[2],)  # the method whose rules are for modules
ITSELF = "the network itself"
BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)
DROPOUTS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout, nn.FeatureAlphaDropout)


def in_network(bench: Bench) -> Iterator[Issue]:
    """Yield the issues of a net, as the methods that read nets see it: in evaluation mode."""
    scripted = [path for path, module in bench.evaluated.network.named_modules() if isinstance(module, ScriptModule)]
    if scripted:
        text = f"{scripted[0] or ITSELF} is a TorchScript module, which cannot be looked into: pass the module it was made from"
        yield Issue("scripted", scripted[0], RULES, text, np.nan)
    else:
        yield from _nonlinearities(bench)
        uses = deeplift.nonlinear_uses(bench.evaluated.network, bench.evaluated.dense(bench.rows))
        for path, times in uses.items():
            if times > 1:
                text = (
                    f"{_shown(bench, path)} is used {times} times in one forward: captum's DeepLIFT needs a module for each use"
                )
                yield Issue("used again", path, RULES, text, float(times))
    yield from _unseen_columns(bench)


def _shown(bench: Bench, path: str) -> str:
    return shown(bench.evaluated.network, path) or ITSELF


def _nonlinearities(bench: Bench) -> Iterator[Issue]:
    """Yield what captum's DeepLIFT takes for a plain gradient, with its largest residual; NaN where it fails on the net."""
    model = bench.evaluated
    uses = deeplift.nonlinear_uses(model.network, model.dense(bench.rows))
    modules = {path: module for path, module in deeplift.outside_table(model.network).items() if uses[path]}
    functions = nonlinear_functions(model.network, model.dense(np.concatenate([bench.rows, bench.background])))
    if not modules and not functions:
        return
    made = attempted(lambda: deeplift.unchecked(model, bench.rows, bench.background, scale=bench.scale))
    lost, loses = np.nan, "captum fails on the net"
    if not isinstance(made, Exception):
        lost = bench.lost(made, model.predict(bench.rows, bench.scale))
        loses = f"its plain gradient would lose {lost_words(lost)} of the mean effect"
    for path, module in modules.items():
        text = f"{_shown(bench, path)} is a {type(module).__name__}, which captum's DeepLIFT has no rule for: {loses}"
        yield Issue("outside table", path, RULES, text, lost)
    for path, function in functions:
        text = f"{_shown(bench, path)} calls {function}, a nonlinear function that captum's DeepLIFT cannot see: {loses}"
        yield Issue("function", path, RULES, text, lost)


def _unseen_columns(bench: Bench) -> Iterator[Issue]:
    """Yield columns whose gradient is 0 although the output moves with them: codes of an embedding, roundings, steps."""
    model, rows, background = bench.evaluated, bench.rows, bench.background
    still = attempted(lambda: without_gradient(model, rows, background, bench.seed))
    if isinstance(still, Exception):
        text = f"no gradient can be taken of {model.name}: {in_a_line(still)}"
        yield Issue("no gradient", "", tuple(explainers.reading(NeuralModel)), text, np.nan)
        return
    before, moves = np.repeat(model.predict(rows, bench.scale), len(background)), {}
    for i in np.flatnonzero(still):
        swapped = np.repeat(rows, len(background), axis=0)
        swapped[:, i] = np.tile(background[:, i], len(rows))
        moved = bench.share(model.predict(swapped, bench.scale) - before)
        if moved > STEADY:
            moves[model.schema.names[i]] = moved
    if not moves:
        return
    gradients, columns, largest = tuple(explainers.reading(NeuralModel)), ", ".join(moves), max(moves.values())
    said = f"gradients are exactly 0 although the output moves by up to {lost_words(largest)} of the mean effect"
    embeddings = [path for path, module in model.network.named_modules() if isinstance(module, EMBEDDINGS)]
    for path in embeddings:
        yield Issue(
            "embedding", path, gradients, f"{_shown(bench, path)} looks up integer codes; for {columns} {said}", largest
        )
    for column, moved in moves.items() if not embeddings else ():
        yield Issue("no gradient", column, gradients, f"for {columns} {said}", moved)


def unsettled(network: nn.Module) -> dict[str, str]:
    """Return the modules that look at the batch or at chance, by path, each with what it is and does."""
    found = {}
    for path, module in network.named_modules():
        name = f"{type(module).__name__} {shown(network, path) or 'network'}"
        if isinstance(module, BATCH_NORMS) and (module.training or module.running_mean is None):
            found[path] = f"{name} takes the mean and variance of the batch"
        elif isinstance(module, DROPOUTS) and module.training and module.p:
            found[path] = f"{name} drops units at random"
    return found
