"""The pages say what their tables say, the same inputs give the same bytes, and odd names do no harm."""

from __future__ import annotations

import base64
import html
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import worlds
from pages import dead_links, light, numbers_of, unnumbered, words_of

import dlx
from dlx.context import Budget, RunContext
from dlx.dataset import Card, Dataset
from dlx.errors import DlxError
from dlx.model import NeuralModel
from dlx.progress import Narrator
from dlx.reporting import sections
from dlx.schema import Feature, Schema, SchemaError, Target
from dlx.training import Recipe

EVERY = sections.names()
UNAUDITED = sections.names(("models", "explanations"))
MODELS = ("mlp", "gradient_boosting", "random_forest")
FEW = Budget("thorough", 3, 2, 0.5, 2, stability_people=2, sanity_people=2)
QUIET = Narrator(quiet=True)


@pytest.fixture(autouse=True)
def few_replicates(monkeypatch):
    """Measure noise on two people, twice, and causes within larger errors: what is measured is the same."""
    light(monkeypatch, pictures=True)


@pytest.fixture
def no_pictures(monkeypatch):
    """Leave the pictures of a page empty: laying them out takes most of the time."""
    light(monkeypatch)


def evidence(page: Path) -> Path:
    """Return the second page."""
    return page.with_name("evidence.html" if page.stem == "report" else f"{page.stem}-evidence.html")


def tables(page: Path) -> dict[str, pd.DataFrame]:
    """Return the tables that lie beside a page."""
    return {path.stem: table(page, path.stem) for path in page.parent.glob(f"{page.stem}-tables/*.csv")}


def files(folder: Path) -> dict[str, bytes]:
    """Return the pages and their tables by name, without the time of the run."""
    paths = [*folder.glob("*.html"), *folder.glob("*-tables/*.csv")]
    return {str(path.relative_to(folder)): re.sub(rb"<time>.*?</time>", b"", path.read_bytes()) for path in paths}


def table(page: Path, name: str) -> pd.DataFrame:
    """Return a table that lies beside a page."""
    return pd.read_csv(page.with_name(f"{page.stem}-tables") / f"{name}.csv", keep_default_na=False, na_values=[""])


def small(world: str, path: Path, narrator: Narrator = QUIET, **changed) -> Path:
    """Return the page of a net and boosted trees on a small table."""
    models = [worlds.model("net", world), worlds.model("boosted", world)]
    asked = {"models": models, "people": 9, "background": 8, "audit": False} | changed
    return dlx.report(worlds.table(world), path=path, narrator=narrator, **asked)


def explanations(folder: Path) -> list[Path]:
    """Return the explanations that were kept beside a page."""
    return sorted(folder.glob("*-explanations/*.safetensors"))


# The pages -----------------------------------------------------------------------------------------------------------


def test_the_pages_are_small_files_that_ask_nothing_of_a_network(bank_loan_page):
    for path in (bank_loan_page, evidence(bank_loan_page)):
        page = path.read_text()
        assert len(page.encode()) < 5_000_000
        assert "Content-Security-Policy\" content=\"default-src 'none'" in page
        links = [html.unescape(link) for link in re.findall(r"""(?:src|href)\s*=\s*["']([^"']*)""", page)]
        beside = [link for link in links if not link.startswith(("data:image/svg+xml;base64,", "#"))]
        assert beside and all((path.parent / link.partition("#")[0]).exists() for link in beside)
        assert not re.search(r"@import|url\(|<link|<iframe|<object|fetch\(|XMLHttpRequest", page)
        for picture in re.findall(r"data:image/svg\+xml;base64,([^\"]+)", page):
            assert not re.search(r"""(?:href|src)\s*=\s*["'](?!#|data:)""", base64.b64decode(picture).decode())


def test_every_link_within_and_between_the_pages_leads_somewhere(bank_loan_page):
    assert dead_links(bank_loan_page) == []


