"""The workbench on a server: it answers as Python does, and only those who know the token and call it by its name."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import wines
import worlds

import dlx
from dlx import explainers
from dlx.background import sample
from dlx.comparison import Laboratory, one_by_one
from dlx.context import QUICK, RunContext
from dlx.dataset import Dataset
from dlx.errors import DlxError
from dlx.model import BlackBox
from dlx.progress import Narrator
from dlx.reporting import case_of_page
from dlx.schema import Feature, Schema, Target
from dlx.workbench import jobs, serving
from dlx.workbench.contents import aligned_distances

MARKUP = "<script>alert(1)</script>"


@contextlib.contextmanager
def served(case, *models, people=None):
    """A running server: its port and its token."""
    context = RunContext.of(case, models, people=1, background=20, narrator=Narrator(quiet=True))
    with socket.create_server(("127.0.0.1", 0)) as bound:
        server, address = serving.prepared(context, case.test if people is None else people, bound)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]}, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        try:
            yield int(address.split(":")[2].split("/")[0]), address.partition("token=")[2]
        finally:
            server.should_exit = True
            thread.join(timeout=20)


@pytest.fixture(scope="module")
def server():
    with served(worlds.table("mixed"), worlds.net("mixed"), worlds.boosted("mixed")) as found:
        yield found


def asked(server, path, body=None, *, token=None, **headers):
    """The status and the text of an answer."""
    port, right = server
    content = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    address, verb = f"{path}?token={right if token is None else token}", "GET" if body is None else "POST"
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        connection.request(verb, address, content, headers)
        with connection.getresponse() as answer:
            return answer.status, answer.read().decode(), dict(answer.getheaders())


def sent(row):
    return [None if np.isnan(code) else code for code in row.tolist()]


def test_what_aligning_leaves_of_disagreements_is_measured_when_it_is_asked_for(server):
    case, trees = worlds.table("mixed"), worlds.boosted("mixed")
    status, text, _ = asked(server, "/alignment", {"model": trees.name, "agreed": True})
    *told, found = map(json.loads, text.splitlines())
    assert status == 200 and found["isLast"] and all("progress" in line for line in told)
    people = sample(case.test, QUICK.settings_people, seed=0)
    lab = Laboratory(people, case.background(20), case.train, 0, dlx.explain)
    methods = [name for name in explainers.with_library_defaults() if explainers.fits(name, trees)]
    known = one_by_one(trees, [name for name in methods if name not in explainers.apart()], lab, k=2)
    assert found["pairs"] == aligned_distances(known)
    assert {"unit", "scale", "background"} < {name for pair in found["pairs"] for name in pair["settings"]}


def test_risks_and_contributions_are_those_of_python(server):
    case, net = worlds.table("mixed"), worlds.net("mixed")
    row = case.test.rows[:1]
    status, text, _ = asked(server, "/risks", {"rows": [sent(row[0])]})
    assert status == 200
    assert json.loads(text)["risks"][0][0] == pytest.approx(net.predict(row, "probability")[0], abs=1e-9)
    status, text, _ = asked(server, "/explain", {"model": net.name, "method": "deeplift", "row": sent(row[0])})
    found = json.loads(text.splitlines()[-1])
    made = dlx.explain(net, row, method="deeplift", background=case.background(20), scale=net.scales[0])
    assert status == 200 and found["values"] == pytest.approx(made.values[0].tolist(), abs=1e-9) and found["isLast"]


@pytest.mark.parametrize(
    ("headers", "token"),
    [
        ({"Host": "evil.example"}, None),
        ({"Host": "127.0.0.1"}, None),  # without the port
        ({"Origin": "http://evil.example"}, None),
        ({"Origin": "null"}, None),
        ({}, ""),
        ({}, "guessed"),
        ({}, "é"),
    ],
)
@pytest.mark.parametrize("path", ["/", "/book", "/workbench.js", "/risks", "/model"])
def test_strangers_are_turned_away(server, path, headers, token):
    token = token if token is None or token.isascii() else "%C3%A9"
    status, text, said = asked(server, path, token=token, **headers)
    assert status == 403 and set(json.loads(text)) == {"error"}
    assert said["cache-control"] == "no-store" and "default-src 'none'" in said["content-security-policy"]


@pytest.mark.parametrize(
    "path", ["/../pyproject.toml", "/%2e%2e/%2e%2e/etc/passwd", "//etc/passwd", "/engine/model.js", "/risks"]
)
def test_no_path_reaches_the_disk_and_no_get_changes_anything(server, path):
    assert asked(server, path)[0] in (404, 405)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        b"[" * 100_000,
        {"rows": []},
        {"rows": [[1, 2]]},
        {"rows": [[0, 9, 0, 0, 0]]},
        {"rows": [["a", 0, 0, 0, 0]]},
        {"rows": [[True, 0, 0, 0, 0]]},
        {"rows": [[1e400, 0, 0, 0, 0]]},
        b'{"rows": [[NaN, 0, 0, 0, 0]]}',
        {"rows": [[0, 0, None, 0, 0]]},
        {"rows": [[0] * 5] * 201},
    ],
)
def test_what_is_no_row_gets_a_line(server, body):
    status, text, _ = asked(server, "/risks", body)
    assert status == 400 and len(json.loads(text)["error"].splitlines()) == 1


@pytest.mark.parametrize("changes", [{"model": "none"}, {"method": "none"}, {"method": "../x"}, {"row": [1]}, {"row": None}])
def test_what_is_no_question_gets_a_line(server, changes):
    right = {"model": "net", "method": "deeplift", "row": sent(worlds.table("mixed").test.rows[0])}
    status, text, _ = asked(server, "/explain", right | changes)
    assert status == 400 and len(json.loads(text)["error"].splitlines()) == 1


def test_ten_megabytes_are_refused_and_two_hundred_at_once_are_answered(server):
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it hangs up on a long one
        assert asked(server, "/risks", b"[" + b"1," * 5_000_000)[0] == 400
    row = sent(worlds.table("mixed").test.rows[0])
    with ThreadPoolExecutor(40) as pool:
        answers = list(pool.map(lambda _: asked(server, "/risks", {"rows": [row]}), range(200)))
    assert {status for status, _, _ in answers} == {200} and len({text for _, text, _ in answers}) == 1


def test_half_a_request_is_not_waited_for(server, monkeypatch):
    monkeypatch.setattr(serving, "PATIENCE", 0.1)
    port, token = server
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        connection.putrequest("POST", f"/risks?token={token}")
        connection.putheader("content-length", "100")
        connection.endheaders(b"{")
        with connection.getresponse() as answer:
            assert answer.status == 400 and "within 0.1 seconds" in answer.read().decode()


def test_a_model_that_raises_is_told_in_a_line_and_the_server_goes_on():
    case = worlds.table("numeric")

    def fragile(rows):
        if (rows["age"] > 5).any():
            raise RuntimeError("too old\nfor this model")
        return rows["amount"].to_numpy()

    def lost(rows):
        return np.where(rows["age"] > 5, np.nan, rows["amount"])

    wrapped = [BlackBox(one, case.schema, one.__name__, ("logit", "probability")) for one in (fragile, lost)]
    with served(case, *wrapped, worlds.boosted("numeric")) as server:
        row = sent(case.test.rows[0])
        status, text, _ = asked(server, "/explain", {"model": "fragile", "method": "shapley", "row": [9, *row[1:]]})
        assert status == 200 and "too old" in json.loads(text.splitlines()[-1])["failed"]
        status, text, _ = asked(server, "/risks", {"rows": [[9, *row[1:]]]})
        found = json.loads(text)
        assert status == 200 and found["risks"][0][:2] == [None, None] and 0 < found["risks"][0][2] < 1  # the others answer
        assert "too old" in found["failed"]["fragile"] and list(found["failed"]) == ["fragile", "lost"]
        assert None not in json.loads(asked(server, "/risks", {"rows": [row]})[1])["risks"][0]


class Slow:
    """A function of which each row takes time, and that knows how many rows it was asked."""

    def __init__(self, seconds):
        self.seconds, self.asked = seconds, 0

    def __call__(self, rows):
        self.asked += len(rows)
        time.sleep(self.seconds * len(rows))
        return rows["amount"].to_numpy()


def test_what_the_first_call_of_a_model_takes_is_no_prediction_s_cost(monkeypatch):
    asked, clock = [], [0.0]

    def predict(rows, _):
        clock[0] += 0.001 * len(rows) if asked else 5.0
        asked.append(len(rows))

    monkeypatch.setattr(jobs, "time", SimpleNamespace(perf_counter=lambda: clock[0]))
    model = SimpleNamespace(predict=predict, scales=("value",))
    assert jobs.Queue().seconds_a_row(model, np.zeros((30, 2))) == pytest.approx(0.001)
    assert asked == [1, 20, 500]


def test_a_slow_method_says_what_it_costs_then_how_far_it_is_and_is_cancelled(browser):
    case, function = worlds.table("numeric"), Slow(0.02)
    model = BlackBox(function, case.schema, "slow", ("logit", "probability"))
    with served(case, model, people=case.test[:3]) as server:
        port, token = server
        page = browser.new_page()
        page.goto(f"http://127.0.0.1:{port}/?token={token}")
        page.locator("#workbench-compute").wait_for()
        cost = page.locator("#workbench p", has_text="This takes about").inner_text()
        asked = function.asked
        time.sleep(0.5)
        assert function.asked == asked  # nobody agreed yet
        seconds, predictions = (float(text.replace(",", "")) for text in re.findall(r"[\d,]+", cost))
        assert seconds == pytest.approx(predictions * function.seconds, rel=1) and seconds > 3
        page.locator("#workbench-compute").click()
        page.locator("#workbench progress").wait_for()
        body = {"model": "slow", "method": "shapley", "row": sent(case.test.rows[0]), "agreed": True}
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(lines_until, server, body, "before this one")
            assert "1 question before this one" in waiting.result(timeout=10)
        page.locator("#workbench-cancel").click()
        time.sleep(1.5)
        asked = function.asked
        time.sleep(0.5)
        assert function.asked == asked and function.asked < predictions  # it was given up, and so was the one behind it
        page.close()


def lines_until(server, body, words):
    """The first line about a computation that says some words; then nobody waits for the answer any longer."""
    port, token = server
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        connection.request("POST", f"/explain?token={token}", json.dumps(body).encode())
        answer = connection.getresponse()
        while line := answer.readline().decode():
            if words in line:
                return line
    return ""


def test_every_class_of_several_is_answered_for(browser):
    case = case_of_page(wines.wines(), None, Narrator(quiet=True))
    models = [model.of(case.schema.target.levels[1]) for model in wines.models()]
    with served(case, *models) as server:
        port, token = server
        row = case.test.rows[0]
        for level in wines.LEVELS:
            status, text, _ = asked(server, "/risks", {"rows": [sent(row)], "class": level})
            expected = [model.of(level).predict(row[None], "probability")[0] for model in models]
            assert status == 200 and json.loads(text)["risks"][0] == pytest.approx(expected, abs=1e-9)
        assert asked(server, "/risks", {"rows": [sent(row)], "class": "riesling"})[0] == 400
        assert asked(server, "/risks", {"rows": [sent(row)], "class": ["barolo"]})[0] == 400
        page = browser.new_page()
        page.goto(f"http://127.0.0.1:{port}/?token={token}")
        page.locator("#choose-cultivar").select_option("barbera")
        page.locator("#workbench .prediction", has_text="barbera").wait_for()
        page.wait_for_selector("#workbench .waterfall")
        page.close()


def test_markup_in_every_name_is_text(browser):
    features = (
        Feature("age", label=MARKUP, unit="<b>", description=MARKUP),
        Feature("own", "categorical", levels=("a", "b"), level_labels=(MARKUP, "<i>")),
    )
    schema = Schema(
        features,
        Target(
            "y",
            levels=("no", "yes"),
            level_labels=("<u>no", "<u>yes"),
            person=MARKUP,
            event=MARKUP,
            risk=MARKUP,
            flagged=MARKUP,
        ),
    )
    rng = np.random.default_rng(0)
    rows = np.column_stack([rng.normal(size=80), rng.integers(2, size=80)]).astype(float)
    case = Dataset(
        schema, rows, rng.integers(2, size=80).astype(float), index=np.array([f"{MARKUP}{i}" for i in range(80)]), name="markup"
    )
    model = BlackBox(lambda some: some["age"], schema, f"m{MARKUP}", ("logit", "probability"))
    with served(replace(case), model) as (port, token):
        page = browser.new_page()
        complaints = []
        page.on("dialog", lambda dialog: (complaints.append(dialog.message), dialog.dismiss()))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: complaints.append(message.text))
        page.goto(f"http://127.0.0.1:{port}/?token={token}")
        page.wait_for_selector("#workbench .waterfall")
        page.evaluate("document.querySelectorAll('#workbench details').forEach(folded => { folded.open = true; })")
        page.wait_for_selector("#workbench .field")
        assert MARKUP in page.locator("#workbench").inner_text() and not complaints
        assert not page.locator("#workbench :is(script, b, i, u)").count()
        page.close()


def test_a_port_in_use_is_said():
    case = worlds.table("numeric")
    context = RunContext.of(case, [worlds.net("numeric")], people=1, background=5, narrator=Narrator(quiet=True))
    with socket.create_server(("127.0.0.1", 0)) as bound, pytest.raises(DlxError, match="cannot be used"):
        serving.serve(context, case.test, host="127.0.0.1", port=bound.getsockname()[1], ready=print)


def test_a_value_is_answered_in_its_unit(browser):
    from sklearn.linear_model import LinearRegression

    case = worlds.table("numeric")
    schema = Schema(case.schema.features, Target("price", kind="regression", unit="EUR"))
    case = Dataset(schema, case.rows, 100 * case.rows[:, 0] + 5, index=case.index, name="prices")
    model = dlx.wrap(LinearRegression().fit(case.frame, case.outcomes), case, name="line")
    with served(case, model) as (port, token):
        page = browser.new_page()
        page.goto(f"http://127.0.0.1:{port}/?token={token}")
        page.wait_for_selector("#workbench .waterfall")
        said = page.locator("#workbench .prediction").inner_text()
        page.locator("#workbench summary", has_text="How does this method").click()
        page.wait_for_selector(".learn .steps-picture")
        assert "EUR" in page.locator(".learn .step").inner_text()
        page.locator(".learn .choices select").first.select_option("everybody")
        page.wait_for_selector(".learn .step:has-text('are given')")
        assert "EUR on average" in page.locator(".learn .step").inner_text()
        assert "does not say what “price” of this" in page.locator("#workbench .who .says").first.inner_text()
        page.close()
    predicted = model.predict(case.test[:1], "value")[0]
    assert float(said.split("says ")[1].split(" EUR")[0].replace("−", "-").replace(",", "")) == pytest.approx(
        predicted, abs=0.5
    )


def test_ways_out_are_looked_for_when_they_are_asked_for_and_flip_the_decision(browser):
    case, model = dlx.load("bank_loan"), dlx.load_model("bank_loan", "logistic_regression")
    denied = dlx.counterfactuals.denied(model, case.test)
    name = denied.index.tolist()[0]
    place = case.test.index.tolist().index(name)
    expected = dlx.counterfactuals.recourse(model, case.test[[place]], observed=case.train, wanted=3).to_frame()
    with served(case, model, people=case.test) as server:
        said = {"model": model.name, "person": place, "threshold": case.schema.target.threshold}
        status, text, _ = asked(server, "/ways", said)
        ways = json.loads(text.splitlines()[-1])["ways"]
        assert (
            status == 200 and [way["risk"] for way in ways] == expected.groupby("counterfactual")["new_risk"].first().tolist()
        )
        for wrong in ({"person": -1}, {"person": "1"}, {"person": 10**9}, {"model": "none"}):
            assert asked(server, "/ways", said | wrong)[0] == 400
        port, token = server
        page = browser.new_page()
        page.goto(f"http://127.0.0.1:{port}/?token={token}#person={name}")
        page.locator("#workbench summary", has_text="Ways out").click()
        page.locator("#workbench .ways button").first.click()
        page.locator("#workbench .prediction", has_text=f"({case.schema.target.cleared})").wait_for()
        page.close()


def test_a_method_is_shown_step_by_step_of_nets_here_and_of_black_boxes_by_asking(server, browser):
    case = worlds.table("mixed")
    status, text, _ = asked(server, "/model", {"model": "net"})
    assert status == 200 and json.loads(text)["written"]["kind"] == "net"
    assert asked(server, "/model", {"model": "none"})[0] == 400
    net, row = worlds.net("mixed"), case.test.rows[:1]
    found = json.loads(asked(server, "/risks", {"model": "net", "scale": "logit", "rows": [sent(row[0])]})[1])
    assert found["risks"] == [[pytest.approx(net.predict(row, "logit")[0], abs=1e-9)]]
    with served(case, net, worlds.model("function", "mixed")) as (port, token):
        page = browser.new_page(reduced_motion="reduce")
        complaints = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        for model, method in (("net", "integrated_gradients"), (worlds.model("function", "mixed").name, "shapley")):
            page.goto(f"http://127.0.0.1:{port}/?token={token}#model={model}&method={method}")
            page.reload()
            waits = page.locator("#workbench-compute")
            page.locator("#workbench .waterfall").or_(waits).first.wait_for()
            if waits.count():  # a busy machine asks first
                waits.click()
            page.wait_for_selector("#workbench .waterfall")
            page.locator("#workbench summary", has_text="How does this method").click()
            page.wait_for_selector(".learn .steps-picture")
            page.locator(".learn .steps input").press("End")
            assert "the largest difference is" in page.locator(".learn .step").inner_text()
        page.close()
    assert not complaints
