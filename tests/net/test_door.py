"""Tests for L{rotoro.net.door}, on sockets that the test makes up and on a port of this machine."""

from __future__ import annotations

import errno
import socket
from collections.abc import Generator
from ipaddress import ip_network
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import inlineCallbacks
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock, deferLater
from twisted.trial.unittest import SynchronousTestCase, TestCase

from rotoro.net.door import NOT_ALLOWED, PAUSE_SECONDS, REFUSED_AT_ONCE, Door
from rotoro.net.limits import Counters, Quiet
from tests.net.logs import Logged


class Made:
    """A connection as the kernel gives it."""

    def __init__(self) -> None:
        self.closed = False

    def close(self) -> None:
        self.closed = True


class ListeningSocket:
    """Gives, one after the other, what it was told to: addresses, or errors."""

    def __init__(self, *given: Any) -> None:
        self.given = list(given)
        self.made: list[Made] = []
        self.closed = False

    def accept(self) -> tuple[Made, Any]:
        if not self.given:
            raise BlockingIOError(errno.EAGAIN, "none")
        given = self.given.pop(0)
        if isinstance(given, OSError):
            raise given
        self.made.append(Made())
        return self.made[-1], given

    def fileno(self) -> int:
        return 7

    def close(self) -> None:
        self.closed = True


class Port:
    """What a port has that a door needs."""

    def __init__(self, listening: Any) -> None:
        self.socket = listening
        self.connected, self.disconnecting = True, False
        self.reading = True

    def pauseProducing(self) -> None:
        self.reading = False

    def resumeProducing(self) -> None:
        self.reading = True


class FullFactory:
    """Has room for those that it likes."""

    def __init__(self, *refused: str) -> None:
        self.counters, self.quiet = Counters(), Quiet()
        self.refused = refused

    def no_room(self, host: str) -> str | None:
        return "too many" if host in self.refused else None


GOOD, OTHER = ("192.0.2.1", 1000), ("2001:db8::1", 1000, 0, 0)
FULL = OSError(errno.EMFILE, "Too many open files")


class DoorTests(SynchronousTestCase):
    def door(self, listening: ListeningSocket, factory: Any = None, *allow: str) -> Any:
        self.clock, self.listening, self.port = Clock(), listening, Port(listening)
        self.log = Logged(self, "what")
        door = Door(self.clock, tuple(map(ip_network, allow)), factory, "the port")
        door.guard(self.port)
        self.assertIs(self.port.socket, door)
        return door

    def test_who_may_come_comes(self) -> None:
        door = self.door(ListeningSocket(GOOD, OTHER))
        self.assertEqual([door.accept()[1], door.accept()[1]], [GOOD, OTHER])
        self.assertRaises(BlockingIOError, door.accept)
        self.assertEqual((door.fileno(), self.log.lines), (7, []))

    def test_only_those_who_are_allowed(self) -> None:
        door = self.door(ListeningSocket(GOOD, OTHER, GOOD), None, "2001:db8::/32")
        self.assertEqual(door.accept()[1], OTHER)
        self.assertRaises(BlockingIOError, door.accept)
        self.assertEqual([made.closed for made in self.listening.made], [True, False, True])
        self.assertEqual(door.counters.refused, {NOT_ALLOWED: 2})
        self.assertEqual(self.log.lines[0], f"192.0.2.1:1000: refused by the port: {NOT_ALLOWED}")

    def test_only_those_for_whom_there_is_room(self) -> None:
        factory = FullFactory("2001:db8::1")
        door = self.door(ListeningSocket(OTHER, GOOD), factory)
        self.assertEqual(door.accept()[1], GOOD)
        self.assertEqual(factory.counters.refused, {"too many": 1})
        self.assertEqual(self.log.lines, ["[2001:db8::1]:1000: refused by the port: too many"])

    def test_a_flood_is_told_now_and_then_and_lets_others_have_their_turn(self) -> None:
        door = self.door(ListeningSocket(*[GOOD] * 250), FullFactory("192.0.2.1"))
        self.assertRaises(BlockingIOError, door.accept)
        self.assertEqual((len(self.listening.made), len(self.log.lines)), (REFUSED_AT_ONCE, 20))

    def test_without_descriptors_connections_wait(self) -> None:
        door = self.door(ListeningSocket(FULL, FULL, GOOD))
        for _ in range(2):
            self.assertRaises(BlockingIOError, door.accept)
            self.assertFalse(self.port.reading)
            self.clock.advance(PAUSE_SECONDS)
            self.assertTrue(self.port.reading)
        door.accept()
        self.assertEqual((door.counters.pauses, len(self.clock.getDelayedCalls())), (1, 0))
        self.assertEqual(
            self.log.lines,
            [
                "the port: Too many open files: connections wait until there is room",
                "the port: connections are accepted again",
            ],
        )

    def test_other_errors_are_for_who_calls(self) -> None:
        door = self.door(ListeningSocket(OSError(errno.ECONNABORTED, "gone")))
        self.assertRaises(OSError, door.accept)
        self.assertTrue(self.port.reading)

    def test_the_end(self) -> None:
        door = self.door(ListeningSocket(FULL))
        self.assertRaises(BlockingIOError, door.accept)
        door.close()
        self.assertTrue(self.listening.closed)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_a_port_that_is_closing_stays_closed(self) -> None:
        door = self.door(ListeningSocket(FULL))
        self.assertRaises(BlockingIOError, door.accept)
        self.port.disconnecting = True
        self.clock.advance(PAUSE_SECONDS)
        self.assertFalse(self.port.reading)


class LoopbackTests(TestCase):
    """The same before a port of Twisted's."""

    timeout = 30

    @inlineCallbacks
    def test_a_real_port(self) -> Generator[Any, Any, None]:
        net: Any = reactor
        factory = Factory.forProtocol(Protocol)
        factory.noisy = False
        port = net.listenTCP(0, factory, interface="127.0.0.1")
        door = Door(net, (ip_network("192.0.2.0/24"),), factory, "the port")
        door.guard(port)
        with socket.create_connection(("127.0.0.1", port.getHost().port)) as made:
            made.setblocking(False)
            while not door.counters.refused:
                yield deferLater(net, 0.01, lambda: None)
            self.assertEqual(made.recv(1), b"")
        yield port.stopListening()
