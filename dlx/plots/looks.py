"""Colours, fonts and words that all drawings share."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from dlx.rounding import rounded

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Who a mark is of: models and methods. Red and blue are kept for more and less of a risk.
COLOURS = (*("#00785a", "#a3467f", "#8a6d00", "#6a3d9a", "#117a8b", "#8c4a2f", "#444444", "#5b8c1e", "#c71585", "#607080"),)
MARKERS = ("o", "s", "D", "^", "v", "P", "X", "*", "h")  # of methods
MODEL_COLOURS, MODEL_MARKERS = (*COLOURS[3:], *COLOURS[:3]), ("p", "<", ">", "d", "H", "8")  # no model looks like a method
UP, DOWN, GREY, INK = "#b2332a", "#2166ac", "#8a8f98", "#1c2530"
MORE = "OrRd"  # the darker, the more risk
DARK = 0.6  # a share of a heat map from which on its number is white
_VALUES: ContextVar[tuple[str, int] | None] = ContextVar("unit and decimals of the page's values", default=None)
_MODELS: ContextVar[tuple[str, ...]] = ContextVar("models of the page", default=())


class Look(NamedTuple):
    """How all marks of one model or method look."""

    colour: str
    marker: str


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
    "axes.titley": 1.0,
    "xtick.color": INK,
    "ytick.color": INK,
    "text.color": INK,
    "text.parse_math": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "dlx",
    "figure.dpi": 100,
    "savefig.dpi": 150,
}

GRID = "#e4e7eb"
UNITS = {"logit": "log-odds", "probability": "probability", "value": "value"}


@contextlib.contextmanager
def style() -> Iterator[None]:
    """Draw in the style of dlx inside the block: a dollar sign is a dollar sign, and the same figure gives the same bytes."""
    import matplotlib as mpl

    with mpl.rc_context(STYLE):
        yield


def signed(number: float, decimals: int, times: int = 1) -> str:
    """Return a number, some times over, with its sign, rounded as the page rounds: "+0.25", "−0.10"."""
    digits = rounded(number, decimals, times)
    is_below = digits.startswith("-") and any(digit in digits for digit in "123456789")
    return f"{'−' if is_below else '+'}{digits.removeprefix('-')}"


def shortened(text: str, width: int = 34) -> str:
    """Return a label that fits beside an axis."""
    return text if len(text) <= width else text[: width - 1].rstrip() + "…"


def label_rows(ax: Axes, labels: Sequence[str], words: str, *, grid: Literal["x", "both"] | None = "x", **font: Any) -> Axes:
    """Label the rows of a chart, the first on top, and its x-axis, and draw a grid behind what is drawn; return the axes."""
    ax.set_yticks(range(len(labels)), list(labels), **font)
    ax.set_ylim(len(labels) - 0.4, -0.6)
    ax.set_xlabel(words)
    if grid is not None:
        ax.grid(axis=grid, color=GRID, linewidth=0.7)
        ax.set_axisbelow(True)
    return ax


def heat_map(shares: np.ndarray, texts: Sequence[Sequence[str]], rows: Sequence[str], columns: Sequence[str], ax: Axes) -> Axes:
    """Draw shares [rows, columns] from pale (0) to dark blue (1), each with its text."""
    ax.imshow(np.clip(shares, 0, 1), vmin=0, vmax=1, cmap="Blues", aspect="equal")
    for i, j in np.ndindex(*shares.shape):
        ax.text(j, i, texts[i][j], ha="center", va="center", color="white" if shares[i, j] > DARK else INK, fontsize=8)
    ax.set_xticks(range(len(columns)), columns, rotation=35, ha="right", rotation_mode="anchor")
    ax.set_yticks(range(len(rows)), rows)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    return ax


def percent_axis(ax: Axes) -> None:
    """Write the shares of an x-axis as percentages."""
    ax.xaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %".replace("-", "−"))


@contextlib.contextmanager
def values_of_page(unit: str, decimals: int) -> Iterator[None]:
    """Call the scale "value" by its unit inside the block, on axes and in tables, with so many decimals."""
    token = _VALUES.set((unit, decimals))
    try:
        yield
    finally:
        _VALUES.reset(token)


def unit_of(scale: str) -> str:
    """Return the unit of a scale as people read it: "log-odds", and of a value what the page is about, see `values_of_page`."""
    known = _VALUES.get()
    return known[0] if known and scale == "value" else UNITS[scale]


def decimals_of_values(otherwise: int) -> int:
    """Return with how many decimals the page prints values, see `values_of_page`; what is said where it has none."""
    known = _VALUES.get()
    return known[1] if known else otherwise


@contextlib.contextmanager
def models_of_page(names: Sequence[str]) -> Iterator[None]:
    """Give each of some models one look inside the block, whatever subset of them a figure shows."""
    token = _MODELS.set(tuple(names))
    try:
        yield
    finally:
        _MODELS.reset(token)


def model_looks(names: Sequence[str]) -> dict[str, Look]:
    """Return the look of each model: that of its place on the page, see `models_of_page`; the next free one elsewhere."""
    return _looks(names, _MODELS.get(), MODEL_COLOURS, MODEL_MARKERS)


def method_looks(names: Sequence[str]) -> dict[str, Look]:
    """Return the look of each method, the same in every figure; the next free one where there is no such method."""
    from dlx import explainers

    return _looks(names, explainers.names(), COLOURS, MARKERS)


def method_label(method: str) -> str:
    """Return the name of a method that people read; that of another tool as it was brought in."""
    from dlx import explainers

    return str(explainers.method(method).LABEL) if method in explainers.names() else method


def _looks(names: Sequence[str], known: Sequence[str], colours: Sequence[str], markers: Sequence[str]) -> dict[str, Look]:
    places = {name: known.index(name) for name in names if name in known}
    free = (place for place in itertools.count() if place not in set(places.values()))
    looks = {}
    for name in dict.fromkeys(names):
        place = places[name] if name in places else next(free)
        looks[name] = Look(colours[place % len(colours)], markers[place % len(markers)])
    return looks
