"""Measures dlx against captum, shap, lime and shapiq: CPU time a row as a ratio in one run, beside the error of both.

python experiments/benchmark.py --quick takes some minutes; without --quick, more rounds and columns, half an hour; --growth
explains the whole of credit_default instead, and --device cuda measures nets on a GPU. Writes table, growth and the device's
(md, csv) and frontier (csv, svg, png) to --output. Peer and dlx alternate on one thread; medians of the rounds count. Nets
have two hidden layers of 128, random ones and those of two cases, against 100 background rows; gradients and LIME also of the
held-out nets of benchmarking/settings.py, which --seed draws; trees are 200 boosted ones of depth 6. Memory is what a forked
process adds to its peak. Shapley values are computed on the least budget that is as good as the peer's default. notes.md says
what was tried, what was kept and what was dropped.
"""

from __future__ import annotations

import argparse
import platform
from collections.abc import Iterator
from importlib.metadata import version
from itertools import chain
from pathlib import Path

import pandas as pd
import torch
from benchmarking.contests import all_contests, held
from benchmarking.frontier import draw, frontier
from benchmarking.held_out import held_out_contests
from benchmarking.limits import growth, matrix_peak, measured_here, memory
from benchmarking.newer import NEEDED, lacking, newer_contests
from benchmarking.on_device import markdown_of, name_of, on_device
from benchmarking.worlds import random_world, trained_world
from running import run

from dlx.files import csv_text, refuse_unwritable, write_atomically
from dlx.progress import Narrator
from dlx.threads import one_thread

WHY = {  # by the beginning of a quantity
    "integrated gradients": "of two rows of a small net what a call costs counts; deep nets need 20 to 32 dear cells",
    "DeepLIFT of one row": "what a call costs whatever its size: checks, three predictions, the explanation itself",
    "DeepLIFT": "of ten rows what a call costs counts; captum has six times the products of dlx, and no more",
    "Gradient SHAP": "the products of the net itself are most of the time on both sides",
    "LIME": "the pool is predicted once a call of many rows",
    "exact Shapley": "the machine's matrix products are the limit, see notes.md",
    "Shapley values of 200 trees": "of one row, checks, predictions and reading the background at every node are most of it",
    "Shapley values of 100 trees": "of one row, checks, predictions and reading the background at every node are most of it",
    "Shapley values": "of equal errors the budget grows with the columns; its products are at the share of the peak shown",
    "partial dependence": "most of the time is that of the layers behind the first, on as many rows as scikit-learn asks about",
    "permutation importance": "intervals of the AUC, copies and leaks are told too, which cost more than the predictions",
    "accumulated local effects": "each person takes one step, so little is shared; what PyALE asks, and once more for the mean",
}
LIBRARIES = ("dlx", "torch", "captum", "shap", "lime", "shapiq", "scikit-learn", "numpy")


