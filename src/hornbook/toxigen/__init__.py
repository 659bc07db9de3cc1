"""Safety score over 13 groups."""
