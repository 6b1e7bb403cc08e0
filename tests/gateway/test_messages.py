"""Messages in the forms in which they are sent."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from rotonda.gateway.messages import Form, Message, place_text, read_place
from twisted.trial.unittest import SynchronousTestCase
from wsproto import ConnectionType
from wsproto.connection import Connection
from wsproto.events import TextMessage

from rotoro.table import Position

U64 = st.integers(0, 2**64 - 1)


class FormTests(SynchronousTestCase):
    def test_frames_are_those_that_the_library_writes(self) -> None:
        for length in (0, 1, 125, 126, 127, 65535, 65536, 70_000):
            text = "x" * length
            expected = Connection(ConnectionType.SERVER).send(TextMessage(text))
            self.assertEqual(Message(text.encode(), "x").framed(Form.WEBSOCKET), expected)

    def test_events(self) -> None:
        message = Message.of("complete", Position(7, 1), records=1)
        octets = b'id: 7-1\nevent: complete\ndata: {"type":"complete","records":1}\n\n'
        self.assertEqual(message.framed(Form.EVENTS), octets)
        self.assertEqual(message.framed(Form.LINES), b'{"type":"complete","records":1}\n')
        self.assertIs(message.framed(Form.EVENTS), message.framed(Form.EVENTS))

    @settings(deadline=None)
    @given(U64, U64)
    def test_places(self, epoch: int, serial: int) -> None:
        self.assertEqual(read_place(place_text(Position(epoch, serial))), Position(epoch, serial))

    def test_no_places(self) -> None:
        for words in ("", "-", "1", "1-", "-1", "1-2-3", "a-b", "1 -2", "²-1", "1" * 50, "99999999999999999999-1"):
            with self.subTest(words=words):
                self.assertRaises(ValueError, read_place, words)
