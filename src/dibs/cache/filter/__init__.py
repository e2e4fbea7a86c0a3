"""A filter in each process that says which names are certainly free."""
