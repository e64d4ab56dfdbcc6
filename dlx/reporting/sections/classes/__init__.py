"""All classes of a case of several: which is taken for which, and how sure the models are."""
