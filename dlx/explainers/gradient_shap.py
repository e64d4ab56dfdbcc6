"""Gradient SHAP of a net: gradients at random points on the paths from the references; by captum as the reference.

Lundberg and Lee's expected gradients (Erion et al. 2021, equation 3). captum draws a reference and a point for each sample by
themselves; here each reference is drawn equally often, and its points are spread along the path, so that the same number of
gradients is less noisy. A sample of a few gradients does not add up; its standard error says by how much.
"""

from __future__ import annotations

from math import comb

import numpy as np
import torch

from dlx.arrays import seeded
from dlx.explainers import PATHS, refuse_below
from dlx.explainers._captum import copy_on_scale, on_scale
from dlx.explainers._lookups import refuse_lookups
from dlx.explanation import Attribution, LocalAccuracy
from dlx.model import NeuralModel, Scale
from dlx.model.devices import in_blocks

LABEL = "Gradient SHAP"
LIBRARY = "captum"
PROMISE = LocalAccuracy()
IS_SHAPLEY = False
IS_RANDOM, KNOWS_ERROR = True, True
COST, PREFERENCE, EVALUATES = "medium", 8, PATHS
SHOWN_AS = "path"
RESTS_ON = "integrated_gradients"  # an average that is not valid has no valid sample
INSTEAD = ("integrated_gradients",)
CHUNK_POINTS = 4_096  # that a core is given at a time
QUESTION = "What do gradients at random points between reference people and this one add up to?"


def attribute(
    model: NeuralModel, rows: np.ndarray, background: np.ndarray, *, scale: Scale, seed: int = 0, n_samples: int = 1_000
) -> Attribution:
    """Return sampled expected gradients of coded rows, with standard errors.

    Parameters
    ----------
    model, rows, background, scale, seed
        As in `dlx.explainers`.
    n_samples : int
        Gradients a row, at least 2.

    Raises
    ------
    MethodError
        If the net looks up codes, where gradients are 0, or `n_samples` is less than 2.
    """
    refuse_below(2, n_samples=n_samples)
    refuse_lookups("gradient_shap", model, rows, background)
    network, persons = on_scale(model, scale), model.dense(rows)
    drawn, share = _points(len(background), n_samples, seed)
    starts = model.dense(background)[torch.from_numpy(drawn)]
    along, references = torch.from_numpy(share[:, None]).to(starts), min(len(background), n_samples)

    def of_people(which: np.ndarray) -> np.ndarray:
        found = []
        for end in persons[torch.from_numpy(which)]:
            path = torch.lerp(starts, end, along).requires_grad_()
            with torch.enable_grad():  # one sum to differentiate, instead of one output a point
                (slopes,) = torch.autograd.grad(network(path).sum(), path)
            found.append(_mean_and_error(model.encoder.fold((slopes * (end - starts)).cpu().numpy()), references))
        return np.stack(found)

    found = in_blocks(of_people, np.arange(len(rows)), max(1, CHUNK_POINTS // n_samples), model.device, lambda: 1)
    return Attribution(
        values=found[:, 0],
        evaluations=len(rows) * n_samples,
        standard_errors=found[:, 1],
    )


def reference(
    model: NeuralModel, rows: np.ndarray, background: np.ndarray, *, scale: Scale, seed: int = 0, n_samples: int = 1_000
) -> Attribution:
    """Return the same quantity by captum, which draws a reference and a point for each sample by themselves.

    Parameters, and errors raised, are those of `attribute`.
    """
    from captum.attr import GradientShap

    refuse_below(2, n_samples=n_samples)
    refuse_lookups("gradient_shap", model, rows, background)
    network = copy_on_scale(model, scale)
    gradient_shap = GradientShap(lambda dense: network(dense).sum().reshape(1))
    references = model.dense(background)
    samples = np.empty((n_samples, len(rows), len(model.schema)))
    for i, person in enumerate(model.dense(rows)):
        with seeded(seed):
            drawn = gradient_shap.attribute(person.repeat(n_samples, 1), references, n_samples=1, stdevs=0.0)
        samples[:, i] = model.encoder.fold(drawn.detach().cpu().numpy())
    return Attribution(
        values=samples.mean(axis=0),
        evaluations=len(rows) * n_samples,
        standard_errors=samples.std(axis=0, ddof=1) / np.sqrt(n_samples),
    )


def _points(references: int, samples: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the reference that each sample starts from, in turns, and how far along its path it lies, [samples] each.

    A reference's points lie in equal parts of the path, one in each; those of a turn are spread over the part.
    """
    rng, count = np.random.default_rng(seed), min(references, samples)
    drawn, turn = np.resize(rng.permutation(references)[:count], samples), np.arange(samples) // count
    often = 1 + (samples - 1 - np.arange(samples) % count) // count  # how often the sample's reference is drawn
    sizes = np.bincount(turn)
    within = np.concatenate([(rng.permutation(size) + rng.random(size)) / size for size in sizes])
    return drawn, (turn + within) / often


def _mean_and_error(samples: np.ndarray, references: int) -> np.ndarray:
    """Return the mean over references of what their samples [samples, features] are on average, and its error, [2, features].

    What a point adds by chance is told by its neighbours on the path: by second differences, where there are three points.
    """
    turns, order = -(-len(samples) // references), min(2, len(samples) // references - 1)
    filled = np.full((turns * references, samples.shape[1]), np.nan)
    filled[: len(samples)] = samples
    by_turn = filled.reshape(turns, references, -1)
    mean = np.nanmean(by_turn, axis=0).mean(axis=0)
    if order < 1:
        return np.stack([mean, samples.std(axis=0, ddof=1) / np.sqrt(len(samples))])
    variance = np.nanmean(np.diff(by_turn, n=order, axis=0) ** 2, axis=0) / comb(2 * order, order)
    often = (~np.isnan(by_turn)).sum(axis=0)
    return np.stack([mean, np.sqrt((variance / often).sum(axis=0)) / references])
