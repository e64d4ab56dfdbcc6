"""What a coalition of columns is worth: the model's mean output when only these columns are the person's.

``v(S) = mean over reference rows b of f(x_S, b_rest)``, the interventional game of Lundberg and Lee (2017) and of
Janzing, Minorics and Blöbaum (2020). A player is an original column: a one-hot group comes and goes as one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dlx.model import Model, Scale

BLOCK_BYTES = 32 * 2**20  # of mixed rows that are held at a time


@dataclass(frozen=True, eq=False)
class Game:
    """The games of some people: one game a person, all with the same players and references.

    Parameters
    ----------
    model : Model
        Anything that predicts.
    rows : ndarray [people, players]
        Coded.
    background : ndarray [references, players]
        Coded; the values that absent players take.
    scale : {"logit", "probability", "value"}
        Unit of what coalitions are worth.
    """

    model: Model
    rows: np.ndarray
    background: np.ndarray
    scale: Scale

    @property
    def players(self) -> int:
        """Number of columns."""
        return self.rows.shape[1]

    def outputs(self) -> np.ndarray:
        """Return what everybody together is worth, [people]."""
        return self.model.predict(self.rows, self.scale)

    def references(self) -> np.ndarray:
        """Return the model's output of each reference row, [references]; their mean is what nobody is worth."""
        return self.model.predict(self.background, self.scale)

    def worth(self, members: np.ndarray) -> np.ndarray:
        """Return what coalitions are worth, [people, coalitions].

        Parameters
        ----------
        members : ndarray of bool [coalitions, players]
            Who is in each coalition.
        """
        size = self._block(len(self.background))
        worth = np.empty((len(self.rows), len(members)))
        for person, row in enumerate(self.rows):
            for start in range(0, len(members), size):
                some = members[start : start + size]
                mixed = np.where(some[:, None], row, self.background)  # [coalitions, references, players]
                worth[person, start : start + size] = self._predict(mixed).mean(axis=1)
        return worth

    def worth_by_reference(self, members: np.ndarray) -> np.ndarray:
        """Return what coalitions are worth against one reference row each, [people, references, coalitions].

        Parameters
        ----------
        members : ndarray of bool [references, coalitions, players]
            Every reference row has coalitions of its own.
        """
        worth = np.empty((len(self.rows), *members.shape[:2]))
        if not worth.size:
            return worth
        size = self._block(members.shape[1])
        for person, row in enumerate(self.rows):
            for start in range(0, len(members), size):
                some = members[start : start + size]
                mixed = np.where(some, row, self.background[start : start + size, None])
                worth[person, start : start + size] = self._predict(mixed)
        return worth

    def _predict(self, mixed: np.ndarray) -> np.ndarray:
        return self.model.predict(mixed.reshape(-1, self.players), self.scale).reshape(mixed.shape[:2])

    def _block(self, rows_of_one: int) -> int:
        return max(1, BLOCK_BYTES // (8 * self.players * rows_of_one))
