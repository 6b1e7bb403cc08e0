from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from itertools import count

from hypothesis import given, settings
from hypothesis import strategies as st
from rotonda.bgp.attributes import decoded
from rotonda.bgp.mrt import MrtReader
from rotonda.bgp.update import RouteBatch
from rotonda.rib import entries as entries_module
from rotonda.rib import past as past_module
from rotonda.rib.attributes_index import AttributesIndex
from rotonda.rib.builder import TableBuilder
from rotonda.rib.entries import MICROSECONDS, Ended
from rotonda.rib.merge import FIELDS, MergeStrategy, MostRecent, Overwrite, WindowCount, WindowTime
from rotonda.rib.page import Page
from rotonda.rib.past import Past
from rotonda.rib.physical import PhysicalRib
from rotonda.rib.prefixes import Prefix
from rotonda.rib.query import Match, Query, Results, answer
from rotonda.units.files import decompressed
from twisted.trial.unittest import SynchronousTestCase

from rotoro.table import AttributeStore, Diff, History, IngressState, RouteSlot
from tests.data import shared
from tests.rib.plain_past import PlainEntry, PlainPast, Session, random_changes, session
from tests.rib.tables import SETS, PlainRoute, attribute_set, ingresses, snapshot_of

INGRESSES = ingresses(60)
HISTORY = Query(history=True)
PATH = ("prefix", "peer_id", "as_path")
SHARED_PATH = ("prefix", "as_path")


def path_of(octets: bytes) -> object:
    return decoded(octets).as_path


def whole(octets: bytes) -> object:
    return octets


def nothing(octets: bytes) -> object:
    return None


class Follower:
    """A RIB that is told what a plain past is told."""

    def __init__(self, strategy: MergeStrategy, hash_of: Callable[[bytes], object]) -> None:
        self.plain = PlainPast(strategy, hash_of)
        self.store = AttributeStore()
        self.now = 0.0
        self.rib = PhysicalRib("rib", self.store, lambda: History(1, diffs=2), strategy, lambda: self.now)
        self.rib.routes.update("west", snapshot_of([], self.store))
        self.latest = 0

    def update(self, announced: list[PlainRoute], withdrawn: set[tuple[int, int, int, int, int]], time: int) -> None:
        self.now = time
        before = self.rib.routes.history.position
        current = dict(self.plain.current)
        ended = max(self.latest + 1, time * MICROSECONDS)
        self.plain.update(announced, withdrawn, ended)
        self.rib.routes.update("west", snapshot_of(list(self.plain.current.values()), self.store))
        if self.rib.routes.history.position != before:
            self.latest = ended
        else:
            assert current == self.plain.current
        self.store.sweep()

    def sweep(self, time: int) -> None:
        self.plain.sweep(time)
        self.rib.sweep(time)

    def answer(self, query: Query, limit: int = 10_000) -> list[PlainEntry]:
        return all_of(answer(self.rib.routes.history.snapshot, query, self.rib.index, past=self.rib.past), limit)


def all_of(results: Results, limit: int = 10_000) -> list[PlainEntry]:
    """All pages of an answer."""
    page = results.page(limit)
    found = entries_of(page)
    while page.cursor is not None:
        page = results.page(limit, page.cursor)
        found += entries_of(page)
    assert len(found) == results.count
    return found


def entries_of(page: Page) -> list[PlainEntry]:
    found = []
    for block in page.blocks:
        columns = zip(
            block.ingresses.tolist(),
            block.sets,
            block.times.tolist(),
            block.ended.tolist(),
            block.states.tolist(),
            strict=True,
        )
        for row, (ingress, octets, received, ended, state) in enumerate(columns):
            key = block.keys[row : row + 1].tobytes()
            prefix, path = Prefix.of_key(key), int.from_bytes(key[-4:])
            origin = INGRESSES[ingress]
            route = PlainRoute(
                prefix.family, int.from_bytes(prefix.address), prefix.length, path, origin, octets, received
            )
            found.append(PlainEntry(route, ended, state))
    return found


