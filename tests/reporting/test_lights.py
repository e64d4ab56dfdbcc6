"""The six lights: each number turns its light each way, and what was not measured is grey."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from dlx.reporting.lights import LIGHTS
from dlx.reporting.prose import Tables

EVERY = dict.fromkeys(light for some in LIGHTS.values() for light in some)


@pytest.mark.parametrize("light", EVERY, ids=lambda light: light.name)
def test_each_light_turns_each_way_at_its_lines(light):
    better = 1e-6 if light.green > light.red else -1e-6
    assert light.colour(light.green) == light.colour(light.green + better) == "green"
    assert light.colour(light.green - better) == light.colour(light.red) == "amber"
    assert light.colour(light.red - better) == "red"
    assert light.colour(None) == light.colour(math.nan) == "grey"


@pytest.mark.parametrize("light", EVERY, ids=lambda light: light.name)
def test_a_number_is_that_of_the_model_to_use_and_none_where_nothing_was_measured(light):
    assert light.measure(Tables({}), "net") is None
    table, column = light.table, light.column
    lines = [{"model": name, "metric": light.metric, column: value} for name, value in (("trees", 0.1), ("net", 0.9))]
    found = light.measure(Tables({table: pd.DataFrame(lines)}), "net")
    assert found == 0.9 and found.cell == f"{table}/1/{column}"
    assert light.measure(Tables({table: pd.DataFrame(lines)}), "other") is None
    assert np.isnan(light.measure(Tables({table: pd.DataFrame(lines).assign(**{column: np.nan})}), "net"))


def test_every_light_says_where_its_lines_come_from():
    for lights in LIGHTS.values():
        assert len(lights) == 6 and len({light.name for light in lights}) == 6
    assert all(light.source and light.what and light.section for light in EVERY)
