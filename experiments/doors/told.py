"""The figures of the doors in words: shares, reasons counted, and what made them."""

from __future__ import annotations

import platform
import re
from importlib.metadata import version

import pandas as pd

LIBRARIES = ("pandas", "numpy", "scikit-learn", "xgboost-cpu", "lightgbm")


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
