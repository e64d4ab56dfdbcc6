"""What no page can be made of, said before any work is done."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dlx.dataset import Dataset
from dlx.errors import DlxError
from dlx.model import Model
from dlx.schema import SchemaError


def refuse_unreportable(case: Dataset, models: Sequence[str | Model], page: Path) -> None:
    """Raise if there can be no page: no list of models, no place for it, or no binary outcomes."""
    if isinstance(models, str):
        raise DlxError(f"models must be a list of names or models, got {models!r}; pass [{models!r}]")
    if page.is_dir():
        raise DlxError(f"the path of a report is that of its page, but {page} is a folder; pass {page / 'report.html'}")
    if case.schema.target.kind != "binary":
        raise SchemaError(
            f"a report needs a binary outcome, but {case.schema.target.name!r} is {case.schema.target.kind}; "
            "use dlx.explain and dlx.compare, which take any model"
        )
    if case.outcomes is None:
        raise SchemaError(f"a report needs outcomes, but the table lacks the column {case.schema.target.name!r}")


def file_name(name: str) -> str:
    """Return a name as a file may bear it."""
    return "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in name) or "report"
