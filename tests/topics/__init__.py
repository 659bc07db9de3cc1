"""Tests of the topics."""