@pytest.mark.usefixtures("no_pictures")
def test_a_page_without_some_sections_has_no_link_to_them(tmp_path):
    assert dead_links(small("mixed", tmp_path / "report.html")) == []
    models = [worlds.model("net", "mixed"), worlds.model("linear", "mixed")]
    audit = dlx.audit_report(worlds.table("mixed"), models=models, path=tmp_path / "audit.html", narrator=QUIET)
    assert dead_links(audit) == []
    assert len(re.findall('class="light ', audit.read_text())) == 6


@pytest.mark.parametrize("section", EVERY)
def test_every_section_is_there_and_linked(bank_loan_page, section):
    page = bank_loan_page.read_text()
    assert page.count(f'<section id="{section}"') == 1
    assert f'<a href="#{section}">' in page
    assert re.search(rf'<h2 id="{section}-title">[^<]+</h2>', page)


def test_every_number_of_the_prose_is_that_of_its_cell_and_none_is_bare(bank_loan_page):
    found = tables(bank_loan_page)
    for path in (bank_loan_page, evidence(bank_loan_page)):
        assert len(numbers_of(path.read_text(), found)) > 20
        assert unnumbered(path.read_text()) == []


@pytest.mark.parametrize(
    "fault", [r"(?<![\w.\-/)])-\d", r"\d%", '"'], ids=["hyphen for a minus", "close per cent sign", "straight quote"]
)
def test_numbers_and_quotes_are_printed_in_one_way(bank_loan_page, fault):
    for path in (bank_loan_page, evidence(bank_loan_page)):
        text = words_of(re.sub(r"(?s)<code>.*?</code>", "", path.read_text()))
        assert re.findall(f".{{0,30}}{fault}.{{0,30}}", text) == []


def test_every_table_is_written_linked_and_whole(bank_loan_page):
    names = {path.stem for path in bank_loan_page.parent.glob("report-tables/*")}
    linked = set(re.findall(r'href="report-tables/(\w+)\.csv"', bank_loan_page.read_text()))
    assert linked == names
    assert len(table(bank_loan_page, "contributions")) == (5 + 3 + 3) * 12 * 20
    assert len(table(bank_loan_page, "people")) == 12


@pytest.mark.usefixtures("no_pictures")
def test_heart_attack_speaks_of_risk_and_never_of_denial_and_each_number_has_its_cell(tmp_path):
    case = dlx.load("heart_attack")
    models = [dlx.load_model(case, name) for name in ("mlp", "gradient_boosting")]
    half, asked = case[::2], {"people": 5, "background": 5, "narrator": QUIET}
    page = dlx.report(half, models=models, path=tmp_path / "heart.html", **asked)
    text = page.read_text()
    assert not re.search(r"deni(?:ed|al)|grant(?:ed)|loan|applicant", text, flags=re.IGNORECASE)
    assert "flagged as high risk" in text
    found = tables(page)
    for path in (page, evidence(page)):
        assert len(numbers_of(path.read_text(), found)) > 10
        assert unnumbered(path.read_text()) == []


def test_the_command_on_the_page_is_what_was_typed_or_one_that_names_every_number(bank_loan_page, tmp_path, request):
    said = html.unescape(re.search(r"</time>, <code>(.*?)</code>", bank_loan_page.read_text()).group(1))
    models = "--model mlp --model gradient_boosting --model random_forest"
    assert said.startswith(f"dlx report bank_loan {models} --seed 0 --people 12 --background 20 --output ")
    request.getfixturevalue("no_pictures")
    linear = [worlds.model("linear", "numeric")]
    page = small("numeric", tmp_path / "r.html", models=linear, command="dlx report 'a <b>.csv'").read_text()
    assert "dlx report 'a <b>.csv'" in html.unescape(page)


# The same again ------------------------------------------------------------------------------------------------------


