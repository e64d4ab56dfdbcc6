"""Tables of text as a writer of files spells them, for the tests of the doors."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import lzma

import numpy as np
import pandas as pd

import dlx

ROWS = 40


OUTCOMES = ["no", "yes"] * (ROWS // 2)


def written(path, columns, *, delimiter=",", encoding="utf-8", newline="\n", quoting=csv.QUOTE_MINIMAL):
    """Write columns of text and the outcomes as a file, and return its path."""
    sink = io.StringIO()
    writer = csv.writer(sink, delimiter=delimiter, lineterminator=newline, quoting=quoting)
    writer.writerow([*columns, "y"])
    writer.writerows(zip(*columns.values(), OUTCOMES, strict=True))
    content = sink.getvalue().encode(encoding)
    packed = {".gz": gzip.compress, ".xz": lzma.compress, ".bz2": bz2.compress}
    path.write_bytes(packed.get(path.suffix.lower(), bytes)(content))
    return path


def read(tmp_path, name="loans.csv", **columns):
    """Return a table of columns of text, beside an ordinary one."""
    return dlx.read_table(written(tmp_path / name, {"age": [str(18 + i % 23) for i in range(ROWS)], **columns}), target="y")


def spelled(cell, of=7, like=lambda i: f"{i * 1.5:.1f}"):
    """Return a column of ordinary numbers with one odd cell."""
    return [cell if i == of else like(i) for i in range(ROWS)]


SCHEMA = """
[target]
name = "y"
levels = ["no", "yes"]
[[feature]]
name = "pay"
missing = true
[[feature]]
name = "code"
kind = "categorical"
levels = ["00", "1", "1.50", "x"]
"""


def described(tmp_path, codes, pay="1.5", text=SCHEMA, **options):
    (tmp_path / "s.toml").write_text(text)
    columns = {"pay": spelled(pay), "code": [codes[i % len(codes)] for i in range(ROWS)], "more": ["a", "b"] * 20}
    return dlx.read_table(written(tmp_path / "a.csv", columns), schema=tmp_path / "s.toml", **options)


def frame(**columns):
    """Return a table with an ordinary column and the outcomes."""
    return pd.DataFrame({"age": np.arange(ROWS) % 23, **columns, "y": OUTCOMES})
