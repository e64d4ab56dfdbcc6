"""Plots: each shows the numbers it was given, under the names it was given, in the same bytes each time."""

from __future__ import annotations

import base64
import dataclasses
import io
import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
import worlds
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

from dlx import explainers, plots, reporting
from dlx.comparison import compare
from dlx.effects import PartialDependence, accumulated_local_effects, gaps, pair_dependence, partial_dependence, shape_functions
from dlx.effects.shap_interactions import Interactions
from dlx.explanation import Explanation
from dlx.model import wrap
from dlx.reporting.canvas import canvas_of, embedded
from dlx.reporting.phrases import share
from dlx.schema import Feature, Schema, Target

SCHEMA = Schema(
    (
        Feature("$x$", missing=True, unit="$"),
        Feature("<b>", "categorical", levels=("<i>", "a & b", "$y$"), missing=True),
        Feature("grade", "categorical", label="Grade_{school}", levels=("low", "mid", "high"), ordered=True),
        Feature("empty", missing=True),
        Feature("constant"),
    ),
    Target("price", "regression"),
)
NAMES, LABELS = ["grade", "$x$", "<b>", "empty"], ["Grade_{school}", "$x$", "<b>", "empty"]
PEOPLE = 12


CURVE = pd.DataFrame({"predicted": [0.1, 0.5, 0.8], "observed": [0.2, 0.5, 0.7], "low": [0, 0.4, 0.6], "high": [0.3, 0.6, 0.9]})
BENEFIT = pd.DataFrame(
    {
        "threshold": [0.1, 0.2, 0.3],
        "net_benefit": [0.3, 0.2, 0.1],
        "net_benefit_low": [0.2, 0.1, 0],
        "net_benefit_high": [0.4, 0.3, 0.2],
        "all": [0.2, 0.1, -0.1],
    }
)


def rows():
    made = np.random.default_rng(0).normal(size=(PEOPLE, 5))
    made[:, 1:3] = np.random.default_rng(1).integers(3, size=(PEOPLE, 2))
    made[[2, 5], 0] = made[4, 1] = made[:, 3] = np.nan
    made[:, 4] = 1
    return made


def explanation(method="lime", model="net"):
    values = np.random.default_rng(len(method + model)).normal(size=(PEOPLE, 5)) * [1, 1, 1, 1e-4, 0.2]
    return Explanation(
        values, np.full(PEOPLE, 2.0), 2.0 + values.sum(axis=1), rows(), SCHEMA, "value", method, method, model, "b"
    )


def effects(feature, models=("net", "<trees>")):
    def worth(table):
        return np.where(table[feature].isna(), 3.0, np.arange(len(table)) % 7)

    return [partial_dependence(wrap(worth, SCHEMA, name=m), rows(), feature, scale="value") for m in models]


def worth(table):
    return np.nan_to_num(table["$x$"].to_numpy(), nan=3.0) * table["<b>"].notna()


def local(feature, models=("net", "<trees>")):
    return [accumulated_local_effects(wrap(worth, SCHEMA, name=m), rows(), feature, scale="value") for m in models]


def pair(one, other):
    return pair_dependence(wrap(worth, SCHEMA, name="net"), rows(), (one, other), scale="value")


def shape(feature):
    models = [wrap(lambda table, k=k: k * worth(table), SCHEMA, name="net") for k in (1, 2)]
    return next(one for one in shape_functions(models, rows()) if one.feature.name == feature)


def joint(size=1.0):
    half = size * np.random.default_rng(3).normal(size=(PEOPLE, 5, 5))
    values, nobody = half + half.swapaxes(1, 2), np.zeros(PEOPLE)
    return Interactions(values, nobody, values.sum(axis=(1, 2)), SCHEMA, "logit", "net", range(PEOPLE))


@pytest.fixture
def ax():
    with plots.style():
        yield Figure().subplots()


