from __future__ import annotations

import random
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from rotonda.rib.attributes_index import AttributesIndex
from rotonda.rib.communities import Community
from rotonda.rib.places import BadCursor
from rotonda.rib.prefixes import Prefix
from rotonda.rib.query import Match, Query, Results, answer
from rotonda.rib.rows import shown
from twisted.trial.unittest import SynchronousTestCase

from rotoro.table import EMPTY, AttributeStore, IngressState, Snapshot
from tests.rib.tables import SETS, PlainRoute, ingresses, random_routes, snapshot_of

INGRESSES = ingresses()


def covers(prefix: Prefix, family: int, address: int, length: int) -> bool:
    bits = 32 if family == 4 else 128
    own = int.from_bytes(prefix.address)
    return prefix.family == family and prefix.length <= length and (own ^ address) >> bits - prefix.length == 0


def is_meant(route: PlainRoute, query: Query, index: AttributesIndex) -> bool:
    """Whether a route is meant, longest match aside, read off the words of the question."""
    display = index.display(route.octets)
    conditions = [
        query.family in (None, route.family),
        query.origin is None or display.get("origin_as") == query.origin,
        query.community is None or query.community.shown in display.get(query.community.field, ()),  # type: ignore[operator]
        query.ingress in (None, route.ingress.number),
        query.peer_as in (None, route.ingress.asn),
        query.peer_address in (None, route.ingress.address),
        query.status in (None, route.ingress.state),
    ]
    if query.prefix is not None:
        own = Prefix(route.family, route.address.to_bytes(4 if route.family == 4 else 16), route.length)
        same = own == query.prefix
        longer = covers(query.prefix, route.family, route.address, route.length)
        address = int.from_bytes(query.prefix.address)
        shorter = covers(own, query.prefix.family, address, query.prefix.length)
        itself = query.itself or not same
        conditions.append(
            {
                Match.EXACT: same,
                Match.LONGEST: shorter,
                Match.LONGER: longer and itself,
                Match.SHORTER: shorter and itself,
            }[query.match]
        )
    return all(conditions)


def by_loop(routes: list[PlainRoute], query: Query, index: AttributesIndex) -> list[PlainRoute]:
    found = [route for route in routes if is_meant(route, query, index)]
    if query.prefix is not None and query.match is Match.LONGEST:
        longest = max((route.length for route in found), default=0)
        found = [route for route in found if route.length == longest]
    return sorted(found, key=lambda route: route.order)


def listed(results: Results, limit: int) -> list[tuple[int, ...]]:
    """All pages of an answer, one behind the other, as the order of their routes."""
    rows: list[tuple[int, ...]] = []
    cursor: str | None = None
    while True:
        page = results.page(limit, cursor)
        for block in page.blocks:
            for row, ingress in enumerate(block.ingresses.tolist()):
                prefix = Prefix.of_key(block.keys[row : row + 1].tobytes())
                path = int.from_bytes(block.keys[row : row + 1].tobytes()[-4:])
                rows.append((block.family, int.from_bytes(prefix.address), prefix.length, ingress, path))
        cursor = page.cursor
        if cursor is None:
            return rows


