"""The page says what its tables say, the same inputs give the same bytes, and odd names do no harm."""

from __future__ import annotations

import base64
import dataclasses
import html
import re
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import worlds
from sklearn.metrics import roc_auc_score

import dlx
from dlx.context import THOROUGH, Budget, RunContext
from dlx.dataset import Card, Dataset
from dlx.errors import DlxError
from dlx.explainers import lime
from dlx.model import NeuralModel
from dlx.progress import Narrator
from dlx.reporting import figures, phrases, words
from dlx.reporting.effects import figures as effects_figures
from dlx.reporting.evidence import figures as evidence_figures
from dlx.reporting.evidence import words as evidence_words
from dlx.reporting.people import Chosen, choose
from dlx.reporting.study import study
from dlx.schema import Feature, Schema, SchemaError, Target
from dlx.stats import auc_difference

SECTIONS = ("found", "done", "importance", "agreement", "sure", "why", "differ", "truth", "people", "effects", "mind")
AUDITED = ("performance", "errors", "fairness", "change", "attacks", "checklist")
MODELS = ("mlp", "gradient_boosting", "random_forest")
QUICK_LIME = dataclasses.replace(lime.AS_IT_COMES, aligned={"sampling": {"n_samples": 6_000}})
FEW = {"noise_people": 4, "settings_people": 3, "stability_people": 3, "sanity_people": 3}  # what is measured is the same
QUIET = Narrator(quiet=True)


@pytest.fixture(scope="module")
def bank_loan():
    """The case and the models of `bank_loan_page`."""
    return dlx.load("bank_loan"), {name: dlx.load_model("bank_loan", name) for name in MODELS}


@pytest.fixture(autouse=True)
def few_replicates(monkeypatch):
    """Measure noise on three people, twice: what is measured is the same."""
    monkeypatch.setattr("dlx.reporting.QUICK", Budget("quick", 3, 2, 0.1, 3))


@pytest.fixture
def no_pictures(monkeypatch):
    """Leave the pictures of a page empty: laying them out takes most of the time."""
    for module in (figures, effects_figures, evidence_figures):
        monkeypatch.setattr(module, "embedded", lambda _: "data:,")


@pytest.fixture(scope="module")
def found(bank_loan_page):
    """The findings of the page, as a reader sees them."""
    section = re.search(r'<section id="found".*?</section>', bank_loan_page.read_text(), flags=re.DOTALL)
    return [html.unescape(item) for item in re.findall(r"<li>(.*?)</li>", section.group())]


def table(page: Path, name: str) -> pd.DataFrame:
    """Return a table that lies beside a page."""
    return pd.read_csv(page.with_name(f"{page.stem}-tables") / f"{name}.csv", keep_default_na=False, na_values=[""])


def numbers(pattern: str, text: str) -> list[float]:
    """Return the numbers that a pattern captures in a sentence; it must be there."""
    match = re.search(pattern, text)
    assert match, f"{pattern!r} is not in {text!r}"
    return [float(group.replace(",", "")) for group in match.groups()]


def articles(page: str) -> list[str]:
    """Return the part of each person."""
    return re.findall(r'<article class="person".*?</article>', page, flags=re.DOTALL)


def small(world: str, path: Path, narrator: Narrator = QUIET, **changed) -> Path:
    """Return the page of a net and boosted trees on a small table."""
    models = [worlds.model("net", world), worlds.model("boosted", world)]
    asked = {"models": models, "people": 9, "background": 8, "audit": False} | changed
    return dlx.report(worlds.table(world), path=path, narrator=narrator, **asked)


def files(folder: Path) -> dict[str, bytes]:
    """Return the page and its tables by name."""
    paths = [*folder.glob("*.html"), *folder.glob("*-tables/*.csv")]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def explanations(folder: Path) -> list[Path]:
    """Return the explanations that were kept beside a page."""
    return sorted(folder.glob("*-explanations/*.safetensors"))


# The page is one file ------------------------------------------------------------------------------------------------


def test_the_page_is_one_small_file_that_asks_nothing_of_a_network(bank_loan_page):
    page = bank_loan_page.read_text()
    assert len(page.encode()) < 5_000_000
    assert "Content-Security-Policy\" content=\"default-src 'none'" in page
    links = re.findall(r"""(?:src|href)\s*=\s*["']([^"']*)""", page)
    folder = f"{bank_loan_page.stem}-tables"
    assert not [link for link in links if not link.startswith(("data:image/svg+xml;base64,", "#", f"{folder}/"))]
    assert not re.search(r"@import|url\(|<link|<iframe|<object|fetch\(|XMLHttpRequest", page)
    for link in links:
        assert not link.startswith(f"{folder}/") or (bank_loan_page.parent / link).exists()


