"""explain(): runs a method on a model, in batches, and checks what comes back against our own predict."""

from __future__ import annotations

import contextlib
import functools
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from importlib import metadata
from types import ModuleType
from typing import Any, Literal, NamedTuple

import numpy as np

from dlx import explainers
from dlx.arrays import array_id, check_seed
from dlx.dataset import Dataset
from dlx.errors import DlxError, did_you_mean, in_a_line, is_own_fault, plural
from dlx.explainers import LibraryError, MethodError
from dlx.explanation import Attribution, Explanation, LocalAccuracy
from dlx.model import (
    BlackBox,
    Model,
    NeuralModel,
    Scale,
    as_rows,
    check_model,
    check_scale,
    predicted,
    refuse_unfaithful,
    rescaled,
)
from dlx.model.base import held_by
from dlx.model.devices import is_accelerator
from dlx.model.fidelity import are_single
from dlx.model.kinds import refuse_open, with_carried
from dlx.schema.frames import as_pandas
from dlx.threads import one_thread

Implementation = Literal["dlx", "reference"]
version = functools.cache(metadata.version)  # which reads a file
Progress = Callable[[int, int], None]
IMPLEMENTATIONS = ("dlx", "reference")
BATCH_ROWS = 32
ROWS_OF_AN_ACCELERATOR = 2_048  # at least: kernels cut them as its memory allows
FLOAT32_ROUNDING = 2.0**-21  # of a net's output: what predict itself moves when rows come in other batches
FLOAT64_ROUNDING = 2.0**-44
LARGEST = np.finfo(np.float64).max


class LocalAccuracyError(DlxError):
    """Contributions that do not add up to the model's output as their method promises."""


@one_thread()
def explain(
    model: Model,
    rows: Any,
    *,
    method: str,
    background: Any,
    scale: Scale,
    target: str | None = None,
    seed: int = 0,
    implementation: Implementation = "dlx",
    batch_size: int | None = None,
    strict: bool = True,
    device: str | None = None,
    progress: Progress | None = None,
    **options: Any,
) -> Explanation:
    """Return the contribution of each feature to a model's outputs on some rows, by one method, checked to add up.

    Parameters
    ----------
    model : Model
        A net, trees, a linear model, or anything that `dlx.wrap` took; or a fitted estimator of `dlx.sklearn`.
    rows : Dataset, DataFrame or ndarray [rows, features]
        The people to explain, in original columns; an array holds codes.
    method : str
        One of `dlx.explainers.names()`.
    background : Dataset, DataFrame or ndarray [references, features]
        The reference rows; methods are comparable only against the same.
    scale : {"logit", "probability", "value"}
        Unit of the contributions.
    target : str, optional
        Which of several classes is explained, where the model does not speak for one already, see `Model.of`.
    seed : int
        Seed of everything random.
    implementation : {"dlx", "reference"}
        Our kernel where there is one, else the library's code; or always the library's.
    batch_size : int
        Rows a call of the method, by default what suits it; the values do not depend on it.
    strict : bool
        Raise where a row cannot be explained as its method promises; otherwise the values of such a row are NaN, and the
        explanation's `failures` say why.
    device : {"auto", "cpu", "cuda"}, optional
        Where a net computes, by default where it is; "auto" takes a GPU if there is one and the work is worth its start, see
        `dlx.model.devices`. Random designs are drawn on the processor, and are the same everywhere.
    progress : callable, optional
        Called after each batch with the rows done and the rows in all.
    **options
        The method's own; see the method's page.

    Raises
    ------
    MethodError
        If there is no such method or option, or it does not take the model.
    DeviceError
        If there is no such device.
    FidelityError
        If dlx predicts these rows otherwise than the user's own model, which was wrapped, does.
    SchemaError
        If the rows or the background do not fit the model's schema.
    ScaleError
        If the model, or the method, does not have the scale.
    LocalAccuracyError
        If the contributions do not add up as the method promises.
    """
    rows, background = as_pandas(rows), as_pandas(background)
    model = _meant(model, target, rows, background)
    model = model if device is None else placed(model, device, method, len(rows), len(background))
    module, run, made_by = _checked_request(model, method, implementation, options, scale, seed)
    started = time.perf_counter()
    people, references = _predicted(model, rows, "rows"), _predicted(model, background, "background")
    refuse_unfaithful(model, [(one.came, one.outputs) for one in (people, references)])
    outputs, others = (rescaled(one.outputs, model.scales[0], scale, model.name) for one in (people, references))
    model, carried = _with_carried(model, people)

    def attribute(which: slice) -> Attribution:
        asked = with_carried(model, rows, which) if carried else model
        made = run(asked, people.coded[which], background=references.coded, scale=scale, seed=seed, **options)
        return made if made.base_values is not None else replace(made, base_values=np.full(len(made.values), others.mean()))

    size = 1 if carried else _batch_rows(module, model, made_by) if batch_size is None else batch_size
    with _one_line(method, model):
        found, failures = _in_batches(attribute, people.coded.shape, size, strict, progress)
    explanation = Explanation(
        options=explainers.options(method) | options | found.pop("settled"),
        **found,
        outputs=outputs,
        rows=people.coded,
        index=rows.index if isinstance(rows, Dataset) or hasattr(rows, "columns") else None,
        schema=model.schema,
        scale=scale,
        method=method,
        implementation=f"{made_by} {version(made_by)}",
        promise=str(module.PROMISE),
        model=model.name,
        target=model.target,
        background_id=array_id(references.coded),
        seed=seed,
        seconds=time.perf_counter() - started,
        carried=carried,
    )
    limit = _largest_residual(explanation, module.PROMISE, others, is_single=_is_single(model, people, references))
    return _checked(explanation, limit, lambda: _remedy(module, model, references.coded), failures, strict=strict)