def test_the_same_inputs_give_the_same_bytes(tmp_path, capsys):
    first = small("mixed", tmp_path / "one" / "report.html", Narrator())
    made = capsys.readouterr().err
    before, kept = files(first.parent), {path: path.stat().st_mtime_ns for path in explanations(first.parent)}
    assert "kept from an earlier run" not in made
    small("mixed", first, Narrator())
    assert capsys.readouterr().err.count("kept from an earlier run") == 8
    assert {path: path.stat().st_mtime_ns for path in explanations(first.parent)} == kept and len(kept) > 8
    assert files(first.parent) == before


# Names ---------------------------------------------------------------------------------------------------------------

ODD = ("<script>alert(1)</script>", "$x$", "../a", 'a,b"c', "{{ 7 * 7 }}")


def odd_case() -> Dataset:
    """Return a table whose every name is hostile."""
    levels = ("<b>", "$1 & $2", "a\nb")
    schema = Schema(
        (*(Feature(name) for name in ODD), Feature("&amp;", "categorical", levels=levels, unit="</title>")),
        Target("<i>y</i>", levels=("no", "<yes>"), person="<person>", flagged="<flagged>"),
    )
    rng = np.random.default_rng(0)
    rows = np.column_stack([rng.normal(size=(80, len(ODD))), rng.integers(3, size=80)])
    index = np.array([f"<row {i}>" for i in range(80)])
    card = Card(title="</title><script>alert(2)</script>", summary="<img src=x>", caveats=("<svg onload=alert(3)>",))
    return Dataset(schema, rows, (rows[:, 0] > 0).astype(float), index=index, name="../../evil <case>", card=card)


def test_odd_names_give_a_right_page_and_stay_in_their_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    case = odd_case()
    odd = dlx.wrap(lambda t: 0.5 + 0.4 * np.tanh(t["../a"] + t["$x$"]), case.schema, name="../<model>")
    path = dlx.report(case, models=[odd], people=5, background=4, audit=False, narrator=QUIET)
    page = path.read_text()
    beside = {f"{path.stem}-tables", f"{path.stem}-explanations", path.name, evidence(path).name}
    assert {entry.name for entry in tmp_path.iterdir()} == beside
    assert not list(tmp_path.parent.glob("*evil*"))
    assert page.count("<script>") == 2  # that of the page, and the workbench
    assert not re.search(r"<(?:img src=x|svg onload|b>|i>y|yes|person|flagged|row|model)", page)
    assert set(ODD[:2]) & {name for name in ODD if name in words_of(page) + words_of(evidence(path).read_text())}
    assert "49" not in words_of(re.sub(r"<time>.*?</time>", "", page))  # nor the minute of the run
    for name in ("contributions", "importance"):
        assert set(table(path, name)["feature"]) == set(case.schema.names)
    assert set(table(path, "contributions")["row"]) <= set(case.index)
    drawn = [base64.b64decode(picture).decode() for picture in re.findall(r";base64,([^\"]+)", page)]
    drawn = [re.sub(r"<!--.*?-->", "", picture, flags=re.DOTALL) for picture in drawn]  # matplotlib repeats texts there
    assert any("$x$" in picture and "&lt;script&gt;alert(1)&lt;/script&gt;" in picture for picture in drawn)
    assert not any("<script" in picture for picture in drawn)


# Few or other models, other targets ----------------------------------------------------------------------------------


@pytest.mark.usefixtures("no_pictures")
@pytest.mark.parametrize("kind", ["net", "forest", "function"])
def test_a_single_model_is_told_of_without_a_contrast(tmp_path, kind):
    page = small("mixed", tmp_path / "r.html", models=[worlds.model(kind, "mixed")], people=6)
    text = page.read_text()
    assert [section for section in UNAUDITED if f'id="{section}"' not in text] == []
    assert table(page, "people")["told_as"].dropna().tolist() == ["clear", "borderline", "wrong"]
    assert not {"contrast", "agreement_of_models"} & {path.stem for path in tmp_path.glob("r-tables/*")}


@pytest.mark.usefixtures("no_pictures")
def test_two_models_without_a_common_scale_are_told_of_without_a_contrast(tmp_path):
    models = [worlds.model("forest", "mixed"), worlds.model("linear", "mixed")]
    small("mixed", tmp_path / "r.html", models=models, people=6)
    assert not list(tmp_path.glob("r-tables/contrast.csv"))


