"""What every test file may ask for."""

from __future__ import annotations

import pytest
import worlds


@pytest.fixture(params=["numeric", "mixed"])
def world(request):
    """Each of the two tables in turn: all numbers, or with categories and missing values."""
    return request.param


@pytest.fixture
def case(world):
    """The table itself."""
    return worlds.table(world)
