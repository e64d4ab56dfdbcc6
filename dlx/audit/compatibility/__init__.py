"""Pre-flight: which methods are fit for a model, found out before they are believed."""

from dlx.audit.compatibility.bench import Finding
from dlx.audit.compatibility.inspection import findings
from dlx.audit.compatibility.verdicts import preflight

__all__ = ["Finding", "findings", "preflight"]
