"""What the section measures: what attacked models hide from explainers, and whether defences find them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from dlx import explainers
from dlx.attacks import AttackError, Fooled, fool
from dlx.attacks.defences import CARRY_LIMIT, FLIP, FLIP_LIMIT
from dlx.attacks.fooling import MARGIN
from dlx.attacks.gradients import NOISE, REPEAT
from dlx.attacks.hidden_effects import MOST_KEPT
from dlx.attacks.scaffold import FIDELITY, TOP
from dlx.context import RunContext
from dlx.reporting.sections import Measured
from dlx.schema import Feature
from dlx.stats import LEVEL

TITLE, PLACE, TASKS, PART, IS_LONG = "Fooling explanations", 80, ("binary", "regression"), "audit", True
COVERS = {"robustness": "attacks_found"}
SEEDS = 3  # of the scaffold, where the run is thorough
HIDDEN = 0.9  # share of people from whose top columns a column must be missing for the explainer to count as fooled
LIMITS = {"fidelity_asked": FIDELITY, "hidden_asked": HIDDEN, "flip_limit": FLIP_LIMIT, "carry_limit": CARRY_LIMIT}
LIMITS |= {"most_kept": MOST_KEPT, "margin": MARGIN, "noise": NOISE, "top": TOP, "certain": LEVEL}


@dataclass(frozen=True)
class About:
    """What was attacked, or why nothing was."""

    refused: str = ""  # why attacks were not tried
    feature: Feature | None = None  # by which the attacked models decide
    levels: tuple[str, ...] = ()  # whom they flag, where the column has levels


def measure(context: RunContext) -> Measured:
    """Return what was tried to fool explanations: the light form of `dlx.fool`, or the full one where the run is thorough."""
    seeds = range(context.seed, context.seed + (SEEDS if context.budget.is_thorough else 1))
    models, background = context.black_boxes or list(context.models), context.background.rows
    made: dict[int, Fooled] = {}
    try:
        with context.narrator.step("Fooling explanations", "attempts") as update:
            for seed in seeds:
                full = context.budget.is_thorough and seed == context.seed
                made[seed] = fool(context.case, models, background=background, people=context.panel, seed=seed, full=full)
                update(len(made), len(seeds))
    except AttackError as error:
        return Measured(about=About(str(error)))
    shown = pd.concat([one.shown.assign(seed=seed) for seed, one in made.items()], ignore_index=True)
    shown["is_fooled"] = shown["is_valid"] & (shown["hidden"] >= HIDDEN)
    shown["made_by"] = [_maker(line.against, line.implementation) for line in shown.itertuples()]
    shown["is_first"] = (shown["seed"] == context.seed) & (shown["implementation"] == "dlx")
    found = pd.concat([one.detections.assign(seed=seed) for seed, one in made.items()], ignore_index=True)
    first = made[context.seed]
    attacked = next(iter(first.attacks.values()))
    feature = context.case.schema.features[attacked.column]
    levels = feature.level_labels[: int(attacked.cut) + 1] if feature.is_categorical else ()
    tables = {"attacks_shown": shown, "attacks_found": found, **first.more}
    facts = LIMITS | _counts(found)
    share = facts["attacked_found"] / facts["attacked_tests"] if facts["attacked_tests"] else np.nan
    tables["attacks_lights"] = pd.DataFrame({"model": [model.name for model in context.models], "found": share})
    return Measured(tables, facts, About("", feature, levels))


def _maker(against: str, implementation: str) -> str:
    is_ours = implementation == "dlx" and explainers.has_reference(against)
    return "dlx" if is_ours else f"the {explainers.method(against).LIBRARY} package"


def _counts(found: pd.DataFrame) -> dict[str, float]:
    """Return how often defences were right, and what the flip and the gradients came to at worst: the numbers of the prose."""
    told = found[found["says"] != "not measured"]
    attacked, honest = told[told["is_attacked"]], told[~told["is_attacked"]]
    facts = {"attacked_found": attacked["is_right"].sum(), "attacked_tests": len(attacked)}
    facts |= {"honest_passed": honest["is_right"].sum(), "honest_tests": len(honest)}
    for name, defence in (("flip", FLIP), ("gradient", REPEAT)):
        for kind, some in (("attacked", attacked), ("honest", honest)):
            estimates = some.loc[some["defence"] == defence, "estimate"]
            facts |= {f"{name}_{kind}_least": estimates.min(), f"{name}_{kind}_most": estimates.max()}
    return facts
