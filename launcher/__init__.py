"""The `pretext-server` command: the only place that knows all parts of the house."""
