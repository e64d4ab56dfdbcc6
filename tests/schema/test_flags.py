"""Columns of two numbers, flags of 0 and 1 above all: groups for whoever reads, numbers for whatever model reads the table."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import dlx
from dlx.audit.fairness.groups import partition, protected_groups
from dlx.dataset import Dataset, from_frame
from dlx.effects import partial_dependence
from dlx.model import wrap
from dlx.schema import Feature, Schema, Target, infer_schema

ROWS = 60


def table(**columns) -> pd.DataFrame:
    """Return a table with some columns, a number and outcomes."""
    rng = np.random.default_rng(0)
    return pd.DataFrame({**columns, "age": rng.normal(40, 9, ROWS).round(2), "bad": np.arange(ROWS) % 2})


def flag(*values, share: float = 0.7) -> list:
    """Return values of which the second is the more frequent, so that it is the median."""
    return np.random.default_rng(1).choice(values, ROWS, p=[1 - share, share]).tolist()


@pytest.mark.parametrize(
    ("values", "levels"),
    [
        ((0, 1), ("0", "1")),
        ((0.0, 1.0), ("0", "1")),
        ((1, 2), ("1", "2")),
        ((-1, 1), ("-1", "1")),
        ((True, False), ("False", "True")),
        ((0, 2), ()),
        ((0.5, 1.5), ()),
        ((-9, 0), ()),
    ],
)
def test_two_numbers_of_a_flag_are_levels_and_the_table_stays_what_it_is(values, levels):
    held = table(male=flag(*values))
    schema = infer_schema(held, "bad")
    assert schema["male"].levels == levels
    case = from_frame(held, schema)
    pd.testing.assert_frame_equal(case.frame, held.drop(columns="bad"))  # values and dtypes
    assert infer_schema(held, "bad", numeric=["male"])["male"].levels == (levels if levels == ("False", "True") else ())


def test_gaps_and_files_of_text_do_not_matter(tmp_path):
    held = table(male=[np.nan, *flag(0, 1)[1:]])
    held.to_csv(tmp_path / "a.csv", index=False)
    male = dlx.read_table(tmp_path / "a.csv", target="bad").schema["male"]
    assert male.levels == ("0", "1") and male.missing and male.dtype == "float64" and male.level_values == (0.0, 1.0)
    assert not infer_schema(held[:19], "bad")["male"].levels, "nineteen rows are too few to know"
    special = dlx.read_table(tmp_path / "a.csv", target="bad", special={"male": {"0": "nobody asked"}}).schema["male"]
    assert special.kind == "numeric" and special.special == {"0": "nobody asked"}


def test_people_are_told_apart_by_the_flag_and_never_by_its_median():
    case = from_frame(held := table(male=flag(0, 1)), infer_schema(held, "bad"))
    features = tuple(Feature(**vars(f) | {"protected": f.name == "male"}) for f in case.schema.features)
    case = from_frame(held, Schema(features, case.schema.target))
    by = partition(case, "male")
    assert by.groups == ("0", "1") and np.bincount(by.codes(case)).tolist() == held["male"].value_counts().sort_index().tolist()
    assert [group.name for group in protected_groups(case)] == ["0"]


@pytest.mark.parametrize("values", [[0, 1, 3], [3, 3, 3], [1, 2, 2]])
def test_a_number_whose_median_is_its_largest_value_is_cut_below_it(values):
    column = np.repeat(values, 20)
    rows = np.column_stack([column, np.zeros(60)]).astype(float)
    schema = Schema((Feature("dependants", protected=True), Feature("x")), Target("bad", levels=("0", "1")))
    case = Dataset(schema, rows, np.arange(60) % 2)
    sizes = np.bincount(partition(case, "dependants").codes(case), minlength=2)
    assert (sizes > 0).all() == (len(set(values)) > 1)


def test_a_wrapped_model_is_given_the_numbers():
    import torch

    held = table(male=flag(0, 1), kind=flag(1, 2), side=flag(-1, 1))
    case, seen = from_frame(held, infer_schema(held, "bad")), []

    def predict(rows: pd.DataFrame) -> np.ndarray:
        seen.append(rows)
        return 1 / (1 + np.exp(-(rows["male"] - rows["kind"] * rows["side"]).to_numpy()))

    model = wrap(predict, case, scale="probability")
    curve = partial_dependence(model, case, "side", scale="probability")
    assert [curve.feature.format(x) for x in curve.grid] == ["-1", "1"]
    assert all((rows.dtypes == held.dtypes[rows.columns]).all() for rows in seen)
    net = wrap(torch.nn.Linear(4, 1), case, scale="logit")  # of the columns as they are: a flag needs no encoder
    np.testing.assert_array_equal(net.dense(case.rows).numpy(), held.drop(columns="bad").to_numpy(dtype=np.float32))
