"""How far explanations move with settings that nobody has to defend: LIME's seed and kernel width, SHAP's background.

What a setting does is held against a noise floor, the same method with nothing changed but its seed, or the draw of its
background: someone who shops for a setting can reach what lies below it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from dlx import explainers
from dlx.background import nearest
from dlx.comparison.metrics import metrics_by_row
from dlx.dataset import Dataset
from dlx.kernels.lime.neighbourhoods import Neighbourhood, Samples
from dlx.model import Model
from dlx.runner import explain
from dlx.stats import interval_of_mean

TOP = 3
SEEDS = 4  # besides the first
WIDTHS = (0.25, 0.5, 2.0, 4.0)  # of lime's default, 0.75 times the root of the number of columns
LIME_SAMPLES = 5_000
NEAR = 50  # rows most like a person


def lime_settings(model: Model, people: Dataset, background: np.ndarray, *, seed: int = 0) -> list[dict[str, Any]]:
    """Return how much of LIME's top columns stays with another seed, and with another kernel width: a line a setting.

    `same_top` is the share of the top 3 that stays, with its 95 % bootstrap interval over people. Other seeds together are
    the noise floor, the first line; `beyond_noise` is what stays below its interval.
    """
    own, *again = (_lime(model, people, background, seed + i) for i in range(1 + SEEDS))
    usual, *widths = lime_surrogates(model, people.rows, background, widths=(1.0, *WIDTHS), seed=seed)
    moved = {("LIME's seed", "another seed"): (own, again)}
    for width, values in zip(WIDTHS, widths, strict=True):
        moved["LIME's kernel width", f"{width:g} times the default width"] = usual, [values]
    return _settings(model, moved, seed)


def shap_backgrounds(
    model: Model, case: Dataset, people: Dataset, background: np.ndarray, centres: np.ndarray, *, seed: int = 0
) -> list[dict[str, Any]]:
    """Return how much of the top columns of Shapley values stays against other reference rows; columns as of `lime_settings`.

    Another draw of as many training rows is the noise floor; then k-means centres, those whom the model clears, and
    the training rows most like each person.
    """
    method, train = explainers.best_shapley(model, model.scales[0]), case.train.rows

    def values(rows: np.ndarray, references: np.ndarray) -> np.ndarray:
        return explain(model, rows, method=method, background=references, scale=model.scales[0], seed=seed).values

    kinds = {"another draw of training rows": case.background(len(background), seed=seed + 1).rows, "k-means centres": centres}
    cleared = train[~model.decide(train)]
    if len(cleared):
        chosen = np.random.default_rng(seed).permutation(len(cleared))[: len(background)]
        kinds[f"training rows that the model has {case.schema.target.cleared}"] = cleared[chosen]
    own, what = values(people.rows, background), "SHAP's background"
    moved = {(what, kind): (own, [values(people.rows, references)]) for kind, references in kinds.items()}
    near = zip(people.rows, train[nearest(case.schema, people.rows, train, NEAR)], strict=True)
    moved[what, "training rows most like the person"] = own, [np.concatenate([values(row[None], some) for row, some in near])]
    return _settings(model, moved, seed)


def lime_on_real_rows(
    models: Sequence[Model], column: int, case: Dataset, people: Dataset, background: np.ndarray, *, seed: int = 0
) -> list[dict[str, Any]]:
    """Return how LIME changes where its samples are real training rows only, a line a model, the first being the attacked one.

    `same_top` is the share of LIME's top 3 that stays; then the share of people for whom the protected column is first, by LIME
    and by LIME on real rows.
    """
    lines = []
    for model in models:
        usual = _lime(model, people, background, seed)
        (real,) = lime_surrogates(model, people.rows, background, real=case.train.rows)
        same = interval_of_mean(kept_top(usual, real), within=(0, 1), seed=seed).estimate
        first = [(np.abs(values).argmax(axis=1) == column).mean() for values in (usual, real)]
        about = {"model": model.name, "is_attacked": model is models[0], "same_top": same}
        lines.append(about | {"protected_first": first[0], "protected_first_on_real_rows": first[1]})
    return lines


def _lime(model: Model, people: Dataset, background: np.ndarray, seed: int) -> np.ndarray:
    (method,) = explainers.having(EVALUATES=explainers.RANDOM_PEOPLE)
    return explain(model, people, method=method, background=background, scale=model.scales[0], seed=seed).values


def lime_surrogates(
    model: Model,
    rows: np.ndarray,
    background: np.ndarray,
    *,
    widths: Sequence[float] = (1.0,),
    real: np.ndarray | None = None,
    seed: int = 0,
) -> np.ndarray:
    """Return LIME contributions [widths, rows, features] with kernels of some times the default width.

    Else they are those of dlx's `lime`, or of real rows in place of lime's random people.
    """
    from sklearn.linear_model import Ridge

    law, scale = Neighbourhood(model.schema, background), model.scales[0]
    samples = law.draw(LIME_SAMPLES - 1, seed) if real is None else Samples(real, law.bins(real))
    bins, outputs, own = law.bins(rows), model.predict(samples.rows, scale), model.predict(rows, scale)
    weights = np.empty((len(widths), *rows.shape))
    for i, person in enumerate(bins):
        present = np.concatenate([np.ones((1, len(person))), samples.bins == person])
        absent = len(person) - present.sum(axis=1)
        for width, found in zip(widths, weights, strict=True):
            closeness = np.exp(-absent / (1.125 * len(person) * width**2))
            found[i] = Ridge(alpha=1.0).fit(present, np.r_[own[i], outputs], sample_weight=closeness).coef_
    return weights * (1 - law.shares(bins))


def kept_top(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return the share of the top columns of contributions [rows, features] that are top columns of others, too, [rows]."""
    return metrics_by_row(one, other, TOP)["feature_agreement"]


def _settings(
    model: Model, moved: Mapping[tuple[str, str], tuple[np.ndarray, Sequence[np.ndarray]]], seed: int
) -> list[dict[str, Any]]:
    """Return a line a setting, from contributions [rows, features] without and with it; the first is the noise floor."""
    lines: list[dict[str, Any]] = []
    for (what, setting), (own, others) in moved.items():
        kept = np.mean([kept_top(own, other) for other in others], axis=0)
        same, low, high = interval_of_mean(kept, within=(0, 1), seed=seed)
        about = {"model": model.name, "what": what, "setting": setting}
        lines.append(about | {"same_top": same, "low": low, "high": high})
    return [line | {"beyond_noise": line["high"] < lines[0]["low"]} for line in lines]
