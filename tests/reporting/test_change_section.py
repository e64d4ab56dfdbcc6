"""The section "What would change it": numbers of the run in words that hold, for any binary table."""

from __future__ import annotations

import dataclasses
import importlib
import re

import numpy as np
import pandas as pd
import pytest
import worlds

import dlx
from dlx.audit.adverse_action import Source
from dlx.audit.counterfactuals import denied
from dlx.audit.counterfactuals.generation import goal_of
from dlx.dataset import Dataset
from dlx.errors import DlxError
from dlx.model import BlackBox, wrap
from dlx.reporting.sections import ORDER, Section, blocks
from dlx.reporting.sections.change import section
from dlx.reporting.sections.checklist import ITEMS
from dlx.schema import Feature, Schema, Target


def setting(case, folder):
    return worlds.context(case, folder=folder)


def told(case, models, folder):
    return section(setting(case, folder), models)


def words_of(part):
    """Return every word that a section shows, blocks that are folded included."""
    said = [*part.findings]

    def add(pieces):
        for piece in pieces:
            if isinstance(piece, blocks.Folded):
                said.append(piece.summary)
                add(piece.blocks)
            elif isinstance(piece, blocks.Table):
                said.extend([piece.caption, *piece.header, *(cell for line in piece.lines for cell in line)])
            else:
                said.extend(getattr(piece, "sentences", None) or getattr(piece, "items", None) or [getattr(piece, "text", "")])
                said.extend([getattr(piece, "alt", ""), getattr(piece, "caption", "")])

    add(part.blocks)
    return "\n".join(said)


def figures(part):
    return [piece for piece in part.blocks if piece.kind == "figure"]


@pytest.fixture(scope="module")
def bank(tmp_path_factory):
    case = dlx.load("bank_loan")
    models = [dlx.load_model(case, name) for name in ("mlp", "gradient_boosting", "logistic_regression")]
    return case, models, told(case, models, tmp_path_factory.mktemp("bank"))


@pytest.fixture(scope="module")
def heart(tmp_path_factory):
    case = dlx.load("heart_attack")
    models = [dlx.load_model(case, "gradient_boosting")]
    return case, models, told(case, models, tmp_path_factory.mktemp("heart"))


def test_the_section_is_in_order_and_covers_known_items(bank):
    _, _, part = bank
    assert "change" in ORDER and part.key == "change"
    assert set(part.covers) == {"recourse", "reasons"} <= {key for _, _, key in ITEMS}
    assert {figure.table for figure in figures(part)} <= set(part.tables)
    assert all(figure.alt.endswith(".") and figure.caption.endswith(".") for figure in figures(part))
    assert all(len(table) or name == "recourse_boundary" for name, table in part.tables.items())


def test_most_denied_test_people_of_bank_loan_have_recourse_by_few_allowed_columns_and_the_others_are_counted(bank):
    case, models, part = bank
    changes = part.tables["recourse_changes"]
    allowed = {feature.name for feature in case.schema.features if feature.actionable}
    for model in models[:2]:
        some = changes[changes["model"] == model.name]
        boundary = part.tables["recourse_boundary"]
        without = set(boundary.loc[boundary["model"] == model.name, "person"])
        assert set(some["person"]) | without == set(denied(model, case.test).index) and not set(some["person"]) & without
        assert len(without) < 0.06 * some["person"].nunique()
        assert set(some["column"]) <= allowed
        assert (some["new_risk"] <= goal_of(case.schema.target.threshold)).all()
        easiest = some[some["counterfactual"] == 1].groupby("person").size()
        assert easiest.median() <= 3
    given, count = changes.loc[changes["model"] == models[0].name, "person"].nunique(), len(denied(models[0], case.test))
    assert f"{given} of {count} test applicants" in part.findings[0]
    assert "for it to be 15.3 % or less, where the odds are 10 % below those of the threshold" in words_of(part)


def test_changes_as_told_are_granted_by_predict(bank):
    case, models, part = bank
    changes = part.tables["recourse_changes"]
    model, frame = models[1], case.frame
    some = changes[changes["model"] == model.name]
    for (person, _), lines in list(some.groupby(["person", "counterfactual"]))[:40]:
        row = frame.loc[[person]].copy()
        for line in lines.itertuples():
            feature = case.schema[line.column]
            if feature.is_categorical:
                row[line.column] = feature.levels[feature.level_labels.index(line.to)]
            else:
                row[line.column] = float(line.to.replace(",", "").split()[0])
        risk = model.predict(row, "probability")[0]
        assert risk == pytest.approx(lines["new_risk"].iloc[0]) and risk <= goal_of(case.schema.target.threshold)


