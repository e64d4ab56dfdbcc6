"""The section on effects: what it says and shows, and its tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from dlx.effects.shap_interactions import Interactions
from dlx.reporting.effects import figures, words
from dlx.reporting.effects.study import Effects
from dlx.reporting.phrases import interval, three_decimals
from dlx.reporting.sections.blocks import Block, Folded, Heading, Listed, Table, Words
from dlx.stats import CERTAIN, ends_of, resampled_counts

if TYPE_CHECKING:
    import pandas as pd

    from dlx.reporting.study import Study

LINES = 10


def effects_blocks(study: Study) -> list[Block]:
    """Return what the section says and shows, in order; what could not be measured is named at its end."""
    effects = study.effects
    blocks: list[Block] = []
    if effects.curves:
        blocks += [*_said(words.where_the_two_differ(effects)), figures.dependence_figure(study)]
        blocks += [*_said(words.whom_the_mean_hides(effects))]
        blocks += [Folded("Person by person: centred curves", (figures.people_figure(study),))]
    if len(effects.importance):
        table = effects.importance
        blocks += [Heading("What accuracy rests on"), *_said(words.what_tells_the_outcome(table))]
        blocks += [*_said(words.what_accuracy_rests_on(effects)), *_said(words.what_copies_cost(table))]
        blocks += [figures.permutation_figure(study)]
    if len(effects.pairs):
        blocks += [Heading("Which columns work together"), *_said(words.which_pair_is_joined(effects))]
        blocks += [figures.pair_figure(study)] if effects.surfaces else []
        blocks += [Folded("The strongest pairs, as numbers", (_pairs_table(effects.pairs),))]
    if effects.joint is not None:
        table = interaction_table(effects.joint, seed=study.seed)
        blocks += [Heading("What a main effect hides"), Words(words.what_a_main_effect_hides(effects.joint, table))]
        blocks += [figures.interactions_figure(study)]
    if effects.remarks:
        blocks += [Heading("What could not be measured"), Listed(tuple(effects.remarks))]
    return blocks


def effects_tables(effects: Effects, *, seed: int) -> dict[str, pd.DataFrame]:
    """Return all numbers of the section by the name of their CSV; what was not measured has none."""
    parts: dict[str, Sequence[pd.DataFrame]] = {
        "partial_dependence": [c.to_frame() for curves in effects.curves for c in curves],
        "accumulated_local_effects": [a.to_frame() for some in effects.accumulated for a in some],
        "permutation_importance": [effects.importance],
        "friedman_h": [effects.pairs],
        "pair_dependence": [pair.to_frame() for pair in effects.surfaces],
        "interactions": [interaction_table(effects.joint, seed=seed)] if effects.joint is not None else [],
    }
    import pandas as pd

    joined = {name: pd.concat(some, ignore_index=True) for name, some in parts.items() if some}
    return {name: table for name, table in joined.items() if len(table)}


def interaction_table(joint: Interactions, *, seed: int = 0) -> pd.DataFrame:
    """Return a line a pair of columns, the strongest first, main effects (a column with itself) among them.

    `strength` is the mean size over people, with its 95 % bootstrap interval over them; of a pair it is one half, as in
    `Interactions.values`. `standard_error` is the mean over people of each one's sampling error, 0 where all combinations
    were tried.
    """
    import pandas as pd

    first, second = np.triu_indices(len(joint.schema))
    values = joint.values[:, first, second]
    low, high = ends_of(resampled_counts(len(joint), seed=seed) / len(joint) @ np.abs(values), people=len(joint))
    errors = np.zeros(len(first)) if joint.standard_errors is None else joint.standard_errors[:, first, second].mean(axis=0)
    names, labels = (np.array(words, dtype=object) for words in (joint.schema.names, joint.schema.labels))
    table = pd.DataFrame(
        {
            "model": joint.model,
            "feature": names[first],
            "other_feature": names[second],
            "label": labels[first],
            "other_label": labels[second],
            "strength": np.abs(values).mean(axis=0),
            "low": low,
            "high": high,
            "mean": values.mean(axis=0),
            "standard_error": errors,
            "people": len(joint),
            "scale": joint.scale,
        }
    )
    return table.sort_values("strength", ascending=False, kind="stable", ignore_index=True)


def _said(text: str) -> list[Block]:
    return [Words((text,))] if text else []


def _pairs_table(pairs: pd.DataFrame) -> Table:
    lines = [
        (
            str(line.model),
            f"{line.label}, {line.other_label}",
            interval(line.h, line.h_low, line.h_high),
            interval(line.size, line.size_low, line.size_high, three_decimals),
        )
        for _, some in pairs.groupby("model", sort=False)
        for line in some.head(LINES).itertuples()
    ]
    return Table(
        f"Friedman's H and the size of the interaction (root mean square, in the model's own unit), over "
        f"{pairs['people'].iloc[0]} people, with {CERTAIN} bootstrap intervals.",
        ("Model", "Columns", "H", "Size"),
        tuple(lines),
    )
