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

    def asked(what, model, **given):
        question = {"what": what, "model": writing.written(model)} | {name: _plain(value) for name, value in given.items()}
        command = [node, str(folder / "answering.js")]
        done = subprocess.run(command, input=json.dumps(question), capture_output=True, text=True, timeout=120, check=False)
        assert not done.returncode, done.stderr
        return json.loads(done.stdout)

    return asked


def _plain(value):
    """Rows as lists, missing codes as None: JSON knows no NaN."""
    return np.where(np.isnan(value), None, value).tolist() if isinstance(value, np.ndarray) else value
