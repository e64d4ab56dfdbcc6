"""Fairness: how groups of people are treated, which columns make the difference, and what would lessen it."""

from dlx.audit.fairness.contributions import carriers, contrasts, explained_gap
from dlx.audit.fairness.groups import FairnessError, Partition, compared, partition
from dlx.audit.fairness.proxies import column_proxies, proxy_strength
from dlx.audit.fairness.rates import GroupRates, group_rates
from dlx.audit.fairness.thresholds import Rule, fair_rule, trade_off

__all__ = [
    "FairnessError",
    "GroupRates",
    "Partition",
    "Rule",
    "carriers",
    "column_proxies",
    "compared",
    "contrasts",
    "explained_gap",
    "fair_rule",
    "group_rates",
    "partition",
    "proxy_strength",
    "trade_off",
]
