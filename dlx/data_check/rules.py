"""The rules of the data check: what each looks for, which number it measures, where its line is, and why there."""

from __future__ import annotations

from typing import NamedTuple

from dlx.redundancy import ALIKE, SURELY_ALIKE, TELLS_ALL


class Rule(NamedTuple):
    """What one kind of finding is."""

    kind: str
    title: str
    what: str  # is measured, in words
    line: float  # from which on it is found
    source: str  # of the line
    is_least: bool = True  # whether it is found from the line on, or up to it


_EVERY = (
    Rule(
        "id",
        "Id",
        "share of rows whose value is no other row's",
        0.05,
        "a value in twenty rows or fewer tells people apart, where the name says id; so do whole numbers that all differ and "
        "rise from row to row, or lie evenly spread: they can only be learned by heart",
    ),
    Rule("index", "Saved index", "share of rows whose whole number is above that of the row before", 1, "a count of rows"),
    Rule(
        "constant",
        "Constant",
        "rows that have another value than the rest",
        4,
        "fewer than five rows: no rate of an outcome can be told of them",
        is_least=False,
    ),
    Rule("empty", "Empty", "rows that have a value", 0, "there is nothing to learn from", is_least=False),
    Rule("text", "Free text", "words of a value", 3, "a level has a word or two; and half of the texts are seen once"),
    Rule("date", "Date", "share of values that are dates", 0.9, "a few slips are left to a date"),
    Rule("copy", "Copy", "how far one follows from the other", SURELY_ALIKE, "the same but for rounding of doubles"),
    Rule(
        "near copy",
        "Near copy",
        "correlation of Pearson or Spearman, or how far one follows from the other",
        ALIKE,
        "our convention: nine tenths of the variance are shared; an explanation may credit either",
    ),
    Rule(
        "leak",
        "Leak",
        "ROC AUC of the column alone, or its share of the variance of a numeric outcome",
        TELLS_ALL,
        "no honest predictor of people reaches it; with an interval that ends above .9",
    ),
    Rule(
        "leaking pair",
        "Leaking pair",
        "ROC AUC of two columns together",
        TELLS_ALL,
        "as of one column; neither of the two reaches .95 alone",
    ),
    Rule(
        "special code",
        "Special code",
        "rows with the code",
        3,
        "twice may be chance; codes are −1, −9, 99, 999 and their like outside the run of the rest, by three of its steps and "
        "half its spread, or more frequent than what stands beside them; and 0 where all else is far above",
    ),
    Rule(
        "far cell",
        "Far cell",
        "how probable so large a gap is, of all columns, in tails as heavy as those of the other values",
        0.03,
        "of thirty sound tables, one has such a cell by chance; a heavy tail is no fault",
        is_least=False,
    ),
    Rule(
        "moving cell",
        "Cell that alone moves a model",
        "change of the prediction with the column's end in its place, as a share of how far the 1 % and the 99 % point of all "
        "predictions are apart",
        1,
        "one cell then says more than all columns of nearly all people do; cells are tried that lie three times as far from "
        "the median as nine in ten of their side; on the scale of the model, log-odds for probabilities; from 3 on a person "
        "decides",
    ),
    Rule(
        "duplicate rows",
        "Duplicate rows",
        "how probable so many repeated rows are by chance",
        1e-3,
        "rows of few columns repeat themselves by chance; how often follows from rows that are apart in one column only",
        is_least=False,
    ),
    Rule(
        "level seen once",
        "Level seen once",
        "rows of the level",
        1,
        "it is in training or in test, never in both",
        is_least=False,
    ),
    Rule(
        "few events",
        "Few events",
        "rows of the rarest outcome in the test rows",
        30,
        "with fewer, the interval of a ROC AUC of .75 reaches from poor (.65) to excellent (.85); fewer than 10 have no rate",
        is_least=False,
    ),
    Rule(
        "shift",
        "Shift",
        "share of the test rows that would have to change their value to be spread as the training rows",
        0.1,
        "our convention: one row in ten; and beyond chance, by a test at .1 % over all columns",
    ),
)
RULES = {rule.kind: rule for rule in _EVERY}
