"""A tap between a router and a cache, neither of which knows: it keeps every octet, and can hold or cut the line.

Octets pass as they come, so that what is seen is what the two programs really said to each other.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Self

from interop.conformance.octets import Heard, split
from interop.peers.processes import LOOPBACK

_PIECE = 1 << 16


class Conversation:
    """One connection through the tap: what the router said, and what the cache said."""

    def __init__(self, router: socket.socket, cache: socket.socket) -> None:
        self._ends = router, cache
        self.asked = bytearray()
        self.answered = bytearray()

    def close(self) -> None:
        """Hang up on both."""
        for end in self._ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


class Tap:
    """Listens on `port` in the place of the cache on another port."""

    def __init__(self, cache: int) -> None:
        self._cache = cache
        self._listening = socket.create_server((LOOPBACK, 0))
        self.port: int = self._listening.getsockname()[1]
        self._passing = threading.Event()
        self._passing.set()
        self.conversations: list[Conversation] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def asked(self) -> list[Heard]:
        """Every whole PDU of the router, over all connections so far."""
        return [pdu for each in list(self.conversations) for pdu in split(bytes(each.asked))[0]]

    def answered(self) -> list[Heard]:
        """Every whole PDU of the cache that has come to the tap."""
        return [pdu for each in list(self.conversations) for pdu in split(bytes(each.answered))[0]]

    def hold(self) -> None:
        """Let nothing that the cache says pass, until `release`: to the router, the cache is mute."""
        self._passing.clear()

    def release(self) -> None:
        """Let pass what was held, and what comes."""
        self._passing.set()

    def cut(self) -> None:
        """Hang up on both sides; the next connection is welcome."""
        for each in list(self.conversations):
            each.close()

    def close(self) -> None:
        """Be gone."""
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self.release()
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                router, _ = self._listening.accept()
            except OSError:
                return
            try:
                cache = socket.create_connection((LOOPBACK, self._cache), 10)
            except OSError:
                router.close()
                continue
            cache.settimeout(None)
            made = Conversation(router, cache)
            self.conversations.append(made)
            for words in ((router, cache, made.asked, None), (cache, router, made.answered, self._passing)):
                threading.Thread(target=self._pump, args=(made, *words), daemon=True).start()

    @staticmethod
    def _pump(
        made: Conversation,
        source: socket.socket,
        sink: socket.socket,
        kept: bytearray,
        passing: threading.Event | None,
    ) -> None:
        with contextlib.suppress(OSError):
            while octets := source.recv(_PIECE):
                kept += octets
                if passing is not None:
                    passing.wait()
                sink.sendall(octets)
        made.close()
