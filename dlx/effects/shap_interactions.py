"""What columns do together: SHAP interaction values, and what a main effect hides."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from dlx.arrays import check_seed, freeze, frozen, in_short, row_names
from dlx.dataset import Dataset
from dlx.errors import DlxError, plural
from dlx.kernels.shapley import Game, interaction_values, interactions_among
from dlx.model import Model, Scale, as_rows, check_scale
from dlx.schema import Schema
from dlx.schema.frames import as_pandas
from dlx.threads import one_thread

__all__ = ["Interactions", "interactions"]

BATCH_ROWS = 8
MOST_COLUMNS = 64  # between all of which interactions can be told
SAMPLES = 200  # coalitions around which a few of more columns are changed


@dataclass(frozen=True, eq=False)
class Interactions:
    """SHAP interaction values of order 2 (Lundberg et al. 2020), on original columns.

    Off the diagonal stands half of the Shapley interaction index (Grabisch and Roubens 1999): what two columns add together
    beyond what each adds, half of it at (i, j) and half at (j, i). On the diagonal stands what is left of the Shapley value:
    the main effect. Rows sum to the Shapley values, and all of it to output - base value; of a few columns of many, the main
    effect includes what they add together with the others.
    """

    values: np.ndarray  # [rows, features, features], symmetric, in units of the scale
    base_values: np.ndarray  # [rows], mean output of the background
    outputs: np.ndarray  # [rows]
    schema: Schema
    scale: str
    model: str
    index: np.ndarray  # [rows], names of the rows
    standard_errors: np.ndarray | None = None  # of the values, 0 in rows where all combinations were tried; None where in all
    evaluations: int = 0  # rows that the model was evaluated on

    __repr__ = in_short

    def __post_init__(self) -> None:
        freeze(self, "values", "base_values", "outputs", "standard_errors")
        object.__setattr__(self, "index", frozen(row_names(self.index)))
        count, width = len(self.index), len(self.schema)
        if self.values.shape != (count, width, width):
            raise DlxError(f"values must be {[count, width, width]}, got {list(self.values.shape)}")

    def __len__(self) -> int:
        return len(self.values)

    @property
    def strength(self) -> np.ndarray:
        """Mean absolute value over the rows, [features, features]."""
        return np.abs(self.values).mean(axis=0)

    def to_frame(self) -> pd.DataFrame:
        """Return one line a row and pair of features, main effects included.

        Contributions, an interaction's with both halves, sum over the lines of a row to output - base value.
        """
        first, second = np.triu_indices(len(self.schema))
        count, lines, values = len(self), len(first), self.values[:, first, second]
        names, labels = (np.array(words, dtype=object) for words in (self.schema.names, self.schema.labels))
        pairs = {"feature": names[first], "other_feature": names[second], "label": labels[first], "other_label": labels[second]}
        frame = pd.DataFrame(
            {"model": self.model, "scale": self.scale, "row": np.repeat(np.asarray(self.index), lines)}
            | {name: np.tile(column, count) for name, column in pairs.items()}
            | {"value": values.ravel(), "contribution": (values * np.where(first == second, 1, 2)).ravel()}
            | {"base_value": np.repeat(self.base_values, lines), "output": np.repeat(self.outputs, lines)}
        )
        if self.standard_errors is not None:
            frame["standard_error"] = self.standard_errors[:, first, second].ravel()
        return frame


def interactions(
    model: Model,
    rows: Any,
    *,
    background: Any,
    scale: Scale,
    columns: Sequence[str] | None = None,
    seed: int = 0,
    budget: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Interactions:
    """Return what every two columns add together to a model's output, and what each adds alone: SHAP interaction values.

    Exact where a person and every reference row differ in 12 columns at most; beyond, estimated from some combinations of
    columns, with standard errors. Of a table of more than 64 columns, name those in question.

    Parameters
    ----------
    model : Model
        Any model.
    rows : Dataset, DataFrame or ndarray [rows, features]
        The people to explain.
    background : Dataset, DataFrame or ndarray [references, features]
        The reference rows.
    scale : {"logit", "probability", "value"}
        Unit of the values.
    columns : sequence of str, optional
        At least two, between which interactions are told, averaged over random combinations of all columns; the schema of the
        result has these alone. All columns by default.
    seed : int
        Every row sees the same combinations, so that the order of rows does not matter.
    budget : int, optional
        Evaluations of the model a row, at least columns (columns + 1) + 2 for each reference row; all combinations are
        tried where they are no more. By default about 3 times as many, where more than 12 columns differ. Not with `columns`.
    progress : callable, optional
        Called with the rows done and the rows in all.

    Raises
    ------
    DlxError
        If there are no rows or no background, the budget is too small, there are too many columns and none are named, or the
        model's outputs are not finite.
    """
    rows, background = as_pandas(rows), as_pandas(background)
    people, references = as_rows(model.schema, rows), as_rows(model.schema, background)
    check_scale(model, scale)
    check_seed(seed)
    for what, given in (("rows", people), ("background", references)):
        if not len(given):
            raise DlxError(f"{what} must have at least 1 row, got 0 rows")
    schema, parts = model.schema, []
    if columns is not None:
        chosen = [schema.position(name) for name in columns]
        schema = replace(schema, features=tuple(schema.features[i] for i in chosen))
        ask = partial(interactions_among, players=np.array(chosen), samples=SAMPLES, seed=seed)
    elif len(schema) > MOST_COLUMNS:
        raise DlxError(
            f"interactions are told between at most {MOST_COLUMNS} columns, got {len(schema)}; name some: columns=[...]"
        )
    else:
        pairs = None if budget is None else _pairs_within(budget, references)
        ask = partial(interaction_values, pairs=pairs, seed=seed)
    with one_thread():
        game = Game(model, people, references, scale)
        outputs, base_value = game.outputs(), game.references().mean()
        for start in range(0, len(people), BATCH_ROWS):
            some = Game(model, people[start : start + BATCH_ROWS], references, scale)
            parts.append(ask(some))
            if progress is not None:
                progress(min(start + BATCH_ROWS, len(people)), len(people))
    values = np.concatenate([part.values for part in parts])
    if broken := int((~np.isfinite(values)).any(axis=(1, 2)).sum()):
        raise DlxError(
            f"a model's outputs must be finite, got interactions of {model.name} that are not for {broken} of "
            f"{plural(len(values), 'row')}; look at its predictions of mixed rows"
        )
    enumerated = np.concatenate([part.enumerated for part in parts])
    return Interactions(
        values=values,
        base_values=np.full(len(people), base_value),
        outputs=outputs,
        schema=schema,
        scale=scale,
        model=model.name,
        index=rows.index if isinstance(rows, Dataset) or hasattr(rows, "columns") else np.arange(len(people)),
        standard_errors=None if enumerated.all() else np.concatenate([part.standard_errors for part in parts]),
        evaluations=sum(part.evaluations for part in parts),
    )


def _pairs_within(budget: int, references: np.ndarray) -> int:
    """Return how many combinations, each with its complement, a budget allows for a reference row; a `DlxError` for too few."""
    count, columns = references.shape
    least = columns * (columns + 1) + 2  # with fewer, pairs look alike
    if budget < least * count:
        raise DlxError(
            f"budget must be at least {least * count}, columns (columns + 1) + 2 = {least} for each of "
            f"{count} reference rows, got {budget}; raise it, or pass fewer reference rows"
        )
    return budget // count // 2
