"""Tests of asking the teacher."""
