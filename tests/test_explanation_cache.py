"""An explanation is taken from the folder where it was kept only if everything that made it is the same, and it is whole."""

from __future__ import annotations

import pytest
import worlds

from dlx import explanation_cache
from dlx.explanation_cache import ExplanationCache
from dlx.progress import Narrator

QUIET = Narrator(quiet=True)


def asked(*, model=0, people=5, background=4, seed=0, method="linear_shap", scale="logit", **options):
    """Return what an explanation of a linear model depends on."""
    rows = worlds.table("numeric")
    of = worlds.model("linear", "numeric", model)  # of the same name, but another one predicts otherwise
    given = {"method": method, "background": rows[50 : 50 + background], "scale": scale, "seed": seed}
    return (of, rows[:people]), given | options


def explained(folder, narrator=QUIET, **changed):
    """Return an explanation by a cache, and how often it was made."""
    made, explain = [], explanation_cache.explain
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(explanation_cache, "explain", lambda *given, **options: made.append(1) or explain(*given, **options))
        given, options = asked(**changed)
        return ExplanationCache(folder, narrator).explain(*given, **options), len(made)


def test_what_was_kept_is_taken(tmp_path):
    first, made = explained(tmp_path)
    again, made_again = explained(tmp_path)
    assert (made, made_again) == (1, 0) and (first.values == again.values).all()


@pytest.mark.parametrize(
    "changed",
    [
        *({"model": 1}, {"people": 4}, {"background": 3}, {"seed": 1}, {"scale": "probability", "method": "kernel_shap"}),
        *({"method": "kernel_shap"}, {"method": "kernel_shap", "n_samples": 64}),
    ],
)
def test_an_explanation_of_other_inputs_is_not_taken(tmp_path, changed):
    explained(tmp_path)
    explained(tmp_path, method="kernel_shap", n_samples=32)
    assert explained(tmp_path, **changed)[1] == 1


@pytest.mark.parametrize("spoil", [lambda whole: whole[:200], lambda whole: whole[:-3] + bytes([whole[-3] ^ 1]) + whole[-2:]])
def test_what_was_altered_is_made_again_and_said(tmp_path, capsys, spoil):
    first, _ = explained(tmp_path)
    [path] = tmp_path.iterdir()
    whole = path.read_bytes()
    path.write_bytes(spoil(whole))
    again, made = explained(tmp_path, Narrator())
    assert made == 1 and "explaining again" in capsys.readouterr().err
    assert len(path.read_bytes()) == len(whole) and (first.values == again.values).all()


def test_what_other_code_kept_goes_when_something_new_is_kept(tmp_path):
    explained(tmp_path)
    [path] = tmp_path.iterdir()
    other, mine = path.with_name(f"{path.stem[:-8]}{0:08d}.safetensors"), tmp_path / "mine.safetensors"
    for name in (other, mine):
        name.write_bytes(b"")
    explained(tmp_path, seed=1)
    assert not other.exists() and mine.exists() and path.exists()
