"""Adverse-action reasons (12 CFR 1002.9): why a person was denied, in words that may be printed, and how far they hold."""

from dlx.audit.adverse_action.denials import Denial, ReasonsError, Source, adverse_reasons, near_cutoff, reason_stability
from dlx.audit.adverse_action.rules import Grouping, ReasonMap, ReasonRules, association, grouping

__all__ = ["Denial", "Grouping", "ReasonMap", "ReasonRules", "ReasonsError", "Source", "adverse_reasons", "association"]
__all__ += ["grouping", "near_cutoff", "reason_stability"]
