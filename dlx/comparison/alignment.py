"""Same unit, same people, same columns, same background: or it is not compared. What two aligned explanations differ by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from dlx.arrays import array_id, in_short
from dlx.errors import DlxError
from dlx.explanation import Explanation
from dlx.model import Model, Scale, as_rows, check_scale


class AlignmentError(DlxError):
    """Explanations that answer different questions."""


_SHARED: tuple[tuple[str, Callable[[Explanation], Any], str], ...] = (
    ("columns", lambda e: e.schema.names, "explain models that read the same table"),
    ("schema", lambda e: e.schema.sha256, "explain both with the same schema"),
    ("scale", lambda e: e.scale, "explain both with the same scale=..."),
    ("unit", lambda e: e.options.get("units", "contribution"), "explain both as contributions: units='contribution'"),
    (
        "reference",
        lambda e: "the trees" if e.options.get("path_dependent") else "rows",
        "explain trees against the background too: path_dependent=False",
    ),
    ("target", lambda e: e.target, "explain the same outcome"),
    ("rows", lambda e: e.rows_id, "explain the same people, in the same order"),
    ("row names", lambda e: e.index, "explain the same people, in the same order"),
    ("background", lambda e: e.background_id, "pass the same background=... to both"),
)
_PRINTABLE = ("scale", "unit", "reference", "target")


def refuse_unaligned(explanations: Sequence[Explanation], *, but: Sequence[str] = ()) -> None:
    """Raise an `AlignmentError` that says what differs and how to align it; what stands in `but` may differ."""
    first = explanations[0]
    for other in explanations[1:]:
        for what, read, remedy in _SHARED:
            if what not in but and not np.array_equal(read(first), read(other)):
                values = f" ({read(first)} and {read(other)})" if what in _PRINTABLE else ""
                both = f"{describe(first)} and {describe(other)}"
                raise AlignmentError(f"{both} must share the {what} but do not{values}; {remedy}")


def checked_scale(model: Model, explanation: Explanation) -> Scale:
    """Return the scale of an explanation, or raise a `DlxError` if it is not one of this model, or explains nobody."""
    if explanation.model != model.name:
        raise DlxError(
            f"an explanation is judged by the model that it explains, got one of {explanation.model} and the model "
            f"{model.name}; pass the model {explanation.model}, or explain {model.name}"
        )
    if model.schema.target.kind == "multiclass" and explanation.target != model.target:
        raise DlxError(
            f"{model.name} answers for {model.target!r}, but {explanation.target!r} was explained; pass model.of(...)"
        )
    if explanation.schema.sha256 != model.schema.sha256:
        raise DlxError(f"{model.name} must read the columns that were explained, but does not; explain it again")
    if not len(explanation):
        raise DlxError(f"an explanation must be of at least 1 row, got 0; explain some people with {explanation.method}")
    check_scale(model, explanation.scale)
    return next(scale for scale in model.scales if scale == explanation.scale)


def coded_background(model: Model, background: Any, *, of: Explanation | None = None) -> np.ndarray:
    """Return the background as coded rows [references, features]; a `DlxError` if there is none, or not that of a method."""
    coded = as_rows(model.schema, background)
    if not len(coded):
        raise DlxError("background must have at least 1 row, got 0; pass rows of the training data")
    if of is not None and array_id(coded) != of.background_id:
        raise DlxError(
            f"{describe(of)} is explained again, which needs the background that it was made against, but this is another; "
            "pass the same background=... as to dlx.explain"
        )
    return coded


def is_finite(explanation: Explanation) -> np.ndarray:
    """Return which rows have a value for every column and a base value, bool [rows]."""
    return ~explanation.failed & np.isfinite(explanation.base_values)


def describe(explanation: Explanation) -> str:
    """Return which explanation this is, in words: "lime of mlp"."""
    return f"{explanation.method} of {explanation.model}"


def pair_of(a: Explanation, b: Explanation) -> dict[str, str]:
    """Return which two explanations a line of a table is about."""
    return {"model": a.model, "method": a.method, "other_model": b.model, "other_method": b.method, "scale": a.scale}


@dataclass(frozen=True, eq=False)
class Contrast:
    """Difference of two models' outputs about the same people, feature by feature.

    ``output_a - output_b = (base_a - base_b) + Σ (φ_a - φ_b) + (residual_a - residual_b)``, exactly; the residuals are 0 for
    methods that add up.
    """

    a: Explanation
    b: Explanation

    __repr__ = in_short

    @property
    def outputs(self) -> np.ndarray:
        """Difference of the models' outputs, [rows]."""
        return self.a.outputs - self.b.outputs

    @property
    def base_values(self) -> np.ndarray:
        """Difference of the base values, [rows]."""
        return self.a.base_values - self.b.base_values

    @property
    def values(self) -> np.ndarray:
        """Difference of the contributions, [rows, features]."""
        return self.a.values - self.b.values

    @property
    def residuals(self) -> np.ndarray:
        """What the contributions of either do not account for, [rows]."""
        return self.a.residuals - self.b.residuals

    def to_frame(self) -> pd.DataFrame:
        """Return one line a row and feature: both contributions and their difference."""
        (count, width), schema = self.values.shape, self.a.schema
        return pd.DataFrame(
            {"row": np.repeat(np.asarray(self.a.index), width)}
            | {"feature": np.tile(np.array(schema.names, dtype=object), count)}
            | {"label": np.tile(np.array(schema.labels, dtype=object), count)}
            | {"model": self.a.model, "method": self.a.method, "contribution": self.a.values.ravel()}
            | {"other_model": self.b.model, "other_method": self.b.method, "other_contribution": self.b.values.ravel()}
            | {"difference": self.values.ravel(), "base_difference": np.repeat(self.base_values, width)}
            | {"output_difference": np.repeat(self.outputs, width), "scale": self.a.scale}
        )


def contrast(a: Explanation, b: Explanation) -> Contrast:
    """Return which features make two models differ about the same people; an `AlignmentError` if they are not aligned."""
    refuse_unaligned((a, b))
    return Contrast(a, b)
