"""Pre-flight: which methods are fit for a model, found out before they are believed."""

from dlx.audit.readiness.bench import Finding
from dlx.audit.readiness.inspection import findings
from dlx.audit.readiness.verdicts import preflight

__all__ = ["Finding", "findings", "preflight"]
