"""Tests for L{rotoro.wire.rotoro}: the PDUs that Rotoro adds."""

from __future__ import annotations

from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from rotoro.wire import PDUS, ROTORO, Pdu, decode, encode
from rotoro.wire.errors import BadTypeDefinition, CorruptData, ProtocolError
from rotoro.wire.rotoro import (
    MAX_ROWS,
    MIN_ATTRIBUTE_SETS,
    MIN_MAX_PDU,
    SKIPPABLE,
    AttributeSets,
    Begin,
    BracketKind,
    Catalogue,
    ConfigData,
    ConfigGet,
    ConfigSet,
    FieldType,
    Goodbye,
    Hello,
    HelloAck,
    IngressState,
    Keepalive,
    Params,
    Routes4,
    Routes6,
    Status,
    Subscribe,
    TableEntry,
    TypeDefinition,
    TypedRecords,
    TypeField,
)


class NumberTests(SynchronousTestCase):
    def test_ranges(self) -> None:
        """32-63 data, 64-79 configuration, 80-95 housekeeping; nothing of ours is skippable yet."""
        own = {number for version, number in PDUS if version == ROTORO} - set(range(12))
        self.assertTrue(all(32 <= number < 96 for number in own))
        self.assertEqual((SKIPPABLE[0], SKIPPABLE[-1]), (128, 254))

    def test_hello_has_the_shape_of_a_reset_query(self) -> None:
        """Eight octets that every RTR cache can refuse, and an answer like a Cache Response."""
        self.assertEqual(encode(Hello(0x1234), ROTORO).hex(" ", 4), "80021234 00000008")
        self.assertEqual(encode(HelloAck(0), ROTORO).hex(" ", 4), "80030000 00000008")

    def test_only_in_rotoro(self) -> None:
        with self.assertRaisesRegex(ValueError, "version 0x2 has no Config Get"):
            encode(ConfigGet(), 2)


