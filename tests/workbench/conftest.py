"""The engine of the workbench, run by node: the one on this machine, else the one that playwright brings along."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from playwright._impl._driver import compute_driver_executable

from dlx.workbench import writing

ENGINE = Path(writing.__file__).with_name("engine")


@pytest.fixture(scope="session")
def ask(tmp_path_factory):
    """Return a function: what is asked of a model, and with what, as `answering.js` takes it, to what the engine answers."""
    node = shutil.which("node") or compute_driver_executable()[0]
    folder = tmp_path_factory.mktemp("engine")
    shutil.copytree(ENGINE, folder, dirs_exist_ok=True)
    shutil.copy(Path(__file__).with_name("answering.js"), folder)
    (folder / "package.json").write_text('{"type": "module"}')

    command = [node, str(folder / "answering.js")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:

        def asked(what, model, **given):
            question = {"what": what, "model": writing.written(model)} | {name: _plain(value) for name, value in given.items()}
            process.stdin.write(json.dumps(question) + "\n")
            process.stdin.flush()
            answer = process.stdout.readline()
            assert answer, process.stderr.read()
            return json.loads(answer)

        yield asked
        process.stdin.close()


def _plain(value):
    """Rows as lists, missing codes as None: JSON knows no NaN."""
    return np.where(np.isnan(value), None, value).tolist() if isinstance(value, np.ndarray) else value
