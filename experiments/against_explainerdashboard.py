"""dlx beside explainerdashboard, on one model in one run, both through Chromium: start, a change, memory, the export.

    python3 -m venv theirs && theirs/bin/pip install explainerdashboard scikit-learn==1.9.1
    python experiments/against_explainerdashboard.py theirs/bin/python

The model is scikit-learn's gradient boosting on a table of numbers, the codes of a shipped case. Each server runs in a process
of its own and is opened where a person is changed: of explainerdashboard the What if tab alone, of dlx the workbench of
`dlx serve`. It is ready when the port answers, and has started when the page does. A change is a number typed into one column;
its time ends when another prediction stands on the page. Memory is the resident set of the process afterwards. The export of
explainerdashboard is its to_html, that of dlx its report; each is opened from disk without a network.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import Any

import pandas as pd
from playwright.sync_api import Browser, Page, sync_playwright
from running import run

import dlx

CHANGES = 50
THEIR_FIELD = "input[id^='feature-input-duration-input']"
CASE, COLUMN, VALUES = "bank_loan", "duration", (6, 60)
PATIENCE = 300.0  # seconds
LABELS = {
    "ready": "server ready, s",
    "start": "page answers, s",
    "change": f"an answer to a change, median of {CHANGES}, ms",
    "slowest": "the slowest of them, ms",
    "contributions": "contributions of the changed person, median, ms",
    "memory": "memory of the server, MB",
    "size": "export, MB",
    "paint": "first paint of the export without a network, s",
    "offline": "what the export shows then",
}


MODEL = """
import pathlib
import pandas as pd
from sklearn.ensemble import GradientBoostingClassifier

rows = pd.read_csv(pathlib.Path(__file__).with_name("train.csv"))
model = GradientBoostingClassifier(random_state=0).fit(rows.drop(columns="outcome"), rows["outcome"])
"""
THEIRS = Path(__file__).with_name("against_explainerdashboard_theirs.py")


def prepared(folder: Path) -> None:
    """Write the table of numbers and the model that both are asked about."""
    case = dlx.load(CASE)
    for name, part in {"train": case.train, "test": case.test}.items():
        rows = pd.DataFrame(part.rows, columns=list(case.schema.names), dtype=int).assign(outcome=part.outcomes.astype(int))
        rows.to_csv(folder / f"{name}.csv", index=False)
    (folder / "boosted.py").write_text(MODEL)


def typed(command: str) -> list[str]:
    """Return a command of dlx on the table and the model, as it is typed in their folder."""
    own = "train.csv --test test.csv --target outcome --positive 1 --model boosted.py:model"
    keep = [word for name in dlx.load(CASE).schema.names for word in ("--keep", name)]
    return [sys.executable, "-m", "dlx", command, *own.split(), *keep]


@contextlib.contextmanager
def running(command: list[str], folder: Path, port: int) -> Iterator[tuple[subprocess.Popen[str], str, float]]:
    """Yield a server's process, its address and how long it took until the port answered."""
    began, quiet = time.perf_counter(), {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
    with subprocess.Popen(command, cwd=folder, **quiet) as process:
        try:
            address = f"http://127.0.0.1:{port}/"
            if command[2] == "dlx":
                address = process.stdout.readline().strip()
            while not answers(port):
                if process.poll() is not None or time.perf_counter() - began > PATIENCE:
                    raise RuntimeError(f"{command} does not start")
                time.sleep(0.02)
            yield process, address, time.perf_counter() - began
        finally:
            process.terminate()
            process.wait(20)


def answers(port: int) -> bool:
    """Return whether somebody answers at a port."""
    with contextlib.suppress(OSError), contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=5)) as asked:
        asked.request("GET", "/")
        return asked.getresponse().status in (200, 403)
    return False


