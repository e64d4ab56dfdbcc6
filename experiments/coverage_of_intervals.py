"""How often the 95 % intervals of dlx hold the truth where counts are small: `python experiments/coverage_of_intervals.py`.

People are drawn from a world in which the truth is known, again and again; the table goes to the .md beside this file.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from running import run
from scipy.special import expit

from dlx.audit.decisions import costs
from dlx.audit.fairness import group_rates, partition
from dlx.audit.fairness.rates import FALSE_POSITIVE, SELECTED, TRUE_POSITIVE
from dlx.audit.metrics import METRICS
from dlx.audit.miscalibration import fitted_stretch, intercept_interval, log_odds, slope_interval
from dlx.dataset import Dataset
from dlx.effects import permutation_importance
from dlx.model import BlackBox
from dlx.schema import Feature, Schema, Target
from dlx.stats import Interval, interval_of_mean, interval_over, means_of
from dlx.threads import one_thread

HERE = Path(__file__).parent
MANY = 1_000_000  # people of whom the truth is taken
THRESHOLD = 0.2
SCHEMA = Schema(
    (Feature("risk"), Feature("group", "categorical", levels=("a", "b"), protected=True)), Target("bad", levels=("no", "yes"))
)
MODEL = BlackBox(lambda table: table["risk"], SCHEMA, scales=("probability", "logit"))


class World(NamedTuple):
    """People whose log-odds are normal, and whose predicted risks are right."""

    people: int
    mean: float
    spread: float

    def __str__(self) -> str:
        events = expit(np.random.default_rng(0).normal(self.mean, self.spread, MANY)).mean() * self.people
        return f"{self.people} people, {events:.0f} events on average"

    def draw(self, rng: np.random.Generator, count: int | None = None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return outcomes, risks and the risks of a blurred model, of people with at least two of each outcome."""
        while True:
            odds = rng.normal(self.mean, self.spread, self.people if count is None else count)
            outcomes = (rng.random(len(odds)) < expit(odds)).astype(float)
            if 2 <= outcomes.sum() <= len(odds) - 2:
                return outcomes, expit(odds), expit(odds + rng.normal(0, 0.5, len(odds)))


WORLDS = (World(120, -2.6, 1.2), World(120, -3.0, 2.2), World(60, -1.0, 1.0), World(400, -3.0, 1.3), World(1_000, -1.0, 1.2))
Found = Iterator[tuple[str, Interval, float]]  # what, its interval, the truth


def of_metrics(world: World, seed: int) -> Callable[[np.random.Generator], Found]:
    """Return what draws people and gives the intervals of accuracy, of a difference, and of the cost."""
    outcomes, risks, blurred = world.draw(np.random.default_rng(seed), MANY)
    truth = {name: metric(outcomes, risks) for name, metric in METRICS.items()}
    gains = {name: truth[name] - metric(outcomes, blurred) for name, metric in METRICS.items()}
    cost = float(costs(outcomes, risks >= THRESHOLD, THRESHOLD).mean())

    def drawn(rng: np.random.Generator) -> Found:
        outcomes, risks, blurred = world.draw(rng)
        for name, metric in METRICS.items():
            yield name, metric.interval(outcomes, risks, seed=int(rng.integers(2**31))), truth[name]
            yield f"{name}, difference", metric.gain(outcomes, risks, blurred), gains[name]
        each = costs(outcomes, risks >= THRESHOLD, THRESHOLD)
        yield "cost", interval_over(partial(means_of, values=each), outcomes), cost

    return drawn


def of_calibration(world: World, _seed: int) -> Callable[[np.random.Generator], Found]:
    """Return what draws people and gives the intervals of calibration; of the test, whether it lets a right model pass."""

    def drawn(rng: np.random.Generator) -> Found:
        outcomes, risks, _ = world.draw(rng)
        odds = log_odds(risks)
        yield "calibration intercept", intercept_interval(odds, outcomes), 0.0
        yield "calibration slope", slope_interval(odds, outcomes), 1.0
        passes = float(fitted_stretch(odds, outcomes)[2] >= 0.05)
        yield "no call for recalibration", Interval(1.0, 1.0, 1.0), passes

    return drawn


def of_groups(world: World, seed: int) -> Callable[[np.random.Generator], Found]:
    """Return what draws two groups, the first twice as large, and gives the intervals of their rates, gaps and ratios."""
    people = world.draw(np.random.default_rng(seed), MANY)
    of = {name: _rates(*people[:2])[name] for name in (SELECTED, TRUE_POSITIVE, FALSE_POSITIVE)}

    def drawn(rng: np.random.Generator) -> Found:
        outcomes, risks, _ = world.draw(rng)
        group = (np.arange(len(risks)) % 3 == 0).astype(float)
        some = Dataset(SCHEMA, np.column_stack([risks, group]), outcomes)
        found = group_rates(MODEL, some, partition(some, "group"), threshold=THRESHOLD, seed=int(rng.integers(2**31)))
        table = found.to_frame().set_index(["rate", "group"])
        gaps = found.gaps().set_index("rate")
        for name, rate in of.items():
            line = table.loc[(name, "b")]
            if not line["objection"]:
                yield f"{name} of a group", Interval(line["estimate"], line["low"], line["high"]), rate
            gap = gaps.loc[name]
            sign = 1 if gap["lowest"] == "a" else -1
            if gap["lowest"]:
                ends = sorted((sign * gap["difference_low"], sign * gap["difference_high"]))
                yield f"{name}, gap", Interval(sign * gap["difference"], *ends), 0.0

    return drawn


