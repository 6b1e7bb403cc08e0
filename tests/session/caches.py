"""What the tests of the cache's session share."""

from __future__ import annotations

from collections.abc import Iterable

from twisted.trial.unittest import SynchronousTestCase

from rotoro.session.cache import CacheData, CacheSession
from rotoro.session.effects import Effect, Stream
from rotoro.session.payload import Timers
from rotoro.table.history import History
from rotoro.wire import Decoder
from rotoro.wire.bulk import Prefixes, as_octets
from rotoro.wire.pdu import RTR_VERSIONS, Pdu
from tests.session.worlds import history, vrps

SESSION = 77


def streamed(effects: Iterable[Effect]) -> bytes:
    return b"".join(chunk for effect in effects if isinstance(effect, Stream) for chunk in effect.chunks)


def decoded(octets: bytes) -> list[tuple[int, Pdu]]:
    decoder = Decoder()
    decoder.receive(octets)
    found = list(decoder.items())
    assert not decoder.pending
    return found


def rows(pdus: Iterable[Pdu]) -> list[tuple[bool, bytes]]:
    """Prefix by prefix: announced, key."""
    return [
        row
        for run in pdus
        if isinstance(run, Prefixes)
        for row in zip(run.announced.tolist(), map(bytes, as_octets(run.keys)), strict=True)
    ]


class CacheCase(SynchronousTestCase):
    versions: tuple[int, ...] = RTR_VERSIONS

    def setUp(self) -> None:
        self.history = history(vrps(1, 2), serial=10)
        self.cache = self.session(self.history)

    def session(self, table: History, timers: Timers | None = None) -> CacheSession:
        data = CacheData.of(table, SESSION, timers or Timers(), self.versions)
        made = CacheSession(data)
        made.start(0.0)
        return made

    def ask(self, pdu: Pdu, version: int = 2, now: float = 0.0) -> list[Effect]:
        return self.cache.receive(version, pdu, now)

    def answer(self, pdu: Pdu, version: int = 2, now: float = 0.0) -> list[Pdu]:
        """A whole answer, sent out."""
        found = decoded(streamed(self.ask(pdu, version, now)))
        self.assertEqual({spoken for spoken, _ in found}, {version})
        self.cache.drained(now)
        return [pdu for _, pdu in found]
