"""preflight(): which methods a model can be explained with, measured before anyone waits for them."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from dlx import explainers
from dlx.arrays import check_seed
from dlx.audit.compatibility.bench import APPROXIMATE, FINE, PEOPLE, Bench, Finding, lost_words, prepared
from dlx.audit.compatibility.inspection import found_on
from dlx.errors import DlxError, in_a_line, is_own_fault
from dlx.explainers._randomness import seeded
from dlx.explanation import Explanation
from dlx.model import Model, Scale
from dlx.rounding import in_percent
from dlx.runner import explain
from dlx.schema import plural
from dlx.threads import one_thread

if TYPE_CHECKING:
    import pandas as pd

EVALUATIONS = 200_000  # of a method whose cost doubles with every column: people and references are cut to fit

Verdict = Literal["fine", "approximate", "not valid"]
SEVERITY: tuple[Verdict, ...] = ("fine", "approximate", "not valid")


@dataclass(frozen=True)
class Trial:
    """What came of one method.

    Parameters
    ----------
    verdict : {"fine", "approximate", "not valid"}
        "not valid" wherever `dlx.explain` raises.
    lost : float
        Largest residual as a share of the mean effect; NaN where there are no contributions.
    reason : str
        A sentence.
    """

    verdict: Verdict
    lost: float
    reason: str


def preflight(
    model: Model,
    rows: Any,
    background: Any,
    *,
    scale: Scale | None = None,
    methods: Sequence[str] | None = None,
    seed: int = 0,
    people: int = PEOPLE,
) -> pd.DataFrame:
    """Return which methods are fine, approximate or not valid for a model, measured on a few people.

    Parameters
    ----------
    model : Model
        Any model; it is left as it is.
    rows, background : Dataset, DataFrame or ndarray [rows, features]
        People to explain and reference rows; the first `people` and the first ten are used.
    scale : {"logit", "probability", "value"}, optional
        Unit of the contributions; the model's own where None.
    methods : sequence of str, optional
        The methods in question; all of `dlx.explainers.names()` where None.
    seed : int
        Seed of everything random.
    people : int
        Rows that the methods are tried on.

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
    import pandas as pd

    with seeded(check_seed(seed)), one_thread():
        trials = _Trials(prepared(model, rows, background, scale, seed, people))
        lines = []
        for method in explainers.names() if methods is None else methods:
            trial = trials[method]
            fallback = trials.fallback(method) if trial.verdict == "not valid" else ""
            told = {"verdict": trial.verdict, "lost": trial.lost, "reason": trial.reason, "fallback": fallback}
            lines.append({"model": model.name, "method": method, "scale": trials.bench.scale, **told})
    return pd.DataFrame(lines, columns=["model", "method", "scale", "verdict", "lost", "reason", "fallback"])


