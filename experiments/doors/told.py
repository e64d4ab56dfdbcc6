"""Sends what was generated through the doors, and tells what came of it: shares, reasons counted, and what made them."""

from __future__ import annotations

import argparse
import platform
import re
import tempfile
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pandas as pd

from dlx.files import csv_text, refuse_unwritable, write_atomically
from dlx.progress import Narrator
from dlx.threads import one_thread

LIBRARIES = ("pandas", "numpy", "scikit-learn", "xgboost-cpu", "lightgbm")


def send(
    doc: str,
    what: str,
    sent: Callable[[int, int, Path], dict[str, object]],
    summary: Callable[[pd.DataFrame, int], tuple[str, bool]],
    *,
    count: int,
) -> int:
    """Send tables or models, as the command line asks, write down what came of each, and return 1 if something is wrong."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=count, help=f"how many {what}")
    parser.add_argument("--seed", type=int, default=0, help=f"another seed makes other {what}")
    parser.add_argument("--only", type=int, help=f"the number of one of the {what}, whose file is kept")
    parser.add_argument("--output", type=Path, default=Path("experiments/doors"), help="folder to write to")
    asked = parser.parse_args()
    if asked.only is not None:
        print(sent(asked.seed, asked.only, Path(f"{what}-{asked.only}")))
        return 0
    refuse_unwritable(asked.output, "pass another --output")
    lines = []
    with Narrator().step(f"Sending {what}", what) as update, one_thread(), tempfile.TemporaryDirectory() as folder:
        for number in range(asked.count):
            lines.append(sent(asked.seed, number, Path(folder) / str(number)))
            update(number + 1, asked.count)
            if number % 20 == 19 or number == asked.count - 1:  # an interrupt loses little
                table = pd.DataFrame(lines)
                write_atomically(asked.output / f"{what}.csv", csv_text(table))
    text, is_right = summary(table, asked.seed)
    write_atomically(asked.output / f"{what}.md", text)
    print(text)
    return 0 if is_right else 1


def share(which: pd.Series) -> str:
    """Return how many of how many, with the percentage."""
    return f"{which.sum()} of {len(which)} ({which.mean():.0%})" if len(which) else "0 of 0"


def by_reason(sentences: pd.Series) -> str:
    """Return a markdown table of sentences that differ in their names and numbers only, each counted, with an example."""
    said = sentences[sentences.fillna("") != ""]
    if said.empty:
        return "None."
    reasons = said.map(reason)
    lines = ["| count | reason | for example |", "|---|---|---|"]
    for name, count in reasons.value_counts().items():
        example = said[reasons == name].iloc[0]
        lines.append(f"| {count} | {_cell(name, 200)} | {_cell(example, 240)} |")
    return "\n".join(lines)


def faulty(table: pd.DataFrame, columns: list[str], most: int = 40) -> str:
    """Return a markdown table of the lines with a fault: their number, what they are, and the first of their faults."""
    found = table[table["faults"] != ""][:most]
    if found.empty:
        return "None."
    lines = [f"| number | {' | '.join(columns)} | fault |", "|---" * (len(columns) + 2) + "|"]
    for number, faults, *cells in found[["number", "faults", *columns]].itertuples(index=False):
        lines.append(f"| {number} | {' | '.join(_cell(cell, 120) for cell in cells)} | {_cell(faults.split(' | ')[0], 200)} |")
    return "\n".join(lines)


def reason(sentence: str) -> str:
    """Return a sentence without what belongs to one table only: quoted names, numbers, paths."""
    text = re.sub(r"(['\"]).*?\1", "…", sentence, flags=re.DOTALL)
    text = re.sub(r"\S*/\S+", "…", text)
    text = re.sub(r"[-+]?\d[\d,.]*(?:e[-+]?\d+)?%?", "N", text)
    return re.sub(r"(?:…(?:, | and | or )?)+", "… ", text)[:160].strip()


def made_with() -> str:
    """Return the machine and the versions of the libraries."""
    return ", ".join([f"Python {platform.python_version()}", *(f"{name} {version(name)}" for name in LIBRARIES)])


def _cell(text: str, width: int) -> str:
    flat = " ".join(str(text).split()).replace("|", "\\|")
    return f"`{flat[:width]}{'…' if len(flat) > width else ''}`".replace("``", "`")
