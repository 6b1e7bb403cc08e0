"""Small answers to many peers, sent one right after the other.

A send to a peer that sleeps has to wake it, which takes longer than the rest of the send; the next one of many peers on
the same way, be that a processor or a network card, finds it awake. So what a turn of the reactor gives to say is said
at its end, and a change is told to all before anybody's answer is looked at.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rotoro.net.connection import Conversing

MOST = 1024
"""Connections after which it is time to send, so that the first does not wait for thousands."""

Words = bytes | memoryview
Part = tuple["Conversing", Callable[[Words], int], Words | None]
"""Who, how, and what, if that is known already."""


class Burst:
    """Connections that have something small to say, until it is said."""

    __slots__ = ("_asked", "_waiting")

    def __init__(self) -> None:
        self._waiting: list[Part] = []
        self._asked = False

    @property
    def full(self) -> bool:
        """Whether it is time to send, although more have something to say."""
        return len(self._waiting) >= MOST

    def add(self, connection: Conversing, words: Words | None = None) -> None:
        """These words, or else what it then has to say, go out before the reactor waits again."""
        self._waiting.append(
            (connection, connection.transport.socket.send, words) if words else (connection, len, None)
        )
        if not self._asked:
            self._asked = True
            connection.transport.reactor.callLater(0, self._turn)

    def send(self) -> None:
        """Say it all."""
        waiting, self._waiting = self._waiting, []
        parts = [(who, send, words) if words is not None else (who, *who.first_words()) for who, send, words in waiting]
        taken = [_taken(send, words) for _, send, words in parts]  # as little as possible between one and the next
        for (connection, _, words), octets in zip(parts, taken, strict=True):
            connection.said(words, octets)

    def _turn(self) -> None:
        self._asked = False
        self.send()


def _taken(send: Callable[[Words], int], words: Words) -> int:
    """How many octets the kernel took: none if it has no room, or if the connection is lost, as will soon be found."""
    try:
        return send(words)
    except OSError:
        return 0
