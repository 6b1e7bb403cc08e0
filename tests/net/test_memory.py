"""What is free goes back to the system; and where there is none, one session ends and no other."""

from __future__ import annotations

import ctypes
import inspect
from collections.abc import Callable
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

import rotoro.net.protocol
import rotoro.wire.decoder
from rotoro.net import memory
from rotoro.wire.codec import decode, encode
from rotoro.wire.rtr import EndOfData, SerialQuery
from tests.net.servers import RESET, ServerCase, decoded

_QUERY: Any = inspect.unwrap(rotoro.net.protocol._query)


class MemoryTests(SynchronousTestCase):
    def test_it_can_be_asked_for_anywhere(self) -> None:
        memory.give_back()

    def test_where_there_is_nobody_to_ask(self) -> None:
        class Library:
            pass

        self.patch(ctypes, "CDLL", lambda name: Library())
        memory.give_back()


class ShortageTests(ServerCase):
    """Attack test 50: every time that a PDU is read or written in a conversation, there may be no memory for it."""

    def refuse(self, first: int) -> list[int]:
        """None at the call of this number and, if there is one, at the next; how many calls were made."""
        calls = [0]

        def refusing(real: Callable[..., Any]) -> Callable[..., Any]:
            def call(*arguments: Any) -> Any:
                calls[0] += 1
                if calls[0] == first:
                    raise MemoryError
                return real(*arguments)

            return call

        self.patch(rotoro.net.protocol, "encode", refusing(encode))
        self.patch(rotoro.wire.decoder, "decode", refusing(decode))
        # queries that were read before are kept, and would not be read again
        self.patch(rotoro.net.protocol, "_query", _QUERY)
        return calls

    def test_at_each_place(self) -> None:
        place, ended = 0, 0
        while True:
            place += 1
            self.make()
            known = self.connect(RESET)
            known.pull()
            calls = self.refuse(place)
            unlucky = self.connect(RESET)
            unlucky.pull()
            unlucky.protocol.dataReceived(encode(SerialQuery(9, 77), 2))
            unlucky.pull()
            made = calls[0]
            self.refuse(0)
            with self.subTest(place=place):
                ended += unlucky.half_closed
                self.assertEqual(unlucky.half_closed, made >= place)
                known.clear()
                known.protocol.dataReceived(RESET)
                known.pull()
                self.assertIsInstance(decoded(known.value())[-1], EndOfData)
                self.assertFalse(known.half_closed)
            if made < place:
                break
        self.assertGreater(ended, 2)
        self.assertEqual(self.flushLoggedErrors(), [])