class StrategyTests(SynchronousTestCase):
    def setUp(self) -> None:
        """Everything that is done for many rows is done for few."""
        self.patch(past_module, "_LOOSE_ROWS", 5)
        self.patch(past_module, "_LOOSE_CHANGES", 4)
        self.patch(past_module, "_LARGE", 12)
        self.patch(entries_module, "_SHORT", 4)

    @settings(deadline=None, max_examples=60)
    @given(
        st.integers(0, 1 << 32),
        st.integers(1, 60),
        st.sampled_from(
            [MostRecent(), MostRecent(1), MostRecent(2), MostRecent(3), WindowCount(1), WindowCount(2), WindowCount(5),
             WindowTime(1), WindowTime(20), WindowTime(20, 2000)]
        ),
        st.sampled_from(
            [(PATH, path_of), (("attributes", "peer_id"), whole), (("peer_id",), nothing), (SHARED_PATH, path_of),
             (("peer_as",), nothing), (("attributes",), whole)]
        ),
    )  # fmt: skip
    def test_every_strategy_does_what_lists_do(
        self, seed: int, steps: int, overwrite: Overwrite, hashed: tuple[tuple[str, ...], Callable[[bytes], object]]
    ) -> None:
        chance = random.Random(seed)
        follower = Follower(MergeStrategy(hashed[0], overwrite), hashed[1])
        for announced, withdrawn, time in random_changes(chance, INGRESSES[:3], steps, 1000):
            follower.update(announced, withdrawn, time)
            if chance.random() < 0.2:
                follower.sweep(time)
            if chance.random() < 0.2:
                self.compare(follower, chance)
        self.compare(follower, chance)
        follower.rib.routes.history.close()
        follower.rib.past.close()
        follower.store.sweep()
        follower.store.sweep()
        self.assertEqual(len(follower.store), 0, "every set was given up as often as it was retained")

    def compare(self, follower: Follower, chance: random.Random) -> None:
        everything = follower.plain.shown()
        active = [entry for entry in everything if not entry.state]
        self.assertEqual(follower.answer(Query()), active)
        self.assertEqual(follower.answer(Query(history=True), chance.choice((1, 2, 3, 100))), everything)
        prefix = Prefix.parse(chance.choice(("10.0.0.0/8", "255.0.0.0/8", "a00::/8")))
        number = int.from_bytes(prefix.address)
        own = [entry for entry in everything if (entry.route.family, entry.route.address) == (prefix.family, number)]
        self.assertEqual(follower.answer(Query(prefix, history=True), chance.choice((1, 2, 100))), own)
        inside = Prefix.parse("10.1.0.0/16" if prefix.family == 4 else "a01::/16")
        own = [
            entry for entry in everything if entry.route.family == prefix.family and entry.route.address in (0, number)
        ]
        if number >> (24 if prefix.family == 4 else 120) == 10:
            covering = Query(inside, Match.SHORTER, history=True)
            self.assertEqual(
                [e for e in follower.answer(covering) if e.route.address], [e for e in own if e.route.address]
            )
        for state in Ended:
            self.assertEqual(
                follower.answer(Query(status=state)), [entry for entry in everything if entry.state == state]
            )
        ingress = [entry for entry in everything if entry.route.ingress.number == 1]
        self.assertEqual(follower.answer(Query(ingress=1, history=True)), ingress)
        down = [entry for entry in ingress if not entry.state]
        self.assertEqual(follower.answer(Query(status=IngressState.DOWN, history=True)), down)


