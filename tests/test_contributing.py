"""CONTRIBUTING says what works: each thing is added in one place, in a copy of dlx, and is there and does its work."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import dlx

ROOT = Path(__file__).parents[1]
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^<!-- (file|at the end of): (\S+) -->\n```\w+\n(.*?)^```", CONTRIBUTING, flags=re.MULTILINE | re.DOTALL)

USED = """
from pathlib import Path

import dlx
from dlx import explainers
from dlx.context import RunContext
from dlx.reporting import page, sections

assert "breast_cancer" in dlx.cases.names() and "shallow" in dlx.architectures.names()
case = dlx.load("breast_cancer")
assert (len(case), case.name, case.schema.target.levels[-1]) == (569, "breast_cancer", "malignant")

net = dlx.train(case, "shallow", device="cpu")
assert dlx.load_model(case, "shallow").provenance.architecture == "shallow"
people, background = case.test[:8], case.background(10)
assert abs(net.predict(people, "probability") - case.test.outcomes[:8]).mean() < 0.2

assert "first_in" in explainers.names_for(net)
told = dlx.explain(net, people, method="first_in", background=background, scale="logit")
assert told.values.shape == (8, 30) and abs(told.values).max() > 0.1
assert explainers.exact_for("first_in", net, "logit") and explainers.preferred(net, "logit") != "first_in"

other = dlx.explain(net, people, method="deeplift", background=background, scale="logit")
agreement = dlx.compare([told, other]).agreement().set_index("metric")
assert agreement.loc["cosine", "chance"] == 0 and 0.5 < agreement.loc["cosine", "mean"] <= 1

linear = dlx.train(case, "logistic_regression")
one, two = (dlx.effects.average_marginal_effect(linear, people, "mean texture", scale="logit", step=s) for s in (1, 2))
assert abs(two - 2 * one) < 1e-6 and one > 0

assert "certainty" in sections.names()
context = RunContext.of(case, [net, linear], people=8, background=10)
page.names = lambda *_: ["performance", "certainty"]  # of all sections
text = page.write_report(context, ("models",), Path("report.html"), "dlx report breast_cancer").read_text()
assert 'id="certainty"' in text and 'data-cell="certainty/1/certain"' in text
assert len(Path("report-tables/certainty.csv").read_text().splitlines()) == 3
"""


@pytest.fixture(scope="module")
def scratch(tmp_path_factory) -> Path:
    """A copy of dlx to which the examples were added: files that were not there, and a function below its like."""
    folder = tmp_path_factory.mktemp("scratch")
    shutil.copytree(Path(dlx.__file__).parent, folder / "dlx", ignore=shutil.ignore_patterns("__pycache__"))
    for place, path, content in EXAMPLES:
        assert (folder / path).exists() == (place == "at the end of")
        (folder / path).parent.mkdir(exist_ok=True)
        with open(folder / path, "a", encoding="utf-8") as file:
            file.write(f"\n\n{content}" if place == "at the end of" else content)
    return folder


def test_each_thing_is_added_in_one_place(scratch):
    alone = os.environ | {"PYTHONPATH": str(scratch)}
    done = subprocess.run([sys.executable, "-c", USED], cwd=scratch, env=alone, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
