"""One method a file. The folder is the registry; a file's name is the method's name everywhere, and nothing else names it.

Its file has ``attribute(model, rows, background, *, scale, seed, <its options>) -> Attribution``: how coded rows
[rows, features] come to their predictions on the scale, against coded rows [references, features]. The annotation of ``model``
says which models it takes. Every row sees the same random numbers, so that the order of rows does not matter.

What is to be known of a method stands there, too:

- `LABEL`, the `QUESTION` it answers, its `LIBRARY`, its `PROMISE` of local accuracy;
- `IS_SHAPLEY`: it sets out to give Shapley values, true to the model; `IS_RANDOM`: another seed gives other numbers;
  `KNOWS_ERROR`: it gives standard errors;
- `COST`; its `PREFERENCE`, 1 the first choice where it is exact; `EVALUATES`: the rows that it asks the model about;
- where there is more to know: `exact_for(model, scale)`, whether it gives exactly what it sets out to give, where that is not
  just whether it is random; `RESTS_ON`, the method of which it is a sample; `INSTEAD`, what to try first where it is not
  valid; `quick_options(columns)`, a budget on which it still adds up; `evaluations_for(columns, references)`, what a person
  costs; `AS_IT_COMES`, its library's defaults; `remedy_for(model, background)`, what to do where contributions do not add up;
  `TRUE_TO_DATA`, whether a column gets credit for what it tells of others, so that its answer is to another question than
  those of methods that are true to the model; `ONE_AT_A_TIME`, whether it takes a column away and leaves
  the rest, so that what it gives is how far the prediction falls, and no part of it; `IS_THE_MODEL`, whether it says what
  the model itself adds up; `SHOWN_AS`, the figure of the workbench that steps through how it gets its answer ("orders" of what
  gives Shapley values);
  `reference_takes(model)`, whether its library takes a model that it takes itself.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import sys
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any, Literal

from dlx.errors import DlxError, did_you_mean
from dlx.files import modules_in
from dlx.model import Model, Scale, ScaleError

Cost = Literal["low", "medium", "high"]  # thousands of people, hundreds, or tens in about a minute
COSTS: tuple[Cost, ...] = ("low", "medium", "high")
PASSES = dict(zip(COSTS, (1, 2**5, 2**10), strict=True))  # through a net, of a person and a reference, by magnitude
ROWS, MIXTURES = "the rows themselves", "mixtures of two people"
PATHS, RANDOM_PEOPLE = "points between two people", "random people"


class MethodError(DlxError):
    """A method that does not exist, or does not fit the model."""


class LibraryError(MethodError):
    """What a network, or the library that explains it, raised."""


def refuse_below(least: int, **given: int | None) -> None:
    """Raise a `MethodError` if one of some options is less than it must be; None is the default."""
    for name, value in given.items():
        if value is not None and value < least:
            raise MethodError(f"{name} must be at least {least}, got {value}")


def is_own_scale(model: Model, scale: Scale) -> bool:
    """Whether a scale is the one on which a model adds up."""
    return scale == model.scales[0]


def refuse_other_scale(model: Model, scale: Scale) -> None:
    """Raise a `ScaleError` if a scale is not the one on which a model adds up."""
    if not is_own_scale(model, scale):
        said = f"{model.name} adds up on the scale {model.scales[0]!r}, not on {scale!r}"
        raise ScaleError(f"{said}; use {ground_truth_for(model, scale)} for {scale!r}")


@dataclass(frozen=True)
class AsItComes:
    """What somebody gets who uses a method's library and sets nothing, beside what dlx sets.

    Parameters
    ----------
    background : {"zeros", "centres", "training rows", "training shares"}
        What contributions start from: a dense row of zeros, k-means centres, the training rows, the shares of training rows at
        each split of a tree.
    scale : {"logit", "probability", "value"}, optional
        The scale, where a model has it; the model's own where None.
    options : mapping of str to dict
        By setting ("unit", "background", "sampling"): the options of ours that give what the library does.
    aligned : mapping of str to dict
        By setting: those with which it is comparable, where these are not the defaults.
    complete_only : tuple of str
        Options that are only for rows without missing values.
    """

    background: Literal["zeros", "centres", "training rows", "training shares"]
    scale: Scale | None = None
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    aligned: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    complete_only: tuple[str, ...] = ()


def names() -> list[str]:
    """Return the names of all methods, without importing them."""
    return modules_in(__path__[0])


def method(name: str) -> ModuleType:
    """Return a method's module, which has `attribute` and the facts that this room's docstring lists.

    Raises
    ------
    MethodError
        If there is no such method.
    """
    known = sys.modules.get(f"{__name__}.{name}")
    if known is not None and not name.startswith("_"):
        return known
    if name not in names():
        raise MethodError(f"no method {name!r}; the methods are {', '.join(names())}{did_you_mean(name, names())}")
    return importlib.import_module(f"{__name__}.{name}")


def fits(name: str, model: Model) -> bool:
    """Whether a method takes the model, by the annotation of its parameter `model`."""
    return isinstance(model, kind_of(name))


def names_for(model: Model) -> list[str]:
    """Return the names of the methods that take the model."""
    return [name for name in names() if fits(name, model)]


def worth_asking(model: Model) -> list[str]:
    """Return the methods worth running on a model: all that take it, or the one that is the model and what asks otherwise."""
    taking = names_for(model)
    own = [name for name in having(IS_THE_MODEL=True) if name in taking]
    return own + [name for name in reading(Model) if not method(name).IS_SHAPLEY] if own else taking


def reading(kind: type) -> list[str]:
    """Return the names of the methods that read a kind of model, the preferred first; `Model`: those that take any."""
    return by_preference(name for name in names() if kind_of(name) is kind)


def by_preference(some: Iterable[str]) -> list[str]:
    """Return names of methods, the preferred first."""
    return sorted(some, key=lambda name: method(name).PREFERENCE)


def having(**facts: object) -> list[str]:
    """Return the names of the methods of which some facts hold, the preferred first: `having(IS_SHAPLEY=True)`."""

    def has(name: str) -> bool:
        return all(getattr(method(name), fact, False) == is_ for fact, is_ in facts.items())

    return by_preference(filter(has, names()))


def apart() -> list[str]:
    """Return the methods that no page compares with others: what they give is true to the data, or no part of a prediction."""
    return [*having(TRUE_TO_DATA=True), *having(ONE_AT_A_TIME=True)]


def exact_for(name: str, model: Model, scale: Scale) -> bool:
    """Whether a method gives exactly what it sets out to give, for a model that it takes, on a scale."""
    depends: Callable[[Model, Scale], bool] | None = getattr(method(name), "exact_for", None)
    return fits(name, model) and (depends(model, scale) if depends else not method(name).IS_RANDOM)


def preferred(model: Model, scale: Scale) -> str:
    """Return the first choice among the methods that read a model as it is; where there is none, that of any model."""
    some = by_preference(set(names_for(model)).difference(apart()))
    return next((name for name in some if exact_for(name, model, scale)), any_model())


def best_shapley(model: Model, scale: Scale, among: Iterable[str] | None = None) -> str:
    """Return the quickest method that gives a model's Shapley values exactly, or else with their standard errors.

    Of some names, where these are given and one of them gives Shapley values.
    """
    given = names() if among is None else list(among)
    some = [name for name in given if method(name).IS_SHAPLEY and fits(name, model)]
    sound = [name for name in some if method(name).KNOWS_ERROR or exact_for(name, model, scale)]
    return min(sound or some, key=_by_cost, default=any_model())


def any_model() -> str:
    """Return the quickest method that gives the Shapley values of any model, with their standard errors."""
    return min(ground_truths(), key=_by_cost)


def ground_truths() -> list[str]:
    """Return the methods whose values others are held against: Shapley values of any model, of known error."""
    return [name for name in having(IS_SHAPLEY=True, KNOWS_ERROR=True) if kind_of(name) is Model]


def ground_truth_for(model: Model, scale: Scale) -> str:
    """Return the method whose values others are held against: exact, by all combinations, where these are not too many."""
    some = ground_truths()
    return next((name for name in some if not method(name).IS_RANDOM and exact_for(name, model, scale)), any_model())


def has_reference(name: str, model: Model | None = None) -> bool:
    """Whether a method has a kernel of ours, beside the code of a library, which takes the model, that it is held against."""
    takes: Callable[[Model], bool] = getattr(method(name), "reference_takes", lambda _: True)
    return hasattr(method(name), "reference") and (model is None or takes(model))


def with_library_defaults() -> list[str]:
    """Return the methods whose libraries' defaults are known, the preferred first."""
    return by_preference(name for name in names() if hasattr(method(name), "AS_IT_COMES"))


