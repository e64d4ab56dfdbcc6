"""What no page can be made of, and models that no method explains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dlx import explainers
from dlx.dataset import Dataset, refuse_other_tasks
from dlx.errors import DlxError
from dlx.files import refuse_unwritable
from dlx.model import Model
from dlx.progress import Narrator
from dlx.reporting.page import explanations_of, second_page, tables_of
from dlx.schema import SchemaError

if TYPE_CHECKING:
    import pandas as pd


def refuse_unreportable(case: Dataset, models: Sequence[str | Model], page: Path) -> None:
    """Raise if there can be no page: no list of models, no place for it, or no binary outcomes."""
    if isinstance(models, str):
        raise DlxError(f"models must be a list of names or models, got {models!r}; pass [{models!r}]")
    if page.is_dir():
        raise DlxError(f"the path of a report is that of its page, but {page} is a folder; pass {page / 'report.html'}")
    if second_page(page).is_dir():
        raise DlxError(f"a report has a second page, but {second_page(page)} is a folder; pass another path (--output)")
    for folder in (page.parent, tables_of(page), explanations_of(page)):
        refuse_unwritable(folder, "pass another path (--output)")
    refuse_other_tasks(case, "a report", serves=("binary", "regression"))
    if case.outcomes is None:
        raise SchemaError(f"a report needs outcomes, but the table lacks the column {case.schema.target.name!r}")


def refuse_same_names(names: Sequence[str]) -> None:
    """Raise if there are no models, or two of one name: a page could not tell them apart."""
    if not names or len(set(names)) < len(names):
        remedy = "call one otherwise: the object or the file, or in Python model.renamed(...)" if names else "pass some"
        raise DlxError(f"a report needs models of different names, got {', '.join(names) or 'none'}; {remedy}")


def unexplainable_models(models: Sequence[Model], compatibility: pd.DataFrame) -> dict[str, str]:
    """Return why no method explains some models, by name: none of those that a report rests on is valid for them."""
    valid = compatibility[compatibility["verdict"] != "not valid"]
    asked = valid[valid["method"].isin(explainers.having(IS_SHAPLEY=True))]
    any_model = compatibility[compatibility["method"].isin(explainers.reading(Model))]
    tried = any_model.drop_duplicates("model").set_index("model")["reason"]
    return {model.name: str(tried.get(model.name, "")) for model in models if model.name not in set(asked["model"])}


def without(models: Sequence[Model], mute: Mapping[str, str], narrator: Narrator) -> list[Model]:
    """Return the other models, or raise if there are none."""
    for name, why in mute.items():
        narrator.say(f"{name} is left out: {why}")
    rest = [model for model in models if model.name not in mute]
    if not rest:
        raise DlxError(
            f"a report needs a model that a method can explain, got {', '.join(mute)}: {next(iter(mute.values()))}; "
            "methods ask about rows that mix two people's values: let the model answer them"
        )
    return rest