def _meant(model: Any, target: str | None, *some: Any) -> Model:
    """Return the model that is meant: for the class that was asked for, knowing the dtypes of a table among the rows."""
    model = held_by(model)
    check_model(model)
    model = model if target is None else model.of(target)
    refuse_open(model)
    return model.typed(*some) if isinstance(model, BlackBox) else model


class _Predicted(NamedTuple):
    """Rows, and what the model predicts of them on its first scale."""

    came: Any
    coded: np.ndarray  # [rows, features]
    outputs: np.ndarray  # [rows]


def _predicted(model: Model, rows: Any, what: str) -> _Predicted:
    """Return rows with what the model predicts of them, or raise where there are none, or they do not fit its schema."""
    coded = as_rows(model.schema, rows, what)
    if not len(coded):
        raise DlxError(f"{what} must have at least 1 row, got {plural(0, 'row')}")
    coded = coded if isinstance(rows, np.ndarray) else model.schema.check(coded)  # an array was checked when it was read
    is_box = isinstance(model, BlackBox)
    return _Predicted(rows, coded, predicted(model, rows) if is_box else model.predict(coded, model.scales[0], checked=True))


def _with_carried(model: Model, people: _Predicted) -> tuple[Model, tuple[str, ...]]:
    """Return a model, and the columns beside the features that go along with each person, if their values matter."""
    if not isinstance(model, BlackBox):
        return model, ()
    if model.companion is not None and not np.array_equal(model.predict(people.coded, model.scales[0]), people.outputs):
        model = replace(model, companion=None)  # these people do not get the same with anybody's values of them
    return model, model.carried if model.companion is None else ()


def _batch_rows(module: ModuleType, model: Model, made_by: str) -> int:
    """Return of how many rows a method is asked at once."""
    size: int = getattr(module, "BATCH_ROWS", BATCH_ROWS)
    is_on_accelerator = made_by == "dlx" and isinstance(model, NeuralModel) and is_accelerator(model.device)
    return max(size, ROWS_OF_AN_ACCELERATOR) if is_on_accelerator else size


def placed(model: Model, device: str, method: str, people: int, references: int) -> Model:
    """Return the model where a method's work on so many people, against so many references, is done soonest."""
    return model.on(device, people * references * explainers.passes(method))


def _checked_request(
    model: Model, name: str, implementation: str, options: dict[str, Any], scale: Scale, seed: int
) -> tuple[ModuleType, Callable[..., Attribution], str]:
    """Return a method's module, what of it runs, and from which package: the library's, where ours lacks the options."""
    module, known = explainers.method(name), explainers.options(name)
    if not explainers.fits(name, model):
        route = f". {model.route}" if isinstance(model, BlackBox) else ""
        raise MethodError(
            f"{name} does not take {model.name}, a {type(model).__name__}; "
            f"the methods that do are {', '.join(explainers.names_for(model))}{route}"
        )
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise MethodError(
            f"{name} has no option {', '.join(map(repr, unknown))}; its options: {', '.join(known) or 'none'}"
            f"{did_you_mean(unknown[0], known)}"
        )
    if implementation not in IMPLEMENTATIONS:
        raise MethodError(f"implementation must be one of {', '.join(IMPLEMENTATIONS)}, got {implementation!r}")
    check_scale(model, scale)
    check_seed(seed)
    if not hasattr(module, "reference"):  # the library's code only, or ours only
        return module, module.attribute, module.LIBRARY
    is_ours = all(options.get(option, value) == value for option, value in getattr(module, "OURS", {}).items())
    is_ours = is_ours and implementation == "dlx"
    return module, module.attribute if is_ours else module.reference, "dlx" if is_ours else module.LIBRARY


@contextlib.contextmanager
def _one_line(method: str, model: Model) -> Iterator[None]:
    """Raise what a net of the user's own, or the library that runs it, raises as a `LibraryError`."""
    try:
        yield
    except Exception as error:
        if isinstance(error, DlxError) or is_own_fault(error) or not isinstance(model, NeuralModel):
            raise
        instead = " or ".join(explainers.having(IS_SHAPLEY=True, IS_RANDOM=True))
        raise LibraryError(f"{method} cannot explain {model.name}: {in_a_line(error)}; use {instead}") from error


