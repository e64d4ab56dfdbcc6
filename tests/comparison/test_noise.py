"""Noise floors: what may differ, floors by hand, bootstrap draws, and verdicts on pairs whose truth is planted."""

from __future__ import annotations

import dataclasses
import functools
import itertools

import numpy as np
import pandas as pd
import pytest
import worlds

from dlx.arrays import array_id
from dlx.comparison import METRICS, AlignmentError, chance_level, compare
from dlx.comparison.metrics import metrics_by_row
from dlx.comparison.noise import (
    ALIKE,
    CHANCE,
    DIFFERENT,
    TOO_FEW,
    UNDECIDED,
    UNDEFINED,
    Replicates,
    against_noise,
    noise_floor,
    replicate,
)
from dlx.dataset import Dataset
from dlx.errors import DlxError
from dlx.explanation import Explanation
from dlx.runner import explain

ONE = worlds.said(np.random.default_rng(0).normal(size=(6, 4)))
LOANS = np.array([9001, 17, 404, 5, 1234567, 8])


def again(of, *noises):
    """Return an explanation with its replicates: itself plus some noise."""
    return Replicates(of, "background", tuple(dataclasses.replace(of, values=of.values + noise) for noise in noises))


# What a replicate may be


@pytest.mark.parametrize(
    ("source", "changes", "error", "message"),
    [
        ("seed", {"background_id": "c"}, AlignmentError, "must share the background"),
        ("training", {"background_id": "c"}, AlignmentError, "must share the background"),
        ("background", {"scale": "probability"}, AlignmentError, "must share the scale"),
        ("background", {"rows": ONE.rows + 1}, AlignmentError, "must share the rows"),
        ("background", {"method": "tree_shap"}, DlxError, "replicates must share their method, got lime and tree_shap"),
        ("seed", {"options": {"n_samples": 9}}, DlxError, "replicates must share their options, got {} and {'n_samples': 9}"),
        ("seed", {"model": "trees"}, DlxError, "replicates must share their model, got net and trees"),
        ("background", {"model": "trees"}, DlxError, "replicates must share their model, got net and trees"),
        ("chance", {}, DlxError, "source must be one of seed, background, training, got 'chance'"),
    ],
)
def test_replicate_that_differs_beyond_its_source_is_refused(source, changes, error, message):
    with pytest.raises(error, match=message):
        Replicates(ONE, source, (ONE, dataclasses.replace(ONE, **changes)))


@pytest.mark.parametrize(
    ("source", "changes"), [("seed", {"seed": 5}), ("background", {"background_id": "c"}), ("training", {"model": "net-1"})]
)
def test_replicate_may_differ_in_its_source(source, changes):
    other = dataclasses.replace(ONE, values=ONE.values[:, ::-1], **changes)
    assert Replicates(ONE, source, (other,)).metrics(2)["rank_agreement"].shape == (1, 6)


def test_no_replicate_is_no_floor():
    with pytest.raises(DlxError, match="at least 1 replicate, got none"):
        Replicates(ONE, "seed", ())


# Floors


def test_floor_is_the_mean_over_replicates_and_people():
    noises = np.random.default_rng(1).normal(size=(3, 6, 4))
    table = noise_floor(again(ONE, *noises), k=2).set_index("metric")
    found = [metrics_by_row(ONE.values, ONE.values + noise, 2) for noise in noises]
    assert list(table.index) == list(METRICS) and set(table["replicates"]) == {3} and set(table["rows"]) == {6}
    for name in METRICS:
        assert table.loc[name, "mean"] == pytest.approx(np.mean([one[name] for one in found]))
        assert table.loc[name, "chance"] == chance_level(name, 2, 4)
        assert table.loc[name, "low"] <= table.loc[name, "mean"] <= table.loc[name, "high"]
    assert set(table["source"]) == {"background"} and set(table["k"]) == {2}


def test_rows_without_a_value_in_some_replicate_are_left_out_and_counted():
    noises = np.random.default_rng(1).normal(size=(3, 6, 4))
    noises[1, 0], noises[2, 4] = np.nan, -ONE.values[4]  # one failed; one gives nothing to any column
    table = noise_floor(again(ONE, *noises), k=2).set_index("metric")
    kept = [1, 2, 3, 5]
    found = [metrics_by_row(ONE.values[kept], (ONE.values + noise)[kept], 2)["rank_correlation"] for noise in noises]
    assert table.loc["rank_correlation", "mean"] == pytest.approx(np.mean(found)) and set(table["rows"]) == {4}


def test_explanations_that_give_nothing_have_no_floor_and_no_verdict():
    nothing = worlds.said(np.zeros((6, 4)))
    floor = noise_floor(again(nothing, 0))
    assert set(floor["rows"]) == {0} and floor[["mean", "low", "high"]].isna().all(axis=None)
    table = against_noise(again(nothing, 0), again(dataclasses.replace(ONE, method="tree_shap"), 0.1))
    assert set(table["finding"]) == {UNDEFINED} and set(table["rows"]) == {0}


