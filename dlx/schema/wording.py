"""Coded values in the words of a schema, whole columns at once: as many words are made as columns show different ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from dlx.schema.features import Feature

DIGITS, LARGE = 4, 1_000  # significant digits of what is no whole number, and from where on whole numbers are shown
NEAR_A_TIE = 1e-6  # of the last digit, where the digits of the number itself decide


def number_text(value: float) -> str:
    """Return a number as people read it: "1,235" from 1,000 on and where it is whole, else four significant digits."""
    return f"{value + 0.0:,.0f}" if float(value).is_integer() or abs(value) >= LARGE else f"{value:,.{DIGITS}g}"


def words_of(feature: Feature, column: np.ndarray) -> tuple[list[str], np.ndarray]:
    """Return the words that a column of codes [rows] shows, and which each value is, int [rows]; see `Feature.format`."""
    keys = column if feature.is_categorical or feature.date else _as_shown(column, feature.special_codes)
    different, which = np.unique(keys, return_inverse=True)
    return [feature.format(value) for value in different.tolist()], which


def _as_shown(column: np.ndarray, special: np.ndarray) -> np.ndarray:
    """Return numbers [rows] that are shown alike as one: rounded as they are shown; what is special is no such number."""
    sizes = np.abs(column)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        power = 10.0 ** (DIGITS - 1 - np.floor(np.log10(sizes)))
        scaled = column * power
        is_plain = np.abs(np.abs(scaled) % 1 - 0.5) > NEAR_A_TIE
        keys = np.where(is_plain & np.isfinite(scaled) & (power < np.inf), np.rint(scaled) / power, column)
        keys = np.where(sizes >= LARGE, np.rint(column), keys)
    is_other = np.isin(keys, special) & ~np.isin(column, special)
    return np.where(is_other | ~np.isfinite(keys), column, keys)
