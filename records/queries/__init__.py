"""All queries, a file per noun. Each takes the session of the caller's transaction first; none commits."""
