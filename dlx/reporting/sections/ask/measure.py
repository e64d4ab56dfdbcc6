"""What the section measures: whose rows the file holds. What can be done with them is the workbench, `dlx.workbench`."""

from __future__ import annotations

from dlx.context import RunContext
from dlx.reporting.sections import Measured
from dlx.workbench import holding

TITLE, PLACE, TASKS = "Ask about anybody", 38, ("binary", "regression")


def measure(context: RunContext) -> Measured:
    """Return how many people's rows the page holds, and how many models it can ask."""
    held = holding(context)
    return Measured(facts=held, about=held)
