"""Sign-ups by other libraries, as their documentation shows them."""
