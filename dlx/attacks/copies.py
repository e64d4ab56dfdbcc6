"""Credit spread over a copy: a column that two columns say halves what each of them is given, with the same predictions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from dlx.attacks.findings import Finding
from dlx.attacks.samples import VulnerabilityError
from dlx.dataset import Dataset
from dlx.encoder import Encoder
from dlx.model import Model, NeuralModel, Scale
from dlx.runner import explain
from dlx.schema import Schema
from dlx.stats import Interval, interval_of

if TYPE_CHECKING:
    import pandas as pd
    import torch

NOISE = 0.1  # of the copy, in standard deviations of the column
FEWEST = 30  # rows in which both columns are known
CORRELATION_LIMIT = 0.95  # rank correlation of two columns, from which they say the same


@dataclass(frozen=True, eq=False)
class WithCopy(Model):
    """A model that reads the mean of a column and its copy, the last column, where it read the column."""

    model: Model
    column: int

    @property
    def name(self) -> str:
        """The model's name, with the copy."""
        return f"{self.model.name} with a copy"

    @property
    def schema(self) -> Schema:
        """The model's columns and the copy."""
        return schema_with_copy(self.model.schema, self.column)

    @property
    def scales(self) -> tuple[Scale, ...]:
        """The model's scales."""
        return self.model.scales

    def compute(self, rows: np.ndarray) -> np.ndarray:
        """Return the model's output on the first of the scales."""
        merged = rows[:, :-1].copy()
        merged[:, self.column] = (rows[:, self.column] + rows[:, -1]) / 2
        return self.model.predict(merged, self.scales[0])


def with_copy(model: Model, column: int) -> Model:
    """Return a model that shares a numeric column between itself and a copy; a net stays a net, with gradients."""
    if not isinstance(model, NeuralModel):
        return WithCopy(model, column)
    encoder, place = model.encoder, model.encoder.starts[column]
    center, scale = (np.r_[array, array[column]] for array in (encoder.center, encoder.scale))
    longer = Encoder(schema_with_copy(model.schema, column), center, scale)
    return NeuralModel(_merging(model.network, int(place)), longer, f"{model.name} with a copy", model.scales)


def rows_with_copy(rows: np.ndarray, column: int, *, spread: float, seed: int = 0) -> np.ndarray:
    """Return rows [rows, features + 1] with a noisy copy of a column; `spread` is the column's standard deviation."""
    noise = np.random.default_rng(seed).normal(scale=NOISE * spread, size=len(rows))
    return np.column_stack([rows, rows[:, column] + noise])


def schema_with_copy(schema: Schema, column: int) -> Schema:
    """Return the schema with the copy as its last column."""
    copied = schema.features[column]
    return replace(
        schema, features=(*schema.features, replace(copied, name=f"{copied.name} (copy)", label=f"{copied.label} (copy)"))
    )


def spread_credit(model: Model, case: Dataset, people: Dataset, background: Dataset, *, seed: int = 0) -> pd.DataFrame:
    """Return what methods give the most important number before and after a copy of it joins the table.

    The column is the one, of those that are numbers and known for everybody, with the largest mean contribution. One
    line a method: mean size of the column's contribution before, of column and copy after, of both together, the
    column's mean place among all, and `left`, the share of the size that is left, with its 95 % bootstrap interval over people.
    """
    import pandas as pd

    column = copied_column(model, people, background, seed=seed)
    twin, spread = with_copy(model, column), float(case.train.rows[:, column].std())
    wide, references = (
        rows_with_copy(some.rows, column, spread=spread, seed=seed + i) for i, some in enumerate((people, background))
    )
    lines = []
    for method in _methods(model):
        shared: dict[str, Any] = {"method": method, "scale": model.scales[0], "seed": seed}
        before = explain(model, people, background=background, **shared).values
        after = explain(twin, wide, background=references, **shared).values
        sizes = np.abs(before[:, column]), np.abs(after[:, column]), np.abs(after[:, -1])
        places = [1 + (np.abs(all_) > own[:, None]).sum(axis=1).mean() for all_, own in ((before, sizes[0]), (after, sizes[1]))]
        together = np.abs(after[:, column] + after[:, -1])
        left = interval_of(partial(_ratio, sizes[1], sizes[0]), np.zeros(len(people)), seed=seed)
        lines.append(
            {"model": model.name, "method": method, "column": case.schema.names[column], "before": sizes[0].mean()}
            | {"after": sizes[1].mean(), "copy": sizes[2].mean(), "together": together.mean()}
            | {"left": left.estimate, "low": left.low, "high": left.high}
            | {"place_before": places[0], "place_after": places[1], "scale": model.scales[0]}
        )
    return pd.DataFrame(lines)


