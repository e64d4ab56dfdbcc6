"""Gradients of a network along paths: its graph, running sums and breakpoints of ReLUs that switch, and DeepLIFT's rule.

They need torch, and are imported from their files.
"""
