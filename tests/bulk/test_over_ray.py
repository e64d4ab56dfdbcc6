"""Fragments over Ray, on a cluster of two workers: what is killed costs a fragment, and the files are those of this machine."""

import builtins
import os
import signal
import subprocess
import sys
import textwrap

import numpy as np
import pandas as pd
import pytest
import wines
from test_bulk import files_of

import dlx
from dlx import bulk
from dlx.bulk import folder, over_ray
from dlx.bulk.explaining import Job
from dlx.bulk.over_ray import Shipment
from dlx.errors import DlxError
from dlx.files import FileError
from dlx.model import open_model

FRAGMENT_ROWS, ROWS = 50, 300
MINE = """
    import os, pathlib, signal
    import numpy as np

    HERE = pathlib.Path(__file__).parent

    def once(name):
        path = HERE / name
        if path.exists():
            path.rename(HERE / (name + "-happened"))
            return True

    def full(*_):
        os.fsync = fsync
        raise OSError(28, "No space left on device")

    fsync = os.fsync

    def model(rows):
        if (rows["income"] == 200).any():  # a row of the fourth fragment
            pid = (HERE / "driver").read_text() if (HERE / "driver").exists() else ""
            if once("worker"):
                os.kill(os.getpid(), signal.SIGKILL)
            if once("driver"):
                os.kill(int(pid), signal.SIGKILL)
            if once("disk"):
                os.fsync = full
        return 1 / (1 + np.exp(-(rows["income"] / 50 - rows["age"] / 30)))
"""


@pytest.fixture(scope="module", autouse=True)
def cluster():
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(over_ray, "cores", lambda: 2)
        ray, is_ours = over_ray.connected("ray")
    assert is_ours
    yield ray.get_runtime_context().gcs_address
    ray.shutdown()


