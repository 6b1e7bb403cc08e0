"""Tests for L{rotonda.bgp.bmp}: what routers say, whole, cut anywhere, and wrong; real recordings counted twice."""

from __future__ import annotations

import gzip
import struct
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from hypothesis import given
from hypothesis import strategies as st
from rotonda.bgp.attributes import decoded
from rotonda.bgp.bmp import (
    MESSAGE_LIMIT,
    BmpReader,
    Damage,
    EndOfRib,
    Given,
    HandedOn,
    HandOn,
    Initiation,
    Mirrored,
    PeerDown,
    PeerUp,
    Statistics,
    Termination,
)
from rotonda.bgp.bmp_messages import PeerKind, View
from rotonda.bgp.raw import Accepts, Protocol, RawMessage, accept_all
from rotonda.bgp.update import NO_SET, RouteBatch
from twisted.trial.unittest import SynchronousTestCase

from interop.traffic import bmp as made
from tests.bgp.archives import COMPILED
from tests.data import shared

NOW = 1_800_000_000
PEER = made.Peer()
OTHER = made.Peer(bytes((192, 0, 2, 11)), 64_501)
SIX = made.Peer(bytes.fromhex("20010db8000000000000000000000001"))
LOC_RIB = made.Peer(bytes(4), 65_000, 3)
ONE = made.monitoring(PEER, made.update(made.prefix(1)))
Kind = TypeVar("Kind")


def read(
    *messages: bytes,
    accepts: Accepts = accept_all,
    hand_on: HandOn = HandOn.NONE,
    slice_octets: int = 1 << 20,
    compiled: bool = COMPILED[-1],
) -> tuple[BmpReader, list[Given]]:
    """A reader that has read a session to its end, and all that it gave."""
    reader = BmpReader(accepts, hand_on, compiled=compiled)
    octets, found = b"".join(messages), []
    for at in range(0, len(octets), slice_octets):
        found += reader.receive(octets[at : at + slice_octets], NOW)
    return reader, found + reader.finish()


def only(kind: type[Kind], found: list[Given]) -> list[Kind]:
    return [one for one in found if isinstance(one, kind)]


Row = tuple[View, bytes, bytes | None, int]


def rows(reader: BmpReader, found: list[Given]) -> list[Row]:
    """View, key, attribute set and time of each row, in the order of the rows of a family."""
    return [
        (reader.sources[peer].view, key.ljust(width, b"\0"), reader.sets[number] if announced else None, time)
        for batch in only(RouteBatch, found)
        for width in [batch.keys.dtype.itemsize]
        for announced, peer, key, number, time in zip(
            *(batch.announce.tolist(), batch.peers.tolist(), batch.keys.tolist()),
            *(batch.attributes.tolist(), batch.times.tolist()),
            strict=True,
        )
        if announced == (number != NO_SET)
    ]


