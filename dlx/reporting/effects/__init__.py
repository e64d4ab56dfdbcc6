"""The part of the page on what columns do: partial dependence, ALE, pairs of columns, permutation importance."""
