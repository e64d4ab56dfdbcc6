"""What the commands print: small tables in a terminal."""

from __future__ import annotations

import contextlib
import itertools
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

    from dlx.data_check import DataCheck

ALIVE = "dlx: at work; libraries and data are being loaded"


@contextlib.contextmanager
def sign_of_life() -> Iterator[None]:
    """Print a line on standard error within the first second, unless the block is over before."""
    timer = threading.Timer(0.5, print, [ALIVE], {"file": sys.stderr, "flush": True})
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def list_cases() -> None:
    """Print the cases with their size and what they predict."""
    from dlx import cases

    lines = []
    for name in cases.names():
        case = cases.load(name)
        assert case.outcomes is not None
        target, mean = case.schema.target, case.outcomes.mean()
        predicts = f"{target.label}, {mean:.0f} {target.unit} on average" if target.is_value else f"{target.event}, {mean:.1%}"
        lines.append([name, f"{len(case):,}", str(len(case.schema)), predicts, case.card.title])
    _print_table("Cases", ["name", "rows", "columns", "predicts", "what it is"], lines)


def list_models() -> None:
    """Print the architectures that there are."""
    from dlx import architectures

    every = {name: str(architectures.architecture(name).__doc__) for name in architectures.names()}
    lines = [[name, text.splitlines()[0].rstrip(".")] for name, text in every.items()]
    _print_table("Models", ["name", "what it is"], lines)


def list_methods() -> None:
    """Print the methods with their library, question and options."""
    from dlx import explainers

    lines = []
    for name in explainers.names():
        options = ", ".join(f"{key}={value}" for key, value in explainers.options(name).items())
        lines.append([name, explainers.method(name).LIBRARY, explainers.method(name).QUESTION, options])
    _print_table("Methods", ["name", "library", "question it answers", "options"], lines)


def print_keys(keys: Iterable[Any]) -> None:
    """Print the keys of a schema file, a table for each header."""
    for header, some in itertools.groupby(keys, key=lambda key: key.header):
        title = f"[[{header}]], one a column" if header in ("feature", "carried") else f"[{header}]" if header else "Above all"
        _print_table(f"Keys of a schema file: {title}", ["key", "type", "what it says"], [list(key[1:]) for key in some])


def print_metrics(model: str, metrics: list[dict[str, Any]]) -> None:
    """Print a model's performance on the test rows."""
    lines = []
    for m in metrics:
        interval = m.get("note", "") if m["low"] is None else f"{m['low']:.4f} to {m['high']:.4f}"
        lines.append([m["metric"], f"{m['estimate']:.4f}", interval, f"{m['reference']:.4f}"])
    alone = "base rate alone" if any(m["metric"] == "brier" for m in metrics) else "the same for all"
    _print_table(f"{model} on the test rows", ["metric", "estimate", "95 % interval", alone], lines)


def print_check(check: DataCheck) -> None:
    """Print what each column was taken for, and the findings: what, the line that acts on it, and a row that has it."""
    lines = [[c.name, c.taken_for, c.why, "; ".join(c.done)] for c in check.reading]
    _print_table("Columns", ["column", "taken for", "why", "what is to be known"], lines)
    for title, which in (
        ("To decide", [one for one in check if one.must_decide]),
        ("To know", [one for one in check if not one.must_decide and not one.accepted]),
        ("Accepted", [one for one in check if one.accepted]),
    ):
        lines = []
        for one in which:
            where = f"row {one.row}: {one.value}" if one.value else f"row {one.row}"
            lines.append([one.rule.title, one.said, where, one.accepted or one.remedy])
        if lines:
            _print_table(title, ["finding", "what", "for example", "why" if which[0].accepted else "what to do"], lines)
    if check.to_decide:
        print("What is no fault is accepted at the end of the schema (dlx schema writes one):\n\n[accepted]")
        print("\n".join(dict.fromkeys(one.to_accept for one in check.to_decide)), end="\n\n")
    for sentence in check.not_found:
        print(sentence)
    print(check.summary)


def print_importance(explanation: Any) -> None:
    """Print the ten columns that matter most."""
    from dlx.comparison import importance

    table = importance(explanation)
    unit = f"{explanation.scale} of {explanation.target}"
    print_sizes(explanation.model, unit, len(explanation), dict(zip(table["label"], table["importance"], strict=True)))


def print_sizes(model: str, unit: str, people: int, sizes: Mapping[str, float]) -> None:
    """Print the ten columns of the largest mean contributions, with their share of all."""
    title = f"Mean size of the contribution to {model}, {unit}, {people:,} people"
    whole, most = sum(sizes.values()), sorted(sizes.items(), key=lambda one: -one[1])[:10]
    _print_table(title, ["column", "size", "share"], [[n, f"{size:.4f}", f"{size / (whole or 1):.0%}"] for n, size in most])


def print_before_after(model: str, done: list[str], table: pd.DataFrame) -> None:
    """Print what was done to a model, and what it changed; of the groups, the eight whose rates changed most beyond chance."""
    for what in done:
        print(f"{what[0].upper()}{what[1:]}")
    is_rate = table["topic"] == "fairness"
    changed = table[is_rate & ((table["low"] > 0) | (table["high"] < 0))]
    most = changed.loc[changed["difference"].abs().sort_values(ascending=False, kind="stable").index[:8]]
    lines = []
    for t in table[~is_rate | table.index.isin(most.index)].itertuples():
        what, difference = f"{t.quantity}, {t.of}" if t.of else t.quantity, f"{t.difference:+.3f}"
        lines.append([t.topic, what, f"{t.before:.3f}", f"{t.after:.3f}", f"{difference} ({t.low:+.3f} to {t.high:+.3f})"])
    _print_table(f"{model} on the test rows", ["topic", "what", "before", "after", "difference, 95 % interval"], lines)


def print_agreement(table: pd.DataFrame) -> None:
    """Print how far each pair of explanations agrees."""
    lines = []
    for t in table.itertuples():
        pair = [f"{t.method} of {t.model}", f"{t.other_method} of {t.other_model}"]
        lines.append([*pair, t.metric, f"{t.mean:.3f}", f"{t.low:.3f} to {t.high:.3f}", f"{t.chance:.2f}"])
    _print_table("Agreement", ["explanation", "other", "metric", "mean", "95 % interval", "chance"], lines)


def _print_table(title: str, header: list[str], lines: list[list[str]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(title), title_justify="left", header_style="bold")
    for name in header:
        table.add_column(name, overflow="fold")
    for line in lines:
        table.add_row(*map(Text, line))
    Console().print(table)