def test_no_picture_asks_anything_of_a_network_either(bank_loan_page):
    pictures = re.findall(r"data:image/svg\+xml;base64,([^\"]+)", bank_loan_page.read_text())
    audit = 15  # pictures of its sections
    assert len(pictures) == 4 + 2 * 4 + 2 + 5 + audit  # noise, distance to the truth; effects
    for picture in pictures:
        drawn = base64.b64decode(picture).decode()
        assert not re.search(r"""(?:href|src)\s*=\s*["'](?!#|data:)""", drawn)


@pytest.mark.parametrize("section", [*SECTIONS, *AUDITED])
def test_every_section_is_there_and_linked(bank_loan_page, section):
    page = bank_loan_page.read_text()
    assert page.count(f'<section id="{section}"') == 1
    assert f'<a href="#{section}">' in page
    assert re.search(rf'<h2 id="{section}-title">[^<]+</h2>', page)


def test_every_table_is_written_and_every_row_is_whole(bank_loan_page):
    names = {path.stem for path in bank_loan_page.parent.glob("report-tables/*")}
    wanted = {"performance", "methods", "people", "importance", "contributions", "partial_dependence", "agreement"}
    wanted |= {"agreement_by_person", "agreement_of_models", "contrast", "accumulated_local_effects", "friedman_h"}
    wanted |= {"interactions", "pair_dependence", "permutation_importance"}
    measured = {
        "preflight",
        "parity",
        "trust",
        "verdicts",
        "distance_to_truth",
        "noise_floors",
        "agreement_against_noise",
        "library_defaults",
    }
    linked = set(re.findall(r'href="report-tables/(\w+)\.csv"', bank_loan_page.read_text()))
    assert linked == names
    assert wanted | measured <= names
    audited = names - wanted - measured
    for part in ("performance", "calibration", "errors_slices", "fairness_rates", "reasons", "checklist"):
        assert any(name.startswith(part) for name in audited), part
    assert len(table(bank_loan_page, "contributions")) == (5 + 3 + 3) * 12 * 20
    assert len(table(bank_loan_page, "people")) == 12


# Every sentence is made of the tables' numbers -----------------------------------------------------------------------


def test_the_ranking_sentence_repeats_the_auc(bank_loan_page, bank_loan, found):
    case, models = bank_loan
    auc = table(bank_loan_page, "performance").query("metric == 'auc'").set_index("model")
    for name, model in models.items():
        expected = roc_auc_score(case.test.outcomes, model.predict(case.test, "probability"))
        assert auc.loc[name, "estimate"] == pytest.approx(expected, abs=1e-12)
    best = auc["estimate"].idxmax()
    named = [best, *(name for name in ("mlp", "gradient_boosting") if name != best)]
    said = re.findall(r"\((\w+)\)[^()]*? in (\d+) % \((\d+) % to (\d+) %\) of all pairs", found[0])
    assert said == [(name, *(f"{100 * auc.loc[name, c]:.0f}" for c in ("estimate", "low", "high"))) for name in named]
    predicted = {name: model.predict(case.test, "probability") for name, model in models.items()}
    others = [name for name in models if name != best]
    ahead = [name for name in others if _gain_is_beyond_noise(case.test.outcomes, predicted[best], predicted[name])]
    verdict = re.search(r"is ahead beyond noise of .* others: (.*?); it was chosen", found[0])
    assert (re.split(r", | and ", verdict[1]) if verdict else []) == ahead
    assert numbers(r"([\d,]+) people", found[0].split(". ")[-1]) == [200]


def _gain_is_beyond_noise(outcomes: np.ndarray, best: np.ndarray, other: np.ndarray) -> bool:
    """Whether 95 % of resamples of the same people, within each class, keep the gain in AUC above 0."""
    rng, classes = np.random.default_rng(1), [np.flatnonzero(outcomes == y) for y in (0, 1)]
    drawn = [np.concatenate([rng.choice(rows, len(rows)) for rows in classes]) for _ in range(1_000)]
    gains = [roc_auc_score(outcomes[r], best[r]) - roc_auc_score(outcomes[r], other[r]) for r in drawn]
    return bool(np.quantile(gains, 0.025) > 0)


