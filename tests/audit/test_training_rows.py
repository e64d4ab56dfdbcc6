"""What a model was trained on: what dlx knows and what was said; and a memoriser that nobody spoke of shows."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
import worlds
from pages import told_of, words_of
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import dlx
from dlx import training
from dlx.arrays import row_ids
from dlx.audit.training_rows import seen_by, seen_rows
from dlx.dataset import from_frame
from dlx.errors import DlxError
from dlx.model import wrap, wrap_trees
from dlx.reporting.frame import _made_by
from dlx.schema import infer_schema


@pytest.fixture(scope="module")
def case():
    """People whose outcome two columns tell in part."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame(rng.normal(size=(400, 4)).round(6), columns=list("abcd"))
    table["y"] = (table["a"] + table["b"] + 1.5 * rng.normal(size=400) > 0).astype(int)
    return from_frame(table, infer_schema(table, "y"), name="people")


def forest(rows):
    return RandomForestClassifier(20, random_state=0).fit(rows.table[list("abcd")], rows.outcomes)


def test_what_was_said_is_what_is_known(case):
    fitted = forest(case.train)
    some = case[np.r_[case.train.index[:9], case.test.index[:4]]]
    asked = [None, case.train, case.train.index, case.train.frame, case.train.rows, some, some.index.tolist(), case]
    seen = [seen_by(wrap(fitted, case, trained_on=one), case) for one in asked]
    assert [one.standing for one in seen] == ["unknown", *["unseen"] * 4, *["seen"] * 3]
    assert [one.rows for one in seen[1:]] == [240] * 4 + [13, 13, 400]
    assert [one.test_rows for one in seen[1:]] == [0] * 4 + [4, 4, 80]
    assert seen_by(wrap_trees(fitted, case, trained_on=some), case) == seen[5]
    assert {one.by for one in seen} == {"its maker"}


def test_rows_that_are_the_same_as_a_training_row_tell_nothing():
    table = pd.DataFrame({"a": np.arange(200) % 3, "b": np.arange(200) % 2, "y": np.arange(200) // 2 % 2})
    case = from_frame(table, infer_schema(table, "y"))
    assert np.isin(row_ids(case.test.rows), row_ids(case.train.rows)).all()
    assert seen_by(wrap(lambda t: t["a"] / 3, case, trained_on=case.train), case).standing == "unseen"


@pytest.mark.parametrize(
    ("trained_on", "said"), [([0, 999], "names the row 999, which the Dataset does not have"), (["a"], "names the row a")]
)
def test_rows_that_are_not_there_are_refused(case, trained_on, said):
    with pytest.raises(DlxError, match=said):
        wrap(lambda t: t["a"] * 0 + 0.5, case, trained_on=trained_on)
    with pytest.raises(DlxError, match="trained_on names rows, which a schema does not have"):
        wrap(lambda t: t["a"] * 0 + 0.5, case.schema, trained_on=trained_on)


def test_models_of_dlx_have_not_seen_the_test_rows_of_their_own_split_only(case, tmp_path):
    trained = training.train(case, "decision_tree").model
    assert seen_by(trained, case) == ("unseen", "dlx", 240, 0)
    assert seen_by(training.fit("decision_tree", case.train, case.validation).model, case) == ("unseen", "dlx", 320, 0)
    other = dataclasses.replace(case, schema=dataclasses.replace(case.schema, split="time:a"))
    among = np.isin(row_ids(other.test.rows), case.learnt_from) & ~np.isin(row_ids(other.test.rows), other.learnt_from)
    assert seen_by(trained, other) == ("seen", "dlx", 320, among.sum()) and among.any()
    fixed = dlx.fix(case, "decision_tree", drop=["c"], before=trained, checkpoints=tmp_path)
    fixed.save(tmp_path)
    kept = dlx.load_model(case, "decision_tree", checkpoints=tmp_path)
    assert seen_by(fixed.model, case) == seen_by(kept, case) == ("unseen", "dlx", 320, 0)


def test_a_memoriser_is_named_and_an_honest_model_is_not(case):
    linear = make_pipeline(StandardScaler(), LogisticRegression())
    honest = linear.fit(case.train.table[list("abcd")], case.train.outcomes)
    models = [
        wrap(forest(case), case, name="memoriser"),
        wrap(forest(case.train), case, name="forest", trained_on=case.train),
        wrap(honest, case, name="honest", trained_on=case.train),
    ]
    told = seen_rows(models, case).set_index("model")
    assert told["knows_too_well"].tolist() == [True, False, False]
    assert told.loc["memoriser", "auc"] == 1 and told.loc["memoriser", "low"] > 0.1
    assert told["auc_of_others"].nunique() == 1 and 0.6 < told["auc_of_others"].iloc[0] < 0.9
    context = worlds.context(case, *models)
    words = words_of(told_of("performance", context).page)
    assert "Judged on 80 people, " in words and "no model has seen" not in words
    assert "Nobody said which rows memoriser was trained on: it may have seen these people" in words
    assert "memoriser knows these people too well" in words and "forest knows" not in words
    assert context.to_use[0].name == "forest" or context.to_use[0].name == "honest"
    assert _made_by(models[0], context) == "trained by its maker on rows that nobody named"
    assert _made_by(models[1], context) == "trained by its maker on 240 rows, no test row"
    sure = worlds.context(case, *models[1:])
    assert sure.are_unseen and not context.are_unseen


def test_a_model_that_was_trained_on_test_rows_is_named(case):
    model = wrap(forest(case), case, name="all", trained_on=case)
    context = worlds.context(case, model)
    assert "all was trained on 80 of these people: its numbers flatter it" in words_of(told_of("performance", context).page)
    assert _made_by(model, context) == "trained by its maker on 400 rows, 80 of them test rows"