COMPARED = compare([explanation("lime"), explanation("tree $shap$", "<trees>"), explanation("shap")])
IMPORTANCE = COMPARED.importance().query("model == 'net'")
AGREEMENT = np.array([[1, 0.25, np.nan], [0.25, 1, 0.804], [np.nan, 0.804, 1]])
NOISE = pd.DataFrame({"mean": [0.4, 0.9], "low": [0.3, 0.8], "high": [0.5, 1.0], "chance": 0.25, "floor": [0.8, 0.85]})
NOISE = NOISE.assign(floor_low=NOISE["floor"] - 0.05, floor_high=NOISE["floor"] + 0.05)
ERRORS = pd.DataFrame({"mean": [0.02, 0.3], "low": [0.01, 0.2], "high": [0.03, 0.4]})
SLICES = pd.DataFrame(
    {"slice": ["<b>: $y$", "grade: low"], "rows": [20, 1_300], "difference": [0.3, -0.1], "found": [True, False]}
)
SLICES = SLICES.assign(low=SLICES["difference"] - 0.1, high=SLICES["difference"] + 0.1)
PARTS = pd.DataFrame(
    {"label": ["$x$", "<b>"], "push": [0.2, -0.1], "mean": [0.2, -0.1], "low": -0.2, "high": 0.3, "scale": "logit"}
)
CHANGE = pd.DataFrame({"of": ["$x$", "<b>"], "quantity": "mean <size>, value", "before": [0.3, 0.2], "after": [0.1, 0.0]})
CHANGE = CHANGE.assign(before_low=0.1, before_high=0.4, after_low=0.0, after_high=0.2)
CAUSES = pd.DataFrame({"part": [0.3, -0.1, 0.2], "what": ["unit", "$scale$", "the methods"], "naive": 0.4})
CAUSES = CAUSES.assign(low=CAUSES["part"] - 0.02, high=CAUSES["part"] + 0.02)
COMPONENTS = pd.DataFrame({"component": ["model", "rest"], "what": ["which <model>", "the rest"], "scale": "logit"})
COMPONENTS = COMPONENTS.assign(size=[0.3, 0.1], size_low=[0.2, 0.05], size_high=[0.4, 0.15], share=[0.9, 0.1])
BY_PERSON = pd.DataFrame({"model": [0.09, 0.16, -0.01], "rest": [0.01, 0.02, 0.0]})
SHUFFLED = pd.DataFrame({"model": ["net", "net", "$t$", "$t$"], "feature": ["a", "b"] * 2, "label": ["A", "<i> $j$"] * 2})
SHUFFLED = SHUFFLED.assign(importance=[0.1, 0.3, 0.2, 0.0], low=[0.0, 0.2, 0.1, -0.1], high=[0.2, 0.4, 0.3, 0.1])
SHUFFLED["metric"] = "log_loss"
SANITY = pd.DataFrame({"method": ["a", "a"], "layers_random": [1, 2], "feature_agreement": [0.6, 0.3], "chance": 0.2})
RATES = pd.DataFrame(
    {"model": "net", "group": ["<women>", "$men$"], "estimate": [0.4, 0.5], "low": 0.3, "high": 0.6, "judged": [True, False]}
)
GAP = pd.DataFrame(
    {
        "model": ["net", "net", "trees", "trees"],
        "column": ["$x$", "all columns"] * 2,
        "difference": 0.2,
        "low": 0.1,
        "high": 0.3,
    }
)
CHANGED = pd.DataFrame(
    {"model": ["net"], "column": ["a"], "estimate": [0.4], "low": [0.3], "high": [0.5], "first": [0.2], "change": [0.1]}
)
GIVEN = CHANGED.assign(reason="<debt>")
SAME = pd.DataFrame([{name: 0.5 for part in ("same", "overlap") for name in (part, f"{part}_low", f"{part}_high")}]).assign(
    chance=0.2
)
DETECTIONS = pd.DataFrame(
    {"label": ["<net> by LIME", "trees by $SHAP$"], "is_attacked": [True, False], "found": ["above"] * 2}
    | {"estimate": [0.9, 0.1], "low": [0.8, 0.0], "high": [1.0, 0.2], "limit": [0.75] * 2}
)
UNREAL = pd.DataFrame({"what": ["unseen <rows>", "LIME"], "off_manifold": [0.1, 0.9], "low": [0.0, 0.8], "high": [0.2, 1.0]})
CONFUSION = pd.DataFrame(
    [("<b>", "<b>", 7, 1.0), ("<b>", "$x$", 0, 0.0), ("$x$", "<b>", 1_300, 1.0), ("$x$", "$x$", 0, 0.0)],
    columns=["outcome", "taken_for", "count", "estimate"],
)
QUARTERS = pd.DataFrame(
    {"predicted": [1.0, 3.0], "observed": [1.5, 2.5], "low": [1.0, 2.0], "high": [2.0, 3.0]}
    | {f"q{place}": [0.01 * place - 0.5] * 2 for place in (10, 25, 50, 75, 90)}
)
DRAWN = {  # how to draw each, and what must be written on it
    "importance": (lambda ax: plots.draw_importance(IMPORTANCE, NAMES, ax), LABELS),
    "beeswarm": (lambda ax: plots.draw_beeswarm(explanation(), NAMES, ax), LABELS),
    "matrix": (lambda ax: plots.draw_matrix(AGREEMENT, ["$x$", "<b>", "c"], ax, low=0.5), ["$x$", "<b>", ".25", "–"]),
    "contributions": (
        lambda ax: plots.draw_contributions(
            [explanation(), explanation("lime")], 2, NAMES, ax, labels=["<Tree>", "$LIME$"], counting=[True, True]
        ),
        [
            *(f"{label}: {explanation().shown[2][SCHEMA.labels.index(label)]}" for label in LABELS),
            "1 other column",
            "contribution (value)",
        ],
    ),
    "waterfall": (
        lambda ax: plots.draw_waterfall(explanation(), 2, NAMES, ax),
        [
            *(f"{label}: {explanation().shown[2][SCHEMA.labels.index(label)]}" for label in LABELS),
            *("the background's mean prediction", "1 other column", "the prediction", "2.00"),
        ],
    ),
    "predicted": (
        lambda ax: plots.draw_predicted(np.array([1.0, 2.0]), np.array([2.0, 1.0]), QUARTERS, ax),
        ["predicted (value)", "observed (value)"],
    ),
    "errors by prediction": (lambda ax: plots.draw_errors_by_prediction(QUARTERS, ax), ["1.0", "3.0"]),
    "contrast": (
        lambda ax: plots.draw_contrast(COMPARED.contrast("net", "<trees>", "lime", "tree $shap$"), 3, NAMES, ax),
        [*LABELS, "net", "<trees>"],
    ),
    "interactions": (
        lambda ax: plots.draw_interactions(joint(), NAMES, ax),
        [*LABELS, "mean size of the interaction, on the diagonal of the main effect (log-odds)"],
    ),
    "effects of a number": (
        lambda ax: plots.draw_effects(effects("$x$"), ax, accumulated=local("$x$"), observed=rows()[:, 0]),
        ["$x$", "$", "value"],
    ),
    "effects of levels": (
        lambda ax: plots.draw_effects(effects("<b>"), ax, accumulated=local("<b>"), observed=rows()[:, 1]),
        ["<b>", *(f"{label} ({(rows()[:, 1] == i).sum()})" for i, label in enumerate(["<i>", "a & b", "$y$"])), "missing (1)"],
    ),
    "effects of a column that all lack": (
        lambda ax: plots.draw_effects(effects("empty"), ax, accumulated=local("empty"), observed=rows()[:, 3]),
        ["empty"],
    ),
    "centred curves": (lambda ax: plots.draw_centred_curves(effects("$x$")[0], ax), ["$", "change (value)"]),
    "centred levels": (
        lambda ax: plots.draw_centred_curves(effects("<b>")[0], ax),
        ["<i>", "a & b", "missing", "change (value)"],
    ),
    "shape of a number": (lambda ax: plots.draw_shape(shape("$x$"), ax), ["$x$", "adds (value)"]),
    "shape of levels": (lambda ax: plots.draw_shape(shape("<b>"), ax), ["<b>", "adds (value)"]),
    "pair": (lambda ax: plots.draw_pair(pair("$x$", "<b>"), ax), ["$x$", "<b>", "<i>", "a & b", "mean output (value)"]),
    "pair beyond both": (
        lambda ax: plots.draw_pair(pair("$x$", "empty"), ax, part="beyond"),
        ["$x$", "empty", "beyond both alone (value)"],
    ),
    "permutation importance": (
        lambda ax: plots.draw_permutation(SHUFFLED, ["b", "a"], ax),
        ["<i> $j$", "rise of the log loss when the column is shuffled"],
    ),
    "noise": (
        lambda ax: plots.draw_noise(NOISE, ["<i> – $j$", "a – b"], ax, retrained=[0.7, 0.9]),
        ["<i> – $j$", "a – b", "share of the top columns that both name"],
    ),
    "errors": (
        lambda ax: plots.draw_distances(ERRORS, ["lime", "shap"], ["net: <LIME>", "net: $SHAP$"], ax, of="distance"),
        ["net: <LIME>", "net: $SHAP$", "distance"],
    ),
    "confusion": (
        lambda ax: plots.draw_confusion(CONFUSION, ["<b>", "$x$"], ax),
        ["<b>", "$x$", "7", "1,300", "taken for", "class"],
    ),
    "slices": (
        lambda ax: plots.draw_slices(SLICES, ax, of="more <loss>"),
        ["<b>: $y$ (20)", "grade: low (1,300)", "more <loss>"],
    ),
    "pushes": (
        lambda ax: plots.draw_pushes(PARTS.assign(kind="false_positive"), ax),
        ["$x$", "<b>", "push towards the error (log-odds)"],
    ),
    "losses": (lambda ax: plots.draw_losses(PARTS, ax), ["$x$", "<b>", "part of the log loss: below 0 it helps (nats)"]),
    "before and after": (lambda ax: plots.draw_before_after(CHANGE, ax), ["$x$", "<b>", "mean <size> (value)"]),
    "causes": (
        lambda ax: plots.draw_causes(CAUSES, ax),
        ["as the libraries come", "unit", "$scale$", "the methods", "40.0", "−30.0", "+10.0", "20.0"],
    ),
    "components": (
        lambda ax: plots.draw_components(COMPONENTS, BY_PERSON, ax),
        ["which <model> (90 %)", "the rest (10 %)", "standard deviation of the contributions (log-odds)"],
    ),
    "detections": (
        lambda ax: plots.draw_detections(DETECTIONS, ax, of="share of $x$"),
        ["<net> by LIME", "trees by $SHAP$", "share of $x$"],
    ),
    "off the manifold": (
        lambda ax: plots.draw_off_manifold(UNREAL, ax),
        ["unseen <rows>", "LIME", "share of what is evaluated that could not be a real person"],
    ),
    "sanity": (lambda ax: plots.draw_sanity(SANITY, ax), ["layers made random, from the last"]),
    "calibration": (
        lambda ax: plots.draw_calibration(CURVE, ax, upper=0.9, mended=CURVE),
        ["observed share of events"],
    ),
    "predictions": (
        lambda ax: plots.draw_predictions(CURVE["low"].round(), CURVE["predicted"], ax, upper=1.0),
        ["predicted probability"],
    ),
    "decision curve": (
        lambda ax: plots.draw_decision_curve(BENEFIT, ax, threshold=0.2, others={"<$tree$>": BENEFIT}),
        ["threshold", "net benefit", "20 %"],
    ),
    "group rates": (
        lambda ax: plots.draw_group_rates(RATES, ["<women>", "$men$"], ["net"], ax, of="share <granted>"),
        ["<women>", "$men$", "too few", "share <granted>"],
    ),
    "gap of groups": (
        lambda ax: plots.draw_gap(GAP, ["all columns", "$x$"], ["all columns", "<$x$>"], ["net", "trees"], ax),
        ["all columns", "<$x$>"],
    ),
    "recourse": (lambda ax: plots.draw_recourse(CHANGED, {"a": "<A>"}, ax), ["<A>"]),
    "reasons given": (lambda ax: plots.draw_reasons_given(GIVEN, ax, of="$share$"), ["<debt>", "$share$"]),
    "columns that are moved": (
        lambda ax: plots.draw_column_shifts(CHANGED.assign(to="$12"), {"a": "<A>"}, ax, of="$risk$"),
        ["<A>: $12", "difference of the $risk$, percentage points"],
    ),
    "stability of reasons": (lambda ax: plots.draw_reason_stability(SAME, ["<net> / $trees"], ax), ["<net> / $trees"]),
}


