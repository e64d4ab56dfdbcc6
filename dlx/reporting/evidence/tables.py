"""What is known of the explanations, as tables: all of it as CSV, the short ones on the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dlx import explainers
from dlx.comparison.causes import Disagreement
from dlx.comparison.noise import SOURCES, noise_floor
from dlx.reporting.phrases import Style, interval, method_label, percent, share, spaced, three_decimals
from dlx.reporting.study import Study
from dlx.reporting.verdicts import verdict_lines

if TYPE_CHECKING:
    import pandas as pd

FAITHFULNESS = {
    "pgi": "PGI",
    "pgu": "PGU",
    "deletion": "Deletion",
    "insertion": "Insertion",
    "relative_infidelity": "Infidelity (relative)",
    "sensitivity_n": "Sensitivity-n",
}
STABILITY = {"lipschitz": "Local Lipschitz", "ris": "RIS", "rrs": "RRS", "ros": "ROS"}


def evidence_tables(study: Study) -> dict[str, pd.DataFrame]:
    """Return the tables of what was measured, by the name of their file; what was not measured has none."""
    import pandas as pd

    harmony = study.harmony
    noise = [noise_floor(some, k=study.top) for some in harmony.replicates]
    pairs = [t for model in study.models for source in SOURCES if (t := harmony.against_noise(model, source)) is not None]
    designs = [(title, design) for title, design in harmony.designs.items()]
    people = study.people[: study.panel]
    verdicts = [line for model in (study.main, study.other) if model for line in verdict_lines(study, model, people)]
    parts: dict[str, list[pd.DataFrame]] = {
        "preflight": [harmony.compatibility],
        "trust": [harmony.trust],
        "verdicts": [pd.DataFrame(verdicts)],
        "distance_to_truth": [harmony.distances],
        "parity": [harmony.parity],
        "noise_floors": noise,
        "agreement_against_noise": pairs,
        "library_defaults": [harmony.settings],
        "causes": [found.to_frame(seed=study.seed) for found in harmony.disagreements],
        "causes_by_person": [found.by_person() for found in harmony.disagreements],
        "components": [design.components(seed=study.seed).assign(design=title) for title, design in designs],
        "components_by_person": [design.by_person().assign(design=title) for title, design in designs],
        "distances": [design.distances(seed=study.seed).assign(design=title) for title, design in designs],
        "training_seeds": [harmony.siblings],
        "faithfulness": [harmony.faithfulness],
        "stability": [harmony.stability],
        "randomised_weights": [harmony.sanity],
    }
    joined = {name: pd.concat(some, ignore_index=True) for name, some in parts.items() if some}
    return {name: table for name, table in joined.items() if len(table)}


def compatibility_lines(study: Study) -> list[list[str]]:
    """Return a line a model and method that was made for its kind: the verdict, what is lost, and what is used instead."""
    table = study.harmony.compatibility
    lines = []
    models = {model.name: model for model in study.models}
    for line in table.itertuples():
        if not explainers.fits(line.method, models[line.model]):
            continue
        lost = "" if np.isnan(line.lost) else percent(line.lost)
        instead = method_label(line.fallback) if line.fallback else ""
        lines.append([line.model, method_label(line.method), line.verdict, lost, spaced(line.reason), instead])
    return lines


def parity_lines(study: Study) -> list[list[str]]:
    """Return a line a model and method that our kernel computes: how far the reference library is from it."""
    return [
        [
            *(line.model, method_label(line.method), line.reference, f"{line.largest_difference:.1g}", percent(line.share)),
            percent(line.reference_itself),
        ]
        for line in study.harmony.parity.itertuples()
    ]


def trust_lines(study: Study) -> list[list[str]]:
    """Return a line a model and method: whether it is trusted, and why."""
    return [
        [line.model, method_label(line.method), line.standing, spaced(line.why), spaced(line.remark)]
        for line in study.harmony.trust.itertuples()
    ]


def noise_lines(study: Study) -> list[list[str]]:
    """Return a line a model and method: how far it agrees with itself, by source of noise."""
    floors: dict[tuple[str, str], dict[str, str]] = {}
    for some in study.harmony.replicates:
        table = noise_floor(some, k=study.top).set_index("metric").loc["feature_agreement"]
        cell = interval(table["mean"], table["low"], table["high"])
        floors.setdefault((some.of.model, some.of.method), {})[some.source] = cell
    return [[model, method_label(m), *[cells.get(s, "–") for s in SOURCES]] for (model, m), cells in floors.items()]


def against_noise_lines(study: Study) -> list[list[str]]:
    """Return a line a model and pair: agreement, floor, chance and verdict."""
    lines = []
    for model in study.models:
        table = study.harmony.against_noise(model)
        if table is None:
            continue
        for line in table[table["metric"] == "feature_agreement"].itertuples():
            pair = f"{method_label(line.method)}, {method_label(line.other_method)}"
            floor = f"{interval(line.floor, line.floor_low, line.floor_high)}, {method_label(line.floor_of)}"
            agreed = interval(line.mean, line.low, line.high, share, line.chance)
            lines.append([model.name, pair, share(line.chance), agreed, floor, line.finding])
    return lines


def settings_lines(study: Study) -> list[list[str]]:
    """Return a line a model and pair: agreement as the libraries come, and aligned."""
    table = study.harmony.settings
    if not len(table):
        return []
    table = table.set_index(["model", "method", "other_method", "setting", "measure"])
    lines = []
    for model, one, other in dict.fromkeys((i[0], i[1], i[2]) for i in table.index):
        cells = []
        for measure in ("placed differently", "feature_agreement", "sign_agreement", "rank_correlation"):
            naive, aligned = (table.loc[(model, one, other, s, measure)]["mean"] for s in ("as the libraries come", "aligned"))
            show = percent if measure == "placed differently" else share
            cells.append(f"{show(naive)} → {show(aligned)}")
        lines.append([model, f"{method_label(one)}, {method_label(other)}", *cells])
    return lines


def cause_lines(found: Disagreement) -> list[list[str]]:
    """Return a line a cause of one pair: its part in both measures, with intervals."""
    table = found.to_frame()
    lines = []
    for cause in dict.fromkeys(table["cause"]):
        some = table[table["cause"] == cause].set_index("measure")
        cells = [
            interval(line["part"], line["low"], line["high"], _points)
            for line in (some.loc["placed differently"], some.loc["top differs"])
        ]
        lines.append([some["what"].iloc[0], *cells])
    whole = table.drop_duplicates("measure").set_index("measure")["naive"]
    lines.append(["all together", *[_points(whole[measure]) for measure in ("placed differently", "top differs")]])
    return lines


def distance_lines(study: Study) -> list[list[str]]:
    """Return a line a design and kind of pair: how far apart two explanations are that differ in one thing only."""
    lines = []
    for title, design in study.harmony.designs.items():
        for line in design.distances(seed=study.seed).itertuples():
            is_model = line.kind == "methods"
            named = f"{method_label(line.one)}, {method_label(line.other)}" if is_model else f"{line.one}, {line.other}"
            named = f"{line.one}, two seeds" if line.kind == "seeds" else named
            within = line.within if is_model else method_label(line.within)
            lines.append([title, line.what, named, within, interval(line.mean, line.low, line.high, three_decimals)])
    return lines


def faithfulness_lines(study: Study) -> list[list[str]]:
    """Return a line a model and method, and one by chance a model: each metric with its interval."""
    table, lines = study.harmony.faithfulness, []
    for model in dict.fromkeys(table["model"]) if len(table) else ():
        mine = table[table["model"] == model].set_index(["method", "metric"])
        methods = dict.fromkeys(mine.index.get_level_values("method"))
        for method in methods:
            some = [mine.loc[(method, metric)] for metric in FAITHFULNESS]
            cells = [interval(line["mean"], line["low"], line["high"], three_decimals) for line in some]
            lines.append([model, method_label(method), *cells])
        by_chance = [[mine.loc[(method, metric)]["chance"] for method in methods] for metric in FAITHFULNESS]
        chance = [three_decimals(float(np.mean(some))) for some in by_chance]
        lines.append([model, "shuffled columns", *chance])
    return lines


def stability_lines(study: Study) -> list[list[str]]:
    """Return a line a model and method: the median over people of each metric."""
    table = study.harmony.stability
    lines: list[list[str]] = []
    if not len(table):
        return lines
    for (model, method), some in table.groupby(["model", "method"], sort=False):
        medians = some.set_index("metric")["median"]
        cells = [f"{medians[m]:.3g}" if m in medians and not np.isnan(medians[m]) else "–" for m in STABILITY]
        lines.append([str(model), method_label(str(method)), *cells])
    return lines


def _points(part: float, line: float = 0.0) -> str:
    """Return a share in percentage points, on its side of a line."""
    return Style(1)(100 * part, 100 * line)
