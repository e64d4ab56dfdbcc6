"""What is wrong with a model for those who explain it: each finding measured on a few people, none guessed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from dlx import explainers
from dlx.arrays import check_seed
from dlx.audit.compatibility.bench import STEADY, Bench, Finding, lost_words, prepared
from dlx.audit.compatibility.estimators import native_categories
from dlx.errors import in_a_line, is_own_fault
from dlx.explainers._randomness import seeded
from dlx.model import BlackBox, Model, NeuralModel, TreeModel
from dlx.rounding import in_percent
from dlx.schema import plural
from dlx.threads import one_thread


def findings(model: Model, rows: Any, background: Any, *, seed: int = 0) -> list[Finding]:
    """Return what is found in a model that its explanations depend on.

    Parameters
    ----------
    model : Model
        Any model; it is left as it is.
    rows, background : Dataset, DataFrame or ndarray [rows, features]
        People to explain and reference rows; the first few of each are used.
    seed : int
        Seed of everything random.

    Returns
    -------
    list of Finding
        Empty where there is nothing to say.
    """
    with seeded(check_seed(seed)), one_thread():
        return found_on(prepared(model, rows, background, None, seed))


def found_on(bench: Bench) -> list[Finding]:
    """Return the findings on a bench; where the model does not predict at all, that alone."""
    try:
        outputs = bench.outputs
    except Exception as error:  # the model is the user's: it may raise anything
        if is_own_fault(error):
            raise
        text = f"{bench.model.name} does not predict: {in_a_line(error)}"
        return [Finding("raises", "", bench.methods, text, 1.0)]
    if not np.isfinite(outputs).all():
        share = float((~np.isfinite(outputs)).mean())
        text = f"{bench.model.name} predicts numbers that are not finite for {in_percent(share)}% of the rows"
        return [Finding("raises", "", bench.methods, text, share)]
    checks: list[Callable[[Bench], Iterator[Finding]]] = [_constant, _unsteady, _missing]
    if isinstance(bench.model, NeuralModel):
        from dlx.audit.compatibility.networks import in_network

        checks.append(in_network)
    if isinstance(bench.model, TreeModel):
        checks.append(_trees)
    if isinstance(bench.model, BlackBox):
        checks.append(_native_categories)
    return [finding for check in checks for finding in check(bench)]


def _constant(bench: Bench) -> Iterator[Finding]:
    spread = float(np.ptp(bench.outputs))
    if spread <= bench.rounding:
        text = (
            f"{bench.model.name} predicts {bench.outputs[0]:.4g} for all {len(bench.outputs)} rows: there is nothing to explain"
        )
        yield Finding("constant", "", bench.methods, text, spread)


def _unsteady(bench: Bench) -> Iterator[Finding]:
    """Whether the prediction of a row changes from call to call, or with the rows beside it."""
    rows, people = np.concatenate([bench.rows, bench.background]), len(bench.rows)
    moved = bench.share(float(np.abs(bench.predict(rows) - bench.predict(rows)).max()))
    what, said = "random", f"the same rows are predicted {lost_words(moved)} of the mean effect apart in two calls"
    if moved <= STEADY:
        parts, how = _in_parts(bench)
        moved = bench.share(float(np.abs(parts - bench.outputs[:people]).max()))
        what, said = (
            "batch",
            f"a row is predicted {lost_words(moved)} of the mean effect apart {how} and among {len(rows)} rows",
        )
    if moved > STEADY:
        causes = _causes(bench)
        because = f": {'; '.join(causes.values())}; call eval() on it" if causes else ""
        yield Finding(what, ", ".join(causes), bench.methods, f"{bench.model.name}: {said}{because}", moved)


def _in_parts(bench: Bench) -> tuple[np.ndarray, str]:
    """Return the people's predictions one by one, or with one reference where the model refuses a row alone; and which."""
    try:
        return np.concatenate([bench.predict(row[None]) for row in bench.rows]), "alone"
    except Exception as error:  # batch normalisation, and whatever else needs two rows
        if is_own_fault(error):
            raise
        pairs = [np.stack([row, bench.background[0]]) for row in bench.rows]
        return np.concatenate([bench.predict(pair)[:1] for pair in pairs]), "beside one other row"


def _causes(bench: Bench) -> dict[str, str]:
    if not isinstance(bench.model, NeuralModel):
        return {}
    from dlx.audit.compatibility.forward import unsettled

    return unsettled(bench.model.network)


def _missing(bench: Bench) -> Iterator[Finding]:
    """Whether the model predicts where a value is missing that may be missing."""
    for i, feature in enumerate(bench.model.schema.features):
        if not feature.missing:
            continue
        rows = bench.rows.copy()
        rows[:, i] = np.nan
        try:
            spoiled = float((~np.isfinite(bench.predict(rows))).mean())
            said = f"predicts numbers that are not finite for {in_percent(spoiled)}% of the rows"
        except Exception as error:  # the model is the user's: it may raise anything
            if is_own_fault(error):
                raise
            spoiled, said = 1.0, f"does not predict ({in_a_line(error)})"
        if spoiled:
            affects = bench.methods if bench.missing[i] else ()
            text = f"{bench.model.name} {said} where {feature.name!r} is missing, which the schema allows"
            yield Finding("missing", feature.name, affects, text, spoiled)


def _trees(bench: Bench) -> Iterator[Finding]:
    assert isinstance(bench.model, TreeModel)
    name, own = bench.model.name, bench.model.scales[0]
    gap = bench.share(_gap_of_means(bench))
    text = f"the trees of {name} add up on the scale {own!r}"
    if bench.scale != own:
        text += f", not on {bench.scale!r}, where the mean of the background alone is {lost_words(gap)} of the mean effect off"
    yield Finding("scale", "", tuple(explainers.reading(TreeModel)) if bench.scale != own else (), text, gap)


def _gap_of_means(bench: Bench) -> float:
    """Return how far the mean output of the background is from the trees' mean, taken over to the scale."""
    from scipy.special import expit, logit

    model = bench.model
    own = float(model.predict(bench.background, model.scales[0]).mean())
    taken_over = own if bench.scale == model.scales[0] else float((expit if bench.scale == "probability" else logit)(own))
    return abs(float(bench.outputs[len(bench.rows) :].mean()) - taken_over)


def _native_categories(bench: Bench) -> Iterator[Finding]:
    assert isinstance(bench.model, BlackBox)
    for estimator, count in native_categories(bench.model.function):
        text = (
            f"the {estimator} in {bench.model.name} splits on the categories of {plural(count, 'column')} themselves: "
            "tree_shap does not take it, and shap's own TreeExplainer is wrong there without saying so"
        )
        yield Finding("native categories", estimator, tuple(explainers.reading(TreeModel)), text, float(count))
