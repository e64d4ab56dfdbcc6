"""What stands around the sections: the first screen with its six lights, and the block to sign."""

from __future__ import annotations

import datetime
import platform
import shlex
from collections.abc import Collection, Mapping, Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import pandas as pd

from dlx.arrays import array_id
from dlx.audit.training_rows import seen_by
from dlx.context import RunContext
from dlx.model import Model
from dlx.reporting.lights import LIGHTS, Light
from dlx.reporting.prose import STYLES, Tables, numbered, one_block, rendered, table_block
from dlx.reporting.sections import Links, Section, covered, unit_after, values_of

if TYPE_CHECKING:
    from markupsafe import Markup

LIBRARIES = ("dlx", "torch", "captum", "shap", "lime", "scikit-learn", "numpy", "pandas")
WORDS = {"green": "good", "amber": "watch", "red": "bad", "grey": "not measured"}
ACT, BANK, CLINIC = "EU AI Act, Annex IV", "SR 26-2", "TRIPOD+AI"
DOORS = (  # where they lead, their names, and what is behind them
    ("ask", "A person", "look anybody up: why, and what would change it"),
    ("agreement", "Trust", "do the explanations hold"),
    ("sign", "Sign", "what was run, what is not covered"),
    ("method", "Learn", "how it was done, what the words mean"),
)
RUN = "sign"  # what every run has evidence for: it stands in the block to sign

# text, its item in our words, and what answers it: a name that a section's COVERS has, or "sign"
ITEMS = (
    (ACT, "1 General description: intended purpose, versions", "method"),
    (ACT, "2(b) Design: logic of the system, what it optimises, key choices", "method"),
    (ACT, "2(d) Data: origin, scope, characteristics, labelling", "method"),
    (ACT, "2(e) Human oversight, and how outputs are interpreted", "person"),
    (ACT, "2(g) Validation and testing: accuracy", "discrimination"),
    (ACT, "2(g) Validation and testing: robustness", "robustness"),
    (ACT, "2(g) Validation and testing: potentially discriminatory impacts", "fairness"),
    (ACT, "3 Accuracy for specific persons and groups", "slices"),
    (ACT, "3 Foreseeable unintended outcomes and sources of risk", "error_causes"),
    (ACT, "4 Appropriateness of the performance metrics", "worth"),
    (ACT, "5 Risk management system", ""),
    (ACT, "6 Changes through the lifecycle", "remedies"),
    (ACT, "9 Monitoring after it is put to use", ""),
    (BANK, "Purpose and use", "method"),
    (BANK, "Data and their dates", "method"),
    (BANK, "Versions and seeds", RUN),
    (BANK, "Units of the output", "method"),
    (BANK, "Baseline of explanations, and why", "method"),
    (BANK, "Convergence of explanations", "convergence"),
    (BANK, "Stability of explanations", "stability"),
    (BANK, "Alternatives that were considered", "black_box"),
    (BANK, "Results by subgroup", "fairness"),
    (BANK, "Proxies of protected attributes", "proxies"),
    (BANK, "Less discriminatory alternatives", "mitigation"),
    (BANK, "Reasons that people are given", "reasons"),
    (BANK, "Limitations", "method"),
    (BANK, "Monitoring", ""),
    (BANK, "Independent review: who reviewed", ""),
    (CLINIC, "5 Source of the data and dates", "method"),
    (CLINIC, "8 Outcome: definition and timing", "method"),
    (CLINIC, "9 Predictors", "method"),
    (CLINIC, "10 Sample size", "method"),
    (CLINIC, "11 Missing data", "method"),
    (CLINIC, "13 Class imbalance", "method"),
    (CLINIC, "14 Fairness", "fairness"),
    (CLINIC, "23a Performance: discrimination, with intervals", "discrimination"),
    (CLINIC, "23a Performance: calibration", "calibration"),
    (CLINIC, "23a Performance: clinical utility", "worth"),
    (CLINIC, "23b Heterogeneity of performance", "slices"),
    (CLINIC, "24 Model updating", "calibration"),
    (CLINIC, "26 Limitations", "method"),
    (CLINIC, "27 Usability: how the model is to be used", "worth"),
    (CLINIC, "External validation", ""),
)


