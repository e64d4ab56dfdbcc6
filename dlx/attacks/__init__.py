"""How explanations are fooled, on a case's own data, and what finds it: attacks, instability, and defences."""

from dlx.attacks.attacking import Attack, attack, protected_column, shown
from dlx.attacks.copies import copied_column, copy_finding, rows_with_copy, schema_with_copy, spread_credit
from dlx.attacks.defences import carry_over, flip_finding, flips, gate_finding
from dlx.attacks.dependence import HiddenEffect, dependence_finding, hide_effect
from dlx.attacks.findings import Finding, findings_frame
from dlx.attacks.gradients import fragility, gradient_finding, rippled
from dlx.attacks.instability import lime_settings, shap_backgrounds
from dlx.attacks.laboratory import Fooled, fool
from dlx.attacks.manifold import Gate, off_manifold_shares
from dlx.attacks.samples import VulnerabilityError
from dlx.attacks.scaffold import Scaffold

__all__ = [
    "Attack",
    "Finding",
    "Fooled",
    "Gate",
    "HiddenEffect",
    "Scaffold",
    "VulnerabilityError",
    "attack",
    "carry_over",
    "copied_column",
    "copy_finding",
    "dependence_finding",
    "findings_frame",
    "flip_finding",
    "flips",
    "fool",
    "fragility",
    "gate_finding",
    "gradient_finding",
    "hide_effect",
    "lime_settings",
    "off_manifold_shares",
    "protected_column",
    "rippled",
    "rows_with_copy",
    "schema_with_copy",
    "shap_backgrounds",
    "shown",
    "spread_credit",
]