def test_no_protected_column_is_printed_as_a_reason_and_reviewers_are_told(bank):
    case, _, part = bank
    reasons = part.tables["reasons"]
    assert not any(case.schema[name].protected for name in reasons["column"].unique())
    assert (reasons["contribution"] > 0).all() and reasons["rank"].max() == 4
    assert set(reasons["background"]) == {"near the cutoff", "all applicants"}
    assert "Never printed: Marital status and sex, Age and Foreign worker" in words_of(part)
    assert set(part.tables["reason_stability"]["differs"]) == {"background", "method", "model"}
    told = part.findings[1].partition("stays the very same, of those whom both deny, ")[2].split("; ")
    for differs, clause in zip(("background", "method", "model"), told, strict=True):  # over all lines of the table
        some = part.tables["reason_stability"][lambda t, d=differs: t["differs"] == d]
        ends = [float(share) / 100 for share in re.findall(r"([\d.]+) % \(", clause)]
        assert ends == pytest.approx([some["same"].min(), some["same"].max()], abs=0.0051)
        assert f"over {len(some)} pairs" in clause


def test_no_reason_goes_against_its_words_and_one_reason_has_one_wording(bank):
    _, _, part = bank
    reasons, text = part.tables["reasons"], words_of(part)
    for column, value in (
        ("installment_rate", "less than 20 %"),
        ("property", "real estate"),
        ("housing", "owns"),
        ("credit_history", "existing credits paid back duly so far"),
    ):
        assert not ((reasons["column"] == column) & (reasons["value"] == value)).any() and f"({value})" not in text
    assert "Limited credit history" not in text and "For review, never printed" in text
    assert reasons["review"].str.contains("installment_rate").any()
    assert not reasons.duplicated(["model", "method", "background", "person", "reason"]).any()
    (most,) = [piece for piece in part.blocks if getattr(piece, "caption", "").startswith("The reasons given most often")]
    assert {line[0] for line in most.lines} <= set(reasons["reason"])
    said = reasons[
        (reasons["model"] == "mlp") & (reasons["method"] == "shapley") & (reasons["background"] == "near the cutoff")
    ]
    denied_by_mlp = said["person"].nunique()
    for line in most.lines:
        people = said.loc[said["reason"] == line[0], "person"].nunique()
        assert abs(people / denied_by_mlp - float(line[1].removesuffix(" %")) / 100) < 0.006


def test_the_stability_that_is_told_is_that_of_the_reasons(bank):
    _, _, part = bank
    table = part.tables["reason_stability"]
    sets = part.tables["reasons"].groupby(["model", "method", "background", "person"])["group"].agg(frozenset)
    told = dict(zip(("background", "method", "model"), part.findings[1].split("; "), strict=True))
    ends = {}
    for line in table.to_dict("records"):
        sources = ({**line, line["differs"]: line[which]} for which in ("one", "other"))
        one, other = (sets.loc[tuple(source[name] for name in Source._fields)] for source in sources)
        both = one.index.intersection(other.index)
        same = sum(one[person] == other[person] for person in both)
        assert line["people"] == len(both) and line["same"] == pytest.approx(same / len(both))
        ends.setdefault(line["differs"], []).append((same / len(both), *wilson(same, len(both))))
    for differs, clause in told.items():  # numbers and intervals of the pair that agrees least, and of that which does most
        said = np.array(re.findall(r"([\d.]+) % \(([\d.]+) % to ([\d.]+) %\)", clause), dtype=float) / 100
        assert said == pytest.approx(np.array([min(ends[differs]), max(ends[differs])]), abs=0.0051)
        assert f"over {len(ends[differs])} pairs" in clause
    assert "(columns that count as one are one)" in part.findings[1]
    group = part.tables["reasons"].groupby("column")["group"].unique()
    assert all(len(some) == 1 for some in group) and group["amount"] == group["duration"] != group["status"]


def wilson(count, people, z=1.959964):
    share, over = count / people, 1 + z * z / people
    reach = z * np.sqrt(share * (1 - share) / people + z * z / (4 * people * people))
    return (share + z * z / (2 * people) - reach) / over, (share + z * z / (2 * people) + reach) / over


def test_a_clinical_table_gets_no_reasons_and_no_advice(heart):
    _, _, part = heart
    text = words_of(part)
    assert "12 CFR 1002.2(c)" in text and "reasons" not in part.tables and set(part.covers) == {"recourse"}
    assert "no advice on treatment or behaviour" in text
    assert part.blocks[0].text == "How the risk goes with what people can change"
    assert not re.search(r"\byou should\b|\bshould (eat|stop|take)\b|\breduces? (the|your) risk\b", text.lower())
    assert "Total cholesterol" in part.findings[0] and "consequences taken for causes" in part.findings[0]
    assert "No ways out are given: a past heart attack is there already" in words_of(part)
    assert len(part.findings) == 1 and not any(name.startswith("recourse") for name in part.tables)


