"""Judging a model: how well it predicts, how calibrated and fair it is, where it errs, what would change its answers.

A room or a file a question: scores, miscalibration, recalibration, decisions; mispredictions; fairness; counterfactuals and
adverse-action reasons; and compatibility, which methods are fit to explain a model.
"""

from dlx.audit.compatibility import preflight
from dlx.audit.scores import performance

__all__ = ["performance", "preflight"]
