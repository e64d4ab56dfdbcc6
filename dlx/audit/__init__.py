"""Whether a model can be believed, before it is explained."""

from dlx.audit.performance import performance

__all__ = ["performance"]