@pytest.mark.usefixtures("no_pictures")
@pytest.mark.parametrize("asked", [{"people": 1, "background": 1}, {"people": 10_000, "background": 10_000}])
def test_few_people_or_more_than_there_are_still_make_a_page(tmp_path, asked):
    page = small("numeric", tmp_path / "r.html", models=[worlds.model("linear", "numeric")], **asked)
    assert set(table(page, "people")["told_as"].dropna()) == {"clear", "borderline", "wrong"}


@pytest.mark.usefixtures("no_pictures")
def test_a_table_of_one_s_own_with_models_trained_on_the_spot(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    own = pd.DataFrame({"usage": rng.normal(size=150), "plan": rng.choice(["basic", "plus"], size=150)})
    own["churned"] = np.where(own["usage"] + (own["plan"] == "basic") + rng.normal(size=150) > 0.5, "yes", "no")
    own.to_csv("own.csv", index=False)
    case = dlx.read_table("own.csv", target="churned", positive="yes")
    models = ["decision_tree", "logistic_regression"]
    page = dlx.report(case, models=models, people=6, background=6, audit=False)
    assert page == Path("own.html")
    assert "probability of the outcome churned = yes" in page.read_text()
    text = re.sub(r"<(script|style|svg)\b.*?</\1>|<[^>]+>", " ", page.read_text(), flags=re.DOTALL)
    told = text.partition("What the words of the trade mean")[0]
    unsaid = r"\b(?:adverse action|denied|denial|granted|applicants?|patients?|loans?|to lend|to treat)\b"
    assert "To act" in told and re.findall(unsaid, told, re.I) == [], "the schema says nothing of lending or treating"
    assert sorted(path.name for path in Path("checkpoints/own").glob("*-0")) == ["decision_tree-0", "logistic_regression-0"]
    before = files(tmp_path)
    assert "Training decision_tree on own" in capsys.readouterr().err
    dlx.report(case, models=models, people=6, background=6, audit=False)
    assert "Training" not in capsys.readouterr().err
    assert files(tmp_path) == before


def test_a_report_needs_outcomes(tmp_path):
    numeric = worlds.table("numeric")
    case = Dataset(numeric.schema, numeric.rows, name="table")
    with pytest.raises(SchemaError, match="needs outcomes, but the table lacks the column 'outcome'"):
        dlx.report(case, models=["mlp"], path=tmp_path / "r.html", narrator=QUIET)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"models": []}, "needs models of different names, got none"),
        ({"models": [worlds.model("net", "numeric")] * 2}, "needs models of different names, got net, net"),
        ({"background": 0}, "background needs at least 1 row"),
        ({"people": 0}, "at least 1 person, got people=0"),
    ],
)
def test_what_a_report_is_asked_must_make_sense(tmp_path, changed, message):
    with pytest.raises(DlxError, match=message):
        small("numeric", tmp_path / "r.html", **changed)
    assert not list(tmp_path.iterdir())


@pytest.fixture(scope="module")
def thorough_page(tmp_path_factory):
    """The thorough page of a small net and a forest that were trained on a table of one's own."""
    folder = tmp_path_factory.mktemp("thorough")
    rng = np.random.default_rng(0)
    own = pd.DataFrame({"usage": rng.normal(size=120), "age": rng.normal(size=120), "plan": rng.choice(["a", "b", "c"], 120)})
    own["churned"] = np.where(own["usage"] + (own["plan"] == "a") + rng.normal(size=120) > 0.5, "yes", "no")
    own.to_csv(folder / "own.csv", index=False)
    case = dlx.read_table(folder / "own.csv", target="churned", positive="yes")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("dlx.reporting.TRAINING_SEEDS", 2)
        patched.setattr(Recipe, "for_rows", lambda asked, _: replace(asked, batch_size=64, max_epochs=4, patience=4))
        patched.setattr("dlx.reporting.THOROUGH", FEW)
        light(patched)
        return dlx.report(
            case,
            models=["mlp", "random_forest"],
            people=5,
            background=5,
            audit=False,
            thorough=True,
            path=folder / "report.html",
            checkpoints=folder / "checkpoints",
            narrator=QUIET,
        )


