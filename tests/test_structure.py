"""What people import, and what importing costs."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from pathlib import Path

import pytest

import dlx

ROOMS = Path(dlx.__file__).parent
PUBLIC = {
    *("Comparison", "Dataset", "Explanation", "Feature", "Laboratory", "Model", "Schema", "Target"),
    *("architectures", "audit_report", "cases", "compare", "contrast", "disagreement", "explain", "from_frame", "infer_schema"),
    *("interactions", "judge", "load", "load_model", "methods", "partial_dependence", "performance", "preflight"),
    *("accumulated_local_effects", "adverse_reasons", "calibration", "fix", "fool", "friedman_h", "group_rates"),
    *("permutation_importance", "recalibrated", "recourse", "slices"),
    *("read_schema", "read_table", "replicate", "report", "train", "wrap", "wrap_trees"),
}


def modules_after(code: str) -> set[str]:
    """Return the top-level modules that a fresh interpreter holds after running some code."""
    code += "\nimport json, sys; print(json.dumps(sorted({name.split('.')[0] for name in sys.modules})))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_the_public_names_are_these():
    assert set(dlx.__all__) == PUBLIC
    assert len(dlx.__all__) == len(PUBLIC)
    assert set(dir(dlx)) == PUBLIC


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_every_public_name_can_be_imported_and_says_what_it_is(name):
    public = getattr(dlx, name)
    assert inspect.isfunction(public) or inspect.isclass(public)
    assert inspect.getdoc(public)


def test_a_name_that_dlx_does_not_have_is_an_attribute_error():
    with pytest.raises(AttributeError, match="dlx has no 'explian'"):
        _ = dlx.explian


def test_no_module_bears_the_name_of_a_public_function():
    modules = {path.stem for path in ROOMS.glob("*.py")} | {path.parent.name for path in ROOMS.glob("*/__init__.py")}
    assert not modules & {name for name in PUBLIC if inspect.isfunction(getattr(dlx, name))}


def test_registries_are_the_folders_and_list_without_importing_torch():
    listed = modules_after("import dlx\nassert dlx.cases() and dlx.architectures() and dlx.methods()")
    assert not listed & {"torch", "captum", "shap", "lime", "lightning", "sklearn", "matplotlib"}
    for names, room in ((dlx.cases(), "cases"), (dlx.architectures(), "architectures"), (dlx.methods(), "explainers")):
        assert names == sorted(p.stem for p in (ROOMS / room).glob("*.py") if not p.stem.startswith("_"))


def test_the_command_line_answers_without_heavy_imports():
    loaded = modules_after("import dlx.cli")
    heavy = {"torch", "captum", "shap", "lime", "lightning", "pandas", "matplotlib", "sklearn", "scipy", "numba", "jinja2"}
    assert not loaded & heavy
