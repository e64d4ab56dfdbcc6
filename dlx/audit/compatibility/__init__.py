"""Compatibility: which methods are fit for a model, found out before they are believed."""

from dlx.audit.compatibility.verdicts import preflight

__all__ = ["preflight"]
