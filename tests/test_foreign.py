"""What shap, captum and lime made themselves, brought in: the same as dlx makes, comparable, and never on a wrong claim."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
import pytest
import shap
import torch
import worlds
from captum.attr import IntegratedGradients
from lime.lime_tabular import LimeTabularExplainer

from dlx.comparison import compare, ground_truth, noise_floor, replicate
from dlx.comparison.alignment import AlignmentError
from dlx.errors import DlxError
from dlx.explanation import Explanation, ExplanationError
from dlx.runner import explain

pytestmark = pytest.mark.doors
SHARED = {"scale": "logit", "method": "mine"}


def of(kind, world="numeric"):
    return worlds.model(kind, world), worlds.table(world)[:5], worlds.table(world)[10:30]


def both(model, rows):
    """Return the probabilities of both outcomes, [rows, 2]."""
    chances = model.predict(rows, "probability")
    return np.column_stack([1 - chances, chances])


def test_shap_is_brought_in_and_compared_with_ours():
    model, people, background = of("boosted")
    masker = shap.maskers.Independent(background.rows, max_samples=100)
    found = shap.Explainer(lambda rows: model.predict(rows, "logit"), masker, algorithm="exact")(people.rows)
    made = Explanation.from_shap(found, model, people, scale="logit", background=background)
    ours = explain(model, people, method="tree_shap", background=background, scale="logit")
    np.testing.assert_allclose(made.values, ours.values, atol=1e-6)
    assert (made.method, made.model, made.implementation) == ("shap", ours.model, f"shap {shap.__version__}")
    truth = ground_truth(model, people, background=background, scale="logit")
    table = compare([made, ours], ground_truths=[truth]).distance_to_truth(k=2).query("measure == 'relative_error'")
    assert table["mean"].max() < 1e-5 and list(table["is_shapley"]) == [False, True]
    assert compare([made, ours]).agreement(k=2).query("metric == 'rank_correlation'")["mean"].min() > 0.999


def test_of_two_outputs_of_shap_the_positive_one_is_taken():
    model, people, background = of("forest")
    found = shap.Explainer(partial(both, model), shap.maskers.Independent(background.rows), algorithm="exact")(people.rows)
    made = Explanation.from_shap(found, model, people, scale="probability", background=background)
    assert np.abs(made.residuals).max() < 1e-6
    with pytest.raises(ExplanationError, match="add up for another outcome than yes"):
        Explanation.from_shap(found, model, people, scale="probability", background=background, output=0)
    with pytest.raises(ExplanationError, match="output must be 0 to 1, got 2"):
        Explanation.from_shap(found, model, people, scale="probability", background=background, output=2)


def test_captum_of_dense_columns_is_summed_by_original_column(world):
    model, people, background = of("smooth_net", world)
    one = background[:1]
    found = IntegratedGradients(lambda rows: model.network(rows).reshape(-1)).attribute(
        model.dense(people.rows), model.dense(one.rows), n_steps=200
    )
    made = Explanation.from_captum(found, model, people, scale="logit", background=one)
    ours = explain(model, people, method="integrated_gradients", background=one, scale="logit")
    np.testing.assert_allclose(made.values, ours.values, atol=1e-3)
    assert compare([made, ours]).agreement(k=2).query("metric == 'rank_correlation'")["mean"].min() > 0.99


def test_lime_of_a_person_becomes_contributions():
    model, people, background = of("smooth_net")  # without gaps, which lime does not take
    explainer = LimeTabularExplainer(background.rows, random_state=0)
    found = [
        explainer.explain_instance(row, partial(both, model), (0, 1), num_features=20, num_samples=4000) for row in people.rows
    ]
    made = Explanation.from_lime(found, explainer, model, people, scale="probability", background=background)
    ours = explain(model, people, method="lime", background=background, scale="probability", implementation="reference")
    assert np.corrcoef(made.values.ravel(), ours.values.ravel())[0, 1] > 0.97
    assert made.promise == "does not promise to add up"
    for label, said in ((0, "for label 0, but .* pass label=1"), (2, "explained no label 2; pass one of 0, 1")):
        with pytest.raises(ExplanationError, match=said):
            Explanation.from_lime(found, explainer, model, people, scale="probability", background=background, label=label)
    undivided = LimeTabularExplainer(background.rows, discretize_continuous=False)
    with pytest.raises(ExplanationError, match="discretize_continuous=False"):
        Explanation.from_lime(found, undivided, model, people, scale="probability", background=background)


@pytest.mark.parametrize("kind", [np.asarray, torch.tensor, lambda values: pd.DataFrame(values, columns=NAMES)[NAMES[::-1]]])
def test_values_come_as_arrays_tensors_or_tables(kind):
    model, people, background = of("linear")
    ours = explain(model, people, method="linear_shap", background=background, scale="logit")
    values = np.array(ours.values)
    made = Explanation.from_values(kind(values), None, model, people, background=background, **SHARED)
    np.testing.assert_array_equal(made.values, values)
    np.testing.assert_allclose(made.base_values, ours.base_values)


NAMES = list(worlds.SCHEMAS["numeric"].names)


def claim(values=None, base=None, model=None, scale="logit", background="same", **said):
    """Bring in exact values of a net under a claim that may be wrong."""
    own, people, references = of("smooth_net")
    ours = explain(own, people, method="exact_shapley", background=references, scale="logit")
    values = ours.values if values is None else values(ours.values)
    base = ours.base_values if base is None else base(ours.base_values)
    background = references if isinstance(background, str) else background
    return Explanation.from_values(
        values, base, model or own, people, scale=scale, background=background, method="mine", **said
    )


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"values": lambda v: v[:, 1:]}, "values must be"),
        ({"values": lambda v: v[:2]}, "values must be"),
        ({"values": lambda v: np.where(np.arange(v.size).reshape(v.shape) == 0, np.nan, v)}, "must be finite, but row 0"),
        ({"values": lambda v: v[::-1]}, "do not add up to what"),
        ({"values": lambda v: 2 * v}, "do not add up to what"),
        ({"values": lambda v: -v, "base": lambda b: -b}, "add up for another outcome than yes"),
        ({"base": lambda b: b[:2]}, "base_values must be one number, or one a row"),
        ({"scale": "probability"}, "do not add up on 'probability', but on 'logit' they do; pass scale='logit'"),
        ({"scale": "odds"}, "has no scale 'odds'"),
        ({"background": worlds.table("numeric")[40:43]}, "but the mean output of the background is"),
        ({"model": "net"}, "model must be a Model of dlx, got str; wrap it first"),
        ({"values": pd.DataFrame}, "values lack the column"),
    ],
)
def test_a_wrong_claim_is_told(said, message):
    with pytest.raises(DlxError, match=message):
        claim(**said)


def test_an_unknown_background_compares_with_no_other():
    one, other = claim(background=None), claim(background=None, values=lambda v: v * (1 + 1e-9))
    with pytest.raises(AlignmentError, match="must share the background"):
        compare([one, other])
    with pytest.raises(ExplanationError, match="what do the contributions start from"):
        own, people, _ = of("linear")
        Explanation.from_values(np.zeros((5, len(NAMES))), None, own, people, background=None, **SHARED)


def test_what_does_not_promise_to_add_up_is_not_held_to_it():
    made = claim(values=lambda v: 2 * v, adds_up=False, standard_errors=np.ones((5, len(NAMES))), options={"steps": 3})
    assert (
        np.abs(made.residuals).max() > 0.01 and made.options == {"steps": 3} and made.standard_errors.shape == made.values.shape
    )


def test_the_noise_of_what_was_brought_in_is_that_of_the_method_itself():
    """kernel_shap of dlx, handed over as another tool's: noise floor and difference are those of dlx's own."""
    model, people, background = of("boosted")
    shared = {"background": background, "scale": "logit", "n_samples": 24}

    def kernel(seed):
        return explain(model, people, method="kernel_shap", seed=seed, **shared)

    bring = partial(Explanation.from_values, model=model, rows=people, background=background, scale="logit")
    made = bring(kernel(0).values, None, method="theirs", again=lambda seed: kernel(seed).values)
    for some in (slice(5), slice(1, 4), np.array([3, 0])):
        ours = replicate(model, kernel(0)[some], source="seed", background=background, count=3)
        theirs = replicate(model, made[some], source="seed", background=background, count=3)
        for one, other in zip(ours.explanations, theirs.explanations, strict=True):
            np.testing.assert_array_equal(one.values, other.values)
            assert one.seed == other.seed
    floors = [noise_floor(one, k=2).drop(columns="method") for one in (ours, theirs)]
    pd.testing.assert_frame_equal(*floors)
    compared = compare([ours.of, theirs.of], replicates=[ours, theirs]).against_noise(2)
    assert set(compared["source"]) == {"seed"} and (compared["mean"].dropna() == 1).all()
    certain = bring(kernel(0).values, None, method="theirs", again=lambda _: kernel(0).values)
    assert len(replicate(model, certain, source="seed", background=background).explanations) == 1
    assert Explanation.concatenate([made[:2], made[2:]]).again is None


def test_shap_and_lime_are_made_again_by_what_makes_theirs(tmp_path):
    model, people, background = of("smooth_net")
    masker = shap.maskers.Independent(background.rows, max_samples=100)

    def permuted(seed):
        explainer = shap.Explainer(lambda rows: model.predict(rows, "logit"), masker, algorithm="permutation", seed=seed)
        return explainer(people.rows, max_evals=2 * len(NAMES) + 1)

    made = Explanation.from_shap(permuted(0), model, people, scale="logit", background=background, again=permuted)
    found = replicate(model, made, source="seed", background=background, count=2)
    np.testing.assert_allclose(found.explanations[1].values, permuted(2).values)
    assert [one.seed for one in found.explanations] == [1, 2]
    explainer = LimeTabularExplainer(background.rows, random_state=0)

    def limes(seed):
        explainer.base.random_state = explainer.random_state = np.random.RandomState(seed)
        return [explainer.explain_instance(row, partial(both, model), num_samples=60) for row in people.rows[:2]]

    asked = {"scale": "probability", "background": background, "again": limes}
    made = Explanation.from_lime(limes(0), explainer, model, people[:2], **asked)
    found = replicate(model, made, source="seed", background=background, count=2)
    assert not np.allclose(found.explanations[0].values, made.values) and found.explanations[0].method == "lime"
    assert Explanation.load(made.save(tmp_path / "made.safetensors")).again is None


def test_what_cannot_be_made_again_says_what_to_do():
    model, people, background = of("linear")
    bring = partial(Explanation.from_values, base_values=None, model=model, rows=people, background=background, **SHARED)
    values = explain(model, people, method="linear_shap", background=background, scale="logit").values
    ask = partial(replicate, model, background=background)
    with pytest.raises(DlxError, match="made by another tool; to make it again, bring it in with again=lambda seed: values"):
        ask(bring(values), source="seed")
    with pytest.raises(DlxError, match="whose background dlx cannot change; ask for source='seed'"):
        ask(bring(values, again=lambda _: values), source="background", pool=people)
    with pytest.raises(ExplanationError, match=r"again\(1\) of mine of .* fails: the contributions do not add up"):
        ask(bring(values, again=lambda _: 2 * values), source="seed")
    with pytest.raises(ExplanationError, match=r"again\(1\) of mine of .* fails: ZeroDivisionError"):
        ask(bring(values, again=lambda _: 1 / 0), source="seed")
