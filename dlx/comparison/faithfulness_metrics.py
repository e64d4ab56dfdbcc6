"""How faithful an explanation is to its model: what the model does when the columns it names are replaced.

Columns are replaced in original columns, by values of the background rows most like the person (the donors): see
`dlx.comparison.perturbation`. An effect is averaged over the donors. With donors near the person, a contribution against
the average person need not equal an effect; orders and correlations are the fairer judges then. With
``neighbours=len(background)`` the donors are the whole background.

Columns of the same size have no order. Where a tie makes it open which k columns are the top, the curve over k is a
straight line between the ends of the tie, as in a ROC curve: so no number depends on the order of the columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dlx.arrays import array_id
from dlx.comparison.alignment import refuse_unaligned
from dlx.comparison.metrics import correlation, summary
from dlx.comparison.perturbation import Probe, checked_scale, is_finite
from dlx.errors import DlxError
from dlx.explanation import Explanation
from dlx.model import Model
from dlx.runner import FLOAT32_ROUNDING

if TYPE_CHECKING:
    import pandas as pd

NEIGHBOURS = 25  # donors of a person
HIGHER_IS_BETTER = {
    "pgi": True,
    "pgu": False,
    "deletion": True,
    "insertion": True,
    "infidelity": False,
    "relative_infidelity": False,
    "sensitivity_n": True,
}


def faithfulness(
    model: Model,
    explanations: Sequence[Explanation],
    background: Any,
    *,
    neighbours: int = NEIGHBOURS,
    subsets: int = 64,
    seed: int = 0,
) -> pd.DataFrame:
    """Return how faithful explanations are to their model, averaged over people.

    Parameters
    ----------
    model : Model
        The model that all of them explain.
    explanations : sequence of Explanation
        By any methods; aligned: see `dlx.compare`.
    background : Dataset, DataFrame or ndarray [references, features]
        Where replaced values come from; need not be the background of the explanations.
    neighbours : int
        Donors of a person; all of the background where it has fewer rows.
    subsets : int
        Random sets of columns for infidelity, and for each size of sensitivity-n.
    seed : int
        Seed of levels, subsets, shuffles and bootstrap.

    Returns
    -------
    DataFrame
        One line a method and metric (see `faithfulness_by_row`): mean over rows with its 95 % bootstrap interval, the
        mean that the same contributions reach in random order (`chance`), the rows that have a value, the rows whose
        explanation is not finite (`failed`), and the other rows without a value (`undefined`).

    Raises
    ------
    AlignmentError
        If the explanations are not aligned.
    DlxError
        If one of them explains another model, or there are too few rows, neighbours or subsets.
    """
    import pandas as pd

    if not len(explanations):
        raise DlxError("faithfulness needs at least 1 explanation, got 0; make one with dlx.explain")
    refuse_unaligned(explanations)
    for explanation in explanations:
        checked_scale(model, explanation)
    probe = Probe.of(model, explanations[0], background, neighbours, subsets, seed)
    lines = []
    for explanation in explanations:
        failed = ~is_finite(explanation)
        chance = metrics_by_row(probe, _shuffled(explanation, seed), explanation.base_values)
        for metric, values in metrics_by_row(probe, explanation.values, explanation.base_values).items():
            line: dict[str, Any] = {"model": model.name, "method": explanation.method, "scale": explanation.scale}
            line |= {"metric": metric, "higher_is_better": HIGHER_IS_BETTER[metric]} | summary(values, failed, seed=seed)
            lines.append(line | {"chance": summary(chance[metric], failed)["mean"]})
    return pd.DataFrame(lines)


def faithfulness_by_row(
    model: Model,
    explanation: Explanation,
    background: Any,
    *,
    neighbours: int = NEIGHBOURS,
    subsets: int = 64,
    seed: int = 0,
) -> pd.DataFrame:
    """Return how faithful an explanation is about each person: a line a row, a column a metric.

    With f the model, x the person, φ the contributions, x_S the person with the columns S replaced, and all effects
    averaged over donors, in units of the scale unless stated:

    - ``pgi``, ``pgu``: area over k of |f(x) - f(x_S)|, S the k columns of largest |φ| or all others: prediction gap on
      important and unimportant features, Agarwal et al. (2022), OpenXAI, arXiv 2206.11104. The area is the trapezoid
      over k = 1 to d for pgi, 1 to d - 1 for pgu, divided by the width of that range; a single k counts as it is.
    - ``deletion``, ``insertion``: mean over k = 1 to d of s (f(x) - f(x_S)), and of s (f(donor with S taken from x) -
      f(donor)); S the k columns of largest s φ, s the sign of f(x) - base value. After Petsiuk et al. (2018), RISE,
      arXiv 1806.07421; there, pixels become gray or blurred, and the area is that of the output itself, so that a low
      one is good for deletion. Here high is good for both, and people at the base value have no sign: NaN.
    - ``infidelity``: mean over random S of (Σ_S φ - (f(x) - f(x_S)))², squared units: Yeh et al. (2019), arXiv
      1901.09392, equation 1, with contributions in place of perturbation times gradient. The size of S is uniform on 1
      to d - 1.
    - ``relative_infidelity``: infidelity / mean (f(x) - f(x_S))², no unit; 1 is what saying 0 reaches. NaN where the
      model does not react; a few people to whom it hardly reacts can carry the mean over all.
    - ``sensitivity_n``: Pearson correlation of Σ_S φ and f(x) - f(x_S) over random S of size n, mean over n = 1, d/4,
      d/2 and 3d/4: Ancona et al. (2018), arXiv 1711.06104. NaN where either side is constant, as with one column.

    Parameters and errors are those of `faithfulness`. A row depends on itself and the background only. A row whose
    explanation is not finite is NaN.

    Returns
    -------
    DataFrame
        Columns model, method, row, and the metrics.
    """
    import pandas as pd

    probe = Probe.of(model, explanation, background, neighbours, subsets, seed)
    about = {"model": model.name, "method": explanation.method, "row": np.asarray(explanation.index)}
    return pd.DataFrame(about | metrics_by_row(probe, explanation.values, explanation.base_values))


def metrics_by_row(probe: Probe, values: np.ndarray, base_values: np.ndarray) -> dict[str, np.ndarray]:
    """Return every metric of contributions [rows, features] and base values [rows], each [rows]; not finite is NaN."""
    finite = np.isfinite(values).all(axis=1) & np.isfinite(base_values)
    values, base_values = np.where(finite[:, None], values, 0.0), np.where(finite, base_values, 0.0)
    metrics = _prediction_gaps(probe, values) | _deletion_and_insertion(probe, values, base_values)
    metrics |= _infidelity(probe, values) | {"sensitivity_n": _sensitivity_n(probe, values)}
    return {name: np.where(finite, found, np.nan) for name, found in metrics.items()}


def top(sizes: np.ndarray) -> np.ndarray:
    """Return the k columns of largest size for k = 0 to d, bool [rows, d + 1, d]; within a tie by position."""
    place = np.argsort(np.argsort(-sizes, axis=1, kind="stable"), axis=1)
    return place[:, None, :] < np.arange(sizes.shape[1] + 1)[:, None]


def straight_within_ties(curves: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Return curves over k = 0 to d [rows, d + 1], a straight line wherever it is open which k columns are the top."""
    every = np.arange(curves.shape[1])
    falling = -np.sort(-sizes, axis=1)
    settled = np.pad(falling[:, :-1] > falling[:, 1:], ((0, 0), (1, 1)), constant_values=True)
    return np.array([np.interp(every, every[sure], curve[sure]) for curve, sure in zip(curves, settled, strict=True)])


