"""Tables from files, read as they are: one pass, text as text, and every column decided once."""

from dlx.reading.files import is_table, name_of
from dlx.reading.record import ColumnReading, Reading, reading_of, suspicions
from dlx.reading.tables import as_described, as_it_looks, open_table, read_frame

__all__ = ["ColumnReading", "Reading", "as_described", "as_it_looks", "is_table", "name_of", "open_table", "read_frame"]
__all__ += ["reading_of", "suspicions"]
