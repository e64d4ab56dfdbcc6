"""What benchmark.py measures: worlds to explain, contests between libraries and dlx, and how cost grows."""
