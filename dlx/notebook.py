"""What objects show of themselves in a notebook: one figure and one table, in HTML that anybody's names cannot break."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

STYLE = "border-collapse:collapse;text-align:right"
CELL = "padding:.15em .6em;border-bottom:1px solid #8886"
ROW, LABELS, WIDTH = 18, 190, 460  # px of the figure
BARS = 10  # the longest


def shown(
    title: str,
    bars: Mapping[str, float],
    unit: str,
    caption: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    most: float | None = None,
) -> str:
    """Return a section with a title, a bar chart as SVG and a table.

    Parameters
    ----------
    title : str
        Above all.
    bars, unit : mapping of str to float, str
        Lengths from 0 on by label, of which the longest are drawn, and what they are.
    caption, columns, rows : str, sequence of str, of sequence of str
        The table; the first cell of a row names it.
    most : float, optional
        The length of a bar as wide as the figure; the longest by default.
    """
    longest = sorted(bars.items(), key=lambda bar: -bar[1])[:BARS]
    head = "".join(f'<th scope="col" style="{CELL}">{escape(name)}</th>' for name in columns)
    body = "".join(f"<tr>{_cells(row)}</tr>" for row in rows)
    table = f"<caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody>"
    figure = f"<figcaption>{escape(unit)}</figcaption>{_chart(longest, unit, most)}"
    return (
        f'<section><p><b>{escape(title)}</b></p><figure style="margin:0">{figure}</figure>'
        f'<table style="{STYLE};margin-top:.8em">{table}</table></section>'
    )


def _cells(row: Sequence[str]) -> str:
    first, *others = map(escape, row)
    cells = "".join(f'<td style="{CELL}">{cell}</td>' for cell in others)
    return f'<th scope="row" style="{CELL};text-align:left">{first}</th>{cells}'


def _chart(bars: Sequence[tuple[str, float]], unit: str, most: float | None) -> str:
    """Return horizontal bars, the colour of the text around them, so that dark notebooks show them too."""
    most = most or max((length for _, length in bars), default=0.0) or 1.0
    lines = []
    for place, (label, length) in enumerate(bars):
        y, name = ROW * place, label if len(label) <= 28 else label[:27] + "…"
        lines.append(
            f'<text x="{LABELS - 6}" y="{y + 13}" text-anchor="end" font-size="12" fill="currentColor">{escape(name)}</text>'
            f'<rect x="{LABELS}" y="{y + 3}" width="{(WIDTH - LABELS) * length / most:.1f}" height="12" fill="#4a7fb5"/>'
        )
    said = f"{unit}: " + ", ".join(f"{label} {length:.3g}" for label, length in bars)
    size = f'width="{WIDTH}" height="{ROW * len(bars)}" viewBox="0 0 {WIDTH} {ROW * len(bars)}"'
    return f'<svg role="img" aria-label="{escape(said)}" {size}>{"".join(lines)}</svg>'
