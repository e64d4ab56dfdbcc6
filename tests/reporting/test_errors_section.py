"""The section "Where it errs": every number of it is in a table, and it has an answer for every table and model."""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import worlds

import dlx
from dlx import plots, training
from dlx.audit.mispredictions import Slices
from dlx.audit.mispredictions.confidence import KINDS
from dlx.dataset import Dataset
from dlx.kept import Keeper
from dlx.model import BlackBox, wrap
from dlx.progress import Narrator
from dlx.reporting.canvas import Figure, canvas_of
from dlx.reporting.sections import errors
from dlx.reporting.sections.blocks import Section, Table
from dlx.reporting.sections.checklist import ITEMS
from dlx.reporting.sections.errors import told as words
from dlx.threads import one_thread


def told_of(case: Dataset, models, tmp_path) -> Section:
    quiet = Narrator(quiet=True)
    setting = worlds.context(case, background=10)
    with one_thread():
        return errors.section(dataclasses.replace(setting, keeper=Keeper(None, quiet)), models)


def text(section: Section) -> str:
    return " ".join([*section.findings, *map(str, section.blocks)])


def own(size: int = 300) -> Dataset:
    """Return a table of one's own: nothing protected, nothing rare."""
    return worlds.table("numeric", size)


@pytest.fixture(scope="module")
def bank(tmp_path_factory) -> Section:
    """Return the section of bank_loan's boosted trees, beside two models that can be read."""
    case = dlx.load("bank_loan")
    models = [dlx.load_model(case, name) for name in ("gradient_boosting", "logistic_regression", "decision_tree")]
    return told_of(case, models, tmp_path_factory.mktemp("bank"))


def test_the_section_covers_its_items_and_every_figure_has_its_numbers(bank):
    assert (bank.key, bank.title) == ("errors", "Where it errs")
    assert set(bank.covers) == {"slices", "error_causes", "remedies"} <= {key for _, _, key in ITEMS}
    assert 1 <= len(bank.findings) <= 3
    figures = [block for block in bank.blocks if isinstance(block, Figure)]
    assert {figure.table for figure in figures} <= set(bank.tables)
    assert len(figures) == 5
    assert all(len(table) for table in bank.tables.values())


def test_only_black_boxes_are_looked_into(bank):
    assert set(bank.tables["errors_pushes"]["model"]) == {"gradient_boosting"}
    assert set(bank.tables["errors_before_after"]["model"]) == {"gradient_boosting fixed"}


def test_the_words_hold_the_numbers_of_the_tables(bank):
    case, model = dlx.load("bank_loan"), dlx.load_model("bank_loan", "gradient_boosting")
    denied = model.decide(case.test)
    good = case.test.outcomes == 0
    assert f"{(denied & good).sum()} of {good.sum()} applicants without a bad loan are wrongly denied" in text(bank)
    change = bank.tables["errors_before_after"].set_index("quantity").loc["auc"]
    assert f"ROC AUC goes from {change['before']:.3f} to {change['after']:.3f}" in bank.covers["remedies"]
    assert "dlx fix bank_loan --model gradient_boosting" in text(bank)


def test_groups_that_must_not_be_compared_are_not(bank):
    table = bank.tables["errors_before_after"]
    line = table[table["of"] == "Marital status and sex"].iloc[0]
    assert np.isnan(line["before"])
    assert "no comparison of women with men is valid" in line["note"]


def test_a_table_of_ones_own_has_an_answer_to_everything(tmp_path):
    case = own()
    model = training.fit("gradient_boosting", case.train, case.validation).model
    told = told_of(case, [model], tmp_path)
    assert "No remedy is known for this table" in text(told)
    assert set(told.covers) == {"slices", "error_causes"}
    assert "errors_before_after" not in told.tables


def test_a_model_that_denies_nobody_and_knows_no_logit_has_an_answer(tmp_path):
    case = own()
    nobody = BlackBox(lambda table: np.zeros(len(table)), case.schema, "nobody", scales=("probability", "logit"))
    told = told_of(case, [nobody], tmp_path)
    assert "0 wrongly flagged, too few to compare" in text(told)


def test_a_model_without_errors_has_an_answer(tmp_path):
    case = own()
    known = {row.tobytes(): outcome for row, outcome in zip(case.rows, case.outcomes, strict=True)}

    def right(table: pd.DataFrame) -> np.ndarray:
        rows = table.to_numpy(dtype=float)
        return np.array([0.1 + 0.8 * known.get(row.tobytes(), 0.0) for row in rows])

    told = told_of(case, [BlackBox(right, case.schema, "right", scales=("probability", "logit"))], tmp_path)
    assert "0 wrongly flagged, too few to compare" in text(told)
    assert not any(isinstance(block, Table) and "wrong decisions" in block.caption for block in told.blocks)


