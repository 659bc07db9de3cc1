"""Tests of the textbooks."""