def quick_options(name: str, columns: int) -> dict[str, Any]:
    """Return options on which a method is quick and still keeps its promise; none where its defaults are."""
    options: Callable[[int], dict[str, Any]] = getattr(method(name), "quick_options", lambda _: {})
    return options(columns)


def evaluations_for(name: str, columns: int, references: int) -> int:
    """Return about how many rows a method asks a model about for one person; as many as there are references where unstated."""
    stated: Callable[[int, int], int] = getattr(method(name), "evaluations_for", lambda _, references: references)
    return stated(columns, references)


def passes(name: str) -> int:
    """Return the order of magnitude of a method's evaluations of a net, per person and reference row."""
    return PASSES[method(name).COST]


def options(name: str) -> dict[str, Any]:
    """Return a method's own options with their defaults."""
    return dict(_own_options(method(name).attribute))


def kind_of(name: str) -> type:
    """Return the kind of model that a method takes: `Model` where it takes any."""
    return _types(method(name).attribute)["model"]


@functools.cache
def _own_options(attribute: Callable[..., Any]) -> dict[str, Any]:
    parameters = inspect.signature(attribute).parameters.values()
    return {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY and p.name not in {"scale", "seed"}}


_types = functools.cache(typing.get_type_hints)


def _by_cost(name: str) -> tuple[int, int]:
    return COSTS.index(method(name).COST), method(name).PREFERENCE
