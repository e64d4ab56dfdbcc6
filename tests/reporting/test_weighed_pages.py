"""Sample weights on the page: every number that is one of people is that of rows repeated so often, with no more people."""

from __future__ import annotations

import dataclasses
import functools
import importlib

import numpy as np
import pytest
from weighed import model, repeated, weighted

from dlx import stats
from dlx.context import RunContext
from dlx.progress import Narrator
from dlx.reporting.sections import values_of
from dlx.threads import one_thread

QUIET = Narrator(quiet=True)
SECTIONS = [("class", "classes")]
SECTIONS += [(kind, name) for kind in ("binary", "value") for name in ("performance", "errors", "fairness")]
# what tells of people one by one, or of some who were drawn or chosen by their number
PEOPLE = {"performance": ["test_predictions", "explanations_recalibrated"], "classes": ["class_predictions", "class_mistakes"]}
PEOPLE["performance"] += ["performance_recalibrated"]  # whether by steps goes by folds of people
PEOPLE["errors"] = ["errors_confident", "errors_largest", "errors_overconfidence"]  # a test of the model, not of a population
PEOPLE["errors"] += ["errors_slices", "errors_search", "errors_losses"]  # leaves have a least number of people
PEOPLE["fairness"] = ["fairness_proxies", "fairness_carriers"]  # five folds of people
PEOPLE["fairness"] += ["fairness_remedies", "fairness_tried"]  # of a model that is trained again
COUNTS = ("people", "rows", "test_rows", "count", "of", "events", "hits", "wrong", "right", "errors", "missed", "flagged")
BEYOND = ("p_value", "false_alarms", "is_clear", "bent", "is_off", "note", "quartile", "decile")  # of intervals, or counts


@functools.cache
def context(kind, is_repeated):
    """What a page shares; of everybody, against one background."""
    case = repeated(weighted(kind)) if is_repeated else weighted(kind)
    case = case.of_class("b") if kind == "class" else case
    made = RunContext.of(case, [model(kind)], people=10_000, narrator=QUIET)
    return dataclasses.replace(made, background=weighted(kind).background(20))


def measured(kind, section, is_repeated):
    """The tables of a section, the lines in the order of their words."""
    told = context(kind, is_repeated)
    with one_thread(), values_of(told.case):
        tables = importlib.import_module(f"dlx.reporting.sections.{section}.measure").measure(told).tables
    words = {name: [column for column in table if table[column].dtype.kind not in "fiub"] for name, table in tables.items()}
    kept = {name: table for name, table in tables.items() if name[0] != "_" and name not in PEOPLE.get(section, ())}
    return {name: table.sort_values(words[name] or [*table][:1], kind="stable") for name, table in kept.items()}


@pytest.mark.parametrize(("kind", "section"), SECTIONS)
def test_numbers_of_people_are_those_of_repeated_rows_between_ends_of_as_many_people_as_there_are(kind, section, monkeypatch):
    monkeypatch.setattr(stats, "BETWEEN", "inverted_cdf")  # or a quantile would go by how many rows there are
    own, often = (measured(kind, section, is_repeated) for is_repeated in (False, True))
    compared, wider = 0, []
    for name in own.keys() & often.keys():
        one, other = own[name], often[name]
        if name in ("calibration", "calibration_curves"):  # whether it is recalibrated too goes by an interval
            one, other = (some[some["model"] == "logistic_regression"] for some in (one, other))
            one, other = (some[some["part"] == "test"] if "part" in some else some for some in (one, other))
            one, other = (some[some["quantity"] != "p_value"] if "quantity" in some else some for some in (one, other))
        for column in one.select_dtypes("number"):
            mine, theirs = one[column].to_numpy(dtype=float), other[column].to_numpy(dtype=float)
            if column.endswith(("low", "high")):
                continue
            if column not in COUNTS and not column.startswith(BEYOND):
                np.testing.assert_allclose(mine, theirs, atol=1e-9, err_msg=f"{name}: {column}")
                compared += len(mine)
            start = "" if column in ("estimate", "observed", "mean", "effect") else f"{column}_"
            if {f"{start}low", f"{start}high"} <= {*one}:
                widths = [(some[f"{start}high"] - some[f"{start}low"]).to_numpy(dtype=float) for some in (one, other)]
                is_open = np.isfinite(widths).all(axis=0) & (widths[1] > 1e-9)
                wider += [*(widths[0][is_open] / widths[1][is_open])]
    assert compared > 3
    assert not wider or np.median(wider) > 1.3, "twice as many rows would be narrower by about the square root of two"
