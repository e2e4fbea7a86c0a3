"""Redis: taken names and counts that every worker sees."""
