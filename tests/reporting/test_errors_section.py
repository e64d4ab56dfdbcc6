"""The section "Where the models err": every number of it is in a table, and it has an answer for every table and model."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
import worlds
from pages import numbers_of, tables_linked, told_of, words_of

import dlx
from dlx import plots, training
from dlx.dataset import Dataset
from dlx.model import BlackBox, Provenance, wrap
from dlx.reporting.canvas import canvas_of
from dlx.reporting.sections.errors import measure


def own(size: int = 300) -> Dataset:
    """Return a table of one's own: nothing protected, nothing rare."""
    return worlds.table("numeric", size)


@pytest.fixture(scope="module")
def bank():
    """Return the section of bank_loan's boosted trees, beside two models that can be read."""
    case = dlx.load("bank_loan")
    models = [dlx.load_model(case, name) for name in ("gradient_boosting", "logistic_regression", "decision_tree")]
    return told_of("errors", worlds.context(case, *models, background=10))


def test_every_number_of_the_prose_is_a_cell_of_a_table_and_the_page_is_short(bank):
    assert len(numbers_of(bank.page, bank.tables)) > 10 and len(numbers_of(bank.evidence, bank.tables)) > 5
    assert len(words_of(bank.page, tables=False).split()) < 500 and len(words_of(bank.evidence, tables=False).split()) < 900
    assert str(bank.page).count("<figure>") == 1 and str(bank.evidence).count("<figure>") == 4
    assert all(len(table) for table in bank.tables.values())
    assert "errors_pushes" in tables_linked(bank.page) and tables_linked(bank.page + bank.evidence) <= set(bank.tables)
    assert "nan" not in words_of(bank.page).lower().split()


def test_only_black_boxes_are_looked_into(bank):
    assert set(bank.tables["errors_pushes"]["model"]) == {"gradient_boosting"}
    assert set(bank.tables["errors_before_after"]["model"]) == {"gradient_boosting"}


def test_the_words_hold_the_numbers_of_the_tables(bank):
    case, model = dlx.load("bank_loan"), dlx.load_model("bank_loan", "gradient_boosting")
    denied = model.decide(case.test)
    good = case.test.outcomes == 0
    rates = bank.tables["errors_rates"].set_index("kind").loc["false_positive"]
    assert (rates["wrong"], rates["of"]) == ((denied & good).sum(), good.sum())
    change = bank.tables["errors_before_after"].set_index("quantity").loc["auc"]
    said = f"the ROC AUC of gradient_boosting changes by {change['difference']:+.3f}".replace("+0", "+").replace("-0", "−")
    assert said in words_of(bank.page)
    assert "dlx fix bank_loan --model gradient_boosting" in words_of(bank.evidence)
    surest = bank.tables["errors_confident"].iloc[0]
    assert f"about applicant {surest['person']}: {surest['decision']} at a risk of" in words_of(bank.page)
    assert surest["pushed_by"] in words_of(bank.page)


def test_groups_that_must_not_be_compared_are_not(bank):
    table = bank.tables["errors_before_after"]
    line = table[table["of"] == "Marital status and sex"].iloc[0]
    assert np.isnan(line["before"])
    assert "no comparison of women with men is valid" in line["note"]


def test_a_table_of_ones_own_has_an_answer_to_everything():
    case = own()
    model = training.fit("gradient_boosting", case.train, case.validation).model
    told = told_of("errors", worlds.context(case, model, background=10))
    assert "No remedy is known for this table" in words_of(told.page)
    assert "errors_before_after" not in told.tables


def test_a_model_that_denies_nobody_and_knows_no_logit_has_an_answer():
    case = own()
    nobody = BlackBox(lambda table: np.zeros(len(table)), case.schema, "nobody", scales=("probability", "logit"))
    told = told_of("errors", worlds.context(case, nobody, background=10))
    assert "nobody has 0 wrongly flagged" in words_of(told.page)


def test_a_model_without_errors_has_an_answer():
    case = own()
    known = {row.tobytes(): outcome for row, outcome in zip(case.rows, case.outcomes, strict=True)}

    def right(table: pd.DataFrame) -> np.ndarray:
        rows = table.to_numpy(dtype=float)
        return np.array([0.1 + 0.8 * known.get(row.tobytes(), 0.0) for row in rows])

    model = BlackBox(right, case.schema, "right", scales=("probability", "logit"))
    told = told_of("errors", worlds.context(case, model, background=10))
    assert "right has 0 wrongly flagged" in words_of(told.page)
    assert "was most wrong" not in words_of(told.page) and "errors_confident" not in told.tables


