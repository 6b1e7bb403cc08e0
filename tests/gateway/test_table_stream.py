"""A table followed by clients: whatever happens to it, and however they read, they end with what it has."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st
from rotonda.gateway import steps as kept
from rotonda.gateway import table_stream
from rotonda.gateway.chosen_rows import Wanted
from rotonda.gateway.messages import Form
from rotonda.gateway.steps import Steps
from rotonda.gateway.table_stream import PIECE, Feed, Reader, Table, TooSlow, heartbeat
from rotonda.gateway.words import Words
from rotonda.rib.display import display
from rotonda.rib.prefixes import Prefix
from rotonda.rib.query import Match
from twisted.trial.unittest import SynchronousTestCase

from rotoro.table import ASPA, VRP4, AttributeStore, History, Position, Records, Snapshot
from tests.gateway.copies import Copy, drained, routes_of
from tests.http.clients import validated_snapshot
from tests.rib.tables import SETS, PlainRoute, ingresses, random_routes, snapshot_of

ORIGINS = ingresses()


class World:
    """A table, and what it is fed from."""

    def __init__(self, history: History | None = None) -> None:
        self.store = AttributeStore()
        self.history = History(7, 3) if history is None else history
        self.woken = 0
        self.table = Table("rib", "rib", "Route", self.history, Words(display))
        self.feed = Feed(self.table, Steps(self.history, self.wake))

    def wake(self) -> None:
        self.woken += 1

    def commit(self, seed: int, count: int = 40) -> None:
        self.history.commit(snapshot_of(random_routes(seed, count, ORIGINS), self.store))

    def held(self) -> dict[object, dict[str, object]]:
        """What a client is to have of it, but for times: what differs only in them is no change."""
        return {
            key: {"prefix": key[2], **({"path_id": key[3]} if key[3] else {}), **display(octets)}
            for key, (_, octets) in routes_of(self.history.snapshot).items()
        }

    def close(self) -> None:
        self.feed.steps.close()


def copied(reader: Reader) -> Copy:
    copy = Copy()
    copy.take_all(drained(reader))
    return copy


def timeless(copy: Copy) -> dict[object, dict[str, object]]:
    """What a client has, without times."""
    return {key: {name: own for name, own in each.items() if name != "received"} for key, each in copy.records.items()}


class StreamTests(SynchronousTestCase):
    def test_snapshot_and_changes(self) -> None:
        world = World()
        reader = world.feed.join(Wanted())
        copy = copied(reader)
        self.assertEqual(copy.types, ["waiting"])
        for seed in range(5):
            world.commit(seed)
            self.assertTrue(world.woken)
            copy.take_all(drained(reader))
            self.assertEqual(timeless(copy), world.held())
            self.assertEqual((copy.place, copy.consistent), (world.history.position, True))
        self.assertEqual(len(copy.begins), 1)
        self.assertEqual(copy.begins[0]["snapshot"], True)

    @settings(deadline=None, max_examples=30)
    @given(st.lists(st.tuples(st.booleans(), st.integers(0, 30), st.integers(0, 300)), max_size=12))
    def test_changes_while_it_is_read(self, steps: list[tuple[bool, int, int]]) -> None:
        world = World()
        world.commit(99, 600)
        reader, copy = world.feed.join(Wanted()), Copy()
        for commits, seed, takes in steps:
            if commits:
                world.commit(seed, 300)
            copy.take_all(message for _ in range(takes % 7) if (message := reader.take()) is not None)
        copy.take_all(drained(reader))
        self.assertEqual(timeless(copy), world.held())
        self.assertEqual(copy.place, world.history.position)

    def test_filters(self) -> None:
        prefix = Prefix.parse("192.0.0.0/8")
        for wanted in (Wanted(family=6), Wanted(ingress=2), Wanted(prefix, Match.LONGER), Wanted(peer_as=64500)):
            world = World()
            world.commit(1)
            reader, whole, copy = world.feed.join(wanted), world.feed.join(Wanted()), Copy()
            everything = Copy()
            for seed in range(2, 6):
                copy.take_all(drained(reader))
                everything.take_all(drained(whole))
                own = {
                    key: record
                    for key, record in everything.records.items()
                    if (wanted.family is None or key[0] == "ipv6")
                    and (wanted.ingress is None or key[1] == 2)
                    and (wanted.peer_as is None or key[1] in (0, 1))
                    and (wanted.prefix is None or (key[0] == "ipv4" and key[2].startswith("192.")))
                }
                self.assertEqual(copy.records, own)
                world.commit(seed)

    def test_no_more_than_so_many_records_at_once(self) -> None:
        world = World()
        world.commit(1, 3000)
        lengths = [len(json.loads(m.json).get("records", [])) for m in drained(world.feed.join(Wanted()))
                   if m.kind == "snapshot"]  # fmt: skip
        self.assertLessEqual(max(lengths), PIECE)
        self.assertEqual(sum(lengths), world.history.snapshot.count)

    def test_messages_are_shared(self) -> None:
        world = World()
        world.commit(1)
        readers = [world.feed.join(Wanted(family=4)), world.feed.join(Wanted(family=4)), world.feed.join(Wanted())]
        for reader in readers:
            list(drained(reader))
        world.commit(2)
        first, second, other = (list(drained(reader)) for reader in readers)
        self.assertTrue(first)
        self.assertTrue(all(one is two for one, two in zip(first, second, strict=True)))
        self.assertIs(first[0].framed(Form.WEBSOCKET), second[0].framed(Form.WEBSOCKET))
        self.assertFalse(set(first) & set(other))

    def test_resumed(self) -> None:
        world = World()
        world.commit(1)
        reader = world.feed.join(Wanted())
        copy = copied(reader)
        place = copy.place
        reader.close()
        world.close()
        world.commit(2)
        world.commit(3)
        world.feed = Feed(world.table, Steps(world.history, world.wake))  # nobody was there meanwhile
        copy.take_all(drained(world.feed.join(Wanted(), place)))
        self.assertEqual([begin["snapshot"] for begin in copy.begins], [True, False])
        self.assertNotIn("snapshot", copy.types[copy.types.index("complete") + 1 :])
        self.assertEqual(timeless(copy), world.held())

    def test_not_resumed(self) -> None:
        for since in (Position(7, 2), Position(8, 3), Position(7, 9)):
            world = World()
            world.commit(1)
            copy = copied(world.feed.join(Wanted(), since))
            self.assertTrue(copy.begins[0]["snapshot"])
            self.assertIn(f"{since.epoch}-{since.serial}", copy.begins[0]["why"])
            self.assertEqual(timeless(copy), world.held())
            world.commit(2)
            self.assertFalse(world.feed.steps.reaches(since))

    def test_another_life(self) -> None:
        world = World()
        world.commit(1)
        reader = world.feed.join(Wanted())
        copy = copied(reader)
        world.history.renew(Position(8, 0))
        world.commit(2)
        copy.take_all(drained(reader))
        self.assertEqual([begin["snapshot"] for begin in copy.begins], [True, True])
        self.assertEqual((timeless(copy), copy.place), (world.held(), world.history.position))

    def test_too_slow(self) -> None:
        self.patch(kept, "LEAST_ROWS", 50)
        world = World()
        world.commit(1)
        reader, other = world.feed.join(Wanted()), world.feed.join(Wanted())
        list(drained(reader))
        copy = copied(other)
        for seed in range(2, 9):
            world.commit(seed)
            copy.take_all(drained(other))
        with self.assertRaises(TooSlow):
            list(drained(reader))
        self.assertEqual(timeless(copy), world.held())

    def test_more_changes_than_the_history_keeps(self) -> None:
        world = World(History(7, 3, diffs=1))
        world.commit(1)
        reader = world.feed.join(Wanted())
        copy = Copy()
        copy.take_all(message for _ in range(2) if (message := reader.take()) is not None)
        for seed in range(2, 20):
            world.commit(seed, 20)
        copy.take_all(drained(reader))
        self.assertEqual(timeless(copy), world.held())

    def test_sets_live_as_long_as_somebody_reads_of_them(self) -> None:
        world = World()
        world.commit(1, 1000)
        expected = world.held()
        reader, copy = world.feed.join(Wanted()), Copy()
        copy.take_all(message for _ in range(2) if (message := reader.take()) is not None)
        world.history.commit(Snapshot.of({}))
        world.history.renew(Position(8, 0))
        for _ in range(3):
            world.store.sweep()
        while not copy.consistent:
            copy.take_all(message for message in [reader.take()] if message is not None)
        self.assertEqual(timeless(copy), expected)
        reader.close()
        world.close()
        for _ in range(2):
            world.store.sweep()
        self.assertEqual(len(world.store), 0)

    def test_given_up_in_the_middle(self) -> None:
        world = World()
        world.commit(1, 1000)
        reader = world.feed.join(Wanted())
        for _ in range(2):
            reader.take()
        reader.close()
        world.close()
        world.history.close()
        for _ in range(2):
            world.store.sweep()
        self.assertEqual(len(world.store), 0)
        self.assertTrue(SETS)

    def test_heartbeat(self) -> None:
        world = World()
        reader = world.feed.join(Wanted())
        self.assertIsNone(heartbeat(reader))
        world.commit(1)
        reader.take()
        self.assertIsNone(heartbeat(reader))
        list(drained(reader))
        told = heartbeat(reader)
        assert told is not None
        self.assertEqual(json.loads(told.json), {"type": "position", "position": {"epoch": 7, "serial": 3}})
        self.assertIn(b"id: 7-3\n", told.framed(Form.EVENTS))

    def test_large_withdrawals_are_looked_for_in_parts(self) -> None:
        self.patch(table_stream, "_SOME", 7)
        world = World()
        world.commit(1, 300)
        reader, copy = world.feed.join(Wanted()), Copy()
        for seed, count in ((2, 200), (3, 5), (4, 300)):
            copy.take_all(drained(reader))
            world.commit(seed, count)
        copy.take_all(drained(reader))
        self.assertEqual(timeless(copy), world.held())


class PayloadTests(SynchronousTestCase):
    def test_all_kinds(self) -> None:
        history = History(9, 1)
        table = Table("val", "rpki", "RPKI", history, Words(lambda octets: {}))
        feed = Feed(table, Steps(history, lambda: None))
        history.commit(validated_snapshot())
        reader = feed.join(Wanted())
        copy = copied(reader)
        self.assertEqual(sorted({key[0] for key in copy.records}), ["aspa", "router_key", "vrp4", "vrp6"])
        self.assertIn({"asn": "AS64496", "prefix": "192.0.2.0/24", "maxLength": 24}, list(copy.records.values()))
        self.assertEqual(copy.records["aspa", "AS64496"]["providers"], ["AS1", "AS2"])
        everything = dict(history.snapshot)
        changed = Records.of(ASPA, [(64496).to_bytes(4), (64497).to_bytes(4)], [(9).to_bytes(4), (1).to_bytes(4)])
        history.commit(Snapshot.of({**everything, ASPA: changed, VRP4: Records.none(VRP4)}))
        copy.take_all(drained(reader))
        self.assertEqual(sorted({key[0] for key in copy.records}), ["aspa", "router_key", "vrp6"])
        self.assertEqual(copy.records["aspa", "AS64496"]["providers"], ["AS9"])
        history.commit(Snapshot.of({}))
        copy.take_all(drained(reader))
        self.assertEqual(copy.records, {})


class PlainTests(SynchronousTestCase):
    def test_a_route_of_another_type_shows_its_own_fields(self) -> None:
        words = Words(lambda octets: {"first": 1, "name": "é\n"})
        store = AttributeStore()
        route = PlainRoute(4, 0x0A000000, 8, 0, ORIGINS[0], b"", 5)
        snapshot = snapshot_of([route], store)
        ((slot, records),) = snapshot.items()
        self.assertEqual(
            json.loads(words.announced(slot, records)),
            {"prefix": "10.0.0.0/8", "received": 5, "first": 1, "name": "é\n"},
        )
