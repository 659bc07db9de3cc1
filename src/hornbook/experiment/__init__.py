"""Ablations: named sets of overrides, each in a workspace of its own."""
