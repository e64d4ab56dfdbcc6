"""`dlx serve`, as it is typed: it says where it is, answers, and ends when it is told to."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request

SMALL = ("serve", "heart_disease", "--model", "decision_tree", "--people", "5", "--background", "5", "--no-browser")


def test_it_prints_its_address_answers_and_ends_with_ctrl_c(tmp_path):
    command = [sys.executable, "-m", "dlx", *SMALL]
    own = {"cwd": tmp_path, "env": os.environ, "text": True, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, **own) as process:
        address = process.stdout.readline().strip()
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/\?token=[\w-]{20,}", address), process.stderr.read()
        with urllib.request.urlopen(address.replace("/?", "/book?")) as answer:
            book = json.load(answer)
        with urllib.request.urlopen(address) as answer:
            assert b'id="workbench"' in answer.read()
        process.send_signal(signal.SIGINT)
        rest, told = process.communicate(timeout=20)
    assert len(book["people"]["names"]) == 5 and [one["name"] for one in book["models"]] == ["decision_tree"]
    assert process.returncode == 0 and rest == "" and "Traceback" not in told
    assert not list(tmp_path.iterdir())  # nothing reached the disk


def test_a_port_in_use_is_said_in_one_line(refused):
    with socket.create_server(("127.0.0.1", 0)) as bound:
        port = bound.getsockname()[1]
        said = refused(*SMALL, "--port", port)
    assert f"port {port}" in said and "--port" in said
