"""Fairness: how groups of people are treated, which columns make the difference, and what would lessen it."""
