"""How sure the explanations are, why they differ and how close they come to the truth, in sentences made from the run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dlx.comparison.causes import REST, Disagreement
from dlx.comparison.noise import ALIKE, CHANCE, DIFFERENT
from dlx.model import Model
from dlx.reporting.phrases import counted, listed, method_label, model_words, percent, sentence, share
from dlx.reporting.setting import TOP
from dlx.reporting.study import Study

if TYPE_CHECKING:
    import pandas as pd

CAUSE_WORDS = {
    "unit": "the unit (slopes or contributions)",
    "scale": "the output scale",
    "background": "the baseline or background",
    "sampling": "sampling noise and the cut to ten columns",
    "grouping": "one-hot columns taken alone",
}
AGREEMENT = "feature_agreement"
THOROUGH_ONLY = "This takes minutes and was not asked for: add --thorough to the command (in Python, thorough=True)."


def how_sure(study: Study) -> list[tuple[str, str]]:
    """Return for each model that was looked at: its name, and which methods and differences between them to believe."""
    said = []
    for model in _looked_at(study):
        parts = [_who_is_trusted(study, model)]
        if (table := study.harmony.against_noise(model)) is not None:
            some = table[table["metric"] == AGREEMENT]
            parts += [_beyond_noise(some), _quotable(some) if model is study.main else ""]
        parts.append(_multiplicity(study, model))
        said.append((model.name, " ".join(sentence(text) for text in parts if text)))
    return said


def why_they_differ(study: Study) -> list[str]:
    """Return what methods as their libraries come are apart, and aligned, for each model."""
    table = study.harmony.settings
    if not len(table):
        return []
    some = table[table["measure"] == "placed differently"]
    texts = []
    for model in _looked_at(study):
        means = some[some["model"] == model.name].groupby("setting")["mean"].mean()
        if len(means) == 2:
            naive, aligned = means["as the libraries come"], means["aligned"]
            texts.append(
                f"run as their libraries come, two methods place on average {percent(naive)} of the contributions about "
                f"{model_words(model)} differently; asked the same question, in one unit and against one background, "
                f"{percent(aligned)}"
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
    named = [f"{_points(part)} come from {CAUSE_WORDS[str(cause)]}" for cause, part in parts["part"].items() if part >= 0.005]
    against = [CAUSE_WORDS[str(cause)] for cause, part in parts["part"].items() if part <= -0.005]
    text = (
        f"As their libraries come, {method_label(found.method)} and {method_label(found.other_method)} place "
        f"{percent(naive)} of the contributions differently"
    )
    text += f": {listed(named)}" if named else ""
    text += f"; {_points(rest)} remain, the methods themselves"
    text += f". Aligning {listed(against)} moves them apart" if against else ""
    return f"{text}."


def how_close(study: Study) -> list[tuple[str, str]]:
    """Return for each model: its name, and how far each method is from its Shapley values."""
    table = study.harmony.errors
    some = table[table["measure"] == "relative_error"].sort_values("median", kind="stable")
    said = []
    for model in study.models:
        mine = some[some["model"] == model.name]
        aims, others = mine[mine["is_shapley"]], mine[~mine["is_shapley"]]
        is_close = aims["median"] <= 2 * aims["judge_error"]
        parts = [f"off by {_off(aims[~is_close])}"] if len(aims[~is_close]) else []
        if is_close.any():
            close = listed([method_label(line.method) + budget_words(line.options) for line in aims[is_close].itertuples()])
            parts.append(f"as close as the judge can tell: {close}")
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
        methods = listed([method_label(method) for method in design.methods])
        over = f"{listed(list(design.models))} under {methods}, {design.seeds} training seeds each"
        said.append(f"{title} ({over}): of the variation between explanations of the same person, {listed(parts)}")
    return [sentence(text) for text in said]


def _looked_at(study: Study) -> list[Model]:
    """Return the models whose explanations were made again."""
    known = {some.of.model for some in study.harmony.replicates}
    return [model for model in study.models if model.name in known]


def _who_is_trusted(study: Study, model: Model) -> str:
    table = study.harmony.trust
    table = table[table["model"] == model.name]
    trusted = [method_label(method) for method in table["method"][table["trusted"]]]
    doubted = [f"{method_label(line.method)}, because {line.why}" for line in table[~table["trusted"]].itertuples()]
    text = f"{counted(len(trusted))} of {counted(len(table))} methods are trusted"
    text += f": {listed(trusted)}" if trusted else ""
    return text + (f". Not trusted: {'; '.join(doubted)}" if doubted else "")


def _beyond_noise(table: pd.DataFrame) -> str:
    alike, known = table[table["verdict"] == ALIKE], table[table["verdict"].isin((ALIKE, DIFFERENT, CHANCE))]
    if not len(known):
        return "there are too few people to tell whether its methods differ"
    text = (
        f"of {counted(len(known))} {'pair' if len(known) == 1 else 'pairs'} of methods, {counted(len(alike))} "
        f"{'shows' if len(alike) == 1 else 'show'} no evidence of a difference in the top "
        f"{known['k'].iloc[0]} columns: the two agree as well as the noisier of them does with itself on another background"
    )
    apart = known[known["verdict"] != ALIKE]
    named = [f"{_pair(line)} ({share(line.mean)}, against {share(line.floor)})" for line in apart.itertuples()]
    return text + (f". Beyond noise differ {listed(named)}" if named else "")


def _quotable(table: pd.DataFrame) -> str:
    """Return the example that a reader meets first: the gradient method and SHAP, or the first pair."""
    first = table[table["method"].isin(("integrated_gradients",)) & table["other_method"].isin(("kernel_shap",))]
    line = next((first if len(first) else table).itertuples(), None)
    if line is None or np.isnan(line.mean):
        return ""
    return (
        f"for example, {_pair(line)} agree {share(line.mean)} ({share(line.low)} to {share(line.high)}); "
        f"{method_label(line.floor_of)} agrees with itself {share(line.floor)} ({share(line.floor_low)} to "
        f"{share(line.floor_high)}) on another background; by chance it would be {share(line.chance)}: {line.verdict}"
    )


def _multiplicity(study: Study, model: Model) -> str:
    """Return how much another training seed of equal quality changes; "" where the model was not trained again."""
    again = study.harmony.of(model, "training")
    scores = study.harmony.siblings
    scores = scores[scores["model"] == model.name]["auc"]
    if not again or not len(scores):
        return ""
    means = [float(np.nanmean(some.metrics(TOP)[AGREEMENT])) for some in again]
    if min(means) == 1.0:
        return "another training seed changes nothing"
    return (
        f"trained with {counted(len(scores) - 1)} other seeds, the model ranks people as well (AUC {scores.min():.3f} to "
        f"{scores.max():.3f}), but keeps only {share(min(means))} to {share(max(means))} of the top {TOP} columns, by method"
    )


def _pair(line: Any) -> str:
    return f"{method_label(line.method)} and {method_label(line.other_method)}"


def _points(part: float) -> str:
    number = f"{100 * part:.1f}".removesuffix(".0") if part < 0.1 else f"{100 * part:.0f}"
    return f"{number} points"