def test_more_top_features_than_there_are_agree_fully_and_by_chance():
    noises = np.random.default_rng(1).normal(size=(3, 6, 4))
    table = noise_floor(again(ONE, *noises), k=9).set_index("metric")
    assert set(table["k"]) == {4} and table.loc["feature_agreement", ["mean", "chance"]].tolist() == [1, 1]
    other = again(dataclasses.replace(ONE, method="tree_shap", values=-ONE.values), *noises)
    verdicts = against_noise(again(ONE, *noises), other, k=9).set_index("metric")["finding"]
    assert verdicts["feature_agreement"] == UNDECIDED  # all are named by everybody
    with pytest.raises(DlxError, match="k must be at least 1, got 0"):
        noise_floor(again(ONE, 1.0), k=0)


# replicate()


POOL = Dataset(ONE.schema, np.random.default_rng(5).normal(size=(8, 4)), index=[f"p{i}" for i in range(8)])
SHOWN = dataclasses.replace(ONE, seed=3, options={"n_samples": 7}, index=LOANS, background_id=array_id(POOL.rows))


def guessing(asked):
    """Return what explains by random values that depend on seed and background, and remembers what it was asked."""

    def guess(_, rows, **how):
        asked.append({"rows": rows} | how)
        found = array_id(how["background"].rows)
        values = np.random.default_rng([how["seed"], int(found, 16)]).normal(size=rows.rows.shape)
        return dataclasses.replace(SHOWN, values=values, seed=how["seed"], background_id=found, index=rows.index)

    return guess


def test_backgrounds_are_bootstrap_draws_from_the_pool():
    asked = []
    made = replicate(None, SHOWN, source="background", background=POOL[:6], pool=POOL, count=20, explain=guessing(asked))
    drawn = [how["background"] for how in asked]
    assert len(made.explanations) == 20 and {len(one) for one in drawn} == {6}
    assert all(set(one.index) <= set(POOL.index) for one in drawn) and len({one.rows.tobytes() for one in drawn}) == 20
    assert np.mean([len(set(one.index)) for one in drawn]) == pytest.approx(8 * (1 - (7 / 8) ** 6), abs=0.4)  # some twice
    for how in asked:
        assert (how["seed"], how["n_samples"], how["scale"], how["method"]) == (3, 7, "logit", "lime")


def test_backgrounds_are_a_function_of_the_seed_and_more_of_them_start_alike():
    few, many, other = (
        replicate(None, shown, source="background", background=POOL, pool=POOL, count=count, explain=guessing([]))
        for shown, count in ((SHOWN, 2), (SHOWN, 5), (dataclasses.replace(SHOWN, seed=4), 2))
    )
    assert [one.background_id for one in few.explanations] == [one.background_id for one in many.explanations[:2]]
    assert not {one.background_id for one in few.explanations} & {one.background_id for one in other.explanations}


def test_a_pool_smaller_than_the_background_is_drawn_from_again_and_again():
    asked = []
    replicate(None, SHOWN, source="background", background=POOL, pool=POOL[:2], count=1, explain=guessing(asked))
    assert len(asked[0]["background"]) == 8 and set(asked[0]["background"].index) == {"p0", "p1"}


def test_seeds_are_others_and_the_same_people_are_explained():
    asked = []
    made = replicate(None, SHOWN, source="seed", background=POOL, count=4, explain=guessing(asked))
    assert [how["seed"] for how in asked] == [4, 5, 6, 7] == [one.seed for one in made.explanations]
    assert all(how["background"] is POOL for how in asked)
    np.testing.assert_array_equal(asked[0]["rows"].rows, ONE.rows)
    assert list(made.explanations[0].index) == list(LOANS)


def explained(method, world="numeric", **options):
    case, model = worlds.table(world), worlds.model("boosted", world)
    made = explain(model, case[20:26], method=method, background=case[:9], scale="logit", seed=2, **options)
    return case, model, made


def test_method_that_is_not_random_stops_after_one_seed_and_its_floor_is_full():
    case, model, made = explained("tree_shap")
    found = replicate(model, made, source="seed", background=case[:9], count=20)
    table = noise_floor(found).set_index("metric")
    assert len(found.explanations) == 1 and (table.drop("sign_correlation")["mean"] == 1).all()
    backgrounds = replicate(model, made, source="background", background=case[:9], pool=case[:40], count=3)
    assert len(backgrounds.explanations) == 3 and len({one.background_id for one in backgrounds.explanations}) == 3
    assert noise_floor(backgrounds, k=2).set_index("metric")["mean"]["rank_correlation"] < 0.99


