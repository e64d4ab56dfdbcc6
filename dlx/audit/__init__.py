"""Judging a model: how good it is, and which methods are fit to explain it."""

from dlx.audit.performance import performance
from dlx.audit.readiness import findings, preflight

__all__ = ["findings", "performance", "preflight"]
