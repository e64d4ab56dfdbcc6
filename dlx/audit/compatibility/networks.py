"""What is found in a torch network: nonlinearities that DeepLIFT has no rule for, and columns that gradients cannot see."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from torch.jit import ScriptModule

from dlx import explainers
from dlx.audit.compatibility.bench import STEADY, Bench, Finding, lost_words
from dlx.audit.compatibility.forward import bending_functions
from dlx.errors import is_own_fault
from dlx.explainers import deeplift
from dlx.explainers._lookups import EMBEDDINGS, without_gradient
from dlx.model import NeuralModel

RULES = (deeplift.__name__.rpartition(".")[2],)  # the method whose rules are for modules


def in_network(bench: Bench) -> Iterator[Finding]:
    """Yield the findings in a net, as the methods that read nets see it: in evaluation mode."""
    scripted = [path for path, module in bench.evaluated.network.named_modules() if isinstance(module, ScriptModule)]
    if scripted:
        text = f"{_named(scripted[0])} is a TorchScript module, which cannot be looked into: pass the module it was made from"
        yield Finding("scripted", scripted[0], RULES, text, np.nan)
    else:
        yield from _nonlinearities(bench)
        yield from _used_again(bench)
    yield from _unseen_columns(bench)


def _nonlinearities(bench: Bench) -> Iterator[Finding]:
    model = bench.evaluated
    modules = deeplift.outside_table(model.network)
    functions = bending_functions(model.network, model.dense(np.concatenate([bench.rows, bench.background])))
    if not modules and not functions:
        return
    lost = _lost_by_deeplift(bench)
    loses = (
        "captum fails on the net" if np.isnan(lost) else f"its plain gradient would lose {lost_words(lost)} of the mean effect"
    )
    for path, module in modules.items():
        text = f"{_named(path)} is a {type(module).__name__}, which captum's DeepLIFT has no rule for: {loses}"
        yield Finding("outside table", path, RULES, text, lost)
    for path, function in functions:
        text = f"{_named(path)} calls {function}, a nonlinear function that captum's DeepLIFT cannot see: {loses}"
        yield Finding("function", path, RULES, text, lost)


def _lost_by_deeplift(bench: Bench) -> float:
    """Return the largest residual of captum's DeepLIFT, rules or not, as a share of the mean effect; NaN where it fails."""
    model = bench.evaluated
    try:
        made = deeplift.unchecked(model, bench.rows, bench.background, scale=bench.scale)
    except Exception as error:  # captum on a net that it does not know
        if is_own_fault(error):
            raise
        return np.nan
    return bench.lost(made, model.predict(bench.rows, bench.scale))


def _used_again(bench: Bench) -> Iterator[Finding]:
    uses = deeplift.nonlinear_uses(bench.evaluated.network, bench.evaluated.dense(bench.rows))
    for path, times in uses.items():
        if times > 1:
            text = f"{_named(path)} is used {times} times in one forward: captum's DeepLIFT needs a module for each use"
            yield Finding("used again", path, RULES, text, float(times))


def _unseen_columns(bench: Bench) -> Iterator[Finding]:
    """Columns whose gradient is 0 although the output moves with them: codes of an embedding, roundings, steps."""
    model = bench.evaluated
    unseen = np.flatnonzero(without_gradient(model, bench.rows, bench.background, bench.seed))
    moves = {model.schema.names[i]: moved for i in unseen if (moved := _moved_by(bench, int(i))) > STEADY}
    if not moves:
        return
    columns, largest = ", ".join(moves), max(moves.values())
    said = f"gradients are exactly 0 although the output moves by up to {lost_words(largest)} of the mean effect"
    embeddings = [path for path, module in model.network.named_modules() if isinstance(module, EMBEDDINGS)]
    for path in embeddings:
        text = f"{_named(path)} looks up integer codes; for {columns} {said}"
        yield Finding("embedding", path, tuple(explainers.reading(NeuralModel)), text, largest)
    if not embeddings:
        for column, moved in moves.items():
            yield Finding("no gradient", column, tuple(explainers.reading(NeuralModel)), f"for {columns} {said}", moved)


def _moved_by(bench: Bench, column: int) -> float:
    """Return the largest change of an output as one column takes the references' values, as a share of the mean effect."""
    model, rows, background = bench.evaluated, bench.rows, bench.background
    swapped = np.repeat(rows, len(background), axis=0)
    swapped[:, column] = np.tile(background[:, column], len(rows))
    before = np.repeat(model.predict(rows, bench.scale), len(background))
    return bench.share(float(np.abs(model.predict(swapped, bench.scale) - before).max()))


def _named(path: str) -> str:
    return path or "the network itself"