def _rates(outcomes: np.ndarray, risks: np.ndarray) -> dict[str, float]:
    flagged = risks >= THRESHOLD
    return {
        SELECTED: flagged.mean(),
        TRUE_POSITIVE: flagged[outcomes == 1].mean(),
        FALSE_POSITIVE: flagged[outcomes == 0].mean(),
    }


def of_importance(people: int, share: float) -> Callable[[np.random.Generator], Found]:
    """Return what draws people of two columns and gives the intervals of their permutation importance; a share has outcomes."""
    slopes, schema = np.array([1.0, 0.3]), Schema((Feature("strong"), Feature("weak")))
    model = BlackBox(lambda table: expit(table.to_numpy() @ slopes), schema, scales=("probability", "logit"))

    def drop(rng: np.random.Generator, count: int, repeats: int) -> pd.DataFrame:
        rows = rng.normal(size=(count, 2))
        outcomes = (rng.random(count) < expit(rows @ slopes + np.log(share / (1 - share)))).astype(float)
        asked = {"metric": "auc", "repeats": repeats, "seed": int(rng.integers(2**31))}
        return permutation_importance(model, Dataset(schema, rows, outcomes), **asked).set_index("feature")

    truth = drop(np.random.default_rng(0), MANY // 5, 3)["importance"]

    def drawn(rng: np.random.Generator) -> Found:
        for line in drop(rng, people, 5).itertuples():
            yield f"importance of a {line.Index} column", Interval(line.importance, line.low, line.high), truth[line.Index]

    return drawn


def of_agreement(people: int, share: float) -> Callable[[np.random.Generator], Found]:
    """Return what draws how many of five top columns two methods share, person by person."""

    def drawn(rng: np.random.Generator) -> Found:
        kept = rng.binomial(5, rng.beta(6 * share, 6 * (1 - share), people)) / 5
        yield "share of the top columns", interval_of_mean(kept, within=(0, 1), seed=int(rng.integers(2**31))), share

    return drawn


def cover(draw: Callable[[np.random.Generator], Found], repeats: int, seed: int) -> dict[str, tuple[float, float, int]]:
    """Return how often each interval holds the truth, its mean width, and in how many samples there was one."""
    held: dict[str, list[tuple[bool, float]]] = {}
    rng = np.random.default_rng(seed)
    for _ in range(repeats):
        for what, found, truth in draw(rng):
            if found.estimate == found.estimate:
                held.setdefault(what, []).append((found.low <= truth <= found.high, found.high - found.low))
    return {what: (*np.mean(np.array(some, dtype=float), axis=0), len(some)) for what, some in held.items()}


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="only of whom this text tells, to the screen")
    asked = parser.parse_args()
    settings: list[tuple[str, Callable[[np.random.Generator], Found]]] = [
        (str(world), made(world, asked.seed)) for world in WORLDS for made in (of_metrics, of_calibration, of_groups)
    ]
    settings += [
        (f"{n} people, about {n * p:.0f} events", of_importance(n, p))
        for n, p in ((60, 0.3), (150, 0.5), (150, 0.15), (400, 0.1))
    ]
    settings += [(f"{n} people", partial(of_agreement(n, share))) for n in (8, 20, 40) for share in (0.5, 0.9)]
    lines = []
    with one_thread():
        for words, draw in [setting for setting in settings if asked.only in setting[0]]:
            found = cover(draw, asked.repeats, asked.seed)
            lines += [f"| {what} | {words} | {held:.3f} | {width:.3f} | {n:,} |" for what, (held, width, n) in found.items()]
    header = f"""# What the intervals cover

Share of {asked.repeats:,} samples whose 95 % interval holds the truth, and the mean width of the interval, by
`python experiments/coverage_of_intervals.py`. The world's risks are right, so that the truth is known. Flags and costs
are those of a threshold of {THRESHOLD:g}. "No call for recalibration" is the share of calibrated models that the test
lets pass. Where fewer samples are named, the others had too few in a group, of which dlx gives no rate.

| what | of whom | covers | width | samples |
|---|---|---|---|---|
"""
    if asked.only:
        print("\n".join(lines))
        return
    (HERE / "coverage_of_intervals.md").write_text(header + "\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    run(main)