def test_a_tiny_table_has_no_slices_and_says_so():
    case = own(60)
    model = training.fit("logistic_regression", case.train, case.validation).model
    told = told_of("errors", worlds.context(case, model, background=10))
    assert "slices need at least 40 rows to be found" in words_of(told.page)
    assert "errors_slices" not in told.tables


def test_test_rows_of_one_class_are_one_sentence():
    case = own()
    same = dataclasses.replace(case, outcomes=np.zeros(len(case)))
    told = told_of("errors", worlds.context(same, worlds.model("linear", "numeric"), background=10))
    assert words_of(told.page).startswith("All 60 test rows have the same outcome")
    assert set(told.tables) == {"errors_facts"} and not words_of(told.evidence)


def test_drawings_show_what_the_tables_say(bank):
    with plots.style():
        _, axes = canvas_of(2, 2, width=8, height=6)
        slices, losses = bank.tables["errors_slices"].query("of == 'loss'"), bank.tables["errors_losses"]
        plots.draw_slices(slices, axes[0, 0], of="loss")
        pushed = bank.tables["errors_pushes"]
        first = pushed[pushed["kind"] == "false_positive"]
        plots.draw_pushes(first, axes[0, 1], most=3)
        columns = losses[(losses["slice"] == "everybody") & losses["is_column"]]
        plots.draw_losses(columns, axes[1, 0], most=4)
        change = bank.tables["errors_before_after"]
        plots.draw_before_after(change[change["topic"] == "explanations"], axes[1, 1])
    shown = sorted(float(x) for line in axes[0, 0].lines[1:] for x in line.get_xdata())
    np.testing.assert_allclose(shown, sorted(slices["difference"]))
    widths = [bar.get_width() for bar in axes[0, 1].patches]
    np.testing.assert_allclose(widths, first["push"].head(3))
    assert [abs(bar.get_width()) for bar in axes[1, 0].patches] == sorted(columns["mean"].abs(), reverse=True)[:4]
    assert len(axes[1, 1].get_yticks()) == (change["topic"] == "explanations").sum()


@pytest.mark.parametrize(("threshold", "said"), [(0.999, "0 rightly flagged"), (0.001, "0 rightly not flagged")])
def test_a_model_that_flags_nobody_or_everybody_says_whom_errors_cannot_be_compared_with(threshold, said):
    case = own()
    target = dataclasses.replace(case.schema.target, threshold=threshold)
    case = dataclasses.replace(case, schema=dataclasses.replace(case.schema, target=target))
    flat = wrap(lambda table: np.full(len(table), 0.4), case.schema, name="flat", scale="probability")
    told = told_of("errors", worlds.context(case, flat, background=10))
    assert f"and {said}, too few to compare" in words_of(told.page)


def test_a_push_within_chance_is_none_and_the_clearest_part_is_one_that_was_found(bank):
    pushed, text = bank.tables["errors_pushes"], words_of(bank.page)
    for kind, word in (("false_positive", "denied"), ("false_negative", "granted")):
        of_kind = pushed[pushed["kind"] == kind]
        clear = of_kind[of_kind["low"] > 0]
        expected = (
            f"those wrongly {word} by gradient_boosting were pushed most by “{clear['label'].iloc[0]}”"
            if len(clear)
            else f"no column pushed those wrongly {word}"
        )
        assert expected in text
    found = bank.tables["errors_slices"].query("of == 'loss' and found")
    assert ("The clearest part is" in text) == (len(found) > 0)
    if len(found):
        assert found["slice"].iloc[0] in text


def test_a_command_is_named_only_where_it_can_be_typed():
    case = dlx.load("bank_loan")
    made = dlx.fix(case, dlx.load_model(case, "logistic_regression"), recalibrate=True, device="cpu")
    fixed = {made.before.name: dataclasses.replace(made, made_by=Provenance("mlp", seed=3))}
    context = worlds.context(case, made.before, background=10)
    assert measure._command_of(context, fixed) == "dlx fix bank_loan --model mlp --seed 3"
    mine = dataclasses.replace(context, case=dataclasses.replace(case, name="my_loans"))
    assert measure._command_of(mine, fixed) == ""
