"""Benchmarks through lm-eval's task definitions, with error bars."""
