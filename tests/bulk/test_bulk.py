"""Bulk explanations: the values are those of `dlx.explain`; a run that was killed goes on; nothing is left out in silence."""

import multiprocessing
import os
import signal

import numpy as np
import pandas as pd
import pytest

import dlx
from dlx import bulk
from dlx.bulk import explaining, folder
from dlx.bulk.fragments import fragments_of
from dlx.errors import DlxError

ROWS = 1_000


@pytest.fixture(scope="module")
def case():
    return dlx.load("bank_loan")


@pytest.fixture(scope="module")
def model():
    return dlx.load_model("bank_loan", "mlp")


@pytest.fixture
def asked(case):
    return {"method": "deeplift", "background": case.background(20, seed=0), "fragment_rows": 300}


@pytest.fixture
def people(case, tmp_path):
    places = np.random.default_rng(0).integers(len(case), size=ROWS)
    table = case.frame.iloc[places].reset_index(drop=True)
    (tmp_path / "in" / "2024").mkdir(parents=True)
    table[:700].to_parquet(tmp_path / "in" / "a.parquet", row_group_size=256)
    table[700:].reset_index(drop=True).to_parquet(tmp_path / "in" / "2024" / "a.parquet")
    return tmp_path / "in"


def files_of(output):
    return {path.relative_to(output).as_posix(): path.read_bytes() for path in sorted(output.glob("source=*/*.parquet"))}


def test_values_are_those_of_a_single_explanation(case, model, people, asked, tmp_path):
    made = bulk.explain(model, people, output=tmp_path / "out", **asked)
    found = bulk.read(tmp_path / "out").to_table().to_pandas().sort_values(["source", "row"])
    whole = pd.concat([pd.read_parquet(people / "2024" / "a.parquet"), pd.read_parquet(people / "a.parquet")])
    rows = case.schema.encode(whole)
    one = dlx.explain(model, rows, method="deeplift", background=asked["background"], scale="logit")
    contributions = found[[f"contribution/{name}" for name in case.schema.names]].to_numpy()
    np.testing.assert_allclose(contributions, one.values, atol=1e-6 * np.abs(one.values).max())
    assert set(found["source"]) == {"a.parquet", "2024/a.parquet"} and made["drift"] == []
    summary = made["summary"]
    assert (summary["rows"], summary["refused"], summary["failed"]) == (ROWS, 0, 0)
    np.testing.assert_allclose(list(summary["importance"].values()), one.importance, rtol=1e-6)
    assert made["agreement"]["with"] == "shapley" and 0.5 < made["agreement"]["feature_agreement"] <= 1


def test_files_are_byte_equal_on_one_core_and_on_several_and_are_explanations(model, people, asked, tmp_path, monkeypatch):
    bulk.explain(model, people, output=tmp_path / "several", **asked)
    monkeypatch.setattr("dlx.processes.can_fork", lambda: False)
    bulk.explain(model, people, output=tmp_path / "one", **asked)
    several, one = files_of(tmp_path / "several"), files_of(tmp_path / "one")
    assert several == one and len(one) == 4
    assert sum(len(dlx.Explanation.load(tmp_path / "one" / name)) for name in one) == ROWS


def test_another_fragment_size_agrees(model, people, asked, tmp_path):
    def values(size):
        few = people / "2024"
        bulk.explain(model, few, output=tmp_path / str(size), **asked | {"fragment_rows": size, "method": "shapley"})
        found = bulk.read(tmp_path / str(size)).to_table().to_pandas().sort_values(["source", "row"])
        return found.filter(like="contribution/").to_numpy()

    one, other = values(130), values(300)
    assert (np.abs(one - other).max(axis=1) <= 1e-6 * np.abs(other).max(axis=1)).all()


def test_what_was_explained_is_not_made_again_unless_what_was_asked_changed(model, people, asked, tmp_path, monkeypatch):
    output = tmp_path / "out"
    first = bulk.explain(model, people, output=output, **asked)
    gone = output / first["fragments"][1]["file"]
    gone.write_bytes(b"broken")
    made = []
    whole = explaining.explain_
    monkeypatch.setattr("dlx.processes.can_fork", lambda: False)
    monkeypatch.setattr(explaining, "explain_", lambda *given, **known: made.append(len(given[1])) or whole(*given, **known))
    again = bulk.explain(model, people, output=output, **asked)
    assert again == first and made.count(300) == 1 and sum(made) - 300 == 2 * explaining.SAMPLE
    bulk.explain(model, people, output=output, **asked | {"seed": 1})
    assert sum(made) > ROWS
    assert len(bulk.read(output).to_table()) == ROWS  # of the last run, not of both


def _killed_at_the_second_fragment(model, people, output, asked):
    os.setsid()
    whole, done = folder.write, []

    def write(*given):
        done.append(whole(*given))
        if len(done) == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        return done[-1]

    explaining.folders.write = write
    bulk.explain(model, people, output=output, **asked)


