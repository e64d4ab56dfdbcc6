"""Generated tables and fitted estimators whose truth is known, held against what dlx makes of them."""
