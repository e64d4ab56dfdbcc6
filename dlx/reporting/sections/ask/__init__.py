"""Anybody can be looked up, and anything changed: the workbench, in the page's own file."""