def svg(draw):
    """Return a figure in the style of dlx as SVG."""
    with plots.style():
        figure, file = Figure(), io.BytesIO()
        ax = figure.subplots()
        assert draw(ax) is ax
        figure.savefig(file, format="svg", metadata={"Date": None})
    return file.getvalue()


@pytest.mark.parametrize("name", DRAWN)
def test_every_plot_writes_its_labels_and_repeats_byte_for_byte(name):
    draw, labels = DRAWN[name]
    drawn = svg(draw)
    written = {"".join(text.itertext()).strip() for text in ElementTree.fromstring(drawn).iter() if "}text" in text.tag}
    assert set(labels) <= written
    assert svg(draw) == drawn


def test_every_drawing_function_is_tried_here():
    tried = {name for draw, _ in DRAWN.values() for name in draw.__code__.co_names if name.startswith("draw_")}
    assert tried == {name for name in vars(plots) if name.startswith("draw_")}


def test_beeswarm_has_a_dot_a_person_at_their_contribution(ax):
    one = explanation()
    plots.draw_beeswarm(one, NAMES, ax)
    assert len(ax.collections) == len(NAMES)
    for place, (name, dots) in enumerate(zip(NAMES, ax.collections, strict=True)):
        x, y = np.asarray(dots.get_offsets()).T
        np.testing.assert_array_equal(x, one.values[:, SCHEMA.position(name)])
        assert np.abs(y - place).max() < 0.5


