"""How sure the explanations are, why they differ and how close they come to the truth, in sentences made from the run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dlx.comparison.causes import REST, Disagreement
from dlx.comparison.library_defaults import kept_columns
from dlx.comparison.noise import ALIKE, CHANCE, DIFFERENT
from dlx.comparison.trustworthiness import DISTRUSTED, NOT_REFUTED, TRUSTED
from dlx.model import Model
from dlx.reporting.phrases import (
    counted,
    interval,
    listed,
    method_label,
    model_words,
    percent,
    sentence,
    share,
    spaced,
    three_decimals,
    top_columns,
)
from dlx.reporting.study import Study

if TYPE_CHECKING:
    import pandas as pd

CAUSE_WORDS = {
    "unit": "the unit (LIME's slopes or contributions)",
    "scale": "the output scale",
    "background": "the baseline or background",
    "sampling": f"the cut to {counted(kept_columns())} columns (and sampling noise)",
    "grouping": "one-hot columns taken alone",
}
AGREEMENT = "feature_agreement"
ROUNDING = 1e-6  # of the exact judge
THOROUGH_ONLY = "This takes minutes and was not asked for: add --thorough to the command (in Python, thorough=True)."


def how_sure(study: Study) -> list[tuple[str, str]]:
    """Return for each model that was looked at: its name, and which methods and differences between them to believe."""
    said = []
    for model in _looked_at(study):
        parts = [_who_is_trusted(study, model)]
        if (table := study.harmony.against_noise(model)) is not None:
            some, by_seed = table[table["metric"] == AGREEMENT], study.harmony.against_noise(model, "seed")
            strict = None if by_seed is None else by_seed[by_seed["metric"] == AGREEMENT]
            parts += [_beyond_noise(some, strict), _quotable(some) if model is study.main else ""]
        parts.append(_multiplicity(study, model))
        said.append((model.name, " ".join(sentence(text) for text in parts if text)))
    return said


def why_they_differ(study: Study) -> list[str]:
    """Return what methods as their libraries come are apart, and aligned, for each model."""
    table = study.harmony.settings
    if not len(table):
        return []
    some = table[table["measure"] == "placed differently"].dropna(subset=["mean"])
    texts = []
    for model in _looked_at(study):
        mine = some[some["model"] == model.name]
        means = mine.groupby("setting")["mean"].mean()
        if len(means) == 2:
            texts.append(
                f"run as their libraries come, two methods place on average {percent(means['as the libraries come'])} of the "
                f"contributions about {model_words(model)} differently; asked the same question, in one unit and against one "
                f"background, {percent(means['aligned'])} (over {mine['people'].max()} people)"
            )
    return [sentence(text) for text in texts]


def cause_sentence(found: Disagreement) -> str:
    """Return the sentence about a pair of methods that a reviewer can quote."""
    table = found.to_frame()
    table = table[table["measure"] == "placed differently"].set_index("cause")
    naive, rest = table["naive"].iloc[0], table.loc[REST, "part"]
    if np.isnan(naive):
        return "The distance is not defined: an explanation gives nothing to any column."
    parts = table.drop(index=REST).sort_values("part", ascending=False)
    named = [
        f"{_points(part, 'come')} from {CAUSE_WORDS[str(cause)]}" for cause, part in parts["part"].items() if part >= 0.005
    ]
    against = [CAUSE_WORDS[str(cause)] for cause, part in parts["part"].items() if part <= -0.005]
    text = (
        f"As their libraries come, {method_label(found.method)} and {method_label(found.other_method)} place "
        f"{percent(naive)} of the contributions differently"
    )
    text += f": {listed(named)}" if named else ""
    text += f"; {_points(rest, 'remain')}, the methods themselves"
    text += f". Aligning {listed(against)} moves them apart" if against else ""
    return f"{text}."


def how_close(study: Study) -> list[tuple[str, str]]:
    """Return for each model: its name, and how far each method is from its Shapley values."""
    table = study.harmony.distances
    some = table[table["measure"] == "relative_error"].sort_values("median", kind="stable")
    said = []
    for model in study.models:
        mine = some[some["model"] == model.name].dropna(subset=["median"])
        if not len(mine):
            said.append((model.name, "Its Shapley values are 0 for every column: there is nothing to miss."))
        aims, others = mine[mine["is_shapley"]], mine[~mine["is_shapley"]]
        is_close = aims["median"] <= np.maximum(2 * aims["truth_error"], ROUNDING)
        parts = [f"off by {_off(aims[~is_close])}"] if len(aims[~is_close]) else []
        if is_close.any():
            close = listed([method_label(line.method) + budget_words(line.options) for line in aims[is_close].itertuples()])
            parts.append(f"as close as the ground truth can tell: {close}")
        if len(others):
            parts.append(f"answers to questions of their own, so far from the Shapley values: {_off(others)}")
        if parts:
            said.append((model.name, sentence("; ".join(parts))))
    return said


def _off(table: pd.DataFrame) -> str:
    return listed(
        [f"{percent(line.median)} ({method_label(line.method)}{budget_words(line.options)})" for line in table.itertuples()]
    )


def budget_words(options: str) -> str:
    """Return what sets an explanation by Kernel SHAP apart from others, as it follows the method's name; else ""."""
    given = dict(option.split("=") for option in options.split())
    if set(given) != {"n_samples", "n_features"}:
        return ""
    if given["n_features"] != "None":
        return f" cut to {given['n_features']} columns, shap's default"
    return " with shap's default budget" if given["n_samples"] == "None" else f" with {given['n_samples']} coalitions"