def random_query(chance: random.Random, routes: list[PlainRoute]) -> Query:
    route = chance.choice(routes)
    prefix = Prefix(route.family, route.address.to_bytes(4 if route.family == 4 else 16), route.length)
    if chance.random() < 0.5:
        bits = 32 if route.family == 4 else 128
        address = route.address ^ chance.getrandbits(bits) & (1 << bits - route.length) - 1
        prefix = Prefix(route.family, address.to_bytes(bits // 8), bits).cut(chance.randint(0, bits))

    def maybe(value: object) -> object:
        return value if chance.random() < 0.2 else None

    return Query(
        prefix=prefix if chance.random() < 0.8 else None,
        match=chance.choice(list(Match)),
        itself=chance.random() < 0.7,
        family=maybe(chance.choice((4, 6))),  # type: ignore[arg-type]
        origin=maybe(chance.choice((64496, 64497, 1))),  # type: ignore[arg-type]
        community=maybe(Community.parse(chance.choice(("64496:1", "64497:2", "1:1:1")))),  # type: ignore[arg-type]
        ingress=maybe(chance.randrange(5)),  # type: ignore[arg-type]
        peer_as=maybe(chance.choice((64500, 64501))),  # type: ignore[arg-type]
        peer_address=maybe(bytes([192, 0, 2, chance.randrange(5)])),  # type: ignore[arg-type]
        status=maybe(chance.choice(list(IngressState))),  # type: ignore[arg-type]
    )


class QueryTests(SynchronousTestCase):
    @settings(deadline=None, max_examples=40)
    @given(st.integers(0, 1 << 32), st.integers(1, 300))
    def test_every_question_is_answered_as_a_loop_would(self, seed: int, count: int) -> None:
        store = AttributeStore()
        index = AttributesIndex(store)
        routes = random_routes(seed, count, INGRESSES)
        snapshot = snapshot_of(routes, store)
        chance = random.Random(seed)
        for _ in range(20):
            query = random_query(chance, routes)
            expected = [route.order for route in by_loop(routes, query, index)]
            results = answer(snapshot, query, index)
            self.assertEqual(results.count, len(expected), query)
            self.assertEqual(listed(results, chance.choice((1, 2, 3, 7, 100, 10_000))), expected, query)

    def test_values_come_with_their_keys(self) -> None:
        store = AttributeStore()
        index = AttributesIndex(store)
        routes = random_routes(3, 400, INGRESSES)
        page = answer(snapshot_of(routes, store), Query(), index).page(10_000)
        found = [
            (octets, time)
            for block in page.blocks
            for octets, time in zip(block.sets, block.times.tolist(), strict=True)
        ]
        ordered = sorted(routes, key=lambda route: route.order)
        self.assertEqual(found, [(route.octets, route.time) for route in ordered])

    def test_a_cursor_survives_changes_of_the_table(self) -> None:
        store = AttributeStore()
        index = AttributesIndex(store)
        routes = random_routes(5, 300, INGRESSES)
        query = Query(prefix=Prefix.parse("0.0.0.0/0"), match=Match.LONGER)
        first = answer(snapshot_of(routes, store), query, index).page(20)
        expected = by_loop(routes, query, index)[20:]
        gone = set(expected[::2]) | set(by_loop(routes, query, index)[10:20])  # the cursor's own route too
        later = snapshot_of([route for route in routes if route not in gone], store)
        page = answer(later, query, index).page(10_000, first.cursor)
        self.assertEqual(len(page), len(expected[1::2]))

    def test_ingresses_without_much_do_not_hold_up_the_others(self) -> None:
        store = AttributeStore()
        index = AttributesIndex(store)
        many = ingresses(40)
        routes = random_routes(9, 900, many[:2]) + random_routes(10, 40, many[2:])
        expected = [route.order for route in by_loop(routes, Query(), index)]
        for limit in (1, 5, 64):
            self.assertEqual(listed(answer(snapshot_of(routes, store), Query(), index), limit), expected)

    def test_a_page_that_is_full_of_all_that_was_taken_leads_on(self) -> None:
        store = AttributeStore()
        one, *others = ingresses(20)
        routes = [PlainRoute(4, number << 8, 24, 0, one, SETS[0], 0) for number in range(100, 300)]
        routes += [PlainRoute(4, ingress.number << 8, 24, 0, ingress, SETS[0], 0) for ingress in others]
        results = answer(snapshot_of(routes, store), Query(), AttributesIndex(store))
        for limit in range(1, 100):
            page = results.page(limit)
            self.assertEqual((len(page), page.cursor is None), (limit, False))

    def test_an_empty_table_has_an_empty_answer(self) -> None:
        results = answer(
            EMPTY, Query(prefix=Prefix.parse("::/0"), match=Match.LONGEST), AttributesIndex(AttributeStore())
        )
        self.assertEqual((results.count, len(results.page()), results.page().cursor), (0, 0, None))

    def test_limits_and_foreign_cursors_are_refused(self) -> None:
        store = AttributeStore()
        results = answer(snapshot_of(random_routes(1, 100, INGRESSES), store), Query(), AttributesIndex(store))
        for limit in (0, -1, 10_001):
            self.assertRaises(ValueError, results.page, limit)
        self.assertRaises(BadCursor, results.page, 10, "nonsense")
        other = answer(EMPTY, Query(family=6), AttributesIndex(store))
        self.assertRaises(BadCursor, other.page, 10, results.page(1).cursor)

    def test_the_present_state_of_an_ingress_counts(self) -> None:
        store = AttributeStore()
        snapshot = snapshot_of(random_routes(1, 100, INGRESSES[:1]), store)
        down = replace(INGRESSES[0], state=IngressState.DOWN)
        results = answer(snapshot, Query(status=IngressState.DOWN), AttributesIndex(store), lambda number: down)
        self.assertEqual(results.count, snapshot.count)


class RowsTests(SynchronousTestCase):
    def rows(self, snapshot: Snapshot, store: AttributeStore, **more: object) -> list[dict[str, object]]:
        index = AttributesIndex(store)
        return list(shown(answer(snapshot, Query(), index).page(), index, **more))  # type: ignore[arg-type]

    def test_a_route_is_shown_flat(self) -> None:
        store = AttributeStore()
        route = PlainRoute(4, 0xC0000200, 24, 0, INGRESSES[1], SETS[0], 17)
        with_path = replace(route, path=9)
        rows = self.rows(snapshot_of([route, with_path], store), store, present=lambda number: INGRESSES[number])
        self.assertEqual(rows[0]["prefix"], "192.0.2.0/24")
        self.assertEqual({name: rows[0][name] for name in ("ingress", "received", "status", "origin_as")},
                         {"ingress": 1, "received": 17, "status": "stale", "origin_as": 64496})  # fmt: skip
        self.assertNotIn("path_id", rows[0])
        self.assertEqual(rows[1]["path_id"], 9)

    def test_only_the_fields_that_were_asked_for(self) -> None:
        store = AttributeStore()
        snapshot = snapshot_of(random_routes(1, 10, INGRESSES), store)
        for row in self.rows(snapshot, store, fields=frozenset(("prefix", "as_path"))):
            self.assertEqual(set(row), {"prefix", "as_path"})
