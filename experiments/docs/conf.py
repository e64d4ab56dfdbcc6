"""The documentation: `python -m uv run --locked --group docs sphinx-build -W --keep-going experiments/docs FOLDER`."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from docutils import nodes
from docutils.parsers.rst import Directive
from docutils.utils.math.latex2mathml import tex2mathml

import dlx
from dlx import explainers
from dlx.model import Model

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = "dlx"
release = version = dlx.__version__
extensions = ["myst_nb", "numpydoc", "sphinx.ext.autodoc", "sphinx.ext.autosummary"]
html_math_renderer = "mathml"  # which browsers draw without a script
html_theme = "pydata_sphinx_theme"
html_theme_options = {"show_prev_next": True, "navbar_align": "left", "secondary_sidebar_items": ["page-toc"]}
html_show_sourcelink = False
html_title = f"dlx {release}"
html_sidebars = {"*": []}  # pages at the top have no others below them
templates_path = ["_templates"]
exclude_patterns = ["_templates", "README.md"]
myst_enable_extensions = ["dollarmath", "deflist", "colon_fence"]
myst_heading_anchors = 2
nb_execution_mode = "force"
nb_execution_excludepatterns = ["lessons/*"]  # they have their outputs
nb_execution_raise_on_error = True
nb_execution_timeout = 120
nb_merge_streams = True
nb_output_stderr = "warn"  # a reader would see it, with paths of the machine that built the page
autodoc_typehints = "none"
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
numpydoc_xref_param_type = False


HERE = Path(__file__).parent
shutil.rmtree(HERE / "lessons", ignore_errors=True)
(HERE / "lessons").mkdir()
for notebook in HERE.with_name("workshop").glob("*.ipynb"):
    shutil.copy(notebook, HERE / "lessons")


class Facts(Directive):
    """What a method says of itself, as a table: `{facts} deeplift`."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the table: a term and what is so of this method, a row each."""
        method = explainers.method(self.arguments[0])
        takes = explainers.kind_of(self.arguments[0])
        said = {
            "Name": self.arguments[0],
            "Explains": "any model" if takes is Model else TAKES[takes.__name__],
            "Local accuracy": str(method.PROMISE),
            "Random": RANDOM[method.IS_RANDOM, method.KNOWS_ERROR],
            "Asks the model about": method.EVALUATES,
            "Cost": {
                "low": "low: thousands of people in about a minute",
                "medium": "medium: hundreds of people in about a minute",
            }.get(method.COST, "high: tens of people in about a minute"),
            "Library": method.LIBRARY,
        }
        body = nodes.tbody("", *(_row(*pair) for pair in said.items()))
        columns = [nodes.colspec(colwidth=1), nodes.colspec(colwidth=3)]
        return [
            nodes.paragraph("", "", nodes.strong("", method.QUESTION)),
            nodes.table("", nodes.tgroup("", *columns, body, cols=2)),
        ]


SCROLLS = "overflow: auto hidden; padding: 0.5em 0"  # where a formula is wider than a phone
TAKES = {
    "NeuralModel": "torch nets",
    "TreeModel": "trees, forests and boosted trees that dlx can read",
    "LinearModel": "linear models that dlx can read",
    "AdditiveModel": "sums of curves of single columns and of pairs (`additive`)",
}
RANDOM = {
    (False, False): "no",
    (False, True): "no; its standard errors are 0",
    (True, False): "yes: another seed gives other numbers",
    (True, True): "yes, and it gives standard errors",
}


def _row(*texts: str) -> nodes.row:
    return nodes.row("", *(nodes.entry("", nodes.paragraph("", text)) for text in texts))


def _formula(translator: Any, node: nodes.Element) -> None:
    is_block = isinstance(node, nodes.math_block)
    made = tex2mathml(node.astext(), as_block=is_block)
    translator.body.append(f'<p style="{SCROLLS}">{made}</p>' if is_block else made)
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, Any]:
    """Tell Sphinx of the directive, and of formulas."""
    app.add_directive("facts", Facts)
    app.add_html_math_renderer("mathml", (_formula, None), (_formula, None))
    return {"parallel_read_safe": True}
