"""Gradients of a network along paths: its graph, the breakpoints where ReLUs switch, and DeepLIFT's rescale rule.

They need torch, and are imported from their files.
"""
