"""The noise floor: how far a method agrees with itself, so that nobody asks more of two methods than of one.

Three sources: another seed (the method's own sampling), another background of the same size (a bootstrap of the rows it is
drawn from), and another training seed of the same architecture (models of equal quality that say different things: model
multiplicity, Marx, Calmon and Ustun 2020).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import pandas as pd

from dlx import explainers
from dlx.arrays import in_short
from dlx.comparison.alignment import pair_of, refuse_unaligned
from dlx.comparison.metrics import METRICS, chance_level, counted, metrics_by_row
from dlx.dataset import Dataset
from dlx.errors import DlxError
from dlx.explanation import Explanation
from dlx.model import Model
from dlx.runner import explain as explain_
from dlx.stats import Interval, interval_of_mean

Source = Literal["seed", "background", "training"]
SOURCES: tuple[Source, ...] = get_args(Source)
ALIKE = "no evidence of a difference"
DIFFERENT = "differ beyond noise"
CHANCE = "no better than chance"
TOO_FEW = "too few people to tell"
UNDECIDED = "not decided: the top are all columns"
UNDEFINED = "not defined: an explanation gives nothing to any column, or failed"
FEWEST = 8  # people, below whom intervals are a matter of luck


@dataclass(frozen=True, eq=False)
class Replicates:
    """Replicates of an explanation: the same again, with another seed, background or training, which should not matter."""

    of: Explanation  # the one that is shown
    source: Source  # what was changed
    explanations: tuple[Explanation, ...]  # of the same rows, on the same scale

    __repr__ = in_short

    def __post_init__(self) -> None:
        if self.source not in SOURCES:
            raise DlxError(f"source must be one of {', '.join(SOURCES)}, got {self.source!r}")
        if not self.explanations:
            raise DlxError("a noise floor needs at least 1 replicate, got none")
        for other in self.explanations:
            refuse_unaligned((self.of, other), but=("background",) if self.source == "background" else ())
            for what in ("method", "options") if self.source == "training" else ("method", "options", "model"):
                if (one := getattr(self.of, what)) != (its := getattr(other, what)):
                    raise DlxError(f"replicates must share their {what}, got {one} and {its}")

    def metrics(self, k: int) -> dict[str, np.ndarray]:
        """Return how far each replicate agrees with the one that is shown, each metric [replicates, rows]."""
        found = [metrics_by_row(self.of.values, other.values, k) for other in self.explanations]
        return {name: np.array([one[name] for one in found]) for name in found[0]}


def replicate(
    model: Model,
    explanation: Explanation,
    *,
    source: Literal["seed", "background"],
    background: Dataset,
    pool: Dataset | None = None,
    count: int = 20,
    explain: Callable[..., Explanation] = explain_,
) -> Replicates:
    """Return an explanation again, with other seeds or other backgrounds; one of another tool by its own `again`.

    Parameters
    ----------
    model : Model
        The model that was explained.
    explanation : Explanation
        The one that is shown.
    source : {"seed", "background"}
        What is changed. Where a first other seed changes nothing, the method is not random, and that one stands for all.
    background : Dataset
        The background of the explanation.
    pool : Dataset, optional
        The rows that other backgrounds are drawn from, with replacement: the training rows.
    count : int
        How many replicates.
    explain : callable
        What explains: `dlx.explain`, or one that keeps what it made.
    """
    if source not in ("seed", "background"):
        raise DlxError(
            f"source must be seed or background, got {source!r}; for models that were trained again, explain each and "
            "pass Replicates(explanation, 'training', explanations)"
        )
    if count < 1:
        raise DlxError(f"a noise floor needs at least 1 replicate, got count={count}")
    if source == "background" and not (pool is not None and len(pool)):
        raise DlxError("other backgrounds are drawn from a pool of rows: pass pool=case.train")
    again = _again(explanation, source)
    shared = {"method": explanation.method, "scale": explanation.scale, **explanation.options}
    people = Dataset(explanation.schema, explanation.rows, index=explanation.index)
    made: list[Explanation] = []
    for i in range(1, count + 1):
        if source == "background":
            assert pool is not None
            drawn = pool[np.random.default_rng([explanation.seed, i]).integers(len(pool), size=len(background))]
            made.append(explain(model, people, background=drawn, seed=explanation.seed, **shared))
        else:
            seed = explanation.seed + i
            made.append(again(seed) if again else explain(model, people, background=background, seed=seed, **shared))
            if np.array_equal(made[0].values, explanation.values, equal_nan=True):
                break
    return Replicates(explanation, source, tuple(made))


def _again(explanation: Explanation, source: str) -> Callable[[int], Explanation] | None:
    """Return what makes the explanation of another tool again; None for one that dlx makes."""
    if explanation.method in explainers.names() and explanation.again is None:
        return None
    what = f"{explanation.method} of {explanation.model} was made by another tool"
    if source == "background":
        raise DlxError(f"{what}, whose background dlx cannot change; ask for source='seed'")
    if explanation.again is None:
        raise DlxError(f"{what}; to make it again, bring it in with again=lambda seed: values")
    return explanation.again


def noise_floor(replicates: Replicates, *, k: int = 5, seed: int = 0) -> pd.DataFrame:
    """Return the noise floor of a method, how far it agrees with itself: a line a metric.

    Mean over replicates and people with its 95 % interval over both, chance level, number of replicates, and the rows that
    have a value in every replicate. `k` is how many features count as the top.
    """
    lines, of = [], replicates.of
    about = {"model": of.model, "method": of.method, "scale": of.scale, "source": replicates.source}
    is_certain = all(np.array_equal(other.values, of.values, equal_nan=True) for other in replicates.explanations)
    for metric, values in replicates.metrics(k).items():
        limits, width = None if is_certain else METRICS[metric].limits, of.values.shape[1]
        mean = interval_of_mean(values, within=limits, seed=seed)
        line = about | {"metric": metric, "k": min(k, width), "mean": mean.estimate, "low": mean.low, "high": mean.high}
        line |= {"chance": chance_level(metric, k, width), "replicates": len(values)}
        lines.append(line | counted(~np.isnan(values).any(axis=0), of.failed))
    return pd.DataFrame(lines)


def against_noise(one: Replicates, other: Replicates, *, k: int = 5, seed: int = 0) -> pd.DataFrame:
    """Return the agreement of two methods beside chance and their noise floor: a line a metric.

    The floor is that of the noisier of the two: nobody agrees with it better than it does with itself. The difference
    between floor and agreement is taken person by person and resampled over people and replicates.

    Returns
    -------
    DataFrame
        Agreement with its interval, chance, floor with its interval and the method and model whose floor it is, what the
        pair falls short of the floor with its interval, and the `finding`: `ALIKE`, `DIFFERENT`, `CHANCE`, or why none.

    Raises
    ------
    DlxError
        If the replicates are of different sources, or (`AlignmentError`) the two explanations are not aligned.
    """
    if one.source != other.source:
        raise DlxError(f"replicates must share their source, got {one.source} and {other.source}")
    a, b = one.of, other.of
    refuse_unaligned((a, b))
    width, lines, floors = a.values.shape[1], [], [(some.of, some.metrics(k)) for some in (one, other)]
    for metric, agreement in metrics_by_row(a.values, b.values, k).items():
        noisier, most = min(((of, found[metric]) for of, found in floors), key=lambda floor: _mean(floor[1]))
        short, chance = most - agreement, chance_level(metric, k, width)
        mean, floor = (interval_of_mean(v, within=METRICS[metric].limits, seed=seed) for v in (agreement, most))
        shortfall, counts = interval_of_mean(short, seed=seed), counted(~np.isnan(short).any(axis=0), a.failed | b.failed)
        line = pair_of(a, b) | {"source": one.source, "metric": metric, "k": min(k, width)}
        line |= {"mean": mean.estimate, "low": mean.low, "high": mean.high, "chance": chance, "floor_of": noisier.method}
        line |= {"floor_of_model": noisier.model, **floor.named("floor"), **shortfall.named("shortfall")}
        line |= {"replicates": len(most), **counts}
        lines.append(line | {"finding": _finding(mean, shortfall, chance, counts["rows"])})
    return pd.DataFrame(lines)


def _finding(agreement: Interval, shortfall: Interval, chance: float, people: int) -> str:
    if not people:
        return UNDEFINED
    if chance == 1:
        return UNDECIDED
    if people < FEWEST:
        return TOO_FEW
    if shortfall.low <= 0:
        return ALIKE
    return CHANCE if agreement.low <= chance else DIFFERENT


def _mean(values: np.ndarray) -> float:
    return float(np.nanmean(values)) if not np.isnan(values).all() else np.inf
