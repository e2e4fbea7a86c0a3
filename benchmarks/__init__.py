"""What dibs costs, each time beside something whose cost is known."""
