"""The examples of spec/gateway.md are what is told."""

from __future__ import annotations

import json
import re
from typing import Any

from rotonda.gateway.chosen_rows import Wanted
from rotonda.gateway.ris_subscriptions import Subscriber
from rotonda.gateway.ris_updates import Updates
from rotonda.gateway.steps import KeptStep
from twisted.trial.unittest import SynchronousTestCase

from rotoro.table import EMPTY, AttributeStore, History, Ingress, IngressKind, Position, Snapshot
from tests.data import ROOT
from tests.gateway.copies import drained
from tests.gateway.test_table_stream import World
from tests.rib.tables import PlainRoute, attribute_set, snapshot_of

TEXT = (ROOT / "spec" / "gateway.md").read_text(encoding="utf-8")
TABLE, RIS = (block.splitlines() for block in re.findall(r"```json\n(.*?)\n```", TEXT, re.DOTALL))
PEER = Ingress(0, IngressKind.BGP, bytes((192, 0, 2, 1)), 64500)


def plain(message: bytes | str) -> Any:
    """A message without what examples leave out: the MED of the sets that tests have."""
    told = json.loads(message)
    for record in told.get("records", ()) if isinstance(told.get("records"), list) else ():
        record.pop("med", None)
    told.get("data", {}).pop("med", None)
    return told


def route(prefix: int, length: int) -> PlainRoute:
    return PlainRoute(4, prefix, length, 0, PEER, attribute_set(64496), 1)


class ExampleTests(SynchronousTestCase):
    def test_a_table(self) -> None:
        world = World(History(7, 1))
        world.history.commit(snapshot_of([route(10 << 24, 8)], world.store))
        reader = world.feed.join(Wanted())
        told = [plain(message.json) for message in drained(reader)]
        world.history.commit(Snapshot.of({}))
        told += [plain(message.json) for message in drained(reader)]
        self.assertEqual(told, list(map(plain, TABLE)))

    def test_ris_live(self) -> None:
        subscriber = Subscriber(lambda: ("bmp",))
        asked, acknowledged, update = RIS
        self.assertEqual([plain(message.json) for message in subscriber.hear(asked)], [plain(acknowledged)])
        store = AttributeStore()
        after = snapshot_of([route(10 << 24 | 1 << 16, 16)], store)
        step = KeptStep(1, EMPTY.diff(after), Position(1, 2))
        (told,) = [each for each in Updates("bmp").of(step, after, 1.0) if each is not None]
        self.assertEqual(plain(told.message(False).json), plain(update))
        self.assertTrue(all(group.wants(told, ()) for group in subscriber.groups))