def _prediction_gaps(probe: Probe, values: np.ndarray) -> dict[str, np.ndarray]:
    sizes, outputs, width = np.abs(values), probe.outputs[:, None, None], values.shape[1]
    important = top(sizes)
    pgi, pgu = (
        straight_within_ties(np.abs(outputs - probe.evaluate(probe.taken, masks)).mean(axis=2), sizes)
        for masks in (important, ~important)
    )
    return {"pgi": _area(pgi[:, 1:]), "pgu": _area(pgu[:, 1 : max(width, 2)])}


def _area(heights: np.ndarray) -> np.ndarray:
    """Return the mean height of curves [rows, points] by the trapezoid rule, [rows]."""
    return np.trapezoid(heights, axis=1) / (heights.shape[1] - 1) if heights.shape[1] > 1 else heights[:, 0]


def _deletion_and_insertion(probe: Probe, values: np.ndarray, base_values: np.ndarray) -> dict[str, np.ndarray]:
    sign = np.sign(probe.outputs - base_values)
    sizes = sign[:, None] * values
    masks = top(sizes)
    deleted = probe.outputs[:, None] - probe.evaluate(probe.taken, masks).mean(axis=2)
    inserted = probe.evaluate(probe.donors, ~masks).mean(axis=2)
    curves = {"deletion": deleted, "insertion": inserted - inserted[:, :1]}
    sign = np.where(sign == 0, np.nan, sign)
    return {name: sign * straight_within_ties(curve, sizes)[:, 1:].mean(axis=1) for name, curve in curves.items()}


def _infidelity(probe: Probe, values: np.ndarray) -> dict[str, np.ndarray]:
    effects = probe.effects[0]
    infidelity = ((values @ probe.subsets[0].T - effects) ** 2).mean(axis=1)
    reaction = (effects**2).mean(axis=1)
    reacts = reaction > _rounding(probe, effects) ** 2
    relative = np.divide(infidelity, reaction, out=np.full(len(values), np.nan), where=reacts)
    return {"infidelity": infidelity, "relative_infidelity": relative}


def _sensitivity_n(probe: Probe, values: np.ndarray) -> np.ndarray:
    total, count = np.zeros(len(values)), np.zeros(len(values))
    for masks, effects in zip(probe.subsets[1:], probe.effects[1:], strict=True):
        told, noise = values @ masks.T, 1e-12 * np.abs(values).sum(axis=1)
        varies = (np.ptp(told, axis=1) > noise) & (np.ptp(effects, axis=1) > _rounding(probe, effects))
        found = np.where(varies, correlation(told, effects), np.nan)
        total, count = total + np.nan_to_num(found), count + ~np.isnan(found)
    return np.divide(total, count, out=np.full(len(values), np.nan), where=count > 0)


def _rounding(probe: Probe, effects: np.ndarray) -> np.ndarray:
    """Return the size of an effect [rows] that may be rounding of the outputs, which the nets compute in float32."""
    return FLOAT32_ROUNDING * (np.abs(probe.outputs) + np.abs(effects).max(axis=1))


def _shuffled(explanation: Explanation, seed: int) -> np.ndarray:
    """Return the contributions of each row in an order that depends on the seed and on the row alone."""
    seeds = [[seed, int(array_id(row), 16)] for row in explanation.rows]
    return np.array([np.random.default_rng(s).permutation(v) for s, v in zip(seeds, explanation.values, strict=True)])
