"""The canvas of a figure, and the SVG that the page carries inside itself."""

from __future__ import annotations

import base64
import io
import textwrap
import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

LETTER = 0.65  # width of a letter of a title, as a share of its height


def canvas_of(lines: int, columns: int, *, width: float, height: float, **shared: Any) -> tuple[Canvas, np.ndarray]:
    """Return an empty figure, in inches, and its axes [lines, columns]; `shared` are options of `Figure.subplots`."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure as Canvas

    canvas = Canvas(figsize=(width, height), layout="constrained")
    FigureCanvasSVG(canvas)
    return canvas, canvas.subplots(lines, columns, squeeze=False, **shared)


def panels(
    parts: Sequence[tuple[str, Callable[[Axes], Any]]],
    *,
    size: tuple[float, float],
    room: tuple[float, float] = (0.0, 0.0),
    columns: int = 1,
    heights: Sequence[float] | None = None,
    legend_columns: int = 0,
    title_size: float = 10,
    **shared: Any,
) -> Canvas:
    """Return a figure of panels, so many beside each other, with one legend where it has columns.

    Parameters
    ----------
    parts : sequence of (str, function)
        The title of each panel, and what draws it on its axes.
    size, room : pair of float
        Width and height of a panel, and what the whole needs beside, in inches.
    heights : sequence of float, optional
        Of each panel, where they differ; a line is as high as its highest.
    shared : bool or str
        ``sharex`` and ``sharey``, as of `canvas_of`.
    """
    columns = min(columns, len(parts))
    each = heights or [size[1]] * len(parts)
    lines = [max(each[i : i + columns]) for i in range(0, len(parts), columns)]
    width, height = columns * size[0] + room[0], sum(lines) + room[1]
    canvas, axes = canvas_of(len(lines), columns, width=width, height=height, height_ratios=lines, **shared)
    for (title, draw), ax in zip(parts, axes.flat, strict=False):
        draw(ax)
        if title:
            ax.set_title(title, fontsize=title_size)
    if legend_columns:
        legend(canvas, axes, columns=legend_columns)
    return canvas


def legend(canvas: Canvas, axes: np.ndarray, *, columns: int = 7) -> None:
    """Draw one legend for all axes below them."""
    handles: dict[str, Any] = {}
    for ax in axes.flat:
        handles |= {label: handle for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)}
    shown, columns = (list(handles.values()), list(handles)), min(columns, len(handles))
    canvas.legend(*shown, loc="outside lower center", ncols=columns, frameon=False, fontsize=8)


def _broke_titles(canvas: Canvas) -> bool:
    """Break titles that reach beyond the next axes, or the figure, into lines; return whether there were any."""
    from matplotlib.text import Text

    titled, broke = [ax for ax in canvas.axes if ax.get_visible() and ax.get_title(loc="left")], False
    for ax in titled:
        text = next(one for one in ax.findobj(Text) if one.get_text() == ax.get_title(loc="left"))
        left = ax.get_position().x0
        room = min((other.get_position().x0 for other in titled if other.get_position().x0 > left + 1e-3), default=1.0) - left
        letters = int(room * canvas.get_figwidth() * 72 / (LETTER * float(text.get_fontsize())))
        lines = [textwrap.fill(line, max(letters, 8)) for line in text.get_text().split("\n")]
        if (broken := "\n".join(lines)) != text.get_text():
            text.set_text(broken)
            broke = True
    return broke


def embedded(canvas: Canvas) -> str:
    """Return a figure as the data URI of an SVG; axes without data are left out."""
    for ax in canvas.axes:
        if not ax.has_data():
            ax.set_visible(False)
    layout, drawn = canvas.get_layout_engine(), io.StringIO()
    assert layout is not None
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")  # text stays text, and browsers have the glyphs
        layout.execute(canvas)
        if _broke_titles(canvas):
            layout.execute(canvas)
        canvas.set_layout_engine("none")  # or savefig would draw it twice, once to lay it out
        canvas.savefig(drawn, format="svg", metadata={"Date": None})
    # Verdana is as wide as the font that the figure was laid out with, where that one is not at hand
    portable = drawn.getvalue().replace("'DejaVu Sans'", "'DejaVu Sans', Verdana, sans-serif")
    return "data:image/svg+xml;base64," + base64.b64encode(portable.encode()).decode()
