"""The scaffold attack as a whole: built against each explainer, shown to it, and put before both defences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dlx.attacks.attacking import Attack, Target, attack, shown
from dlx.attacks.defences import flip_finding, gate_finding
from dlx.attacks.findings import Finding
from dlx.attacks.instability import kept_top, lime_on_real_rows
from dlx.attacks.manifold import Gate
from dlx.attacks.samples import limes_samples, mixtures
from dlx.attacks.scaffold import MARGIN
from dlx.background import k_means
from dlx.dataset import Dataset
from dlx.model import Model
from dlx.runner import explain
from dlx.stats import interval_of_mean

if TYPE_CHECKING:
    import pandas as pd

SAMPLES = 5_000
WAYS: dict[str, Target] = {
    "LIME": "lime",
    "Kernel SHAP, k-means background": "kernel_shap",
    "Kernel SHAP, background of real rows": "kernel_shap",
}
IN_THE_OPEN = "no disguise"
FEW = 8  # people that Kernel SHAP explains against many reference rows, which takes its time


@dataclass(frozen=True, eq=False)
class Fooled:
    """What an attack came to.

    Parameters
    ----------
    attacks : dict of str to Attack
        By the way in which it was tried.
    real_rows : DataFrame
        One line a model: what changes where LIME's samples are real rows instead of random people.
    shown : DataFrame
        One line an explainer: fidelity, and for how many people it hides the protected column.
    findings : tuple of Finding
        What both defences say of the attacked models, of the biased one in the open, and of the honest ones.
    gate : Gate
        The defender's detector.
    """

    attacks: dict[str, Attack]
    real_rows: pd.DataFrame
    shown: pd.DataFrame
    findings: tuple[Finding, ...]
    gate: Gate


def fool(
    case: Dataset,
    models: Sequence[Model],
    *,
    background: np.ndarray,
    people: Dataset,
    protected: str | None = None,
    margin: float = MARGIN,
    few: int = FEW,
    seed: int = 0,
) -> Fooled:
    """Return what the scaffold attack comes to on a case, and whether the defences tell it from honest models.

    Parameters
    ----------
    case : Dataset
        Rows with a binary outcome.
    models : sequence of Model
        The honest ones.
    background : ndarray [references, features]
        Coded reference rows of LIME and of Kernel SHAP with real rows; k-means centres are made from the training rows.
    people : Dataset
        Whom the explainers explain; of them `few` against many reference rows.
    protected : str, optional
        The column to decide by.
    margin : float
        As of `attack`.
    seed : int
        Seed of everything random.

    Raises
    ------
    SchemaError, VulnerabilityError
        As of `attack`.
    """
    import pandas as pd

    centres = k_means(case.train.rows, min(10, len(case.train)), seed=seed)[0]
    references = dict(zip(WAYS, (background, centres, background), strict=True))
    attacks = {
        way: attack(case, against=against, background=references[way], protected=protected, margin=margin, seed=seed)
        for way, against in WAYS.items()
    }
    gate = Gate.fit(case, background, seed=seed)
    lines, findings = [], []
    for way, attacked in attacks.items():
        some = people[:few] if len(references[way]) > len(centres) and attacked.against == "kernel_shap" else people
        for implementation in ("dlx", "reference") if attacked.against == "lime" else ("dlx",):
            how: dict[str, Any] = {"method": attacked.against, "implementation": implementation, "seed": seed}
            lines.append(shown(attacked, some, references[way], **how).assign(way=way))
        made_up = _samples(attacked, case, references[way], seed)
        findings += _judged(way, attacked, models, gate, made_up, case, seed)
    first = next(iter(attacks.values()))
    column = case.schema.names[first.column]
    findings.append(flip_finding(IN_THE_OPEN, first.biased, case, column, is_attacked=True))
    findings += [flip_finding(IN_THE_OPEN, model, case, column, is_attacked=False) for model in models]
    real_rows = on_real_rows(first, models, case, background, people, seed=seed)
    return Fooled(attacks, real_rows, pd.concat(lines, ignore_index=True), tuple(findings), gate)


def on_real_rows(
    attacked: Attack, models: Sequence[Model], case: Dataset, background: np.ndarray, people: Dataset, *, seed: int = 0
) -> pd.DataFrame:
    """Return how LIME changes where its samples are real training rows only, for an attacked model and honest ones.

    One line a model: `same_top`, the share of LIME's top 3 that stays, with its 95 % bootstrap interval over people; in the
    attacked model, the share of people for whom the protected column is first, by LIME and by LIME on real rows.
    """
    import pandas as pd

    lines = []
    for model in (attacked.scaffold, *models):
        usual = explain(model, people, method="lime", background=background, scale=model.scales[0], seed=seed).values
        real = lime_on_real_rows(model, people.rows, background, case.train.rows)
        same, low, high = interval_of_mean(kept_top(usual, real), within=(0, 1), seed=seed)
        first = [(np.abs(values).argmax(axis=1) == attacked.column).mean() for values in (usual, real)]
        about = {"model": model.name, "is_attacked": model is attacked.scaffold, "same_top": same, "low": low, "high": high}
        lines.append(about | {"protected_first": first[0], "protected_first_on_real_rows": first[1], "people": len(people)})
    return pd.DataFrame(lines)


def _samples(attacked: Attack, case: Dataset, references: np.ndarray, seed: int) -> np.ndarray:
    if attacked.against == "lime":
        return limes_samples(case.schema, references, SAMPLES, seed)
    return mixtures(case.test.rows, references, SAMPLES, seed)


def _judged(
    way: str, attacked: Attack, models: Sequence[Model], gate: Gate, made_up: np.ndarray, case: Dataset, seed: int
) -> list[Finding]:
    """Return what the defences say: of an attack that is not valid, nothing."""
    found = [gate_finding(way, model, gate, made_up, case, is_attacked=False, seed=seed) for model in models]
    if not attacked.is_valid:
        return found
    column, scaffold = case.schema.names[attacked.column], attacked.scaffold
    return [
        flip_finding(way, scaffold, case, column, is_attacked=True),
        gate_finding(way, scaffold, gate, made_up, case, is_attacked=True, seed=seed),
        *found,
    ]
