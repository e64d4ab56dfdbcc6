"""Explainers fooled on a case: a scaffold built against each, shown to it, and put before the defences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from dlx import explainers
from dlx.arrays import check_seed, in_short
from dlx.attacks.defences import CARRY_LIMIT, GATE, Gate, carry_over, detection, flip_detection, off_manifold_shares
from dlx.attacks.gradients import gradient_detections
from dlx.attacks.hidden_effects import hidden_effect
from dlx.attacks.scaffold import (
    FIDELITY,
    TOP,
    AttackError,
    Detector,
    Scaffold,
    Votes,
    default_cut,
    innocuous_model,
    lime_rows,
    mixed_rows,
    protected_column,
)
from dlx.background import CELLS, k_means, sample
from dlx.dataset import Dataset
from dlx.explanation import Explanation
from dlx.model import Model, NeuralModel, Transformed
from dlx.model.base import CLASSIFIER
from dlx.runner import explain
from dlx.schema import Target
from dlx.stats import Interval, interval_of_share

AIM = 0.97  # agreement on validation rows that the detector's limit is chosen for
MARGIN = 0.25  # logits around the threshold that the biased model reaches
CENTRES = 10
FEWEST_ROWS = 100
MADE_UP = 3  # made-up rows a real one
SAMPLES = 5_000
FEW = 8  # people that Kernel SHAP explains against many reference rows, which takes its time
FEWER = 10  # people whose explanations are made again and again
CENTRES_WAY, REAL_ROWS = "Kernel SHAP with k-means centres", "Kernel SHAP with real rows"
IN_THE_OPEN, AS_IT_IS = "no disguise", "as it is"


@dataclass(frozen=True, eq=False)
class Attack:
    """A model that decides by a protected column and was built to hide it from one explainer."""

    scaffold: Scaffold  # the attacked model, which every method takes that takes any
    column: int  # position of the protected one
    cut: float  # the largest value, or code, of the group that it flags
    against: str  # whose samples its detector has seen
    background: np.ndarray  # [references, features] of that explainer
    fidelity: Interval  # share of unseen real people about whom it decides as the biased model does

    __repr__ = in_short

    @property
    def is_valid(self) -> bool:
        """Whether it decides as the biased model does: otherwise it hides nothing, and what is shown proves nothing."""
        return self.fidelity.estimate >= FIDELITY


@dataclass(frozen=True, eq=False)
class Fooled:
    """Results of attacks, a table each: what explainers showed, what defences found, and what only the full form measures."""

    attacks: Mapping[str, Attack]  # by the way in which each was tried
    shown: pd.DataFrame  # a line an explainer: fidelity, and for how many people the protected column is hidden
    detections: pd.DataFrame  # a line a defence and model: attacked, biased in the open, or honest
    # of the full form: "off_manifold" and "hidden_effects"
    more: Mapping[str, pd.DataFrame] = field(default_factory=dict)

    __repr__ = in_short


def fool(
    case: Dataset,
    models: Sequence[Model],
    *,
    background: np.ndarray,
    people: Dataset,
    protected: str | None = None,
    margin: float = MARGIN,
    few: int = FEW,
    seed: int = 0,
    full: bool = False,
) -> Fooled:
    """Return how far attacks on explainers succeed on a case, and whether the defences tell attacked models from honest ones.

    The light form attacks LIME, Kernel SHAP with its usual k-means background, and the gradients of each net, with one
    defence that finds each. The full form adds Kernel SHAP with real rows, lime's own package, the gate against rows that
    could not be real, and hidden effects.

    Parameters
    ----------
    case : Dataset
        Rows with a binary outcome, or with a value, which is then cut at the median of the training rows: above it or not.
    models : sequence of Model
        The honest ones.
    background : ndarray [references, features]
        Coded reference rows of LIME and of Kernel SHAP with real rows; k-means centres are made from the training rows.
    people : Dataset
        Whom the explainers explain; of them `few` against many reference rows.
    protected : str, optional
        The column to decide by; `protected_column` by default.
    margin : float
        Logits on either side of the threshold where the biased scores lie: the wider, the harder to hide.
    seed : int
        Seed of everything random.
    full : bool
        Whether everything is tried.

    Raises
    ------
    SchemaError
        If there is no such column.
    AttackError
        If the table is too small, has one class, or the column does not vary.
    """
    if case.schema.target.is_value:
        case, models, people = _cut_at_the_median(case, models, people)
    centres = k_means(case.schema.numbers(case.train.rows), min(CENTRES, len(case.train)), seed=seed)[0]
    lime, kernel_shap = targets()
    ways = {"LIME": (lime, background), CENTRES_WAY: (kernel_shap, centres)}
    ways |= {REAL_ROWS: (kernel_shap, background)} if full else {}
    attacks = {
        way: attack(case, against=against, background=references, protected=protected, margin=margin, seed=seed)
        for way, (against, references) in ways.items()
    }
    lines, detections = [], []
    column = case.schema.names[attacks["LIME"].column]
    for way, attacked in attacks.items():
        some = people[:few] if way == REAL_ROWS else people
        for implementation in ("dlx", "reference") if full and explainers.has_reference(attacked.against) else ("dlx",):
            lines.append({"way": way} | shown(attacked, some, implementation=implementation, seed=seed))
        if attacked.is_valid:
            detections.append(flip_detection(way, attacked.scaffold, case, column, is_attacked=True))
    detections.append(flip_detection(IN_THE_OPEN, attacks["LIME"].scaffold.real, case, column, is_attacked=True))
    detections += [flip_detection(AS_IT_IS, model, case, column, is_attacked=False) for model in models]
    for model in models:
        if isinstance(model, NeuralModel):
            detections += gradient_detections(model, case, people[:FEWER], background, seed=seed)
    more = _full_form(case, models, attacks, background, centres, detections, seed) if full else {}
    return Fooled(attacks, pd.DataFrame(lines), pd.DataFrame(detections), more)


def _cut_at_the_median(case: Dataset, models: Sequence[Model], people: Dataset) -> tuple[Dataset, list[Model], Dataset]:
    """Return a case, models and people of a value as those of two outcomes: up to the median of the training rows, or above."""
    known = case.train.outcomes
    if known is None or case.outcomes is None or not np.ptp(known):
        raise AttackError("an attack needs outcomes that differ; pass a table that has some")
    middle, spread, whole = float(np.median(known)), float(known.std()), case.schema.target
    target = Target(whole.name, levels=("up to the median", "above it"), label=whole.label)

    def cut(rows: Dataset) -> Dataset:
        schema = replace(rows.schema, target=target)
        is_above = None if rows.outcomes is None else (rows.outcomes > middle).astype(float)
        return replace(rows, schema=schema, outcomes=is_above, several=whole, classes=rows.outcomes)

    def logits(values: np.ndarray) -> np.ndarray:
        return (values - middle) / spread

    two = cut(case)
    return two, [Transformed(model, "value", logits, two.schema, model.name, CLASSIFIER) for model in models], cut(people)


def _full_form(
    case: Dataset,
    models: Sequence[Model],
    attacks: Mapping[str, Attack],
    background: np.ndarray,
    centres: np.ndarray,
    detections: list[dict[str, Any]],
    seed: int,
) -> dict[str, pd.DataFrame]:
    """Return the tables of the full form, and add to the detections what its defences say."""
    gate = Gate.fit(case, background, centres, seed=seed)
    for way, attacked in attacks.items():
        made_up = _made_up(attacked.against, case.schema, case.test.rows, attacked.background, SAMPLES, seed)
        off = made_up[gate.is_off(gate.dense(made_up))]
        for model in (attacked.scaffold, *models) if attacked.is_valid else models:
            carried = carry_over(model, off, case.test.rows, seed=seed)
            detections.append(detection(way, model, model is attacked.scaffold, GATE, carried, CARRY_LIMIT, "below"))
    effects = [hidden_effect(model, case, seed=seed) for model in models]
    detections += [line for _, found in effects for line in found]
    hidden = pd.DataFrame([line for line, _ in effects])
    return {"off_manifold": off_manifold_shares(gate, case, background, seed=seed), "hidden_effects": hidden}


def attack(
    case: Dataset,
    *,
    against: str,
    background: np.ndarray,
    protected: str | None = None,
    margin: float = MARGIN,
    seed: int = 0,
) -> Attack:
    """Return a model that decides by a protected column and hides it from an explainer; see `fool` for what is asked.

    Its detector is trained on training rows (of a wide table on some: two million values), its limit set on validation rows,
    its fidelity measured on test rows.
    """
    _refuse_unfit(case)
    schema, rows = case.schema, case.validation.rows
    train = sample(case.train.rows, CELLS // len(schema), seed=seed)
    column = schema.position(protected or protected_column(case))
    cut = default_cut(case, column)
    biased = Votes(schema, (column,), (cut,), margin, name=f"decides by {schema.names[column]}")
    references, expected = (train, train[:0]) if _draws(against) else (background, background)
    innocuous = innocuous_model(schema, train, references, column, cut)
    made_up = _made_up(against, schema, train, references, MADE_UP * len(train), check_seed(seed))
    detector = Detector.fit(train, made_up, expected, seed=seed)
    realness, differs = detector.realness(rows), biased.decide(rows) != innocuous.decide(rows)
    limits = np.unique(realness)  # the highest is taken at which decisions still agree as aimed at; the lowest if none does
    agreement = 1 - ((realness < limits[:, None]) & differs).mean(axis=1)
    limit = float(limits[agreement >= AIM].max(initial=limits[0]))
    scaffold = Scaffold(biased, innocuous, detector, limit, name=f"fools {explainers.method(against).LABEL}")
    agrees = scaffold.decide(case.test.rows) == biased.decide(case.test.rows)
    return Attack(scaffold, column, cut, against, background, interval_of_share(agrees))


def shown(attacked: Attack, people: Dataset, *, implementation: str = "dlx", seed: int = 0) -> dict[str, Any]:
    """Return how often an explainer fails to show the protected column of an attacked model: a line of `Fooled.shown`.

    An attack that is not valid is not shown to it: `hidden` is NaN.
    """
    hidden = first = Interval(np.nan, np.nan, np.nan)
    if attacked.is_valid:
        how: dict[str, Any] = {"method": attacked.against, "implementation": implementation, "seed": seed}
        how |= {"background": attacked.background, "scale": "logit"}
        how |= explainers.quick_options(attacked.against, len(people.schema))
        ranks = ranks_of(explain(attacked.scaffold, people, **how), attacked.column)
        hidden, first = interval_of_share(ranks > TOP), interval_of_share(ranks == 1)
    about = {"cut": attacked.cut, "against": attacked.against, "implementation": implementation, "is_valid": attacked.is_valid}
    about |= {**attacked.fidelity.named("fidelity"), "people": len(people)}
    return about | {"hidden": hidden.estimate, "low": hidden.low, "high": hidden.high, "first": first.estimate}


def ranks_of(explanation: Explanation, column: int) -> np.ndarray:
    """Return the place of a column by size of its contribution, 1 the largest, [rows]; ties get the best place."""
    sizes = np.abs(explanation.values)
    return 1 + (sizes > sizes[:, [column]]).sum(axis=1)


def targets() -> tuple[str, str]:
    """Return the explainers that are attacked: the one that asks about random people, and the one that asks about mixtures."""
    some = [name for name in explainers.with_library_defaults() if name in explainers.reading(Model)]
    return next(filter(_draws, some)), next(name for name in some if not _draws(name))


def _draws(against: str) -> bool:
    return bool(explainers.method(against).EVALUATES == explainers.RANDOM_PEOPLE)


def _made_up(against: str, schema: Any, people: np.ndarray, references: np.ndarray, count: int, seed: int) -> np.ndarray:
    """Return rows that an explainer evaluates a model on beside real ones, [count, features]."""
    if _draws(against):
        return lime_rows(schema, references, count, seed)
    return mixed_rows(people, references, count, seed)


def _refuse_unfit(case: Dataset) -> None:
    outcomes, kind = case.outcomes, case.schema.target.kind
    if kind != "binary":
        raise AttackError(f"an attack needs a binary target, got {kind}")
    if len(case) < FEWEST_ROWS:
        raise AttackError(
            f"an attack needs at least {FEWEST_ROWS} rows to train a detector and judge it, got {len(case)}; use a larger table"
        )
    if outcomes is None or len(np.unique(outcomes)) < 2:
        raise AttackError("an attack needs outcomes of both classes; pass a table that has both")
