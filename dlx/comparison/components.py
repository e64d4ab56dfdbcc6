"""Do the models differ, or the methods? Variance components of the contributions over models, methods and training seeds.

All explanations are of the same people, on one scale, against one background: models m, methods k, and training seeds s
within each model, all combinations. For every person and column the contribution is

    y[m, k, s] = mean + model_m + method_k + (model x method)_mk + seed_s(m) + rest_ks(m)

and the components are the random-effects estimates of its expected mean squares (Searle, Casella and McCulloch 1992,
chapter 4), summed over columns. A negative estimate counts as 0 once it has been averaged over people.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np
import pandas as pd

from dlx.arrays import in_short, ratio
from dlx.comparison.alignment import refuse_unaligned
from dlx.errors import DlxError
from dlx.explanation import Explanation
from dlx.stats import Interval, ends_of, interval_of_mean, resampled_means

COMPONENTS = {
    "model": "which model",
    "method": "which method",
    "model x method": "methods that treat the models differently",
    "seed": "which training seed",
    "rest": "sampling noise and the rest",
}
DISTANCES = {
    "models": "two models under one method",
    "methods": "two methods on one model",
    "seeds": "two training seeds under one method",
}


@dataclass(frozen=True, eq=False)
class VarianceComponents:
    """Explanations of every model by every method, for every training seed: at least two of each."""

    models: tuple[str, ...]
    methods: tuple[str, ...]
    values: np.ndarray  # [models, methods, seeds, people, features], contributions
    index: np.ndarray  # [people], names of the rows
    scale: str

    __repr__ = in_short

    def by_person(self) -> pd.DataFrame:
        """Return a line a person: the components, in squared units of the scale, unbiased, so that one may be negative."""
        return pd.DataFrame({"row": self.index} | components_by_person(self.values))

    def components(self, *, seed: int = 0) -> pd.DataFrame:
        """Return a line a component: its standard deviation in units of the scale, its share of all, with 95 % intervals.

        Intervals are over resampled people; those for whom an explanation failed are left out and counted.
        """
        table = np.column_stack(list(components_by_person(self.values).values()))
        known = table[~np.isnan(table).any(axis=1)]
        means = resampled_means(known, seed=seed) if len(known) else np.full((2, len(COMPONENTS)), np.nan)
        kept = np.maximum(means, 0.0)
        total = kept.sum(axis=1, keepdims=True)
        shares = ratio(kept, total)
        lines = []
        for i, (name, what) in enumerate(COMPONENTS.items()):
            line: dict[str, object] = {"component": name, "what": what, "scale": self.scale}
            for measure, numbers in (("size", np.sqrt(kept[:, i])), ("share", shares[:, i])):
                line |= Interval(numbers[0], *ends_of(numbers[1:], people=len(known))).named(measure)
            lines.append(line | {"people": len(known), "failed": len(table) - len(known)})
        return pd.DataFrame(lines)

    def distances(self, *, seed: int = 0) -> pd.DataFrame:
        """Return the mean distance ``|φ - φ'|`` of two explanations that differ in one thing only: a line a pair and setting.

        Two models under one method and two methods on one model are averaged over training seeds, two training seeds
        under one method over all pairs of seeds; in units of the scale.
        """
        y, found = self.values, list[tuple[str, str, str, str, np.ndarray]]()  # what differs, the two, what is the same, gaps
        for (i, one), (j, other) in combinations(enumerate(self.models), 2):
            found += [("models", one, other, method, _gap(y[i, k], y[j, k])) for k, method in enumerate(self.methods)]
        for m, model in enumerate(self.models):
            pairs = combinations(enumerate(self.methods), 2)
            found += [("methods", one, other, model, _gap(y[m, i], y[m, j])) for (i, one), (j, other) in pairs]
            for k, method in enumerate(self.methods):
                one_of, other_of = np.array(list(combinations(range(y.shape[2]), 2))).T
                found.append(("seeds", model, model, method, _gap(y[m, k, one_of], y[m, k, other_of])))
        lines = []
        for kind, a, b, within, gaps in found:
            mean, low, high = interval_of_mean(gaps, seed=seed)
            line: dict[str, object] = {"kind": kind, "what": DISTANCES[kind], "one": a, "other": b, "within": within}
            counts = {"people": int((~np.isnan(gaps)).sum()), "failed": int(np.isnan(gaps).sum())}
            lines.append(line | {"mean": mean, "low": low, "high": high, "scale": self.scale} | counts)
        return pd.DataFrame(lines)


def variance_components(explanations: Mapping[tuple[str, str, int], Explanation]) -> VarianceComponents:
    """Return the variance components of explanations by (architecture, method, training seed), of all combinations.

    Raises
    ------
    DlxError
        If there are fewer than two models, methods or seeds, or a combination is lacking, or (`AlignmentError`) if they are
        not of the same people, on one scale, against one background.
    """
    models, methods, seeds = (
        (tuple(dict.fromkeys(some)) for some in zip(*explanations, strict=True)) if explanations else ((),) * 3
    )
    for what, some in (("models", models), ("methods", methods), ("training seeds", seeds)):
        if len(some) < 2:
            raise DlxError(f"variance components need at least 2 {what}, got {len(some)}")
    wanted = list(product(models, methods, seeds))
    if lacking := [which for which in wanted if which not in explanations]:
        raise DlxError(
            f"variance components need all {len(wanted)} combinations of model, method and training seed, "
            f"got {len(explanations)}; explain {lacking[0]} too"
        )
    refuse_unaligned(list(explanations.values()))
    values = np.array([[[explanations[m, k, s].values for s in seeds] for k in methods] for m in models])
    first = next(iter(explanations.values()))
    return VarianceComponents(models, methods, values, np.asarray(first.index), first.scale)


def components_by_person(values: np.ndarray) -> dict[str, np.ndarray]:
    """Return the components of contributions [models, methods, seeds, people, features], each [people]; NaN where one is.

    Unbiased, so that a component that is 0 comes out negative for some people.
    """
    models, methods, seeds = values.shape[:3]
    values = values - values[:1, :1, :1]  # so that contributions that never differ give 0, and not their rounding
    grand = values.mean(axis=(0, 1, 2), keepdims=True)
    model = values.mean(axis=(1, 2), keepdims=True)
    method = values.mean(axis=(0, 2), keepdims=True)
    cell = values.mean(axis=2, keepdims=True)
    run = values.mean(axis=1, keepdims=True)
    rest = _mean_square(values - cell - run + model, models * (methods - 1) * (seeds - 1), values.shape)
    seed = _mean_square(run - model, models * (seeds - 1), values.shape)
    both = _mean_square(cell - model - method + grand, (models - 1) * (methods - 1), values.shape)
    by_method = _mean_square(method - grand, methods - 1, values.shape)
    by_model = _mean_square(model - grand, models - 1, values.shape)
    return {
        "model": (by_model - both - seed + rest) / (methods * seeds),
        "method": (by_method - both) / (models * seeds),
        "model x method": (both - rest) / seeds,
        "seed": (seed - rest) / methods,
        "rest": rest,
    }


def _gap(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the mean distance of contributions [pairs, people, features], [people]."""
    return np.sqrt(np.square(a - b).sum(axis=-1)).mean(axis=0)


def _mean_square(effect: np.ndarray, freedom: int, shape: tuple[int, ...]) -> np.ndarray:
    """Return the mean square [people] of an effect, summed over columns; each effect counts once a cell of the design."""
    return np.square(np.broadcast_to(effect, shape)).sum(axis=(0, 1, 2, 4)) / freedom
