"""Anything that predicts, as a Model that predicts the same: or an error that says what cannot be."""

from __future__ import annotations

import contextlib
import inspect
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dlx.arrays import row_ids
from dlx.dataset import Dataset, read_people
from dlx.errors import DlxError, did_you_mean
from dlx.model.base import CLASSIFIER, SCALES, Model, Scale, ScaleError, as_rows, scales_from, table_of
from dlx.model.estimators import Reading, called, estimator_of, read_estimator
from dlx.model.fidelity import verified
from dlx.model.kinds import BlackBox
from dlx.schema import Schema, level_text
from dlx.schema.frames import as_pandas
from dlx.stats import auc

if TYPE_CHECKING:
    import pandas as pd
    import torch

    from dlx.encoder import Encoder

CHECKED = 256  # rows of a Dataset that a model is held to when it is wrapped
BEYOND_CHANCE = 4.0  # standard errors by which the outcomes must fit one reading of the columns better than the other
WRONG_WAY = 3.0  # standard errors by which the AUC must be below one half
MEANT = "where that is how it is, pass rows without outcomes: check=case.frame"


def wrap(
    predictor: Any,
    schema: Schema | Dataset,
    *,
    name: str | None = None,
    scale: Scale | None = None,
    target: int | str | None = None,
    encoder: Encoder | None = None,
    inputs: Any = None,
    check: Any = None,
    trained_on: Any = None,
) -> Model:
    """Return anything that predicts as a Model, held to what the predictor itself gives.

    A network is copied: what happens to it later changes nothing. An estimator or a function is called whenever
    the model predicts, with tables of the dtypes, the categories and the column order of the table that the schema was
    inferred from. It is called directly, too, with rows that are at hand as they came, here and in `dlx.explain`: where
    that gives other numbers, the model is refused.

    An estimator whose steps make each of their columns of one column of the table, and that ends in trees or is linear, is
    read as that where rows are at hand to prove it on: its contributions are exact and quick, on the scale on which it adds
    up. Of several classes a forest is read for each, and trees that were boosted for each against the others (LightGBM's
    multiclassova, CatBoost's MultiClassOneVsAll); sums of trees that share a softmax are asked only. A net of `dlx.sklearn`,
    alone or at the end of a pipeline or a search, is read as the net that it holds. The `route` says what a model was read as,
    and why as nothing else.

    Parameters
    ----------
    predictor : callable, estimator or torch.nn.Module
        A function from a DataFrame of rows to numbers; an object with `predict_proba` or `predict`, which is given the values
        of the table (wrap a function around one that was fitted on codes: `schema.encode(table)`); or a network that
        returns one number a row: logits (values for a regression), or probabilities where it ends in a sigmoid or `scale`
        says so; or a number for each class, or output. What it returns beside these in a tuple or a dict is left.
    schema : Schema or Dataset
        The columns that it reads, and the target; with a Dataset the model is held to its own predictions of some of the rows.
    name : str, optional
        The name in tables and on the page.
    scale : {"logit", "probability", "value"}, optional
        The scale on which a function or a network answers, and the first of the model's scales.
    target : int or str, optional
        Which of several classes is explained: a level of the target as text, or its position, which is that of the column where
        a function returns columns without names; the positive class of a binary target by default. What gives all of several
        classes can be left open until `Model.of` says which. The classes of an estimator and the columns of a DataFrame are
        found by their names. What has none (classes 0, 1, ... of levels that have other names, the numbers of a function, the
        outputs of a network) is taken by position, and refused where it tells the outcomes at hand better the other way round,
        or in another order; rows without outcomes (`check`) leave it as it is.
    encoder : Encoder, optional
        What a network on dense rows [rows, width] reads; by default the columns as they are: complete numbers.
    inputs : callable, or lists of columns and fitted transformers in a tuple or a dict, optional
        What the forward of a network is given of a table: a function from a DataFrame to it, a tensor, several in a tuple,
        or by name in a dict. Or, in place of each tensor, what it is made of: a fitted transformer of scikit-learn, or a list
        of columns, numbers as they are and categories as the places 0, 1, ... of their levels. Where each number is made of
        one column, and codes reach embeddings, one-hot vectors or indices only, gradients are those of the levels.
    check : Dataset or DataFrame, optional
        Rows that the model is held to, in place of those of the Dataset.
    trained_on : Dataset, DataFrame, list or str, optional
        The rows that it was trained on: themselves, by their names in the Dataset's index, "train" for the training rows of its
        split, or the path of a file of rows. A page says so; where nobody did, it says that the model may have seen the rows
        that it is judged by.

    Examples
    --------
    A net of ``forward(x_num, x_cat)``, with embeddings of what a fitted OrdinalEncoder makes of the categories:

    >>> model = dlx.wrap(net, case, inputs={"x_num": scaler, "x_cat": ordinal})  # doctest: +SKIP
    >>> model = dlx.wrap(net, case, inputs=lambda t: (as_numbers(t), as_codes(t)))  # doctest: +SKIP

    Raises
    ------
    FidelityError
        If dlx would predict otherwise than the predictor does.
    DlxError
        If the predictor cannot be called, its classes or its scale are not those of the schema, or there is no output `target`.
    """
    if isinstance(schema, Dataset) and schema.several is not None:  # one of several classes: a model reads the table of all
        schema, target = schema.whole, schema.schema.target.levels[1] if target is None else target
    frames, seen = getattr(schema, "frames", ""), ids_of(trained_on, schema)
    schema, check = schema_and_check(schema, check)
    if isinstance(predictor, Model):
        raise DlxError(f"{predictor.name} is a Model already: pass it as it is")
    predictor = estimator_of(predictor)
    name = str(name or _name_of(predictor))
    _check_scale(scale, schema)
    chosen = _position(target, schema)
    is_open = chosen is None and schema.target.kind == "multiclass" and check is not None
    chosen = len(schema.target.levels) - 1 if is_open else chosen
    within = _net_within(predictor, schema) if inputs is None and check is not None else None
    if within is not None:
        predictor, inputs = within
        scale = scale or ("value" if schema.target.kind == "regression" else "logit")
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(predictor, torch.nn.Module):
        from dlx.model.nets import on_dense_rows, on_inputs

        def read(place: int | None) -> Model:
            asked = (predictor, schema, name, scale, place)
            return on_dense_rows(*asked, encoder, check) if inputs is None else on_inputs(*asked, inputs, check)

        model = read(chosen)
        if within is None:
            taken = "gives numbers without classes"
            refuse_misplaced(model, taken, check, lambda place: read(place).predict(check, "probability"))
        return replace(model, trained_on=seen)
    if inputs is not None:
        raise DlxError(f"inputs are those of a network; {name} is a {type(predictor).__name__}: pass the network inside it")
    if encoder is not None:
        raise DlxError(f"an encoder is for networks; {name} is a {type(predictor).__name__}, which reads the table itself")
    is_place = target is not None and not isinstance(target, str)  # which column of several without names
    knows_order = is_place or (getattr(check, "outcomes", None) is not None and len(schema.target.levels) == 2)
    reading = read_estimator(predictor, schema, name=name, scale=scale, chosen=chosen, knows_order=knows_order)
    return replace(_of_reading(replace(reading, frames=frames), schema, check, scale, is_open=is_open), trained_on=seen)


