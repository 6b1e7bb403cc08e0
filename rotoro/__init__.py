"""Rotoro: the protocol that lets routing-data programs talk to each other, a superset of RPKI-to-Router (RTR)."""
