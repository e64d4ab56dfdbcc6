"""Fairness: how groups of people are treated, which columns make the difference, and what would lessen it."""

from dlx.audit.fairness.groups import FairnessError, Partition, compared, partition
from dlx.audit.fairness.proxies import carriers, column_proxies, contrasts, explained_gap, proxy_strength
from dlx.audit.fairness.rates import GroupRates, Treated, group_rates, treatment
from dlx.audit.fairness.thresholds import Rule, fair_rule, trade_off

__all__ = ["FairnessError", "GroupRates", "Partition", "Rule", "Treated", "carriers", "column_proxies", "compared", "contrasts"]
__all__ += ["explained_gap", "fair_rule", "group_rates", "partition", "proxy_strength", "trade_off", "treatment"]
