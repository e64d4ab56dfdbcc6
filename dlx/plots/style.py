"""Colours, fonts and words that all drawings share."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

# Okabe and Ito's palette, darkened where it would be too pale on white; safe for colour-blind readers.
COLOURS = ("#0072b2", "#b34a00", "#00785a", "#a3467f", "#6b5b00", "#3b7dab", "#444444")
MARKERS = ("o", "s", "D", "^", "v", "P", "X")
UP, DOWN, GREY, INK = "#b2332a", "#2166ac", "#8a8f98", "#1c2530"

STYLE: dict[Any, Any] = {
    "font.family": ["DejaVu Sans"],
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "xtick.color": INK,
    "ytick.color": INK,
    "text.color": INK,
    "text.parse_math": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "dlx",
    "figure.dpi": 100,
    "savefig.dpi": 150,
}

UNITS = {"logit": "log-odds", "probability": "probability", "value": "value"}


@contextlib.contextmanager
def style() -> Iterator[None]:
    """Draw in the style of dlx inside the block: a dollar sign is a dollar sign, and the same figure gives the same bytes."""
    import matplotlib as mpl

    with mpl.rc_context(STYLE):
        yield


def shortened(text: str, width: int = 34) -> str:
    """Return a label that fits beside an axis."""
    return text if len(text) <= width else text[: width - 1].rstrip() + "…"
