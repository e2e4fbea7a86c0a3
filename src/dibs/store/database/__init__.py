"""How statements reach a database, and what its errors mean."""
