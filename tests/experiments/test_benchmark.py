"""The benchmark in small: its contests compute the same quantities on both sides, and its tables say what they should."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dlx.threads import one_thread

EXPERIMENTS = Path(__file__).parents[2] / "experiments"


@pytest.fixture(scope="module")
def benchmarking():
    """The benchmark's own modules, found as `python experiments/benchmark.py` finds them."""
    sys.path.insert(0, str(EXPERIMENTS))
    import benchmark
    from benchmarking import contests, frontier, held_out, limits, on_device, settings, worlds

    modules = {"benchmark": benchmark, "contests": contests, "frontier": frontier, "held_out": held_out}
    yield modules | {"limits": limits, "on_device": on_device, "settings": settings, "worlds": worlds}
    sys.path.remove(str(EXPERIMENTS))


@pytest.fixture(scope="module")
def world(benchmarking):
    """A net of 6 columns with 12 reference rows."""
    made = benchmarking["worlds"].random_world(6, people=40)
    return benchmarking["worlds"].World("small", made.model, made.rows, made.background[:12])


def test_both_sides_of_every_contest_compute_the_same(benchmarking, world):
    contests = benchmarking["contests"]
    with one_thread():
        tried = [*contests.path_contests(world), *contests.shapley_contests(world)]
        for contest in tried:
            theirs, ours = contest.peer(8), contest.ours(8)
            assert theirs.shape == ours.shape == (8, 6)
            np.testing.assert_allclose(ours, theirs, atol=0.15 * np.abs(theirs).max())
            assert contest.error(ours) <= max(contest.error(theirs), 1e-5)
    assert {"integrated gradients, exact", "DeepLIFT over the background", "exact Shapley values"} <= {
        c.quantity for c in tried
    }


def test_nets_on_a_device_are_measured_and_held_to_the_processor(benchmarking, monkeypatch, capsys, tmp_path):
    on_device, benchmark = benchmarking["on_device"], benchmarking["benchmark"]
    task = on_device.Task("Shapley values", 5, "shapley", 8, 1_000, (3, 4), {})
    monkeypatch.setattr(on_device.on_device, "__defaults__", ((task,),))
    monkeypatch.setattr(sys, "argv", ["benchmark.py", "--device", "cpu", "--output", str(tmp_path)])
    benchmark.main()
    table = pd.read_csv(tmp_path / "cpu.csv")
    assert table["off"][0] == 0 and table["rate"][0] > 0 and table["share_of_peak"][0] > 0
    assert "| Shapley values | 5 | 8 | 1,000 |" in (tmp_path / "cpu.md").read_text()
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr(sys, "argv", ["benchmark.py", "--device", "cuda", "--output", str(tmp_path)])
    capsys.readouterr()
    benchmark.main()
    assert capsys.readouterr().out == "skipped: there is no GPU that torch can use\n"


def test_integrated_gradients_are_exact_beside_captums(benchmarking, world):
    with one_thread():
        for contest in benchmarking["held_out"].on_both_scales(world, np.nan, 2):
            theirs, ours = contest.peer(2), contest.ours(2)
            assert contest.error(ours) < 5e-7 < contest.error(theirs) < 0.02


def test_a_held_out_setting_holds_every_gradient_method_against_captum(benchmarking):
    settings = benchmarking["settings"]
    small = settings.Setting("small", settings._relu(8, 3), 6, 2, 12, "probability", True)
    world = small.world(0)
    assert world.model.encoder.width == 4 + 2 * 4 and len(world.background) == 12
    with one_thread():
        tried = list(benchmarking["held_out"].contests_of(small, world))
        for contest in tried:
            theirs, ours = contest.peer(contest.peer_rows), contest.ours(contest.rows)
            np.testing.assert_allclose(ours, theirs, atol=0.1 * np.abs(theirs).max())
            assert contest.error(ours) <= max(1.2 * contest.error(theirs), 3e-3)
    assert len(tried) == 5 and {one.name for one in settings.SETTINGS} > {"residual net", "tanh 128 x 3"}


def test_lime_s_own_runs_lie_within_its_spread(benchmarking, world):
    contest = benchmarking["contests"].lime_contest(world)
    assert contest.error(contest.ours(2)) < 2
    assert 0.3 < contest.error(contest.peer(2)) < 3
    assert contest.error(contest.ours(2) + 1.0) > 3


def test_shapiq_estimates_the_same_values(world):
    assert world.error(world.by_shapiq(2, 64)) < 1e-5  # all coalitions of 6


def test_a_line_has_times_errors_and_a_share_of_the_peak(benchmarking, world, tmp_path):
    contest = next(c for c in benchmarking["contests"].shapley_contests(world) if c.quantity == "exact Shapley values")
    line = benchmarking["contests"].held(contest, 1, benchmarking["limits"].matrix_peak(0.05), lambda *_: None)
    assert line["error"] < 1e-5
    assert 0 < line["share_of_peak"] < 1.5
    assert line["ratio"] == pytest.approx(line["peer_cpu_per_row"] / line["cpu_per_row"])
    text = benchmarking["benchmark"].markdown({"table": pd.DataFrame([line])})
    assert "| exact Shapley values (relative error) | small, 6 | shap Exact |" in text and line["mb"] >= 0
    old = pd.DataFrame([line | {"peer": peer, "made_by": "Python 3.13"} for peer in ("lightshap", "shap Exact")])
    old.to_csv(tmp_path / "table.csv", index=False)
    merged = benchmarking["benchmark"].put_into(tmp_path / "table.csv", pd.DataFrame([line | {"made_by": "Python 3.11"}]))
    assert list(merged["peer"]) == ["lightshap", "shap Exact"] and list(merged["made_by"]) == ["Python 3.13", "Python 3.11"]
    assert "\nPython 3.13.\n\nRows of shap Exact: Python 3.11.\n" in benchmarking["benchmark"].markdown({"table": merged})
    slow = benchmarking["benchmark"].below_goals(pd.DataFrame([line | {"ratio": 0.5, "target": 2}]))
    assert "Below its goal of 2: exact Shapley values, 0.5 at least (small). Why: the machine's matrix" in slow[-1]


def test_the_frontier_falls_with_the_budget(benchmarking, world, tmp_path):
    from dlx.progress import Narrator

    made = benchmarking["worlds"].random_world(11, people=20)
    wide = benchmarking["worlds"].World("wide", made.model, made.rows, made.background[:8])
    table = benchmarking["frontier"].frontier(wide, Narrator())
    ours = table[table["estimator"] == "dlx"].sort_values("budget")["error"].to_numpy()
    assert ours[-1] < 0.3 * ours[0]
    benchmarking["frontier"].draw(table, tmp_path)
    assert (tmp_path / "frontier.svg").stat().st_size > 1_000


def test_a_process_tells_its_peak_memory(benchmarking):
    told = json.loads(benchmarking["limits"].measured_here("memory", "dlx", 30))
    assert told["rows"] == 30
    assert told["peak_mb"] > 50
