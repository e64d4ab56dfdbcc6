"""The recipe of the documentation for Spark's mapInPandas, on an iterator of frames as Spark gives them."""

import re
from pathlib import Path

import numpy as np
import pandas as pd

import dlx

PAGE = Path(__file__).parents[2] / "experiments" / "docs" / "scale.md"


def test_frames_are_explained_as_a_whole_and_what_does_not_fit_is_told_of():
    (cell,) = re.findall(r"^```\{code-cell\} python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    namespace = {}
    exec(compile(cell, PAGE.name, "exec"), namespace)
    case = dlx.load("bank_loan")
    table = case.frame[:40].astype({"purpose": object}).assign(id=np.arange(40) + 1_000)
    table.loc[7, "purpose"] = "yacht"
    frames = [table[:25], table[25:25], table[25:]]
    found = pd.concat(namespace["explained"](frames), ignore_index=True)
    assert found["id"].tolist() == table["id"].tolist() and "yacht" in found["why"][7] and found["why"].notna().sum() == 1
    asked = {"method": "deeplift", "background": case.background(100), "scale": "logit"}
    whole = dlx.explain(dlx.load_model(case, "mlp"), case.rows[:40], **asked)
    others = found["why"].isna().to_numpy()
    values = found.loc[others, case.schema.names].to_numpy()
    np.testing.assert_allclose(values, whole.values[others], atol=1e-6 * np.abs(whole.values).max())
    np.testing.assert_allclose(found["base_value"][others] + values.sum(axis=1), found["output"][others], atol=1e-5)
