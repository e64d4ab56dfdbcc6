"""Files and folders: whole or not there, together or not at all, and nothing of a dead writer left; CSV that nothing runs."""

from __future__ import annotations

import csv
import errno
import html
import io
import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import worlds
from hypothesis import given
from hypothesis import strategies as st

import dlx
from dlx import files, training
from dlx.errors import DlxError
from dlx.explanation_cache import ExplanationCache
from dlx.files import (
    LEFTOVER,
    FileError,
    beside,
    csv_text,
    new_tag,
    parsed_json,
    refuse_unwritable,
    write_atomically,
    write_together,
)
from dlx.progress import Narrator
from dlx.reporting.page import write_files

pytestmark = pytest.mark.doors

FLOATS = st.floats(allow_nan=False, allow_infinity=False)


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def old_page(folder: Path) -> dict[Path, bytes]:
    """Write a page with two tables, and two things that somebody else put beside them."""
    page, tables = folder / "report.html", folder / "report-tables"
    write_together({page: "old", tables: {"a.csv": "old", "b.csv": "old"}})
    (tables / "mine.txt").write_text("mine")
    (tables / "mine").mkdir()
    (tables / "mine" / "deep.csv").write_text("mine")
    return contents(folder)


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def new_page(folder: Path) -> None:
    page, tables = folder / "report.html", folder / "report-tables"
    write_together({page: "new", tables: {"a.csv": "new", "c.csv": "new"}}, ours=lambda path: path.suffix == ".csv")


# Together or not at all ----------------------------------------------------------------------------------------------


def test_a_folder_is_replaced_as_a_whole_but_for_what_others_put_there(tmp_path):
    old_page(tmp_path)
    new_page(tmp_path)
    beside_page = ["a.csv", "c.csv", "mine", "mine.txt", "mine/deep.csv"]
    assert names(tmp_path) == ["report-tables", *(f"report-tables/{name}" for name in beside_page), "report.html"]
    assert (tmp_path / "report.html").read_text() == (tmp_path / "report-tables/a.csv").read_text() == "new"


@pytest.mark.parametrize("action", ["rename", "mkdir", "open"])
@pytest.mark.parametrize("call", range(1, 6))
def test_an_interrupt_at_any_step_leaves_the_old_page_with_its_old_tables(tmp_path, monkeypatch, action, call):
    before, done, calls = old_page(tmp_path), getattr(Path, action), []

    def interrupted(self, *arguments, **named):
        calls.append(self)
        if len(calls) == call:
            raise KeyboardInterrupt
        return done(self, *arguments, **named)

    with monkeypatch.context() as patched:
        patched.setattr(Path, action, interrupted)
        try:
            new_page(tmp_path)
        except KeyboardInterrupt:
            assert contents(tmp_path) == before
        else:
            assert len(calls) < call


