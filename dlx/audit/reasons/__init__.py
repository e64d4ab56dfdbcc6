"""Reasons for an adverse action (12 CFR 1002.9), in words that may be printed, and how far they can be relied on."""

from dlx.audit.reasons.association import Grouping, association, grouping
from dlx.audit.reasons.denials import Denial, Reason, ReasonsError, adverse_reasons, near_cutoff
from dlx.audit.reasons.proxies import Proxy, StandIns
from dlx.audit.reasons.spoken import Spoken
from dlx.audit.reasons.stability import Source, reason_stability
from dlx.audit.reasons.wording import ReasonMap

__all__ = [
    "Denial",
    "Grouping",
    "Proxy",
    "Reason",
    "ReasonMap",
    "ReasonsError",
    "Source",
    "Spoken",
    "StandIns",
    "adverse_reasons",
    "association",
    "grouping",
    "near_cutoff",
    "reason_stability",
]