def _name_of(predictor: Any) -> str:
    """Return what a predictor is called: the function, or the class of the object."""
    made = called(predictor)
    own = type(made.__self__) if inspect.ismethod(made) else made if hasattr(made, "__name__") else type(made)
    return str(own.__name__)


def _check_scale(scale: Any, schema: Schema) -> None:
    if scale is not None and scale not in SCALES:
        raise ScaleError(f"scale must be one of {', '.join(SCALES)}, got {scale!r}")
    if scale in CLASSIFIER and schema.target.kind == "regression":
        raise ScaleError(f"the target {schema.target.name!r} is that of a regression: scale must be 'value', got {scale!r}")


def _net_within(estimator: Any, schema: Schema) -> tuple[torch.nn.Module, Any] | None:
    """Return the net of a fitted estimator of `dlx.sklearn`, alone or at the end of a pipeline or a search, and its inputs."""
    outer = getattr(estimator, "best_estimator_", estimator)
    *before, last = [step for _, step in getattr(outer, "steps", [("", outer)])]
    if not hasattr(last, "as_network") or not hasattr(last, "model_"):
        return None
    names = getattr(outer, "feature_names_in_", None)

    def inputs(table: pd.DataFrame) -> np.ndarray:
        made = table[list(schema.names)].to_numpy(np.float64) if names is None else table[list(names)]
        for step in before:
            made = made if step is None or step == "passthrough" else step.transform(made)
        entries: np.ndarray = last.as_inputs(made)
        return entries

    network: torch.nn.Module = last.as_network(schema.target.levels)
    return network, inputs


