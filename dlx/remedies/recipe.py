"""Which models can be trained again: those that dlx trained on this very table, whatever they are called."""

from __future__ import annotations

from dlx.dataset import Dataset
from dlx.model import BlackBox, Model, Provenance, TreeModel


def recipe_of(model: Model, case: Dataset) -> Provenance | None:
    """Return how dlx trained a model on a case; None where it did not, or on other rows, or where more was done to it."""
    made_by = model.provenance
    return made_by if made_by is not None and made_by.data_sha256 in ("", case.sha256) else None


def is_users_own(model: Model) -> bool:
    """Whether a model of the user's own is behind this one, which no training of dlx makes again."""
    return isinstance(model, BlackBox) or (isinstance(model, TreeModel) and model.original is not None)
