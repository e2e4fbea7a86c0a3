"""Redis: taken names, counts and totals that every worker sees."""