def _largest_residual(explanation: Explanation, promise: LocalAccuracy, references: np.ndarray, *, is_single: bool) -> float:
    """Return how far a row may be from adding up: by the method's promise, but no closer than rounding, a share of the largest.

    The mean effect, for a relative promise, is the mean distance of outputs from the base value, over the rows that are
    explained or over the background, whichever is larger: so that one person at the average can be explained.
    """
    failed = explanation.failed
    if failed.all():
        return np.inf
    known = ~failed if failed.any() else slice(None)
    base, explained = explanation.base_values[known], explanation.outputs[known]
    mean_effect = max(np.abs(explained - base).mean(), np.abs(references - base.mean()).mean())
    contributions = np.abs(explanation.values[known]).sum(axis=1)
    largest = max(np.abs(explained).max(), np.abs(references).max(), contributions.max())
    return max(promise.limit(float(mean_effect)), (FLOAT32_ROUNDING if is_single else FLOAT64_ROUNDING) * float(largest))


def _is_single(model: Model, *some: _Predicted) -> bool:
    """Whether a model computes in float32, as far as its outputs tell."""
    if isinstance(model, BlackBox):
        return all(are_single(one.outputs) for one in some)
    return isinstance(model, NeuralModel) and model.precision == "float32"


def _remedy(module: ModuleType, model: Model, background: np.ndarray) -> str:
    """Return what to do where contributions do not add up as their method promises."""
    remedy_for = getattr(module, "remedy_for", lambda _model, _background: "")
    return remedy_for(model, background) or module.PROMISE.remedy or "the method does not fit this model"


def _checked(
    explanation: Explanation, limit: float, remedy: Callable[[], str], failures: Mapping[int, str], *, strict: bool
) -> Explanation:
    """Return the explanation, rows that do not add up within the limit, or are not finite, as NaN; where strict, raise."""
    if not failures and (np.abs(explanation.residuals) <= min(limit, LARGEST)).all():
        return explanation
    reasons = dict(failures)
    for row in np.flatnonzero(explanation.failed):
        reasons.setdefault(int(row), f"{explanation.method} gave values for {explanation.model} that are not finite")
    off = np.abs(np.where(explanation.failed, 0.0, explanation.residuals))
    beyond = np.flatnonzero(off > limit)[np.argsort(-off[off > limit], kind="stable")]
    what_to_do = remedy() if len(beyond) else ""
    for row in beyond:
        reasons[int(row)] = (
            f"{explanation.method} of {explanation.model}: contributions must add up to {limit:.2g}, but row "
            f"{explanation.index[row]} is off by {off[row]:.2g} {explanation.scale}; {what_to_do}"
        )
    if reasons and strict:
        raise LocalAccuracyError(next(iter(reasons.values())))
    if not reasons:
        return explanation
    values = explanation.values.copy()
    values[list(reasons)] = np.nan
    return replace(explanation, values=values, failures=dict(sorted(reasons.items())))


def _in_batches(
    attribute: Callable[[slice], Attribution], shape: tuple[int, ...], size: int, strict: bool, progress: Progress | None
) -> tuple[dict[str, Any], dict[int, str]]:
    """Return what a method says of all rows, by the fields of an `Explanation`; and why some rows, by position, have NaN."""
    if size < 1:
        raise DlxError(f"batch_size must be at least 1, got {size}")
    count, failures = shape[0], dict[int, str]()
    parts: list[tuple[slice, Attribution]] = []
    waiting = deque(slice(start, min(start + size, count)) for start in range(0, count, size))
    while waiting:
        which = waiting.popleft()
        try:
            parts.append((which, attribute(which)))
        except Exception as error:
            if strict or is_own_fault(error):
                raise
            if which.stop - which.start > 1:  # one by one
                waiting.extendleft(slice(row, row + 1) for row in reversed(range(which.start, which.stop)))
                continue
            failures[which.start] = f"{type(error).__name__}: {error}"
        if progress is not None:
            progress(which.stop, count)
    return _joined(parts, shape), failures


def _joined(parts: list[tuple[slice, Attribution]], shape: tuple[int, ...]) -> dict[str, Any]:
    """Return the fields of all rows; a row that failed has NaN for whatever the others have."""

    def whole(arrays: list[np.ndarray | None], shape: tuple[int, ...]) -> Any:
        found = np.full(shape, np.nan)
        for (which, _), array in zip(parts, arrays, strict=True):
            found[which] = np.nan if array is None else array
        return found

    made = [part for _, part in parts]
    has_errors = any(part.standard_errors is not None for part in made)
    extras = dict.fromkeys(name for part in made for name in part.extras)
    return {
        "values": whole([part.values for part in made], shape),
        "base_values": whole([part.base_values for part in made], shape[:1]),
        "evaluations": sum(part.evaluations for part in made),
        "standard_errors": whole([part.standard_errors for part in made], shape) if has_errors else None,
        "extras": {name: whole([part.extras.get(name) for part in made], shape[:1]) for name in extras},
        "settled": {name: chosen for part in made for name, chosen in part.settled.items()},
    }
