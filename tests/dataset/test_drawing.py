"""Rows drawn at random are those that scikit-learn draws."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from sklearn.model_selection import GroupShuffleSplit, train_test_split

from dlx.dataset.parts import drawn_by_strata, drawn_groups

SHARES, SEEDS = st.sampled_from([0.2, 0.25, 1 / 3]), st.integers(0, 2**32 - 1)


@given(st.lists(st.sampled_from([0.0, 1.0, 2.0, 7.0]), min_size=1, max_size=80), SHARES, SEEDS)
def test_strata_are_drawn_as_by_train_test_split(strata, share, seed):
    drawn = drawn_by_strata(np.array(strata), share, seed)
    try:
        expected = train_test_split(np.arange(len(strata)), test_size=share, stratify=strata, random_state=seed)
    except ValueError:
        assert drawn is None
        return
    for ours, theirs in zip(drawn, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@given(st.lists(st.integers(0, 9), min_size=2, max_size=60).filter(lambda groups: len({*groups}) > 1), SHARES, SEEDS)
def test_groups_are_drawn_as_by_group_shuffle_split(groups, share, seed):
    splits = GroupShuffleSplit(4, test_size=share, random_state=seed).split(groups, groups=groups)
    for ours, (_, theirs) in zip(drawn_groups(np.array(groups), share, seed, 4), splits, strict=True):
        np.testing.assert_array_equal(np.flatnonzero(ours), theirs)
