"""fix(): a model of a case, trained again with a remedy, beside the model before."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlx import checkpoint, training
from dlx.audit.performance import METRICS, performance
from dlx.audit.recalibration import recalibrated
from dlx.checkpoint.runs import obtain
from dlx.dataset import Dataset
from dlx.model import BlackBox, Model
from dlx.progress import Narrator
from dlx.remedies.comparing import before_after
from dlx.remedies.errors import RemedyError
from dlx.remedies.folding import folded
from dlx.remedies.recoding import Recoding, recoding_of
from dlx.remedies.remedy import Remedy
from dlx.remedies.restoring import restored
from dlx.remedies.weighting import row_weights

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Fixed:
    """A model before and after a remedy; both read the original columns of the case.

    Parameters
    ----------
    case : Dataset
        The table.
    architecture : str
        What both are instances of.
    seed : int
        Seed of both.
    remedy : Remedy
        What was changed.
    recoding : Recoding
        Which columns and levels became which.
    before, model : Model
        The model as it was, and the fixed one.
    settings : dict
        The options of its training.
    """

    case: Dataset
    architecture: str
    seed: int
    remedy: Remedy
    recoding: Recoding
    before: Model
    model: Model
    settings: Mapping[str, Any]

    @property
    def words(self) -> list[str]:
        """What was done, a clause each."""
        return self.remedy.words(self.recoding)

    def before_after(self, *, background: int = 100, people: int = 100) -> pd.DataFrame:
        """Return accuracy, calibration, fairness and explanations before and after; see `dlx.remedies.comparing`.

        Parameters
        ----------
        background : int
            Training rows that are the reference of explanations.
        people : int
            Test rows that are explained, drawn at random.
        """
        return before_after(
            self.before, self.model, self.case, background=background, people=people, left_out=self.remedy.drop, seed=self.seed
        )

    def over_seeds(self, count: int = 3) -> pd.DataFrame:
        """Return the accuracy of both over training seeds, this one and the next: what the intervals do not tell.

        Parameters
        ----------
        count : int
            How many seeds; both models are trained anew, with the architecture's defaults, for each but the first.

        Returns
        -------
        DataFrame
            A line a seed and metric: `before`, `after`, `difference`. No intervals: these are the single trainings.
        """
        import pandas as pd

        outcomes, lines = self.case.test.outcomes, []
        assert outcomes is not None
        for seed in range(self.seed, self.seed + count):
            models = (self.before, self.model) if seed == self.seed else self._trained_with(seed)
            old, new = (model.predict(self.case.test, "probability") for model in models)
            for name, metric in METRICS.items():
                before, after = metric(outcomes, old), metric(outcomes, new)
                lines.append((self.model.name, seed, name, before, after, after - before))
        return pd.DataFrame(lines, columns=["model", "seed", "quantity", "before", "after", "difference"])

    def _trained_with(self, seed: int) -> tuple[Model, Model]:
        case = self.case
        before = training.fit(self.architecture, case.train, case.validation, seed=seed, device="cpu").model
        return before, _mended(case, self.architecture, self.remedy, self.recoding, before, seed, "cpu", None)[0]

    def save(self, root: str | Path) -> Path:
        """Return the checkpoint folder that now holds the fixed model: ``<root>/<case>/<architecture>-<seed>``.

        Below a root of its own it is found like any other: ``dlx explain bank_loan --model mlp --checkpoints ROOT``.

        Raises
        ------
        RemedyError
            If nothing is known of the model but what it predicts, as of a recalibrated forest.
        """
        if isinstance(self.model, BlackBox):
            raise RemedyError(
                f"a checkpoint holds nets, trees or coefficients, but {self.model.name} is none of these any more; "
                "leave recalibration out to keep it"
            )
        made = training.Trained(
            model=self.model,
            settings={**self.settings, "remedy": self.remedy.to_dict()},
            device="cpu",
            history=_no_history(),
            case=self.case.name,
            architecture=self.architecture,
            seed=self.seed,
            config={},
            metrics=performance(self.model, self.case.test),
            data_sha256=self.case.sha256,
        )
        return checkpoint.save(made, root)


def fix(
    case: Dataset,
    architecture: str,
    *,
    drop: Sequence[str] = (),
    merge: int | None = None,
    monotone: Mapping[str, int] | None = None,
    weights: str = "",
    recalibrate: bool = False,
    remedy: Remedy | None = None,
    seed: int = 0,
    device: str = "auto",
    before: Model | None = None,
    checkpoints: str | Path = checkpoint.ROOT,
    narrator: Narrator | None = None,
) -> Fixed:
    """Return a model trained with a remedy, beside the model before; a remedy that only recalibrates trains nothing.

    Parameters
    ----------
    case : Dataset
        Rows with outcomes of two classes.
    architecture : str
        One of `dlx.architectures()`.
    drop, merge, monotone, weights, recalibrate
        What is changed, as in `Remedy`.
    remedy : Remedy, optional
        All of that in one, instead.
    seed : int
        Seed of the training.
    device : {"auto", "cpu", "cuda"}
        Where a net is trained.
    before : Model, optional
        The model before; by default the checkpoint of the architecture and seed, trained where there is none.
    checkpoints : str or Path
        The folder of trained models.
    narrator : Narrator, optional
        Says what is going on, on standard error.

    Raises
    ------
    RemedyError
        If nothing is to be changed, or the table or the model does not have what is named.
    ArchitectureError
        If there is no such architecture.
    TrainingError
        If the architecture cannot be bound to be monotone, or the table or the device does not do.
    """
    asked = Remedy(tuple(drop), merge, dict(monotone or {}), weights, recalibrate) if remedy is None else remedy
    narrator = narrator or Narrator()
    recoded = recoding_of(case.train, drop=asked.drop, merge=asked.merge)
    if before is None:
        before = obtain(case, architecture, seed=seed, device=device, root=checkpoints, narrator=narrator)
    with narrator.step(f"Fixing {architecture} of {case.name}", "epochs") as update:
        model, settings = _mended(case, architecture, asked, recoded, before, seed, device, update)
    name = training.name_of(architecture, seed, {})
    model = dataclasses.replace(model, name=f"{name} fixed", provenance=None)  # type: ignore[type-var]
    return Fixed(case, architecture, seed, asked, recoded, before, model, settings)


def _mended(
    case: Dataset,
    architecture: str,
    remedy: Remedy,
    recoded: Recoding,
    before: Model,
    seed: int,
    device: str,
    update: Callable[[int, int], None] | None,
) -> tuple[Model, dict[str, Any]]:
    """Return the model with the remedy, of the original columns, and the options of its training."""
    model, settings = before, training.options(architecture)
    if remedy.retrains or recoded.groups:
        trained = training.fit(
            architecture,
            recoded.reduced(case.train),
            recoded.reduced(case.validation),
            seed=seed,
            device=device,
            progress=update,
            weights=row_weights(case, remedy.weights),
            monotone=remedy.monotone,
        )
        model, settings = restored(trained.model, recoded, case.train.rows), trained.settings
    if remedy.recalibrate:
        model = folded(recalibrated(model, case.validation, kind="platt", seed=seed))
    return model, settings


def _no_history() -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(columns=["epoch", "training_loss", "validation_loss"])
