"""HTTP in, records out. Never imports torch."""