def test_method_that_is_random_is_explained_with_all_seeds():
    case, model, made = explained("lime", n_samples=300)
    found = replicate(model, made, source="seed", background=case[:9], count=3)
    pairs = itertools.combinations((made, *found.explanations), 2)
    assert all(np.abs(one.values - other.values).max() > 1e-4 for one, other in pairs)
    assert [one.seed for one in found.explanations] == [3, 4, 5] and found.explanations[0].options["n_samples"] == 300


def test_rows_that_failed_fail_again_where_that_is_asked_for():
    case, model, made = explained("tree_shap")
    failed = dataclasses.replace(made, values=np.where(np.arange(6)[:, None] == 2, np.nan, made.values))

    def fails(*args, **how) -> Explanation:
        values = explain(*args, **how).values.copy()
        values[2] = np.nan
        return dataclasses.replace(made, values=values, seed=how["seed"])

    found = replicate(model, failed, source="seed", background=case[:9], explain=fails)
    assert len(found.explanations) == 1 and set(noise_floor(found)["rows"]) == {5}


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"source": "background"}, "other backgrounds are drawn from a pool of rows: pass pool=case.train"),
        ({"source": "background", "pool": POOL[:0]}, "other backgrounds are drawn from a pool of rows: pass pool=case.train"),
        ({"source": "seed", "count": 0}, "at least 1 replicate, got count=0"),
        ({"source": "training"}, r"source must be seed or background, got 'training'.*Replicates\(explanation, 'training'"),
        ({"source": "sead"}, "source must be seed or background, got 'sead'"),
    ],
)
def test_what_cannot_be_replicated_is_refused_before_any_work(asked, message):
    done = []
    with pytest.raises(DlxError, match=message):
        replicate(None, SHOWN, background=POOL, explain=guessing(done), **asked)
    assert done == []


# Verdicts


@functools.cache
def truth(people=80, width=8):
    """Contributions of very different sizes, in a different order for each person."""
    rng = np.random.default_rng(11)
    return rng.permuted(np.tile(2.0 ** np.arange(width), (people, 1)), axis=1) * rng.choice([-1, 1], size=(people, width))


def noisy(values, noise, seed, method, model="net", count=20):
    """Return a noisy copy of some contributions, and noisy copies of the same again."""
    rng = np.random.default_rng(seed)
    copies = values * rng.lognormal(sigma=noise, size=(count + 1, *values.shape))
    of = worlds.said(copies[0], method=method, model=model)
    return Replicates(of, "background", tuple(dataclasses.replace(of, values=copy) for copy in copies[1:]))


def verdicts(one, other, k=3):
    return against_noise(one, other, k=k).set_index("metric")


def test_two_noisy_copies_of_one_truth_are_no_evidence_of_a_difference():
    table = verdicts(noisy(truth(), 0.5, 1, "lime"), noisy(truth(), 0.5, 2, "kernel_shap"))
    assert table.loc["feature_agreement", "mean"] < 0.95  # they do differ, as much as each does from itself
    assert set(table["finding"]) == {ALIKE}


def test_noisy_copies_are_rarely_said_to_differ():
    found = [verdicts(noisy(truth(), 0.5, seed, "lime"), noisy(truth(), 0.5, 50 + seed, "kernel_shap")) for seed in range(5)]
    said_to_differ = np.mean([(table["finding"] == DIFFERENT).mean() for table in found])
    assert said_to_differ < 0.1


def test_a_truly_different_explanation_differs_beyond_noise():
    swapped = truth().copy()
    swapped[:, [0, 1, 2, 3]] = swapped[:, [3, 0, 1, 2]]
    table = verdicts(noisy(truth(), 0.3, 1, "lime"), noisy(swapped, 0.3, 2, "kernel_shap"))
    assert table.loc["rank_correlation", "finding"] == table.loc["feature_agreement", "finding"] == DIFFERENT
    line = table.loc["feature_agreement"]
    assert line["chance"] == 3 / 8 < line["low"] < line["mean"] < line["high"] < line["floor_low"] < line["floor"]
    assert line["shortfall"] == pytest.approx(line["floor"] - line["mean"])
    assert 0 < line["shortfall_low"] < line["shortfall"] < line["shortfall_high"]


def test_a_small_difference_is_found_where_there_is_little_noise():
    swapped = truth().copy()
    swapped[:20, [0, 1]] = swapped[:20, [1, 0]]  # for every fourth person
    line = verdicts(noisy(truth(), 0.05, 1, "lime"), noisy(swapped, 0.05, 2, "kernel_shap")).loc["rank_correlation"]
    assert line["finding"] == DIFFERENT and 0 < line["shortfall_low"] < line["shortfall"] < 0.2