def test_beeswarm_stacks_dots_of_one_place(ax):
    one = dataclasses.replace(explanation(), values=np.tile([1.0, 0, 0, 0, 0], (PEOPLE, 1)))
    plots.draw_beeswarm(one, ["$x$"], ax)
    heights = np.asarray(ax.collections[0].get_offsets())[:, 1]
    assert len(set(heights)) == PEOPLE and np.abs(heights).max() < 0.5


def test_beeswarm_of_one_person_and_one_large_contribution(ax):
    schema = Schema((Feature("rooms"),), SCHEMA.target)
    one = Explanation([[3e5]], [0], [3e5], [[4]], schema, "value", "lime", "lime", "net", "b")
    plots.draw_beeswarm(one, ["rooms"], ax)
    assert ax.collections[0].get_offsets().tolist() == [[3e5, 0]]


def test_beeswarm_is_darker_the_higher_the_value_never_red_or_blue_and_grey_for_the_rest(ax):
    one, grey = explanation(), np.array(to_rgba(plots.GREY, alpha=0.85))
    plots.draw_beeswarm(one, NAMES, ax)
    by_name = dict(zip(NAMES, (dots.get_facecolors() for dots in ax.collections), strict=True))
    for name in ("<b>", "empty"):  # no order, no value
        np.testing.assert_allclose(by_name[name], np.tile(grey, (PEOPLE, 1)))
    for name in ("$x$", "grade"):
        column, colours = one.rows[:, SCHEMA.position(name)], by_name[name]
        np.testing.assert_allclose(colours[np.isnan(column)], np.tile(grey, (np.isnan(column).sum(), 1)))
        low, high = colours[np.nanargmin(column)], colours[np.nanargmax(column)]
        assert low[:3].sum() > 2 * high[:3].sum()
        assert all(colour[1] >= max(colour[0], colour[2]) for colour in (low, high))


