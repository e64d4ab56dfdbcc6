"""fix(): a remedy, and a model of a case that was trained again with it, beside the model before."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from dlx import architectures, checkpoint, training
from dlx.arrays import in_short
from dlx.audit.fairness.groups import partition
from dlx.audit.metrics import metrics_of
from dlx.audit.mispredictions.slicing import either
from dlx.audit.recalibration import recalibrated
from dlx.audit.scores import performance
from dlx.checkpoint import obtain
from dlx.dataset import Dataset
from dlx.errors import plural
from dlx.model import LinearModel, Model, NeuralModel, Provenance, TreeModel
from dlx.progress import Narrator
from dlx.remedies.comparing import before_after
from dlx.remedies.mitigation import balanced, reweighing
from dlx.remedies.recoding import Recoding, RemedyError, recoding_of
from dlx.remedies.refitting import COMPARED, can_be_refitted, refitted

BY_OUTCOME = "outcome"
RARE_SHARE = 0.05  # of the training rows: what a table of one's own counts as a rare level


@dataclass(frozen=True)
class Remedy:
    """What is changed before a model is trained again.

    By `reweigh`, "outcome" lets the outcomes count the same in training; with a protected column its groups and the outcomes
    count as if they were independent (reweighing), of a value its groups the same. Rows that have weights keep these beside it.
    """

    drop: tuple[str, ...] = ()  # columns that are left out
    merge: int | None = None  # training rows that a level must have to stand alone; rarer ones are merged
    monotone: Mapping[str, int] = field(default_factory=dict)  # columns with which the risk must not fall (1) or rise (-1)
    reweigh: str = ""  # "outcome", a protected column, or nothing
    recalibrate: bool = False  # whether probabilities (Platt) or values are stretched on the validation rows
    because: str = ""  # why this is a remedy, a sentence

    def __post_init__(self) -> None:
        object.__setattr__(self, "drop", tuple(dict.fromkeys(self.drop)))
        if bound := [name for name in self.monotone if name in self.drop]:
            raise RemedyError(f"{', '.join(map(repr, bound))} cannot be bound and left out at once")
        if not self.to_dict() and self.merge is None:
            raise RemedyError(
                "a remedy must change something: columns to leave out, a count below which levels are merged, columns bound to "
                "be monotone, other weights, or recalibration"
            )

    def to_dict(self) -> dict[str, Any]:
        """Return what is changed as plain values, without what is left as it is."""
        plain = {"drop": list(self.drop), "merge": self.merge, "monotone": dict(self.monotone), "reweigh": self.reweigh}
        return {name: value for name, value in (plain | {"recalibrate": self.recalibrate}).items() if value}

    @property
    def digest(self) -> str:
        """A short hash of what is changed."""
        return hashlib.sha256(json.dumps(self.to_dict(), sort_keys=True).encode()).hexdigest()[:8]

    def in_short(self, recoded: Recoding) -> str:
        """Return what is done in a few words: "without Age or Sex, with rare levels of 7 columns merged"."""
        schema = recoded.original
        dropped, bound = ([schema[name].label for name in some] for some in (self.drop, self.monotone))
        done = [f"without {either(dropped)}"] if dropped else []
        done += [f"with rare levels of {plural(len(recoded.groups), 'column')} merged"] if recoded.groups else []
        done += [f"bound to rise or fall with {', '.join(bound)}"] if bound else []
        done += ["with other weights"] if self.reweigh else []
        done += ["and recalibrated" if done else "as before and recalibrated"] if self.recalibrate else []
        return ", ".join(done) or "as before"

    def words(self, recoded: Recoding) -> list[str]:
        """Return what is done as people read it, a clause each: "left out: History of stroke"."""
        schema = recoded.original
        done = [f"left out: {'; '.join(schema[name].label for name in self.drop)}"] if self.drop else []
        for position, groups in recoded.groups.items():
            feature = schema.features[position]
            merged = (" with ".join(feature.level_labels[code] for code in group) for group in groups if len(group) > 1)
            done.append(f"merged in {feature.label}: {'; '.join(merged)}")
        if self.merge is not None and not recoded.groups:
            done.append(f"merged nothing: no level that could be has fewer than {self.merge} training rows")
        done += [f"bound to {'rise' if way > 0 else 'fall'} with: {schema[name].label}" for name, way in self.monotone.items()]
        if self.reweigh:
            by = "outcomes" if self.reweigh == BY_OUTCOME else f"groups of {schema[self.reweigh].label}"
            done.append(f"weighted: {by}")
        return done + ["recalibrated on the validation rows"] * self.recalibrate


@dataclass(frozen=True, eq=False)
class Fixed:
    """A model before and after a remedy; both read the original columns of the case."""

    case: Dataset
    made_by: Provenance  # of the model before, whose recipe and seed the other one has; of an estimator of one's own empty
    remedy: Remedy
    recoding: Recoding  # which columns and levels became which
    before: Model
    model: Model
    settings: Mapping[str, Any]  # the options of its training

    __repr__ = in_short

    @property
    def words(self) -> list[str]:
        """What was done, a clause each."""
        return self.remedy.words(self.recoding)

    def before_after(self, *, background: int = 100, people: int = 100) -> pd.DataFrame:
        """Return accuracy, calibration, fairness and explanations before and after; see `dlx.remedies.before_after`."""
        asked: dict[str, Any] = {"background": background, "people": people, "seed": self.made_by.seed}
        return before_after(self.before, self.model, self.case, left_out=self.remedy.drop, **asked)

    def over_seeds(self, count: int = 3) -> pd.DataFrame:
        """Return the accuracy of both over training seeds, this one and the next: what the intervals do not tell.

        Both models are trained anew, with the same options, for each seed but the first. A line a seed and metric has
        `before`, `after` and `difference`; no intervals, these are the single trainings.
        """
        if not self.made_by.architecture:
            raise RemedyError(f"{self.model.name} has no training seed that dlx knows; fit it with others and compare")
        test, lines, first = self.case.test, [], self.made_by.seed
        assert test.outcomes is not None
        for seed in range(first, first + count):
            both = self.before, self.model
            if seed != first:
                made_by = replace(self.made_by, seed=seed)
                before = recoding_of(self.case.train).trained(self.case, made_by, device="cpu").model
                both = before, _mended(self.case, made_by, self.remedy, self.recoding, before, device="cpu")[0]
            old, new = (model.predict(test, test.schema.target.scale) for model in both)
            for name, metric in metrics_of(test.schema.target).items():
                one, other = (metric(test.outcomes, predicted, test.weights) for predicted in (old, new))
                lines.append((self.model.name, seed, name, one, other, other - one))
        return pd.DataFrame(lines, columns=["model", "seed", "quantity", "before", "after", "difference"])

    @property
    def can_be_kept(self) -> bool:
        """Whether a checkpoint can hold it: a net, trees or coefficients that dlx trained; not that of one class of several."""
        is_ours = bool(self.made_by.architecture) and self.case.several is None
        return is_ours and isinstance(self.model, (NeuralModel, TreeModel, LinearModel))

    def save(self, checkpoints: str | Path) -> Path:
        """Return the checkpoint folder that now holds the fixed model: ``<checkpoints>/<case>/<architecture>-<seed>``.

        Below a folder of its own it is found like any other: ``dlx explain bank_loan --model mlp --checkpoints FOLDER``.

        Raises
        ------
        RemedyError
            If nothing is known of the model but what it predicts, as of a recalibrated forest, or the folder holds the
            checkpoint of a model that was not fixed, or otherwise.
        """
        if not self.can_be_kept:
            raise RemedyError(
                f"a checkpoint holds nets, trees or coefficients, but {self.model.name} is none of these any more; "
                "leave recalibration out to keep it"
            )
        made_by = replace(self.made_by, data_sha256=self.case.sha256)
        refuse_replacing(self.case, made_by.architecture, self.remedy, seed=made_by.seed, checkpoints=checkpoints)
        settings = {**self.settings, "remedy": self.remedy.to_dict()}
        history = pd.DataFrame(columns=["epoch", "training_loss", "validation_loss"])
        metrics = performance(self.model, self.case.test)
        made = training.Trained(self.model, settings, "cpu", history, self.case.name, made_by, metrics, self.case.split_words)
        return checkpoint.save(made, checkpoints)


def refuse_replacing(case: Dataset, architecture: str, remedy: Remedy, *, seed: int, checkpoints: str | Path) -> None:
    """Raise a `RemedyError` if a fixed model would replace the checkpoint of one that was not fixed so."""
    path = checkpoint.folder(case.name, architecture, seed=seed, checkpoints=checkpoints)
    if path.is_dir() and checkpoint.remedy_of(path) != remedy.to_dict():
        raise RemedyError(f"{path} holds a model that was not fixed so; save the fixed one below another folder")


def fix(
    case: Dataset,
    architecture: str | Model,
    *,
    drop: Sequence[str] = (),
    merge: int | None = None,
    monotone: Mapping[str, int] | None = None,
    reweigh: str = "",
    recalibrate: bool = False,
    remedy: Remedy | None = None,
    seed: int = 0,
    device: str = "auto",
    before: Model | None = None,
    checkpoints: str | Path | None = None,
    narrator: Narrator | None = None,
) -> Fixed:
    """Return a model trained with a remedy, beside the model before; a remedy that only recalibrates trains nothing.

    Parameters
    ----------
    case : Dataset
        Rows with outcomes of two classes, one class of several (`Dataset.of_class`), or values.
    architecture : str or Model
        One of `dlx.architectures()`, whose checkpoint is the model before, trained where there is none; a model that dlx
        trained on the case, whose options and seed are those of the fixed one; or an estimator of your own, wrapped: clones
        of it are fitted on the training rows, without and with the remedy (`dlx.remedies.refitting`), unless it was trained
        on these rows itself (``dlx.wrap(..., trained_on="train")``).
    drop, merge, monotone, reweigh, recalibrate, remedy
        What is changed, as in `Remedy`; or all of that in one.
    seed, device : int, {"auto", "cpu", "cuda"}
        Seed of the training, and where a net is trained.
    before : Model, optional
        The model before, instead of the checkpoint: of dlx.train, an instance of the architecture.
    checkpoints : str or Path, optional
        The folder of trained models, and the only place to look; by default ./checkpoints, then the shipped ones.

    Raises
    ------
    RemedyError
        If nothing is to be changed, the table or the model does not have what is named, or dlx did not train the model on this
        case: what it cannot train again it cannot fix.
    ArchitectureError
        If there is no such architecture.
    TrainingError
        If the architecture cannot be bound to be monotone, or the table or the device does not do.
    """
    remedy = remedy or Remedy(tuple(drop), merge, dict(monotone or {}), reweigh, recalibrate)
    narrator, recoded = narrator or Narrator(), recoding_of(case.train, drop=remedy.drop, merge=remedy.merge)
    if isinstance(architecture, Model):
        before = architecture
    elif before is None:
        before = obtain(case, architecture, seed=seed, device=device, checkpoints=checkpoints, narrator=narrator)
    made_by = recipe_of(before, case)
    if before is architecture and made_by is None and can_be_refitted(before):
        return _refitted(case, before, remedy, recoded)
    if made_by is None or architecture not in (before, made_by.architecture):
        raise RemedyError(
            f"a remedy trains a model again, which needs one that dlx trained on {case.name!r}; {before.name} is not: "
            f"pass a name, one of {', '.join(architectures.names())}, a model of dlx.train, or an estimator that has fit, "
            f"wrapped; or {COMPARED}"
        )
    with narrator.step(f"Fixing {made_by.architecture} of {case.name}", "epochs") as update:
        model, settings = _mended(case, made_by, remedy, recoded, before, device=device, progress=update)
    model = model.renamed(f"{training.name_of(made_by.architecture, made_by.seed, made_by.config)} fixed")
    model = replace(model, trained_on=case.learnt_from)
    return Fixed(case, made_by, remedy, recoded, before, model, settings)


def recipe_of(model: Model, case: Dataset) -> Provenance | None:
    """Return how dlx trained a model on a case; None where it did not, or on other rows, or where more was done to it."""
    made_by = model.provenance
    return made_by if made_by is not None and made_by.data_sha256 in ("", case.sha256) else None


def known_remedy(case: Dataset) -> Remedy | None:
    """Return the remedy that the card of a case names, or merging of rare levels where a table has any, or None.

    Raises
    ------
    RemedyError
        If the card names what a remedy does not have.
    """
    if case.card.remedy:
        if unknown := sorted(set(case.card.remedy) - {one.name for one in fields(Remedy)}):
            raise RemedyError(f"the card of {case.name!r} names {', '.join(unknown)}, which a remedy does not have")
        named: dict[str, Any] = dict(case.card.remedy)
        return Remedy(**named)
    least = max(2, round(RARE_SHARE * len(case.train)))
    if not recoding_of(case.train, merge=least).groups:
        return None
    return Remedy(merge=least, because=f"Levels in fewer than {least} training rows are too rare to learn from.")


def _mended(
    case: Dataset, made_by: Provenance, remedy: Remedy, recoded: Recoding, before: Model, **asked: Any
) -> tuple[Model, dict[str, Any]]:
    """Return the model with the remedy, of the original columns, and the options of its training."""
    model, settings = before, training.options(made_by.architecture) | dict(made_by.config)
    if remedy.drop or remedy.monotone or remedy.reweigh or recoded.groups:
        trained = recoded.trained(case, made_by, weights=_weights(case, remedy), monotone=remedy.monotone, **asked)
        model, settings = recoded.restored(trained.model), trained.settings
    if remedy.recalibrate:
        model = recalibrated(model, case.validation, kind="platt", seed=made_by.seed)
        model = _folded(model) if isinstance(model, NeuralModel) else model
    return model, settings


def _weights(case: Dataset, remedy: Remedy) -> np.ndarray | None:
    """Return how much each training row counts, [rows]; None where all count the same."""
    train, own = case.whole.train, case.train.weights
    outcomes = train.outcomes
    if not remedy.reweigh:
        return own
    by_outcome, is_value = remedy.reweigh == BY_OUTCOME, case.schema.target.is_value
    if by_outcome and is_value:
        raise RemedyError(f"values of {case.schema.target.name!r} cannot weigh the same; reweigh a protected column's groups")
    if by_outcome or is_value:
        return balanced(outcomes if by_outcome else partition(case, remedy.reweigh).codes(train), own)
    return reweighing(partition(case, remedy.reweigh).codes(train), outcomes, own)


def _refitted(case: Dataset, model: Model, remedy: Remedy, recoded: Recoding) -> Fixed:
    """Return an estimator of the user's own before and after a remedy, both fitted on the training rows."""
    if case.several is not None:
        raise RemedyError(
            f"{model.name} tells {len(case.several.levels)} classes, of which one is not fitted alone; {COMPARED}"
        )
    if remedy.monotone:
        raise RemedyError(
            f"{model.name} is bound to rise or fall by its own option: monotonic_cst of scikit-learn, monotone_constraints of "
            f"XGBoost and LightGBM; {COMPARED}"
        )
    before, after = refitted(model, case, recoded, _weights(case, remedy))
    if remedy.recalibrate:
        after = recalibrated(after, case.validation, kind="platt", seed=0)
    return Fixed(case, Provenance(""), remedy, recoded, before, after.renamed(f"{model.name} fixed"), {})


def _folded(model: NeuralModel) -> NeuralModel:
    """Return a recalibrated net as a checkpoint holds it: its last line folded into its head, where that is the last layer."""
    import torch

    from dlx.model.networks import framed

    inner: torch.nn.Module
    line: Any
    inner, line = copy.deepcopy(model.network).children()
    head = [*inner.modules()][-1]
    if not isinstance(head, torch.nn.Linear):
        parts: Any = dict(inner.named_children()) if "recode" in dict(inner.named_children()) else {"network": inner}
        return model.remade(framed(**parts, line=line.requires_grad_(False)))
    with torch.no_grad():
        head.weight.mul_(line.weight)
        head.bias.mul_(line.weight[0, 0]).add_(line.bias[0])
    return model.remade(inner)
