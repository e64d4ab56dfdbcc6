"""Which class is taken for which: scikit-learn's confusion matrix, recall and precision; and whether models are too sure."""

from __future__ import annotations

import numpy as np
import pytest
import wines
from sklearn import metrics

from dlx.audit.classes import class_rates, confusion_of_classes, recourse_to_class, top_label
from dlx.audit.miscalibration import slope_interval
from dlx.errors import DlxError
from dlx.model import wrap
from dlx.stats import share_interval

TEST = wines.wines().test
NAMED = [wines.LEVELS[place] for place in wines.models()[0].probabilities(TEST).argmax(axis=1)]


def test_the_confusion_is_that_of_scikit_learn_whichever_class_the_model_speaks_for():
    truth = metrics.confusion_matrix(wines.named(TEST), NAMED, labels=wines.LEVELS)
    for model in (wines.models()[0], wines.models()[0].of("barolo")):
        table = confusion_of_classes(model, TEST)
        np.testing.assert_array_equal(table.pivot(index="outcome", columns="taken_for", values="count"), truth)
        assert table.groupby("outcome", sort=False)["of"].first().tolist() == truth.sum(axis=1).tolist()
        line = table.iloc[4]
        assert (line["estimate"], line["low"], line["high"]) == share_interval(truth[1, 1], truth[1].sum())


def test_recall_and_precision_are_those_of_scikit_learn_and_few_are_marked():
    table = class_rates(wines.models()[0], TEST).set_index("quantity")
    precision, recall, *_ = metrics.precision_recall_fscore_support(wines.named(TEST), NAMED, labels=wines.LEVELS)
    np.testing.assert_allclose(table.loc["recall", "estimate"], recall)
    np.testing.assert_allclose(table.loc["precision", "estimate"], precision)
    assert (table["too_few"] == (table["of"] < 10)).all()
    assert class_rates(wines.models()[0], TEST[::5])["too_few"].all()


def test_how_sure_of_the_class_that_is_named_is_a_calibration_of_being_right():
    model = wines.models()[0]
    predicted = model.probabilities(TEST)
    sure, right = predicted.max(axis=1), (np.array(NAMED) == wines.named(TEST)).astype(float)
    found = top_label(model, TEST)
    assert found.expected == pytest.approx(sure.mean()) and found.observed.estimate == right.mean()
    assert found.slope == pytest.approx(slope_interval(np.log(sure / (1 - sure)), right))
    assert found.observed.estimate > found.expected  # it is timid
    assert top_label(model, TEST[right == 1]) is None


def test_a_model_of_one_class_alone_has_no_confusion():
    alone = wrap(lambda table: wines.quick(1.0)(table)[:, 1], wines.wines().of_class("barolo"), name="alone")
    with pytest.raises(DlxError, match="alone answers for 'barolo' alone"):
        confusion_of_classes(alone, TEST)


def test_recourse_goes_to_a_named_class_and_the_model_itself_says_that_it_is_there():
    case, model = wines.wines(), wines.models()[1]
    is_it = model.of("barolo").predict(TEST, "probability") >= 0.5
    found = recourse_to_class(
        model, TEST[~is_it], "barolo", observed=case.train, actionable={"proline": "any", "alcohol": "any"}
    )
    assert 0 < found.found.sum() < len(found.answers)
    for answer in found.answers:
        for one in answer.counterfactuals:
            assert set(one.columns) <= {"proline", "alcohol"}
            table = case.schema.decode(one.row[None])
            assert wines.quick(100.0)(table)[0, 1] == pytest.approx(1 - one.risk) and 1 - one.risk >= 1 - found.goal
