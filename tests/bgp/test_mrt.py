from __future__ import annotations

import json
import resource
import struct
from contextlib import suppress as passing_over

from rotonda.bgp.mrt import RECORD_LIMIT, Damage, PeerEvent
from rotonda.bgp.peers import Peer
from rotonda.bgp.update import NO_SET
from rotonda.units.files import DamagedFile, decompressed
from twisted.trial.unittest import SynchronousTestCase

from tests.bgp.archives import (
    COMPILED,
    HOP6,
    NEXT_HOP,
    ORIGIN,
    PATH2,
    PATH4,
    PEER,
    SET4,
    TIME,
    Heard,
    entry,
    heard,
    index_table,
    message,
    reach6,
    record,
    rib,
    speakers,
    unreach6,
    update,
)
from tests.data import shared

PREFIX = bytes.fromhex("18c63364")  # 198.51.100.0/24
KEY = bytes.fromhex("c63364001800000000")
PREFIX6 = bytes.fromhex("2020010db8")
KEY6 = bytes.fromhex("20010db80000000000000000000000002000000000")
TABLE = index_table((PEER, 64500), (HOP6, 4_200_000_000), view=b"main")
SET6 = ORIGIN + PATH4 + bytes.fromhex("800e1500020110") + HOP6 + b"\0"


class TableTests(SynchronousTestCase):
    def test_a_table_gives_its_peers_and_a_row_for_each_entry(self) -> None:
        stream = TABLE + rib(2, PREFIX, entry(SET4, 1), entry(SET4, 0, time=7))
        for compiled in COMPILED:
            told = heard(stream, compiled)
            self.assertEqual(told.rows, [(True, 1, KEY, 0, TIME - 9), (True, 0, KEY, 0, 7)])
            self.assertEqual(told.reader.sets, [SET4])
            self.assertEqual(
                told.reader.peers,
                [
                    Peer(PEER, 64500, int.from_bytes(PEER), "main"),
                    Peer(HOP6, 4_200_000_000, 1, "main"),
                ],
            )
            self.assertEqual(told.reader.counts.read, {(13, 1): 1, (13, 2): 1})
            self.assertEqual((told.reader.counts.announcements, told.reader.counts.withdrawals), (2, 0))

    def test_an_ipv6_set_is_the_same_in_all_forms_of_its_next_hop(self) -> None:
        head = ORIGIN + PATH4
        short = head + bytes((0x80, 14, 17, 16)) + HOP6
        full = head + reach6(b"")
        with_nlri = head + reach6(PREFIX6)
        stream = TABLE + b"".join(rib(4, PREFIX6, entry(octets)) for octets in (short, full, with_nlri, SET6))
        for compiled in COMPILED:
            told = heard(stream, compiled)
            self.assertEqual(told.rows, [(True, 0, KEY6, 0, TIME - 9)] * 4)
            self.assertEqual(told.reader.sets, [SET6])

    def test_path_identifiers_are_in_the_key(self) -> None:
        stream = TABLE + rib(8, PREFIX, entry(SET4, 0, 5)) + rib(10, PREFIX6, entry(SET6, 0, 1 << 31))
        for compiled in COMPILED:
            told = heard(stream, compiled)
            self.assertEqual(
                [key for _, _, key, _, _ in told.rows], [KEY[:-1] + b"\5", KEY6[:-4] + bytes.fromhex("80000000")]
            )

    def test_host_bits_are_cleared(self) -> None:
        stream = TABLE + rib(2, bytes.fromhex("19c63364ff"), entry(SET4))
        for compiled in COMPILED:
            self.assertEqual(heard(stream, compiled).rows[0][2], bytes.fromhex("c633648019") + bytes(4))

    def test_unicast_of_the_generic_kind_is_read_and_other_kinds_are_counted(self) -> None:
        body = struct.pack(">IHB", 0, 1, 1) + PREFIX + b"\0\1" + entry(SET4)
        other = struct.pack(">IHB", 0, 1, 128) + PREFIX + b"\0\1" + entry(SET4)
        stream = TABLE + record(13, 6, body) + record(13, 6, other) + rib(3, PREFIX) + record(99, 1, b"?")
        told = heard(stream, False)
        self.assertEqual(told.rows, [(True, 0, KEY, 0, TIME - 9)])
        self.assertEqual(told.reader.counts.skipped, {(13, 6): 1, (13, 3): 1, (99, 1): 1})

    def test_old_tables_have_two_octet_numbers(self) -> None:
        attributes = ORIGIN + PATH2 + NEXT_HOP
        fixed = bytes(4) + bytes.fromhex("c63364001801") + struct.pack(">I", 5)
        body = fixed + PEER + struct.pack(">HH", 64500, len(attributes)) + attributes
        told = heard(record(12, 1, body) + record(12, 1, body[:-1]), False)
        self.assertEqual(told.rows, [(True, 0, KEY, 0, 5)])
        self.assertEqual(told.reader.sets, [SET4])
        self.assertEqual(len(told.damage), 1)

    def test_a_second_table_renumbers_but_a_peer_keeps_its_own_number(self) -> None:
        turned = index_table((HOP6, 4_200_000_000), (PEER, 64500))
        stream = TABLE + rib(2, PREFIX, entry(SET4, 0)) + turned + rib(2, PREFIX, entry(SET4, 1))
        for compiled in COMPILED:
            told = heard(stream, compiled)
            self.assertEqual([row[1] for row in told.rows], [0, 0])
            self.assertEqual(len(told.reader.peers), 2)


