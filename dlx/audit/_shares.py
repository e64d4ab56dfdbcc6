"""Intervals of shares, from where they were before `dlx.stats`."""

from dlx.stats import interval_of_share

__all__ = ["interval_of_share"]