def test_a_table_without_actionable_or_protected_columns_is_told_so(tmp_path):
    part = told(worlds.table("numeric"), [worlds.model("boosted", "numeric")], tmp_path)
    assert "No column of this table is marked as one that a person can change" in words_of(part)
    assert part.findings == () and part.tables == {} and part.covers == {}


def test_a_table_of_the_past_says_why_nobody_can_change_it(tmp_path):
    case = dlx.load("credit_default")[:200]
    limit = dataclasses.replace(case.schema["LIMIT_BAL"], actionable=False, fixed="set by the bank")
    case = dataclasses.replace(case, schema=Schema((limit, *case.schema.features[1:]), case.schema.target))
    model = wrap(lambda table: np.full(len(table), 0.9), case.schema, name="strict", scale="probability")
    text = words_of(told(case, [model], tmp_path))
    assert "a card holder can change (18 columns: past; 1 column: set by the bank), so no recourse can be given" in text


def lending(threshold=0.5, protected=False):
    features = tuple(
        dataclasses.replace(f, protected=protected and f.name == "debt", actionable=f.name == "amount")
        for f in worlds.NUMERIC.features
    )
    target = dataclasses.replace(worlds.TARGET, threshold=threshold, adverse_action=True, flagged="denied")
    data = worlds.table("numeric")
    return Dataset(Schema(features, target), data.rows, data.outcomes, name="lending")


def test_a_model_that_denies_nobody_is_told_so(tmp_path):
    case = lending()
    nobody = wrap(lambda table: np.full(len(table), 0.1), case.schema, name="mild", scale="probability")
    part = told(case, [nobody], tmp_path)
    assert "nobody is denied by the model mild" in words_of(part) and "there are no reasons to give" in words_of(part)
    assert part.findings == ()


def test_a_model_that_grants_nobody_compares_with_all_and_says_what_cannot_change(tmp_path):
    case = lending(threshold=0.01)
    strict = wrap(
        lambda table: 0.5 + 0.05 * np.tanh(table["amount"] + table["debt"]), case.schema, name="strict", scale="probability"
    )
    part = told(case, [strict], tmp_path)
    assert part.tables["recourse"].set_index("measure").loc["share_with_recourse", "estimate"] == 0
    assert len(part.tables["recourse_boundary"]) == len(case.test)
    assert "no way not to be denied was found for any of 60" in part.findings[0] and "nan" not in words_of(part)
    assert "no way was found for 60 of 60" in words_of(part) and "by all combinations of the values tried" in words_of(part)
    assert set(part.tables["reasons"]["background"]) == {"all applicants"}
    assert "The schema marks no column as protected" in words_of(part)


def test_a_model_that_says_the_same_of_everybody_has_no_reasons(tmp_path):
    case = lending()
    harsh = wrap(lambda table: np.full(len(table), 0.9), case.schema, name="harsh", scale="probability")
    part = told(case, [harsh], tmp_path)
    assert "there are no reasons to give" in words_of(part)
    assert "stays the very same" not in words_of(part)
    assert "reasons" not in part.tables


def test_who_is_denied_for_a_protected_column_alone_is_counted_and_a_reviewer_told(tmp_path):
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"sex": rng.choice(["f", "m"], 300), "a": rng.normal(size=300), "b": rng.normal(size=300)})
    table["y"] = ((table["sex"] == "f") & (rng.random(300) < 0.7)).astype(int)
    sex = Feature("sex", "categorical", levels=("f", "m"), protected=True)
    target = Target("y", levels=("0", "1"), adverse_action=True)
    case = dlx.from_frame(table, Schema((sex, Feature("a"), Feature("b")), target))
    model = wrap(lambda people: np.where(people["sex"] == "f", 0.7, 0.1), case, name="sexist")
    found = told(case, [model], tmp_path)
    said, count = words_of(found), len(denied(model, case.test))
    assert not len(found.tables["reasons"]) and f"No reason can be printed for {count} whom sexist denies" in said
    assert "as much as a printed reason in 100 % of what sexist denies" in said


def test_markup_in_names_stays_text(tmp_path):
    schema = Schema(
        (Feature("<b>x</b>", actionable=True, label="<i>$x$</i>"), Feature("y")),
        Target("t", levels=("n", "y"), adverse_action=True),
    )
    rows = np.random.default_rng(0).normal(size=(200, 2))
    case = Dataset(schema, rows, (rows[:, 0] + rows[:, 1] > 0).astype(float))
    model = wrap(lambda table: table["<b>x</b>"] + table["y"], schema, name="m", scale="logit")
    part = told(case, [model], tmp_path)
    assert len(figures(part)) >= 2 and isinstance(part.tables["recourse"], pd.DataFrame)


