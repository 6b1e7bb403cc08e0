"""Many connections that the reactor sees as one."""

from __future__ import annotations

import select
import socket
from collections.abc import Generator
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import inlineCallbacks
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from rotoro.net.crowd import HAS_EPOLL, Crowd
from rotoro.wire.rtr import CacheResponse
from tests.net.servers import RESET, decoded
from tests.net.test_connection import LoopbackCase


class Reactor:
    """What a crowd tells its reactor."""

    seconds = 5.0

    def __init__(self) -> None:
        self.readers: set[Any] = set()

    def addReader(self, reader: Any) -> None:
        self.readers.add(reader)

    def removeReader(self, reader: Any) -> None:
        self.readers.discard(reader)

    def removeWriter(self, writer: Any) -> None:
        pass


class Member:
    """A transport of one end of a pair of sockets."""

    def __init__(self, net: Reactor, does: Any = None) -> None:
        self.reactor: Any = net
        self.ours, self.theirs = socket.socketpair()
        self.heard: list[bytes] = []
        self.lost: list[type[BaseException] | None] = []
        self.half: list[type[BaseException] | None] = []
        self._does = does

    def fileno(self) -> int:
        return self.ours.fileno()

    def startReading(self) -> None:
        self.reactor.addReader(self)

    def stopReading(self) -> None:
        self.reactor.removeReader(self)

    def doRead(self) -> Exception | None:
        self.heard.append(self.ours.recv(100))
        if self._does is not None:
            return self._does()  # type: ignore[no-any-return]
        return None if self.heard[-1] else ConnectionDone()

    def readConnectionLost(self, reason: Failure) -> None:
        self.half.append(reason.type)

    def connectionLost(self, reason: Failure) -> None:
        self.lost.append(reason.type)
        self.stopReading()

    def close(self) -> None:
        self.ours.close()
        self.theirs.close()


class CrowdTests(SynchronousTestCase):
    if not HAS_EPOLL:
        skip = "this system has no epoll"

    def setUp(self) -> None:
        self.net = Reactor()
        self.crowd = Crowd()

    def member(self, does: Any = None) -> Member:
        made = Member(self.net, does)
        self.addCleanup(made.close)
        made.startReading()
        self.crowd.take_in(made)
        return made

    def test_only_the_crowd_is_at_the_reactor(self) -> None:
        members = [self.member() for _ in range(3)]
        self.assertEqual(self.net.readers, {self.crowd})
        self.assertEqual(members[0].reactor.seconds, 5.0)
        for member in members:
            member.stopReading()
            member.stopReading()
        self.assertEqual(self.net.readers, set())
        self.assertEqual(self.crowd.fileno(), -1)
        members[1].startReading()
        self.assertEqual(self.net.readers, {self.crowd})

    def test_the_reactor_sees_that_somebody_speaks(self) -> None:
        members = [self.member() for _ in range(3)]
        self.assertEqual(select.select([self.crowd], [], [], 0)[0], [])
        members[2].theirs.send(b"words")
        self.assertEqual(select.select([self.crowd], [], [], 5)[0], [self.crowd])
        self.crowd.doRead()
        self.assertEqual([member.heard for member in members], [[], [], [b"words"]])

    def test_one_that_pauses_is_not_read(self) -> None:
        member, other = self.member(), self.member()
        member.theirs.send(b"a")
        other.theirs.send(b"b")
        member.stopReading()
        self.crowd.doRead()
        self.assertEqual((member.heard, other.heard), ([], [b"b"]))
        member.startReading()
        self.crowd.doRead()
        self.assertEqual(member.heard, [b"a"])

    def test_a_mistake_costs_one_connection(self) -> None:
        def mistaken() -> None:
            raise ZeroDivisionError

        bad, good = self.member(mistaken), self.member()
        for member in (bad, good):
            member.theirs.send(b"a")
        self.crowd.doRead()
        self.assertEqual((bad.lost, good.lost, good.heard), ([ZeroDivisionError], [], [b"a"]))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_who_goes_while_others_are_read(self) -> None:
        members = [self.member() for _ in range(2)]
        for member, other in (members, members[::-1]):
            member._does = other.stopReading
            member.theirs.send(b"a")
        self.crowd.doRead()
        self.assertEqual(sum(len(member.heard) for member in members), 1)

    def test_half_closed_and_lost(self) -> None:
        half, lost = self.member(), self.member(lambda: ConnectionLost())
        half.theirs.shutdown(socket.SHUT_WR)
        lost.theirs.send(b"a")
        self.crowd.doRead()
        self.assertEqual((half.half, half.lost), ([ConnectionDone], []))
        self.assertEqual((lost.half, lost.lost), ([], [ConnectionLost]))
        self.assertEqual(self.net.readers, set())

    def test_when_the_reactor_stops(self) -> None:
        members = [self.member() for _ in range(3)]
        self.crowd.connectionLost(Failure(ConnectionLost()))
        self.assertEqual([member.lost for member in members], [[ConnectionLost]] * 3)
        self.assertEqual(self.net.readers, set())


class ServerTests(LoopbackCase):
    """A server's routers are one for the reactor."""

    if not HAS_EPOLL:
        skip = "this system has no epoll"

    @inlineCallbacks
    def test_routers_are_read_together(self) -> Generator[Any, Any, None]:
        routers = [self.socket() for _ in range(5)]
        for router in routers:
            yield deferToThread(router.sendall, RESET)
            answer = yield deferToThread(router.recv, 8, socket.MSG_WAITALL)
            self.assertIsInstance(decoded(answer)[0], CacheResponse)
        net: Any = reactor
        transports = {connection.transport for connection in self.factory.connections}
        self.assertEqual(len(transports), 5)
        self.assertFalse(transports & set(net.getReaders()))
        crowds = [reader for reader in net.getReaders() if isinstance(reader, Crowd)]
        self.assertEqual(len(crowds), 1)
        for router in routers:
            router.close()
        while self.factory.connections:
            yield deferLater(net, 0.01, lambda: None)
        self.assertNotIn(crowds[0], net.getReaders())