def who_differs(study: Study) -> list[str]:
    """Return whether models differ or methods, from the variance components of each design."""
    said = []
    for title, design in study.harmony.designs.items():
        table = design.components(seed=study.seed).sort_values("share", ascending=False)
        if table["share"].isna().all():
            continue
        parts = [f"{percent(line.share)} goes with {line.what}" for line in table.itertuples()]
        same = [model for model, some in zip(design.models, design.values, strict=True) if np.ptp(some, axis=1).max() == 0]
        methods = listed([method_label(method) for method in design.methods])
        over = f"{listed(list(design.models))} under {methods}, {design.seeds} training seeds each"
        text = f"{title} ({over}): of the variation between explanations of the same person, {listed(parts)}"
        said.append(text + (f". {listed(same)} is the same for every training seed" if same else ""))
    return [sentence(text) for text in said]


def _looked_at(study: Study) -> list[Model]:
    """Return the models whose explanations were made again."""
    known = {some.of.model for some in study.harmony.replicates}
    return [model for model in study.models if model.name in known]


def _who_is_trusted(study: Study, model: Model) -> str:
    table = study.harmony.trust
    table = table[table["model"] == model.name]
    by = {standing: table[table["standing"] == standing] for standing in (TRUSTED, NOT_REFUTED, DISTRUSTED)}
    trusted = [method_label(method) for method in by[TRUSTED]["method"]]
    text = f"{counted(len(trusted))} of {counted(len(table))} methods {'is' if len(trusted) == 1 else 'are'} trusted"
    text += f": {listed(trusted)}" if trusted else ""
    for lacking, some in by[NOT_REFUTED].groupby("not_measured", sort=False):
        text += f". Not refuted, but {lacking} was not measured: {listed([method_label(m) for m in some['method']])}"
    doubted = [f"{method_label(line.method)}, because {spaced(line.why)}" for line in by[DISTRUSTED].itertuples()]
    return text + (f". Not trusted: {'; '.join(doubted)}" if doubted else "")


def _beyond_noise(table: pd.DataFrame, by_seed: pd.DataFrame | None) -> str:
    alike, known = table[table["finding"] == ALIKE], table[table["finding"].isin((ALIKE, DIFFERENT, CHANCE))]
    if not len(known):
        return f"whether its methods differ cannot be told: {listed(sorted(set(table['finding'])))}"
    k, people = top_columns(known["k"].iloc[0]), known["rows"].iloc[0]
    text = (
        f"of {counted(len(known))} {'pair' if len(known) == 1 else 'pairs'} of methods, {counted(len(alike))} "
        f"{'shows' if len(alike) == 1 else 'show'} no evidence of a difference in {k}, over {people} people"
    )
    if len(alike):
        worst = alike.loc[alike["shortfall"].idxmax()]
        least = interval(worst["shortfall"], worst["shortfall_low"], worst["shortfall_high"], share, 0)
        short = f"at most they agree {least} less than" if worst["shortfall"] > 0 else "they agree no less than"
        text += f": {short} the noisier of the two does with itself on another background"
    apart = known[known["finding"] != ALIKE]
    named = [f"{_pair(line)} ({share(line.mean)}, against {share(line.floor)})" for line in apart.itertuples()]
    text += f". Beyond noise differ {listed(named)}" if named else ""
    strict = 0 if by_seed is None else int(by_seed["finding"].isin((DIFFERENT, CHANCE)).sum())
    if strict > len(apart):
        text += f". Measured against the noise of their seeds alone, {counted(strict)} pairs differ"
    return text


def _quotable(table: pd.DataFrame) -> str:
    """Return the example that a reader meets first: the gradient method and SHAP, or the first pair."""
    first = table[(table["method"] == "integrated_gradients") & (table["other_method"] == "kernel_shap")]
    line = next((first if len(first) else table).itertuples(), None)
    if line is None or line.finding not in (ALIKE, DIFFERENT, CHANCE):
        return ""
    return (
        f"for example, {_pair(line)} agree {interval(line.mean, line.low, line.high, share, line.chance)}; "
        f"{method_label(line.floor_of)} agrees "
        f"with itself {interval(line.floor, line.floor_low, line.floor_high)} on another background; by chance it would be "
        f"{share(line.chance)}: {line.finding}"
    )


def _multiplicity(study: Study, model: Model) -> str:
    """Return how much another training seed of equal quality changes; "" where the model was not trained again."""
    scores = study.harmony.siblings
    scores = scores[(scores["model"] == model.name) & (scores["training_seed"] > 0)]
    if not len(scores):
        return ""
    good = scores[scores["as_good"]]
    text = f"of {counted(len(scores))} other training seeds, {counted(len(good))} rank people as well, for all one can tell"
    again = study.harmony.of(model, "training")
    if again and all(np.allclose(some.of.values, one.values, equal_nan=True) for some in again for one in some.explanations):
        return "another training seed changes nothing"
    means = [some.metrics(study.top)[AGREEMENT] for some in again]
    kept = [float(np.nanmean(values)) for values in means if not np.isnan(values).all()]
    if not kept:
        return text
    return (
        f"{text} (AUC {three_decimals(good['auc'].min())} to {three_decimals(good['auc'].max())}); their "
        f"explanations keep {share(min(kept))} to "
        f"{share(max(kept))} of {top_columns(study.top)}, by method"
    )


def _pair(line: Any) -> str:
    return f"{method_label(line.method)} and {method_label(line.other_method)}"


def _points(part: float, verb: str) -> str:
    """Return "1 point comes", "2.5 points come"."""
    number = percent(part).removesuffix(" %")
    return f"{number} point {verb}s" if number == "1" else f"{number} points {verb}"
