"""The engine of the workbench, run by node."""

from __future__ import annotations

import pytest
from browser_engine import running_engine


@pytest.fixture(scope="session")
def ask():
    """Return a function: what is asked of a model, and with what, as `browser_engine.js` takes it, to what the engine answers."""
    with running_engine() as asked:
        yield asked