def killed_at(step: int, folder: Path) -> int:
    """Write the new page in a process that kills itself at a rename; return its exit status."""
    script = f"""
        import os, signal
        from pathlib import Path
        from dlx.files import write_together
        done, calls = Path.rename, []
        def rename(self, target):
            if len(calls) == {step}:
                os.kill(os.getpid(), signal.SIGKILL)
            calls.append(self)
            return done(self, target)
        Path.rename = rename
        page, tables = Path({str(folder / "report.html")!r}), Path({str(folder / "report-tables")!r})
        write_together({{page: "new", tables: {{"a.csv": "new", "c.csv": "new"}}}}, ours=lambda path: path.suffix == ".csv")
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    return subprocess.run(command, check=False, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}).returncode


@pytest.mark.parametrize("step", range(4))
def test_a_killed_writer_never_leaves_a_mix_and_the_next_write_takes_back_or_sweeps(tmp_path, step):
    before = old_page(tmp_path)
    assert killed_at(step, tmp_path) == -signal.SIGKILL
    page, table = tmp_path / "report.html", tmp_path / "report-tables" / "a.csv"
    assert not (page.exists() and table.exists()) or page.read_text() == table.read_text()
    write_atomically(tmp_path / "other.txt", "")
    (tmp_path / "other.txt").unlink()
    assert contents(tmp_path) == before


def test_what_a_live_process_is_writing_is_left_alone(tmp_path):
    target = tmp_path / "a.csv"
    mine = beside(target, new_tag(), "tmp")
    parent = beside(target, new_tag().replace(f"-{os.getpid()}-", f"-{os.getppid()}-"), "tmp")
    elsewhere = beside(target, "00000000" + new_tag()[8:], "tmp")
    stranger = tmp_path / ".a.csv.0123abcd"
    for path in (mine, parent, elsewhere, stranger):
        path.touch()
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    dead = beside(target, new_tag().replace(f"-{os.getpid()}-", f"-{process.pid}-"), "tmp")
    earlier = beside(target, "-".join([*new_tag().split("-")[:2], "abcdef", "01234567"]), "tmp")
    dead.mkdir()
    (dead / "part").touch()
    earlier.touch()
    write_atomically(target, "")
    assert sorted(tmp_path.iterdir()) == sorted([target, mine, parent, elsewhere, stranger])
    os.utime(elsewhere, (0, 0))
    write_atomically(target, "")
    assert not elsewhere.exists()


def test_two_writers_at_once_leave_the_page_and_the_tables_of_one(tmp_path):
    script = """
        import sys
        from pathlib import Path
        from dlx.files import write_together
        folder, who = Path(sys.argv[1]), sys.argv[2]
        for _ in range(30):
            tables = {"a.csv": who, f"{who}.csv": who}
            write_together({folder / "r.html": who, folder / "r-tables": tables}, ours=lambda path: True)
    """
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", textwrap.dedent(script), str(tmp_path)]
    writers = [subprocess.Popen([*command, who], env=environment) for who in ("one", "two")]
    assert [writer.wait() for writer in writers] == [0, 0]
    last = (tmp_path / "r.html").read_text()
    assert names(tmp_path) == ["r-tables", "r-tables/a.csv", f"r-tables/{last}.csv", "r.html"]
    assert (tmp_path / "r-tables/a.csv").read_text() == last


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EIO])
def test_what_the_system_refuses_is_one_line_and_changes_nothing(tmp_path, monkeypatch, number):
    before = old_page(tmp_path)

    def full(_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", full)
    for write in (new_page, lambda folder: write_atomically(folder / "report.html", "new")):
        with pytest.raises(FileError, match=rf"cannot write \S+report.html: {os.strerror(number)}; .*write to another place"):
            write(tmp_path)
        assert contents(tmp_path) == before


def test_a_folder_where_a_file_should_be_is_left_alone_and_the_other_way_round(tmp_path):
    (tmp_path / "report.html").mkdir()
    with pytest.raises(FileError, match=r"report\.html: it is a folder"):
        new_page(tmp_path)
    (tmp_path / "report.html").rmdir()
    (tmp_path / "report-tables").write_text("mine")
    with pytest.raises(FileError, match="report-tables: it is no folder"):
        new_page(tmp_path)
    assert contents(tmp_path) == {tmp_path / "report-tables": b"mine"}


@pytest.mark.parametrize("place", ["file", "file/below", "dangling", "dangling/below", "a" * 300, "below/" + "a" * 300, "a\0b"])
def test_where_nothing_can_be_written_is_told_before_the_work(tmp_path, place):
    (tmp_path / "file").touch()
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    before = names(tmp_path)
    with pytest.raises(FileError, match=r"cannot write to .*; pass another") as told:
        refuse_unwritable(tmp_path / place, "pass another")
    assert "\n" not in str(told.value)
    for fine in (tmp_path, tmp_path / "new", tmp_path / "new" / "er"):
        refuse_unwritable(fine, "")
    assert names(tmp_path) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission_is_told_before_the_work(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(FileError, match="Permission denied"):
        refuse_unwritable(tmp_path / "new", "pass another")


# A page and its tables -----------------------------------------------------------------------------------------------


def page_of(page: Path, *tables: str) -> None:
    """Write a page that links to its tables, as reports do."""
    text = f"{tables} " + "".join(f'<a href="{html.escape(page.stem)}-tables/{html.escape(name)}.csv">' for name in tables)
    write_files(page, {page: text}, {name: pd.DataFrame({"of": [len(tables)]}) for name in tables})


@pytest.mark.parametrize("stem", ["report", "a & b", "(x)"])
def test_tables_of_an_earlier_run_never_stay_beside_a_new_page_and_what_others_put_there_does(tmp_path, stem):
    page = tmp_path / f"{stem}.html"
    tables = tmp_path / f"{stem}-tables"
    page_of(page, "performance", "errors", "noise")
    (tables / "mine.csv").write_text("mine")
    page_of(page, "performance")
    assert names(tables) == ["mine.csv", "performance.csv"]
    assert (tables / "performance.csv").read_text() == "of\n1\n" and (tables / "mine.csv").read_text() == "mine"


def test_tables_whose_page_is_gone_go_with_the_next(tmp_path):
    page = tmp_path / "report.html"
    page_of(page, "performance", "errors")
    (tmp_path / "report-tables" / "mine.txt").write_text("mine")
    page.unlink()
    page_of(page, "performance")
    assert names(tmp_path / "report-tables") == ["mine.txt", "performance.csv"]


@pytest.mark.parametrize("taken", ["report-tables", "report-explanations", "report.html", "evidence.html"])
def test_a_report_whose_place_is_taken_is_refused_before_the_work(tmp_path, taken):
    (tmp_path / taken).mkdir() if taken.endswith("html") else (tmp_path / taken).touch()
    for write in (dlx.report, dlx.audit_report):
        with pytest.raises(DlxError, match="report"):
            write(worlds.table("numeric"), models=["mlp"], path=tmp_path / "report.html", checkpoints=tmp_path / "models")
    assert names(tmp_path) == [taken]


def test_a_report_whose_models_could_not_be_kept_is_refused_before_any_is_trained(tmp_path, monkeypatch):
    (tmp_path / "models").touch()

    def never(*_, **__):
        raise AssertionError("trained")

    monkeypatch.setattr(training, "train", never)
    for write in (dlx.report, dlx.audit_report):
        with pytest.raises(FileError, match=r"cannot write to \S+models: .*--checkpoints"):
            write(worlds.table("numeric"), models=["mlp"], path=tmp_path / "r.html", checkpoints=tmp_path / "models")


# Explanations that are kept ------------------------------------------------------------------------------------------


class Heard(Narrator):
    """Remembers what was said."""

    def __init__(self) -> None:
        super().__init__(quiet=True)
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        self.lines.append(line)


def test_what_other_code_kept_goes_and_what_is_not_ours_stays(tmp_path):
    table, model = worlds.table("numeric"), worlds.model("linear", "numeric")
    asked = {"method": "linear_shap", "background": table.background(4), "scale": "logit"}
    cache = ExplanationCache(tmp_path, Heard())
    cache.explain(model, table.test[:2], **asked)
    (ours,) = tmp_path.iterdir()
    others = [tmp_path / f"{ours.stem[:-8]}{'0' * 8}.safetensors", tmp_path / "lime-0123456789abcdef.safetensors"]
    theirs = [tmp_path / "mine.safetensors", tmp_path / "lime.txt"]
    for path in (*others, *theirs):
        path.touch()
    cache = ExplanationCache(tmp_path, Heard())
    assert cache.find(model, table.test[:2], **asked) is not None and others[0].exists()
    cache.explain(model, table.test[:3], **asked)
    assert set(tmp_path.iterdir()) >= {ours, *theirs} and not any(path.exists() for path in others)


@pytest.mark.parametrize("asked", [{"seed": 1}, {"people": 3}, {"scale": "probability"}, {"reference": 5}])
def test_a_kept_explanation_under_another_name_is_made_anew(tmp_path, asked):
    table, model = worlds.table("numeric"), worlds.model("linear", "numeric")

    def ask(*, seed: int = 0, people: int = 2, scale: str = "logit", reference: int = 4):
        rows, background = table.test[:people], table.background(reference)
        return cache.explain(model, rows, method="exact_shapley", background=background, scale=scale, seed=seed)

    heard = Heard()
    cache = ExplanationCache(tmp_path, heard)
    ask()
    (first,) = tmp_path.iterdir()
    right = ask(**asked)
    (second,) = set(tmp_path.iterdir()) - {first}
    second.write_bytes(first.read_bytes())
    np.testing.assert_array_equal(ask(**asked).values, right.values)
    assert [line for line in heard.lines if "is not the explanation that its name says" in line]


# CSV for people ------------------------------------------------------------------------------------------------------

ODD = ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "\t=1", "\n=1", "-", "＝1", "-- none --", '=HYPERLINK("x")']
FINE = ["a-b", "a=b", "12", "-1.5", "+3", "-1,234", "1e-3", "-2.5e+10", "", "'quoted", "<b>", "0.1 - 0.2"]


def read(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline="")))


def test_text_that_a_spreadsheet_would_run_begins_with_an_apostrophe_and_the_rest_is_as_it_was():
    table = pd.DataFrame({"=name": [*ODD, *FINE]})
    table["-kind"] = pd.Categorical(table["=name"])
    table["number"] = np.linspace(-1, 1, len(table))
    table["mixed"] = [-1, -2.5, "-x", None, True] + [0] * (len(table) - 5)
    header, *lines = read(csv_text(table))
    assert header == ["'=name", "'-kind", "number", "mixed"]
    assert [line[0] for line in lines] == [f"'{text}" for text in ODD] + FINE == [line[1] for line in lines]
    assert [float(line[2]) for line in lines] == list(table["number"])
    assert [line[3] for line in lines[:5]] == ["-1", "-2.5", "'-x", "", "True"]


@given(st.lists(st.tuples(st.text(max_size=6), FLOATS, st.integers()), min_size=1, max_size=4))
def test_no_cell_begins_with_a_sign_unless_it_is_a_number_and_nothing_is_lost(lines):
    table = pd.DataFrame(lines, columns=["text", "number", "count"])
    for (text, *numbers), (cell, *others) in zip(lines, read(csv_text(table))[1:], strict=True):
        assert cell.removeprefix("'") == text.replace("\r\n", "\n").replace("\r", "\n").removeprefix("'")
        assert list(map(float, others)) == list(map(float, numbers))
        if cell.startswith(tuple("=+-@\t\r\n")):
            float(cell.replace(",", ""))


@pytest.mark.parametrize(
    "table", [pd.DataFrame({"a": [1.5, None], "b": ["x", None]}), pd.DataFrame(columns=["a"]), pd.DataFrame()]
)
def test_a_plain_table_is_written_as_pandas_writes_it(table):
    assert csv_text(table) == table.to_csv(index=False, lineterminator="\n")


@pytest.mark.parametrize("text", ["\r=1", "a\r=1", "a\r\n=1"])
def test_a_line_break_within_a_cell_starts_no_line_of_its_own(text):
    written = csv_text(pd.DataFrame({"a": [text], "b": ["x"]}))
    assert "\r" not in written
    cell = "\n".join(text.splitlines())
    assert read(written) == [["a", "b"], [f"'{cell}" if cell.startswith("\n") else cell, "x"]]


def test_columns_of_one_name_are_all_written():
    assert csv_text(pd.DataFrame([["=a", "-b"]], columns=["x", "x"])) == "x,x\n'=a,'-b\n"


def test_every_csv_of_dlx_goes_through_one_writer():
    sources = [*Path(files.__file__).parents[0].rglob("*.py"), *Path(__file__).parents[1].glob("experiments/**/*.py")]
    writers = [path for path in sources if "to_csv(" in path.read_text(encoding="utf-8")]
    drawn = {
        "against_explainerdashboard.py",
        "data_check.py",
        "table_sizes.py",
        "training_quality.py",
    }  # tables that are read again, as they are
    assert [path.name for path in writers if path.name not in drawn] == ["files.py"]


# Strict JSON ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [b'{"a": 1, "a": 2}', b"NaN", b"[-Infinity]", b"1e999", b"[" * 100_000, b'{"a":' * 100_000, b'"\\ud800"', b"\xff", b"",
     b"\xef\xbb\xbf{}", b"1" * 5_000, b"{", b"{} {}"],
)  # fmt: skip
def test_json_that_is_not_quite_json_is_a_value_error(content):
    with pytest.raises(ValueError, match=r"."):
        parsed_json(content)


@given(st.recursive(st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False, allow_infinity=False)
                    | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8))  # fmt: skip
def test_json_comes_back(value):
    assert parsed_json(json.dumps(value, ensure_ascii=False).encode()) == value


def test_leftovers_are_known_by_their_names(tmp_path):
    assert LEFTOVER.fullmatch(beside(tmp_path / "a.b", new_tag(), "old").name)["name"] == "a.b"
    assert not LEFTOVER.fullmatch(".bashrc.0123abcd.tmp")