def memory(process: subprocess.Popen[str]) -> float:
    """Return the resident set of a process and its children, in MB."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    pages = sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in [str(process.pid), *children])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def changed(page: Page, put: Callable[[int], None], shown: Callable[[], str], more: Callable[[], str]) -> dict[str, float]:
    """Return how long changes take until another answer is shown, and until other contributions are, in milliseconds."""
    first, then = [], []
    put(VALUES[-1])  # so that each of the fifty is a change
    page.wait_for_timeout(5_000)
    for turn in range(CHANGES):
        before, parts = shown(), more()
        began = time.perf_counter()
        put(VALUES[turn % len(VALUES)])
        until(page, lambda before=before: shown() != before)
        first.append(1_000 * (time.perf_counter() - began))
        until(page, lambda parts=parts: more() not in (parts, ""))
        then.append(1_000 * (time.perf_counter() - began))
    return {"change": round(median(first)), "slowest": round(max(first)), "contributions": round(median(then))}


def until(page: Page, is_so: Callable[[], bool]) -> None:
    """Wait until something is so on a page."""
    began = time.perf_counter()
    while not is_so():
        if time.perf_counter() - began > PATIENCE:
            raise RuntimeError("nothing changes on the page")
        page.wait_for_timeout(2)


def asked_of_theirs(page: Page) -> dict[str, float]:
    """Return how long explainerdashboard takes for a change of somebody in its What if tab."""
    parts = page.locator("div[id^='contributions-table-db']").last
    page.get_by_role("button", name="Random Index").click()
    until(page, lambda: COLUMN in parts.inner_text())

    def put(value: int) -> None:
        page.locator(THEIR_FIELD).fill(str(value))
        page.locator(THEIR_FIELD).press("Enter")

    return changed(page, put, page.locator("div[id^='clas-prediction-div'] table").inner_text, parts.inner_text)


def asked_of_ours(page: Page) -> dict[str, float]:
    """Return how long dlx takes for a change in its form."""
    page.locator("#workbench summary", has_text="Change something").click()

    def put(value: int) -> None:
        field = page.get_by_label(COLUMN, exact=True)
        field.fill(str(value))
        field.press("Enter")

    return changed(page, put, lambda: text(page, "#workbench .risks"), lambda: text(page, "#workbench .waterfall"))


def text(page: Page, place: str) -> str:
    """Return what stands somewhere on a page, "" where there is no such place yet."""
    return str(page.evaluate("place => document.querySelector(place)?.textContent ?? ''", place))


def opened_offline(browser: Browser, export: Path) -> dict[str, Any]:
    """Return the size of an export, when it is painted without a network, and what is on it."""
    found: dict[str, Any] = {"size": round(export.stat().st_size / 1e6, 2)}
    with contextlib.closing(browser.new_context(offline=True)) as context:
        page = context.new_page()
        page.goto(export.as_uri(), wait_until="load")
        page.wait_for_timeout(2_000)
        paint = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null")
        found["paint"] = "never" if paint is None else round(paint / 1_000, 2)
        words, plots = len(page.locator("body").inner_text().split()), page.locator("figure img, .main-svg, svg").count()
        found["offline"] = f"{words:,} words, {plots} figures"
    return found


def measured(
    command: list[str], folder: Path, port: int, browser: Browser, ready: str, ask: Callable[[Page], dict[str, float]]
) -> dict[str, Any]:
    """Return every measure of a server."""
    began = time.perf_counter()
    with running(command, folder, port) as (process, address, seconds), contextlib.closing(browser.new_page()) as page:
        page.set_default_timeout(1_000 * PATIENCE)
        page.goto(address)
        page.locator(ready).last.wait_for()
        found: dict[str, Any] = {"ready": round(seconds, 1), "start": round(time.perf_counter() - began, 1)}
        return found | ask(page) | {"memory": round(memory(process))}


def free_port() -> int:
    """Return a port that nobody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def main() -> None:
    """Print both sides as a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("theirs", help="the Python of an environment that has explainerdashboard")
    theirs = [str(Path(parser.parse_args().theirs).absolute()), str(THEIRS)]
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with tempfile.TemporaryDirectory() as made, sync_playwright() as playwright:
        folder = Path(made)
        prepared(folder)
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        port, own = free_port(), free_port()
        found = measured([*theirs, made, str(port)], folder, port, browser, THEIR_FIELD, asked_of_theirs)
        serve = [*typed("serve"), "--no-browser", "--port", str(own)]
        ours = measured(serve, folder, own, browser, "#workbench .waterfall", asked_of_ours)
        subprocess.run([*theirs, made, "0"], check=True, capture_output=True)
        subprocess.run(
            [*typed("report"), "--people-in-page", "all", "--output", "page"], cwd=folder, check=True, capture_output=True
        )
        found |= opened_offline(browser, folder / "theirs.html")
        ours |= opened_offline(browser, next(folder.glob("page/**/report.html")))
        browser.close()
    lines = ["| | explainerdashboard | dlx |", "|---|---|---|"]
    print("\n".join([*lines, *(f"| {words} | {found[name]} | {ours[name]} |" for name, words in LABELS.items())]))


if __name__ == "__main__":
    run(main)
