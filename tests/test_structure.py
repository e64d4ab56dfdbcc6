"""What people import, and what importing costs."""

from __future__ import annotations

import ast
import importlib
import importlib.metadata
import inspect
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import dlx

ROOMS = Path(dlx.__file__).parent
PUBLIC = {
    *("load", "read_table", "check", "wrap", "load_model", "train", "explain", "compare", "report"),
    *("Dataset", "Schema", "Model", "Explanation", "Comparison"),
}


def modules_after(code: str) -> set[str]:
    """Return the top-level modules that a fresh interpreter holds after running some code."""
    code += "\nimport json, sys; print(json.dumps(sorted({name.split('.')[0] for name in sys.modules})))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_the_public_names_are_these():
    assert sorted(dlx.__all__) == sorted(PUBLIC)


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_every_public_name_can_be_imported_and_says_what_it_is(name):
    public = getattr(dlx, name)
    assert inspect.isfunction(public) or inspect.isclass(public)
    assert inspect.getdoc(public)


def test_dir_shows_the_public_names_and_the_rooms():
    rooms = {path.parent.name for path in ROOMS.glob("*/__init__.py")}
    assert set(dir(dlx)) == {*PUBLIC, *rooms, *dlx._ELSEWHERE, "__version__"}
    for name in dir(dlx):
        assert getattr(dlx, name) is getattr(dlx, name)


@pytest.mark.parametrize("name", sorted(dlx._MOVED))
def test_a_name_that_moved_still_works(name):
    room, _, there = dlx._MOVED[name].rpartition(".")
    assert getattr(dlx, name) is getattr(importlib.import_module(f"dlx.{room}"), there)


def test_what_is_printed_fits_in_three_lines():
    case = dlx.load("bank_loan")
    net = dlx.load_model(case, "mlp")
    asked = {"background": case.background(5), "scale": "logit"}
    a, b = (dlx.explain(net, case.test[:2], method=method, **asked) for method in ("deeplift", "integrated_gradients"))
    curve = dlx.effects.partial_dependence(net, case.test[:3], "duration", scale="logit")
    results = (curve, net.encoder, case.splits, case.reading, dlx.comparison.Contrast(a, b))
    for shown in (case, case.schema, case.schema.features[0], case.card, net, a, dlx.compare([a, b]), *results):
        assert repr(shown).count("\n") < 3 and max(map(len, repr(shown).splitlines())) < 150


def test_whatever_holds_arrays_tables_or_rows_prints_their_sizes():
    """What a dataclass or a named tuple prints by itself is all that it holds: of a person's recourse 300 lines."""
    plain = []
    for room in filter(inspect.ismodule, (getattr(dlx, name) for name in dir(dlx))):
        for held in filter(inspect.isclass, (getattr(room, name) for name in getattr(room, "__all__", ()))):
            own = vars(held).get("__repr__")
            is_generated = hasattr(own, "__wrapped__") or getattr(own, "__module__", "") == "collections"
            kinds = " ".join(map(str, vars(held).get("__annotations__", {}).values()))
            if is_generated and re.search(r"ndarray|DataFrame|Dataset|Explanation|Answer|Column|Model\b", kinds):
                plain.append(held)
    assert plain == []


def test_a_name_that_dlx_does_not_have_is_an_attribute_error():
    with pytest.raises(AttributeError, match=r"dlx has no 'explian'.*did you mean 'explain'"):
        _ = dlx.explian


@pytest.mark.parametrize("init", sorted(ROOMS.rglob("__init__.py")), ids=lambda path: str(path.parent.relative_to(ROOMS)))
def test_no_function_or_class_shadows_a_module(init):
    """`dlx.<package>.<module>` is the module, whatever the package imports, and no module defines what bears its name."""
    folder = init.parent
    package = importlib.import_module(".".join(["dlx", *folder.relative_to(ROOMS).parts]))
    modules = {path.stem for path in folder.glob("*.py")} | {path.parent.name for path in folder.glob("*/__init__.py")}
    held = {name: getattr(package, name, None) for name in modules - {"__init__", "__main__"}}
    assert not [name for name, value in held.items() if value is not None and not inspect.ismodule(value)]
    for path in folder.glob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        defined = {node.name for node in tree.body if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
        assert path.stem not in defined or path.match("sections/*/measure.py"), path  # the one function of a section


@pytest.mark.parametrize("path", [path for path in ROOMS.rglob("*.py") if path.parent.name != "explainers"], ids=str)
def test_no_method_is_named_outside_the_methods(path):
    """A method's name stands in its file's name only: what chooses a method asks `dlx.explainers`."""
    tree = ast.parse(path.read_text("utf-8"))
    libraries = [node for node in tree.body if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "LIBRARIES"]
    packages = {id(part) for node in libraries for part in ast.walk(node)}
    named = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in packages]
    assert not {name for name in named if isinstance(name, str)} & set(dlx.explainers.names())