def main() -> None:
    """Run what was asked for, and write it down."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer rounds, random nets of 20 columns only")
    parser.add_argument(
        "--only", default="", help="only quantities that contain this text, in place of their rows in --output, and no frontier"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the held-out nets")
    parser.add_argument("--growth", action="store_true", help="only how time and memory grow on credit_default")
    parser.add_argument("--device", choices=("cpu", "cuda"), help="only rows a second of nets on a GPU, or so on the processor")
    parser.add_argument("--output", type=Path, default=Path("experiments/benchmark"), help="folder to write to")
    parser.add_argument("--measure", nargs=3, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    refuse_unwritable(asked.output, "pass another --output")
    if asked.measure:
        print(measured_here(asked.measure[0], asked.measure[1], int(asked.measure[2])))
        return
    if asked.device == "cuda" and not torch.cuda.is_available():
        print("skipped: there is no GPU that torch can use")
        return
    narrator, found = Narrator(), {}
    if asked.device is not None:
        steps, name_of_page = (("device", table) for table in on_device(asked.device, narrator)), f"{asked.device}.md"
    else:
        steps, name_of_page = (_growing(narrator), "growth.md") if asked.growth else (_measured(asked, narrator), "table.md")
    for name, table in steps:  # written as they come: an interrupt loses nothing
        found[name] = table = put_into(asked.output / "table.csv", table) if asked.only and name == "table" else table
        write_atomically(asked.output / f"{asked.device or name}.csv", csv_text(table))
        write_atomically(asked.output / name_of_page, markdown(found, asked.device))
        if name == "frontier":
            draw(table, asked.output)
    print(markdown(found, asked.device))
    print(asked.output)


def _measured(asked: argparse.Namespace, narrator: Narrator) -> Iterator[tuple[str, pd.DataFrame]]:
    columns, rounds = ((20,), 3) if asked.quick else ((13, 20, 50), 5)
    lines: list[dict[str, object]] = []
    with one_thread():
        peak = matrix_peak()
        for contest in chain(held_out_contests(asked.seed), all_contests(columns), newer_contests(columns)):
            if asked.only in contest.quantity:
                label = f"{contest.quantity}, {contest.columns} columns, against {contest.peer_name}"
                with narrator.step(label, "rounds") as update:
                    lines.append(held(contest, rounds, peak, update) | {"made_by": made_by()})
                yield "table", pd.DataFrame(lines)
        if asked.only:
            return
        worlds = [*(random_world(d) for d in columns if d >= 20), trained_world("bank_loan")]
        points = [frontier(world, narrator) for world in worlds]
        yield "frontier", pd.concat(points, ignore_index=True)
    with narrator.step("peak memory of DeepLIFT, captum and dlx"):
        lines.append(memory(1_000 if asked.quick else 4_000))
    yield "table", pd.DataFrame(lines)


def _growing(narrator: Narrator) -> Iterator[tuple[str, pd.DataFrame]]:
    for table in growth(narrator):
        yield "growth", table


def markdown(tables: dict[str, pd.DataFrame], device: str | None = None) -> str:
    """Return the tables as markdown, with the machine and the versions."""
    parts = [] if device is None else [f"On {name_of(device)}, by `python experiments/benchmark.py --device {device}`.", ""]
    parts += markdown_of(tables["device"]) if device is not None else []
    if "table" in tables:
        header = (
            "| quantity | net, columns | peer | error: peer | error: dlx | MB: peer | MB: dlx | ratio | goal | share of peak |"
        )
        parts += [header, "|---" * 10 + "|"]
        for t in tables["table"].itertuples():
            errors, net = f"{t.peer_error:.2g} | {t.error:.2g}", f"{t.net}, {t.columns}"
            memory_ = f"{_or_dash(t.peer_mb, '.0f')} | {_or_dash(t.mb, '.0f')}"
            rest = f"**{t.ratio:.1f}** | {_or_dash(t.target, 'g')} | {_or_dash(t.share_of_peak, '.2f')}"
            parts.append(f"| {t.quantity} ({t.measure}) | {net} | {t.peer} | {errors} | {memory_} | {rest} |")
        parts += below_goals(tables["table"])
    if "growth" in tables:
        parts += ["", "| credit_default, mlp | rows | CPU s | wall s | peak MB above idle | standard error |", "|---" * 6 + "|"]
        parts += [
            f"| {g.method} | {g.rows:,} | {g.cpu:.1f} | {g.wall:.1f} | {g.above_idle_mb:,.0f} | {_or_dash(g.error, '.3f')} |"
            for g in tables["growth"].itertuples()
        ]
    rows = pd.DataFrame({"peer": [""], "made_by": [made_by()]})
    rows = tables["table"] if "table" in tables and "made_by" in tables["table"] else rows
    makers = list(rows.groupby("made_by", sort=False)["peer"].unique().items())
    if len(makers) == 1 and lacking():
        parts += ["", f"Not installed here, so not measured (they need Python 3.12): {', '.join(lacking())}."]
    for which, (maker, peers) in enumerate(makers):
        parts += ["", f"{'' if not which else 'Rows of ' + ', '.join(peers) + ': '}{maker}."]
    return "\n".join([*parts, ""])


def made_by() -> str:
    """Return the machine, and the versions of Python and of what is measured."""
    missing = lacking()
    there = [*LIBRARIES, *(name for name in NEEDED if name not in LIBRARIES and not any(m.startswith(name) for m in missing))]
    versions = ", ".join(f"{name} {version(name)}" for name in there)
    return f"{platform.machine()}, Python {platform.python_version()}, {versions}"


def put_into(path: Path, measured: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of a table, those that were measured again in place of the old ones, and what is new behind them."""
    if not path.exists():
        return measured
    old, row = pd.read_csv(path), ["quantity", "net", "peer"]
    order = {key: place for place, key in enumerate(old[row].itertuples(index=False, name=None))}
    both = pd.concat([old, measured], ignore_index=True).drop_duplicates(row, keep="last")
    places = [order.get(key, len(order)) for key in both[row].itertuples(index=False, name=None)]
    return both.iloc[sorted(range(len(both)), key=places.__getitem__)].reset_index(drop=True)


def below_goals(table: pd.DataFrame) -> list[str]:
    """Return a line of markdown for each quantity that is below its goal somewhere, with the reason."""
    below = table[table["ratio"] < table["target"]]
    lines = [""] if len(below) else []
    for (quantity, goal), some in below.groupby(["quantity", "target"], sort=False):
        why = next((why for start, why in WHY.items() if str(quantity).startswith(start)), "not known")
        least, cases = some["ratio"].min(), ", ".join(some["net"])
        lines.append(f"- Below its goal of {goal:g}: {quantity}, {least:.1f} at least ({cases}). Why: {why}.")
    return lines


def _or_dash(number: float, form: str) -> str:
    return "–" if pd.isna(number) else f"{number:{form}}"


if __name__ == "__main__":
    run(main)