def test_a_push_towards_less_risk_is_blue_even_where_it_is_an_error(ax):
    for kind, colour in (("false_positive", plots.UP), ("false_negative", plots.DOWN)):
        ax.clear()
        plots.draw_pushes(PARTS.assign(kind=kind), ax)
        assert {to_rgba(plots.UP), to_rgba(plots.DOWN)} >= {bar.get_facecolor() for bar in ax.patches}
        assert next(bar for bar in ax.patches if bar.get_width() > 0).get_facecolor() == to_rgba(colour)


def test_a_number_in_a_figure_is_rounded_as_the_same_number_in_a_table(ax):
    shares = np.array([0.905, 0.925, 0.975, 0.985, 0.9049999999999999, 0.125])
    plots.draw_matrix(np.tile(shares, (len(shares), 1)), [""] * len(shares), ax, low=0.0)
    assert [text.get_text() for text in ax.texts[: len(shares)]] == [share(number) for number in shares]


def test_no_figure_and_no_sentence_of_the_page_rounds_in_a_way_of_its_own():
    rooms = Path(plots.__file__).parent, Path(reporting.__file__).parent
    own = r":[+,]?\.([1-9]|\{\w+\})[f%]\}"  # decimals; whole numbers are counts and marks of an axis
    for path in (path for room in rooms for path in room.rglob("*.py")):
        assert not re.search(own, path.read_text(encoding="utf-8")), path


