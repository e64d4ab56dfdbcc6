"""What was found, in sentences that a loan officer or a physician understands, each made from the numbers of the run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from dlx.model import Model, decided
from dlx.reporting.effects.words import what_tells_the_outcome, which_columns_say_the_same
from dlx.reporting.evidence import words as evidence_words
from dlx.reporting.people import Chosen
from dlx.reporting.phrases import (
    article,
    counted,
    interval,
    listed,
    method_label,
    model_words,
    percent,
    risk_percent,
    says,
    sentence,
    signed,
    threshold_percent,
    two_decimals,
)
from dlx.reporting.study import Study, top_features
from dlx.reporting.verdicts import model_verdict, verdict_sentence
from dlx.rounding import rounded
from dlx.stats import auc_difference

if TYPE_CHECKING:
    import pandas as pd

REASONS = 4


def findings(study: Study) -> list[str]:
    """Return what was found, the most useful first."""
    parts = (
        _what_tells_all,
        _who_predicts_best,
        _whom_it_flags,
        _what_matters,
        _how_methods_agree,
        _how_much_is_set_up,
        _how_close_to_the_truth,
        _where_models_differ,
        _what_to_doubt,
    )
    return [sentence(text) for part in parts if (text := part(study))]


@dataclass(frozen=True)
class Reason:
    """A column that pushed a person's risk, as most methods see it.

    Parameters
    ----------
    words : str
        The reason in words, or the column's name where it lowers the risk.
    value : str
        The person's value, in words.
    support, methods : int
        How many methods put it among the person's top columns with this sign, and how many were asked.
    """

    words: str
    value: str
    support: int
    methods: int

    @property
    def is_said(self) -> bool:
        """Whether the words say the value already."""
        return says(self.words, self.value)


@dataclass(frozen=True)
class Story:
    """What the report tells of one person.

    Parameters
    ----------
    chosen : Chosen
        Who, and why they.
    name : str
        The row's name in the table.
    opening, verdict, contrast : str
        What the models say; how far the trusted methods agree; why the models differ ("" where there is one).
    raises, lowers : list of Reason
        What pushed the risk up and down, by the methods' consensus.
    withheld : str
        A remark on protected attributes that are not given as reasons; "" where there is none.
    """

    chosen: Chosen
    name: str
    opening: str
    verdict: str
    contrast: str
    raises: list[Reason]
    lowers: list[Reason]
    withheld: str


def story(study: Study, chosen: Chosen) -> Story:
    """Return what the report tells of one person."""
    name = str(study.people.index[chosen.position])
    raises, withheld_up = _reasons(study, chosen.position, sign=1)
    lowers, withheld_down = _reasons(study, chosen.position, sign=-1)
    withheld = " ".join(filter(None, (withheld_up, withheld_down)))
    position = chosen.position
    opening, contrast = _opening(study, chosen, name), _contrast(study, position)
    return Story(chosen, name, opening, verdict_sentence(study, position), contrast, raises, lowers, withheld)


def what_goes_together(study: Study) -> list[str]:
    """Return which columns alone tell the outcome, and which say the same: what importance must be read with."""
    table = study.effects.importance
    return [text for text in (what_tells_the_outcome(table), which_columns_say_the_same(table)) if text]


def _what_tells_all(study: Study) -> str:
    return what_tells_the_outcome(study.effects.importance)


def _who_predicts_best(study: Study) -> str:
    target = study.case.schema.target
    table = study.performance[study.performance["metric"] == "auc"].set_index("model")
    best = table["estimate"].idxmax()
    shown = [model for model in (study.main, study.other) if model is not None and model.name != best]
    words = {model.name: model_words(model) for model in study.models}
    text = (
        f"the best ranking of people is that of {words[best]}: shown {article(target.person)} with {target.event} and one "
        f"without, it gives the first the higher risk {_in_pairs(table, best)}"
    )
    if shown:
        text += f"; {listed([f'{words[m.name]} {_in_pairs(table, m.name)}' for m in shown])}"
        text += f". {_difference(study, next(m for m in study.models if m.name == best))}"
    return text


def _difference(study: Study, best: Model) -> str:
    """Return which models the best one's AUC is ahead of beyond noise, of all that there are, by DeLong's paired interval."""
    test, others = study.case.test, [model for model in study.models if model is not best]
    assert test.outcomes is not None
    own = best.predict(test, "probability")
    gains = [auc_difference(test.outcomes, own, model.predict(test, "probability")) for model in others]
    ahead = [model.name for model, gain in zip(others, gains, strict=True) if gain.low > 0]
    if not ahead:
        return f"With {len(test):,} people to test on, that does not show a difference"
    of = f" of the {counted(len(others))} others" if len(others) > 1 else ""
    text = (
        f"Among the same {len(test):,} people {best.name} is ahead beyond noise of {counted(len(ahead))}{of}: {listed(ahead)}"
    )
    return text + ("; it was chosen as the best on these people, which flatters it" if len(others) > 1 else "")


def _in_pairs(table: pd.DataFrame, model: str) -> str:
    line = table.loc[model]
    return f"in {interval(line['estimate'], line['low'], line['high'], percent)} of all pairs"


def _whom_it_flags(study: Study) -> str:
    target, test = study.case.schema.target, study.case.test
    assert test.outcomes is not None
    is_flagged = study.main.decide(test)
    is_positive = test.outcomes == 1
    missed, wrongly = int((~is_flagged & is_positive).sum()), int((is_flagged & ~is_positive).sum())
    return (
        f"by {model_words(study.main)}, at a threshold of {threshold_percent(target)}, {int(is_flagged.sum()):,} of "
        f"{len(test):,} people are {target.flagged}. Of these, {wrongly:,} did not have {target.event}; of the "
        f"{int(is_positive.sum()):,} people who had {target.event}, {missed:,} are {target.cleared}"
    )


def _what_matters(study: Study) -> str:
    texts = [_first_column(study, model) for model in (study.main, study.other) if model is not None]
    return ". ".join(sentence(text).rstrip(".") for text in texts)


def _first_column(study: Study, model: Model) -> str:
    explained = [study.on_panel(model, method) for method in study.methods_of(model)]
    schema = study.case.schema
    if all(e.importance.max() < 1e-9 for e in explained):
        return f"{model_words(model)} predicts the same for everybody"
    first, *next_two = [schema[name].label for name in top_features(explained, 3)]
    firsts = [schema.labels[int(e.importance.argmax())] for e in explained]
    votes = f"{firsts.count(first)} of {len(firsts)} methods" if len(firsts) > 1 else method_label(explained[0].method)
    after = f"; {listed([f'“{label}”' for label in next_two])} come next" if next_two else ""
    return f"what moves the predictions of {model_words(model)} most is “{first}”, first by {votes}{after}"


def _how_methods_agree(study: Study) -> str:
    compared = study.methods_compared(study.main)
    if compared is None or len(study.case.schema) == 1:
        return ""
    table = compared.agreement(study.top)
    some = table[table["metric"] == "feature_agreement"].dropna(subset=["mean"]).sort_values("mean", kind="stable")
    if not len(some):
        return ""
    low, high, k = some.iloc[0], some.iloc[-1], int(some["k"].iloc[0])
    if k == 1:
        return (
            f"asked about the same people, two methods put the same column of {model_words(study.main)} first for "
            f"{percent(some['mean'].mean())} of them on average; by chance it would be {percent(low['chance'])}"
        )
    return (
        f"asked about the same people, two methods name on average {rounded(k * some['mean'].mean(), 1)} of the same {k} most "
        f"important columns of {model_words(study.main)}: from {rounded(k * low['mean'], 1)} "
        f"({method_label(low['method'])} and {method_label(low['other_method'])}) to {rounded(k * high['mean'], 1)} "
        f"({method_label(high['method'])} and {method_label(high['other_method'])}); by chance it would be "
        f"{rounded(k * low['chance'], 1)}"
    )


def _how_much_is_set_up(study: Study) -> str:
    said = evidence_words.why_they_differ(study)
    return said[0] if said else ""


def _how_close_to_the_truth(study: Study) -> str:
    table = study.harmony.distances
    some = table[(table["measure"] == "relative_error") & (table["model"] == study.main.name)]
    some = some.dropna(subset=["median"]).sort_values("median", kind="stable")
    if not len(some):
        return ""
    close, far = some.iloc[0], some.iloc[-1]
    if len(some) == 1:
        return (
            f"{method_label(close['method'])} comes within {percent(close['median'])} of the Shapley values of "
            f"{model_words(study.main)} for half of the people"
        )
    return (
        f"of the methods that explain {model_words(study.main)}, {method_label(close['method'])} comes closest to the Shapley "
        f"values ({percent(close['median'])} off for half of the people), {method_label(far['method'])} is furthest from them "
        f"({percent(far['median'])})"
    )


def _where_models_differ(study: Study) -> str:
    if study.other is None:
        return ""
    test, threshold = study.case.test, study.case.schema.target.threshold
    one, two = (model.predict(test, "probability") for model in (study.main, study.other))
    alike = int((decided(one, threshold) == decided(two, threshold)).sum())
    return (
        f"{model_words(study.main)} and {model_words(study.other)} decide alike about {alike:,} of {len(test):,} people; "
        f"the risks that they give are {rounded(float(np.abs(one - two).mean()), 1, 100)} percentage points apart on average"
    )


def _what_to_doubt(study: Study) -> str:
    caveats = study.case.card.caveats
    text = "an explanation tells what the model does with a person's data, not what causes the outcome"
    return f"{text}. {caveats[0]}" if caveats else text


def _opening(study: Study, chosen: Chosen, name: str) -> str:
    target, person = study.case.schema.target, study.people[chosen.position]
    said = []
    for model in (study.main, study.other):
        if model is not None:
            risk = float(model.predict(person, "probability")[0])
            verdict = target.flagged if model.decide(person)[0] else target.cleared
            said.append(f"{risk_percent(risk, target)} by {model_words(model)} ({verdict})")
    text = sentence(f"{target.person} {name}. The {target.risk} is {listed(said)}")
    if person.outcomes is not None:
        happened = "had" if person.outcomes[0] == 1 else "did not have"
        text += f" In the data this {target.person} {happened} {target.event}."
    return text


def _reasons(study: Study, position: int, *, sign: int) -> tuple[list[Reason], str]:
    schema, found, rules = study.case.schema, model_verdict(study, study.main, position), study.reason_rules
    reasons: dict[str, Reason] = {}
    withheld: list[str] = []
    against: list[str] = []
    if found is None:
        return [], ""
    never = rules.grouping.withheld if schema.target.adverse_action else frozenset()
    for i in np.argsort(-sign * found.share, kind="stable"):
        feature, code = schema.features[i], float(study.people.rows[position, i])
        if len(reasons) == REASONS or sign * found.share[i] <= 0:
            break
        if not found.is_reason(i):
            continue
        if feature.name in never:
            withheld.append(feature.label)
        elif sign > 0 and rules.goes_against(int(i), code):
            against.append(feature.label)
        else:
            words = rules.words(int(i), code) if sign > 0 else feature.label
            reasons.setdefault(words, Reason(words, feature.format(code), int(found.support[i]), found.methods))
    return list(reasons.values()), _untold(withheld, against, "raises" if sign > 0 else "lowers")


def _untold(withheld: list[str], against: list[str], moved: str) -> str:
    """Return what moved the risk but is no reason: protected attributes and stand-ins, and what goes against its words."""
    moved_by = {True: moved, False: moved.removesuffix("s")}
    said = []
    if withheld:
        one, several = "a protected attribute, or a stand-in for one, is", "protected attributes, and stand-ins for them, are"
        said.append(
            f"{listed([f'“{label}”' for label in withheld])} {moved_by[len(withheld) == 1]} the risk too: "
            f"{one if len(withheld) == 1 else several} never given as a reason, but a reviewer must know of it."
        )
    if against:
        said.append(
            f"{listed([f'“{label}”' for label in against])} {moved_by[len(against) == 1]} the risk although the value speaks "
            "against that: no reason to give, but one for review."
        )
    return " ".join(said)


def _contrast(study: Study, position: int) -> str:
    compared = study.contrast()
    if compared is None or study.other is None:
        return ""
    values, schema = compared.values[position], study.case.schema
    largest = np.argsort(-np.abs(values), kind="stable")[:3]
    parts = [f"“{schema.features[i].label}” {signed(values[i])}" for i in largest]
    person, difference = study.people[position], compared.outputs[position]
    higher, lower = (study.main, study.other) if difference > 0 else (study.other, study.main)
    target = schema.target
    risks = [risk_percent(float(model.predict(person, "probability")[0]), target) for model in (higher, lower)]
    return sentence(
        f"the higher risk is that of {model_words(higher)}, {two_decimals(abs(difference))} log-odds above that of "
        f"{model_words(lower)} ({risks[0]} against {risks[1]}). Counted as {study.main.name} minus {study.other.name}, "
        f"{signed(difference)} in all, the base values account for {signed(compared.base_values[position])} and the columns "
        f"for {signed(values.sum())}, above all {listed(parts)}"
    )
