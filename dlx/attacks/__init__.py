"""How explanations are fooled, on a case's own data, and what finds it.

`fool` builds models that hide a protected column from LIME and Kernel SHAP, and nets with fragile gradients, and puts them
before defences; with ``full=True`` it tries all attacks and settings of this room. `attack` builds one such model.
"""

from dlx.attacks.defences import Gate, flipped_decisions
from dlx.attacks.fooling import Attack, Fooled, attack, fool
from dlx.attacks.gradients import rippled
from dlx.attacks.hidden_effects import hide_effect
from dlx.attacks.scaffold import AttackError, Scaffold, protected_column

__all__ = ["Attack", "AttackError", "Fooled", "Gate", "Scaffold", "attack", "flipped_decisions", "fool", "hide_effect"]
__all__ += ["protected_column", "rippled"]