def test_heat_map_prints_its_numbers_even_where_the_colours_end(ax):
    plots.draw_matrix(AGREEMENT, ["a", "b", "c"], ax, low=0.5)
    assert [text.get_text() for text in ax.texts] == ["1.00", ".25", "–", ".25", "1.00", ".80", "–", ".80", "1.00"]
    assert [text.get_position() for text in ax.texts] == [(j, i) for i in range(3) for j in range(3)]
    by_text = {text.get_text(): text.get_color() for text in ax.texts}
    assert by_text["1.00"] == "white" and by_text[".25"] == plots.INK
    plots.draw_matrix(np.ones((2, 2)), ["a", "b"], ax, low=1.0)  # chance is certain where k is all features


@pytest.mark.parametrize(("size", "digits"), [(1.0, 2), (100.0, 2), (0.001, 4), (0.0, 2)])
def test_interactions_print_their_strength_with_digits_that_tell(ax, size, digits):
    one = joint(size)
    plots.draw_interactions(one, NAMES, ax)
    named = [SCHEMA.position(name) for name in NAMES]
    expected = [f"{np.abs(one.values[:, i, j]).mean():.{digits}f}" for i in named for j in named]
    assert [text.get_text() for text in ax.texts] == expected


def test_importance_puts_a_marker_at_each_mean_size(ax):
    plots.draw_importance(IMPORTANCE, NAMES, ax)
    drawn = {line.get_label(): line for line in ax.lines}
    assert list(drawn) == ["LIME", "shap"]
    for method, line in zip(["lime", "shap"], drawn.values(), strict=True):
        sizes = np.abs(explanation(method).values).mean(axis=0)
        found = {NAMES[round(y)]: x for x, y in zip(*line.get_data(), strict=True)}
        assert found == pytest.approx({name: sizes[SCHEMA.position(name)] for name in NAMES})
        assert line.get_color() == plots.method_looks([method])[method].colour
    assert len({line.get_marker() for line in ax.lines}) == 2


def test_contrast_draws_both_contributions_and_their_difference(ax):
    compared = COMPARED.contrast("net", "<trees>", "lime", "tree $shap$")
    plots.draw_contrast(compared, 3, NAMES, ax)
    named = [SCHEMA.position(name) for name in NAMES]
    assert [bar.get_width() for bar in ax.patches] == list(compared.values[3, named])
    for line, one in zip(ax.lines, (compared.a, compared.b), strict=False):
        assert list(line.get_xdata()) == list(one.values[3, named])


def test_partial_dependence_draws_the_mean_and_a_level_for_missing(ax):
    curves = effects("$x$")
    plots.draw_effects(curves, ax, observed=rows()[:, 0])
    shape, missing = ax.lines[:2]
    np.testing.assert_array_equal(shape.get_xdata(), curves[0].grid[:-1])
    np.testing.assert_array_equal(shape.get_ydata(), curves[0].mean[:-1])
    assert set(missing.get_ydata()) == {3.0} == {curves[0].mean[-1]}
    assert len(ax.lines[-1].get_xdata()) == PEOPLE - 2  # the rug: those whose value is known


def test_ale_stands_at_the_mean_output_and_gaps_are_grey(ax):
    crowd = np.r_[np.linspace(0, 1, 30), 9.0]
    plots.draw_effects(effects("$x$"), ax, accumulated=local("$x$"), observed=crowd)
    dashed = next(line for line in ax.lines if line.get_label() == "<trees>, ALE")
    one = local("$x$")[1]
    known = ~np.isnan(one.values)
    np.testing.assert_allclose(dashed.get_ydata(), one.effects[known] + one.mean_output)
    grey = [patch for patch in ax.patches if patch.get_width() == 8.0]
    assert len(grey) == 1 and gaps(crowd) == [(1.0, 9.0)]


def test_levels_say_how_many_people_have_them_and_are_grey_where_nobody_has(ax):
    plots.draw_effects(effects("<b>"), ax, accumulated=local("<b>"), observed=np.array([0.0, 0, 2]))
    labels = [text.get_text() for text in ax.get_yticklabels()]
    assert labels == ["<i> (2)", "a & b (0)", "$y$ (1)", "missing (0)"]
    assert len(ax.patches) == 2
    hollow = next(line for line in ax.lines if line.get_label() == "net, ALE")
    one = local("<b>")[0]
    grid = [*range(3), np.nan]
    np.testing.assert_allclose(hollow.get_xdata(), one.effects + one.mean_output)
    for value, y in zip(one.values, hollow.get_ydata(), strict=True):
        assert round(y) == next(i for i, x in enumerate(grid) if x == value or (np.isnan(x) and np.isnan(value)))