class StoryTests(SynchronousTestCase):
    def follower(self, *hashed: str, overwrite: Overwrite = MostRecent()) -> Follower:  # noqa: B008
        return Follower(MergeStrategy(hashed or PATH, overwrite), path_of)

    def test_an_entry_is_overwritten_when_its_path_comes_again(self) -> None:
        follower = self.follower()
        first, second = (
            PlainRoute(4, 0, 8, 0, INGRESSES[0], SETS[0], 10),
            PlainRoute(4, 0, 8, 0, INGRESSES[0], SETS[7], 20),
        )
        follower.update([first], set(), 10)
        follower.update([replace(first, octets=SETS[1], time=15)], set(), 15)  # the same path: refreshed
        follower.update([second], set(), 20)
        self.assertEqual(
            [(entry.route.octets, entry.route.time, entry.ended, entry.state) for entry in follower.answer(HISTORY)],
            [(SETS[7], 20, 0, 0), (SETS[1], 15, 20 * MICROSECONDS, Ended.REPLACED)],
        )
        follower.update([], {session(first)}, 30)
        follower.update([replace(first, time=40)], set(), 40)
        self.assertEqual(
            [(entry.route.octets, entry.ended, entry.state) for entry in follower.answer(HISTORY)],
            [(SETS[0], 0, 0), (SETS[7], 30 * MICROSECONDS, Ended.WITHDRAWN)],
        )

    def test_a_window_keeps_what_comes_again(self) -> None:
        follower = self.follower(overwrite=WindowCount(3))
        for time in range(6):
            follower.update([PlainRoute(4, 0, 8, 0, INGRESSES[0], SETS[7 * (time % 2)], time)], set(), time)
        self.assertEqual([entry.route.time for entry in follower.answer(HISTORY)], [5, 3, 4])

    def test_a_window_of_time_goes_by_when_entries_were_received(self) -> None:
        follower = self.follower(overwrite=WindowTime(100))
        for time, received in ((100, 50), (200, 0xFFFFFFFF), (300, 300)):
            follower.update([PlainRoute(4, 0, 8, 0, INGRESSES[0], attribute_set(time), received)], set(), time)
        for now, left in ((150, [50, 0xFFFFFFFF]), (151, [0xFFFFFFFF]), (400, [0xFFFFFFFF]), (401, [])):
            follower.sweep(now)
            self.assertEqual([entry.route.time for entry in follower.answer(HISTORY) if entry.state], left)
        self.assertEqual((len(follower.rib.past), len(follower.answer(HISTORY))), (0, 1), "what is active stays")

    def test_what_two_sessions_say_alike_is_one_entry(self) -> None:
        follower = self.follower(*SHARED_PATH)
        one, other = (PlainRoute(4, 0, 8, 0, INGRESSES[number], SETS[0], 10 + number) for number in (1, 0))
        follower.update([one, other], set(), 11)
        self.assertEqual([entry.route for entry in follower.answer(Query())], [one])
        self.assertEqual(follower.answer(HISTORY)[1], PlainEntry(other, 12 * MICROSECONDS - 1, Ended.REPLACED))
        self.assertEqual(follower.answer(Query(ingress=0)), [])
        follower.update([], {session(one)}, 20)
        self.assertEqual(follower.answer(HISTORY), [PlainEntry(other)])
        follower.update([], {session(other)}, 30)
        self.assertEqual(follower.answer(HISTORY), [PlainEntry(other, 30 * MICROSECONDS, Ended.WITHDRAWN)])

    def test_time_does_not_go_back(self) -> None:
        follower = self.follower(overwrite=WindowCount(9))
        for time, octets in ((100, SETS[0]), (50, SETS[7]), (60, SETS[0]), (200, SETS[7])):
            follower.update([PlainRoute(4, 0, 8, 0, INGRESSES[0], octets, time)], set(), time)
        ended = [entry.ended for entry in follower.answer(HISTORY)]
        self.assertEqual(ended, [0, 100 * MICROSECONDS + 1, 100 * MICROSECONDS + 2, 200 * MICROSECONDS])

    def test_without_a_clock_routes_tell_the_time(self) -> None:
        store = AttributeStore()
        rib = PhysicalRib("rib", store, lambda: History(1))
        route = PlainRoute(4, 0, 8, 0, INGRESSES[0], SETS[0], 77)
        rib.routes.update("west", snapshot_of([route], store))
        rib.routes.update("west", snapshot_of([], store))
        page = answer(rib.routes.history.snapshot, HISTORY, rib.index, past=rib.past).page()
        self.assertEqual(entries_of(page), [PlainEntry(route, 77 * MICROSECONDS + 1, Ended.WITHDRAWN)])

    def test_memory_is_bounded(self) -> None:
        follower = self.follower(overwrite=MostRecent(3))
        for time in range(10):
            octets = attribute_set(64496 + time)
            follower.update([PlainRoute(4, 0, 8, 0, INGRESSES[0], octets, time)], set(), time)
        self.assertEqual([entry.route.time for entry in follower.answer(HISTORY)], [9, 7, 8])
        follower.sweep(10)
        self.assertEqual((len(follower.rib.past), follower.rib.past.dropped), (3, 6), "one more than what is shown")

    def test_what_is_oldest_goes_when_there_is_too_much_of_all(self) -> None:
        store = AttributeStore()
        history, past = History(1), Past(store, MergeStrategy(overwrite=WindowCount(100)), most=8)
        times = iter(range(1, 100))
        history.subscribe(lambda diff: past.feed(diff, next(times)))
        routes = [PlainRoute(4, number << 24, 8, 0, INGRESSES[number % 2], SETS[0], 0) for number in range(3)]
        for step in range(5):
            history.commit(snapshot_of([replace(route, octets=SETS[7 * (step % 2)]) for route in routes], store))
        self.assertEqual((len(past), past.dropped), (6, 6))
        page = answer(history.snapshot, HISTORY, AttributesIndex(store), past=past).page()
        self.assertEqual(sorted({entry.ended // MICROSECONDS for entry in entries_of(page)}), [0, 4, 5])

    def test_pages_go_on_where_they_were_though_the_past_grows(self) -> None:
        follower = self.follower(overwrite=WindowCount(50))
        for time in range(20):
            follower.update([PlainRoute(4, 0, 8, 0, INGRESSES[0], SETS[7 * (time % 2)], time)], set(), time)
        past = follower.rib.past
        first = answer(follower.rib.routes.history.snapshot, HISTORY, follower.rib.index, past=past).page(10)
        follower.update([PlainRoute(4, 0, 8, 0, INGRESSES[0], SETS[0], 20)], set(), 20)
        second = answer(follower.rib.routes.history.snapshot, HISTORY, follower.rib.index, past=past).page(
            50, first.cursor
        )
        self.assertEqual([entry.route.time for entry in entries_of(second)], list(range(9, 20)))


class ArchiveTests(SynchronousTestCase):
    def test_an_hour_of_a_collector(self) -> None:
        for name in ("ris.rrc15.updates.20100227.1600.gz", "routeviews.jinx.updates.20150401.0000.bz2"):
            for overwrite in (MostRecent(), WindowCount(3)):
                with self.subTest(name, overwrite=overwrite):
                    self.replay(name, MergeStrategy(overwrite=overwrite))

    def replay(self, name: str, strategy: MergeStrategy) -> None:
        """An archive through a RIB, and the same changes through lists."""
        store, plain, reader = AttributeStore(), PlainPast(strategy, path_of), MrtReader(name, batch_rows=500)
        rib = PhysicalRib("rib", store, lambda: History(1), strategy, lambda: 2_000_000_000)
        ended = count(2_000_000_000 * MICROSECONDS)
        rib.routes.history.subscribe(lambda diff: plain.update(*changes_of(diff), next(ended)))
        slots: dict[tuple[int, int], RouteSlot] = {}

        def slot(peer: int, family: int) -> RouteSlot:
            return slots.setdefault((peer, family), RouteSlot(4 if family == 4 else 6, INGRESSES[peer], store))

        builder = TableBuilder(store, reader.sets, slot, lambda: rib.routes.history.snapshot)
        for octets in decompressed(shared(f"mrt-updates/{name}")):
            for batch in reader.receive(octets):
                if isinstance(batch, RouteBatch):
                    builder.add(batch)
                    diff = builder.take()
                    rib.routes.update("west", diff.apply(rib.routes.history.snapshot), diff)
        expected = [entry for entry in plain.shown() if entry.state]
        self.assertGreater(len(expected), 100)
        results = answer(rib.routes.history.snapshot, Query(status=Ended.REPLACED), rib.index, past=rib.past)
        withdrawn = answer(rib.routes.history.snapshot, Query(status=Ended.WITHDRAWN), rib.index, past=rib.past)
        found = [*all_of(results), *all_of(withdrawn)]
        self.assertEqual(sorted(found, key=lambda entry: entry.order), expected)


def changes_of(diff: Diff) -> tuple[list[PlainRoute], set[Session]]:
    """What a diff announces and withdraws."""
    announced: list[PlainRoute] = []
    withdrawn: set[Session] = set()
    for slot, change in diff.items():
        assert isinstance(slot, RouteSlot)
        after = change.after
        assert after.values is not None
        assert after.times is not None
        for row, (number, time) in enumerate(zip(after.values.tolist(), after.times.tolist(), strict=True)):
            prefix, path = Prefix.of_key(after.key(row)), int.from_bytes(after.key(row)[-4:])
            address, octets = int.from_bytes(prefix.address), slot.attributes.octets[number]
            announced.append(PlainRoute(slot.family, address, prefix.length, path, slot.ingress, octets, time))
        for gone in (change.withdrawn[row : row + 1].tobytes() for row in range(len(change.withdrawn))):
            prefix, path = Prefix.of_key(gone), int.from_bytes(gone[-4:])
            withdrawn.add((slot.family, int.from_bytes(prefix.address), prefix.length, slot.number, path))
    return announced, withdrawn


class StrategyValueTests(SynchronousTestCase):
    def test_fields_that_are_unknown_are_named(self) -> None:
        with self.assertRaisesRegex(ValueError, "'as_paht'.*as_path"):
            MergeStrategy(("prefix", "as_paht"))
        self.assertEqual(MergeStrategy(FIELDS).attributes, frozenset(range(256)))

    def test_windows_that_make_no_sense(self) -> None:
        for make in (
            lambda: WindowCount(0),
            lambda: WindowCount(1 << 20),
            lambda: WindowTime(0),
            lambda: MostRecent(0),
        ):
            self.assertRaises(ValueError, make)

    def test_strategies_are_values(self) -> None:
        self.assertEqual(
            len({MergeStrategy(), MergeStrategy(PATH, MostRecent()), MergeStrategy(PATH, WindowCount(1))}), 2
        )
