"""What the methods whose word counts say together of one person, and which order of columns is more than noise."""

from __future__ import annotations

from typing import Any

import numpy as np

from dlx.comparison.trustworthiness import Consensus, consensus
from dlx.dataset import Dataset
from dlx.model import Model
from dlx.reporting.phrases import counted, listed, model_words, sentence
from dlx.reporting.study import Study


def model_verdict(study: Study, model: Model, position: int) -> Consensus | None:
    """Return what the methods whose word counts say together of one person of the panel; None where there is none."""
    counting = [study.on_panel(model, method) for method in study.harmony.believed(model)]
    again = [*study.harmony.of(model, "background"), *study.harmony.of(model, "seed")]
    return consensus(counting, position, replicates=again, k=study.top) if counting else None


def whose_word(study: Study, model: Model) -> str:
    """Return whose word counts about a model: "trusted methods", or, where trust was not earned, those not refuted."""
    if study.harmony.is_trusted(model):
        return "trusted methods"
    return "methods that nothing refutes (trust was not earned: not all that it needs was measured)"


def verdict_sentence(study: Study, position: int) -> str:
    """Return how far the methods whose word counts agree about one person, and which order is more than noise."""
    found = model_verdict(study, study.main, position)
    if found is None:
        return f"No method is trusted about {model_words(study.main)} here: take no reason from this page."
    labels = [f"“{study.case.schema.labels[i]}”" for i in found.order[:4]]
    text = f"{counted(found.first_votes)} of {counted(found.methods)} {whose_word(study, study.main)} put {labels[0]} first"
    is_known = study.harmony.of(study.main, "background") and position < study.harmony.depth.noise_people
    if not is_known or len(labels) < 2:
        return sentence(text)
    if not found.settled[0]:
        text += f", but that it comes before {labels[1]} is within noise"
    return sentence(f"{text}; {_order_words(_runs(labels[1:], found.settled[1:3]))}")


def _order_words(runs: list[list[str]]) -> str:
    if len(runs) > 1:
        named = [run[0] if len(run) == 1 else f"{listed(run)} (in an order that is within noise)" for run in runs]
        return f"then come {', then '.join(named)}"
    if len(runs[0]) > 1:
        return f"the order of the next {counted(len(runs[0]))}, {listed(runs[0])}, is within noise"
    return f"{runs[0][0]} follows"


def _runs(labels: list[str], settled: tuple[bool, ...]) -> list[list[str]]:
    """Return columns in order, those whose order is within noise together."""
    runs = [[labels[0]]]
    for label, is_settled in zip(labels[1:], settled, strict=False):
        if is_settled:
            runs.append([label])
        else:
            runs[-1].append(label)
    return runs


def verdict_lines(study: Study, model: Model, people: Dataset) -> list[dict[str, Any]]:
    """Return a line a person: what the methods whose word counts put first, how many do, and which reasons they share."""
    names, lines = study.case.schema.names, []
    for position, row in enumerate(people.index):
        found = model_verdict(study, model, position)
        if found is None:
            lines.append({"model": model.name, "row": row, "methods": 0})
            continue
        reasons = [i for i in found.order if found.is_reason(i) and found.share[i] > 0]
        lines.append(
            {
                "model": model.name,
                "row": row,
                "methods": found.methods,
                "first": names[found.order[0]],
                "first_votes": found.first_votes,
                "kept_order": found.kept_order[0] if found.kept_order else np.nan,
                "raises": " ".join(names[i] for i in reasons),
                "lowers": " ".join(names[i] for i in found.order if found.is_reason(i) and found.share[i] < 0),
            }
        )
    return lines