def test_the_flagged_counts_are_counted_on_the_test_rows(bank_loan, found):
    case, models = bank_loan
    flagged = models["mlp"].decide(case.test)
    positive = case.test.outcomes == 1
    said = numbers(
        r"([\d,]+) of ([\d,]+) people are denied\. Of these, ([\d,]+) did not have a bad loan; "
        r"of the ([\d,]+) people who had a bad loan, ([\d,]+) are granted",
        found[1],
    )
    assert said == [flagged.sum(), 200, (flagged & ~positive).sum(), positive.sum(), (~flagged & positive).sum()]


@pytest.mark.parametrize("model", ["mlp", "gradient_boosting"])
def test_what_matters_most_is_what_the_importance_table_says(bank_loan_page, found, model):
    importance = table(bank_loan_page, "importance").query("model == @model")
    shares = importance.groupby("label")["share"].mean().sort_values(ascending=False)
    firsts = importance[importance["rank"] == 1]["label"].tolist()
    said = re.search(rf"\({model}\) most is “(.+?)”, first by (\d+) of (\d+) methods; “(.+?)” and “(.+?)” come", found[2])
    assert [said.group(i) for i in (1, 4, 5)] == shares.index[:3].tolist()
    assert [int(said.group(i)) for i in (2, 3)] == [firsts.count(shares.index[0]), len(firsts)]


def test_the_agreement_sentence_repeats_the_agreement_of_the_top_columns(bank_loan_page, found):
    contributions = table(bank_loan_page, "contributions").query("model == 'mlp'")
    top = {}
    for (method, row), some in contributions.groupby(["method", "row"]):
        top.setdefault(method, {})[row] = set(some.set_index("feature")["contribution"].abs().nlargest(5).index)
    both = {
        pair: np.mean([len(top[pair[0]][row] & top[pair[1]][row]) for row in top[pair[0]]])
        for pair in combinations(sorted(top), 2)
    }
    agreement = table(bank_loan_page, "agreement").query("model == 'mlp' and metric == 'feature_agreement'")
    for line in agreement.itertuples():
        assert 5 * line.mean == pytest.approx(both[tuple(sorted((line.method, line.other_method)))], abs=1e-9)
    said = numbers(
        r"average (\d\.\d) of the same 5 .*: from (\d\.\d) \(.+\) to (\d\.\d) \(.+\); by chance it would be (\d\.\d)",
        found[3],
    )
    expected = [np.mean(list(both.values())), min(both.values()), max(both.values()), 5 * 5 / 20]
    assert said == [float(f"{number:.1f}") for number in expected]
    low, high = (re.findall(r"\(([^()]+) and ([^()]+)\)", found[3])[i] for i in (-2, -1))
    labels = {phrases.method_label(method): method for method in top}
    assert both[tuple(sorted(labels[name] for name in low))] == pytest.approx(min(both.values()))
    assert both[tuple(sorted(labels[name] for name in high))] == pytest.approx(max(both.values()))


def test_the_sentence_on_net_and_trees_counts_their_decisions(bank_loan, found):
    case, models = bank_loan
    net, trees = (models[name].predict(case.test, "probability") for name in ("mlp", "gradient_boosting"))
    said = numbers(r"decide alike about ([\d,]+) of ([\d,]+) people; .* ([\d.]+) percentage points apart", found[6])
    alike = ((net >= 1 / 6) == (trees >= 1 / 6)).sum()
    assert said == [alike, 200, float(f"{100 * np.abs(net - trees).mean():.1f}")]


def test_the_performance_table_of_the_page_repeats_the_csv(bank_loan_page):
    page = html.unescape(bank_loan_page.read_text())
    for line in table(bank_loan_page, "performance").itertuples():
        assert f"<td>{line.estimate:.3f} ({line.low:.3f} to {line.high:.3f})</td>" in page


def test_the_best_model_is_ahead_of_exactly_those_that_the_paired_interval_leaves_behind(bank_loan_page):
    test = dlx.load("bank_loan").test
    scores = table(bank_loan_page, "performance").query("metric == 'auc'").set_index("model")["estimate"]
    best = scores.idxmax()
    predicted = {name: dlx.load_model("bank_loan", name).predict(test, "probability") for name in scores.index}
    others = [name for name in scores.index if name != best]
    ahead = [name for name in others if auc_difference(test.outcomes, predicted[best], predicted[name]).low > 0]
    page = html.unescape(bank_loan_page.read_text())
    if ahead:
        assert f"ahead beyond noise of {phrases.counted(len(ahead))} of the {phrases.counted(len(others))} others" in page
        assert f"others: {phrases.listed(ahead)}" in page
    else:
        assert "that does not show a difference" in page