class MessageTests(SynchronousTestCase):
    def test_withdrawals_come_before_announcements(self) -> None:
        stream = message(update(SET4, PREFIX, PREFIX))
        for compiled in COMPILED:
            told = heard(stream, compiled)
            self.assertEqual(told.rows, [(False, 0, KEY, NO_SET, TIME), (True, 0, KEY, 0, TIME)])
            self.assertEqual((told.reader.counts.announcements, told.reader.counts.withdrawals), (1, 1))

    def test_every_kind_of_message_is_read(self) -> None:
        two, four = ORIGIN + PATH2 + NEXT_HOP, SET4
        path = b"\0\0\0\5"
        for kind in (16, 17):
            for subtype, attributes, nlri in (
                (1, two, PREFIX),
                (4, four, PREFIX),
                (6, two, PREFIX),
                (7, four, PREFIX),
                (8, two, path + PREFIX),
                (9, four, path + PREFIX),
                (10, two, path + PREFIX),
                (11, four, path + PREFIX),
            ):
                for compiled in COMPILED:
                    with self.subTest(kind=kind, subtype=subtype, compiled=compiled):
                        told = heard(message(update(attributes, nlri), subtype, kind), compiled)
                        key = KEY[:-4] + path if subtype >= 8 else KEY
                        self.assertEqual(told.rows, [(True, 0, key, 0, TIME)])
                        self.assertEqual(told.reader.sets, [SET4])
                        self.assertEqual(told.reader.peers, [Peer(PEER, 64500, local=subtype in (6, 7, 10, 11))])

    def test_ipv6_routes_are_in_attributes_and_their_set_has_no_nlri(self) -> None:
        stream = message(update(ORIGIN + PATH4 + reach6(PREFIX6))) + message(update(unreach6(PREFIX6)))
        for compiled in COMPILED:
            told = heard(stream, compiled)
            self.assertEqual(told.rows, [(True, 0, KEY6, 0, TIME), (False, 0, KEY6, NO_SET, TIME)])
            self.assertEqual(told.reader.sets, [SET6])

    def test_a_message_of_both_families_has_a_set_for_each(self) -> None:
        body = update(unreach6(b"\x30" + bytes(6)) + ORIGIN + PATH4 + NEXT_HOP + reach6(PREFIX6), PREFIX)
        for compiled in COMPILED:
            told = heard(message(body), compiled)
            self.assertEqual([row[0] for row in told.rows], [True, False, True])
            self.assertEqual(told.reader.sets, [SET6, SET4])

    def test_other_families_are_counted(self) -> None:
        told = heard(message(update(ORIGIN + PATH4 + reach6(b"", safi=128))), COMPILED[-1])
        self.assertEqual((told.rows, told.reader.counts.other_families), ([], {(2, 128): 1}))

    def test_path_identifiers_that_the_subtype_denies_are_found(self) -> None:
        """BIRD 1 writes them so."""
        stream = message(update(SET4, b"\0\0\0\1" + PREFIX + b"\0\0\0\2" + PREFIX))
        for compiled in COMPILED:
            told = heard(stream, compiled)
            self.assertEqual([row[2] for row in told.rows], [KEY[:-1] + b"\1", KEY[:-1] + b"\2"])
            self.assertEqual(told.reader.counts.guessed_add_path, 1)
        self.assertEqual(len(heard(message(update(SET4, b"\0" + PREFIX)), False).rows), 2, "one default route is sound")

    def test_samples_that_bgpdump_misreads(self) -> None:
        for name, announced in (("samples/bird_bgp", 14), ("samples/bird6_bgp", 14), ("bgpipe.sample.mrt", 680)):
            for compiled in COMPILED:
                told = heard(shared(f"mrt-updates/{name}").read_bytes(), compiled)
                self.assertEqual((told.reader.counts.announcements, told.damage), (announced, []), name)

    def test_states_are_events_behind_the_routes_before_them(self) -> None:
        change = record(16, 5, speakers(True) + struct.pack(">HH", 6, 1))
        old = record(17, 0, bytes(4) + speakers(False) + struct.pack(">HH", 1, 2))
        for compiled in COMPILED:
            told = heard(message(update(SET4, PREFIX)) + change + old, compiled)
            self.assertEqual(told.order, ["RouteBatch", "PeerEvent", "PeerEvent"])
            self.assertEqual(told.events, [PeerEvent(0, 6, 1, TIME), PeerEvent(0, 1, 2, TIME)])

    def test_type_5_is_read(self) -> None:
        who = struct.pack(">H", 64500) + PEER + struct.pack(">H", 65000) + PEER
        stream = record(5, 1, who + update(ORIGIN + PATH2 + NEXT_HOP, PREFIX))
        stream += record(5, 3, who[:6] + struct.pack(">HH", 6, 1)) + record(5, 7, b"")
        told = heard(stream, COMPILED[-1])
        self.assertEqual(told.rows, [(True, 0, KEY, 0, TIME)])
        self.assertEqual(told.events, [PeerEvent(0, 6, 1, TIME)])
        self.assertEqual(told.reader.counts.skipped, {(5, 7): 1})


