"""What many are told at once: first all of it is sent, then looked at."""

from __future__ import annotations

import socket
from collections.abc import Callable, Generator
from io import BytesIO
from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import inlineCallbacks
from twisted.internet.task import Clock
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import SynchronousTestCase

from rotoro.net.burst import MOST, Burst
from rotoro.session.cache import CacheSession
from rotoro.wire import encode
from rotoro.wire.rtr import EndOfData, SerialNotify, SerialQuery
from tests.net.servers import RESET, decoded, many
from tests.net.test_connection import LoopbackCase


class Saying:
    """A connection that has one thing to say."""

    def __init__(self, told: list[str], name: str, send: Callable[[bytes], int] = len) -> None:
        self.told, self.name, self._send = told, name, send
        self.transport: Any = self
        self.reactor = Clock()
        self.socket: Any = None
        self.taken = -1

    def first_words(self) -> tuple[Callable[[bytes], int], bytes]:
        def send(words: bytes) -> int:
            self.told.append(f"{self.name} sends")
            return self._send(words)

        return send, b"words"

    def said(self, words: bytes, taken: int) -> None:
        self.told.append(f"{self.name} said")
        self.taken = taken


class BurstTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.told: list[str] = []
        self.burst: Any = Burst()

    def test_all_is_sent_before_anything_is_looked_at(self) -> None:
        for name in "ab":
            self.burst.add(Saying(self.told, name))
        self.assertEqual(self.told, [])
        self.burst.send()
        self.assertEqual(self.told, ["a sends", "b sends", "a said", "b said"])
        self.burst.send()
        self.assertEqual(len(self.told), 4)

    def test_it_comes_by_itself_in_the_next_turn_and_again(self) -> None:
        first = Saying(self.told, "a")
        for count in (1, 2):
            self.burst.add(first)
            first.reactor.advance(0)
            self.assertEqual(self.told, ["a sends", "a said"] * count)

    def test_it_tells_when_the_first_should_wait_no_longer(self) -> None:
        for _ in range(MOST):
            self.assertFalse(self.burst.full)
            self.burst.add(Saying(self.told, "a"))
        self.assertTrue(self.burst.full)
        self.burst.send()
        self.assertEqual(len(self.told), 2 * MOST)
        self.assertFalse(self.burst.full)

    def test_words_that_are_known_already(self) -> None:
        """Who gives its words is not asked for them."""
        saying = Saying(self.told, "a")
        sent = BytesIO()
        saying.socket = SimpleNamespace(send=sent.write)
        self.burst.add(saying, b"known")
        self.burst.send()
        self.assertEqual(sent.getvalue(), b"known")
        self.assertEqual(self.told, ["a said"])
        self.assertEqual(saying.taken, 5)

    def test_a_broken_connection_harms_no_other(self) -> None:
        def broken(words: bytes) -> int:
            raise ConnectionResetError

        said = [Saying(self.told, "a", broken), Saying(self.told, "b")]
        for each in said:
            self.burst.add(each)
        self.burst.send()
        self.assertEqual([each.taken for each in said], [0, 5])


class LoopbackTests(LoopbackCase):
    """The same over TCP, where kernels have a say."""

    @inlineCallbacks
    def test_a_change_reaches_all(self) -> Generator[Any, Any, None]:
        routers = [self.socket() for _ in range(20)]
        yield deferToThread(lambda: [self.ask(router, RESET) for router in routers])
        self.change()
        query = encode(SerialQuery(9, 1), 2)
        for router in routers:
            notify, *_ = yield deferToThread(self.pdus, router, 12)
            self.assertEqual(notify, SerialNotify(9, 2))
            answer = yield deferToThread(self.ask, router, query)
            self.assertEqual(decoded(answer)[-1].serial, 2)

    @inlineCallbacks
    def test_one_whose_buffers_are_full(self) -> Generator[Any, Any, None]:
        """What the kernel does not take waits, and comes in its order."""
        router, other = self.socket(), self.socket()
        router.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        yield deferToThread(lambda: [self.ask(each, RESET) for each in (router, other)])
        for connection in self.factory.connections:
            connection.transport.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        self.change()
        yield deferToThread(self.pdus, other, 12)
        self.assertEqual((yield deferToThread(self.pdus, router, 12)), [SerialNotify(9, 2)])
        query = encode(SerialQuery(9, 1), 2)
        yield deferToThread(router.sendall, query * 2)
        answers = decoded((yield deferToThread(self.until_ends, router, 2)))
        self.assertEqual([pdu.serial for pdu in answers if isinstance(pdu, EndOfData)], [2, 2])

    @inlineCallbacks
    def test_one_that_is_gone(self) -> Generator[Any, Any, None]:
        gone, router = self.socket(), self.socket()
        yield deferToThread(lambda: [self.ask(each, RESET) for each in (gone, router)])
        gone.close()
        self.change()
        self.assertEqual((yield deferToThread(self.pdus, router, 12)), [SerialNotify(9, 2)])

    def change(self) -> None:
        self.table.commit(many(29_000))
        self.factory.changed()
        self.assertTrue(any(isinstance(each.session, CacheSession) for each in self.factory.connections))

    def ask(self, router: socket.socket, query: bytes) -> bytes:
        router.sendall(query)
        return self.until_ends(router, 1)

    def until_ends(self, router: socket.socket, count: int) -> bytes:
        end, heard = encode(EndOfData(9, 0, 0, 0, 0), 2)[:8], bytearray()
        while heard.count(end) < count or len(heard) < heard.rfind(end) + 24:
            piece = router.recv(1 << 16)
            self.assertTrue(piece)
            heard += piece
        return bytes(heard)

    def pdus(self, router: socket.socket, octets: int) -> list[Any]:
        return decoded(router.recv(octets, socket.MSG_WAITALL))
