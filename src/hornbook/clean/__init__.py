"""Corpora without duplicates and without what the benchmarks ask."""