def schema_and_check(case: Schema | Dataset, check: Any) -> tuple[Schema, Any]:
    """Return the columns that a model reads, and the rows that it is held to: those passed, or some of the Dataset."""
    if not isinstance(case, (Schema, Dataset)):
        raise DlxError(
            f"a model is wrapped with a Dataset or a Schema, got {type(case).__name__}; make one of the table that it was "
            "fitted on: dlx.dataset.from_frame(table, dlx.schema.infer_schema(table, target))"
        )
    check = as_pandas(check)
    if check is None and isinstance(case, Dataset):
        check = case[:: max(1, len(case) // CHECKED)]  # evenly apart
    check = check.whole if isinstance(check, Dataset) else check
    if check is not None and not isinstance(check, (Dataset, np.ndarray)) and not hasattr(check, "columns"):
        raise DlxError(f"check must be a Dataset, a DataFrame or an array of codes, got {type(check).__name__}")
    if check is not None and not len(check):
        raise DlxError("check must have at least 1 row, got 0 rows")
    return (case.schema if isinstance(case, Dataset) else case), check


def ids_of(trained_on: Any, case: Schema | Dataset) -> np.ndarray | None:
    """Return rows that a model was trained on by `row_ids`: as `wrap` takes them; None for None."""
    import pandas as pd

    if trained_on is None:
        return None
    if isinstance(trained_on, (str, Path)):
        if not isinstance(case, Dataset):
            raise DlxError(f"trained_on is {str(trained_on)!r}, for which the model must be wrapped with the Dataset")
        trained_on = case.train if str(trained_on) == "train" else read_people(trained_on, case)
    rows, schema = as_pandas(trained_on), case.schema if isinstance(case, Dataset) else case
    if isinstance(rows, Dataset) or hasattr(rows, "columns") or np.ndim(rows) == 2:
        return row_ids(as_rows(schema, rows))
    if not isinstance(case, Dataset):
        raise DlxError("trained_on names rows, which a schema does not have; pass the rows, or wrap the model with the Dataset")
    names = list(rows)
    places = pd.Index(case.index).get_indexer_for(pd.Index(names))
    if (places < 0).any():
        raise DlxError(f"trained_on names the row {names[int((places < 0).argmax())]}, which the Dataset does not have")
    return row_ids(case.rows[places])


def _position(target: Any, schema: Schema) -> int | None:
    """Return the class to explain among the levels; None for a regression, or where several classes leave it open."""
    levels = schema.target.levels
    if target is None:
        return 1 if schema.target.kind == "binary" else None
    is_place = isinstance(target, (int, np.integer)) and not isinstance(target, bool)
    if is_place and target >= 0 and (not levels or target < len(levels)):
        return int(target)
    named = level_text(target)
    if named in levels and not is_place:
        return levels.index(named)
    known = f"; the levels are {', '.join(map(repr, levels))}{did_you_mean(target, levels)}" if levels else ""
    as_text = f"; a level is passed as text: target={named!r}" if named in levels else ""
    places = f"0 to {len(levels) - 1}" if levels else "0 or more"
    raise DlxError(f"target must be {places}, got {target!r}{as_text or known}")


def _of_reading(reading: Reading, schema: Schema, check: Any, scale: Scale | None, *, is_open: bool) -> Model:
    """Return a function of a table by its fastest exact route; as it is, of all classes, where these are left open."""
    from dlx.model.routes import fastest

    box = _held_function(reading, schema, check)
    read = partial(fastest, check=check, asked=scale)
    if schema.target.kind == "multiclass":
        box = replace(box, fastest=read)
    if is_open and box.witness is not None and reading.has_every_class(box.witness[0]):
        return replace(box, function=replace(reading, chosen=None), chosen=None)
    return read(box)


def _held_function(reading: Reading, schema: Schema, check: Any) -> BlackBox:
    """Return a function of a table as a model, held to the rows at hand and to their outcomes."""
    table, has_outcomes = table_of(check), getattr(check, "outcomes", None) is not None
    if table is not None and schema.carried and reading.columns == schema.columns:
        lean = replace(reading, columns=schema.names)
        with contextlib.suppress(DlxError):  # it needs one of the columns that are no features
            reading = lean if np.array_equal(lean(table), reading(table), equal_nan=True) else reading
    if has_outcomes:
        _refuse_codes(reading, check)
    carried = tuple(column.name for column in schema.carried if column.name in reading.columns)
    model = BlackBox(reading, schema, reading.name, scales_from(reading.scale), chosen=reading.chosen, carried=carried)
    if check is None:
        return model
    if table is not None and carried:
        with contextlib.suppress(DlxError):  # it fails on the rows themselves, which is said where it is held to them
            model = _with_stand_ins(model, check)
    model = verified(model, check)
    if has_outcomes:
        given = reading.given(model.as_it_came(check), reading.call)
        refuse_misplaced(model, reading.taken(given), check, lambda place: replace(reading, chosen=place).of(given))
    return model


def _with_stand_ins(model: BlackBox, check: Any) -> BlackBox:
    """Return the model with stand-ins for the columns that are no features, where it demands but does not look at them."""
    came, places = model.as_it_came(check), np.arange(len(check))
    beside = came[list(model.carried)]
    orders = (places, places[::-1], np.roll(places, 1))
    mine, *others = (model.function(came.assign(**beside.iloc[whose].set_axis(came.index))) for whose in orders)
    is_blind = all(np.array_equal(mine, other, equal_nan=True) for other in others)
    return replace(model, companion=beside.iloc[[0]]) if is_blind else model


def numbers_of(schema: Schema) -> dict[int, np.ndarray]:
    """Return the numbers that levels are in the table, by column; only of columns whose numbers are not simply the codes."""
    found = {}
    for column, feature in enumerate(schema.features):
        with contextlib.suppress(TypeError, ValueError):  # words
            numbers = np.array([float(level) for level in feature.level_values or feature.levels])
            if feature.is_categorical and np.isfinite(numbers).all() and (numbers != np.arange(len(numbers))).any():
                found[column] = numbers
    return found


def _refuse_codes(reading: Reading, case: Dataset) -> None:
    """Raise where an estimator of arrays tells outcomes better from a case's codes than from the values of its table."""
    numbers = [case.schema.names[column] for column in numbers_of(case.schema)]
    if not numbers or not reading.as_array or case.table is None or reading.columns != case.schema.names:
        return
    try:
        coded, valued = reading(np.array(case.rows)), reading(case.table)
    except DlxError:  # it does not read codes, or an error follows
        return
    if coded.size != len(case) or valued.size != len(case):
        return
    better = _misfit(valued, reading, case) - _misfit(coded, reading, case)
    if better.mean() * np.sqrt(len(case)) > BEYOND_CHANCE * better.std() > 0:
        raise DlxError(
            f"{reading.name} was fitted on the codes 0, 1, ... of {', '.join(map(repr, numbers))}, by which it tells the "
            "outcomes better than by the numbers of the table; wrap a function that gives it codes: "
            f"lambda t: model.{reading.method}(schema.encode(t))"
        )


def _misfit(outputs: np.ndarray, reading: Reading, case: Dataset) -> np.ndarray:
    """Return minus the log-likelihood of each outcome, [rows]; of values their squared residuals."""
    from scipy.special import expit

    assert case.outcomes is not None
    if reading.scale == "value":
        return np.asarray((case.outcomes - outputs.reshape(-1)) ** 2)
    chances = np.clip(expit(outputs) if reading.scale == "logit" else outputs, 1e-3, 1 - 1e-3).reshape(-1)
    return np.asarray(-np.log(np.where(case.outcomes == reading.chosen, chances, 1 - chances)))


def refuse_misplaced(model: Model, taken: str, check: Any, outputs_for: Callable[[int], np.ndarray]) -> None:
    """Raise where classes that were `taken` by their position only tell the outcomes of some rows better at other places.

    `outputs_for` gives what was taken for a level, by its position, [rows]: of several levels their probabilities.
    """
    levels, outcomes = model.schema.target.levels, getattr(check, "outcomes", None)
    if not taken or outcomes is None or model.scales[0] == "value":
        return
    if len(levels) > 2:
        _refuse_permuted(model, taken, outcomes.astype(int), np.column_stack([*map(outputs_for, range(len(levels)))]))
        return
    chosen = 1 if model.chosen is None else model.chosen
    positive = outcomes == chosen
    yes, no = int(positive.sum()), int((~positive).sum())
    if not yes or not no:
        return
    area = auc(positive, outputs_for(chosen).reshape(-1))
    error = np.sqrt((yes + no + 1) / (12 * yes * no))  # where the outputs tell nothing: Hanley and McNeil (1982)
    if area < 0.5 - WRONG_WAY * error:
        raise DlxError(
            f"{model.name} {taken}, and what was taken for {levels[chosen]!r} ranks the outcomes the wrong way round (AUC "
            f"{area:.2f}); wrap what gives the probability of {levels[chosen]!r}, or make {levels[1 - chosen]!r} the positive "
            f"outcome; {MEANT}"
        )


def _refuse_permuted(model: Model, taken: str, outcomes: np.ndarray, each: np.ndarray) -> None:
    """Raise where the probabilities of all classes, [rows, classes], are likelier in another order, by a paired comparison."""
    from scipy.optimize import linear_sum_assignment
    from scipy.special import gammaln

    levels = model.schema.target.levels
    logs = np.log(np.clip(each, 1e-3, 1.0))
    sums = np.array([logs[outcomes == code].sum(axis=0) for code in range(len(levels))])
    order, rows = linear_sum_assignment(-sums)[1], np.arange(len(logs))
    gain = logs[rows, order[outcomes]] - logs[rows, outcomes]
    limit = WRONG_WAY + np.sqrt(2 * gammaln(len(levels) + 1))  # which the best of all orders hardly reaches by chance
    if gain.sum() > limit * np.sqrt((gain**2).sum()):
        taken_for, better = (
            ", ".join(repr(levels[code]) for code in places) for places in (range(len(levels)), order.argsort())
        )
        raise DlxError(
            f"{model.name} {taken}, and what was taken for {taken_for} tells the outcomes better as {better}; give the classes "
            f"in the order of the target's levels, or list these in that order in the schema; {MEANT}"
        )