def test_each_person_s_risk_and_contrast_repeat_the_csv(bank_loan_page):
    people = table(bank_loan_page, "people").set_index("told_as")
    contrast = table(bank_loan_page, "contrast")
    told = [html.unescape(article) for article in articles(bank_loan_page.read_text())]
    for key, article in zip(("clear", "borderline", "wrong", "disputed"), told, strict=True):
        assert f"Applicant {people.loc[key, 'row']}." in article
        for model in ("mlp", "gradient_boosting"):
            risk = people.loc[key, f"risk_by_{model}"]
            verdict = "denied" if risk >= 1 / 6 else "granted"
            shown = re.escape(phrases.risk_percent(risk, dlx.load("bank_loan").schema.target))
            assert re.search(rf"{shown} by the [a-z ]+ \({model}\) \({verdict}\)", article)
        some = contrast[contrast["row"] == people.loc[key, "row"]]
        logit = [np.log(p / (1 - p)) for p in people.loc[key, ["risk_by_mlp", "risk_by_gradient_boosting"]].astype(float)]
        assert logit[0] - logit[1] == pytest.approx(some["output_difference"].iloc[0], abs=1e-9)
        assert f"{abs(logit[0] - logit[1]):.2f} log-odds above" in article
        assert f"the base values account for {phrases.signed(some['base_difference'].iloc[0])}" in article
        assert f"the columns for {phrases.signed(some['difference'].sum())}" in article
        for line in some.reindex(some["difference"].abs().sort_values(ascending=False).index)[:3].itertuples():
            assert f"“{line.label}” {phrases.signed(line.difference)}" in article


# The four people -----------------------------------------------------------------------------------------------------


def test_the_four_people_obey_their_rules(bank_loan_page, bank_loan):
    case, models = bank_loan
    test = case.test
    risk = models["mlp"].predict(test, "probability")
    logits = [models[name].predict(test, "logit") for name in ("mlp", "gradient_boosting")]
    wrong = np.where((risk >= 1 / 6) != (test.outcomes == 1), np.abs(risk - test.outcomes), -np.inf)
    expected: list[int] = []
    for score in (risk, -np.abs(risk - 1 / 6), wrong, np.abs(logits[0] - logits[1])):
        order = [int(i) for i in np.argsort(-score, kind="stable") if i not in expected]
        expected.append(order[0])
    told = table(bank_loan_page, "people").dropna(subset="told_as")
    assert told["told_as"].tolist() == ["clear", "borderline", "wrong", "disputed"]
    assert told["row"].tolist() == test.index[expected].tolist()


def test_nobody_is_told_of_twice_and_an_error_is_left_out_where_there_is_none():
    case = worlds.table("numeric")
    right = dlx.wrap(lambda table: case.outcomes[: len(table)] * 0.8 + 0.1, case.schema, name="right")
    chosen = choose(case, right, None)
    assert [one.key for one in chosen] == ["clear", "borderline"]
    assert len({one.position for one in chosen}) == 2


def test_a_table_with_nobody_above_the_threshold_has_no_clear_case():
    case = worlds.table("numeric")
    never = dlx.wrap(lambda table: np.full(len(table), 0.1), case.schema, name="never")
    assert [one.key for one in choose(case, never, None)] == ["borderline", "wrong"]


# Words ---------------------------------------------------------------------------------------------------------------


def test_protected_attributes_are_never_printed_as_reasons(bank_loan_page, bank_loan):
    case, models = bank_loan
    keep = bank_loan_page.with_name("report-explanations")
    told = study(RunContext.of(case, list(models.values()), people=12, background=20, keep=keep, narrator=QUIET))
    protected = {words for f in case.schema.features if f.protected for words in (f.label, f.reason)}
    assert len(protected) > 2
    for position in range(told.panel):
        story = words.story(told, Chosen(position, "any", "", ""))
        assert story.raises or story.lowers
        assert not protected & {reason.words for reason in (*story.raises, *story.lowers)}
        for reason in story.raises:
            assert 1 <= reason.support <= reason.methods == 5
    for article in articles(bank_loan_page.read_text()):
        printed = set(map(html.unescape, re.findall(r"<li><strong>(.*?)</strong>", article)))
        assert printed
        assert not protected & printed


