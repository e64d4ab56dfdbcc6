"""Explanations of more rows than fit into memory: a folder of Parquet files, fragment by fragment, on all cores.

What is explained lies in `output`: a Parquet file a fragment, named by all that made it, under ``source=<file>/``, so that a
run that was stopped goes on where it was; beside it a table of the rows that were refused, and why; and a manifest.
"""

from dlx.bulk.explaining import FRAGMENT_ROWS, LOCAL, explain, is_bulk
from dlx.bulk.folder import read
from dlx.bulk.fragments import fitting

__all__ = ["FRAGMENT_ROWS", "LOCAL", "explain", "fitting", "is_bulk", "read"]
