"""Our cache around two states of its data, which it goes to and fro between on a word, and says when it did.

    python -m interop.bench.committing_cache PORT FILE FILE

A line on the standard input is the word; the answer is a line with the seconds of CLOCK_MONOTONIC, taken when the new
state and what leads there lay ready to be committed, as in a daemon when the thread that reads its file is done.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from secrets import randbits
from typing import Any

from rotonda.rpki.exports import read_export
from twisted.internet.stdio import StandardIO
from twisted.protocols.basic import LineReceiver

from interop.peers.processes import LOOPBACK
from rotoro.net.server import ServerFactory
from rotoro.session.cache import CacheData
from rotoro.session.tables import ServedTables
from rotoro.table import History


class Commits(LineReceiver):
    """The words."""

    delimiter = b"\n"

    def __init__(self, reactor: Any, port: int, files: list[Path]) -> None:
        self._reactor = reactor
        self._now, self._next = (read_export(file.read_bytes(), str(file), 0).snapshot() for file in files)
        self._there, self._back = self._now.diff(self._next), self._next.diff(self._now)
        self._history = History(randbits(64), 0)
        self._history.commit(self._now)
        self._routers = ServerFactory(reactor, ServedTables(), CacheData.of(self._history, 1))
        reactor.listenTCP(port, self._routers, interface=LOOPBACK)

    def lineReceived(self, line: bytes) -> None:
        """Go to the other state."""
        began = time.monotonic()
        self._history.commit(self._next, self._there)
        self._routers.changed()
        self._now, self._next, self._there, self._back = self._next, self._now, self._back, self._there
        print(f"committed: {began:.9f}", flush=True)

    def connectionLost(self, reason: object = None) -> None:
        """Whoever gave the word is gone."""
        if self._reactor.running:
            self._reactor.stop()


def main() -> None:
    """Serve until the standard input ends."""
    from twisted.internet import reactor

    StandardIO(Commits(reactor, int(sys.argv[1]), [Path(word) for word in sys.argv[2:4]]))
    print("ready", flush=True)
    reactor.run()


if __name__ == "__main__":
    main()
