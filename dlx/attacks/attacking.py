"""The attack of Slack et al. (2020) on a case: trained, gated on fidelity, and shown to explainers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from dlx.arrays import check_seed
from dlx.attacks.detector import Detector
from dlx.attacks.samples import VulnerabilityError, limes_samples, mixtures
from dlx.attacks.scaffold import (
    MARGIN,
    Scaffold,
    Votes,
    biased_model,
    decisions,
    group_words,
    innocuous_model,
)
from dlx.dataset import Dataset
from dlx.explanation import Explanation
from dlx.model import Model
from dlx.runner import explain
from dlx.stats import Interval, interval_of_share

if TYPE_CHECKING:
    import pandas as pd

Target = Literal["lime", "kernel_shap"]
FIDELITY = 0.95  # agreement with the biased model on people nobody has seen, below which there is no attack
AIM = 0.97  # agreement on validation rows that the detector's limit is chosen for
TOP = 3
FEWEST_ROWS = 100
MADE_UP = 3  # made-up rows a real one


@dataclass(frozen=True, eq=False)
class Attack:
    """A model that decides by a protected column and was built to hide it from one explainer.

    Parameters
    ----------
    scaffold : Scaffold
        The attacked model: a `Model`, which every method takes that takes any.
    column : int
        Position of the protected column.
    cut : float
        The largest value, or code, of the group that it flags.
    against : {"lime", "kernel_shap"}
        Whose samples its detector has seen.
    fidelity : Interval
        Share of unseen real people about whom it decides as the biased model does.
    """

    scaffold: Scaffold
    column: int
    cut: float
    against: Target
    fidelity: Interval

    @property
    def is_valid(self) -> bool:
        """Whether it decides as the biased model does: otherwise it hides nothing, and what is shown proves nothing."""
        return self.fidelity.estimate >= FIDELITY

    @property
    def biased(self) -> Model:
        """The model that it is on real people."""
        return self.scaffold.real

    @property
    def group(self) -> str:
        """Whom it flags, in words."""
        return group_words(self.scaffold.schema.features[self.column], self.cut)

    def hidden(self, explanation: Explanation, *, top: int = TOP) -> np.ndarray:
        """Return for whom the protected column is not among the top columns, bool [rows]; ties count as found."""
        return ranks_of(explanation, self.column) > top

    def to_frame(self) -> pd.DataFrame:
        """Return one line: what was attacked, and how well it decides as the biased model does."""
        import pandas as pd

        innocuous = self.scaffold.elsewhere
        assert isinstance(innocuous, Votes)
        names = [innocuous.schema.names[i] for i in innocuous.columns]
        line = {"protected": self.scaffold.schema.names[self.column], "group": self.group, "against": self.against}
        fidelity = {"fidelity": self.fidelity.estimate, "low": self.fidelity.low, "high": self.fidelity.high}
        return pd.DataFrame([line | {"shown": ", ".join(names)} | fidelity | {"is_valid": self.is_valid}])


def attack(
    case: Dataset,
    *,
    against: Target,
    background: np.ndarray,
    protected: str | None = None,
    cut: float | None = None,
    margin: float = MARGIN,
    seed: int = 0,
) -> Attack:
    """Return a model that decides by a protected column and hides it from an explainer.

    Parameters
    ----------
    case : Dataset
        Trained on its training rows, its limit set on validation rows, its fidelity measured on test rows.
    against : {"lime", "kernel_shap"}
        The explainer.
    background : ndarray [references, features]
        Coded reference rows that the explainer will use; lime's samples are drawn by the law of the training rows.
    protected : str, optional
        The column; by default the one that `protected_column` chooses.
    cut : float, optional
        The largest value, or code, of the flagged group; by default the lower quartile, or the most even split of levels.
    margin : float
        How far from the threshold the biased scores are, in logits; the wider, the harder they are to hide.
    seed : int
        Seed of samples and detector.

    Raises
    ------
    SchemaError
        If there is no such column.
    VulnerabilityError
        If the table is too small, has one class, or the column does not vary.
    """
    refuse(case)
    schema, train = case.schema, case.train.rows
    column = schema.position(protected or protected_column(case))
    cut = default_cut(case, column) if cut is None else cut
    biased, references = biased_model(schema, column, cut, margin), train if against == "lime" else background
    innocuous = innocuous_model(schema, train, references, column, cut)
    count, seed = MADE_UP * len(train), check_seed(seed)
    if against == "lime":
        detector = Detector.fit(train, limes_samples(schema, train, count, seed), train[:0], seed=seed)
    else:
        detector = Detector.fit(train, mixtures(train, background, count, seed), background, seed=seed)
    limit = _limit(detector, biased, innocuous, case.validation.rows)
    scaffold = Scaffold(biased, innocuous, detector, limit, name=f"fools {against}")
    test = case.test.rows
    agrees = decisions(scaffold, test) == decisions(biased, test)
    return Attack(scaffold, column, cut, against, interval_of_share(agrees))


def shown(
    attacked: Attack, people: Dataset, background: np.ndarray, *, method: str, implementation: str = "dlx", seed: int = 0
) -> pd.DataFrame:
    """Return one line: how often an explainer fails to show the protected column of the attacked model.

    An attack that is not valid is not shown to it: `hidden` is NaN and the finding says that it failed.
    """
    import pandas as pd

    share = first = Interval(np.nan, np.nan, np.nan)
    if attacked.is_valid:
        options = {"n_samples": 2 * len(people.schema) + 512} if method == "kernel_shap" else {}
        how: dict[str, Any] = {"implementation": implementation, "seed": seed} | options
        explanation = explain(attacked.scaffold, people, method=method, background=background, scale="logit", **how)
        share = interval_of_share(attacked.hidden(explanation))
        first = interval_of_share(ranks_of(explanation, attacked.column) == 1)
    about = {"method": method, "implementation": implementation, "references": len(background), "people": len(people)}
    numbers = {"hidden": share.estimate, "low": share.low, "high": share.high, "first": first.estimate}
    finding = f"shown by {method}" if attacked.is_valid else f"attack failed: fidelity below {FIDELITY}"
    return (
        attacked.to_frame()
        .rename(columns={"low": "fidelity_low", "high": "fidelity_high"})
        .join(pd.DataFrame([about | numbers | {"finding": finding}]))
    )


def ranks_of(explanation: Explanation, column: int) -> np.ndarray:
    """Return the place of a column by size of its contribution, 1 the largest, [rows]; ties get the best place."""
    sizes = np.abs(explanation.values)
    return 1 + (sizes > sizes[:, [column]]).sum(axis=1)


def protected_column(case: Dataset) -> str:
    """Return the protected column that an attack can decide by; any column where none is marked as protected.

    First those of two levels, then numbers, then the rest: the first in the schema that puts at least a tenth of the
    training rows on either side.
    """
    features = case.schema.features
    marked = [i for i, feature in enumerate(features) if feature.protected] or list(range(len(features)))
    for i in sorted(marked, key=lambda i: (len(features[i].levels) != 2, features[i].is_categorical, i)):
        column = case.train.rows[:, i]
        if len(np.unique(column[~np.isnan(column)])) > 1 and 0.1 <= (column <= default_cut(case, i)).mean() <= 0.9:
            return features[i].name
    raise VulnerabilityError(
        "the attack needs a column that puts at least a tenth of the rows on either side, and none of "
        f"{', '.join(features[i].name for i in marked)} does; name another one with protected=..."
    )


def default_cut(case: Dataset, column: int) -> float:
    """Return the largest value of the lower quarter of a number, or the code that splits levels most evenly."""
    values = case.train.rows[:, column]
    known = values[~np.isnan(values)]
    if len(np.unique(known)) < 2:
        name = case.schema.names[column]
        raise VulnerabilityError(f"column {name!r} must take at least 2 values in the training rows; choose another one")
    cuts = np.unique(known)[:-1]
    aim = 0.5 if case.schema.features[column].is_categorical else 0.25
    return float(cuts[np.argmin([abs((known <= cut).mean() - aim) for cut in cuts])])


def refuse(case: Dataset) -> None:
    """Raise a `VulnerabilityError` if a table cannot carry an attack."""
    if case.schema.target.kind != "binary":
        raise VulnerabilityError(f"the laboratory needs a binary target, got {case.schema.target.kind}")
    if len(case) < FEWEST_ROWS:
        raise VulnerabilityError(
            f"the laboratory needs at least {FEWEST_ROWS} rows to train a detector and judge it, got {len(case)}; "
            "use a larger table"
        )
    if case.outcomes is None or len(np.unique(case.outcomes)) < 2:
        raise VulnerabilityError("the laboratory needs outcomes of both classes; pass a table that has both")


def _limit(detector: Detector, biased: Model, innocuous: Model, rows: np.ndarray) -> float:
    """Return the highest realness to ask for at which decisions on rows still agree as aimed at; the lowest if none does."""
    realness, differs = detector.realness(rows), decisions(biased, rows) != decisions(innocuous, rows)
    limits = np.unique(realness)
    agreement = 1 - ((realness < limits[:, None]) & differs).mean(axis=1)
    return float(limits[agreement >= AIM].max(initial=limits[0]))
