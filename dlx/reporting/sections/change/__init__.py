"""What would change the answer: recourse, how the risk goes with what people can change, and the reasons of a denial."""

from __future__ import annotations

from collections.abc import Sequence

from dlx.context import RunContext, is_black_box
from dlx.model import Model
from dlx.reporting.sections.blocks import Section
from dlx.reporting.sections.change.modifiable import modifiable_part
from dlx.reporting.sections.change.reasons import reasons_part
from dlx.reporting.sections.change.recourse import recourse_part

TITLE = "What would change it"


def section(setting: RunContext, models: Sequence[Model]) -> Section:
    """Return what would change the answers of the black boxes, or of all where none is; the others judge the changes."""
    looked_at = [model for model in models if is_black_box(model)] or list(models)
    parts = [recourse_part(setting, looked_at, models), modifiable_part(setting, looked_at), reasons_part(setting, looked_at)]
    if not setting.case.schema.target.adverse_action:  # nobody decides on these people: what the answer goes with comes first
        parts = [parts[1], parts[0], parts[2]]
    return Section(
        key="change",
        title=TITLE,
        findings=tuple(finding for part in parts for finding in part.findings),
        blocks=tuple(block for part in parts for block in part.blocks),
        tables={name: table for part in parts for name, table in part.tables.items()},
        covers={item: words for part in parts for item, words in part.covers.items()},
    )
