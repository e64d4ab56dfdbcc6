"""A table with its schema: rows in original columns, outcomes, splits that depend only on the seed; and where it comes from."""

from dlx.dataset.opening import (
    claim,
    from_frame,
    read_people,
    read_table,
    refuse_bare,
    refuse_claimed,
    refuse_other_tasks,
    shipped,
)
from dlx.dataset.rows import Card, Dataset, Splits
from dlx.dataset.writing import schema_text
from dlx.reading import ColumnReading, Reading, read_frame

__all__ = ["Card", "ColumnReading", "Dataset", "Reading", "Splits", "claim", "from_frame", "read_frame", "read_people"]
__all__ += ["read_table", "refuse_bare", "refuse_claimed", "refuse_other_tasks", "schema_text", "shipped"]