def copied_column(model: Model, people: Dataset, background: Dataset, *, seed: int = 0) -> int:
    """Return the position of the number, known for everybody, that Shapley values give most to."""
    rows = np.concatenate([people.rows, background.rows])
    fit = [not feature.is_categorical and not np.isnan(rows[:, i]).any() for i, feature in enumerate(model.schema.features)]
    if not any(fit):
        raise VulnerabilityError("a copy needs a column of numbers that are all known, and the table has none")
    some = explain(model, people[:8], method="shapley", background=background, scale=model.scales[0], seed=seed)
    return int(np.where(fit, some.importance, -1.0).argmax())


def copy_finding(name: str, schema: Schema, rows: np.ndarray, *, is_attacked: bool, seed: int = 0) -> Finding:
    """Return whether two columns say the same: the largest rank correlation of two columns that have an order."""
    import pandas as pd
    from scipy.stats import rankdata

    words, none = "largest rank correlation of two columns", Interval(np.nan, np.nan, np.nan)
    ordered = [i for i, f in enumerate(schema.features) if not f.is_categorical or f.ordered]
    correlation = pd.DataFrame(rows[:, ordered]).corr(method="spearman", min_periods=FEWEST).abs().to_numpy(copy=True)
    np.fill_diagonal(correlation, np.nan)
    if not np.isfinite(correlation).any():
        return Finding("a copied column", name, is_attacked, words, none, CORRELATION_LIMIT, why="no two columns have an order")
    one, other = np.unravel_index(np.nanargmax(correlation), correlation.shape)
    pair = rows[:, [ordered[one], ordered[other]]]
    ranks = rankdata(pair[~np.isnan(pair).any(axis=1)], axis=0)
    measured = interval_of(lambda some: _correlation(ranks[some]), np.zeros(len(ranks)), seed=seed)
    shown = f"nearest: {schema.labels[ordered[one]]} and {schema.labels[ordered[other]]}"
    return Finding("a copied column", name, is_attacked, words, measured, CORRELATION_LIMIT, shown=shown)


def _correlation(pair: np.ndarray) -> float:
    return float(abs(np.corrcoef(pair.T)[0, 1])) if (np.ptp(pair, axis=0) > 0).all() else 0.0


def _ratio(one: np.ndarray, other: np.ndarray, rows: np.ndarray) -> float:
    """Return the mean of one over the mean of the other, over some rows."""
    return float(one[rows].mean() / other[rows].mean()) if other[rows].any() else np.nan


def _methods(model: Model) -> tuple[str, ...]:
    return ("lime", "shapley", "integrated_gradients") if isinstance(model, NeuralModel) else ("lime", "shapley")


def _merging(network: torch.nn.Module, place: int) -> torch.nn.Module:
    """Return a net of one more input, the last, which the input at a place is averaged with."""
    import torch

    width = next(layer.in_features for layer in network.modules() if isinstance(layer, torch.nn.Linear))
    merge = torch.nn.Linear(width + 1, width, bias=False)
    with torch.no_grad():
        merge.weight.copy_(torch.eye(width, width + 1))
        merge.weight[place, [place, width]] = 0.5
    return torch.nn.Sequential(merge, network)
