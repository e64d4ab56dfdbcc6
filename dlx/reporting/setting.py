"""What every question of a report is asked with: the people, the background, and what explains."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dlx.comparison import Laboratory
from dlx.dataset import Dataset
from dlx.explanation import Explanation
from dlx.model import LinearModel, Model, TreeModel
from dlx.progress import Narrator, Update
from dlx.reporting.depth import Depth
from dlx.reporting.kept import Keeper

MOST_TOP = 5
Pair = tuple[str, str]
Siblings = Mapping[str, Sequence[Model]]


@dataclass(frozen=True)
class Setting:
    """What every question is asked with.

    Parameters
    ----------
    case : Dataset
        All rows.
    panel, background : Dataset
        The people whom every method explains, and the reference rows.
    seed : int
        Seed of everything random.
    depth : Depth
        How much is measured.
    keeper : Keeper
        What explains.
    narrator : Narrator
        Says what is going on.
    """

    case: Dataset
    panel: Dataset
    background: Dataset
    seed: int
    depth: Depth
    keeper: Keeper
    narrator: Narrator

    def explain(self, model: Model, rows: Any, method: str, **asked: Any) -> Explanation:
        """Return an explanation on the model's own scale, unless another is asked for."""
        shared: dict[str, Any] = {"background": self.background, "scale": model.scales[0], "seed": self.seed}
        return self.keeper.explain(model, rows, method=method, **(shared | asked))

    @property
    def top(self) -> int:
        """How many columns of a person count as the most important."""
        return top_of(self.case)

    def laboratory(self, explain: Callable[..., Explanation]) -> Laboratory:
        """Return some people, to be explained as the libraries come."""
        people = self.panel[: self.depth.settings_people]
        return Laboratory(people, self.background, self.case.train, self.seed, explain)


def top_of(case: Dataset) -> int:
    """Return how many columns count as the most important: five, but no more than half of them, so that it says something."""
    return min(MOST_TOP, max(1, len(case.schema) // 2))


def is_opaque(model: Model) -> bool:
    """Whether a model cannot be read without a method: neither linear nor a single tree."""
    return not isinstance(model, LinearModel) and not (isinstance(model, TreeModel) and len(model.trees) == 1)


def counting(function: Callable[..., Explanation], update: Update, total: int) -> Callable[..., Explanation]:
    """Return the function, which tells after each call how many there were."""
    done = 0

    def counted(*arguments: Any, **options: Any) -> Explanation:
        nonlocal done
        found = function(*arguments, **options)
        done += 1
        update(done, max(done, total))
        return found

    return counted
