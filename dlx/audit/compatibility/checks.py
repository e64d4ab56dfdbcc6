"""What is wrong with a model for those who explain it: each issue measured on a few people, none guessed."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, TypeVar

import numpy as np
from scipy.special import expit, logit

from dlx import explainers
from dlx.arrays import check_seed, in_short
from dlx.errors import DlxError, in_a_line, is_own_fault, plural
from dlx.explanation import Attribution
from dlx.model import BlackBox, Model, NeuralModel, Scale, TreeModel, as_rows, check_model, check_scale
from dlx.model.estimators import Reading
from dlx.rounding import side_true
from dlx.runner import FLOAT32_ROUNDING

FINE = 0.01  # share of the mean effect that may be missing in the worst row of a method that is fine
APPROXIMATE = 0.10  # and of one that is approximate; where more is missing, the method is not valid
PEOPLE, REFERENCES = 8, 10  # the first of those that came
STEADY = 1e-4  # share of the mean effect that a prediction may move without a cause: the last digits of sums

Made = TypeVar("Made")


@dataclass(frozen=True)
class Issue:
    """One thing about a model that its explanations depend on.

    What it is: "outside table", "function", "used again", "embedding", "no gradient", "random", "batch", "missing",
    "constant", "raises", "scale", "native categories" or "scripted".
    """

    what: str
    where: str  # path of a module, name of a column, or empty for the whole model
    affects: tuple[str, ...]  # the methods that it spoils on the rows and background it was found with; none if only checked
    text: str  # a sentence
    measured: float  # a share of the mean effect or of the rows, or a count, as the sentence says


@dataclass(frozen=True, eq=False)
class Bench:
    """A copy of a model, a few people and a few references, on which everything is measured."""

    model: Model  # a net is a copy, whose modules are in the mode (training or evaluation) in which they came
    rows: np.ndarray  # [rows, features], coded, a few of those that came
    background: np.ndarray  # [references, features]
    missing: np.ndarray  # bool [features], whether a value is missing in any row that came
    scale: Scale  # unit of what is measured
    seed: int

    __repr__ = in_short

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods that take the model."""
        return tuple(explainers.names_for(self.model))

    @cached_property
    def outputs(self) -> np.ndarray:
        """What the model predicts for the people, then for the references."""
        return self.predict(np.concatenate([self.rows, self.background]))

    @property
    def rounding(self) -> float:
        """What the last digits of a prediction may be off by."""
        share = FLOAT32_ROUNDING if isinstance(self.model, NeuralModel) else FLOAT32_ROUNDING**2
        return share * float(np.abs(self.outputs).max())

    @cached_property
    def evaluated(self) -> NeuralModel:
        """A copy of a net in evaluation mode: what methods that read the net see."""
        assert isinstance(self.model, NeuralModel)
        return dataclasses.replace(self.model, network=copy.deepcopy(self.model.network))

    def predict(self, rows: np.ndarray) -> np.ndarray:
        """Return the model's outputs on the scale."""
        return self.model.predict(rows, self.scale)

    def share(self, amounts: np.ndarray) -> float:
        """Return the largest of some amounts as a share of the mean effect; 0 where it is rounding.

        The mean effect: how far the people's outputs are from the mean output of the references, on average.
        """
        people, references = np.split(self.outputs, [len(self.rows)])
        amount, effect = float(np.abs(amounts).max()), float(np.abs(people - references.mean()).mean())
        if amount <= self.rounding:
            return 0.0
        return np.inf if effect == 0 else amount / effect

    def lost(self, made: Attribution, outputs: np.ndarray) -> float:
        """Return the largest residual of contributions as a share of the mean effect."""
        return self.share(outputs - self.outputs[len(self.rows) :].mean() - made.values.sum(axis=1))


def prepared(model: Model, rows: Any, background: Any, scale: Scale | None, seed: int) -> Bench:
    """Return the bench of a model: the first rows, the first references, and a copy of the model if it is a net.

    A `DlxError` if rows or background do not fit the model's schema, or are none, or the model does not have the scale.
    """
    check_model(model)
    check_scale(model, scale or model.scales[0])
    model = model.typed(rows, background) if isinstance(model, BlackBox) else model
    coded = [model.schema.check(as_rows(model.schema, some)) for some in (rows, background)]
    for name, some in zip(("rows", "background"), coded, strict=True):
        if not len(some):
            raise DlxError(f"{name} must have at least 1 row, got {plural(0, 'row')}")
    if isinstance(model, NeuralModel):
        copied = dataclasses.replace(model, network=copy.deepcopy(model.network))
        for mine, theirs in zip(copied.network.modules(), model.network.modules(), strict=True):
            mine.training = theirs.training  # a NeuralModel turns training off when it is made
        model = copied
    missing = np.isnan(np.concatenate(coded)).any(axis=0)
    return Bench(model, coded[0][:PEOPLE], coded[1][:REFERENCES], missing, scale or model.scales[0], check_seed(seed))


def attempted(make: Callable[[], Made]) -> Made | Exception:
    """Return what a function returns, or the exception of the user's model or a library; a fault of dlx's own is raised."""
    try:
        return make()
    except Exception as error:
        if is_own_fault(error):
            raise
        return error


def lost_words(lost: float, decimals: int = 1) -> str:
    """Return a share that is lost in per cent, on its side of the two lines that verdicts are made by."""
    if not np.isfinite(lost):
        return f"{lost:.0%}"
    line = FINE if lost < (FINE * APPROXIMATE) ** 0.5 else APPROXIMATE
    return f"{side_true(100 * lost, 100 * line, decimals, strict=True)}%"


