"""Changes of tables as messages of RIS Live, and as the octets of BGP in them."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from rotonda.bgp.attributes import parsed
from rotonda.bgp.messages import MOST_OCTETS
from rotonda.gateway import ris_updates
from rotonda.gateway.ris_updates import Told, Updates
from rotonda.gateway.steps import KeptStep
from rotonda.rib.ingresses import IngressRegistry
from twisted.trial.unittest import SynchronousTestCase

from rotoro.table import AttributeStore, Ingress, IngressKind, IngressState, Position, Snapshot
from tests.gateway.copies import routes_of
from tests.rib.tables import PlainRoute, attribute_set, ingresses, random_routes, snapshot_of

ORIGINS = ingresses()
NOW = 1_700_000_000.5


def told(before: Snapshot, after: Snapshot) -> list[Told]:
    step = KeptStep(3, before.diff(after), Position(1, 4))
    for side in (before, after):
        for slot, records in side.items():
            slot.retain(records.values)
    return [each for each in Updates("bmp").of(step, after, NOW) if each is not None]


def read(each: Told, raw: bool = False) -> dict[str, Any]:
    message = json.loads(each.message(raw).json)
    assert message["type"] == "ris_message"
    data: dict[str, Any] = message["data"]
    return data


class Held:
    """What a client makes of it: attributes by peer and prefix; paths are not told apart."""

    def __init__(self) -> None:
        self.routes: dict[tuple[str, str], set[str]] = {}

    def take(self, data: dict[str, Any]) -> None:
        for prefix in data.get("withdrawals", ()):
            self.routes.pop((data["peer"], prefix), None)
        for each in data.get("announcements", ()):
            for prefix in each["prefixes"]:
                self.routes.setdefault((data["peer"], prefix), set()).add(json.dumps(data["path"]))


class UpdateTests(SynchronousTestCase):
    @settings(deadline=None, max_examples=40)
    @given(st.integers(0, 50), st.integers(0, 40), st.integers(0, 50), st.integers(0, 40))
    def test_what_is_there_at_the_end(self, seed: int, count: int, other: int, more: int) -> None:
        """Only which prefixes each peer has: paths of one prefix RIS Live cannot tell apart."""
        store, held = AttributeStore(), Held()
        first, second = (snapshot_of(random_routes(*each, ORIGINS), store) for each in ((seed, count), (other, more)))
        for each in [*told(Snapshot.of({}), first), *told(first, second)]:
            held.take(read(each))
        peers = {ingress.number: f"192.0.2.{ingress.number}" for ingress in ORIGINS}
        expected = set()
        for _, number, prefix, _ in routes_of(second):
            expected.add((peers[number], prefix))
        self.assertEqual(set(held.routes), expected)

    def test_one_message_for_many_prefixes(self) -> None:
        store = AttributeStore()
        routes = [PlainRoute(4, number << 8, 24, 0, ORIGINS[0], attribute_set(64496), number) for number in range(300)]
        routes += [
            PlainRoute(4, 1 << 31 | number << 8, 24, 0, ORIGINS[0], attribute_set(64497), 7) for number in range(9)
        ]
        found = [read(each, raw=True) for each in told(Snapshot.of({}), snapshot_of(routes, store))]
        self.assertEqual([len(each["announcements"][0]["prefixes"]) for each in found], [300, 9])
        self.assertEqual(
            {name: own for name, own in found[0].items() if name not in ("announcements", "raw", "id")},
            {
                "timestamp": 299.0, "peer": "192.0.2.0", "peer_asn": "64500", "host": "bmp", "type": "UPDATE",
                "path": [64500, 64496], "origin": "IGP", "med": 0,
            },
        )  # fmt: skip
        self.assertEqual(len({each["id"] for each in found}), 2)
        self.assertEqual(found[0]["announcements"][0]["next_hop"], "192.0.2.1")
        self.assertNotIn("withdrawals", found[0])

    def test_members(self) -> None:
        normal = (
            bytes.fromhex("40010102 4002 14 0202 0000fbf4 0000fbf5 0102 00000009 00000007 400304c0000201")
            + bytes.fromhex("8004040000000a c00708 0000fbf4 c0000209 c00808 fbf40001 fbf40002")
        )  # fmt: skip
        store = AttributeStore()
        ((each,),) = [told(Snapshot.of({}), snapshot_of([PlainRoute(4, 0, 0, 0, ORIGINS[0], normal, 1)], store))]
        data = read(each, raw=True)
        self.assertEqual(
            [data[name] for name in ("path", "origin", "med", "aggregator", "community")],
            [[64500, 64501, [7, 9]], "INCOMPLETE", 10, "64500:192.0.2.9", [[64500, 1], [64500, 2]]],
        )
        self.assertEqual(each.path, (64500, 64501, (7, 9)))
        raw = bytes.fromhex(data["raw"])
        self.assertEqual(parsed(raw[23:-1]), parsed(normal))
        self.assertEqual((len(raw), raw[-1:]), (int.from_bytes(raw[16:18]), b"\0"))

    def test_octets_fit(self) -> None:
        store = AttributeStore()
        long = attribute_set(1) + bytes.fromhex("d0080e10") + bytes(3600)
        for octets, address, family in ((long, 32, 4), (attribute_set(1), 32, 4)):
            routes = [PlainRoute(family, number, address, 0, ORIGINS[0], octets, 1) for number in range(3000)]
            after = snapshot_of(routes, store)
            found = [read(each, raw=True) for each in [*told(Snapshot.of({}), after), *told(after, Snapshot.of({}))]]
            self.assertTrue(all(len(each["raw"]) // 2 <= MOST_OCTETS for each in found))
            self.assertGreater(len(found), 4)

    def test_a_set_that_no_message_holds_is_told_without_octets(self) -> None:
        store = AttributeStore()
        octets = attribute_set(1)[:-7] + bytes.fromhex("d0081388") + bytes(5000)
        ((each,),) = [told(Snapshot.of({}), snapshot_of([PlainRoute(4, 0, 0, 0, ORIGINS[0], octets, 1)], store))]
        self.assertNotIn("raw", read(each, raw=True))
        self.assertEqual(len(read(each)["community"]), 1250)

    def test_unreadable(self) -> None:
        store = AttributeStore()
        ((each,),) = [told(Snapshot.of({}), snapshot_of([PlainRoute(6, 0, 0, 0, ORIGINS[0], b"\xff", 1)], store))]
        data = read(each, raw=True)
        self.assertEqual(data["announcements"], [{"next_hop": "::", "prefixes": ["::/0"]}])
        self.assertIsNone(each.path)

    def test_rows_are_grouped_some_at_a_time(self) -> None:
        self.patch(ris_updates, "SOME", 10)
        store = AttributeStore()
        routes = [PlainRoute(4, number << 8, 24, 0, ORIGINS[0], attribute_set(64496), 1) for number in range(35)]
        found = told(Snapshot.of({}), snapshot_of(routes, store))
        self.assertEqual([len(each.prefixes) for each in found], [10, 10, 10, 5])

    def test_states(self) -> None:
        registry = IngressRegistry()
        up = registry.adopt("bmp", Ingress(5, IngressKind.BGP, bytes(16), 7, state=IngressState.UP))
        down = registry.adopt("bmp", Ingress(5, IngressKind.BGP, bytes(16), 7, state=IngressState.DOWN))
        found = [read(Updates("bmp").state(each, NOW)) for each in (up, down)]
        self.assertEqual([each["state"] for each in found], ["connected", "down"])
        self.assertEqual((found[0]["type"], found[0]["peer"], found[0]["timestamp"]), ("RIS_PEER_STATE", "::", NOW))