class CheckTests(SynchronousTestCase):
    def _refused(self, pdu: Pdu, words: str, error: type[ProtocolError] = CorruptData) -> None:
        with self.subTest(pdu=pdu), self.assertRaisesRegex(error, words) as caught:
            decode(encode(pdu, ROTORO))
        self.assertIs(type(caught.exception), error)

    def test_type_definitions(self) -> None:
        field = TypeField("hops", FieldType.ASN, 1)
        TypeDefinition(1, "flow", (field,)).check()
        TypeDefinition(1, "nothing", ()).check()
        for broken, words in [
            (TypeDefinition(1, "", (field,)), "no name"),
            (TypeDefinition(1, "flow", (field, replace(field, kind=FieldType.U8))), "twice"),
            (TypeDefinition(1, "flow", (replace(field, name=""),)), "no name"),
        ]:
            self._refused(broken, words, BadTypeDefinition)
        self._refused(TypeDefinition(1, "flow", (replace(field, kind=0),)), "unknown kind 0")
        self._refused(TypeDefinition(1, "flow", (replace(field, repeated=2),)), "unknown repeated 2")

    def test_ingresses(self) -> None:
        ingress = IngressState(1, 2, 1, 0, 1, 0, 64496, 0, 0, bytes(4), "n")
        for size in (0, 4, 16):
            replace(ingress, address=bytes(size)).check()
        self._refused(replace(ingress, address=bytes(5)), "address of 5 octets")
        self._refused(replace(ingress, kind=0), "Ingress State with the unknown kind 0")
        self._refused(replace(ingress, view=77), "unknown view 77")
        self._refused(replace(ingress, state=77), "unknown state 77")
        self._refused(replace(ingress, ingress=0xFFFFFFFF), "stands for none")

    def test_attribute_sets(self) -> None:
        AttributeSets(1, 0, (1, 0, 2), b"abc").check()
        self._refused(AttributeSets(1, 0, (1, 1), b"abc"), "2 attribute sets of 2 octets in 3")
        self._refused(AttributeSets(1, 0, (), b""), "without a set")

    def test_routes(self) -> None:
        self._refused(Routes4(1, 8, 0, 0, 0, bytes(9)), "unknown flags 8")
        self._refused(Routes6(1, 1, 0, 0, 0, b""), "Routes6 with 0 rows")
        self._refused(Routes4(1, 1, 0, 0, 0, bytes(10)), "10 octets of rows that take 9 each")

    def test_rows_of_a_run(self) -> None:
        """Fewer than the attribute sets that every receiver keeps: one run never needs more (spec section 7.3)."""
        self.assertLess(MAX_ROWS, MIN_ATTRIBUTE_SETS)
        Routes4(1, 1, 0, 0, 0, bytes(9 * MAX_ROWS)).check()
        self._refused(Routes4(1, 1, 0, 0, 0, bytes(9 * (MAX_ROWS + 1))), "Routes4 with 65536 rows")

    def test_records(self) -> None:
        TypedRecords(1, 0, 7, 0, 0, 3, b"abc").check()
        self._refused(TypedRecords(1, 0, 7, 0, 0, 0, b"abc"), "0 records in 3 octets")
        self._refused(TypedRecords(1, 0, 7, 0, 0, 4, b"abc"), "4 records in 3 octets")
        self._refused(TypedRecords(1, 2, 7, 0, 0, 1, b"abc"), "unknown flags 2")

    def test_brackets(self) -> None:
        Begin(1, BracketKind.SNAPSHOT, 0, 0, 5, 9).check()
        Begin(1, BracketKind.DIFF, 5, 9, 5, 9).check()
        self._refused(Begin(1, 99, 0, 0, 1, 1), "unknown kind 99")
        self._refused(Begin(1, BracketKind.SNAPSHOT, 0, 1, 5, 9), "a snapshot that begins at")
        self._refused(Begin(1, BracketKind.DIFF, 4, 1, 5, 9), "a diff from")
        self._refused(Begin(1, BracketKind.DIFF, 5, 10, 5, 9), "a diff from")

    def test_configuration(self) -> None:
        ConfigData(1, 3, 0, bytes(32), b"abc").check()
        ConfigSet(1, 1, 1, 9, 6, bytes(32), b"abc").check()
        self._refused(ConfigData(1, 3, 1, bytes(32), b"abc"), "3 octets at 1 of a text of 3")
        self._refused(ConfigSet(1, 1, 1, 2, 0, bytes(32), b"abc"), "of a text of 2")
        self._refused(ConfigSet(2, 1, 1, 3, 0, bytes(32), b"abc"), "unknown flags 2")

    def test_params(self) -> None:
        least = Params(0, MIN_MAX_PDU, MIN_ATTRIBUTE_SETS, 1, "")
        least.check()
        for name in ("max_pdu", "attribute_sets", "keepalive"):
            self._refused(replace(least, **{name: getattr(least, name) - 1}), "too little")

    def test_catalogues(self) -> None:
        entry = TableEntry(1, 1, 3, 0, 0, 0, 1, 1, "one")
        Catalogue(()).check()
        Catalogue((entry, replace(entry, number=2, name="two"))).check()
        self._refused(Catalogue((entry, replace(entry, number=2))), "names two tables alike")
        self._refused(Catalogue((entry, replace(entry, name="two"))), "numbers two tables alike")
        self._refused(Catalogue((replace(entry, name=""),)), "no name")

    def test_subscriptions(self) -> None:
        everything = Subscribe(1, 1, 0, 3, 0, 0, 0, 0xFFFFFFFF, 0, b"")
        scoped = replace(everything, scope=1, scope_length=24, scope_address=bytes(4))
        everything.check()
        scoped.check()
        replace(scoped, scope_address=bytes(16), scope_length=128).check()
        self._refused(replace(everything, mode=3), "unknown mode 3")
        self._refused(replace(everything, scope=9), "scope 9")
        self._refused(replace(everything, families=0), "families 0")
        self._refused(replace(everything, resume=2), "resume 2")
        self._refused(replace(everything, scope_length=1), "prefix length 1")
        self._refused(replace(everything, scope_address=bytes(4)), "address of 4 octets")
        self._refused(replace(scoped, scope_length=33), "prefix length 33")
        self._refused(replace(scoped, scope_address=b""), "address of 0 octets")
        self._refused(replace(scoped, scope_address=bytes(5)), "address of 5 octets")

    def test_housekeeping(self) -> None:
        """A farewell is not refused for its reason."""
        self._refused(Keepalive(2, 0), "unknown echo 2")
        self._refused(Status(1, 3, 0, "", ()), "unknown health 3")
        self._refused(Status(1, 0, 2, "", ()), "unknown end_of_rib 2")
        Goodbye(4711, 0, "").check()