@pytest.fixture
def world(tmp_path, monkeypatch):
    """A table of one's own, people in two files, and a model that a file names."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"age": rng.integers(20, 60, 400), "income": rng.integers(10, 99, 400).astype(float)})
    table["default"] = np.where(rng.random(400) < 0.3, "yes", "no")
    table.to_csv("loans.csv", index=False)
    people = table.drop(columns="default")[:ROWS]
    people.loc[170, "income"] = 200.0
    (tmp_path / "people").mkdir()
    people[:200].to_parquet("people/a.parquet")
    people[200:].reset_index(drop=True).to_parquet("people/b.parquet")
    (tmp_path / "mine.py").write_text(textwrap.dedent(MINE))
    return tmp_path


@pytest.fixture
def case(world):
    return dlx.read_table(world / "loans.csv", target="default", positive="yes")


@pytest.fixture
def asked(case):
    how = {"method": "exact_shapley", "background": case.background(100), "fragment_rows": FRAGMENT_ROWS, "seed": 0}
    return {"model": open_model("mine.py:model", case), "people": "people", "scale": "probability", **how}


def test_files_are_those_of_the_local_engine_although_a_worker_is_killed(world, asked):
    local = bulk.explain(output="local", **asked)
    (world / "worker").touch()
    made = bulk.explain(output="over-ray", engine="ray", **asked)
    assert (world / "worker-happened").exists()
    assert made == local and made["summary"]["rows"] == ROWS
    assert files_of(world / "over-ray") == files_of(world / "local") and len(files_of(world / "local")) == 6


def test_a_driver_that_is_killed_goes_on(world, asked, cluster, monkeypatch):
    command = "explain loans.csv --target default --positive yes --people people --model mine.py:model --method exact_shapley"
    more = "--scale probability --output made --engine ray"
    code = f"from dlx.bulk import explaining; explaining.explain.__kwdefaults__['fragment_rows'] = {FRAGMENT_ROWS}\n"
    code += f"import sys; sys.argv = 'dlx {command} {more}'.split()\nfrom dlx.cli import main; main()"
    driver = subprocess.Popen(
        [sys.executable, "-c", code], env=os.environ | {"RAY_ADDRESS": cluster}, stderr=subprocess.PIPE, text=True
    )
    (world / "driver").write_text(str(driver.pid))
    said = driver.communicate(timeout=300)[1]
    assert driver.returncode == -signal.SIGKILL, said
    output = world / "made" / "mine-exact_shapley-probability-0"
    before = {path: path.stat().st_mtime_ns for path in output.glob("*/*.parquet")}
    assert 0 < len(before) < 6 and not (output / folder.MANIFEST).exists()
    bulk.explain(output=output, engine="ray", **asked)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert len(bulk.read(output).to_table()) == ROWS


def test_a_full_disk_is_told_and_loses_nothing_that_was_written(world, asked):
    (world / "disk").touch()
    with pytest.raises(FileError, match="free some space"):
        bulk.explain(output="made", engine="ray", **asked)
    bulk.explain(output="made", engine="ray", **asked)
    assert len(files_of(world / "made")) == 6


@pytest.mark.parametrize("engine", [bulk.LOCAL, "ray"])
def test_a_fragment_that_cannot_be_read_is_left_out_and_told_of(world, asked, engine):
    content = bytearray((world / "people" / "b.parquet").read_bytes())
    content[4:200] = b"\0" * 196  # its pages, not its footer
    (world / "people" / "b.parquet").write_bytes(content)
    made = bulk.explain(output="made", engine=engine, **asked)
    assert (made["summary"]["rows"], made["summary"]["refused"]) == (200, 100)
    told = pd.concat(map(pd.read_csv, (world / "made" / "source=b.parquet").glob("*.csv")))
    assert sorted(told["row"]) == list(range(100)) and told["why"].str.contains("cannot be read").all()


def test_a_model_travels_as_its_checkpoint_and_what_is_in_memory_only_does_not(case, asked, monkeypatch):
    shipped = dlx.load("bank_loan")
    for name in ("mlp", "gradient_boosting"):
        model = dlx.load_model(shipped, name)
        job = Job(model, shipped.background(20), None, {})
        opened = Shipment.of(job).opened().model
        assert opened is not model and opened.name == name and opened.provenance == model.provenance
        np.testing.assert_array_equal(opened.predict(shipped.test, "logit"), model.predict(shipped.test, "logit"))
    other = dlx.load_model(shipped, "decision_tree")
    with pytest.raises(DlxError, match=r"decision_tree is not what .*mlp-0 holds"):
        Shipment.of(Job(dlx.model.base.replace(other, origin=dlx.load_model(shipped, "mlp").origin), job.background, None, {}))
    mine = dlx.wrap(lambda rows: rows["age"] / 100, case, name="mine")
    with pytest.raises(DlxError, match=r"mine is in the memory of this process only.*mine\.py:model|file\.py:object"):
        bulk.explain(**asked | {"model": mine}, output="made", engine="ray")


def test_one_of_several_classes_travels(tmp_path):
    wine = wines.wines()
    net = dlx.train(wine, "mlp", config={"max_epochs": 2}, checkpoints=tmp_path)
    for level in wine.schema.target.levels:
        model = dlx.load_model(wine.of_class(level), "mlp", config={"max_epochs": 2}, checkpoints=tmp_path)
        opened = Shipment.of(Job(model, wine.background(10), None, {})).opened().model
        assert opened.target == model.target
        np.testing.assert_array_equal(opened.predict(wine, "logit"), net.of(level).predict(wine, "logit"))


def test_an_engine_that_is_not_there_is_told_of(asked, monkeypatch):
    with pytest.raises(DlxError, match="engine must be local, ray, or"):
        bulk.explain(output="made", engine="spark", **asked)
    monkeypatch.setattr("ray.is_initialized", lambda: False)
    for address in ("ray://127.0.0.1:9", "127.0.0.1:9"):
        with pytest.raises(DlxError, match=rf"no Ray cluster answers at {address}: .*refused"):
            bulk.explain(output="made", engine=address, **asked)
    whole = builtins.__import__

    def without_ray(name, *given):
        if name == "ray":
            raise ImportError(name)
        return whole(name, *given)

    monkeypatch.setattr(builtins, "__import__", without_ray)
    with pytest.raises(DlxError, match=r"pip install 'dlx\[ray\]'"):
        bulk.explain(output="made", engine="ray", **asked)
