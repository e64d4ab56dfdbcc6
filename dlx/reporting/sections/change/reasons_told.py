"""The tables, the figure and the sentences about the reasons of a denial."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import pandas as pd

from dlx import explainers, plots
from dlx.audit.adverse_action import Denial, Grouping, Reason, ReasonMap, Source
from dlx.audit.adverse_action.denials import MOST
from dlx.audit.adverse_action.wording import BETTER
from dlx.context import RunContext
from dlx.reporting.canvas import Figure, canvas_of, embedded, legend
from dlx.reporting.phrases import interval, listed, method_label, percent, says, sentence, share
from dlx.reporting.sections.blocks import Block, Listed, Table
from dlx.stats import CERTAIN

CUTOFF, EVERYBODY = "near the cutoff", "all applicants"
SHOWN_PAIRS = 14  # of the figure; all are in its table
SHOWN_REASONS = 8


@dataclass(frozen=True, eq=False)
class Given:
    """The reasons of a run and what they were made with.

    Parameters
    ----------
    denials : dict of Source to tuple of Denial
        All reasons.
    wording, grouping : ReasonMap, Grouping
        The words, and which columns count as one.
    untrusted : tuple of str
        Which methods were left out, and why.
    """

    denials: dict[Source, tuple[Denial, ...]]
    wording: ReasonMap
    grouping: Grouping
    untrusted: tuple[str, ...]

    @property
    def printable(self) -> int:
        """How many different reasons there are."""
        both = zip(self.grouping.group, self.grouping.names, strict=True)
        return len({group for group, name in both if name not in self.grouping.withheld})

    @property
    def shown(self) -> list[Source]:
        """One source a model and background: by the judge where it is trusted, else by the first method."""
        found: dict[tuple[str, str], Source] = {}
        for source in self.denials:
            if (source.model, source.background) not in found or source.method == explainers.any_model():
                found[source.model, source.background] = source
        return list(found.values())


def example(setting: RunContext, given: Given) -> Table:
    """Return the reasons of the person for whom they depend most on the model and on whom the denied are compared with."""
    by_source = {source: {denial.person: denial for denial in given.denials[source]} for source in given.shown}
    everywhere = [person for person in next(iter(by_source.values())) if all(person in some for some in by_source.values())]
    candidates = everywhere or list(next(iter(by_source.values())))

    def in_common(person: Any) -> int:
        return len(frozenset.intersection(*(some[person].groups for some in by_source.values() if person in some)))

    person = min(candidates, key=in_common)
    told = [by_source[source].get(person) for source in given.shown]
    lines = []
    for rank in range(MOST):
        some = [denial.reasons[rank] if denial is not None and rank < len(denial.reasons) else None for denial in told]
        lines.append((str(rank + 1), *("–" if one is None else _with_value(one) for one in some)))
    methods = listed(list(dict.fromkeys(method_label(source.method) for source in given.shown)))
    target = setting.case.schema.target
    caption = (
        f"One example, the {target.person} whose reasons depend most on the set-up: {target.person} {person}, by {methods}"
    )
    return Table(caption, ("Place", *(f"{source.model}, {source.background}" for source in given.shown)), tuple(lines))


def _with_value(reason: Reason) -> str:
    """Return the words of a reason with the person's value, where they do not say it already."""
    return reason.words if says(reason.words, reason.value) else f"{reason.words} ({reason.value})"


def common(given: Given) -> Table:
    """Return how often each reason is given, in its words, a column a model and background."""
    counts = {source: Counter(w for d in given.denials[source] for w in {r.words for r in d.reasons}) for source in given.shown}
    shares = {source: {w: n / len(given.denials[source]) for w, n in some.items()} for source, some in counts.items()}
    order = sorted({w for some in shares.values() for w in some}, key=lambda w: -sum(s.get(w, 0.0) for s in shares.values()))
    lines = tuple(
        (words, *(percent(shares[source].get(words, 0.0)) for source in given.shown)) for words in order[:SHOWN_REASONS]
    )
    caption = f"The reasons given most often, share of the denied who are given each, among the {MOST} of a person"
    return Table(caption, ("Reason", *(f"{source.model}, {source.background}" for source in given.shown)), lines)


