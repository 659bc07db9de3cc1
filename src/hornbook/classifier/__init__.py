"""phi-1's filter: annotate a sample, fit a classifier, score everything, compare."""
