"""Reasons for an adverse action."""