@pytest.mark.usefixtures("no_pictures")
def test_a_thorough_report_that_stops_leaves_the_quick_page_that_says_so(tmp_path, monkeypatch):
    def stops(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("dlx.reporting._siblings", stops)
    with pytest.raises(KeyboardInterrupt):
        small("numeric", tmp_path / "r.html", models=[worlds.model("linear", "numeric")], people=4, thorough=True)
    assert "(quick: the first page of a thorough run)" in words_of((tmp_path / "r.html").read_text())


def test_a_thorough_report_measures_more_and_says_so(thorough_page):
    assert "(thorough)" in words_of(thorough_page.read_text())
    assert [name for name in UNAUDITED if f'id="{name}"' not in thorough_page.read_text()] == []
    found = tables(thorough_page)
    for path in (thorough_page, evidence(thorough_page)):
        numbers_of(path.read_text(), found)


@pytest.mark.usefixtures("no_pictures")
def test_a_method_that_is_not_valid_is_left_out_with_its_reason(tmp_path):
    model = NeuralModel(worlds.network("numeric", activation=torch.nn.GELU), worlds.encoder("numeric"), "gelu_net")
    page = small("numeric", tmp_path / "r.html", models=[model], people=5)
    assert "deeplift" not in set(table(page, "contributions")["method"])
    line = table(page, "preflight").query("method == 'deeplift'").iloc[0]
    assert line["verdict"] == "not valid" and "GELU" in line["reason"] and line["fallback"] == "integrated_gradients"
    assert line["fallback"] in set(table(page, "contributions")["method"])
    assert html.escape(line["reason"][:60], quote=True).replace("&#x27;", "&#39;") in evidence(page).read_text()


def test_a_model_that_says_the_same_of_everybody_makes_a_whole_page_without_nan(tmp_path, monkeypatch):
    monkeypatch.setitem(RunContext.of.__func__.__kwdefaults__, "budget", FEW)  # the thorough page alone
    constant = dlx.wrap(lambda table: np.full(len(table), 0.4), worlds.NUMERIC, name="constant")
    for models in ([worlds.model("net", "numeric"), constant], [constant]):
        page = small("numeric", tmp_path / f"{len(models)}.html", models=models, people=4, background=4)
        for path in (page, evidence(page)):
            assert not re.search(r"\bnan\b", words_of(path.read_text()), flags=re.IGNORECASE)
        monkeypatch.setattr("dlx.reporting.sections._drawn", lambda *_: "data:,")  # the pictures of one page are enough


@pytest.mark.usefixtures("no_pictures")
def test_an_interrupted_report_goes_on_where_it_stopped(tmp_path, monkeypatch):
    from dlx import explanation_cache

    asked, whole_folder = {"models": [worlds.model("linear", "numeric")]}, tmp_path / "whole"
    whole = small("numeric", whole_folder / "report.html", **asked)
    made, explain = [], explanation_cache.explain

    def stops(*arguments, **options):
        made.append(options["method"])
        if len(made) == 9:
            raise KeyboardInterrupt
        return explain(*arguments, **options)

    monkeypatch.setattr(explanation_cache, "explain", stops)
    monkeypatch.setattr("dlx.processes.can_fork", lambda: False)  # where nobody counts
    with pytest.raises(KeyboardInterrupt):
        small("numeric", tmp_path / "cut" / "report.html", **asked)
    assert len(explanations(tmp_path / "cut")) == 8 and not (tmp_path / "cut" / "report.html").exists()
    page = small("numeric", tmp_path / "cut" / "report.html", **asked)
    assert len(made) == 9 + len(explanations(whole_folder)) - 8
    assert files(page.parent) == files(whole.parent)
