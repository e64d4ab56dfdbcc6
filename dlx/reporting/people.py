"""The few people whom the report tells of, and the rule by which each was chosen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dlx.dataset import Dataset
from dlx.model import Model, decided
from dlx.schema import Target


@dataclass(frozen=True)
class Chosen:
    """A person and why they were chosen.

    Parameters
    ----------
    position : int
        Row of the dataset they were chosen from.
    key : str
        Short name, for files.
    title : str
        What kind of case this is, in words.
    rule : str
        How they were found.
    """

    position: int
    key: str
    title: str
    rule: str


def choose(people: Dataset, main: Model, other: Model | None) -> list[Chosen]:
    """Return a clear case, a borderline one, a wrong one, and the one on whom two models differ most.

    Nobody is chosen twice. The wrong one is left out where the model errs about nobody, the last where there is one model.
    """
    target = people.schema.target
    risk = main.predict(people, "probability")
    chosen: list[Chosen] = []
    for key, scores, title, rule in _candidates(target, main, other, people, risk):
        free = np.setdiff1d(np.flatnonzero(np.isfinite(scores)), [one.position for one in chosen])
        if len(free):
            chosen.append(Chosen(int(free[scores[free].argmax()]), key, title, rule))
    return chosen


def _candidates(
    target: Target, main: Model, other: Model | None, people: Dataset, risk: np.ndarray
) -> Sequence[tuple[str, np.ndarray, str, str]]:
    threshold = target.threshold
    candidates = [
        (
            "clear",
            np.where(decided(risk, threshold), risk, -np.inf),
            f"A clear {target.flagging}",
            f"the highest {target.risk} by {main.name}",
        ),
        (
            "borderline",
            -np.abs(risk - threshold),
            "A borderline case",
            f"the {target.risk} by {main.name} that lies closest to the threshold",
        ),
    ]
    if people.outcomes is not None:
        is_wrong = decided(risk, threshold) != (people.outcomes == 1)
        error = np.where(is_wrong, np.abs(risk - people.outcomes), -np.inf)
        candidates.append(
            (
                "wrong",
                error,
                "A wrong prediction",
                f"the largest error of {main.name} on the wrong side of the threshold",
            )
        )
    if other is not None:
        scale = main.scales[0] if main.scales[0] == other.scales[0] else "probability"
        gap = np.abs(main.predict(people, scale) - other.predict(people, scale))
        unit = "log-odds" if scale == "logit" else scale
        candidates.append(
            (
                "disputed",
                gap,
                f"Where {main.name} and {other.name} differ most",
                f"the largest difference of {unit} between {main.name} and {other.name}",
            )
        )
    return candidates
