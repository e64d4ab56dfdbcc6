"""After the search over combinations: changes made no larger than they must be, and the lowest risk within reach."""

from __future__ import annotations

import numpy as np

from dlx.arrays import same
from dlx.audit.recourse.actions import Columns
from dlx.audit.recourse.search import Question, Trail, closest, combined

PASSES = 3  # over all columns, when the lowest risk is looked for


def nearer(question: Question, trail: Trail, columns: Columns, changed: np.ndarray) -> np.ndarray:
    """Return a changed person [features] with each number as near to the original as real people's values allow."""
    schema = question.actions.schema
    options = question.actions.options(trail.row, all_observed=True)
    for column in columns:
        if schema.features[column].is_categorical:
            continue
        values = options[column]
        values = values[np.abs(values - trail.row[column]) < np.abs(changed[column] - trail.row[column])]
        tried, which = combined(changed, {(column,): values[:, None]}, [((column,),)])
        possible = question.actions.possible(trail.row, tried)
        tried, which = tried[possible], which[possible]
        if not len(tried):
            continue
        risks = question.risk(tried)
        trail.evaluations += len(tried)
        suffices = np.flatnonzero(question.crosses(risks))
        chosen = closest(question.crowd, trail.row, tried[suffices], which[suffices], trail.loneliness)
        changed = tried[suffices[chosen[0]]] if len(chosen) else changed
    return changed


def lowest(question: Question, trail: Trail) -> None:
    """Note the lowest risk within reach: from the best combination, each move in turn over all values of real people."""
    moves = question.actions.moves(trail.row, all_observed=True)
    for _ in range(PASSES):
        before = trail.best_risk
        for move, values in moves.items():
            tried, _which = combined(trail.best_row, {move: np.vstack([values, trail.row[list(move)]])}, [(move,)])
            tried = question.actions.settle(tried, trail.row)
            tried = tried[question.actions.possible(trail.row, tried)]
            if not len(tried):
                continue
            risks = question.risk(tried)
            trail.evaluations += len(tried)
            best = int(risks.argmin())
            if risks[best] < trail.best_risk:
                trail.best_row, trail.best_risk = tried[best], float(risks[best])
        if trail.best_risk == before:
            break
    if question.crosses(np.array([trail.best_risk]))[0]:
        _undo(question, trail, list(moves))


def _undo(question: Question, trail: Trail, moves: list[Columns]) -> None:
    """Note the person of the lowest risk as found, unless unlike real people, with every move taken back that may be."""
    changed = trail.best_row.copy()
    for move in moves:
        tried = changed[None].copy()
        tried[:, move] = trail.row[list(move)]
        tried = question.actions.settle(tried, trail.row)
        is_fine = question.actions.possible(trail.row, tried)[0] and question.crosses(question.risk(tried))[0]
        changed = tried[0] if is_fine else changed
    trail.evaluations += len(moves)
    if question.crowd.loneliness(changed[None])[0] <= trail.loneliness:
        trail.found[tuple(np.flatnonzero(~same(changed, trail.row)).tolist())] = changed
    else:
        trail.only_strange = True


def diverse(question: Question, trail: Trail) -> list[tuple[Columns, np.ndarray]]:
    """Return some of what was found: the fewest columns and the closest first, then those that share least with the chosen."""
    distance = {columns: question.crowd.metric.between(trail.row, row[None])[0] for columns, row in trail.found.items()}
    left = sorted(trail.found, key=lambda columns: (len(columns), distance[columns]))
    chosen: list[Columns] = left[:1]
    while len(chosen) < min(question.wanted, len(trail.found)):
        rest = [columns for columns in left if columns not in chosen]
        chosen.append(min(rest, key=lambda columns: max(_overlap(columns, other) for other in chosen)))
    return [(columns, trail.found[columns]) for columns in chosen]


def _overlap(one: Columns, other: Columns) -> float:
    return len(set(one) & set(other)) / len(set(one) | set(other))
