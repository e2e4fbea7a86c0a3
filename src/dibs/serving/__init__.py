"""What `dibs serve` is made of: workers, a protocol of HTTP, and the way to Flask."""
