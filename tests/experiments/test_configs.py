"""The TOML files of `experiments/`: every key is read, or it is an error that names file and key."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from dlx.errors import DlxError

pytestmark = pytest.mark.doors

EXPERIMENTS = Path(__file__).parents[2] / "experiments"


@pytest.fixture
def script(monkeypatch):
    """Import a script as `python experiments/<name>.py` finds it."""
    monkeypatch.syspath_prepend(str(EXPERIMENTS))
    made = []

    def imported(name):
        made.append(name)
        return importlib.import_module(name)

    yield imported
    for name in made:
        sys.modules.pop(name, None)


def test_the_shipped_files_are_read(script):
    configs = script("configs")
    for path in EXPERIMENTS.glob("*.toml"):
        config = configs.read_config(path)
        assert config.case == path.stem and config.seeds == (0,) and "mlp" in config.architectures


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('case = "bank_lone"', r"no case 'bank_lone'; .*did you mean 'bank_loan'"),
        ('case = "bank_loan"\nmodel = ["mlp"]', "has no field 'model'; did you mean 'models'"),
        ('case = "bank_loan"\nmodels = ["mpl"]', "no model 'mpl'; .*did you mean 'mlp'"),
        ('case = "bank_loan"\nmodels = "mlp"', "models must be a list of texts, got 'mlp'"),
        ('case = "bank_loan"\nmodels = []', "models must name at least one"),
        ('case = "bank_loan"\nmodels = ["mlp", "mlp"]', "models must be different"),
        ('case = "bank_loan"\nseeds = [0, 0]', "seeds must be different"),
        ('case = "bank_loan"\nseeds = [true]', "seeds must be a list of whole numbers"),
        ('case = "bank_loan"\nseeds = [-1]', "seeds must be at least 0, got -1"),
        ('case = "bank_loan"\npeople = 0', "people must be at least 1, got 0"),
        ('case = "bank_loan"\npeople = 1.5', "people must be a whole number"),
        (
            'case = "bank_loan"\nmodels = ["mlp"]\n[overrides.resnet]\nwidth = 3',
            r"\[overrides.resnet\] is of no model that is trained",
        ),
        ('case = "bank_loan"\n[overrides.mlp]\nhiden = 3', "mlp has no option 'hiden'; .*did you mean 'hidden'"),
        ('case = "bank_loan"\n[overrides]\nmlp = 3', "overrides must be a table"),
        ("models = []", "needs case|models must name"),
        ("case = ", "cannot read"),
    ],
)
def test_a_file_that_asks_for_what_is_not_there_is_an_error(script, tmp_path, text, said):
    path = tmp_path / "odd.toml"
    path.write_text(text)
    with pytest.raises(DlxError, match=said) as refused:
        script("configs").read_config(path)
    assert "odd.toml" in str(refused.value) and "\n" not in str(refused.value)


def test_a_report_drops_no_overrides(script, tmp_path, monkeypatch, capsys):
    path = tmp_path / "odd.toml"
    path.write_text('case = "bank_loan"\nmodels = ["mlp"]\n[overrides.mlp]\nhidden = 8')
    monkeypatch.setattr(sys, "argv", ["compare.py", str(path)])
    with pytest.raises(SystemExit) as ended:
        script("running").run(script("compare").main)
    told = capsys.readouterr().err
    assert ended.value.code == 2 and "leave out [overrides]" in told and told.count("\n") == 1


def test_every_script_ends_with_one_line(script):
    for path in EXPERIMENTS.glob("*.py"):
        text = path.read_text()
        assert "__main__" not in text or text.endswith("    run(main)\n"), path
