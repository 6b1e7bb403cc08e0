"""Tests for L{rotoro.table.sealed}: what is not whole, or not as it must be, is refused, and nothing else happens."""

from __future__ import annotations

from collections.abc import Iterable

from twisted.trial.unittest import SynchronousTestCase

from rotoro.table.records import Records
from rotoro.table.sealed import BadStored, columns, opened, sealed, text
from rotoro.table.slots import ASPA, ROUTER_KEY, VRP4, VRP6, PayloadSlot

VRP = bytes.fromhex("c0000200 18 18 0000fbf0")
KEY = bytes(20) + bytes.fromhex("00000002 3059 0000fbf0")
CUSTOMER, PROVIDERS = bytes.fromhex("0000fbf0"), bytes.fromhex("0000fbf1 0000fbf2")


def written(*pieces: bytes, kind: int = 9) -> bytes:
    return b"".join(sealed(kind, pieces))


def read(slot: PayloadSlot, octets: bytes) -> Records:
    body = opened(written(octets), 9)
    records = body.records(slot)
    body.end()
    return records


def fixed(*keys: bytes) -> bytes:
    return len(keys).to_bytes(4) + b"".join(keys)


def items(octets: Iterable[bytes]) -> bytes:
    known = list(octets)
    return b"".join(len(each).to_bytes(4) for each in known) + b"".join(known)


class SealTests(SynchronousTestCase):
    def test_what_was_sealed(self) -> None:
        body = opened(written(text("Grüße"), b"\0\7"), 9)
        self.assertEqual((body.text("greeting"), body.number(2, "seven")), ("Grüße", 7))
        body.end()
        self.assertRaises(BadStored, body.number, 1, "more")

    def test_what_is_not_read_to_its_end(self) -> None:
        self.assertRaises(BadStored, opened(written(b"\0"), 9).end)

    def test_every_cut(self) -> None:
        whole = written(b"some body")
        for length in range(len(whole)):
            self.assertRaises(BadStored, opened, whole[:length], 9)
        self.assertRaises(BadStored, opened, whole + b"\0", 9)

    def test_every_bit(self) -> None:
        whole = written(b"some body")
        for bit in range(8 * len(whole)):
            damaged = bytearray(whole)
            damaged[bit // 8] ^= 1 << bit % 8
            self.assertRaises(BadStored, opened, bytes(damaged), 9)

    def test_it_says_what_is_wrong(self) -> None:
        whole = written(b"some body")
        for octets, kind, why in [
            (b"", 9, "empty"),
            (b"<html>" * 20, 9, "begins with 3c68746d6c3e3c68, as no file of ours does"),
            (whole, 8, "kind 9 where 8 was looked for"),
            (whole[:8] + b"\0\2" + whole[10:], 9, "version 2 of this format"),
            (whole[:-1], 9, "octets of"),
            (whole[:-1] + b"\0", 9, "damaged"),
        ]:
            self.assertIn(why, str(self.assertRaises(BadStored, opened, octets, kind)))

    def test_times(self) -> None:
        for octets, fits in [("41d95555 55555555", True), ("7ff00000 00000000", False), ("fff80000 00000000", False),
                             ("c0000000 00000000", False)]:  # fmt: skip
            body = opened(written(bytes.fromhex(octets)), 9)
            if fits:
                self.assertGreater(body.real("time"), 1e9)
            else:
                self.assertRaises(BadStored, body.real, "time")


class ColumnTests(SynchronousTestCase):
    def test_there_and_back(self) -> None:
        for slot, records in [
            (VRP4, Records.of(VRP4, [VRP, VRP[:9] + b"\xf1"])),
            (VRP6, Records.of(VRP6, [bytes(16) + bytes([128, 0, 0, 0, 0, 0])])),
            (ROUTER_KEY, Records.of(ROUTER_KEY, [KEY, bytes(19) + b"\1" + bytes(8)])),
            (ASPA, Records.of(ASPA, [CUSTOMER], [PROVIDERS])),
            (ASPA, Records.none(ASPA)),
        ]:
            with self.subTest(slot=slot.name):
                self.assertEqual(read(slot, b"".join(columns(records))), records)

    def test_what_no_cache_has(self) -> None:
        for slot, octets, why in [
            (VRP4, fixed(VRP, VRP), "do not ascend"),
            (VRP4, fixed(VRP[:9] + b"\xf1", VRP), "do not ascend"),
            (VRP4, fixed(bytes.fromhex("c0000200 21 18 0000fbf0")), "no cache has"),
            (VRP4, fixed(bytes.fromhex("c0000200 17 18 0000fbf0")), "no cache has"),
            (VRP6, fixed(bytes(16) + bytes([129, 0, 0, 0, 0, 0])), "no cache has"),
            (ROUTER_KEY, b"\0\0\0\1" + items([KEY[:-1]]), "no cache has"),
            (ROUTER_KEY, b"\0\0\0\1" + items([b"short"]), "no cache has"),
            (ROUTER_KEY, b"\0\0\0\2" + items([KEY, KEY]), "do not ascend"),
            (ASPA, fixed(CUSTOMER) + items([PROVIDERS[:-1]]), "no cache has"),
            (ASPA, fixed(CUSTOMER) + b"\0\0\0\x09" + PROVIDERS, "where 8 are left"),
            (VRP4, b"\xff\xff\xff\xff" + VRP, "where 10 are left"),
            (ROUTER_KEY, b"\xff\xff\xff\xff" + KEY, "are left"),
            (ROUTER_KEY, b"\0\0\0\2\xff\xff\xff\xff\xff\xff\xff\xff", "8589934590 octets"),
            (VRP4, b"\0\0", "where 2 are left"),
        ]:
            with self.subTest(slot=slot.name, why=why):
                self.assertIn(why, str(self.assertRaises(BadStored, read, slot, octets)))
