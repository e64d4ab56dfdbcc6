"""`dlx fix`: a model trained again with a remedy, and what that changed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dlx.cli.options import (
    OWN_MODELS,
    Background,
    Checkpoints,
    Device,
    Output,
    Seed,
    Table,
    ToldClass,
    TrainedOn,
    Trust,
    by_name,
    distinct,
    kept_below,
    known_models,
    opened,
    writable,
)
from dlx.cli.printing import print_before_after
from dlx.errors import DlxError

if TYPE_CHECKING:
    from dlx.dataset import Dataset
    from dlx.remedies import Fixed, Remedy

DIRECTIONS = {"up": 1, "down": -1}

Monotone = Annotated[
    list[str] | None,
    typer.Option(help="Column with which predictions must not fall or rise, as age:up or age:down; not of every model."),
]
Reweigh = Annotated[str, typer.Option(help="outcome: outcomes weigh the same; a protected column: its groups are reweighed.")]


def fix(
    table: Table,
    model: Annotated[list[str], typer.Option("--model", "-m", help=f"{OWN_MODELS} Repeat for several.")],
    level: ToldClass = None,
    drop: Annotated[list[str] | None, typer.Option(help="Column to leave out; repeat for several.")] = None,
    merge: Annotated[int | None, typer.Option(help="Merge levels with fewer training rows than this.", min=1)] = None,
    monotone: Monotone = None,
    reweigh: Reweigh = "",
    recalibrate: Annotated[bool, typer.Option(help="Stretch predictions on the validation rows.")] = False,
    trust: Trust = None,
    trained_on: TrainedOn = None,
    background: Background = 100,
    seed: Seed = 0,
    device: Device = "auto",
    checkpoints: Checkpoints = None,
    output: Output = None,
) -> None:
    """Train models again with a remedy, and compare accuracy, calibration, fairness and explanations before and after.

    Without any option the remedy is the one that the card of the case names. The fixed model is kept as a checkpoint below
    `fixed-<remedy>` of the output folder, from where `--checkpoints` takes it. Of an estimator of your own
    (file.py:object, .skops) clones are fitted on the training rows, without the remedy and with it.

    Example: `dlx fix heart_attack --model mlp --drop stroke_history --recalibrate`
    """
    from dlx import remedies
    from dlx.files import csv_text, file_name, write_atomically
    from dlx.progress import Narrator
    from dlx.remedies.fixing import refuse_replacing
    from dlx.reporting import case_of_page

    known_models(model)
    kept_below(checkpoints)
    data = case_of_page(table.data, level, Narrator())
    of_class = "" if data.several is None else f"-{file_name(data.schema.target.levels[1])}"
    remedy = _remedy(data, distinct(drop, "--drop"), merge, monotone, reweigh, recalibrate)
    folder = writable(output or Path(data.name))
    kept = folder / f"fixed-{remedy.digest}"
    models = [opened(name, data, trust, trained_on) for name in model]
    for one in models:
        if isinstance(one, str):
            refuse_replacing(data, one, remedy, seed=seed, checkpoints=kept)
    for one in models:
        fixed = remedies.fix(data, one, remedy=remedy, seed=seed, device=device, checkpoints=checkpoints)
        compared = fixed.before_after(background=background)
        stem = one if isinstance(one, str) else file_name(one.name)
        path = folder / f"{stem}-{seed}-fixed-{remedy.digest}{of_class}.csv"
        write_atomically(path, csv_text(compared))
        print_before_after(fixed.model.name, fixed.words, compared)
        print(path)
        why_not = _why_not_kept(fixed, data, is_ours=isinstance(one, str))
        print(f"{fixed.model.name} is not kept as a checkpoint: {why_not}" if why_not else fixed.save(kept))


def _why_not_kept(fixed: Fixed, data: Dataset, *, is_ours: bool) -> str:
    """Return why a model that was trained again does not become a checkpoint; "" where it does."""
    if not is_ours:
        return "fit it so where you make it, or ask dlx.fix in Python"
    if data.several is not None:
        return f"it speaks for one class of {len(data.several.levels)}"
    return "" if fixed.can_be_kept else "recalibrated, nothing is known of it but what it predicts"


def _remedy(
    data: Dataset, drop: list[str], merge: int | None, monotone: list[str] | None, reweigh: str, recalibrate: bool
) -> Remedy:
    """Return the remedy that the options name, or the one that the case is known to need."""
    from dlx.remedies import Remedy, known_remedy

    if drop or merge is not None or monotone or reweigh or recalibrate:
        bound = by_name(monotone, "--monotone", ":", DIRECTIONS.__getitem__, "column:up or column:down")
        return Remedy(tuple(drop), merge, bound, reweigh, recalibrate)
    if (known := known_remedy(data)) is None:
        raise DlxError(
            f"no remedy is known for {data.name}, whose levels are all frequent enough; name one: --drop, --merge, "
            "--monotone, --reweigh or --recalibrate"
        )
    return known
