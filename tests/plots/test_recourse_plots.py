"""Plots of recourse and reasons: each shows the numbers it was given, under the names it was given."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from dlx import plots

LABELS = {"a": "Amount $of$ loan", "b": "<b>Savings</b>", "c": "Age"}


def drawn(draw, *given, **asked):
    with plots.style():
        return draw(*given, Figure().subplots(), **asked)


def dots(ax, label):
    (line,) = [line for line in ax.lines if line.get_label() == label]
    return line


def columns(models=("net", "trees")):
    lines = [(m, c, 0.2 * i + 0.3 * j) for i, m in enumerate(models) for j, c in enumerate("abc")]
    table = pd.DataFrame(lines, columns=["model", "column", "estimate"])
    return table.assign(low=table["estimate"] - 0.1, high=table["estimate"] + 0.1, first=0.0)


def test_recourse_shows_the_share_of_each_column_the_most_changed_first():
    ax = drawn(plots.draw_recourse, columns(), LABELS)
    assert [tick.get_text() for tick in ax.get_yticklabels()] == [LABELS[name] for name in "cba"]
    assert sorted(dots(ax, "net").get_xdata()) == pytest.approx([0, 0.3, 0.6])
    assert sorted(dots(ax, "trees").get_xdata()) == pytest.approx([0.2, 0.5, 0.8])
    by_row = dict(zip(np.round(dots(ax, "trees").get_ydata()), dots(ax, "trees").get_xdata(), strict=True))
    assert by_row[0] == pytest.approx(0.8) and by_row[2] == pytest.approx(0.2)
    ends = np.array([segment[:, 0] for segment in ax.collections[0].get_segments()])
    assert ends == pytest.approx(np.array([[-0.1, 0.1], [0.2, 0.4], [0.5, 0.7]]))


def test_column_shifts_show_percentage_points_a_row_a_column_and_value():
    table = pd.DataFrame(
        {
            "model": ["net", "net", "trees"],
            "column": ["a", "a", "b"],
            "to": ["12 months", "24 months", "1,000 $ or more"],
            "change": [-0.05, 0.02, -0.11],
            "low": [-0.06, 0.01, -0.12],
            "high": [-0.04, 0.03, -0.1],
        }
    )
    ax = drawn(plots.draw_column_shifts, table, LABELS, of="risk of $x$")
    shown = [tick.get_text() for tick in ax.get_yticklabels()]
    assert shown == [f"{LABELS['b']}: 1,000 $ or more", f"{LABELS['a']}: 12 months", f"{LABELS['a']}: 24 months"]
    assert list(dots(ax, "net").get_xdata()) == pytest.approx([-5, 2])
    assert list(dots(ax, "trees").get_xdata()) == pytest.approx([-11])
    assert ax.get_xlabel() == "difference of the risk of $x$, percentage points"


def test_reason_stability_shows_both_measures_and_chance():
    table = pd.DataFrame({"same": [0.4, 0.9], "overlap": [0.8, 0.95], "chance": [0.25, 0.3]})
    for name in ("same", "overlap"):
        table = table.assign(**{f"{name}_low": table[name] - 0.1, f"{name}_high": table[name] + 0.05})
    ax = drawn(plots.draw_reason_stability, table, ["net / trees", "near / all"])
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["net / trees", "near / all"]
    assert list(dots(ax, "the very same set").get_xdata()) == [0.4, 0.9]
    assert list(dots(ax, "reasons in common").get_xdata()) == [0.8, 0.95]
    assert list(dots(ax, "overlap by chance").get_xdata()) == [0.25, 0.3]


def test_reasons_given_show_the_share_of_each_reason_the_most_frequent_first():
    table = columns().rename(columns={"column": "reason"})
    ax = drawn(plots.draw_reasons_given, table, of="share of the denied")
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["c", "b", "a"]
    assert sorted(dots(ax, "net").get_xdata()) == pytest.approx([0, 0.3, 0.6])
    assert ax.get_xlabel() == "share of the denied"
