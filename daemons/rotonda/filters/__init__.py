"""Filters on batches: what the block language says about routes, done to columns."""