@pytest.mark.parametrize("regulated", [True, False])
def test_a_protected_attribute_that_decides_is_withheld_where_reasons_are_regulated(regulated):
    mixed = worlds.table("mixed")
    schema = dataclasses.replace(mixed.schema, target=dataclasses.replace(worlds.TARGET, adverse_action=regulated))
    case = Dataset(schema, mixed.rows, mixed.outcomes, name="mixed")
    unfair = dlx.wrap(lambda t: 0.2 + 0.5 * (t["sex"] == "m") + 0.2 * (t["age"] > 0), schema, name="unfair")
    told = study(RunContext.of(case, [unfair], people=8, background=6, narrator=QUIET))
    men = np.flatnonzero(told.people.rows[:, 3] == 1)
    story = words.story(told, Chosen(int(men[0]), "any", "", ""))
    assert ("sex" in [reason.words for reason in story.raises]) != regulated
    assert ("“sex” raises the risk too" in story.withheld) == regulated


@pytest.mark.usefixtures("no_pictures")
def test_heart_attack_speaks_of_risk_and_never_of_denial(tmp_path):
    models = ["mlp", "gradient_boosting"]
    path = tmp_path / "heart.html"
    asked = {"people": 5, "background": 5, "audit": False, "narrator": QUIET}
    page = dlx.report(dlx.load("heart_attack"), models=models, path=path, **asked).read_text()
    assert not re.search(r"deni(?:ed|al)|grant(?:ed)|loan|applicant", page, flags=re.IGNORECASE)
    assert re.search(r"of 1,051 people are flagged as high risk", page)
    assert "A clear" in page


def test_the_command_on_the_page_is_what_was_typed_or_a_call_that_names_every_number(bank_loan_page, tmp_path, request):
    said = html.unescape(re.search(r"<dt>Command</dt><dd><code>(.*?)</code>", bank_loan_page.read_text()).group(1))
    for part in ("bank_loan", "'mlp', 'gradient_boosting', 'random_forest'", "seed=0", "people=12", "background=20"):
        assert part in said
    request.getfixturevalue("no_pictures")
    linear = [worlds.model("linear", "numeric")]
    page = small("numeric", tmp_path / "r.html", models=linear, command="dlx report 'a <b>.csv'").read_text()
    assert "<code>dlx report &#39;a &lt;b&gt;.csv&#39;</code>" in page


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


@pytest.mark.usefixtures("no_pictures")
def test_explanations_that_were_removed_or_altered_are_made_again(tmp_path, capsys):
    page = small("numeric", tmp_path / "report.html")
    before, kept = files(tmp_path), explanations(tmp_path)
    spoiled = bytearray(kept[0].read_bytes())
    spoiled[-3] ^= 1
    kept[0].write_bytes(spoiled)
    kept[1].write_bytes(kept[1].read_bytes()[:200])
    for path in kept[2:-1]:
        path.unlink()
    small("numeric", page, Narrator())
    said = capsys.readouterr().err
    assert f"{kept[0]} was altered" in said
    assert said.count("explaining again") == 2
    assert files(tmp_path) == before
    assert explanations(tmp_path) == kept
    assert dlx.Explanation.load(kept[0]).method == kept[0].name.partition("-")[0]


@pytest.mark.usefixtures("no_pictures")
@pytest.mark.parametrize("changed", [{"seed": 1}, {"background": 7}, {"people": 8}])
def test_an_explanation_of_other_inputs_is_not_taken(tmp_path, capsys, changed):
    page = small("numeric", tmp_path / "report.html", models=[worlds.model("linear", "numeric")])
    capsys.readouterr()
    small("numeric", page, Narrator(), models=[worlds.model("linear", "numeric")], **changed)
    assert "kept from an earlier run" not in capsys.readouterr().err


@pytest.mark.usefixtures("no_pictures")
def test_a_model_of_the_same_name_that_predicts_otherwise_is_explained_anew(tmp_path, capsys):
    page = small("numeric", tmp_path / "report.html", models=[worlds.model("linear", "numeric", 0)])
    small("numeric", page, Narrator(), models=[worlds.model("linear", "numeric", 1)])
    assert "kept from an earlier run" not in capsys.readouterr().err


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
    beside = {f"{path.stem}-tables", f"{path.stem}-explanations", path.name}
    assert {entry.name for entry in tmp_path.iterdir()} == beside
    assert not list(tmp_path.parent.glob("*evil*"))
    assert page.count("<script>") == 1
    assert not re.search(r"<(?:img src=x|svg onload|b>|i>y|yes|person|flagged|row|model)", page)
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "{{ 7 * 7 }}" in page
    for name in ("contributions", "importance"):
        assert set(table(path, name)["feature"]) == set(case.schema.names)
    assert set(table(path, "contributions")["row"]) <= set(case.index)
    drawn = [base64.b64decode(picture).decode() for picture in re.findall(r"base64,([^\"]+)", page)]
    drawn = [re.sub(r"<!--.*?-->", "", picture, flags=re.DOTALL) for picture in drawn]  # matplotlib repeats texts there
    assert any("$x$" in picture and "&lt;script&gt;alert(1)&lt;/script&gt;" in picture for picture in drawn)
    assert not any("<script" in picture for picture in drawn)


