"""The experiment graph as records: what is declared, what was recorded, and what differs."""