class StoryTests(SynchronousTestCase):
    def test_what_a_router_says_of_itself(self) -> None:
        reader, found = read(made.initiation(b"edge\x1b[1", b"x" * 60_000), made.termination(2))
        self.assertEqual((reader.router.name, len(reader.router.description)), ("edge\\x1b[1", 255))
        self.assertEqual([type(one) for one in found], [Initiation, Termination])
        self.assertEqual(only(Termination, found)[0].what, "out of resources")

    def test_nothing_is_read_after_a_termination(self) -> None:
        reader, found = read(made.termination(), made.peer_up(PEER), ONE)
        self.assertEqual((len(found), reader.ended, dict(reader.counts.read)), (1, True, {5: 1}))

    def test_routes_and_their_time(self) -> None:
        untimed = made.monitoring(PEER, made.update(withdrawn=made.prefix(2)), time=0)
        reader, found = read(made.initiation(), made.peer_up(PEER), ONE, untimed)
        (_, key, attributes, time), (_, gone, none, now) = rows(reader, found)
        self.assertEqual((key, gone), (b"\1\0\1\0\x18\0\0\0\0", b"\1\0\2\0\x18\0\0\0\0"))
        self.assertEqual((time, now, none), (made.TIME, NOW, None))
        self.assertEqual(decoded(attributes or b"").origin_as, 64_501)
        self.assertEqual((reader.counts.announcements, reader.counts.withdrawals), (1, 1))

    def test_views_are_sources_of_their_own(self) -> None:
        flags = [0, made.POST, made.ADJ_RIB_OUT, made.ADJ_RIB_OUT | made.POST]
        each = [made.monitoring(PEER.seen(one), made.update(made.prefix(one))) for one in flags]
        loc_rib = [made.peer_up(LOC_RIB, information=made.tlv(3, b"blue"))]
        each.append(made.monitoring(LOC_RIB, made.update(made.prefix(9))))
        reader, found = read(made.peer_up(PEER), *loc_rib, *each)
        self.assertEqual(only(Damage, found), [])
        self.assertEqual(
            [source.view for source in reader.sources],
            [View.ADJ_RIB_IN_PRE, View.ADJ_RIB_IN_POST, View.ADJ_RIB_OUT_PRE, View.ADJ_RIB_OUT_POST, View.LOC_RIB],
        )
        self.assertEqual([source.table for source in reader.sources], [""] * 4 + ["blue"])
        self.assertEqual([source.peer.kind for source in reader.sources][-1], PeerKind.LOC_RIB)

    def test_end_of_rib(self) -> None:
        six = made.bgp_message(2, bytes.fromhex("00000006800f03000201"))
        messages = made.peer_up(PEER), ONE, made.monitoring(PEER, made.end_of_rib()), made.monitoring(PEER, six)
        _, found = read(*messages)
        self.assertEqual([type(one) for one in found], [PeerUp, RouteBatch, EndOfRib, EndOfRib])
        self.assertEqual(only(EndOfRib, found), [EndOfRib(0, 4), EndOfRib(0, 6)])

    def test_short_withdrawals_are_no_end_of_rib(self) -> None:
        everything = made.monitoring(PEER, made.update(withdrawn=b"\0"))
        reader, found = read(made.peer_up(PEER), everything)
        self.assertEqual((only(EndOfRib, found), reader.counts.withdrawals), ([], 1))

    def test_a_peer_goes_down_and_comes_back(self) -> None:
        again = made.monitoring(PEER, made.update(made.prefix(2)))
        down = made.peer_down(PEER, 1, made.bgp_message(3, b"\6\4"))
        post = made.monitoring(PEER.seen(made.POST), made.update(made.prefix(1)))
        reader, found = read(made.peer_up(PEER), ONE, post, down, made.peer_up(PEER), again)
        (event,) = only(PeerDown, found)
        self.assertEqual((event.closed, event.what), ((0, 1), "the router closed the session: NOTIFICATION 6/4"))
        self.assertEqual([batch.peers.tolist() for batch in only(RouteBatch, found)], [[0, 1], [0]])
        self.assertEqual([type(one) for one in found], [PeerUp, RouteBatch, PeerDown, PeerUp, RouteBatch])
        self.assertEqual((reader.up, len(reader.sources)), (1, 2))

    def test_peer_up_again_starts_anew(self) -> None:
        _, found = read(made.peer_up(PEER), ONE, made.peer_up(PEER), made.peer_up(PEER))
        self.assertEqual([event.closed for event in only(PeerUp, found)], [(), (0,), ()])

    def test_a_session_may_be_told_of_once_for_each_view(self) -> None:
        _, found = read(made.peer_up(PEER), ONE, made.peer_up(PEER.seen(made.POST)))
        self.assertEqual([event.closed for event in only(PeerUp, found)], [(), ()])

    def test_another_session_for_another_view_ends_the_one_before(self) -> None:
        _, found = read(made.peer_up(PEER), ONE, made.peer_up(PEER.seen(made.POST), add_path=True))
        self.assertEqual([event.closed for event in only(PeerUp, found)], [(), (0,)])

    def test_a_peer_up_that_cannot_be_read_ends_the_session_before(self) -> None:
        broken = made.message(made.UP, PEER.header() + bytes(30))
        _, found = read(made.peer_up(PEER), ONE, broken, ONE)
        self.assertEqual([event.closed for event in only(PeerDown, found)], [(0,)])
        self.assertEqual(len(only(Damage, found)), 2)
        self.assertIn("not up", only(Damage, found)[1].what)

    def test_peers_with_one_address_are_told_apart_by_their_distinguisher(self) -> None:
        red, blue = (made.Peer(kind=1, distinguisher=number) for number in (1, 2))
        messages = [made.monitoring(peer, made.update(made.prefix(1))) for peer in (red, blue)]
        reader, found = read(made.peer_up(red), made.peer_up(blue), *messages, made.peer_down(red))
        self.assertEqual([source.peer.distinguisher for source in reader.sources], [1, 2])
        self.assertEqual(only(PeerDown, found)[0].closed, (0,))

    def test_opens_say_who_writes_path_identifiers(self) -> None:
        announced = made.monitoring(PEER, made.update(made.prefix(1, 7) + made.prefix(1, 8)))
        reader, found = read(made.peer_up(PEER, add_path=True), announced)
        self.assertEqual([key[-4:] for _, key, _, _ in rows(reader, found)], [b"\0\0\0\7", b"\0\0\0\x08"])

    def test_directions_of_path_identifiers(self) -> None:
        def up(sent: int, received: int) -> bytes:
            plain = made.peer_up(PEER, add_path=True)
            head, _, rest = plain.partition(made.ADD_PATH_BOTH)
            middle, _, end = rest.partition(made.ADD_PATH_BOTH)
            modes = [made.ADD_PATH_BOTH[:5] + bytes((mode,)) + made.ADD_PATH_BOTH[6:] for mode in (sent, received)]
            return head + modes[0] + middle + modes[1] + end

        for sent, received, inbound, outbound in ((1, 2, 3, 2), (2, 1, 2, 3), (1, 1, 2, 2), (3, 3, 3, 3)):
            with self.subTest(sent=sent, received=received):
                (event,) = only(PeerUp, read(up(sent, received))[1])
                self.assertEqual(event.session.add_path(View.ADJ_RIB_IN_POST), inbound)
                self.assertEqual(event.session.add_path(View.ADJ_RIB_OUT_PRE), outbound)
                self.assertEqual(event.session.add_path(View.LOC_RIB), inbound | outbound)

    def test_extended_optional_parameters(self) -> None:
        """RFC 9072: 255 and 255, then lengths of two octets."""
        capabilities = made.ADD_PATH_BOTH + b"\x41\4\0\0\xfb\xf4"
        parameter = b"\2" + struct.pack(">H", len(capabilities)) + capabilities
        fixed = struct.pack(">BHHIBBH", 4, 23_456, 180, 1, 255, 255, len(parameter))
        extended = made.bgp_message(1, fixed + parameter)
        body = PEER.header() + bytes(20) + made.open_message(65_000, True) + extended
        (event,) = only(PeerUp, read(made.message(made.UP, body))[1])
        self.assertEqual((event.session.received.asn, event.session.add_path(View.ADJ_RIB_IN_PRE)), (64_500, 3))

    def test_marks_behind_an_update(self) -> None:
        """As Huawei's routers write them."""
        marked = made.monitoring(PEER, made.update(made.prefix(1)) + made.tlv(0xEA62, b"\0\0\0\x0a"))
        reader, found = read(made.peer_up(PEER), marked)
        self.assertEqual((only(Damage, found), reader.counts.announcements), ([], 1))

    def test_as_numbers_of_two_octets(self) -> None:
        path = bytes.fromhex("40010100 4002060202 fbf4 fbf5 400304c000020a".replace(" ", ""))
        update = made.bgp_message(2, bytes(2) + struct.pack(">H", len(path)) + path + made.prefix(1))
        reader, found = read(made.peer_up(PEER), made.monitoring(PEER.seen(0x20), update))
        self.assertEqual(only(Damage, found), [])
        self.assertEqual(decoded(rows(reader, found)[0][2] or b"").origin_as, 64_501)

    def test_statistics_and_mirrored_messages(self) -> None:
        lost = made.message(made.MIRRORING, PEER.header() + made.tlv(1, b"\0\1") + made.tlv(0, b"no BGP at all"))
        _, found = read(made.statistics(PEER, _7=12, _99=1), lost)
        self.assertEqual(only(Statistics, found)[0].values, {7: 12, 99: 1})
        self.assertEqual([(one.messages, one.lost) for one in only(Mirrored, found)], [(1, True)])


