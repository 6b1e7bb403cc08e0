"""The three programs: what their command lines say, and what they are put together from."""
