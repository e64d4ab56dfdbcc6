"""The section on the data: what the check found stands on the page in a few words, and whole on the evidence."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
import worlds
from pages import numbers_of, told_of, words_of

import dlx
from dlx.context import RunContext
from dlx.data_check import RULES
from dlx.dataset import from_frame
from dlx.model import wrap
from dlx.progress import Narrator
from dlx.schema import infer_schema


@pytest.fixture(scope="module")
def flawed():
    """A table with a code and markup in a name, and a model of it."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"age<b>": rng.normal(50, 10, 400).round(), "income": rng.lognormal(10, 1, 400).round(2)})
    table.loc[:7, "age<b>"] = 999
    table["y"] = np.where(rng.random(400) < 0.4, "yes", "no")
    case = from_frame(table, infer_schema(table, "y", positive="yes"))
    model = wrap(lambda people: 0.2 + 0.5 * (people["income"] > 20_000).to_numpy(), case, name="rule")
    return case, told_of("data", RunContext.of(case, [model], people=8, background=9, narrator=Narrator(quiet=True)))


def test_the_page_names_what_must_be_decided_and_the_evidence_says_what_to_do(flawed):
    case, told = flawed
    found = dlx.check(case)
    assert "In 3 columns the data check found one thing that a person must decide: Special code (age<b>)." in words_of(
        told.page
    )
    assert numbers_of(told.page, told.tables)
    for one in found:
        assert one.said in words_of(told.evidence) and one.remedy in words_of(told.evidence)
    for column in case.reading:
        assert f"{column.name} {column.taken_for}" in words_of(told.evidence)
    for rule in RULES.values():
        assert f"{rule.title} {rule.what}" in words_of(told.evidence)
    assert "<b>" not in told.page.replace("age&lt;b&gt;", "")


def test_a_table_with_nothing_to_decide_says_so():
    case = worlds.table("mixed")
    context = RunContext.of(case, [worlds.model("forest", "mixed")], people=8, background=9, narrator=Narrator(quiet=True))
    assert "In 5 columns the data check found nothing that a person must decide, and one to know." in words_of(
        told_of("data", context).page
    )


def test_what_was_accepted_stands_on_the_page_with_its_reason(flawed):
    case, _ = flawed
    said = {"special code: age<b>": "nobody is asked", "leak: income": "once a leak"}
    case = dataclasses.replace(case, schema=dataclasses.replace(case.schema, accepted=said))
    model = wrap(lambda people: 0.2 + 0.5 * (people["income"] > 20_000).to_numpy(), case, name="rule")
    told = told_of("data", RunContext.of(case, [model], people=8, background=9, narrator=Narrator(quiet=True)))
    assert (
        "the data check found nothing that a person must decide. "
        "Accepted: Special code (age<b>), nobody is asked. The schema accepts 'leak: income', which is not found; "
        "take it out of [accepted]."
    ) in words_of(told.page)
