"""Tables from files, read as they are: one pass, text as text, and every column decided once."""

from dlx.reading.files import name_of, naming
from dlx.reading.overriding import aside, differences, overridden, with_meanings
from dlx.reading.record import ColumnReading, Reading, reading_of
from dlx.reading.tables import as_described, as_it_looks, open_table, read_frame, refuse_misspelled

__all__ = ["ColumnReading", "Reading", "as_described", "as_it_looks", "name_of", "naming", "open_table", "read_frame"]
__all__ += ["aside", "differences", "overridden", "reading_of", "refuse_misspelled", "with_meanings"]
