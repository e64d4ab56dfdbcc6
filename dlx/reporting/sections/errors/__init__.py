"""Where it errs: people of whom models were sure, slices, what pushed errors, the loss explained, and a remedy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from dlx import cases
from dlx.context import RunContext
from dlx.model import Model
from dlx.remedies import known_remedy
from dlx.reporting.phrases import not_trained_words, sentence
from dlx.reporting.sections.blocks import Block, Folded, Heading, Listed, Section, Words
from dlx.reporting.sections.errors import drawn, grids, told
from dlx.reporting.sections.errors.measured import Found, measure

KEY, TITLE = "errors", "Where it errs"


def section(setting: RunContext, models: Sequence[Model]) -> Section:
    """Return where the models that cannot be read are wrong on the test rows, why, and what a remedy changes."""
    test, target = setting.case.test, setting.case.schema.target
    if test.outcomes is None or len(np.unique(test.outcomes)) < 2:
        words = f"All {len(test)} test rows have the same outcome: errors of both kinds cannot be told apart."
        return Section(KEY, TITLE, (words,), (Words((words,)),))
    found = measure(setting, models)
    return Section(
        key=KEY,
        title=TITLE,
        findings=told.findings(found, target),
        blocks=(
            *_wrong(found, setting),
            *_searched(found),
            *_pushed(found, setting),
            *_losses(found),
            *_remedied(found, setting),
        ),
        tables=_tables(found),
        covers=told.evidence(found, target),
    )


def _wrong(found: Sequence[Found], setting: RunContext) -> list[Block]:
    target = setting.case.schema.target
    tables = [table for one in found if (table := grids.worst(one, target)) is not None]
    return [Listed(tuple(told.opening(one, target) for one in found)), Heading("Sure, and wrong"), *tables]


def _searched(found: Sequence[Found]) -> list[Block]:
    blocks: list[Block] = [
        Heading("In which parts of the table"),
        Words((told.METHOD,)),
        Listed(tuple(told.hard_and_wrong(found))),
    ]
    if (table := grids.slices(found)) is not None:
        blocks.append(table)
    return [*blocks, *[figure for of in drawn.MEASURES if (figure := drawn.slices_figure(found, of)) is not None]]


def _pushed(found: Sequence[Found], setting: RunContext) -> list[Block]:
    target = setting.case.schema.target
    blocks: list[Block] = [
        Heading("What pushed towards errors"),
        Listed(tuple(line for one in found for line in told.pushed(one, target))),
    ]
    figure = drawn.pushes_figure(found, target)
    return blocks if figure is None else [*blocks, figure]


def _losses(found: Sequence[Found]) -> list[Block]:
    figure = drawn.losses_figure(found)
    if figure is None:
        return []
    return [Heading("The loss explained"), Listed(tuple(told.losses(one) for one in found if len(one.losses))), figure]


def _command(setting: RunContext, fixed: Sequence[Found]) -> str:
    """Return the command that trains a shipped case so; nothing for a table of one's own, of which only the name is known."""
    some = [one.fixed for one in fixed if one.fixed is not None]
    if setting.case.name not in cases.names():
        return ""
    seed = f" --seed {some[0].seed}" if some[0].seed else ""
    return f" (dlx fix {setting.case.name} {' '.join(f'--model {one.architecture}' for one in some)}{seed})"


def _remedied(found: Sequence[Found], setting: RunContext) -> list[Block]:
    heading, remedy = Heading("A remedy, before and after"), known_remedy(setting.case)
    if remedy is None:
        return [heading, Words(("No remedy is known for this table: its card names none, and no level is rare.",))]
    fixed = [one for one in found if one.fixed is not None]
    if not fixed:
        return [heading, Words(("None of these models was trained by dlx, so that none can be trained again.",))]
    first = fixed[0].fixed
    assert first is not None
    left = not_trained_words([one.model.name for one in found if one.fixed is None])
    figure = drawn.change_figure(fixed)
    groups = tuple(table for one in fixed if (table := grids.rates(one)) is not None)
    return [
        heading,
        Words(
            tuple(
                filter(
                    None, (remedy.because, left, f"The models were trained again with this remedy{_command(setting, fixed)}:")
                )
            )
        ),
        Listed(tuple(sentence(clause) for clause in first.words)),
        Listed(tuple(told.remedied(one) for one in fixed)),
        *[grids.change(one) for one in fixed],
        *([Folded("What the remedy changes for groups", groups)] if groups else []),
        *([figure] if figure is not None else []),
    ]


def _tables(found: Sequence[Found]) -> dict[str, pd.DataFrame]:
    tables = {
        "errors_overconfidence": [one.sure for one in found],
        "errors_confident": [one.worst for one in found],
        "errors_slices_loss": [tested.table for one in found for tested in one.slices[:1]],
        "errors_slices_risk": [tested.table for one in found for tested in one.slices[1:]],
        "errors_pushes": [one.pushed for one in found],
        "errors_losses": [one.losses for one in found],
        "errors_before_after": [one.change for one in found],
        "errors_training_seeds": [one.seeds for one in found],
    }
    kept = {name: [table for table in parts if len(table)] for name, parts in tables.items()}
    return {name: pd.concat(parts, ignore_index=True) for name, parts in kept.items() if parts}
