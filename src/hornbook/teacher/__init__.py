"""The teacher that writes textbooks and judges pages, embedded or behind an endpoint."""