def test_a_tiny_table_has_no_slices_and_says_so(tmp_path):
    case = own(60)
    told = told_of(case, [training.fit("logistic_regression", case.train, case.validation).model], tmp_path)
    assert "slices need at least 40 rows to be found" in text(told)
    assert "slices" not in told.covers


def test_test_rows_of_one_class_are_one_sentence(tmp_path):
    case = own()
    same = dataclasses.replace(case, outcomes=np.zeros(len(case)))
    told = told_of(same, [worlds.model("linear", "numeric")], tmp_path)
    assert told.findings == ("All 60 test rows have the same outcome: errors of both kinds cannot be told apart.",)


def test_drawings_show_what_the_tables_say(bank):
    with plots.style():
        _, axes = canvas_of(2, 2, width=8, height=6)
        slices, losses = bank.tables["errors_slices_loss"], bank.tables["errors_losses"]
        plots.draw_slices(slices, axes[0, 0], of="loss")
        pushed = bank.tables["errors_pushes"]
        first = pushed[pushed["kind"] == "false_positive"]
        plots.draw_pushes(first, axes[0, 1], most=3)
        columns = losses[(losses["slice"] == "everybody") & ~losses["column"].str.startswith("(")]
        plots.draw_losses(columns, axes[1, 0], most=4)
        change = bank.tables["errors_before_after"]
        plots.draw_before_after(change[change["topic"] == "explanations"], axes[1, 1])
    shown = sorted(float(x) for line in axes[0, 0].lines[1:] for x in line.get_xdata())
    np.testing.assert_allclose(shown, sorted(slices["difference"]))
    widths = [bar.get_width() for bar in axes[0, 1].patches]
    np.testing.assert_allclose(widths, first["push"].head(3))
    assert [abs(bar.get_width()) for bar in axes[1, 0].patches] == sorted(columns["mean"].abs(), reverse=True)[:4]
    assert len(axes[1, 1].get_yticks()) == (change["topic"] == "explanations").sum()


@pytest.mark.parametrize(("threshold", "said"), [(0.999, "rightly flagged"), (0.001, "rightly not flagged")])
def test_a_model_that_flags_nobody_or_everybody_says_whom_errors_cannot_be_compared_with(tmp_path, threshold, said):
    case = own()
    target = dataclasses.replace(case.schema.target, threshold=threshold)
    case = dataclasses.replace(case, schema=dataclasses.replace(case.schema, target=target))
    section = told_of(
        case, [wrap(lambda table: np.full(len(table), 0.4), case.schema, name="flat", scale="probability")], tmp_path
    )
    assert f", 0 {said}, too few to compare them with" in text(section)
    assert "(100 %, 100 % to 100 %)" not in text(section) and "(0 %, 0 % to 0 %)" not in text(section)


def test_the_worst_slice_is_that_of_the_highest_loss_of_those_found_and_no_push_within_chance_is_a_finding():
    table = pd.DataFrame(
        {"slice": ["sure", "worst", "chance"], "rows": [481, 85, 9], "loss": [0.23, 0.4, 0.9], "loss_elsewhere": [0.1] * 3}
    ).assign(found=[True, True, False])
    tested = Slices("net", "loss", ("one", "two", "three"), 3, table)
    assert (
        words._worst_slice(tested)
        == "Where net is worst: worst (85 test rows), with a log loss of 0.40 against 0.10 elsewhere. "
    )
    pushed = pd.DataFrame({"kind": KINDS, "label": ["A", "B"], "push": [0.5, 0.4], "low": [0.1, -0.1], "scale": "logit"})
    model = worlds.model("boosted", "numeric")
    found = SimpleNamespace(model=model, slices=None, fixed=None, pushed=pushed)
    (said,) = words.findings([found], worlds.TARGET)
    assert "by A (+0.50 log-odds)" in said and " B " not in said


def test_changes_that_are_none_have_no_direction():
    seeds = pd.DataFrame({"quantity": "auc", "difference": [0.0001, -0.0002, 0.0]})
    assert "no common direction" in words._over_seeds(seeds)
    assert "the same direction" in words._over_seeds(seeds.assign(difference=[0.01, 0.02, 0.002]))


def test_a_command_is_named_only_where_it_can_be_typed(bank, tmp_path):
    case = dlx.load("bank_loan")
    mine = dataclasses.replace(case, name="my_loans")
    setting = worlds.context(mine, background=10)
    found = [SimpleNamespace(fixed=SimpleNamespace(architecture="mlp", seed=3))]
    assert errors._command(setting, found) == ""
    assert errors._command(dataclasses.replace(setting, case=case), found) == " (dlx fix bank_loan --model mlp --seed 3)"
