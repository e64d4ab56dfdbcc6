"""How far explanations move with settings that nobody has to defend: LIME's seed and kernel width, SHAP's background.

What a setting does is held against a noise floor, the same method with nothing changed but its seed, or the draw of its
background: someone who shops for a setting can reach what lies below it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from dlx.attacks.attacking import TOP
from dlx.attacks.scaffold import decisions
from dlx.background import k_means
from dlx.dataset import Dataset
from dlx.encoder import Encoder
from dlx.kernels.lime.neighbourhoods import Neighbourhood, Samples
from dlx.model import Model, TreeModel
from dlx.runner import explain
from dlx.stats import interval_of_mean

if TYPE_CHECKING:
    import pandas as pd

SEEDS = 4  # besides the first
WIDTHS = (0.25, 0.5, 2.0, 4.0)  # of lime's default, 0.75 times the root of the number of columns
LIME_SAMPLES = 5_000
NEAR = 50  # rows most like a person


def lime_settings(model: Model, people: Dataset, background: Dataset, *, seed: int = 0) -> pd.DataFrame:
    """Return how much of LIME's top columns stays with another seed, and with another kernel width.

    One line a setting: `same_top`, the share of the top 3 that stays, its 95 % bootstrap interval over people, and
    `same_first`, for how many the first column stays. Seeds together are the noise floor.
    """
    scale = model.scales[0]

    def lime(own_seed: int) -> np.ndarray:
        return explain(model, people, method="lime", background=background, scale=scale, seed=own_seed).values

    own = lime(seed)
    again = np.mean([kept_top(own, lime(seed + 1 + i)) for i in range(SEEDS)], axis=0)
    first = np.mean([same_first(own, lime(seed + 1 + i)) for i in range(SEEDS)])
    lines = [_line(model, "LIME's seed", "another seed", again, float(first), seed)]
    own = lime_of_width(model, people.rows, background.rows, width=1.0, seed=seed)
    for width in WIDTHS:
        moved = lime_of_width(model, people.rows, background.rows, width=width, seed=seed)
        words = f"{width:g} times the default width"
        lines.append(
            _line(model, "LIME's kernel width", words, kept_top(own, moved), float(same_first(own, moved).mean()), seed)
        )
    return _judged(lines)


def shap_backgrounds(model: Model, case: Dataset, people: Dataset, background: Dataset, *, seed: int = 0) -> pd.DataFrame:
    """Return how much of the top columns of Shapley values stays against other reference rows.

    Another draw of as many training rows is the noise floor; then k-means centres, those whom the model clears, and
    the training rows most like each person. Columns as of `lime_settings`.
    """
    method, scale, size = "tree_shap" if isinstance(model, TreeModel) else "shapley", model.scales[0], len(background)

    def values(some: np.ndarray, references: np.ndarray) -> np.ndarray:
        return explain(model, some, method=method, background=references, scale=scale, seed=seed).values

    train, rows = case.train.rows, people.rows
    cleared = train[~decisions(model, train)]
    kinds = {"another draw of training rows": case.background(size, seed=seed + 1).rows}
    kinds["k-means centres"] = k_means(train, min(10, len(train)), seed=seed)[0]
    if len(cleared):
        chosen = np.random.default_rng(seed).permutation(len(cleared))[:size]
        kinds[f"training rows that the model has {case.schema.target.cleared}"] = cleared[chosen]
    own = values(rows, background.rows)
    moved = {kind: values(rows, references) for kind, references in kinds.items()}
    near = train[_nearest(case, rows, min(NEAR, len(train)))]
    moved["training rows most like the person"] = np.concatenate(
        [values(row[None], references) for row, references in zip(rows, near, strict=True)]
    )
    return _judged(
        [
            _line(model, "SHAP's background", kind, kept_top(own, one), float(same_first(own, one).mean()), seed)
            for kind, one in moved.items()
        ]
    )


def lime_of_width(model: Model, rows: np.ndarray, background: np.ndarray, *, width: float, seed: int = 0) -> np.ndarray:
    """Return LIME contributions [rows, features] with a kernel of some times the default width, else as dlx's `lime`."""
    law = Neighbourhood(model.schema, background)
    return _surrogates(model, rows, law, law.draw(LIME_SAMPLES - 1, seed), width)


def lime_on_real_rows(model: Model, rows: np.ndarray, background: np.ndarray, real: np.ndarray) -> np.ndarray:
    """Return LIME contributions [rows, features] with real rows in place of lime's random people."""
    law = Neighbourhood(model.schema, background)
    return _surrogates(model, rows, law, Samples(real, law.bins(real)), 1.0)


def _surrogates(model: Model, rows: np.ndarray, law: Neighbourhood, samples: Samples, width: float) -> np.ndarray:
    from sklearn.linear_model import Ridge

    scale, bins = model.scales[0], law.bins(rows)
    outputs, own = model.predict(samples.rows, scale), model.predict(rows, scale)
    weights = np.empty(rows.shape)
    for i, person in enumerate(bins):
        present = np.concatenate([np.ones((1, len(person))), samples.bins == person])
        absent = len(person) - present.sum(axis=1)
        closeness = np.exp(-absent / (1.125 * len(person) * width**2))
        weights[i] = Ridge(alpha=1.0).fit(present, np.r_[own[i], outputs], sample_weight=closeness).coef_
    return weights * (1 - law.shares(bins))


def kept_top(one: np.ndarray, other: np.ndarray, *, top: int = TOP, is_signed: bool = False) -> np.ndarray:
    """Return the share of the top columns of one that are top columns of the other, too, [rows]; signed: with the same sign."""
    top = min(top, one.shape[1])
    places = np.argsort(-np.abs(one), axis=1, kind="stable")[:, :top]
    others = np.argsort(-np.abs(other), axis=1, kind="stable")[:, :top]
    is_kept = (places[:, :, None] == others[:, None, :]).any(axis=2)
    if is_signed:
        is_kept &= np.sign(np.take_along_axis(one, places, 1)) == np.sign(np.take_along_axis(other, places, 1))
    return is_kept.mean(axis=1)


def same_first(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return whether the first column is the same, [rows]."""
    return np.abs(one).argmax(axis=1) == np.abs(other).argmax(axis=1)


def _nearest(case: Dataset, rows: np.ndarray, count: int) -> np.ndarray:
    """Return the positions of the training rows most like each person, in standardised columns, [rows, count]."""
    from sklearn.neighbors import NearestNeighbors

    encoder = Encoder.fit(case.schema, case.train.rows)
    near = NearestNeighbors(n_neighbors=count).fit(encoder.transform(case.train.rows))
    return np.asarray(near.kneighbors(encoder.transform(rows), return_distance=False))


def _line(model: Model, what: str, setting: str, kept: np.ndarray, first: float, seed: int) -> dict[str, object]:
    same, low, high = interval_of_mean(kept, within=(0, 1), seed=seed)
    numbers: dict[str, object] = {"same_top": same, "low": low, "high": high, "same_first": first, "people": len(kept)}
    return {"model": model.name, "what": what, "setting": setting, **numbers}


def _judged(lines: Sequence[dict[str, object]]) -> pd.DataFrame:
    """Return the lines as a table: beyond noise is what stays below the interval of the first line, the noise floor."""
    import pandas as pd

    table = pd.DataFrame(list(lines))
    table["floor"] = table["same_top"].iloc[0]
    table["beyond_noise"] = table["high"] < table["low"].iloc[0]
    return table
