"""What the section measures: the data check of the table, its rules, and what each column was taken for."""

from __future__ import annotations

import pandas as pd

from dlx.context import RunContext
from dlx.data_check import RULES, check
from dlx.reporting.sections import Measured

TITLE, PLACE, TASKS, PART = "The data", 85, ("binary", "regression"), "models"
MOST_TOLD = 5  # findings to decide, on the page


def measure(context: RunContext) -> Measured:
    """Return the findings, the columns and the rules."""
    with context.narrator.step("Checking the data"):
        found = check(context.case, models=context.models)
    findings = found.to_frame()
    findings.insert(1, "finding", [one.rule.title for one in found])
    findings["line"] = [one.rule.line for one in found]
    findings["decided"] = [f"Accepted: {one.accepted}" if one.accepted else one.to_accept for one in found]
    findings["example"] = [f"row {one.row}: {one.value}" if one.value else f"row {one.row}" for one in found]
    tables = {
        "data_findings": findings,
        "data_columns": found.reading.to_frame().rename(columns={"taken for": "taken_for"}),
        "data_rules": pd.DataFrame([rule._asdict() for rule in RULES.values()]),
        "_to_decide": findings[findings["must_decide"]].head(MOST_TOLD),
        "_accepted": findings[findings["accepted"] != ""],
        "_not_found": pd.DataFrame({"said": found.not_found}),
    }
    decide = len(found.to_decide)
    known = len(found) - decide - len(tables["_accepted"])
    facts = {"columns": len(found.reading.columns), "to_decide": decide, "to_know": known, "told": min(MOST_TOLD, decide)}
    return Measured(tables, facts)
