"""Intervals of shares: Wilson's, which is not empty where everybody or nobody is counted, as a bootstrap's would be."""

from __future__ import annotations

import numpy as np

from dlx.bootstrap import LEVEL, Interval


def interval_of_share(flags: np.ndarray) -> Interval:
    """Return the share of true flags [people] with its 95 % interval (Wilson 1927); NaN where there is nobody."""
    from scipy.stats import binomtest

    if not len(flags):
        return Interval(np.nan, np.nan, np.nan)
    ends = binomtest(int(np.sum(flags)), len(flags)).proportion_ci(LEVEL, method="wilson")
    return Interval(float(np.mean(flags)), float(ends.low), float(ends.high))