class DamageTests(SynchronousTestCase):
    good = message(update(SET4, PREFIX))

    def assert_only_damage(self, broken: bytes, what: str, before: bytes = b"") -> None:
        """The broken record gives a `Damage` and nothing else; the next one is used."""
        for compiled in COMPILED:
            with self.subTest(what, compiled=compiled):
                told = heard(before + broken + self.good, compiled)
                self.assertEqual(len(told.rows), 1)
                (damage,) = told.damage
                self.assertEqual((damage.offset, damage.record_number), (len(before), 1 if before else 0))
                self.assertIn(what, damage.what)
                self.assertLessEqual(len(damage.octets), 32)
                self.assertEqual(told.reader.counts.damaged.total(), 1)

    def test_rib_records(self) -> None:
        sound = entry(SET4)
        for what, broken in (
            ("prefix of length 33", rib(2, b"\x21" + bytes(5), sound)),
            ("prefix of length 129", rib(4, b"\x81" + bytes(17), sound)),
            ("goes beyond the record", rib(2, PREFIX, sound, sound[:-1])),
            ("goes beyond the record", record(13, 2, bytes(4) + PREFIX + b"\xff\xff" + sound)),
            ("3 octets after the last entry", rib(2, PREFIX, sound + b"xyz")),
            ("entry of peer 2", rib(2, PREFIX, sound, entry(SET4, 2))),
            ("path attribute 3 goes 3 octets too far", rib(2, PREFIX, sound, entry(SET4[:-3]))),
            ("path attribute 4 of 3 octets", rib(2, PREFIX, sound, entry(SET4 + b"\x80\4\3abc"))),
            ("prefix of length", record(13, 2, bytes(3))),
        ):
            self.assert_only_damage(broken, what, TABLE)

    def test_a_table_that_is_cut_keeps_the_peers_it_has(self) -> None:
        broken = record(13, 1, TABLE[12:-1])
        for compiled in COMPILED:
            told = heard(broken + rib(2, PREFIX, entry(SET4)), compiled)
            self.assertEqual((len(told.rows), len(told.damage)), (1, 1))

    def test_messages(self) -> None:
        marker = self.good.replace(b"\xff" * 16, b"\xff" * 15 + b"\0")
        for what, broken in (
            ("header of a BGP message", marker),
            ("header of a BGP message", record(16, 4, self.good[12:] + b"x")),
            ("BGP message of AFI 3", record(16, 4, self.good[12:].replace(b"\0\1\xc0", b"\0\3\xc0", 1))),
            ("BGP message of AFI 0 in 0 octets", record(16, 4, b"")),
            ("withdrawn routes go beyond", message(b"\xff\xff\0\0")),
            ("path attributes go 251 octets", message(b"\0\0\1\0xxxxx")),
            ("prefix of length 33", message(update(SET4, PREFIX + b"\x21" + bytes(5)))),
            ("prefix of length 24", message(update(SET4, PREFIX[:-1]))),
            ("path attribute 14 twice", message(update(reach6(PREFIX6) * 2))),
            ("too short for its next hop", message(update(b"\x80\x0e\5\0\2\1\x10\0"))),
            ("MP_UNREACH_NLRI is too short", message(update(b"\x80\x0f\2\0\2"))),
            ("undefined ORIGIN", message(update(b"\x40\1\1\3" + PATH4 + NEXT_HOP, PREFIX))),
            ("AS_PATH segment of type 9", message(update(b"\x40\2\6\x09\1\0\0\0\1", PREFIX))),
            ("state change", record(5, 3, b"12345")),
            ("peer of AFI 0", record(16, 5, bytes(10))),
        ):
            self.assert_only_damage(broken, what)

    def test_a_length_that_cannot_be_ends_the_reading_without_memory_for_it(self) -> None:
        for compiled in COMPILED:
            told = heard(self.good + struct.pack(">IHHI", 0, 16, 4, RECORD_LIMIT + 1) + self.good, compiled)
            self.assertEqual(len(told.rows), 1)
            self.assertIn("the rest of the stream is not read", told.damage[0].what)
            self.assertEqual(list(told.reader.receive(self.good)), [])

    def test_a_stream_that_ends_in_a_record_says_so(self) -> None:
        for cut, what in ((-1, "ends with 82 of the 83 octets"), (11, "ends with 11 of the 12 octets")):
            told = heard(self.good[:cut], False)
            self.assertIn(what, told.damage[0].what)
            self.assertEqual(list(told.reader.finish()), [], "once is enough")

    def test_kinds_behind_a_lost_boundary_are_not_counted_without_end(self) -> None:
        stream = b"".join(record(kind, 7, b"") for kind in range(1000, 4000))
        counts = heard(stream, False).reader.counts
        self.assertEqual((counts.skipped.total(), len(counts.skipped)), (3000, 1025))


