"""A table with its schema: rows in original columns, outcomes, splits that depend only on the seed; and where it comes from."""

from dlx.dataset.opening import from_frame, read_people, read_table, refuse_bare, shipped
from dlx.dataset.rows import Card, Dataset, Splits
from dlx.reading import read_frame

__all__ = ["Card", "Dataset", "Splits", "from_frame", "read_frame", "read_people", "read_table", "refuse_bare", "shipped"]
