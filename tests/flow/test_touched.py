"""To judge again only what changed VRPs cover comes to the same as to judge everything."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st
from rotonda.bgp import as_path
from rotonda.bgp.attributes import written
from rotonda.filters.compile import CompiledFilter, compiled
from rotonda.filters.world import SmallWorld
from rotonda.flow.filtered import FilteredTable
from rotonda.flow.joined import JoinedTable
from rotonda.flow.touched import Touched, prefixes_of_vrps
from rotonda.rib.validated import aspa_set
from rotonda.rpki.records import Vrp
from rotonda.sources.rpki import RpkiView
from twisted.trial.unittest import SynchronousTestCase

from rotoro.table import VRP4, VRP6, AttributeStore, Ingress, IngressKind, Records, RouteSlot, Slot, Snapshot
from tests.blocks import filters as files
from tests.flow.world import PlainFilter, history

JUDGING = """
filter-map judged {
    define { rx_tx route: Route; use rpki; state = rpki.validate(route.prefix, route.origin_asn); }
    action mark { route.local_pref.set(200); }
    apply {
        filter match route.origin_asn.exists() && state == INVALID matching { reject; };
        filter match rpki.validate(route.prefix, AS1) == VALID matching { mark; };
        filter match route.origin_asn == 3 && state != VALID matching { reject; };
        accept;
    }
}
"""
STORE = AttributeStore()
NUMBERS = STORE.intern_all(
    [written({2: (0x40, as_path.written(((2, (64496, asn)),)))}) for asn in (1, 2, 3)] + [written({2: (0x40, b"")})]
)
SLOTS = [
    RouteSlot(family, Ingress(number, IngressKind.BGP, bytes((192, 0, 2, number)), 64496), STORE)
    for family in (4, 6) for number in (1, 2)
]  # fmt: skip
Prefix = tuple[int, int, int]  # family, address, length
Routes = dict[tuple[int, Prefix, int], int]  # slot, prefix and path identifier, to the place of a set


@st.composite
def prefixes(draw: st.DrawFn) -> Prefix:
    """Prefixes of which many cover each other: at the beginning, the end and somewhere between."""
    family = draw(st.sampled_from((4, 6)))
    bits = 32 if family == 4 else 128
    length = draw(st.one_of(st.integers(0, 12), st.integers(0, bits)))
    wanted = draw(st.sampled_from((0, (1 << bits) - 1, 0x0A << (bits - 8), 0x0A01 << (bits - 16))))
    flipped = wanted ^ draw(st.sampled_from((0, 1, 1 << (bits - 9), 1 << (bits - 12))))
    return family, flipped >> (bits - length) << (bits - length), length


def vrps() -> st.SearchStrategy[frozenset[Vrp]]:
    """Some VRPs."""
    made = st.builds(
        lambda prefix, more, asn: Vrp(
            prefix[0], prefix[1], min(prefix[2] + more, 32 if prefix[0] == 4 else 128), prefix[2], asn
        ),
        prefixes(), st.sampled_from((0, 1, 4, 128)), st.integers(0, 3),
    )  # fmt: skip
    return st.frozensets(made, max_size=6)


def routes() -> st.SearchStrategy[Routes]:
    """Some routes."""
    keys = st.tuples(st.integers(0, 1), prefixes(), st.sampled_from((0, 0xFFFFFFFF)))
    return st.dictionaries(keys, st.integers(0, 3), max_size=15)


def table_of(made: Routes) -> Snapshot:
    """These routes."""
    slots: dict[Slot, Records] = {}
    for place, slot in enumerate(SLOTS):
        own = {
            address.to_bytes(4 if family == 4 else 16) + bytes((length,)) + path.to_bytes(4): int(NUMBERS[number])
            for (there, (family, address, length), path), number in made.items()
            if (family == slot.family) and there == place % 2
        }
        slots[slot] = Records.of(slot, list(own), list(own.values()))
    return Snapshot.of(slots)


def data_of(made: frozenset[Vrp]) -> Snapshot:
    """These VRPs."""
    own: dict[Slot, Records] = {
        slot: Records.of(slot, [vrp.key() for vrp in made if vrp.family == family])
        for slot, family in ((VRP4, 4), (VRP6, 6))
    }
    return Snapshot.of(own)


def world(data: Snapshot) -> SmallWorld:
    return SmallWorld({"rpki": RpkiView(data, aspa_set(data))})


def first(data: Snapshot) -> CompiledFilter:
    return compiled(files.lowered(JUDGING), {}, world(data))


PLAYS = st.lists(st.tuples(routes(), vrps()), min_size=2, max_size=3)


class TouchedTests(SynchronousTestCase):
    @settings(deadline=None, max_examples=40)
    @given(PLAYS, routes())
    def test_physical(self, plays: list[tuple[Routes, frozenset[Vrp]]], other: Routes) -> None:
        before = data_of(frozenset())
        one, two = first(before), first(before)
        some, every = JoinedTable(history(), ("a", "b"), one), JoinedTable(history(), ("a", "b"), two)
        for table in (some, every):
            table.update("b", table_of(other))
        for rows, payloads in plays:
            for table in (some, every):
                table.update("a", table_of(rows))
            after = data_of(payloads)
            touched = Touched.within(one, prefixes_of_vrps([before.diff(after)]))
            one, two, before = one.in_world(world(after)), first(after), after
            self.assertEqual(some.use(one, touched), every.use(two))
            self.assertEqual(some.history.snapshot, every.history.snapshot)
            self.assertEqual(some.history.snapshot.digest, every.history.snapshot.digest)

    @settings(deadline=None, max_examples=40)
    @given(PLAYS)
    def test_virtual(self, plays: list[tuple[Routes, frozenset[Vrp]]]) -> None:
        before, west = data_of(frozenset()), history()
        one, two = first(before), first(before)
        some, every = FilteredTable(west, one, history(2)), FilteredTable(west, two, history(3))
        for rows, payloads in plays:
            west.commit(table_of(rows))
            after = data_of(payloads)
            touched = Touched.within(one, prefixes_of_vrps([before.diff(after)]))
            one, two, before = one.in_world(world(after)), first(after), after
            self.assertEqual(some.use(one, touched), every.use(two))
            shown, wanted = some.history.snapshot, every.history.snapshot
            self.assertEqual((shown, shown.digest, shown.count), (wanted, wanted.digest, wanted.count))
            self.assertEqual(dict(shown.counts), dict(wanted.counts))
            self.assertEqual(Snapshot.of(dict(shown)).digest, shown.digest)

    @settings(deadline=None, max_examples=100)
    @given(routes(), st.lists(vrps(), max_size=3))
    def test_rows(self, made: Routes, payloads: list[frozenset[Vrp]]) -> None:
        """All that are covered, each once, and no other."""
        states = list(map(data_of, (frozenset(), *payloads)))
        changes = [one.diff(other) for one, other in pairwise(states)]
        changed = {vrp for one, other in pairwise((frozenset(), *payloads)) for vrp in one ^ other}
        touched = Touched.within(first(states[0]), prefixes_of_vrps(changes))
        for slot, records in table_of(made).items():
            assert isinstance(slot, RouteSlot)
            wanted = [row for row in range(len(records)) if covered(slot.family, records.key(row), changed)]
            self.assertEqual(touched.rows(slot, records).tolist(), wanted)

    def test_everything_where_another_filter_came_before(self) -> None:
        """A table that was not judged by the filter before is judged as a whole."""
        west = history()
        west.commit(table_of({(0, (4, 0x0A000000, 8), 0): 0}))
        nothing = PlainFilter(lambda key, octets: None, STORE)
        everything = PlainFilter(lambda key, octets: octets, STORE)
        touched = Touched.within(everything, {})
        virtual, physical = FilteredTable(west, nothing, history(2)), JoinedTable(history(3), ("a",), nothing)
        physical.update("a", west.snapshot)
        virtual.use(everything, touched)
        physical.use(everything, touched)
        self.assertEqual(virtual.history.snapshot, west.snapshot)
        self.assertEqual(physical.history.snapshot, west.snapshot)

    def test_only_the_covered_go_through_the_filter(self) -> None:
        seen: list[int] = []
        west = table_of({(0, (4, 0x0A000000 + (n << 8), 24), 0): n % 3 for n in range(200)})
        data = data_of(frozenset())
        table = JoinedTable(history(), ("a",), own := first(data))
        table.update("a", west)
        after = data_of(frozenset({Vrp(4, 0x0A000000 + (4 << 8), 24, 22, 1)}))
        other = own.in_world(world(after))
        run = other.run

        def counted(slot: RouteSlot, records: Records, *, effects: bool = True) -> Records:
            seen.append(len(records))
            return run(slot, records, effects=effects)

        self.patch(other, "run", counted)
        table.use(other, Touched.within(own, prefixes_of_vrps([data.diff(after)])))
        self.assertEqual(seen, [4])
        self.assertNotEqual(table.history.snapshot, west)


def covered(family: int, key: bytes, vrps: set[Vrp]) -> bool:
    """Whether one of these covers a route."""
    address, length, bits = int.from_bytes(key[:-5]), key[-5], 32 if family == 4 else 128
    return any(
        vrp.family == family and vrp.length <= length
        and address >> (bits - vrp.length) == vrp.address >> (bits - vrp.length)
        for vrp in vrps
    )  # fmt: skip
