from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from rotoro.net.server import ServerFactory
from rotoro.session.cache import CacheData
from rotoro.session.tables import ServedTables
from rotoro.wire import encode
from rotoro.wire.rotoro import Catalogue, Params, RecordKind
from rotoro.wire.rtr import ResetQuery
from tests.net.transports import PullTransport
from tests.session.worlds import history, vrps


class ServerFactoryTests(SynchronousTestCase):
    def test_the_catalogue_and_the_status_reach_followers_only(self) -> None:
        table, tables = history(vrps(1)), ServedTables()
        served = tables.add("rpki", RecordKind.RPKI, table)
        factory = ServerFactory(Clock(), tables, CacheData.of(table, 7))
        plain, ours = PullTransport(), PullTransport()
        for transport, octets in (
            (plain, encode(ResetQuery(), 2)),
            (ours, bytes.fromhex("80020000 00000008") + encode(Params(0, 1 << 20, 1 << 20, 20, "x"), 0x80)),
        ):
            transport.protocol = factory.buildProtocol(None)
            transport.protocol.makeConnection(transport)
            transport.protocol.dataReceived(octets)
            transport.pull()
            transport.clear()
        tables.add("more", RecordKind.RPKI, history())
        factory.catalogue_changed()
        factory.status_changed(served)
        plain.pull()
        ours.pull()
        self.assertEqual((plain.value(), ours.value()), (b"", encode(Catalogue(tables.entries), 0x80)))
