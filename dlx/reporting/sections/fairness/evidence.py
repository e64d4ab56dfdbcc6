"""What an audit measures of the treatment of groups, all of it in tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dlx import explainers
from dlx.audit.adverse_action import Proxies, Proxy
from dlx.audit.fairness.contributions import contrasts, explained_gap
from dlx.audit.fairness.groups import Partition, compared, intersections
from dlx.audit.fairness.proxies import PROXY_AUC, carriers, column_proxies, proxy_strength
from dlx.audit.fairness.rates import group_rates
from dlx.background import sample
from dlx.context import RunContext, is_black_box
from dlx.dataset import Dataset
from dlx.explanation import Explanation
from dlx.model import Model
from dlx.remedies import recipe_of
from dlx.remedies.mitigation import REWEIGHED, mitigations

if TYPE_CHECKING:
    import pandas as pd

MOST_EXPLAINED = 1_200  # people whose contributions make the gaps
STRONGEST = 2  # proxies that are dropped with their column
CARRIED = ("model", "attribute", "group", "column", "carried")  # what is asked of `carriers`


@dataclass(frozen=True, eq=False)
class FairnessEvidence:
    """Everything that was measured.

    Parameters
    ----------
    refused : list of Partition
        By which nobody may be compared.
    shown, others, crossed : list of Partition
        Those that the page shows, the other protected columns, and pairs of those shown that can be judged.
    black_boxes : list of Model
        Those that were explained and mended.
    rates, gaps : DataFrame
        `GroupRates.to_frame()` and `GroupRates.gaps()` of every model and partition.
    proxies, carriers : DataFrame
        How well the rest tells the groups shown, and through which columns the black boxes could.
    parts : DataFrame
        `explained_gap` of the black boxes and every contrast of the groups shown.
    stand_ins : DataFrame
        The columns that by themselves tell only a finer group by a protected column shown, one that reasons are held against.
    mitigation : DataFrame
        `mitigations` of the black boxes and the groups shown that can be judged.
    """

    refused: list[Partition]
    shown: list[Partition]
    others: list[Partition]
    crossed: list[Partition]
    black_boxes: list[Model]
    rates: pd.DataFrame
    gaps: pd.DataFrame
    proxies: pd.DataFrame
    carriers: pd.DataFrame
    parts: pd.DataFrame
    stand_ins: pd.DataFrame
    mitigation: pd.DataFrame

    @property
    def not_trained_again(self) -> list[str]:
        """Names of the models that no remedy could train again."""
        again = set() if self.mitigation.empty else set(self.mitigation.loc[self.mitigation["remedy"] == REWEIGHED, "model"])
        return [model.name for model in self.black_boxes if model.name not in again]

    def gap(self, model: str, by: Partition, rate: str) -> pd.Series:
        """Return the line of a gap."""
        lines = self.gaps
        return lines[(lines["model"] == model) & (lines["attribute"] == by.name) & (lines["rate"] == rate)].iloc[0]

    def can_be_judged(self, by: Partition, rate: str) -> bool:
        """Whether two groups or more have enough people for a rate."""
        return bool(self.gap(self.black_boxes[0].name, by, rate)["lowest"])

    def is_even(self, by: Partition, rate: str) -> bool:
        """Whether every black box has the same rate in every group that can be judged, as where nobody is flagged."""
        return all(self.gap(model.name, by, rate)["difference"] == 0 for model in self.black_boxes)


def fairness_evidence(setting: RunContext, models: Sequence[Model]) -> FairnessEvidence | None:
    """Return what was measured; None where the table has no protected column."""
    every = compared(setting.case)
    if not every:
        return None
    named = setting.case.schema.target.fairness_by
    refused, fit = [by for by in every if by.objection], [by for by in every if not by.objection]
    shown = [by for by in fit if not named or by.name in named]
    others = [by for by in fit if by not in shown]
    black_boxes = [model for model in models if is_black_box(model)] or list(models)
    rates, gaps = _treatment(setting, models, [*shown, *others], "Comparing groups")
    crossed = intersections(setting.case, [by.name for by in _judged(shown, gaps)])
    more_rates, more_gaps = _treatment(setting, models, crossed, "Comparing groups of two columns at once")
    rates, gaps = _stacked([rates, more_rates]), _stacked([gaps, more_gaps])
    told, carried, parts = _explained(setting, black_boxes, shown)
    alone = _alone(setting, shown, carried)
    mended = _mended(setting, black_boxes, _judged(shown, gaps), carried)
    return FairnessEvidence(refused, shown, others, crossed, black_boxes, rates, gaps, told, carried, parts, alone, mended)


def architecture_of(model: Model, seed: int) -> str | None:
    """Return what dlx trained a model as, with a seed; None for a model of one's own, whatever its name."""
    made_by = model.provenance
    return made_by.architecture if made_by is not None and made_by.seed == seed else None


