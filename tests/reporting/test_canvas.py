"""The canvas of a figure: titles stay above their own panel."""

from __future__ import annotations

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from dlx import plots
from dlx.reporting.canvas import embedded, panels


@pytest.mark.parametrize("size", [2.6, 4.8])
def test_a_title_reaches_neither_beyond_the_figure_nor_into_its_neighbour(size):
    titles = ["gradient_boosting: Tree SHAP, Kernel SHAP", "short", "mlp"]
    titles.append("gradient_boosting: 2 wrongly not taken for grignolino")
    parts = [(title, lambda ax: ax.barh(["a long label", "b"], [1, 2])) for title in titles]
    with plots.style():
        canvas = panels(parts, size=(size, 2), columns=2)
        embedded(canvas)
        renderer = FigureCanvasAgg(canvas).get_renderer()
        boxes = [ax.get_tightbbox(renderer) for ax in canvas.axes]
    assert all(box.x1 <= canvas.bbox.x1 + 1 for box in boxes)
    assert boxes[0].x1 <= boxes[1].x0 + 40 and [ax.get_title(loc="left").replace("\n", " ") for ax in canvas.axes] == titles
