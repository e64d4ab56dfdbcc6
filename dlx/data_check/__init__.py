"""The data check: what each column of a table was taken for, and what in it would spoil a model or a page.

`RULES` says of each kind of finding what is measured, where its line is, and why.
"""

from dlx.data_check.checking import check
from dlx.data_check.finding import DataCheck, Finding
from dlx.data_check.rules import RULES, Rule

__all__ = ["RULES", "DataCheck", "Finding", "Rule", "check"]
