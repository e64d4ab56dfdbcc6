"""The engine of the workbench, run by node."""

from __future__ import annotations

import pytest
from browser_engine import running_engine


@pytest.fixture(scope="session")
def ask():
    """Return a function of what is asked of a model, and with what (see `browser_engine.js`): the engine's answer."""
    with running_engine() as asked:
        yield asked
