from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

import rotoro.session.tables
from rotoro.session.tables import WHOLE, Scope, ServedTable, ServedTables
from rotoro.table.slots import RouteSlot, Slot
from rotoro.table.snapshot import EMPTY
from rotoro.wire.errors import LimitExceeded
from rotoro.wire.rotoro import ANY, Families, Health, RecordKind, ScopeKind, Subscribe
from tests.session.worlds import RPKI, Routes, history, patient, recounted, snapshot, vrps

ROUTES = Routes()
POOL = {**RPKI, **ROUTES.pool}
_NETWORKS4 = ["0.0.0.0/0", "10.0.0.0/7", "10.0.0.0/8", "10.0.0.0/9", "10.1.0.0/16", "255.255.255.255/32"]
_NETWORKS6 = ["::/0", "2001:db8::/31", "2001:db8::/32", "2001:db8::/33", "2001:db8::1/128"]
NETWORKS = st.sampled_from([*_NETWORKS4, *_NETWORKS6])


def network(slot: Slot, key: bytes) -> IPv4Network | IPv6Network | None:
    """The prefix of a record, by hand."""
    width = {"S9": 4, "S10": 4, "S21": 16, "S22": 16}.get(slot.key_dtype.str.strip("|"))
    if width is None:
        return None
    length = key[width] if isinstance(slot, RouteSlot) else key[width + 1]
    return ip_network((key[:width], length))


class ScopeTests(SynchronousTestCase):
    @patient
    @given(
        st.sets(st.sampled_from(list(POOL))),
        st.sampled_from(Families),
        st.sampled_from([ANY, 7, 8, 9]),
        st.sampled_from(ScopeKind),
        NETWORKS,
    )
    def test_a_part_is_what_a_loop_finds(
        self, keys: set[Any], families: int, ingress: int, kind: int, text: str
    ) -> None:
        wanted = ip_network(text)

        def inside(slot: Slot, key: bytes) -> bool:
            prefix: Any = network(slot, key)
            if prefix is None:
                return kind == ScopeKind.ALL
            if not families & {4: Families.IPV4, 6: Families.IPV6}[prefix.version]:
                return False
            if isinstance(slot, RouteSlot) and ingress not in (ANY, slot.number):
                return False
            if kind == ScopeKind.ALL:
                return True
            if prefix.version != wanted.version:
                return False
            return bool(prefix.supernet_of(wanted) if kind == ScopeKind.COVERING else prefix.subnet_of(wanted))

        table = snapshot({key: POOL[key][0] for key in keys})
        address = wanted.network_address.packed if kind else b""
        part = Scope(families, ingress, kind, address, wanted.prefixlen if kind else 0).restrict(table)
        self.assertEqual(part, snapshot({key: POOL[key][0] for key in keys if inside(*key)}))
        self.assertEqual(recounted(part).digest, part.digest)

    def test_the_whole_is_shared(self) -> None:
        table = snapshot({key: values[0] for key, values in POOL.items()})
        part = WHOLE.restrict(table)
        self.assertEqual(part, table)
        self.assertTrue(all(part[slot] is table[slot] for slot in table))

    def test_of_a_subscription(self) -> None:
        wish = Subscribe(1, 1, 0, 3, ScopeKind.ALL, 0, 0, ANY, 9, b"\x0a\0\0\0")
        self.assertEqual(Scope.of(wish), WHOLE)
        wish = Subscribe(1, 1, 0, 1, ScopeKind.COVERED, 0, 0, 7, 9, b"\x0a\0\0\0")
        self.assertEqual(Scope.of(wish), Scope(1, 7, ScopeKind.COVERED, b"\x0a\0\0\0", 9))
        other = Subscribe(1, 1, 0, 1, ScopeKind.COVERED, 0, 0, 7, 9, b"\x0a\x7f\xff\xff")
        self.assertEqual(Scope.of(other), Scope.of(wish))


class PartTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.table = ServedTable(1, "one", RecordKind.RPKI, history(vrps(1)))
        self.scope = Scope(kind=ScopeKind.COVERED, address=b"\x0a\x02\0\0", length=16)

    def test_followers_share_a_part_and_the_last_one_ends_it(self) -> None:
        first, second = self.table.join(self.scope), self.table.join(self.scope)
        self.assertIs(first, second)
        self.assertEqual(first.snapshot, EMPTY)
        self.table.history.commit(vrps(1, 2))
        self.assertEqual(first.snapshot, vrps(2))
        self.table.leave(self.scope)
        self.table.history.commit(vrps(1))
        self.assertEqual(first.snapshot, EMPTY)
        self.table.leave(self.scope)
        self.assertFalse(first.ready)
        self.table.history.commit(vrps(2))
        self.assertFalse(first.ready)

    def test_a_part_that_is_wanted_whole_is_shared_after_each_change(self) -> None:
        part = self.table.join(Scope(families=1))
        for numbers in ((1, 2), (2, 3, 4), (4,)):
            self.table.history.commit(vrps(*numbers))
            (slot,) = part.snapshot
            self.assertIs(part.snapshot[slot], self.table.history.snapshot[slot])
            self.assertEqual(recounted(part.snapshot).digest, part.snapshot.digest)

    def test_changes_elsewhere_are_none(self) -> None:
        part = self.table.join(self.scope)
        before = part.position
        self.table.history.commit(vrps(1, 3))
        self.assertEqual(part.position, before)

    def test_a_token_fits_only_where_it_came_from(self) -> None:
        part = self.table.join(self.scope)
        token = part.position
        self.table.leave(self.scope)
        self.assertEqual(self.table.join(self.scope).since(token), EMPTY.diff(EMPTY))
        other = Scope(kind=ScopeKind.COVERING, address=b"\x0a\x02\0\0", length=16)
        self.assertIsNone(self.table.join(other).since(token))
        self.assertIsNone(self.table.history.since(token))
        self.table.leave(self.scope)
        self.table.history.commit(vrps(2))
        self.assertIsNone(self.table.join(self.scope).since(token))

    def test_not_too_many_of_them(self) -> None:
        self.patch(rotoro.session.tables, "MAX_PARTS", 1)
        self.table.join(self.scope)
        self.table.join(self.scope)
        self.assertRaises(LimitExceeded, self.table.join, Scope(families=1))
        self.table.join(WHOLE)

    def test_the_whole_is_the_table_itself(self) -> None:
        self.assertIs(self.table.join(WHOLE), self.table.history)
        self.table.leave(WHOLE)
        self.assertTrue(self.table.history.ready)

    def test_no_data_yet(self) -> None:
        table = ServedTable(1, "one", RecordKind.RPKI, history(None))
        part = table.join(self.scope)
        self.assertFalse(part.ready)
        table.history.commit(vrps(2))
        self.assertEqual(part.snapshot, vrps(2))


class ServedTests(SynchronousTestCase):
    def test_the_catalogue(self) -> None:
        tables = ServedTables()
        first = tables.add("one", RecordKind.RPKI, history(vrps(1, 2), epoch=9, serial=4))
        second = tables.add("two", RecordKind.ROUTES, history(None))
        second.health = Health.STALLED
        self.assertEqual((first.number, second.number), (1, 2))
        self.assertIs(tables.get(1), first)
        self.assertIsNone(tables.get(3))
        entries = tables.entries
        self.assertEqual([(entry.number, entry.name, entry.count) for entry in entries], [(1, "one", 2), (2, "two", 0)])
        self.assertEqual((entries[0].epoch, entries[0].serial, entries[1].health), (9, 4, Health.STALLED))
