"""The words of the section, made of its numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from dlx.audit.mispredictions import Decisions, Slices
from dlx.audit.mispredictions.conditions import DEPTH
from dlx.audit.mispredictions.confidence import FALSE_POSITIVE, KINDS, LEVELS
from dlx.audit.mispredictions.contributions import FEWEST
from dlx.audit.mispredictions.slicing import MOST_TESTED, SIGNIFICANT
from dlx.plots import UNITS
from dlx.reporting.phrases import (
    counted,
    interval,
    listed,
    model_words,
    percent,
    sentence,
    signed,
    thousandths,
    three_decimals,
    two_decimals,
)
from dlx.reporting.sections.errors.drawn import kind_words
from dlx.reporting.sections.errors.measured import EVERYBODY, Found
from dlx.rounding import rounded
from dlx.schema import Target, plural
from dlx.stats import CERTAIN, interval_of_share

LITTLE = LEVELS[1]  # of probability, given to what happened
METHOD = (
    f"Slices were searched on the validation rows: a regression tree of depth {DEPTH} on every column and every pair of "
    f"columns, fitted to the log loss, or to outcome minus probability. At most {counted(MOST_TESTED)} leaves that stand out "
    "most, no two of them much alike, were tested on the test rows alone, and their p-values adjusted by Holm, which holds the "
    f"chance of a false find among all of them at {percent(SIGNIFICANT)}. A slice found by loss is harder than elsewhere "
    "(permutation test): compare its loss with the one that the model's own probabilities expect there. A slice found by risk "
    "is one where the model is wrong: events are more or fewer than it predicts (outcomes drawn from its own probabilities)."
)


def opening(found: Found, target: Target) -> str:
    """Return how often a model errs, and whether it is surer than it should be."""
    judged, parts = found.judged, []
    for kind, outcome in zip(KINDS, (0, 1), strict=True):
        of = judged.outcomes == outcome
        rate = interval_of_share(judged.errors(kind)[of])
        count, all_ = int(judged.errors(kind).sum()), plural(int(of.sum()), target.person)
        parts.append(
            f"{count} of {all_} {'with' if outcome else 'without'} {target.event} {'is' if count == 1 else 'are'} "
            f"{kind_words(kind, target)}: {interval(*rate, percent)}"
        )
    return f"{sentence(f'{model_words(found.model)}: {listed(parts)}')} {_sure(found.sure)}"


def _sure(sure: pd.DataFrame) -> str:
    line = sure[sure["level"] == LITTLE].iloc[0]
    often = f"It gave less than {percent(LITTLE)} to what happened for {plural(int(line['observed']), 'test row')}"
    range_ = (
        f"{rounded(line['expected'], 1)}, {CERTAIN} range {line['low']:.0f} to {line['high']:.0f}, were its probabilities right"
    )
    verdict = "more often" if line["observed"] > line["high"] else "no more often"
    return f"{often}: {verdict} than it should ({range_})."


def hard_and_wrong(found: Sequence[Found]) -> list[str]:
    """Return what the search for slices found, a sentence a model."""
    return [sentence(f"{model_words(one.model)}: {_searched(one)}") for one in found]


def _searched(one: Found) -> str:
    if not one.slices:
        return one.no_slices
    hard, wrong = one.slices
    return f"the loss is higher than elsewhere in {_count(hard)}{_mostly(hard)}; the risk is misjudged in {_count(wrong)}"


def _count(tested: Slices) -> str:
    count = counted(len(tested.found)) if tested.found else "none"
    return f"{count} of {plural(len(tested.slices), 'slice')} tested"


def _mostly(tested: Slices) -> str:
    """Return whether the loss of the slices that were found is what the model itself expects there."""
    some = tested.table[tested.table["found"]]
    if not len(some):
        return ""
    loss, expected = (float(np.average(some[name], weights=some["rows"])) for name in ("loss", "expected_loss"))
    return f" (mean loss {two_decimals(loss)}, where its own probabilities expect {two_decimals(expected)})"


def pushed(found: Found, target: Target) -> list[str]:
    """Return which columns pushed most towards each kind of error, or why that cannot be said."""
    said = []
    for kind in KINDS:
        some = found.pushed[found.pushed["kind"] == kind]
        if not len(some):
            said.append(f"{sentence(model_words(found.model))[:-1]}: {_too_few(found.judged, kind, target)}.")
            continue
        sure = some[some["low"] > 0].head(3)
        names = [f"{line.label}: {interval(line.push, line.low, line.high, signed)}" for line in sure.itertuples()]
        what = f"pushed by {listed(names)}" if names else "no column pushed beyond chance"
        said.append(sentence(f"{model_words(found.model)}, {kind_words(kind, target)}: {what}"))
    return said


def _too_few(judged: Decisions, kind: str, target: Target) -> str:
    """Return which of the two sorts of people is too small to compare the other with."""
    wrong, right = int(judged.errors(kind).sum()), int(judged.hits(kind).sum())
    hit = target.cleared if kind == FALSE_POSITIVE else target.flagged
    if wrong < FEWEST:
        return f"{wrong} {kind_words(kind, target)}, too few to compare"
    return f"{wrong} {kind_words(kind, target)}, {right} rightly {hit}, too few to compare them with"


def losses(found: Found) -> str:
    """Return which columns help and which cost, over everybody."""
    everybody = found.losses[found.losses["slice"] == EVERYBODY].set_index("column")
    columns = everybody[~everybody.index.str.startswith("(")]
    help_ = columns[columns["high"] < 0].iloc[::-1].head(3)["label"].tolist()
    cost = columns[columns["low"] > 0]["label"].head(3).tolist()
    total = everybody.loc["(all columns)"]
    helping = f"{listed(help_)} help{'s' * (len(help_) == 1)} most" if help_ else "no column helps beyond chance"
    costing = f"{listed(cost)} cost{'s' * (len(cost) == 1)}" if cost else "none costs beyond chance"
    start, end = everybody.loc["(mean loss of the background)", "mean"], everybody.loc["(mean loss)", "mean"]
    return sentence(
        f"{model_words(found.model)}: all columns together take the log loss from {two_decimals(start)} to {two_decimals(end)} "
        f"(by {interval(total['mean'], total['low'], total['high'], signed)}); {helping}, {costing}"
    )


def remedied(found: Found) -> str:
    """Return what the remedy did to accuracy, with the paired interval."""
    lines = found.change[found.change["topic"] == "accuracy"].set_index("quantity")
    ranked, loss = lines.loc["auc"], lines.loc["log_loss"]
    parts = [
        f"{name} goes from {three_decimals(line['before'])} to {three_decimals(line['after'])} "
        f"(by {interval(line['difference'], line['low'], line['high'], thousandths)})"
        for name, line in (("ROC AUC", ranked), ("log loss", loss))
    ]
    assert found.fixed is not None
    done = found.fixed.remedy.in_short(found.fixed.recoding)
    verdict = _verdict(ranked, loss)
    return sentence(f"{model_words(found.model)} trained {done}: {listed(parts)}, {verdict}") + _over_seeds(found.seeds)


def _over_seeds(seeds: pd.DataFrame) -> str:
    """Return how the difference in ROC AUC varies with the training seed, a sentence; empty where nothing was trained so."""
    if not len(seeds):
        return ""
    changes = seeds[seeds["quantity"] == "auc"]["difference"].to_numpy()
    signs = set(np.sign(changes.round(3)))
    agree = "the same direction" if signs in ({1.0}, {-1.0}) else "no common direction"
    each = listed([thousandths(change) for change in changes])
    return f" Over {counted(len(changes))} training seeds the change of ROC AUC has {agree}: {each}."


def _verdict(ranked: pd.Series, loss: pd.Series) -> str:
    worse = ranked["high"] < 0 or loss["low"] > 0
    better = ranked["low"] > 0 or loss["high"] < 0
    if worse and better:
        return "better in one and worse in the other on these test rows"
    more = "less" if worse else "more"
    return f"{more} accurate on these test rows, beyond chance" if worse or better else "no difference beyond chance"


def findings(found: Sequence[Found], target: Target) -> tuple[str, ...]:
    """Return the lines for the top of the page."""
    said: list[str] = []
    first = found[0]
    if first.slices:
        said.append(f"{_worst_slice(first.slices[0])}{sentence(f'{model_words(first.model)}: {_searched(first)}')}")
    strongest = [
        f"{kind_words(kind, target)} by {some['label'].iloc[0]} ({signed(some['push'].iloc[0])} {UNITS[some['scale'].iloc[0]]})"
        for kind, some in first.pushed[first.pushed["low"] > 0].groupby("kind", sort=False)
    ]
    if strongest:
        said.append(f"What most pushes {model_words(first.model)} towards errors: {listed(strongest)}.")
    if first.fixed is not None:
        said.append(remedied(first))
    return tuple(said)


def _worst_slice(tested: Slices) -> str:
    """Return the slice of the highest loss among those that were found, as a sentence."""
    if not tested.found:
        return ""
    some = tested.table[tested.table["found"]]
    line = some.loc[some["loss"].idxmax()]
    return (
        f"Where {tested.model} is worst: {line['slice']} ({line['rows']:,} test rows), with a log loss of "
        f"{two_decimals(line['loss'])} against {two_decimals(line['loss_elsewhere'])} elsewhere. "
    )


def evidence(found: Sequence[Found], target: Target) -> dict[str, str]:
    """Return what the section tells the checklist."""
    told = {}
    if any(one.slices for one in found):
        told["slices"] = " ".join(hard_and_wrong([one for one in found if one.slices]))
    causes = [line for one in found for line in pushed(one, target)]
    told["error_causes"] = " ".join(causes)
    if any(one.fixed for one in found):
        told["remedies"] = " ".join(remedied(one) for one in found if one.fixed is not None)
    return told
