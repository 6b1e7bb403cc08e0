"""Conversations as pure state machines: PDUs and time in, effects out. No clock, no socket, no Twisted.

Read `base` and `effects` first. `cache` and `router` are the two sides of RTR, `peer` and `follower` those of Rotoro,
and `negotiation` decides between them. Beside each side stands what it works on: `payload` is RPKI data between tables
and PDUs, `held` what a router has of a cache; `routes` writes brackets and `bracket` reads them; `tables` is what is
served, `followed` what is followed, `parameters` what both sides go by.
"""
