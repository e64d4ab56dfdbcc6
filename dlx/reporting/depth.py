"""How much a report measures: enough for a first look, or all of it."""

from __future__ import annotations

from dataclasses import dataclass

TRAINING_SEEDS = 5  # besides the model's own


@dataclass(frozen=True)
class Depth:
    """How many people and replicates each question is given.

    Parameters
    ----------
    name : str
        "quick" or "thorough".
    noise_people, replicates : int
        People whose explanations are made again, and how often.
    judge_tolerance : float
        Standard errors of sampled Shapley values, as a share of their length, that are good enough.
    settings_people : int
        People who are explained as the libraries come.
    stability_people, sanity_people : int
        People whose neighbours are explained, and who are explained by randomised nets.
    """

    name: str
    noise_people: int
    replicates: int
    judge_tolerance: float
    settings_people: int
    stability_people: int = 0
    sanity_people: int = 0

    @property
    def is_thorough(self) -> bool:
        """Whether everything is measured, of every model that cannot be read."""
        return self.name == "thorough"


QUICK = Depth("quick", noise_people=8, replicates=10, judge_tolerance=0.02, settings_people=6)
THOROUGH = Depth(
    "thorough", noise_people=20, replicates=20, judge_tolerance=0.01, settings_people=8, stability_people=10, sanity_people=12
)