class SliceTests(SynchronousTestCase):
    stream = (
        TABLE
        + b"".join(rib(2, bytes((24, 10, 0, number)), entry(SET4, number % 2)) for number in range(40))
        + rib(4, PREFIX6, *(entry(SET6) for _ in range(9)))
        + message(update(SET4, PREFIX))
        + rib(2, PREFIX, entry(b"?"))
        + message(update(ORIGIN + PATH4 + reach6(PREFIX6)))
    )

    def test_slices_and_batches_of_any_size_give_the_same(self) -> None:
        whole = heard(self.stream, False)
        self.assertEqual((len(whole.rows), len(whole.damage)), (51, 1))
        for compiled in COMPILED:
            for step in (1, 7, 100, 1000):
                for batch_rows in (1, 8, 65536):
                    with self.subTest(compiled=compiled, step=step, batch_rows=batch_rows):
                        told = heard(self.stream, compiled, step, batch_rows)
                        self.assertEqual(sorted(told.rows), sorted(whole.rows))
                        self.assertEqual(told.damage, whole.damage)
                        self.assertEqual(told.reader.counts, whole.reader.counts)

    def test_what_is_not_asked_for_comes_with_the_next_call(self) -> None:
        told = heard(b"", False, batch_rows=1)
        told.reader.receive(self.stream)
        told.note(told.reader.receive(b""))
        told.note(told.reader.finish())
        self.assertEqual(len(told.rows), 51)


