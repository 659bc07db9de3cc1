"""Synthetic textbooks."""
