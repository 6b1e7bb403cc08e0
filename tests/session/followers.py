"""What the tests of the following side share."""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from rotoro.session.effects import Effect
from rotoro.session.follower import FollowingPeer, Want
from rotoro.session.parameters import Parameters
from rotoro.session.routes import RotoroEncoder
from rotoro.table.attributes import AttributeStore
from rotoro.table.history import State as TableState
from rotoro.table.serial import Position
from rotoro.table.snapshot import Snapshot
from rotoro.wire import Decoder
from rotoro.wire.pdu import ROTORO, Pdu
from rotoro.wire.rotoro import Catalogue, HelloAck, Params, RecordKind, TableEntry
from tests.session.worlds import sent, vrps

PARAMS = Params(0, 1 << 20, 1 << 20, 20, "server")
ENTRY = TableEntry(1, RecordKind.RPKI, 3, 0, 0, 2, 5, 1, "one")


def decoded(pieces: Any) -> list[Pdu]:
    decoder = Decoder()
    decoder.receive(b"".join(pieces))
    return [pdu for _, pdu in decoder.items()]


class FollowerCase(SynchronousTestCase):
    want = Want()
    expire = 7200

    def setUp(self) -> None:
        self.peer = FollowingPeer(
            lambda entry: self.want, AttributeStore(), lambda i: i, Parameters(expire=self.expire)
        )

    def hear(self, *pdus: Pdu, now: float = 0.0) -> list[Effect]:
        return [effect for pdu in pdus for effect in self.peer.receive(ROTORO, pdu, now)]

    def open(self, *entries: TableEntry, now: float = 0.0) -> list[Any]:
        self.peer.start(now)
        return sent(self.hear(HelloAck(0), PARAMS, Catalogue(entries or (ENTRY,)), now=now))[1:]

    def whole(self, table: Snapshot, serial: int = 1, number: int = 1) -> list[Pdu]:
        return decoded(RotoroEncoder(number).snapshot(TableState(Position(5, serial), table)))

    def diff(self, before: Snapshot, after: Snapshot, serial: int) -> list[Pdu]:
        state = TableState(Position(5, serial), after)
        return decoded(RotoroEncoder(1).diff(before.diff(after), Position(5, serial - 1), state))

    def load(self, now: float = 0.0) -> None:
        self.open(now=now)
        self.hear(*self.whole(vrps(1, 2)), now=now)