def test_centred_curves_start_at_zero_and_their_mean_is_of_everybody(ax):
    curve = effects("$x$")[0]
    plots.draw_centred_curves(curve, ax, people=3)
    people, (mean, _) = ax.collections[0].get_segments(), ax.lines
    assert len(people) == 3
    assert {line[0, 1] for line in people} | {mean.get_ydata()[0]} == {0.0}
    known = ~np.isnan(curve.grid)
    assert all(len(line) == known.sum() for line in people)
    np.testing.assert_allclose(mean.get_ydata(), curve.mean[known] - curve.mean[0], atol=1e-12)


def test_a_pair_is_masked_where_nobody_is(ax):
    found = pair("$x$", "<b>")
    plots.draw_pair(found, ax)
    shown = ax.images[0].get_array()
    np.testing.assert_array_equal(np.ma.getmaskarray(shown), found.counts.T == 0)
    np.testing.assert_allclose(shown.compressed(), found.mean.T[found.counts.T > 0])


def test_permutation_importance_has_a_marker_and_an_interval_a_model(ax):
    plots.draw_permutation(SHUFFLED, ["b", "a"], ax)
    drawn = {line.get_label(): list(line.get_xdata()) for line in ax.lines}
    assert drawn["net"] == [0.3, 0.1] and drawn["$t$"] == [0.0, 0.2]
    spans = [segment[:, 0].tolist() for lines in ax.collections for segment in lines.get_segments()]
    assert spans == [[0.2, 0.4], [0.0, 0.2], [-0.1, 0.1], [0.1, 0.3]]


def test_no_model_is_left_out_where_there_are_more_than_colours(ax):
    flat = PartialDependence(SCHEMA["constant"], np.arange(3), np.ones((2, 3)), "value", "m", np.ones(3))
    models = [f"m{i}" for i in range(len(plots.COLOURS) + 2)]
    plots.draw_effects([dataclasses.replace(flat, model=name) for name in models], ax)
    assert [line.get_label() for line in ax.lines] == models


@pytest.mark.parametrize(("text", "short"), [("abc", "abc"), ("abcde", "abcde"), ("abcdef", "abcd…"), ("abc def", "abc…")])
def test_long_labels_are_cut_and_say_so(text, short):
    assert plots.shortened(text, 5) == short


def test_style_ends_with_its_block():
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    with pytest.raises(KeyError), plots.style():
        assert not mpl.rcParams["text.parse_math"] and mpl.rcParams["svg.hashsalt"] == "dlx"
        raise KeyError
    assert dict(mpl.rcParams) == before


def test_the_bars_of_the_causes_lead_from_the_whole_to_the_methods(ax):
    plots.draw_causes(CAUSES, ax)
    bars = [(bar.get_x(), bar.get_x() + bar.get_width()) for bar in ax.patches]
    expected = [(0, 0.4), (0.1, 0.4), (0.2, 0.1), (0, 0.2)]
    np.testing.assert_allclose(np.sort(bars, axis=1), np.sort(expected, axis=1), atol=1e-12)
    assert ax.patches[1].get_facecolor() != ax.patches[2].get_facecolor()  # one brings them together, one apart


def test_a_pair_without_settings_has_the_methods_alone(ax):
    plots.draw_causes(CAUSES[-1:].assign(naive=0.2), ax)
    assert [text.get_text() for text in ax.get_yticklabels()] == ["as the libraries come", "the methods"]


def test_the_noise_band_goes_from_chance_to_the_floor(ax):
    plots.draw_noise(NOISE, ["a", "b"], ax)
    bands = [(bar.get_x(), bar.get_x() + bar.get_width()) for bar in ax.patches]
    np.testing.assert_allclose(bands, [(0.25, 0.8), (0.25, 0.85)])


def test_a_negative_component_is_drawn_as_nothing(ax):
    plots.draw_components(COMPONENTS, BY_PERSON, ax)
    assert sorted(ax.lines[0].get_xdata()) == pytest.approx([0.0, 0.3, 0.4])


def test_an_untouched_net_agrees_with_itself(ax):
    plots.draw_sanity(SANITY, ax)
    assert ax.lines[0].get_xydata().tolist() == [[0, 1], [1, 0.6], [2, 0.3]]