@pytest.mark.parametrize("name", ORDER)
def test_a_section_that_cannot_be_told_says_why(name, tmp_path, monkeypatch):
    every = importlib.import_module("dlx.reporting.sections")
    module = importlib.import_module(f"dlx.reporting.sections.{name}")

    case = lending()
    model = wrap(lambda table: np.full(len(table), 0.4), case.schema, name="mild", scale="probability")

    def refused(*_):
        raise DlxError("out of order")

    def raised_by_the_model(*_):
        BlackBox(lambda table: table["nothing"], case.schema, scales=("probability", "logit")).predict(case[:2], "probability")

    monkeypatch.setattr(every, "ORDER", (name,))
    for asked, why in ((refused, "out of order"), (raised_by_the_model, "KeyError: 'nothing'")):
        monkeypatch.setattr(module, "section", asked)
        told = every.sections(setting(case, tmp_path), [model])[0]
        assert told.title == module.TITLE and f"This could not be measured. {why}" in words_of(told)


@pytest.mark.parametrize("name", ORDER)
def test_a_fault_of_dlx_in_a_section_is_no_sentence_but_a_failure_that_names_it(name, tmp_path, monkeypatch):
    every = importlib.import_module("dlx.reporting.sections")
    module = importlib.import_module(f"dlx.reporting.sections.{name}")
    other = importlib.import_module(f"dlx.reporting.sections.{ORDER[0] if name != ORDER[0] else ORDER[1]}")
    finished = Section("other", "Other", (), ())

    def broken(*_):
        return {}["no such thing"]

    monkeypatch.setattr(module, "section", broken)
    monkeypatch.setattr(other, "section", lambda *_: finished)
    monkeypatch.setattr(every, "ORDER", (name, other.__name__.rpartition(".")[2]))
    with pytest.raises(every.UnfinishedError, match=f"{module.TITLE}” failed: KeyError.*fault of dlx") as raised:
        every.sections(setting(lending(), tmp_path), [])
    assert raised.value.finished[0] is finished and isinstance(raised.value.__cause__.__cause__, KeyError)


def test_what_is_told_of_the_size_of_a_group_is_its_own(bank):
    case, _, part = bank
    counts = {
        (level, int((case.train.rows[:, i] == code).sum()))
        for i, feature in enumerate(case.schema.features)
        for code, level in enumerate(feature.level_labels)
    }
    said = re.findall(r"“([^”]+)” \((\d+) of (\d+) training rows\)", words_of(part))
    assert ("yes", "26", "600") in said
    assert all((level, int(count)) in counts and int(rows) == len(case.train) for level, count, rows in said)


def test_a_method_that_is_not_used_is_named_once_for_each_group_that_people_are_compared_with(bank):
    _, _, part = bank
    unused = re.findall(
        r"Not used: ([^:|]*?) of (\w+): (.*?), compared with (those near the cutoff|all applicants)", words_of(part)
    )
    assert len({(method, model, whom) for method, model, _, whom in unused}) == len(unused) > 0
    assert not any(re.search(r"\d%", why) for *_, why, _ in unused)


def test_columns_of_which_nobody_changes_one_alone_are_named_where_they_are_moved_alone(heart):
    _, _, part = heart
    assert "“Body mass index” and “Waist circumference” (.91) go together in real people" in words_of(part)


def test_nobody_is_said_to_be_trusted_whose_noise_was_not_measured(bank):
    _, _, part = bank
    assert "trusted" not in part.covers["reasons"] and "by methods not refuted" in part.covers["reasons"]
    assert "their own noise was not measured" in words_of(part) and "trusted methods" not in words_of(part)


def test_a_column_that_is_bound_to_one_that_nobody_can_change_is_said_to_stay(tmp_path):
    rng = np.random.default_rng(0)
    income = rng.normal(3000, 500, 300)
    features = (Feature("income", actionable=True, direction="up"), Feature("net"), Feature("debt", actionable=True))
    target = Target("bad", levels=("no", "yes"), adverse_action=True, flagged="denied")
    rows = np.column_stack([income, 0.9 * income + rng.normal(0, 10, 300), rng.normal(size=300)])
    case = Dataset(Schema(features, target), rows, (rng.random(300) < 0.5).astype(float), name="lending")
    model = wrap(lambda t: t["debt"] - (t["income"] - 3000) / 500, case.schema, name="own", scale="logit")
    part = told(case, [model], tmp_path)
    assert "“income” stays as it is, as “net” cannot be changed" in words_of(part)
    assert set(part.tables["recourse_changes"]["column"]) == {"debt"}