def test_a_run_that_was_killed_goes_on(model, people, asked, tmp_path, monkeypatch):
    monkeypatch.setattr("dlx.processes.can_fork", lambda: False)
    output = tmp_path / "out"
    process = multiprocessing.get_context("fork").Process(
        target=_killed_at_the_second_fragment, args=(model, people, output, asked)
    )
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    before = files_of(output)
    assert len(before) == 2 and not (output / folder.MANIFEST).exists()
    with pytest.raises(DlxError, match="run it again"):
        bulk.read(output)
    times = {path: (output / path).stat().st_mtime_ns for path in before}
    bulk.explain(model, people, output=output, **asked)
    assert {path: (output / path).stat().st_mtime_ns for path in before} == times and len(files_of(output)) == 4
    with pytest.raises(DlxError, match=rf"; read {output} in it"):
        bulk.read(output.parent)


def test_a_worker_that_is_killed_costs_its_fragment_only(model, people, asked, tmp_path, monkeypatch):
    whole, parent = folder.write, os.getpid()

    def write(out, stem, fragment, made, refused):
        if os.getpid() != parent and fragment.start == 300:
            os.kill(os.getpid(), signal.SIGKILL)
        return whole(out, stem, fragment, made, refused)

    monkeypatch.setattr(folder, "write", write)
    made = bulk.explain(model, people, output=tmp_path / "out", **asked)
    assert made["summary"]["rows"] == ROWS


def test_rows_that_do_not_fit_are_left_out_and_told_of(case, model, people, asked, tmp_path):
    table = pd.read_parquet(people / "a.parquet")
    table["purpose"] = table["purpose"].astype(object)
    table.loc[[3, 450], "purpose"] = "yacht"
    table["age"] = table["age"].astype(float)
    table.loc[450, "age"] = np.inf
    table.loc[5, "amount"] = None
    table.to_parquet(people / "a.parquet")
    pd.read_parquet(people / "2024" / "a.parquet").drop(columns="age").to_parquet(people / "2024" / "a.parquet")
    made = bulk.explain(model, people, output=tmp_path / "out", **asked)
    assert made["summary"]["rows"] == 697 and made["summary"]["refused"] == 303
    assert "2024/a.parquet: lacks age" in made["drift"][0] or "lacks age" in " ".join(made["drift"])
    told = pd.concat([pd.read_csv(path) for path in (tmp_path / "out" / "source=a.parquet").glob("*.csv")])
    assert sorted(told["row"]) == [3, 5, 450]
    why = told.set_index("row")["why"]
    assert "yacht" in why[3] and "row 3" in why[3] and "amount" in why[5] and "row 450" in why[450]
    rows = bulk.read(tmp_path / "out").to_table(columns=["row"])["row"].to_pylist()
    assert sorted(rows) == sorted(set(range(700)) - {3, 5, 450})


def test_what_is_told_of_refused_rows_is_made_again_where_they_are_others(model, people, asked, tmp_path):
    whole = pd.read_parquet(people / "a.parquet")
    for purpose in ("yacht", "opera"):
        table = whole.assign(purpose=whole["purpose"].astype(object))
        table.loc[3, "purpose"] = purpose
        table.to_parquet(people / "a.parquet")
        made = bulk.explain(model, people, output=tmp_path / "out", **asked)
        told = (tmp_path / "out" / made["fragments"][1]["file"]).with_suffix(".csv")
        assert made["summary"]["refused"] == 1 and purpose in pd.read_csv(told)["why"][0]


def test_a_full_disk_is_told_and_loses_nothing_that_was_written(model, people, asked, tmp_path, monkeypatch):
    monkeypatch.setattr("dlx.processes.can_fork", lambda: False)
    whole, written = folder.write_together, []

    def full(contents, **known):
        if len(written) == 2:
            raise OSError(28, "No space left on device")
        written.append(1)
        return whole(contents, **known)

    monkeypatch.setattr(folder, "write_together", full)
    with pytest.raises(OSError, match="No space left"):
        bulk.explain(model, people, output=tmp_path / "out", **asked)
    assert len(files_of(tmp_path / "out")) == 2


def test_what_is_no_parquet_is_refused(model, people, asked, tmp_path):
    (people / "b.parquet").write_text("no")
    with pytest.raises(DlxError, match=r"b\.parquet cannot be read as a Parquet file"):
        bulk.explain(model, people, output=tmp_path / "out", **asked)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DlxError, match="holds no rows"):
        bulk.explain(model, tmp_path / "empty", output=tmp_path / "out", **asked)


def test_fragments_are_read_as_they_stand_in_the_file(people):
    whole = pd.read_parquet(people / "a.parquet")
    for size in (1, 255, 256, 257, 700):
        parts = [one.read() for one in fragments_of(people / "a.parquet", size)[:5]]
        pd.testing.assert_frame_equal(pd.concat(parts), whole[: 5 * size], check_index_type=False)
