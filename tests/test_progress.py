"""Progress: a line a finished step on standard error, a bar in a terminal, names as they are."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from dlx.progress import Narrator


@pytest.mark.parametrize(("unit", "counted"), [("rows", " 1,200 rows,"), ("", "")])
def test_finished_step_is_one_line_on_standard_error(capsys, unit, counted):
    with Narrator().step("lime of net", unit) as update:
        update(600, 1200)
        update(1200, 1200)
    out, err = capsys.readouterr()
    assert out == "" and re.fullmatch(rf"lime of net:{counted} \d+\.\d s\n", err)


def test_step_that_counts_nothing_tells_the_time_only(capsys):
    with Narrator().step("reading", "rows"):
        pass
    assert re.fullmatch(r"reading: \d+\.\d s\n", capsys.readouterr().err)


def test_step_that_fails_is_not_called_done(capsys):
    with pytest.raises(KeyError), Narrator().step("training"):
        raise KeyError
    assert capsys.readouterr().err == ""


def test_quiet_says_nothing(capsys):
    narrator = Narrator(quiet=True)
    with narrator.step("training") as update:
        update(1, 2)
    narrator.say("done")
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("name", ["[bold]x[/bold]", "[/]", ":smile: of C:x:", "$x$ <b>", "x" * 300])
def test_names_are_printed_as_they_are(capsys, name):
    narrator = Narrator()
    narrator.say(name)
    with narrator.step(name):
        pass
    said, step = capsys.readouterr().err.splitlines()
    assert said == name and step.startswith(f"{name}: ")


def test_terminal_shows_a_bar_while_the_step_runs():
    narrator, screen = Narrator(), io.StringIO()
    narrator.console = Console(file=screen, force_terminal=True, width=100, highlight=False)
    with narrator.step("[lime] of net", "rows") as update:
        update(3, 8)
    bar, last = screen.getvalue().split("3/8")[0], screen.getvalue().splitlines()[-1]
    assert "[lime] of net" in bar and "[lime] of net: 3 rows" in last