class DamageTests(SynchronousTestCase):
    def ends_with(self, octets: bytes, what: str) -> None:
        """These octets end the session, and what was before them is used."""
        for size in (1, 1 << 20):
            with self.subTest(what, size=size):
                good = made.peer_up(PEER) + ONE
                reader, found = read(good, octets, ONE * 3, slice_octets=size)
                (damage,) = only(Damage, found)
                self.assertTrue(damage.ends and reader.ended)
                self.assertEqual((damage.what, damage.offset, damage.message), (what, len(good), 2))
                self.assertEqual(reader.counts.announcements, 1)
                self.assertEqual(reader.receive(ONE, NOW), [])

    def test_what_cannot_be_followed(self) -> None:
        rest = ": the rest of the session is not read"
        self.ends_with(b"\4" + ONE[1:], "version 4" + rest)
        for length in (0, 5, MESSAGE_LIMIT + 1, 0xFFFFFFFF):
            self.ends_with(b"\3" + struct.pack(">IB", length, 0), f"a message of {length} octets" + rest)

    def test_the_end_within_a_message(self) -> None:
        for length in (1, 5, 6, 70):
            with self.subTest(length=length):
                _, found = read(made.peer_up(PEER), ONE[:length])
                (damage,) = only(Damage, found)
                self.assertIn(f"ends with {length} of the {len(ONE) if length > 5 else 6} octets", damage.what)

    def test_nothing_is_held_for_a_length_that_is_too_much(self) -> None:
        reader = BmpReader()
        reader.receive(b"\3" + struct.pack(">IB", 0x7FFFFFFF, 0), NOW)
        self.assertTrue(reader.ended)
        self.assertIsNone(reader.partial)

    def test_the_largest_update_is_taken(self) -> None:
        many = b"".join(map(made.prefix, range(16_300)))
        reader, found = read(made.peer_up(PEER), made.monitoring(PEER, made.update(many)), slice_octets=1000)
        self.assertEqual((only(Damage, found), reader.counts.announcements), ([], 16_300))

    def test_one_wrong_message_is_all_that_is_lost(self) -> None:
        wrong = {
            "prefix": made.monitoring(PEER, made.update(made.prefix(1) + b"\x21\1\2\3\4\5")),
            "no UPDATE": made.monitoring(PEER, made.bgp_message(4, b"")),
            "length of the UPDATE": made.monitoring(PEER, made.update(made.prefix(1)) + b"\0"),
            "cut header": made.message(made.MONITORING, PEER.header()[:20]),
            "unknown peer": made.monitoring(OTHER, made.update(made.prefix(1))),
            "statistics": made.message(made.STATISTICS, PEER.header() + b"\0\0\0\1\0\7\0\x09\0"),
            "peer up": made.message(made.UP, OTHER.header()),
            "initiation": made.message(made.INITIATION, b"\0\2\xff\xff"),
            "mirroring": made.message(made.MIRRORING, PEER.header() + b"\0"),
        }
        for what, message in wrong.items():
            for compiled in COMPILED:
                with self.subTest(what, compiled=compiled):
                    messages = made.initiation(), made.peer_up(PEER), message, ONE
                    reader, found = read(*messages, compiled=compiled)
                    (damage,) = only(Damage, found)
                    self.assertEqual((damage.message, damage.ends), (2, False))
                    self.assertEqual((sum(reader.counts.damaged.values()), reader.counts.announcements), (1, 1))
                    self.assertIn("message 2 at octet", str(damage))

    def test_unusable_attributes_withdraw_the_prefixes(self) -> None:
        """RFC 7606 section 2."""
        own = made.attributes((64_500,)) + b"\x40\5\3\0\0\0"  # LOCAL_PREF of three octets
        body = bytes(2) + struct.pack(">H", len(own)) + own + made.prefix(1)
        reader, found = read(made.peer_up(PEER), ONE, made.monitoring(PEER, made.bgp_message(2, body)))
        self.assertEqual([key is None for _, _, key, _ in rows(reader, found)], [False, True])
        self.assertEqual((len(only(Damage, found)), reader.counts.withdrawn_instead), (1, 1))

    def test_unknown_types_are_skipped_and_counted(self) -> None:
        strange = made.Peer(kind=9)
        reader, found = read(
            made.message(100, b"?"), made.message(255), made.peer_up(strange), made.monitoring(strange, b""), ONE
        )
        self.assertEqual(reader.counts.skipped, Counter({100: 1, 255: 1, 3: 1, 0: 1}))
        self.assertEqual(len(only(Damage, found)), 1)

    def test_limits_of_what_one_router_may_have(self) -> None:
        reader = BmpReader(source_limit=2)
        views = [made.monitoring(PEER.seen(flags), made.update(made.prefix(1))) for flags in (0, 0x40, 0x10)]
        found = reader.receive(b"".join((made.peer_up(PEER), *views)), NOW)
        self.assertIn("more than 2 peers", only(Damage, found)[0].what)
        self.assertEqual(len(reader.sources), 2)

    def test_anything_may_come(self) -> None:
        for traffic in made.spoilt(seed=5, count=400):
            told = []
            for compiled in COMPILED:
                for size in (7, 1 << 20):
                    reader, found = read(traffic.octets, compiled=compiled, slice_octets=size)
                    reader.counts.octets = 0  # those after the end of a session are not counted
                    told.append((only(Damage, found), reader.counts, sorted(rows(reader, found), key=str)))
            self.assertTrue(all(one == told[0] for one in told), traffic.what)


