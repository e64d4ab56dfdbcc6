"""Fairness: how groups of people are treated, which columns make the difference, and what would lessen it."""

from dlx.audit.fairness.contributions import ExplainedGap, contrasts, explained_gap
from dlx.audit.fairness.groups import FairnessError, Partition, compared, intersections, partition
from dlx.audit.fairness.proxies import carriers, proxy_strength, telling
from dlx.audit.fairness.rates import GroupRates, group_rates
from dlx.audit.fairness.thresholds import Rule, fair_rule
from dlx.audit.fairness.trade_offs import trade_off

__all__ = [
    "ExplainedGap",
    "FairnessError",
    "GroupRates",
    "Partition",
    "Rule",
    "carriers",
    "compared",
    "contrasts",
    "explained_gap",
    "fair_rule",
    "group_rates",
    "intersections",
    "partition",
    "proxy_strength",
    "telling",
    "trade_off",
]
