"""What tests of pages share."""

from __future__ import annotations

import pytest
from pages import light


@pytest.fixture(scope="module")
def few_samples():
    """Let the libraries draw few samples, and causes be measured within larger errors: what is measured is the same."""
    with pytest.MonkeyPatch.context() as patched:
        light(patched, pictures=True)
        yield
