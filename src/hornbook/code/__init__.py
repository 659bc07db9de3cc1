"""From source files to filtered code."""