class SliceTests(SynchronousTestCase):
    @given(st.integers(1, 300), st.sampled_from(COMPILED))
    def test_slices_do_not_matter(self, size: int, compiled: bool) -> None:
        session = b"".join(made.table([PEER, SIX], 40, 3)) + made.peer_down(SIX)
        whole, cut = read(session), read(session, slice_octets=size, compiled=compiled)
        self.assertEqual(rows(*whole), rows(*cut))
        self.assertEqual(whole[0].counts, cut[0].counts)

    def test_long_sessions_forget_attribute_sets(self) -> None:
        reader = BmpReader()
        reader.receive(made.peer_up(PEER) + ONE, NOW)
        before, start = reader.sets, reader.counts.octets
        reader.renew()
        found = reader.receive(ONE, NOW)
        self.assertEqual((len(before), len(reader.sets), reader.renewed_at), (1, 1, start))
        self.assertIsNot(before, reader.sets)
        self.assertEqual(len(rows(reader, found)), 1)


class FilterTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.offered: list[RawMessage] = []

    def accepts(self, message: RawMessage) -> bool:
        """Everything but routes of the second peer."""
        self.offered.append(message)
        return message.peer is None or message.peer.asn != OTHER.asn

    def test_messages_are_offered_as_they_came(self) -> None:
        messages = made.initiation(), made.peer_up(PEER), made.monitoring(PEER.seen(0x30), made.update(made.prefix(1)))
        read(*messages, accepts=self.accepts, slice_octets=11)
        self.assertEqual([one.octets for one in self.offered], list(messages))
        self.assertEqual([one.protocol for one in self.offered], [Protocol.BMP] * 3)
        self.assertEqual([one.four_octet for one in self.offered], [True, True, False])
        self.assertEqual([str(one.peer) for one in self.offered][1:], ["192.0.2.10 AS64500", str(self.offered[2].peer)])
        self.assertTrue(self.offered[2].peer is not None and self.offered[2].peer.local)

    def test_what_is_rejected_gives_no_rows_but_the_books_are_kept(self) -> None:
        other = made.monitoring(OTHER, made.update(made.prefix(2)))
        messages = made.peer_up(PEER), made.peer_up(OTHER), ONE, other, made.peer_down(OTHER)
        reader, found = read(*messages, accepts=self.accepts)
        self.assertEqual((reader.counts.announcements, dict(reader.counts.rejected)), (1, {0: 1}))
        self.assertEqual([event.accepted for event in only(PeerUp, found)], [True, False])
        self.assertEqual(len(only(PeerDown, found)), 1)

    def test_each_message_is_offered_once(self) -> None:
        own = made.attributes((64_500,)) + b"\x40\5\3\0\0\0"
        broken = made.bgp_message(2, bytes(2) + len(own).to_bytes(2, "big") + own + made.prefix(1))
        other = made.monitoring(OTHER, made.update(made.prefix(2)))
        messages = [made.peer_up(PEER), made.peer_up(OTHER), ONE, other, other, made.monitoring(PEER, broken), ONE]
        reader, _ = read(*messages, accepts=self.accepts)
        self.assertEqual([one.octets for one in self.offered], messages)
        self.assertEqual((reader.counts.announcements, reader.counts.rejected[0]), (2, 2))

    def test_which_messages_are_handed_on(self) -> None:
        other = made.monitoring(OTHER, made.update(made.prefix(2)))
        good = [made.initiation(), made.peer_up(PEER), ONE, made.message(77, b"?")]
        messages = [good[0], good[1], made.peer_up(OTHER), good[2], other, good[3]]
        for hand_on, accepts, wanted in (
            (HandOn.ACCEPTED, self.accepts, good),
            (HandOn.ALL, self.accepts, messages),
            (HandOn.ACCEPTED, accept_all, messages),
            (HandOn.NONE, accept_all, []),
        ):
            for size in (1, 50, 1 << 20):
                with self.subTest(hand_on=hand_on, size=size):
                    _, found = read(*messages, accepts=accepts, hand_on=hand_on, slice_octets=size)
                    handed = only(HandedOn, found)
                    self.assertEqual(b"".join(one.octets for one in handed), b"".join(wanted))
                    self.assertEqual(sum(one.messages for one in handed), len(wanted))

    def test_nothing_half_is_handed_on(self) -> None:
        _, found = read(made.initiation(), b"\4\0\0", bytes(9), hand_on=HandOn.ALL)
        self.assertEqual([one.octets for one in only(HandedOn, found)], [made.initiation()])


