"""Users, sessions, teams and idempotent requests."""
