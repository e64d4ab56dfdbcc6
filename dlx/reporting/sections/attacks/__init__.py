"""How explanations are fooled, and what finds it: attacks on the explainers, on the case's own data."""
