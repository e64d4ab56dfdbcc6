"""Fairness: how groups of people are treated, what makes the difference, and what would lessen it."""