def test_no_function_is_longer_than_a_screen():
    found = {}
    for path in ROOMS.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef):
                said = node.body[0] if ast.get_docstring(node) else None
                lines = node.end_lineno - node.lineno + 1 - (said.end_lineno - said.lineno + 1 if said else 0)
                found[f"{path.relative_to(ROOMS)}:{node.name}"] = lines
    assert len(found) > 1_000 and {name: lines for name, lines in found.items() if lines >= 60} == {}


def test_rooms_import_from_rooms_and_never_what_stands_at_the_top():
    """So imports go down only, and what they cost can be seen."""
    for path in ROOMS.rglob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = {name.name for found in ast.walk(tree) if isinstance(found, ast.Import) for name in found.names}
        froms = [found for found in ast.walk(tree) if isinstance(found, ast.ImportFrom) and found.module == "dlx"]
        assert "dlx" not in names, path
        assert not {name.name for found in froms for name in found.names} & {*PUBLIC, *dlx._MOVED}, path


def test_the_version_is_that_of_the_wheel_and_types_are_known():
    assert importlib.metadata.version("dlx") == dlx.__version__
    assert (ROOMS / "py.typed").exists()


def test_dlx_can_be_run_as_a_module():
    done = subprocess.run([sys.executable, "-m", "dlx", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == f"dlx {dlx.__version__}"


def test_registries_are_the_folders_and_list_without_importing_torch():
    listed = modules_after("import dlx\nassert dlx.cases() and dlx.architectures() and dlx.explainers.names()")
    assert not listed & {"torch", "captum", "shap", "lime", "lightning", "sklearn", "matplotlib"}
    for names, room in ((dlx.cases(), "cases"), (dlx.architectures(), "architectures"), (dlx.explainers.names(), "explainers")):
        assert names == sorted(p.stem for p in (ROOMS / room).glob("*.py") if not p.stem.startswith("_"))


@pytest.mark.parametrize(
    ("model", "method", "needless"), [("mlp", "deeplift", {"numba"}), ("gradient_boosting", "tree_shap", {"torch"})]
)
def test_a_first_explanation_waits_for_no_library_that_it_does_not_use(model, method, needless, tmp_path):
    asked = ["dlx", "explain", "bank_loan", "--model", model, "--method", method, "--output", str(tmp_path)]
    loaded = modules_after(f"import sys\nfrom dlx.cli import main\nsys.argv = {asked}\ntry: main()\nexcept SystemExit: pass")
    assert list(tmp_path.glob("*.csv"))
    heavy = {"captum", "shap", "lime", "lightning", "matplotlib", "sklearn", "jinja2", "IPython", "polars"}
    assert not loaded & (heavy | needless)


def test_the_command_line_answers_without_heavy_imports():
    loaded = modules_after("import dlx.cli")
    heavy = {"torch", "captum", "shap", "lime", "lightning", "pandas", "matplotlib", "sklearn", "scipy", "numba", "jinja2"}
    assert not loaded & heavy


def test_compiled_code_calls_no_compiled_code_of_another_file():
    """Numba's cache would not see it change; and a call that cannot be inlined has cost 20 times the loop around it."""
    compiled = [path for path in Path(dlx.__file__).parent.rglob("*.py") if "numba.njit" in path.read_text()]
    assert compiled
    for path in compiled:
        module = importlib.import_module(".".join(path.relative_to(Path(dlx.__file__).parents[1]).with_suffix("").parts))
        kinds = {name: value for name, value in vars(module).items() if hasattr(value, "py_func")}
        assert {name for name, value in kinds.items() if value.py_func.__module__ != module.__name__} == set(), path


PRIVATE_LANGUAGE = {"told", "told_of", "tell", "said", "asked", "held", "gone", "odd", "lent", "kept", "witnessed", "wanted_of"}


@pytest.mark.parametrize("path", list(ROOMS.rglob("*.py")), ids=str)
def test_no_public_name_is_a_word_of_our_own_for_what_has_a_name(path):
    """What a newcomer would not search for: verified, not witnessed; verbatim, not said; a cache, not what was kept."""
    tree = ast.parse(path.read_text("utf-8"))
    places = [tree, *(node for node in tree.body if isinstance(node, ast.ClassDef))]
    defined = {node.name.lower() for place in places for node in place.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    assert not ({path.stem} | defined) & PRIVATE_LANGUAGE


def test_each_room_has_a_folder_of_tests_of_its_name():
    rooms = {path.parent.name for path in ROOMS.glob("*/__init__.py")}
    folders = {path.parent.name for path in Path(__file__).parent.glob("*/test_*.py")}
    assert folders - {"experiments", "workshop"} == rooms
