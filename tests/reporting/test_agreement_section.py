"""The section on the explanations themselves: its numbers are those of its tables, quick and thorough."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import worlds
from pages import numbers_of, told_of, words_of

from dlx.context import Budget, RunContext
from dlx.errors import DlxError
from dlx.explanation import Explanation
from dlx.model import BlackBox
from dlx.progress import Narrator
from dlx.reporting.diagnostics import _dependence
from dlx.reporting.sections.agreement.measure import measure
from dlx.runner import explain

pytestmark = pytest.mark.usefixtures("few_samples")
FEW = Budget(
    "thorough", noise_people=8, replicates=2, truth_tolerance=0.1, settings_people=3, stability_people=2, sanity_people=2
)


@pytest.fixture(scope="module")
def context():
    """A net and boosted trees, quickly."""
    return worlds.context(
        worlds.table("mixed"), worlds.model("net", "mixed"), worlds.model("boosted", "mixed"), people=12, background=6
    )


@pytest.fixture(scope="module")
def told(context):
    return told_of("agreement", context)


@pytest.fixture(scope="module")
def thorough():
    """Two nets with siblings, and boosted trees, with few people."""
    models = [worlds.model(kind, "numeric") for kind in ("net", "smooth_net", "boosted")]
    siblings = {kind: [worlds.model(kind, "numeric", seed) for seed in (1, 2)] for kind in ("net", "smooth_net")}
    asked = worlds.context(worlds.table("numeric"), *models, people=8, background=5)
    return told_of("agreement", dataclasses.replace(asked, budget=FEW, siblings=siblings))


def test_every_number_of_the_prose_is_a_cell_of_a_table(told, thorough):
    assert len(numbers_of(told.page, told.tables)) > 15
    assert len(numbers_of(thorough.page, thorough.tables)) > 15 and len(numbers_of(thorough.evidence, thorough.tables)) > 8


def test_sentences_repeat_the_tables(told):
    agreed = told.tables["agreement"].query("model == 'net' and metric == 'feature_agreement'")
    line = told.tables["agreement_lights"].set_index("model").loc["net"]
    assert line["agreement"] == pytest.approx(agreed["mean"].mean()) and line["least"] == agreed["mean"].min()
    assert f"two methods name alike on average {2 * agreed['mean'].mean():.1f} by net" in words_of(told.page)
    errors = told.tables["distance_to_truth"].query("model == 'net' and measure == 'relative_error'")
    assert line["furthest"] == errors.loc[errors["median"].idxmax(), "method"]
    assert line["furthest_distance"] == errors["median"].max()


def test_lights_are_of_the_methods_whose_word_counts(told):
    line = told.tables["agreement_lights"].set_index("model").loc["boosted"]
    trusted = told.tables["trust"].query("model == 'boosted' and trusted")["method"]
    floors = told.tables["noise_floors"].query("model == 'boosted' and metric == 'feature_agreement' and source == 'seed'")
    assert line["stability"] == floors[floors["method"].isin(trusted)]["mean"].mean()
    assert line["distance"] < 1e-6 and line["furthest_distance"] > 0.1  # trees are exact, another question is far


def test_methods_that_take_columns_away_stand_in_the_evidence_alone(context, told):
    table = told.tables["taken_away"].set_index(["model", "method"])
    assert [*table.index] == [(model, method) for model in ("net", "boosted") for method in ("ablation", "occlusion")]
    made = explain(worlds.model("net", "mixed"), context.panel, method="ablation", background=context.background, scale="logit")
    missed = np.abs(made.residuals).mean() / np.abs(made.outputs - made.base_values).mean()
    assert table.loc[("net", "ablation"), "off"] == pytest.approx(missed)
    assert "Ablation" in words_of(told.evidence) and "Ablation" not in words_of(told.page)


def test_a_quick_run_says_nothing_of_what_it_did_not_measure(told):
    assert "Do the models differ, or the methods?" not in told.evidence and "faithfulness" not in told.tables
    assert "--thorough" not in f"{told.page}{told.evidence}"


def test_a_thorough_run_tells_everything(thorough):
    for table in ("causes", "components", "distances", "faithfulness", "stability", "randomised_weights", "training_seeds"):
        assert len(thorough.tables[table]) > 0
    text = words_of(thorough.evidence)
    for words in ("Do the models differ, or the methods?", "Sensitivity-n", "Local Lipschitz", "Parts of the share"):
        assert words in text
    assert f"{thorough.page}{thorough.evidence}".count("<figure") == 7


def test_one_method_has_nothing_to_be_compared_with():
    case = worlds.table("numeric")
    lonely = BlackBox(lambda t: 1 / (1 + np.exp(-t["age"])), case.schema, "lonely", scales=("probability", "logit"))
    asked = worlds.context(case, lonely, people=8, background=5)
    for pair in [pair for pair in asked.explanations if pair[1] != "lime"]:
        asked.explanations.pop(pair)
    asked.on_panel.clear()
    asked.on_panel.update(asked.explanations)
    assert "agreement" not in measure(asked).tables
    assert "nothing to compare" in words_of(told_of("agreement", asked).page)


def test_a_model_that_says_the_same_of_everybody_has_nothing_to_be_far_from():
    case = worlds.table("numeric")
    constant = BlackBox(lambda t: np.full(len(t), 0.4), case.schema, "constant", scales=("probability", "logit"))
    told = told_of("agreement", worlds.context(case, constant, people=10, background=5))
    assert "Whether methods on constant differ cannot be told: not defined" in words_of(told.page)
    assert "Who is right?" not in told.page and "nan" not in words_of(told.page)
    assert told.tables["agreement_lights"]["closest"].item() == ""


def brought_in(case, model, people, background, **said):
    """What another tool says: here the exact values, as `Explanation.from_values` takes them."""
    made = explain(model, people, method="exact_shapley", background=background, scale="logit")

    def again(seed):
        return made.values + np.random.default_rng(seed).normal(size=made.values.shape) @ (
            np.eye(len(case.schema)) - 1 / len(case.schema)
        )

    shared = {"scale": "logit", "background": background, "method": "my_shap", "again": again} | said
    return Explanation.from_values(made.values, None, model, people, **shared)


def test_an_explanation_of_another_tool_is_compared_with_ours():
    case, model = worlds.table("mixed"), worlds.model("net", "mixed")
    brought = brought_in(case, model, case.test, case.background(5))
    asked = {"people": 8, "background": 5, "narrator": Narrator(quiet=True)}
    context = RunContext.of(case, [model], brought=[brought], budget=dataclasses.replace(FEW, name="quick"), **asked)
    told = told_of("agreement", context)
    truth = told.tables["distance_to_truth"].query("method == 'my_shap' and measure == 'relative_error'")
    assert truth["mean"].item() < 1e-6 and not truth["is_shapley"].item()
    assert "my_shap" in set(told.tables["agreement"]["other_method"]) and "my_shap" in told.evidence
    floors = told.tables["noise_floors"].query("method == 'my_shap' and metric == 'feature_agreement'")
    assert floors["source"].item() == "seed" and 0.2 < floors["mean"].item() < 1
    assert "my_shap" in set(told.tables["agreement_against_noise"].query("source == 'seed'")["other_method"])
    person = told_of("person", context)
    np.testing.assert_allclose(
        person.tables["contributions"].query("method == 'my_shap'")["contribution"],
        brought.of(context.panel.index).values.ravel(),
    )


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (lambda *given: brought_in(*given, method="shapley"), "has the name of a method that the report uses"),
        (lambda case, model, people, _: brought_in(case, model, people, case.background(6)), "against another background"),
        (lambda case, model, people, there: brought_in(case, model, people[:9], there), "explain all of case.test"),
        (lambda case, _, *given: brought_in(case, worlds.model("smooth_net", "mixed"), *given), "explains no model of this"),
    ],
)
def test_an_explanation_that_does_not_belong_to_the_report_is_refused(made, message):
    case, model = worlds.table("mixed"), worlds.model("net", "mixed")
    brought = made(case, model, case.test, case.background(5))
    with pytest.raises(DlxError, match=message):
        RunContext.of(case, [model], people=12, background=5, brought=[brought])


def test_where_columns_go_together_the_page_says_how_much_would_lie_elsewhere(context, told):
    case = worlds.table("numeric")
    rows = case.rows.copy()
    rows[:, 1] = rows[:, 0] + 0.3 * rows[:, 1]
    table = _dependence(worlds.context(dataclasses.replace(case, rows=rows), worlds.model("net", "numeric"), people=8))
    assert table[["one", "other", "more"]].iloc[0].tolist() == ["age", "amount", 0] and table["r"][0] > 0.9
    assert table["placed"][0] > 0.05 and table["people"][0] == context.budget.settings_people
    assert "dependence" not in told.tables  # there no two columns go together
    same = BlackBox(lambda table: np.zeros(len(table)), case.schema, "same", scales=("logit",))
    assert not len(_dependence(worlds.context(dataclasses.replace(case, rows=rows), same, people=8)))
    known = dict(context._known)
    del context._known["section agreement"]
    found = known["diagnostics"]
    context._known["diagnostics"] = dataclasses.replace(found, tables=found.tables | {"dependence": table})
    with_it = told_of("agreement", context)
    context._known.update(known)
    assert "“age” and “amount” go together (r = .9" in words_of(with_it.page)
    assert len(numbers_of(with_it.page, with_it.tables)) == len(numbers_of(told.page, told.tables)) + 3
