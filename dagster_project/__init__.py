"""Dagster's view of the graph that dvc.yaml declares."""