# Few or other models, other targets ----------------------------------------------------------------------------------


@pytest.mark.usefixtures("no_pictures")
@pytest.mark.parametrize("kind", ["net", "boosted", "forest", "linear", "function"])
def test_a_single_model_is_told_of_without_a_contrast(tmp_path, kind):
    page = small("mixed", tmp_path / "r.html", models=[worlds.model(kind, "mixed")], people=6)
    text = page.read_text()
    assert [section for section in SECTIONS if f'id="{section}"' not in text] == []
    assert "differ here" not in text
    assert table(page, "people")["told_as"].dropna().tolist() == ["clear", "borderline", "wrong"]
    assert not {"contrast", "agreement_of_models"} & {path.stem for path in tmp_path.glob("r-tables/*")}


@pytest.mark.usefixtures("no_pictures")
def test_two_models_without_a_common_scale_are_told_of_without_a_contrast(tmp_path):
    models = [worlds.model("forest", "mixed"), worlds.model("linear", "mixed")]
    page = small("mixed", tmp_path / "r.html", models=models, people=6)
    assert "forest (forest) and the linear model (linear) decide alike about" in page.read_text()
    assert not list(tmp_path.glob("r-tables/contrast.csv"))


@pytest.mark.usefixtures("no_pictures")
@pytest.mark.parametrize("asked", [{"people": 1}, {"people": 10_000, "background": 10_000}, {"background": 1}])
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
    assert "probability of churned = yes" in page.read_text()
    assert sorted(path.name for path in Path("checkpoints/own").glob("*-0")) == ["decision_tree-0", "logistic_regression-0"]
    before = files(tmp_path)
    assert "Training decision_tree on own" in capsys.readouterr().err
    dlx.report(case, models=models, people=6, background=6, audit=False)
    assert "Training" not in capsys.readouterr().err
    assert files(tmp_path) == before


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (Target("price", kind="regression"), "needs a binary outcome, but 'price' is regression"),
        (Target("kind", kind="multiclass", levels=("a", "b", "c")), "needs a binary outcome, but 'kind' is multiclass"),
    ],
)
def test_a_report_needs_two_classes(tmp_path, target, message):
    case = Dataset(Schema((Feature("x"),), target), np.zeros((9, 1)), np.arange(9) % 3, name="table")
    with pytest.raises(SchemaError, match=message):
        dlx.report(case, models=["mlp"], path=tmp_path / "r.html", narrator=QUIET)
    assert not list(tmp_path.iterdir())


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


# How sure, why, and how close ----------------------------------------------------------------------------------------

THOROUGH_TABLES = {
    *("causes", "causes_by_person", "components", "components_by_person", "distances", "training_seeds"),
    *("faithfulness", "stability", "randomised_weights"),
}


@pytest.fixture(scope="module")
def thorough_page(tmp_path_factory):
    """The thorough page of two small nets and a forest that were trained on a table of one's own."""
    folder = tmp_path_factory.mktemp("thorough")
    rng = np.random.default_rng(0)
    own = pd.DataFrame({"usage": rng.normal(size=200), "age": rng.normal(size=200), "plan": rng.choice(["a", "b", "c"], 200)})
    own["churned"] = np.where(own["usage"] + (own["plan"] == "a") + rng.normal(size=200) > 0.5, "yes", "no")
    own.to_csv(folder / "own.csv", index=False)
    case = dlx.read_table(folder / "own.csv", target="churned", positive="yes")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("dlx.reporting.TRAINING_SEEDS", 2)
        patched.setattr("dlx.reporting.THOROUGH", dataclasses.replace(THOROUGH, **FEW))
        patched.setattr("dlx.explainers.lime.AS_IT_COMES", QUICK_LIME)
        return dlx.report(
            case,
            models=["mlp", "resnet", "random_forest"],
            people=8,
            background=8,
            audit=False,
            thorough=True,
            path=folder / "report.html",
            checkpoints=folder / "checkpoints",
            narrator=QUIET,
        )


