"""Many caches in one thread, which answer queries with any octets that they are given."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
from collections.abc import Callable, Sequence

from interop.peers.processes import LOOPBACK

_HEADER = 8

Answer = Callable[[bytes], bytes]
"""Gets a query."""


class FakeCaches:
    """So many listening ports, each with one connection at a time; they answer rightly but for once when told to.

    Once only, as a wrong answer may name another Retry and be taken: a second one would keep routers away so long.
    """

    def __init__(self, count: int, right: Answer) -> None:
        self._selector = selectors.DefaultSelector()
        listening = [socket.create_server((LOOPBACK, 0)) for _ in range(count)]
        self.ports = [each.getsockname()[1] for each in listening]
        self.served = [0] * count
        """How many queries each has answered rightly since it was told to be wrong."""
        self._heard: list[bytearray] = [bytearray() for _ in range(count)]
        """What routers said on the newest connection of each, as far as it was not answered."""
        self._right = right
        self._wrong: dict[int, bytes] = {}
        self._open: dict[int, socket.socket] = {}
        self._answered: set[int] = set()
        self._lock = threading.Lock()
        self._ended = False
        for number, each in enumerate(listening):
            self._selector.register(each, selectors.EVENT_READ, (number, True))
        self._listening = listening
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def be_wrong(self, answers: Sequence[bytes]) -> None:
        """Hang up; the next query of each gets this, and then the end."""
        with self._lock:
            self._wrong = dict(enumerate(answers))
            self.served = [0] * len(answers)
            for number in list(self._open):
                self._hang_up(number)

    def close(self) -> None:
        """Be gone."""
        self._ended = True
        self._thread.join()
        for each in [*self._listening, *self._open.values()]:
            each.close()
        self._selector.close()

    def _run(self) -> None:
        while not self._ended:
            for key, _ in self._selector.select(0.05):
                number, listens = key.data
                with self._lock:
                    if listens:
                        self._welcome(number)
                    elif key.fileobj is self._open.get(number):
                        self._hear(number)

    def _welcome(self, number: int) -> None:
        with contextlib.suppress(OSError):
            connection, _ = self._listening[number].accept()
            self._hang_up(number)
            self._open[number] = connection
            self._answered.discard(number)
            self._heard[number].clear()
            self._selector.register(connection, selectors.EVENT_READ, (number, False))

    def _hear(self, number: int) -> None:
        connection = self._open[number]
        octets = b""
        with contextlib.suppress(OSError):
            octets = connection.recv(1 << 16)
        if not octets:
            self._hang_up(number)
            return
        heard = self._heard[number]
        heard += octets
        while len(heard) >= _HEADER and len(heard) >= (length := max(_HEADER, int.from_bytes(heard[4:8]))):
            query = bytes(heard[:length])
            del heard[:length]
            if number not in self._answered:
                self._say(number, connection, query)

    def _say(self, number: int, connection: socket.socket, query: bytes) -> None:
        wrong = self._wrong.pop(number, None)
        with contextlib.suppress(OSError):
            if wrong is None:
                connection.sendall(self._right(query))
                self.served[number] += 1
            else:
                self._answered.add(number)
                connection.sendall(wrong)
                connection.shutdown(socket.SHUT_WR)

    def _hang_up(self, number: int) -> None:
        connection = self._open.pop(number, None)
        if connection is not None:
            self._selector.unregister(connection)
            connection.close()