class _Trials:
    """The trials of a model's methods, each made when it is first asked for."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.findings = found_on(bench)
        self.made: dict[str, Trial] = {}

    def __getitem__(self, method: str) -> Trial:
        if method not in self.made:
            self.made[method] = self._resting(method, _judged(tried(self.bench, method), self.findings, method))
        return self.made[method]

    def _resting(self, method: str, trial: Trial) -> Trial:
        """Return the trial, or that of the method it rests on where that one is not valid."""
        below = getattr(explainers.method(method), "RESTS_ON", None)
        if below is None or trial.verdict == "not valid" or self[below].verdict != "not valid":
            return trial
        return Trial("not valid", trial.lost, f"it samples what {below} sums up: {self[below].reason}")

    def fallback(self, method: str) -> str:
        """Return the first valid method among those that may stand in, or an empty name."""
        model, scale = self.bench.model, self.bench.scale
        some = [name for name in explainers.reading(Model) if explainers.method(name).IS_SHAPLEY]
        sound = [name for name in some if explainers.method(name).IS_RANDOM or explainers.exact_for(name, model, scale)]
        first = (*getattr(explainers.method(method), "INSTEAD", ()), explainers.ground_truth_for(model, scale))
        instead = [name for name in dict.fromkeys((*first, *sound)) if name != method]
        return next((name for name in instead if self[name].verdict != "not valid"), "")


def _judged(trial: Trial, findings: list[Finding], method: str) -> Trial:
    """Return a trial in the light of what was found in the model."""
    affecting = [finding for finding in findings if method in finding.affects]
    if not affecting:
        return trial
    worst = max(affecting, key=lambda finding: np.nan_to_num(finding.measured, nan=np.inf))
    found = verdict_of(worst.measured)
    verdict = max(trial.verdict, found, key=SEVERITY.index)
    reason = worst.text + (f" (and {plural(len(affecting) - 1, 'more finding')})" if len(affecting) > 1 else "")
    if found == "fine" or found != verdict:
        reason += f"; {trial.reason}"
    return Trial(verdict, trial.lost, reason)


def verdict_of(lost: float) -> Verdict:
    """Return the verdict on a share of the mean effect that is missing; NaN is not valid."""
    if lost <= FINE:
        return "fine"
    return "approximate" if lost <= APPROXIMATE else "not valid"


def tried(bench: Bench, method: str) -> Trial:
    """Return what comes of running one method on a bench, whatever was found in the model."""
    options = explainers.quick_options(method, len(bench.model.schema))
    rows, background = _affordable(bench, method)
    try:
        made = explain(bench.model, rows, method=method, background=background, scale=bench.scale, seed=bench.seed, **options)
    except Exception as error:  # the model is the user's and the library another's: they may raise anything
        if is_own_fault(error):
            raise
        is_refused = isinstance(error, DlxError) and not isinstance(error, explainers.LibraryError)
        failed = 1.0 if is_refused else _share_that_fails(bench, method, options)
        if failed < 1:
            return Trial(
                "approximate", np.nan, f"it fails on {in_percent(failed)}% of the people it was tried on: {in_a_line(error)}"
            )
        return Trial("not valid", _lost_all_the_same(bench, method, options), in_a_line(error))
    return _measured(bench, made, options)


def _share_that_fails(bench: Bench, method: str, options: dict[str, Any]) -> float:
    rows, background = _affordable(bench, method)
    asked: dict[str, Any] = {"method": method, "background": background, "scale": bench.scale, "seed": bench.seed}
    try:
        return float(explain(bench.model, rows, strict=False, **asked, **options).failed.mean())
    except Exception as error:  # the model itself does not predict
        if is_own_fault(error):
            raise
        return 1.0


def _affordable(bench: Bench, method: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows and references to try a method on: fewer for the one whose cost doubles with every column."""
    if not hasattr(explainers.method(method), "pairs_for"):
        return bench.rows, bench.background
    pairs = explainers.method(method).pairs_for(len(bench.model.schema), EVALUATIONS)
    background = bench.background[:pairs]
    return bench.rows[: max(1, pairs // len(background))], background


def _measured(bench: Bench, made: Explanation, options: dict[str, Any]) -> Trial:
    """Return the verdict on contributions that keep their method's promise."""
    largest = float(np.abs(made.residuals).max())
    lost, promise = bench.share(largest), explainers.method(made.method).PROMISE
    on = ", ".join([plural(len(made), "row"), *(f"{name}={value}" for name, value in options.items())])
    said = f"{promise}: off by up to {largest:.1e} {made.scale}, {lost_words(lost, 2)} of the mean effect ({on})"
    if promise.relative is None:
        return Trial("approximate", lost, said)
    return Trial("fine", lost, said)


def _lost_all_the_same(bench: Bench, method: str, options: dict[str, Any]) -> float:
    """Return what a method that `explain` refused would lose; NaN where it gives nothing."""
    if not explainers.fits(method, bench.model):
        return np.nan
    module, (rows, background) = explainers.method(method), _affordable(bench, method)
    attribute = getattr(module, "unchecked", functools.partial(module.attribute, seed=bench.seed, **options))
    try:
        return bench.lost(attribute(bench.model, rows, background, scale=bench.scale), bench.predict(rows))
    except Exception as error:  # the same that explain met
        if is_own_fault(error):
            raise
        return np.nan