def opening(context: RunContext, finished: Sequence[Section]) -> Markup:
    """Return the first screen: a sentence for each reader, six lights, four doors."""
    tables = Tables({name: table for one in finished for name, table in one.tables.items()})
    about = next((one.about for one in finished if one.key == "performance"), None)
    use = getattr(about, "use", "")
    facts = {line["name"]: line["value"] for line in tables.lines("performance_facts")}
    target = context.case.schema.target
    words: dict[str, Any] = {"case": context.case, "target": target, "about": about, "known": facts, "unit": unit_after(target)}
    words |= {"line": tables.line, "lines": tables.lines, "main": context.main.name}
    explained = "agreement" in {one.key for one in finished}
    words |= {"explained": [model.name for model in context.shown] if explained else [use]}
    words |= {"measures": "mean absolute error and RMSE" if target.is_value else "ROC AUC and log loss"}
    here = {one.key for one in finished} | {RUN}
    if context.case.several is not None:
        other = next(level for level in context.case.several.levels if level != target.levels[1])
        words |= {"typed": shlex.quote(other), "quoted": repr(other)}
    with values_of(context.case):
        words |= {"lights": [_lit(light, tables, use, here) for light in LIGHTS[target.scale]]}
        return rendered("opening.md.j2", words | {"here": here, "doors": [door for door in DOORS if door[0] in here]})["page"]


def _lit(light: Light, tables: Tables, model: str, here: Collection[str]) -> dict[str, Any]:
    """Return a light of this run: where a click leads ("" to no section), its number, and the rule that gave its colour."""
    number = light.measure(tables, model)
    colour = light.colour(number)
    better, worse = ("at least", "below") if light.green >= light.red else ("at most", "above")
    lines = [STYLES[light.style](line) for line in (light.green, light.red)]
    rule = f"{light.what}. Green: {better} {lines[0]}; red: {worse} {lines[1]}. Lines: {light.source}."
    nearest = light.red if colour == "red" else light.green
    shown = None if number is None or colour == "grey" else numbered(number, nearest, style=STYLES[light.style])
    said = {"name": light.name, "of": light.of, "section": light.section if light.section in here else "", "colour": colour}
    return said | {"word": WORDS[colour], "shown": shown, "rule": rule[:1].upper() + rule[1:]}


def sign(context: RunContext, finished: Sequence[Section], command: str, links: Links) -> Section:
    """Return the block to sign: what was run on what, by which models, and what nothing here answers."""
    titles = {item: one.title for one in finished for item in covered(one)} | {RUN: "Sign"}
    items = [(text, item, titles.get(key, "not covered")) for text, item, key in ITEMS]
    missing = {text: [item for one, item, found in items if one == text and found == "not covered"] for text, _, _ in items}
    made: dict[str, list[Mapping[str, str]]] = {}
    for model in context.models:
        made.setdefault(_made_by(model, context), []).append({"name": model.name, "fingerprint": _fingerprint(model, context)})
    run = {
        "date": f"{datetime.datetime.now().astimezone():%Y-%m-%d %H:%M UTC%z}",
        "command": command,
        "depth": context.budget.name,
        "rows": f"{len(context.case):,}",
        "data": context.case.sha256,
        "models": made,
        "versions": ", ".join(f"{name} {version(name)}" for name in LIBRARIES) + f", Python {platform.python_version()}",
        "missing": {text: some for text, some in missing.items() if some},
        "covered": f"{len(items) - sum(found == 'not covered' for *_, found in items)} of {len(items)}",
    }
    shown = one_block(
        table_block("The items and where they are answered", ("Text", "Item", "Answered in"), items, links.tables_folder)
    )
    blocks = rendered("sign.md.j2", {"run": run, "items": shown})
    tables = {"checklist": pd.DataFrame(items, columns=["text", "item", "section"])}
    return Section(RUN, "Sign", blocks["page"], blocks["evidence"], tables)


def _made_by(model: Model, context: RunContext) -> str:
    """Return who made a model, and from what."""
    made = model.provenance
    options = "".join(f", {name} {value}" for name, value in made.config.items()) if made else ""
    architecture = "" if made is None or made.architecture == model.name else f"{made.architecture}, "
    words = f"{architecture}seed {made.seed}{options or ', default hyperparameters'}" if made else ""
    seen = seen_by(model, context.case)
    rows = "rows that nobody named" if seen.standing == "unknown" else f"{seen.rows:,.0f} rows"
    among = {"unseen": ", no test row", "seen": f", {seen.test_rows:,.0f} of them test rows"}.get(seen.standing, "")
    return ", ".join(filter(None, [f"trained by {seen.by} on {rows}{among}", words]))


def _fingerprint(model: Model, context: RunContext) -> str:
    """Return the sha256 of what a model answers about the test rows."""
    return array_id(model.predict(context.case.test, context.case.schema.target.scale))