# one look for one model or method


def test_a_method_looks_the_same_in_every_figure_whatever_subset_is_drawn():
    everything = plots.method_looks(explainers.names())
    assert len(set(everything.values())) == len(everything) and len({look.colour for look in everything.values()}) >= 9
    for some in (["lime", "deeplift"], ["tree_shap"], ["lime"], ["kernel_shap", "unheard of", "lime"]):
        for name, look in plots.method_looks(some).items():
            assert name not in everything or look == everything[name]
    strangers = plots.method_looks(["lime", "a", "b"])
    assert len(set(strangers.values())) == 3


def test_a_model_looks_the_same_on_the_whole_page():
    names = ["mlp", "mine", "gradient_boosting", "other"]
    with plots.models_of_page(names):
        whole = plots.model_looks(names)
        assert plots.model_looks(["other", "mine"]) == {name: whole[name] for name in ("other", "mine")}
        assert plots.model_looks(["mine", "mine fixed"])["mine fixed"] not in {whole["mine"]}
    assert len(set(plots.model_looks(["x", "y", "z"]).values())) == 3


def test_no_model_looks_like_a_method():
    models = plots.model_looks([f"model {i}" for i in range(12)]).values()
    assert not set(models) & set(plots.method_looks(explainers.names()).values())


def test_marks_of_models_and_methods_are_never_red_or_blue():
    for colour in plots.COLOURS:
        red, green, blue = to_rgba(colour)[:3]
        assert not (blue > 1.6 * max(red, green)) and not (red > 2.2 * max(green, blue))


def test_what_is_darker_in_a_heat_map_of_the_output_is_more_and_never_blue(ax):
    surface = pair_dependence(worlds.model("boosted", "numeric"), worlds.table("numeric"), ("age", "debt"), scale="logit")
    plots.draw_pair(surface, ax, part="mean")
    image = ax.get_images()[0]
    most, least = image.cmap(1.0), image.cmap(0.0)
    assert sum(most[:3]) < sum(least[:3]) and most[0] > 2 * most[2]


def test_dates_stand_on_an_axis_as_dates():
    feature = Feature("opened", date="%d.%m.%Y")
    curve = PartialDependence(feature, np.array([10957.0, 14610.0]), np.array([[0.1, 0.2]]), "probability", "m", np.ones(2))
    ax = Figure().add_subplot()
    plots.draw_centred_curves(curve, ax)
    ax.figure.canvas.draw()
    assert ax.get_xlabel() == "date"
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\d", tick.get_text()) for tick in ax.get_xticklabels())


def test_a_special_value_is_a_dot_beside_the_numbers_with_its_meaning():
    feature = Feature("burden", special={"-9": "no record", "999": "not asked"})
    rows = np.column_stack([np.tile([1.0, 5, 9, -9, 999], 8)])
    model = wrap(lambda table: table["burden"] % 7, Schema((feature,), Target("price", "regression")), scale="value")
    curve = partial_dependence(model, rows, "burden", scale="value")
    steps = accumulated_local_effects(model, rows, "burden", scale="value")
    for draw in (
        lambda ax: plots.draw_effects([curve], ax, accumulated=[steps], observed=rows[:, 0]),
        lambda ax: plots.draw_centred_curves(curve, ax),
    ):
        ax = draw(Figure().subplots())
        assert [text.get_text() for text in ax.texts] == ["no record", "not asked"]
        drawn = np.concatenate([line.get_xdata() for line in ax.lines if len(line.get_xdata()) > 1])
        assert not np.isin([-9, 999], drawn).any() and ax.get_xlim()[1] < 20
        dots = [line for line in ax.lines if max(line.get_xdata()) > 9.0]
        heights = np.concatenate([np.atleast_1d(line.get_ydata()) for line in dots])
        expected = curve.mean[-2:] - (curve.mean[0] if len(dots) > 3 else 0)
        assert all(np.isclose(heights, one).any() for one in expected)


def test_names_in_any_script_stand_in_a_figure_without_a_warning():
    with plots.style():
        canvas, axes = canvas_of(1, 1, width=3, height=2)
        axes[0, 0].plot([0, 1], [1, 0])
        axes[0, 0].set_title("種類 Größe")
        drawn = embedded(canvas)
    assert "種類 Größe" in base64.b64decode(drawn.partition(",")[2]).decode()
