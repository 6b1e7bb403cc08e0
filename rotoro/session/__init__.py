"""Conversations as pure state machines: PDUs and time in, effects out. No clock, no socket, no Twisted."""
