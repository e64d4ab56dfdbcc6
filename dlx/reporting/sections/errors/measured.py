"""What the section on errors measures, of each model that cannot be read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from dlx import architectures, explainers
from dlx.audit.mispredictions import (
    Decisions,
    Slices,
    confident_errors,
    decisions_of,
    explained_losses,
    loss_by_slice,
    overconfidence,
    pushes,
    slices,
)
from dlx.background import sample
from dlx.context import RunContext, is_black_box
from dlx.errors import DlxError
from dlx.explanation import Explanation
from dlx.model import Model
from dlx.remedies import Fixed, Remedy, fix, known_remedy, recipe_of

EVERYBODY = "everybody"
MOST_PUSHED = 1_200  # test rows whose contributions are compared, drawn at random
LOSSES = 250, 1_000  # test rows whose loss is explained, quick and thorough
SEEDS = 3, 5  # trainings of a net with and without the remedy, quick and thorough


@dataclass(frozen=True, eq=False)
class Found:
    """Where one model is wrong.

    Parameters
    ----------
    model : Model
        The model.
    judged : Decisions
        Its decisions about the test rows.
    sure : DataFrame
        `overconfidence`.
    worst : DataFrame
        `confident_errors`.
    slices : tuple of Slices
        By loss and by risk; none where the rows are too few.
    no_slices : str
        Why there are none.
    pushed : DataFrame
        `pushes`.
    losses : DataFrame
        `loss_by_slice`.
    fixed : Fixed or None
        The model with the case's remedy; None where it cannot be trained again, or no remedy is known.
    change : DataFrame
        `before_after`, without lines where there is none.
    seeds : DataFrame
        Accuracy before and after over training seeds, of a net; without lines where there is none.
    """

    model: Model
    judged: Decisions
    sure: pd.DataFrame
    worst: pd.DataFrame
    slices: tuple[Slices, ...]
    no_slices: str
    pushed: pd.DataFrame
    losses: pd.DataFrame
    fixed: Fixed | None
    change: pd.DataFrame
    seeds: pd.DataFrame


def measure(setting: RunContext, models: Sequence[Model]) -> list[Found]:
    """Return where each black box is wrong; of all models, if none is a black box."""
    chosen = [model for model in models if is_black_box(model)] or list(models)
    remedy, found = known_remedy(setting.case), []
    with setting.narrator.step("Finding where models err, and why", "models") as update:
        for model in chosen:
            found.append(_measured(setting, model, remedy))
            update(len(found), len(chosen))
    return found


def _measured(setting: RunContext, model: Model, remedy: Remedy | None) -> Found:
    judged = decisions_of(model, setting.case.test)
    searched, why = _slices(setting, model, judged)
    some = judged_of(setting, judged, MOST_PUSHED)
    explained = _contributions(setting, model, some)
    fixed = _fixed(setting, model, remedy)
    return Found(
        model=model,
        judged=judged,
        sure=overconfidence(judged, seed=setting.seed),
        worst=_worst(setting, model, judged),
        slices=searched,
        no_slices=why,
        pushed=pushes(some, explained, seed=setting.seed),
        losses=_losses(setting, model, judged, searched),
        fixed=fixed,
        change=pd.DataFrame() if fixed is None else fixed.before_after(background=len(setting.background)),
        seeds=_over_seeds(setting, fixed),
    )


def judged_of(setting: RunContext, judged: Decisions, most: int) -> Decisions:
    """Return the decisions of some people, drawn at random, in their order; of all, where there are no more."""
    drawn = sample(np.arange(len(judged)), most, seed=setting.seed)
    return judged[drawn]


def _slices(setting: RunContext, model: Model, judged: Decisions) -> tuple[tuple[Slices, ...], str]:
    try:
        discovery = decisions_of(model, setting.case.validation)
        return tuple(slices(discovery, judged, of=of, seed=setting.seed) for of in ("loss", "risk")), ""
    except DlxError as error:
        return (), str(error)


def _contributions(setting: RunContext, model: Model, judged: Decisions) -> Explanation:
    """Return Shapley values on the model's own scale, by the method that is exact and quick where there is one."""
    return setting.explain(model, judged.people, explainers.best_shapley(model, model.scales[0]))


def _worst(setting: RunContext, model: Model, judged: Decisions) -> pd.DataFrame:
    """Return the surest errors, with what pushed them."""
    surest = confident_errors(judged)
    at = np.flatnonzero(np.isin(judged.people.index, surest["person"]))
    if not len(at):
        return surest
    some = judged[at]
    return confident_errors(some, explanation=_contributions(setting, model, some))


def _losses(setting: RunContext, model: Model, judged: Decisions, searched: Sequence[Slices]) -> pd.DataFrame:
    """Return the loss explained, of everybody and of the slices that were found."""
    some = judged_of(setting, judged, LOSSES[setting.budget.is_thorough])
    if len(np.unique(some.outcomes)) < 2:
        return pd.DataFrame()
    explained = explained_losses(model, some, setting.background, seed=setting.seed, explain=setting.keeper.explain)
    masks = {EVERYBODY: np.ones(len(some), dtype=bool)}
    for one in (one for tested in searched for one in tested.found):
        masks[one.words] = one.holds(some.people.rows)
    return loss_by_slice(explained, masks, seed=setting.seed).assign(model=model.name)


def _fixed(setting: RunContext, model: Model, remedy: Remedy | None) -> Fixed | None:
    """Return the model with the remedy, if dlx trained it on this case: whatever its name, by its provenance."""
    if remedy is None or recipe_of(model, setting.case) is None:
        return None
    return fix(setting.case, model, remedy=remedy, device="cpu", narrator=setting.narrator)


def _over_seeds(setting: RunContext, fixed: Fixed | None) -> pd.DataFrame:
    """Return the accuracy over training seeds of a net, which another seed changes; boosted trees do not depend on it."""
    if fixed is None or not architectures.is_net(fixed.architecture):
        return pd.DataFrame()
    return fixed.over_seeds(SEEDS[setting.budget.is_thorough])
