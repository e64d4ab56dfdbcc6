"""The section on how it was done: its numbers are those of the run, and every method is told with its question."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest
import torch
import worlds
from pages import numbers_of, told_of, words_of

import dlx
from dlx import explainers
from dlx.context import QUICK, RunContext, fewer_people
from dlx.dataset import Card, Dataset
from dlx.model import NeuralModel
from dlx.progress import Narrator

pytestmark = pytest.mark.usefixtures("few_samples")
FEW = dataclasses.replace(QUICK, noise_people=3, replicates=2, truth_tolerance=0.1, settings_people=3)


def context_of(case, *models, **asked):
    """Return the context of a small report."""
    asked = {"people": 8, "background": 9, "budget": FEW, "narrator": Narrator(quiet=True)} | asked
    return RunContext.of(case, models, **asked)


@pytest.fixture(scope="module")
def context():
    case = worlds.table("mixed")
    case = dataclasses.replace(case, card=Card(caveats=("<b>Only 7</b> were asked.", "*Nothing* else.")))
    forest = dataclasses.replace(worlds.model("forest", "mixed"), route="Read as a sum of 77 trees: each asks one column.")
    return context_of(case, worlds.model("net", "mixed"), forest)


@pytest.fixture(scope="module")
def told(context):
    return told_of("method", context)


def test_every_number_of_the_prose_is_a_cell_of_a_table(told, context):
    numbers = numbers_of(told.page, told.tables)
    assert {"300", "180", "60", "9", "8"} <= {shown for _, _, shown in numbers}
    budgets = told.tables["budgets"].set_index("method")["value"].to_dict()
    assert budgets == {
        method: option
        for (_, method), made in context.explanations.items()
        for name, option in made.options.items()
        if name in ("n_samples", "n_steps")
    }
    for method in budgets:
        assert re.search(rf"{budgets[method]:,} \w+ of {explainers.method(method).LABEL}", words_of(told.page))


def test_every_method_is_told_with_its_question_and_every_scale_with_its_models(told, context):
    said = words_of(told.page)
    for _, method in context.explanations:
        assert explainers.method(method).QUESTION in said
    assert "in log-odds for net, in probability for forest." in said
    assert "forest. Read as a sum of 77 trees: each asks one column." in said
    assert len(told.tables["methods"]) == len(context.explanations)


def test_what_the_case_says_of_itself_is_told_as_text(told):
    assert '<li><span class="verbatim">&lt;b&gt;Only 7&lt;/b&gt; were asked.</span></li>' in told.page
    assert "*Nothing* else." in words_of(told.page)


def test_a_method_that_is_not_valid_is_told_with_its_reason_and_what_takes_its_place():
    model = NeuralModel(worlds.network("numeric", activation=torch.nn.GELU), worlds.encoder("numeric"), "gelu_net")
    told = told_of("method", context_of(worlds.table("numeric"), model))
    line = told.tables["preflight"].query("method == 'deeplift'").iloc[0]
    assert line["verdict"] == "not valid" and "GELU" in line["reason"] and line["fallback"] == "integrated_gradients"
    assert "deeplift" not in set(told.tables["methods"]["method"])
    said = words_of(told.evidence)
    assert "DeepLIFT not valid" in said and line["reason"][:50] in said and "Integrated gradients" in said


def test_a_model_that_no_method_explains_is_named_with_its_reason():
    context = context_of(worlds.table("numeric"), worlds.model("linear", "numeric"), left_out={"odd": "it has <no> answer"})
    assert "odd is left out, since no method could explain it: it has <no> answer." in words_of(told_of("method", context).page)


def test_a_constant_model_has_no_nan_among_its_words():
    constant = dlx.wrap(lambda table: np.full(len(table), 0.4), worlds.NUMERIC, name="constant")
    case = worlds.table("numeric")
    told = told_of("method", context_of(Dataset(case.schema, case.rows, case.outcomes, name="own"), constant))
    assert "nan" not in words_of(told.page + told.evidence).lower().split()


def test_of_many_columns_fewer_people_are_asked():
    assert [fewer_people(200, columns) for columns in (20, 100, 150, 500, 3_000)] == [200, 200, 133, 40, 10]
    assert fewer_people(8, 500) == 8
