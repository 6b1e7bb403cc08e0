from __future__ import annotations

import msgspec
from rotonda.views.shown import Link, Place
from twisted.trial.unittest import SynchronousTestCase

from rotoro.table import Position


class LinkTests(SynchronousTestCase):
    def test_what_does_not_apply_is_left_out(self) -> None:
        link = Link(name="west", peer="192.0.2.1:323", state="idle", position=Place.of(Position(7, 1)))
        self.assertEqual(
            msgspec.json.decode(msgspec.json.encode(link)),
            {"name": "west", "peer": "192.0.2.1:323", "state": "idle", "position": {"epoch": 7, "serial": 1}},
        )
