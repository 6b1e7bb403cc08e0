"""A server for tests, whose connections are in memory."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from rotoro.net.limits import Limits
from rotoro.net.server import ServerFactory
from rotoro.session.cache import CacheData
from rotoro.session.tables import ServedTables
from rotoro.table.history import History
from rotoro.table.records import Records
from rotoro.table.slots import VRP4
from rotoro.table.snapshot import Snapshot
from rotoro.wire import Decoder, encode
from rotoro.wire.rotoro import RecordKind
from rotoro.wire.rtr import ResetQuery
from tests.net.logs import Logged
from tests.net.transports import PullTransport, connected
from tests.session.worlds import history, vrps

LIMITS = Limits(connections=50)
RESET = encode(ResetQuery(), 2)


def many(count: int) -> Snapshot:
    """So many VRPs."""
    keys = [(10 << 24 | number).to_bytes(4) + b"\x20\x20" + b"\0\0\1\1" for number in range(count)]
    return Snapshot.of({VRP4: Records.of(VRP4, keys)})


def decoded(octets: bytes) -> list[Any]:
    decoder = Decoder()
    decoder.receive(octets)
    return [pdu for _, pdu in decoder.items()]


class ServerCase(SynchronousTestCase):
    table: History

    def setUp(self) -> None:
        self.clock = Clock()
        self.table = history(vrps(1, 2), serial=1)
        self.make()

    def make(self) -> None:
        tables = ServedTables()
        tables.add("rpki", RecordKind.RPKI, self.table)
        self.factory = ServerFactory(self.clock, tables, CacheData.of(self.table, 7), limits=LIMITS)
        self.log = Logged(self)

    def connect(self, octets: bytes = b"") -> PullTransport:
        transport = connected(self.factory.buildProtocol(None))
        if octets:
            transport.protocol.dataReceived(octets)
        return transport