def test_a_thorough_report_has_every_table_and_says_nothing_of_more_to_ask(thorough_page):
    names = {path.stem for path in thorough_page.parent.glob("report-tables/*")}
    assert names >= THOROUGH_TABLES
    page = thorough_page.read_text()
    assert evidence_words.THOROUGH_ONLY not in page
    assert [section for section in SECTIONS if f'id="{section}"' not in page] == []


def test_a_quick_report_says_what_it_did_not_measure(bank_loan_page):
    assert html.unescape(bank_loan_page.read_text()).count(evidence_words.THOROUGH_ONLY) == 3
    assert not THOROUGH_TABLES & {path.stem for path in bank_loan_page.parent.glob("report-tables/*")}


def test_the_causes_add_up_to_the_distance_as_the_libraries_come(thorough_page):
    by_person = table(thorough_page, "causes_by_person")
    pairs = by_person.groupby(["model", "method", "other_method", "measure", "row"])
    np.testing.assert_allclose(pairs["part"].sum(), pairs["naive"].first(), rtol=0, atol=1e-9)
    causes = table(thorough_page, "causes")
    assert causes.groupby(["model", "method", "other_method"]).ngroups == 6 + 6 + 3
    overall = causes.groupby(["model", "method", "other_method", "measure"])
    np.testing.assert_allclose(overall["part"].sum(), overall["naive"].first(), rtol=0, atol=1e-9)


def test_the_two_ends_of_the_causes_are_those_of_the_settings(thorough_page):
    settings = table(thorough_page, "library_defaults").query("measure == 'placed differently'")
    ends = settings.pivot_table(index=["model", "method", "other_method"], columns="setting", values="mean")
    causes = table(thorough_page, "causes").query("measure == 'placed differently'")
    causes = causes.groupby(["model", "method", "other_method"])[["naive", "aligned"]].first()
    for pair, line in causes.iterrows():
        assert line["naive"] == pytest.approx(ends.loc[pair, "as the libraries come"], abs=1e-12)
        assert line["aligned"] == pytest.approx(ends.loc[pair, "aligned"], abs=1e-12)


def test_every_pair_of_a_looked_at_model_stands_between_chance_and_noise_floor(thorough_page, bank_loan_page):
    for page, models, replicates in ((thorough_page, {"mlp", "resnet", "random_forest"}, 20), (bank_loan_page, {"mlp"}, 10)):
        against = table(page, "agreement_against_noise").query("source == 'background'")
        assert set(against["model"]) == models and set(against["replicates"]) == {replicates}
        some = against.query("metric == 'feature_agreement'")
        pairs = {(m, frozenset(p)) for m, *p in some[["model", "method", "other_method"]].itertuples(index=False)}
        wanted = table(page, "agreement").query("metric == 'feature_agreement'")
        wanted = wanted[wanted["model"].isin(models)]
        assert pairs == {(m, frozenset(p)) for m, *p in wanted[["model", "method", "other_method"]].itertuples(index=False)}
        text = html.unescape(page.read_text())
        for line in some.itertuples():
            assert phrases.share(line.mean) in text and line.finding in text


def test_training_seeds_are_compared_where_models_were_trained_here(thorough_page):
    assert set(table(thorough_page, "noise_floors")["source"]) == {"seed", "background", "training"}
    seeds = table(thorough_page, "training_seeds")
    trained = seeds.groupby("model")["training_seed"].apply(list).to_dict()
    assert trained == {name: [0, 1, 2] for name in ("mlp", "random_forest", "resnet")}
    case = dlx.read_table(thorough_page.parent / "own.csv", target="churned", positive="yes")
    again = dlx.load_model(case, "mlp", seed=2, checkpoints=thorough_page.parent / "checkpoints")
    expected = roc_auc_score(case.test.outcomes, again.predict(case.test, "probability"))
    assert seeds.query("model == 'mlp' and training_seed == 2")["auc"].item() == pytest.approx(expected, abs=1e-12)


def test_the_shares_of_the_components_are_a_whole(thorough_page):
    components = table(thorough_page, "components")
    assert set(components["design"]) == {"all models", "the nets"}
    np.testing.assert_allclose(components.groupby("design")["share"].sum(), 1)
    said = html.unescape(thorough_page.read_text())
    for line in components.itertuples():
        assert f"{phrases.percent(line.share)} goes with {line.what}" in said


