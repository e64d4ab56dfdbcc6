"""Which columns matter, and what the models do as they change."""