def test_a_random_explanation_is_no_better_than_chance():
    said = []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        scrambled = rng.permuted(truth(), axis=1) * rng.choice([-1, 1], size=truth().shape)
        said += list(
            verdicts(noisy(truth(), 0.1, 10 + seed, "lime"), noisy(scrambled, 0.1, 20 + seed, "kernel_shap"))["finding"]
        )
    assert said.count(CHANCE) >= 0.9 * len(said) and ALIKE not in said  # 2.5 % of intervals miss chance on the upper side


def test_one_person_is_too_few_to_tell():
    table = verdicts(noisy(truth()[:1], 0.1, 1, "lime"), noisy(-truth()[:1], 0.1, 2, "kernel_shap"))
    assert set(table["finding"]) == {TOO_FEW} and set(table["rows"]) == {1} and table["low"].isna().all()


def test_one_feature_is_too_little_to_differ_in():
    one, other = (noisy(np.full((9, 1), 2.0), 0.3, seed, method) for seed, method in ((1, "lime"), (2, "kernel_shap")))
    table = verdicts(one, other)
    assert table.loc["feature_agreement", "finding"] == UNDECIDED and table.loc["rank_correlation", "finding"] == UNDEFINED


@pytest.mark.parametrize("names", [("lime", "net", "tree_shap", "net"), ("lime", "net", "lime", "trees")])
def test_floor_is_that_of_the_noisier(names):
    method, model, other_method, other_model = names
    quiet = noisy(truth(), 0.05, 1, method, model)
    loud = noisy(truth(), 1.0, 2, other_method, other_model)
    expected = noise_floor(loud, k=3).set_index("metric").drop("sign_correlation")  # neither noise turns a sign
    for one, other in ((quiet, loud), (loud, quiet)):
        table = verdicts(one, other).drop("sign_correlation")
        assert set(table["floor_of"]) == {other_method} and set(table["floor_of_model"]) == {other_model}
        np.testing.assert_allclose(table["floor"], expected["mean"])
        np.testing.assert_allclose(table[["floor_low", "floor_high"]], expected[["low", "high"]])
        assert set(table["replicates"]) == {20}


def test_pair_of_different_sources_or_unaligned_is_refused():
    one = noisy(truth(), 0.1, 1, "lime")
    with pytest.raises(DlxError, match="replicates must share their source, got background and seed"):
        against_noise(one, dataclasses.replace(one, source="seed"))
    elsewhere = dataclasses.replace(one.of, scale="probability", method="tree_shap")
    with pytest.raises(AlignmentError, match="must share the scale"):
        against_noise(one, again(elsewhere, 0.1))


# In a comparison


def test_comparison_gives_the_tables_of_its_replicates():
    lime, shap, trees = (
        noisy(truth(), 0.3, i, "lime" if i < 1 else "kernel_shap", "trees" if i > 1 else "net") for i in range(3)
    )
    seeds = dataclasses.replace(lime, source="seed")
    comparison = compare([lime.of, shap.of, trees.of], replicates=[lime, shap, trees, seeds])
    noise = comparison.noise(k=3)
    assert noise[["model", "method", "source"]].drop_duplicates().to_numpy().tolist() == [
        ["net", "lime", "background"], ["net", "kernel_shap", "background"], ["trees", "kernel_shap", "background"],
        ["net", "lime", "seed"],
    ]  # fmt: skip
    pd.testing.assert_frame_equal(noise[:8], noise_floor(lime, k=3))
    pairs = comparison.against_noise(k=3)
    assert len(pairs) == 3 * 8 and set(pairs["source"]) == {"background"}
    pd.testing.assert_frame_equal(pairs[16:].reset_index(drop=True), against_noise(shap, trees, k=3))


def test_comparison_without_replicates_says_how_to_get_them():
    lime, shap = noisy(truth(), 0.3, 1, "lime"), noisy(truth(), 0.3, 2, "kernel_shap")
    with pytest.raises(DlxError, match=r"there are no replicates; pass compare\(..., replicates=\[dlx.comparison.replicate\("):
        compare([lime.of, shap.of]).noise()
    for some in (
        [],
        [lime],
        [lime, dataclasses.replace(shap, source="seed")],
        [lime, dataclasses.replace(lime, source="seed")],
    ):
        with pytest.raises(DlxError, match="a noise floor of a pair needs replicates of both, of the same source; pass"):
            compare([lime.of, shap.of], replicates=some).against_noise()
    elsewhere = again(dataclasses.replace(lime.of, scale="probability"), 0.1)
    with pytest.raises(AlignmentError, match="must share the scale"):
        compare([lime.of, shap.of], replicates=[elsewhere])


def test_loan_ids_do_not_change_the_floor():
    noises = np.random.default_rng(1).normal(size=(3, 6, 4))
    named = again(dataclasses.replace(ONE, index=LOANS), *noises)
    pd.testing.assert_frame_equal(noise_floor(named), noise_floor(again(ONE, *noises)))