# --- real sessions, counted here by `struct` -------------------------------------------------------------------------


@dataclass
class Counted:
    """What an independent walk over a session finds."""

    kinds: Counter[int] = field(default_factory=Counter)
    announced: Counter[tuple[int, int, int]] = field(default_factory=Counter)  # type of peer, L and O, family
    withdrawn: Counter[tuple[int, int, int]] = field(default_factory=Counter)
    others: int = 0  # runs of NLRI of other families
    early: int = 0  # Route Monitoring before any Peer Up of its peer


def messages_of(octets: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(octets):
        version, length, kind = struct.unpack_from(">BIB", octets, at)
        assert version == 3, at
        yield kind, octets[at + 6 : at + length]
        at += length


def prefixes(nlri: bytes, add_path: bool) -> int:
    at = count = 0
    while at < len(nlri):
        at += 4 if add_path else 0
        at, count = at + 1 + (nlri[at] + 7) // 8, count + 1
    return count


def count(octets: bytes, add_path: frozenset[int] = frozenset()) -> Counted:
    """Walk over a session; `add_path` has the types of peers whose routes have path identifiers."""
    found, up = Counted(), set()
    for kind, body in messages_of(octets):
        found.kinds[kind] += 1
        who = body[:1] + body[2:26]
        if kind == 3:
            up.add(who)
        elif kind == 2:
            up.discard(who)
        elif kind == 0 and who not in up:
            found.early += 1
        elif kind == 0:
            _count_update(body, found, body[0] in add_path)
    return found


def _count_update(body: bytes, found: Counted, add_path: bool) -> None:
    view = body[0], body[1] & 0x50 if body[0] != 3 else 0
    update = body[42 + 19 : 42 + int.from_bytes(body[58:60])]
    withdrawn = int.from_bytes(update[:2])
    length = int.from_bytes(update[2 + withdrawn : 4 + withdrawn])
    attributes, nlri = update[4 + withdrawn : 4 + withdrawn + length], update[4 + withdrawn + length :]
    found.withdrawn[*view, 4] += prefixes(update[2 : 2 + withdrawn], add_path)
    found.announced[*view, 4] += prefixes(nlri, add_path)
    while attributes:
        flags, kind = attributes[:2]
        start = 4 if flags & 0x10 else 3
        value = attributes[start : start + int.from_bytes(attributes[2:start])]
        attributes = attributes[start + len(value) :]
        if kind in (14, 15):
            afi, safi = struct.unpack_from(">HB", value)
            nlri = value[5 + value[3] :] if kind == 14 else value[3:]
            if safi == 1 and afi in (1, 2):
                (found.announced if kind == 14 else found.withdrawn)[*view, 4 if afi == 1 else 6] += prefixes(
                    nlri, add_path
                )
            else:
                found.others += 1


VIEWS = {
    View.ADJ_RIB_IN_PRE: 0, View.ADJ_RIB_IN_POST: 0x40, View.LOC_RIB: 0,
    View.ADJ_RIB_OUT_PRE: 0x10, View.ADJ_RIB_OUT_POST: 0x50,
}  # fmt: skip


def counted_rows(reader: BmpReader, found: list[Given], announced: bool) -> Counter[tuple[int, int, int]]:
    counts: Counter[tuple[int, int, int]] = Counter()
    for batch in only(RouteBatch, found):
        for number, is_announced in zip(batch.peers.tolist(), batch.announce.tolist(), strict=True):
            if is_announced == announced:
                source = reader.sources[number]
                counts[int(source.peer.kind), VIEWS[source.view], batch.family] += 1
    return counts


def streams(pcap: bytes) -> list[bytes]:
    """What each side of each TCP connection in a capture said, if it begins like BMP."""
    order = "<" if pcap[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
    link = struct.unpack_from(order + "I", pcap, 20)[0]
    found: dict[bytes, dict[int, bytes]] = {}
    at = 24
    while at < len(pcap):
        size = struct.unpack_from(order + "I", pcap, at + 8)[0]
        frame, at = pcap[at + 16 : at + 16 + size], at + 16 + size
        packet = frame[{1: 14, 113: 16, 276: 20, 101: 0, 12: 0}[link] :]
        if link == 1 and frame[12:14] == b"\x81\0":
            packet = packet[4:]
        if packet[0] >> 4 == 4 and packet[9] == 6:
            addresses = packet[12:20]
            segment = packet[(packet[0] & 15) * 4 : int.from_bytes(packet[2:4])]
        elif packet[0] >> 4 == 6 and packet[6] == 6:
            addresses, segment = packet[8:40], packet[40 : 40 + int.from_bytes(packet[4:6])]
        else:
            continue
        payload = segment[(segment[12] >> 4) * 4 :]
        if payload:
            found.setdefault(addresses + segment[:4], {}).setdefault(int.from_bytes(segment[4:8]), payload)
    return [octets for parts in found.values() if (octets := joined(parts))[:1] == b"\3"]


def joined(parts: dict[int, bytes]) -> bytes:
    """Segments by their sequence numbers, as far as none is missing."""
    whole = b""
    start = min(parts)
    for number in sorted(parts):
        if number - start > len(whole):
            break
        whole += parts[number][max(0, len(whole) - (number - start)) :]
    return whole


def whole_messages(octets: bytes) -> bytes:
    """Without what follows the last message that is whole."""
    at = 0
    while at + 6 <= len(octets) and octets[at] == 3 and at + int.from_bytes(octets[at + 1 : at + 5]) <= len(octets):
        at += int.from_bytes(octets[at + 1 : at + 5])
    return octets[:at]


def with_peer_ups(octets: bytes, add_path: bool) -> bytes:
    """With a Peer Up in front for each peer that routes are from: captures may begin late."""
    heads = {body[:34] for kind, body in messages_of(octets) if kind == 0}
    opens = made.open_message(65_000, add_path) + made.open_message(64_500, add_path)
    ups = {head[:1] + head[2:26]: made.message(3, head + bytes(8 + 20) + opens) for head in heads}
    return b"".join(ups.values()) + octets


class RecordingTests(SynchronousTestCase):
    def agrees(self, octets: bytes, add_path: frozenset[int] = frozenset()) -> Counted:
        wanted = count(octets, add_path)
        reader, found = read(octets, slice_octets=65_536)
        damages = only(Damage, found)
        self.assertEqual([one for one in damages if "not up" not in one.what], [])
        self.assertEqual(len(damages), wanted.early)
        self.assertEqual(reader.counts.read + reader.counts.damaged + reader.counts.skipped, wanted.kinds)
        self.assertEqual(counted_rows(reader, found, True), +wanted.announced)
        self.assertEqual(counted_rows(reader, found, False), +wanted.withdrawn)
        self.assertEqual(sum(reader.counts.other_families.values()), wanted.others)
        return wanted

    def test_sessions_of_bird_frr_and_gobgp(self) -> None:
        for name, add_path in (
            ("bmp-bird3.raw", frozenset[int]()),
            ("bmp-frr10.raw", frozenset[int]()),
            ("bmp-gobgp4.raw", frozenset({3})),
        ):
            with self.subTest(name):
                wanted = self.agrees(shared(f"recordings/{name}").read_bytes(), add_path)
                self.assertGreater(wanted.announced.total(), 1000)

    def test_a_real_table(self) -> None:
        octets = gzip.decompress(shared("bmp/recorded/gobgp-4.8-prepolicy-jinx2014.bmp.raw.gz").read_bytes())
        self.assertEqual(self.agrees(octets).announced.total(), 497_312)

    def test_frr_speaks_of_peers_before_they_are_up(self) -> None:
        octets = gzip.decompress(shared("bmp/recorded/frr-8.4.4-nosoftreconfig-5k.bmp.raw.gz").read_bytes())
        wanted = self.agrees(octets)
        self.assertEqual((wanted.announced.total(), wanted.withdrawn.total(), wanted.early), (5000, 5000, 4))

    def test_captures(self) -> None:
        sessions = 0
        for path in sorted(shared("bmp").glob("*.pcap")):
            for octets in streams(path.read_bytes()):
                with self.subTest(path.name):
                    whole = whole_messages(octets)
                    sessions += bool(whole)
                    add_path = "addpath" in path.name
                    self.agrees(with_peer_ups(whole, add_path), frozenset({0} if add_path else ()))
        self.assertGreater(sessions, 20)
