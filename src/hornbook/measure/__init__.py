"""What work takes on the device at hand; no artifact holds any of it."""
