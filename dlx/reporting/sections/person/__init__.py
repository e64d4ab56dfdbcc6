"""Some people, one by one: what the models say of them, and why, as far as methods agree."""
