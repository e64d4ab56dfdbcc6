"""How good the models are, whether their probabilities come true, and what acting on them is worth."""
