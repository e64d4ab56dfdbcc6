"""People of whom a model was sure and wrong, and whether there are more of them than its probabilities admit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from dlx.audit.mispredictions.deciding import FALSE_NEGATIVE, FALSE_POSITIVE, Verdicts
from dlx.errors import DlxError
from dlx.explanation import Explanation

if TYPE_CHECKING:
    import pandas as pd

LEVELS = (0.05, 0.1, 0.2)
DRAWS = 10_000
PUSHING = 3


def confident_errors(judged: Verdicts, *, most: int = 10, explanation: Explanation | None = None) -> pd.DataFrame:
    """Return the wrong decisions of which the model was surest, the surest first; a line a person.

    Parameters
    ----------
    judged : Verdicts
        Who was decided about how.
    most : int
        How many people at most.
    explanation : Explanation, optional
        Of the same rows: then `pushed_by` names the columns that pushed most towards the error.

    Returns
    -------
    DataFrame
        `person` (the row's name), `kind`, `outcome`, `risk`, `loss` (log loss, nats), where an explanation is given
        `pushed_by`, and the person's columns as the table spells them. No lines where nothing is wrong. No intervals: these
        are single people.

    Raises
    ------
    DlxError
        If the explanation is one of other rows.
    """
    import pandas as pd

    worst = np.flatnonzero(judged.wrong)
    worst = worst[np.argsort(-judged.losses[worst], kind="stable")][:most]
    target = judged.people.schema.target
    lines = pd.DataFrame(
        {
            "model": judged.model,
            "person": judged.people.index[worst],
            "kind": np.where(judged.flagged[worst], FALSE_POSITIVE, FALSE_NEGATIVE),
            "outcome": np.array(target.level_labels, dtype=object)[judged.outcomes[worst].astype(int)],
            "risk": judged.predicted[worst],
            "loss": judged.losses[worst],
        }
    )
    if explanation is not None:
        lines["pushed_by"] = [_pushed_by(judged, explanation, int(row)) for row in worst]
    return pd.concat([lines, judged.people[worst].frame.reset_index(drop=True)], axis=1)


def _pushed_by(judged: Verdicts, explanation: Explanation, row: int) -> str:
    """Return the columns that pushed a person most towards the error, with their values: "Age: 24 years; Savings: none"."""
    if not np.array_equal(explanation.rows, judged.people.rows, equal_nan=True):
        raise DlxError("the explanation must be of the people who were judged, in their order; explain judged.people")
    towards = explanation.values[row] * (1 if judged.flagged[row] else -1)
    towards = np.where(np.isnan(towards), 0.0, towards)
    chosen = [i for i in np.argsort(-towards, kind="stable")[:PUSHING] if towards[i] > 0]
    features = judged.people.schema.features
    return "; ".join(f"{features[i].label}: {features[i].format(judged.people.rows[row, i])}" for i in chosen)


def sureness(judged: Verdicts, *, levels: Sequence[float] = LEVELS, seed: int = 0) -> pd.DataFrame:
    """Return how often the model gave little probability to what happened, beside how often it should have.

    Were the probabilities right, each person's outcome would be a draw from them; the range is that of 10,000 such draws.

    Parameters
    ----------
    judged : Verdicts
        Who was decided about how.
    levels : sequence of float
        What counts as little: probabilities below 1/2.
    seed : int
        Seed of the draws.

    Returns
    -------
    DataFrame
        A line a level: `observed` people, `expected` with the ends of the 95 % range of draws (`low`, `high`), and `p`,
        the share of draws with at least as many.

    Raises
    ------
    DlxError
        If a level is not above 0 and below 1/2.
    """
    import pandas as pd

    if not all(0 < level < 0.5 for level in levels):
        raise DlxError(f"levels must be probabilities above 0 and below 1/2, got {', '.join(f'{x:g}' for x in levels)}")
    rng = np.random.default_rng(seed)
    lines = []
    for level in levels:
        rare = np.minimum(judged.predicted, 1 - judged.predicted)
        some = rare[rare < level]
        drawn = sum((rng.random(DRAWS) < chance for chance in some), start=np.zeros(DRAWS, dtype=int))
        observed = int((judged.given < level).sum())
        low, high = np.quantile(drawn, (0.025, 0.975), method="inverted_cdf")
        lines.append(
            (judged.model, level, len(judged), observed, some.sum(), low, high, (1 + (drawn >= observed).sum()) / (1 + DRAWS))
        )
    return pd.DataFrame(lines, columns=["model", "level", "rows", "observed", "expected", "low", "high", "p"])
