"""preflight(): which methods a model can be explained with, measured before anyone waits for them."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd

from dlx import explainers
from dlx.arrays import check_seed, seeded
from dlx.audit.compatibility.checks import APPROXIMATE, FINE, Bench, Issue, attempted, issues_on, lost_words, prepared
from dlx.errors import DlxError, in_a_line, plural
from dlx.explanation import Explanation
from dlx.model import Model, Scale
from dlx.rounding import in_percent
from dlx.runner import explain
from dlx.threads import one_thread

EVALUATIONS = 200_000  # of a method that costs much: people and references are cut to fit

Verdict = Literal["fine", "approximate", "not valid"]
SEVERITY: tuple[Verdict, ...] = ("fine", "approximate", "not valid")


class Trial(NamedTuple):
    """One method tried on a model: "not valid" wherever `dlx.explain` raises; residual as a share of the mean effect."""

    verdict: Verdict
    lost: float  # NaN where there are no contributions
    reason: str


def preflight(
    model: Model,
    rows: Any,
    background: Any,
    *,
    scale: Scale | None = None,
    methods: Sequence[str] | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """Return which methods are fine, approximate or not valid for a model, measured on a few people.

    Parameters
    ----------
    model : Model
        Any model; it is left as it is.
    rows, background : Dataset, DataFrame or ndarray [rows, features]
        People to explain and reference rows; the first eight and the first ten are used.
    scale : {"logit", "probability", "value"}, optional
        Unit of the contributions; the model's own where None.
    methods : sequence of str, optional
        The methods in question; all of `dlx.explainers.names()` where None.
    seed : int
        Seed of everything random.

    Returns
    -------
    DataFrame
        One line a method: `model`, `method`, `scale`, `verdict`, `lost` (the largest residual as a share of the mean
        distance of outputs from the base value; NaN where the method gives nothing), `reason`, and `fallback`: what to
        use instead of a method that is not valid, or "".

    Raises
    ------
    MethodError, SchemaError, ScaleError
        If there is no such method, rows do not fit the model, or it does not have the scale.
    """
    with seeded(check_seed(seed)), one_thread():
        bench = prepared(model, rows, background, scale, seed)
        found = issues_on(bench)

        @functools.cache
        def trial(method: str) -> Trial:
            own, below = _with_issues(tried(bench, method), found, method), getattr(explainers.method(method), "RESTS_ON", None)
            if below is None or own.verdict == "not valid" or trial(below).verdict != "not valid":
                return own
            return Trial("not valid", own.lost, f"it samples what {below} sums up: {trial(below).reason}")

        lines = []
        for method in explainers.names() if methods is None else methods:
            instead = _stand_ins(bench, method) if trial(method).verdict == "not valid" else []
            fallback = next((name for name in instead if trial(name).verdict != "not valid"), "")
            lines.append((model.name, method, bench.scale, *trial(method), fallback))
    return pd.DataFrame(lines, columns=["model", "method", "scale", *Trial._fields, "fallback"])


def _stand_ins(bench: Bench, method: str) -> list[str]:
    """Return the methods that may stand in for one, the preferred first."""
    some = [name for name in explainers.reading(Model) if explainers.method(name).IS_SHAPLEY]
    sound = [name for name in some if explainers.method(name).IS_RANDOM or explainers.exact_for(name, bench.model, bench.scale)]
    first = (*getattr(explainers.method(method), "INSTEAD", ()), explainers.ground_truth_for(bench.model, bench.scale))
    return [name for name in dict.fromkeys((*first, *sound)) if name != method]


def _with_issues(trial: Trial, issues: list[Issue], method: str) -> Trial:
    """Return a trial in the light of the issues of the model."""
    affecting = [issue for issue in issues if method in issue.affects]
    if not affecting:
        return trial
    worst = max(affecting, key=lambda issue: np.nan_to_num(issue.measured, nan=np.inf))
    by_issue: Verdict = "not valid"  # also where nothing could be measured: NaN
    if worst.measured <= APPROXIMATE:
        by_issue = "fine" if worst.measured <= FINE else "approximate"
    verdict = max(trial.verdict, by_issue, key=SEVERITY.index)
    reason = worst.text + (f" (and {plural(len(affecting) - 1, 'more issue')})" if len(affecting) > 1 else "")
    if by_issue == "fine" or by_issue != verdict:
        reason += f"; {trial.reason}"
    return Trial(verdict, trial.lost, reason)


def tried(bench: Bench, method: str) -> Trial:
    """Return the outcome of running one method on a bench, whatever was found in the model."""
    module, rows, background = explainers.method(method), bench.rows, bench.background
    options = explainers.quick_options(method, len(bench.model.schema))
    if module.COST == "high":
        pairs = max(1, EVALUATIONS // explainers.evaluations_for(method, len(bench.model.schema), 1))
        background = background[:pairs]
        rows = rows[: max(1, pairs // len(background))]
    asked: dict[str, Any] = {"method": method, "background": background, "scale": bench.scale, "seed": bench.seed, **options}
    made = attempted(lambda: explain(bench.model, rows, **asked))
    if isinstance(made, Explanation):
        lost, largest = bench.share(made.residuals), float(np.abs(made.residuals).max())
        unit = "" if made.scale == "value" else f" {made.scale}"
        on = ", ".join([plural(len(made), "row"), *(f"{name}={value}" for name, value in options.items())])
        said = f"{module.PROMISE}: off by up to {largest:.1e}{unit}, {lost_words(lost, 2)} of the mean effect ({on})"
        is_sound = module.PROMISE.relative is not None or explainers.exact_for(method, bench.model, bench.scale)
        return Trial("fine" if is_sound else "approximate", lost, said)
    is_refused = isinstance(made, DlxError) and not isinstance(made, explainers.LibraryError)
    partly = made if is_refused else attempted(lambda: explain(bench.model, rows, strict=False, **asked))
    if isinstance(partly, Explanation) and not partly.failed.all():
        share = in_percent(float(partly.failed.mean()))
        return Trial("approximate", np.nan, f"it fails on {share}% of the people it was tried on: {in_a_line(made)}")
    measured: float | Exception = np.nan
    if explainers.fits(method, bench.model):  # what it would lose, although it was refused
        attribute = getattr(module, "unchecked", functools.partial(module.attribute, seed=bench.seed, **options))
        made_by = functools.partial(attribute, bench.model, rows, background, scale=bench.scale)
        measured = attempted(lambda: bench.lost(made_by(), bench.predict(rows)))
    return Trial("not valid", measured if isinstance(measured, float) else np.nan, in_a_line(made))
