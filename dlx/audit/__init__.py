"""Judging a model: how good, how calibrated and how fair it is, where it errs, what would change its answers, how it can hide.

A room or a file a question: performance, calibration, recalibration, decisions, references; mispredictions; fairness;
recourse, reasons; vulnerability; and readiness, which methods are fit to explain it.
"""

from dlx.audit.compatibility import findings, preflight
from dlx.audit.performance import performance

__all__ = ["findings", "performance", "preflight"]