def issues_on(bench: Bench) -> list[Issue]:
    """Return the issues on a bench; where the model does not predict at all, that alone."""
    outputs = attempted(lambda: bench.outputs)
    if isinstance(outputs, Exception):
        return [Issue("raises", "", bench.methods, f"{bench.model.name} does not predict: {in_a_line(outputs)}", 1.0)]
    found = [*_constant(bench), *_unsteady(bench), *_missing(bench)]
    if isinstance(bench.model, NeuralModel):
        from dlx.audit.compatibility.networks import in_network

        found += in_network(bench)
    found += _trees(bench) if isinstance(bench.model, TreeModel) else ()
    found += _native_categories(bench) if isinstance(bench.model, BlackBox) else ()
    return found


def _constant(bench: Bench) -> Iterator[Issue]:
    spread, outputs = float(np.ptp(bench.outputs)), bench.outputs
    if spread <= bench.rounding:
        text = f"{bench.model.name} predicts {outputs[0]:.4g} for all {len(outputs)} rows: there is nothing to explain"
        yield Issue("constant", "", bench.methods, text, spread)


def _unsteady(bench: Bench) -> Iterator[Issue]:
    """Whether the prediction of a row changes from call to call, or with the rows beside it."""
    rows, people = np.concatenate([bench.rows, bench.background]), len(bench.rows)
    what, subject, how = "random", "the same rows are", "in two calls"
    moved = bench.share(bench.predict(rows) - bench.predict(rows))
    if moved <= STEADY:
        alone = attempted(lambda: np.concatenate([bench.predict(row[None]) for row in bench.rows]))
        what, subject, how = "batch", "a row is", f"alone and among {len(rows)} rows"
        if isinstance(alone, Exception):  # batch normalisation, and whatever else needs two rows
            alone = np.array([bench.predict(np.stack([row, bench.background[0]]))[0] for row in bench.rows])
            how = f"beside one other row and among {len(rows)} rows"
        moved = bench.share(alone - bench.outputs[:people])
    if moved > STEADY:
        causes: dict[str, str] = {}
        if isinstance(bench.model, NeuralModel):
            from dlx.audit.compatibility.networks import unsettled

            causes = unsettled(bench.model.network)
        because = f": {'; '.join(causes.values())}; call eval() on it" if causes else ""
        text = f"{bench.model.name}: {subject} predicted {lost_words(moved)} of the mean effect apart {how}{because}"
        yield Issue(what, ", ".join(causes), bench.methods, text, moved)


def _missing(bench: Bench) -> Iterator[Issue]:
    """Whether the model predicts where a value is missing that may be missing."""
    lacking = [i for i, feature in enumerate(bench.model.schema.features) if feature.missing]
    for i in lacking if isinstance(attempted(partial(_predict_without, bench, lacking)), Exception) else ():
        outputs, feature = attempted(partial(_predict_without, bench, [i])), bench.model.schema.features[i]
        if isinstance(outputs, Exception):
            where = f"where {feature.name!r} is missing, which the schema allows"
            text = f"{bench.model.name} does not predict ({in_a_line(outputs)}) {where}"
            yield Issue("missing", feature.name, bench.methods if bench.missing[i] else (), text, 1.0)


def _predict_without(bench: Bench, columns: list[int]) -> np.ndarray:
    """Return what the model predicts for the people without the value of one column after another, in one call."""
    rows = np.tile(bench.rows, (max(len(columns), 1), 1))
    rows[np.arange(len(bench.rows) * len(columns)), np.repeat(columns, len(bench.rows)).astype(int)] = np.nan
    return bench.predict(rows)


def _trees(bench: Bench) -> Iterator[Issue]:
    """Whether trees add up on the scale, and how far the background's mean output is from the trees' mean taken over to it."""
    model, scale, own = bench.model, bench.scale, bench.model.scales[0]
    text, gap = f"the trees of {model.name} add up on the scale {own!r}", 0.0
    if scale != own:
        mean = (expit if scale == "probability" else logit)(model.predict(bench.background, own).mean())
        gap = bench.share(bench.outputs[len(bench.rows) :].mean() - mean)
        text += f", not on {scale!r}, where the mean of the background alone is {lost_words(gap)} of the mean effect off"
    yield Issue("scale", "", tuple(explainers.reading(TreeModel)) if scale != own else (), text, gap)


def _native_categories(bench: Bench) -> Iterator[Issue]:
    """Whether an estimator behind the function, or last in its pipeline, splits on categories themselves."""
    part: Any = getattr(bench.model, "function", None)
    part = part.call if isinstance(part, Reading) else part
    part = getattr(part, "__self__", part)  # of a bound method
    part = part.steps[-1][-1] if isinstance(getattr(part, "steps", None), list) else part
    # scikit-learn's histogram boosting, which has this attribute when it is fitted
    columns = getattr(part, "is_categorical_", None)
    if isinstance(columns, np.ndarray) and columns.dtype == bool and columns.any():
        name, count = type(part).__name__, int(columns.sum())
        text = (
            f"the {name} in {bench.model.name} splits on the categories of {plural(count, 'column')} themselves: "
            "tree_shap does not take it, and shap's own TreeExplainer is wrong there without saying so"
        )
        yield Issue("native categories", name, tuple(explainers.reading(TreeModel)), text, float(count))
