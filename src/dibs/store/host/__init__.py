"""Names inside a host's own transaction."""
