"""What the textbooks are about."""
