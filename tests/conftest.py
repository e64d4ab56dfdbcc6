"""What every test file may ask for."""

from __future__ import annotations

import os
import shutil
import sys
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, settings

SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]  # an example is a whole table, or a fitted estimator
settings.register_profile("ci", max_examples=30, derandomize=True, deadline=None, suppress_health_check=SLOW)
MANY = int(os.environ.get("HYPOTHESIS_EXAMPLES", "300"))  # pytest --hypothesis-profile=nightly, as experiments/nightly.py says
settings.register_profile("nightly", max_examples=MANY, deadline=None, suppress_health_check=SLOW, print_blob=True)
settings.load_profile("ci")
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage")


def pytest_configure():
    """Leave one core to each worker: threads of torch that wait for each other make small nets ten times as slow."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # each process that a test starts would compile all of dlx


@pytest.fixture(params=["numeric", "mixed"])
def world(request):
    """Each of the two tables in turn: all numbers, or with categories and missing values."""
    return request.param


@pytest.fixture
def case(world):
    """The table itself."""
    import worlds

    return worlds.table(world)


@pytest.fixture(scope="session")
def bank_loan_page(tmp_path_factory):
    """The page of a small report of bank_loan: a net, boosted trees and a forest; made once for all workers of a run."""
    from filelock import FileLock

    import dlx

    models = ["mlp", "gradient_boosting", "random_forest"]
    base = tmp_path_factory.getbasetemp()
    folder = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    page = folder / "bank_loan" / "report.html"
    with FileLock(folder / "bank_loan.lock"):
        if not page.exists():
            dlx.report(dlx.load("bank_loan"), models=models, people=12, background=20, path=page)
    return page


@pytest.fixture(scope="session")
def wine_page(tmp_path_factory):
    """The page of one class of three, of two models that give all of them; without pictures."""
    import wines
    from pages import light

    import dlx
    from dlx.progress import Narrator

    page, asked = tmp_path_factory.mktemp("reports") / "wine" / "report.html", {"people": 5, "background": 4}
    with pytest.MonkeyPatch.context() as patched:
        light(patched)
        return dlx.report(wines.wines(), models=wines.models(), path=page, narrator=Narrator(quiet=True), **asked)


@pytest.fixture(scope="session")
def browser():
    """Headless Chromium; where there is none, a failure in CI and a skip elsewhere."""
    from playwright.sync_api import sync_playwright

    executable = next(filter(None, map(shutil.which, BROWSERS)), None)
    if executable is None:
        reason = f"there is no {', '.join(BROWSERS)}: install Debian's package chromium"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=executable, args=list(ARGUMENTS))
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def bank_loan_opened(browser, bank_loan_page):
    """The page as it is opened from disk; what it asked for and complained of is kept on it."""
    page = browser.new_page(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    page.asked, page.complaints = [], []
    page.on("request", lambda request: page.asked.append(request.url))
    page.on("console", lambda message: page.complaints.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: page.complaints.append(f"error: {error}"))
    page.goto(bank_loan_page.as_uri(), wait_until="load")
    yield page
    page.close()


@pytest.fixture(scope="session")
def value_page(tmp_path_factory):
    """The page of a small report of a value: boosted trees and ridge regression, wrapped, of scikit-learn's diabetes."""
    import values
    from pages import light

    import dlx
    from dlx.progress import Narrator

    page = tmp_path_factory.mktemp("values") / "report.html"
    asked = {"people": 10, "background": 10, "path": page, "narrator": Narrator(quiet=True)}
    with pytest.MonkeyPatch.context() as patched:
        light(patched, pictures=True)
        return dlx.report(values.case(), models=[values.model("boosted"), values.model("ridge")], into=":200", **asked)


@pytest.fixture
def run(monkeypatch, capfd, tmp_path):
    """Type a command in an empty folder: its status and the lines it prints, without the sign of life of a slow one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")

    from dlx import cli
    from dlx.cli.printing import ALIVE

    def typed(*arguments) -> SimpleNamespace:
        monkeypatch.setattr(sys, "argv", ["dlx", *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = capfd.readouterr()
        return SimpleNamespace(status=ended.value.code, out=out.splitlines(), err=err.replace(f"{ALIVE}\n", "").splitlines())

    return typed


@pytest.fixture
def refused(run, tmp_path):
    """Type a command that is a mistake: the one line that it says; nothing may be written."""

    def typed(*arguments) -> str:
        before = sorted(tmp_path.rglob("*"))
        ended = run(*arguments)
        assert ended.status == 2
        assert ended.out == []
        assert len(ended.err) == 1, ended.err
        assert ended.err[0].startswith("dlx: ")
        assert sorted(tmp_path.rglob("*")) == before
        return ended.err[0]

    return typed
