"""Where instances listen and connect, as the language writes it."""

from __future__ import annotations

import socket

from rotonda.blocks.values import Address, SocketAddress
from rotonda.graph.places import listen_place, must_be_free, server_place
from rotonda.graph.plan import CannotRun
from twisted.trial.unittest import SynchronousTestCase


class PlaceTests(SynchronousTestCase):
    def test_all_forms(self) -> None:
        for value, wanted in (
            (8282, "127.0.0.1:8282"),
            ("192.0.2.1:1,public", "192.0.2.1:1"),
            (SocketAddress(Address.parse("127.0.0.2"), 7), "127.0.0.2:7"),
            (SocketAddress(Address.parse("::1"), 7), "[::1]:7"),
        ):
            self.assertEqual(str(listen_place("x", value).where), wanted)
        self.assertEqual(server_place("x", "192.0.2.1:3", 7).preference, 7)

    def test_nobody_listens_to_the_world_by_accident(self) -> None:
        with self.assertRaisesRegex(CannotRun, "here: anybody who reaches"):
            listen_place("here", "0.0.0.0:1")
        self.assertEqual(str(listen_place("here", "0.0.0.0:1", any_peer=True)), "0.0.0.0:1")

    def test_what_cannot_be(self) -> None:
        for value in ("nowhere", "127.0.0.1:99999", "tls:127.0.0.1:1,certificate=/nowhere,key=/nowhere"):
            with self.assertRaisesRegex(CannotRun, "^here: "):
                listen_place("here", value)
        with self.assertRaisesRegex(CannotRun, "^there: "):
            server_place("there", "127.0.0.1")

    def test_taken(self) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            at = listen_place("here", taken.getsockname()[1])
            with self.assertRaisesRegex(CannotRun, "here: .* cannot be listened at: Address already in use"):
                must_be_free("here", at)
        must_be_free("here", at)