def stability_words(table: pd.DataFrame, together: Grouping) -> tuple[str, ...]:
    """Return how often the set of reasons stays the same when one thing is chosen differently, over all pairs compared."""
    said = []
    for differs, words in (
        ("background", "with all applicants instead of those near the cutoff"),
        ("method", "by another method"),
        ("model", "by another model"),
    ):
        some = table[table["differs"] == differs]
        if len(some):
            said.append(f"{words} for {_range(some)}")
    one = " (columns that count as one are one)" if together.merged() else ""
    return (sentence(f"the set of {MOST} reasons{one} stays the very same, of those whom both deny, {'; '.join(said)}"),)


def _range(some: pd.DataFrame) -> str:
    low, high = (some.loc[place] for place in (some["same"].idxmin(), some["same"].idxmax()))
    least, most = (interval(line["same"], line["same_low"], line["same_high"], percent) for line in (low, high))
    return least if len(some) == 1 else f"{least} to {most}, over {len(some):,} pairs"


def stability_figure(table: pd.DataFrame) -> Figure:
    """Return how far pairs of sources give the same reasons."""
    kept = table.sort_values(["differs", "same"], kind="stable")
    if len(kept) > SHOWN_PAIRS:  # those that agree least, of each kind
        some = SHOWN_PAIRS // kept["differs"].nunique()
        kept = kept.groupby("differs", sort=False).head(some)
    with plots.style():
        canvas, axes = canvas_of(1, 1, width=8.6, height=0.32 * len(kept) + 1.3)
        plots.draw_reason_stability(kept, [_pair_label(line) for line in kept.to_dict("records")], axes.flat[0])
        axes.flat[0].set_xlabel("share of the denied, or of their reasons")
        legend(canvas, axes)
        source = embedded(canvas)
    worst = kept.iloc[int(kept["same"].argmin())]
    alt = f"How often two sources give the same reasons; least often, {percent(worst['same'])}: {_pair_label(dict(worst))}."
    caption = (
        "Pairs that differ in one thing, those that agree least: the share of people with the very same set of reasons, and "
        f"the mean share of reasons in common; {CERTAIN} intervals over people. The stroke is what random sets have in common."
    )
    return Figure(source, alt, caption, "reason_stability")


def _pair_label(line: dict[str, Any]) -> str:
    if line["differs"] == "background":
        return f"background: {line['model']}, {method_label(line['method'])}"
    if line["differs"] == "method":
        pair = f"{method_label(line['one'])} / {method_label(line['other'])}"
        return f"method: {pair}, {line['model']}, {line['background']}"
    return f"model: {line['one']} / {line['other']}, {method_label(line['method'])}, {line['background']}"


def map_of_words(setting: RunContext, given: Given) -> tuple[Block, ...]:
    """Return the map, its version and hash, which columns are one reason, and which methods were not used."""
    schema, together, words = setting.case.schema, given.grouping, given.wording.to_frame()
    merged = "; ".join(listed([schema[name].label for name in some]) for some in together.merged())
    measure = f"association {share(together.threshold)} or more: |Spearman's correlation|, correlation ratio or Cramér's V"
    items = [
        f"Version {given.wording.version}, sha256 {given.wording.sha256}. A level has words of its own where the general ones "
        "would be vague or untrue. Where they are not true of a person's value, nothing is printed, and the column is listed "
        "for review.",
        f"One reason each, contributions summed: {merged} ({measure}, or the same words)."
        if merged
        else f"No columns are one reason ({measure}).",
        *(f"Not used: {why}." for why in given.untrusted),
    ]
    printed = words[~words["column"].isin(together.withheld) & (words["where"] != BETTER)]
    lines = tuple((schema[w.column].label, w.where, w.words) for w in printed.itertuples())
    return (Listed(tuple(items)), Table("The map of words", ("Column", "Where", "Words"), lines))
