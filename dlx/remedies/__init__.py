"""What would fix a model: the same recipe with a remedy, and what it changed."""