def test_the_errors_are_those_to_the_exact_values(thorough_page):
    case = dlx.read_table(thorough_page.parent / "own.csv", target="churned", positive="yes")
    net = dlx.load_model(case, "mlp", checkpoints=thorough_page.parent / "checkpoints")
    people = case.test[case.test.index.tolist().index(table(thorough_page, "people")["row"][0])]
    exact = dlx.comparison.ground_truth(net, people, background=case.background(8), scale="logit")
    assert exact.method == "exact_shapley"
    shown = table(thorough_page, "contributions").query("model == 'mlp' and method == 'deeplift'")[:3]
    gap = np.linalg.norm(shown["contribution"] - exact.values[0]) / np.linalg.norm(exact.values[0])
    errors = table(thorough_page, "distance_to_truth").query(
        "model == 'mlp' and method == 'deeplift' and measure == 'relative_error'"
    )
    assert set(table(thorough_page, "distance_to_truth")["truth"]) == {"exact_shapley"} and errors["rows"].item() == 8
    assert gap < 8 * errors["mean"].item()  # one of the eight people whose mean it is
    kernel = table(thorough_page, "distance_to_truth").query("method == 'kernel_shap' and measure == 'relative_error'")
    assert kernel["mean"].max() < 1e-4  # all coalitions of three columns


def test_reasons_are_shared_by_enough_of_the_trusted_methods(bank_loan_page):
    verdicts = table(bank_loan_page, "verdicts").set_index(["model", "row"])
    trusted = table(bank_loan_page, "trust").query("trusted").groupby("model")["method"].agg(list)
    contributions = table(bank_loan_page, "contributions")
    for (model, row), line in verdicts.iterrows():
        some = contributions[(contributions["model"] == model) & (contributions["row"] == row)]
        assert line["methods"] == len(trusted[model])
        by_method = some.set_index(["method", "feature"])["contribution"].unstack().loc[trusted[model]]
        top = by_method.abs().rank(axis=1, ascending=False) <= 5
        for name in str(line["raises"]).split() if isinstance(line["raises"], str) else ():
            assert (top[name] & (by_method[name] > 0)).sum() >= 0.6 * len(by_method)
        votes = (by_method.abs().idxmax(axis=1) == line["first"]).sum()
        assert votes == line["first_votes"]


def test_a_method_that_is_not_valid_is_left_out_with_its_reason(tmp_path):
    model = NeuralModel(worlds.network("numeric", activation=torch.nn.GELU), worlds.encoder("numeric"), "gelu_net")
    page = small("numeric", tmp_path / "r.html", models=[model], people=5)
    assert "deeplift" not in set(table(page, "contributions")["method"])
    line = table(page, "preflight").query("method == 'deeplift'").iloc[0]
    assert line["verdict"] == "not valid" and "GELU" in line["reason"] and line["fallback"] == "integrated_gradients"
    assert line["fallback"] in set(table(page, "contributions")["method"])
    assert html.escape(line["reason"][:60], quote=True).replace("&#x27;", "&#39;") in page.read_text()


def test_a_model_that_says_the_same_of_everybody_makes_a_whole_page_without_nan(tmp_path, monkeypatch):
    monkeypatch.setattr("dlx.reporting.THOROUGH", dataclasses.replace(THOROUGH, **FEW))
    monkeypatch.setattr("dlx.explainers.lime.AS_IT_COMES", QUICK_LIME)
    constant = dlx.wrap(lambda table: np.full(len(table), 0.4), worlds.NUMERIC, name="constant")
    for models in ([constant], [worlds.model("net", "numeric"), constant]):
        page = small("numeric", tmp_path / f"{len(models)}.html", models=models, people=4, background=4, thorough=True)
        text = re.sub(r'src="data:[^"]*"', "", page.read_text())
        assert not re.search(r"\bnan\b", text, flags=re.IGNORECASE)
        assert "Its Shapley values are 0 for every column" in text


@pytest.mark.usefixtures("no_pictures")
def test_an_interrupted_report_goes_on_where_it_stopped(tmp_path, monkeypatch):
    from dlx.reporting import kept

    whole = small("numeric", tmp_path / "whole" / "report.html")
    made, explain = [], kept.explain

    def stops(*arguments, **options):
        made.append(options["method"])
        if len(made) == 20:
            raise KeyboardInterrupt
        return explain(*arguments, **options)

    monkeypatch.setattr(kept, "explain", stops)
    with pytest.raises(KeyboardInterrupt):
        small("numeric", tmp_path / "cut" / "report.html")
    assert len(explanations(tmp_path / "cut")) == 19 and not (tmp_path / "cut" / "report.html").exists()
    page = small("numeric", tmp_path / "cut" / "report.html")
    assert len(made) == 20 + len(explanations(tmp_path / "whole")) - 19
    assert page.read_bytes() == whole.read_bytes()
