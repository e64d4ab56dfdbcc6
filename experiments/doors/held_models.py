"""What dlx makes of a fitted estimator, held against the estimator's own predict and Shapley values by enumeration."""

from __future__ import annotations

import inspect
import math
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import dlx
from dlx.errors import DlxError
from doors.fitted import EPSILON, Fitted, exact

ROUNDING = 1e-6  # of max(1, size)
PEOPLE, BACKGROUND = 3, 6


@dataclass
class Verdict:
    """What came of an estimator.

    Parameters
    ----------
    door : str
        The door through which it went; empty where all refused it.
    refusals : list of str
        Why doors refused it.
    faults : list of str
        Tracebacks, warnings and wrong numbers: there should be none.
    largest : float
        The largest difference from its own predict, as a multiple of what is allowed.
    """

    door: str = ""
    refusals: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    largest: float = 0.0


def held(fitted: Fitted) -> Verdict:
    """Return what comes of a fitted estimator at the first door that takes it."""
    verdict, known = Verdict(), _warnings_of_its_own(fitted)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for unseen in (DeprecationWarning, PendingDeprecationWarning):
            warnings.simplefilter("ignore", unseen)
        for door in fitted.doors:
            try:
                _compare(fitted, _through(door, fitted), verdict)
                verdict.door = door
                break
            except DlxError as error:
                verdict.refusals.append(f"{door}: {error}")
            except Exception as error:
                where = traceback.extract_tb(error.__traceback__)
                ours = [frame for frame in where if f"{Path(dlx.__file__).parent}" in frame.filename][-1:]
                place = "".join(f" ({Path(frame.filename).name}, {frame.name})" for frame in ours)
                verdict.faults.append(f"traceback: {door}: {type(error).__name__}: {error}{place}")
    said = {f"warning: {w.category.__name__}: {w.message}" for w in caught}
    verdict.faults += sorted(said - known)
    return verdict


def _warnings_of_its_own(fitted: Fitted) -> set[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for own in fitted.own.values():
            own(fitted.problem.world.frame[:5])
    return {f"warning: {w.category.__name__}: {w.message}" for w in caught}


def _through(door: str, fitted: Fitted) -> Any:
    """Return the estimator as a model of dlx, checked against the people it was fitted on."""
    case, scale = fitted.problem.case, fitted.scale
    predictor, target = fitted.predictor, fitted.target
    if door == "function":  # of the user's own columns, which codes them for the estimator
        door, predictor, scale, target = "wrap", next(iter(fitted.own.values())), next(iter(fitted.own)), None
    take = getattr(dlx, door)
    known = inspect.signature(take).parameters
    options = {name: value for name, value in (("target", target), ("scale", scale)) if value is not None and name in known}
    return take(predictor, case if "check" in known else case.schema, **options)


def _compare(fitted: Fitted, model: Any, verdict: Verdict) -> None:
    """Compare predictions and Shapley values with the estimator's own; what differs is a fault."""
    world = fitted.problem.world
    count = len(world.seen)
    people = {"seen": world.seen[:120], "new": world.frame[count:][:100], "mixed": world.mixed(150, seed=1)}
    scales = [scale for scale in model.scales if scale in fitted.own]
    if not scales:
        raise AssertionError(f"none of the scales {model.scales} is one of {tuple(fitted.own)}")
    found = []
    for scale in scales:
        for who, frame in people.items():
            right, allowed = fitted.own[scale](frame), _allowed(fitted, model, frame, scale)
            found.append(_off(model.predict(frame, scale), right, allowed, f"{scale} of {who} people", verdict))
            found.append(_off(model.predict(fitted.problem.codes(frame), scale), right, allowed, f"{scale} of codes", verdict))
    scale = scales[0]
    found.append(_explained(fitted, model, scale, verdict))
    verdict.faults += sorted({fault for fault in found if fault})


def _allowed(fitted: Fitted, model: Any, frame: pd.DataFrame, scale: str) -> np.ndarray:
    """Return by how much each output may be off: rounding, the library's own, and what a probability leaves of its logit."""
    right = fitted.own[scale](frame)
    allowed = ROUNDING * np.maximum(1.0, np.abs(right)) + fitted.bound(frame)
    if scale == "logit" and model.scales[0] == "probability" and fitted.bound is not exact:
        allowed += EPSILON * (2 + 2 * np.cosh(right))  # dp / (p (1 - p)), where the library gives float32
    return allowed


def _off(found: np.ndarray, right: np.ndarray, allowed: np.ndarray, what: str, verdict: Verdict) -> str:
    """Return a fault if a number is off by more than is allowed, and remember the largest share of it."""
    distance = np.abs(found - right)
    share = np.where(np.isnan(distance), np.inf, distance) / allowed
    verdict.largest = max(verdict.largest, float(share.max()))
    wrong = int((share > 1).sum())
    return f"wrong: {what}: {wrong} of {len(share)} off, by up to {np.nanmax(distance):.3g}" if wrong else ""


def _explained(fitted: Fitted, model: Any, scale: str, verdict: Verdict) -> str:
    """Return a fault if contributions are not the Shapley values of the estimator's own predict, or do not add up to it."""
    people, background = fitted.problem.world.mixed(PEOPLE, seed=2), fitted.problem.world.mixed(BACKGROUND, seed=3)
    method = "tree_shap" if hasattr(model, "trees") and scale == model.scales[0] else "exact_shapley"
    made = dlx.explain(model, people, method=method, background=background, scale=scale)
    right, allowed = shapley(fitted.own[scale], people, background), _allowed(fitted, model, people, scale)
    both = 4 * (allowed + _allowed(fitted, model, background, scale).max())
    total = made.values.sum(axis=1) + made.base_values
    return _off(made.values, right, both[:, None], method, verdict) or _off(
        total, fitted.own[scale](people), both, f"local accuracy of {method}", verdict
    )


def shapley(own: Callable[[pd.DataFrame], np.ndarray], people: pd.DataFrame, background: pd.DataFrame) -> np.ndarray:
    """Return the interventional Shapley values [people, features] of a function of a DataFrame, over all coalitions."""
    width, count = people.shape[1], len(background)
    present = np.array(list(product((False, True), repeat=width)))
    pool = pd.concat([people, background], ignore_index=True)
    values = np.zeros((len(people), width))
    for person in range(len(people)):
        donors = np.tile(np.arange(count) + len(people), len(present))
        takes = [np.where(np.repeat(present[:, i], count), person, donors) for i in range(width)]
        mixed = pd.DataFrame({name: pool[name].take(take).array for name, take in zip(pool, takes, strict=True)})
        worth = np.asarray(own(mixed), dtype=np.float64).reshape(len(present), count).mean(axis=1)
        for i in range(width):
            without = np.flatnonzero(~present[:, i])
            size = present[without].sum(axis=1)
            weight = np.array([math.factorial(s) * math.factorial(width - s - 1) / math.factorial(width) for s in size])
            values[person, i] = weight @ (worth[without + 2 ** (width - 1 - i)] - worth[without])
    return values
