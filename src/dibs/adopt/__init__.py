"""Bringing people who are there already: what there is, who collides, what is kept."""
