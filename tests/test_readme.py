"""README says what works: its blocks run, its commands exist; CONTRIBUTING's file map names what is there."""

from __future__ import annotations

import inspect
import re
import shlex
from pathlib import Path

import pytest
import typer.main

import dlx
from dlx import cli

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """Return the contents of the fences of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)


def commands() -> list[str]:
    """Return everything after `dlx` in each command line, in fences and in the text."""
    lines = [line.partition(" #")[0] for block in blocks("sh") for line in block.splitlines()]
    lines += re.findall(r"`(dlx [^`]+)`", README)
    found = [re.search(r"(?:^|\s)dlx (.+)$", line.strip()) for line in lines]
    return sorted({match.group(1).strip() for match in found if match})


def test_the_python_blocks_run_one_after_the_other(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {}
    for number, block in enumerate(blocks("python")):
        exec(compile(block, f"README.md, python block {number}", "exec"), namespace)
    assert {"case", "a", "b", "c", "e"} <= set(namespace)
    assert "rule of thumb" in capsys.readouterr().out
    assert not list(tmp_path.iterdir())


def test_there_are_commands_to_check():
    assert any(command.startswith("report bank_loan") for command in commands())


@pytest.mark.parametrize("command", commands())
def test_every_command_can_be_typed(command):
    name, *arguments = shlex.split(command)
    known = typer.main.get_command(cli.app).commands
    assert name in known
    known[name].make_context(name, arguments)  # raises for an option or argument that does not exist


def test_the_commands_that_ci_runs_are_marked():
    for mark in ("report", "tests"):
        assert re.search(rf"^<!-- {mark} -->\n```sh\npython .+\n```$", README, flags=re.MULTILINE)


def test_readme_can_be_read_in_ten_minutes():
    assert len(README.split()) <= 1_500


def test_the_rooms_of_readme_are_there_and_say_what_they_hold():
    section = README.partition("## The rooms")[2].partition("\n## ")[0]
    rooms = re.findall(r"`dlx\.(\w+)`", "".join(line.split("|")[1] for line in section.splitlines() if line.startswith("| `")))
    assert len(rooms) > 10 and set(rooms) <= set(dir(dlx))
    assert all(inspect.getdoc(getattr(dlx, room)) for room in rooms)


@pytest.mark.parametrize("page", [README, CONTRIBUTING], ids=["README", "CONTRIBUTING"])
def test_links_lead_to_what_exists(page):
    assert not [path for path in re.findall(r"\]\((?!http)([^)#]+)\)", page) if not (ROOT / path).exists()]


def test_the_file_map_names_only_what_exists():
    lines = [line.split("|")[1] for line in CONTRIBUTING.splitlines() if line.startswith("| `")]
    named = [path for line in lines for path in re.findall(r"`([^`]+)`", line)]
    assert len(named) > 10
    assert not [path for path in named if not (ROOT / path).exists()]


def test_the_file_map_names_every_room():
    rooms = {f"dlx/{path.parent.name}/" for path in (ROOT / "dlx").glob("*/__init__.py")}
    assert not [room for room in rooms if f"`{room}`" not in CONTRIBUTING]
