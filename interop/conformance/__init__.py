"""What RTR asks of a cache and of a router, as cases that talk octets to whatever claims to be one."""