def _treatment(
    setting: RunContext, models: Sequence[Model], every: Sequence[Partition], step: str
) -> tuple[pd.DataFrame, pd.DataFrame]:
    rates: list[pd.DataFrame] = []
    gaps: list[pd.DataFrame] = []
    if not every:
        return _stacked(rates), _stacked(gaps)
    with setting.narrator.step(step, "comparisons") as update:
        for model in models:
            for by in every:
                treated = group_rates(model, setting.case.test, by, seed=setting.seed)
                rates.append(treated.to_frame())
                gaps.append(treated.gaps())
                update(len(rates), len(models) * len(every))
    return _stacked(rates), _stacked(gaps)


def _explained(
    setting: RunContext, black_boxes: Sequence[Model], shown: Sequence[Partition]
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return how well the rest tells the groups, through which columns, and what the gaps in output are made of."""
    people = sample(setting.case.test, MOST_EXPLAINED, seed=setting.seed)
    methods = {model: explainers.best_shapley(model, model.scales[0]) for model in (black_boxes if shown else ())}
    explained = [setting.explain(model, people, method) for model, method in methods.items()]
    told, carried, parts = [], [], []
    with setting.narrator.step("Proxies of protected columns and gaps of explanations", "columns") as update:
        for count, by in enumerate(shown, start=1):
            found = proxy_strength(setting.case, by, seed=setting.seed)
            told.append(found)
            for group in found.loc[found["objection"] == "", "group"]:
                alone = column_proxies(setting.case, by, group, seed=setting.seed)
                carried += [carriers(explanation, alone, seed=setting.seed) for explanation in explained]
            parts += _parts(setting, explained, people, by)
            update(count, len(shown))
    return _stacked(told), _stacked(carried, CARRIED), _stacked(parts)


def _alone(setting: RunContext, shown: Sequence[Partition], carried: pd.DataFrame) -> pd.DataFrame:
    """Return the columns that tell only a finer group by a protected number beyond doubt: those that reasons leave out."""
    import pandas as pd

    found = Proxies.of(setting.case.train)
    known = carried[(1 + carried["tells_low"]) / 2 > PROXY_AUC] if len(carried) else carried
    told = [
        (name, *proxy)
        for by in shown
        for name, proxy in found.of_attribute(by.name).items()
        if proxy.low > PROXY_AUC and name not in set(known.loc[known["attribute"] == by.name, "column"])
    ]
    return pd.DataFrame(told, columns=["column", *Proxy._fields])


def _parts(setting: RunContext, explained: Sequence[Explanation], people: Dataset, by: Partition) -> list[pd.DataFrame]:
    return [
        explained_gap(explanation, people, by, group, against, seed=setting.seed)
        for explanation in explained
        for group, against in contrasts(people, by)
    ]


def _mended(
    setting: RunContext, black_boxes: Sequence[Model], judged: Sequence[Partition], carried: pd.DataFrame
) -> pd.DataFrame:
    tables = []
    with setting.narrator.step("Remedies for unequal treatment", "models") as update:
        for by in judged:
            for model in black_boxes:
                lines = carried[(carried["attribute"] == by.name) & (carried["model"] == model.name)]
                strongest = lines.sort_values("carried", ascending=False)["column"].drop_duplicates()[:STRONGEST]
                made_by = recipe_of(model, setting.case)
                seed = setting.seed if made_by is None else made_by.seed
                tables.append(mitigations(setting.case, model, by, made_by=made_by, proxies=tuple(strongest), seed=seed))
                update(len(tables), len(judged) * len(black_boxes))
    return _stacked(tables)


def _judged(shown: Sequence[Partition], gaps: pd.DataFrame) -> list[Partition]:
    """Return the partitions of which at least one gap in a decision can be judged."""
    judged = set() if gaps.empty else set(gaps.loc[gaps["lowest"] != "", "attribute"])
    return [by for by in shown if by.name in judged]


def _stacked(tables: Sequence[pd.DataFrame], columns: Sequence[str] = ()) -> pd.DataFrame:
    """Return all tables in one; an empty one of these columns where there is none."""
    import pandas as pd

    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=list(columns))