class HostileFilesTests(SynchronousTestCase):
    """What was made to break readers: everything is survived, and both kinds of loops say the same."""

    def assert_survived(self, folder: str) -> dict[str, Heard]:
        found: dict[str, Heard] = {}
        for path in sorted(shared(folder).iterdir()):
            if path.suffix == ".json":
                continue
            pieces: list[bytes] = []
            with passing_over(DamagedFile):
                pieces += decompressed(path)
            for compiled in COMPILED:
                with self.subTest(path.name, compiled=compiled):
                    told = heard(b"".join(pieces), compiled)
                    first = found.setdefault(path.name, told)
                    self.assertEqual(told.rows, first.rows)
                    self.assertEqual((told.damage, told.events), (first.damage, first.events))
                    self.assertEqual((told.reader.sets, told.reader.counts), (first.reader.sets, first.reader.counts))
        return found

    def test_crafted_files(self) -> None:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        found = self.assert_survived("adversarial/crafted-mrt")
        self.assertLess(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, 1 << 17, "KiB")
        self.assertEqual(set(found), set(json.loads(shared("adversarial/crafted-mrt/cases.json").read_text())))
        for name, rows, damaged in (
            ("000-empty.bin", 0, 0),
            ("002-len-4G.bin", 0, 1),
            ("004-len-0.bin", 0, 100),
            ("006-subtype-99.bin", 1, 0),
            ("008-rib-no-pit.bin", 0, 1),
            ("010-count-more.bin", 1, 1),
            ("012-plen-33.bin", 1, 1),
            ("014-attr-overrun.bin", 1, 1),
            ("016-trailing.bin", 0, 1),
            ("018-pit-count.bin", 0, 1),
            ("020-pit-twice.bin", 2, 0),
            ("022-mp-full.bin", 1, 0),
            ("024-rib-generic.bin", 1, 0),
            ("026-bgp4mp-afi-3.bin", 0, 1),
            ("028-bgp4mp-len.bin", 0, 1),
            ("030-state-99.bin", 0, 0),
            ("032-et-short.bin", 0, 1),
            ("034-time-0.bin", 1, 0),
            ("036-ext-message.bin", 10000, 0),
            ("038-gz-two.gz", 1, 0),
        ):
            with self.subTest(name):
                self.assertEqual((len(found[name].rows), len(found[name].damage)), (rows, damaged))

    def test_mutated_files(self) -> None:
        found = self.assert_survived("adversarial/mutated-mrt")
        self.assertGreater(sum(len(told.damage) for told in found.values()), 20)


class DamageValueTests(SynchronousTestCase):
    def test_octets_are_those_at_the_fault(self) -> None:
        told = heard(message(update(SET4, PREFIX + b"\x21" + bytes(5))), False)
        self.assertEqual(told.damage, [Damage(0, 0, "prefix of length 33 with 5 octets left", b"\x21" + bytes(5))])
