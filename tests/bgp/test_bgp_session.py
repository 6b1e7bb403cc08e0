"""Tests for L{rotonda.bgp.session}: two sides in memory, every message in every state, deadlines, hostile octets."""

from __future__ import annotations

import gzip
import itertools
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from rotonda.bgp.messages import KEEPALIVE, MARKER, Cease, Error, Fault, Kind, Open, message, read_open
from rotonda.bgp.session import (
    OPEN_SECONDS,
    Closed,
    EndOfRib,
    Established,
    Local,
    Opened,
    Refresh,
    State,
    ours_stays,
)
from twisted.trial.unittest import SynchronousTestCase

from tests.bgp.speakers import TIME, USUAL, Side, converse, update
from tests.data import shared

OURS, THEIRS = Local(64496, 1, 64497), Local(64497, 2, 64496)
ONE = bytes([24, 198, 51, 100])
REFRESH4 = message(Kind.ROUTE_REFRESH, bytes((0, 1, 0, 1)))


def their_open(**more: Any) -> bytes:
    given: dict[str, Any] = {"asn": 64497, "hold_time": 90, "bgp_id": 2, "families": frozenset({4, 6})}
    return Open(**given | more).message()


def at(state: State) -> Side:
    """A side that has come to that state."""
    side = Side(OURS)
    if state is not State.CONNECT:
        side.perform(side.session.connected(0.0))
    if state in (State.OPEN_CONFIRM, State.ESTABLISHED):
        side.hear(their_open())
    if state is State.ESTABLISHED:
        side.hear(KEEPALIVE)
    return side


def answer(side: Side, octets: bytes, now: float = 0.0) -> tuple[int, ...] | None:
    """Code and subcode of the NOTIFICATION that these octets get, if they get one."""
    told = side.hear(octets, now)
    return (told[19], told[20]) if told[18:19] == bytes((Kind.NOTIFICATION,)) else None


class TwoSidesTests(SynchronousTestCase):
    def test_they_come_to_an_agreement(self) -> None:
        one, other = Side(OURS), Side(Local(64497, 2, 64496, 30, frozenset({4})))
        converse(one, other)
        for side, bgp_id in ((one, 2), (other, 1)):
            agreed = side.session.agreed
            assert agreed is not None
            self.assertEqual(side.session.state, State.ESTABLISHED)
            self.assertEqual(side.effects, [Opened(bgp_id), Established(agreed)])
            self.assertEqual((agreed.bgp_id, agreed.hold_time, agreed.families), (bgp_id, 30, frozenset({4})))
            self.assertEqual((agreed.external, agreed.four_octet, agreed.route_refresh), (True, True, True))

    def test_paths_are_taken_from_who_sends_them(self) -> None:
        side = Side(Local(64496, 1, 64497, add_path=frozenset({4, 6})))
        side.perform(side.session.connected(0.0))
        side.hear(their_open(sends_paths=frozenset({6}), takes_paths=frozenset({4})) + KEEPALIVE)
        assert side.session.agreed is not None
        self.assertEqual(side.session.agreed.add_path, frozenset({6}))

    def test_routes(self) -> None:
        side = at(State.ESTABLISHED)
        side.hear(update(USUAL, ONE) + update() + REFRESH4)
        self.assertEqual(side.effects[-2:], [EndOfRib(4), Refresh(4)])
        assert side.session.intake is not None
        [batch] = side.session.intake.take()
        self.assertEqual((batch.family, batch.announce.tolist(), batch.times.tolist()), (4, [True], [TIME]))
        self.assertEqual(batch.keys.tobytes(), ONE[1:] + b"\0" + ONE[:1] + bytes(4))

    def test_filtered(self) -> None:
        side = at(State.ESTABLISHED)
        heard: list[bytes] = []

        def accepts(octets: bytes) -> bool:
            heard.append(octets)
            return False

        side.session.accepts = accepts
        side.hear(update(USUAL, ONE))
        assert side.session.intake is not None
        self.assertEqual((list(side.session.intake.take()), side.counts.filtered), ([], 1))
        self.assertEqual(heard, [update(USUAL, ONE)])


class StateTests(SynchronousTestCase):
    """Every message in every state either is welcome or ends the session, with the right words."""

    MESSAGES = {
        Kind.OPEN: their_open(),
        Kind.UPDATE: update(USUAL, ONE),
        Kind.NOTIFICATION: message(Kind.NOTIFICATION, bytes((6, 2))),
        Kind.KEEPALIVE: KEEPALIVE,
        Kind.ROUTE_REFRESH: REFRESH4,
    }
    WELCOME = {
        (State.OPEN_SENT, Kind.OPEN): State.OPEN_CONFIRM,
        (State.OPEN_CONFIRM, Kind.KEEPALIVE): State.ESTABLISHED,
        (State.ESTABLISHED, Kind.KEEPALIVE): State.ESTABLISHED,
        (State.ESTABLISHED, Kind.UPDATE): State.ESTABLISHED,
        (State.ESTABLISHED, Kind.ROUTE_REFRESH): State.ESTABLISHED,
    }
    SUBCODES = {State.OPEN_SENT: 1, State.OPEN_CONFIRM: 2, State.ESTABLISHED: 3}

    def test_all(self) -> None:
        for state, kind in itertools.product(self.SUBCODES, Kind):
            with self.subTest(state=state, kind=kind):
                side = at(state)
                got = answer(side, self.MESSAGES[kind])
                if (state, kind) in self.WELCOME:
                    self.assertEqual((side.session.state, got), (self.WELCOME[state, kind], None))
                    continue
                self.assertEqual(side.session.state, State.IDLE)
                refused = (Error.STATE_MACHINE, self.SUBCODES[state])
                self.assertEqual(got, None if kind is Kind.NOTIFICATION else refused)
                self.assertEqual(side.effects[-1], Closed(side.why, state is State.ESTABLISHED))
                self.assertEqual(side.hear(self.MESSAGES[kind]), b"", "it is silent for good")

    def test_a_notification_is_told(self) -> None:
        side = at(State.ESTABLISHED)
        side.hear(message(Kind.NOTIFICATION, bytes((6, 2, 4)) + b"bye\x1b"))
        self.assertEqual(side.why, "the peer says: cease, shutdown, 'bye\\x1b'")

    def test_close(self) -> None:
        side = at(State.ESTABLISHED)
        told = side.perform(side.session.cease(Cease.SHUTDOWN, "the end"))
        self.assertEqual(told, message(Kind.NOTIFICATION, bytes((6, 2))))
        self.assertEqual(side.session.lost("gone"), [], "it is told once")

    def test_lost(self) -> None:
        side = at(State.OPEN_SENT)
        self.assertEqual(side.session.lost("gone"), [Closed("gone", False)])

    def test_of_two_connections(self) -> None:
        """Both sides come to the same: RFC 4271 section 6.8."""
        for one, other in itertools.permutations([(1, 64496), (1, 64497), (2, 64496)], 2):
            self.assertNotEqual(ours_stays(*one, *other), ours_stays(*other, *one))

    def test_a_better_connection_ends_this_one(self) -> None:
        side = at(State.OPEN_SENT)
        told = b""
        for effect in side.session.receive(their_open() + KEEPALIVE, 0.0, TIME):
            told += side.perform([effect])
            if isinstance(effect, Opened):
                told += side.perform(side.session.cease(Cease.COLLISION, "another"))
        self.assertEqual((told[18:21], side.session.state), (bytes((3, 6, 7)), State.IDLE))


class TimeTests(SynchronousTestCase):
    def test_silence_ends_it(self) -> None:
        side = at(State.ESTABLISHED)
        side.hear(KEEPALIVE, 50.0)
        self.assertEqual(side.perform(side.session.wake(139.0)), KEEPALIVE)
        self.assertEqual(side.perform(side.session.wake(140.0))[18:21], bytes((3, 4, 0)))
        self.assertIn("90 s", side.why)

    def test_keepalives_come_in_time(self) -> None:
        side, now, sent = at(State.ESTABLISHED), 0.0, 0
        while now < 300:
            self.assertGreater(side.wake_at, now)
            now = side.wake_at
            side.hear(KEEPALIVE, now)
            sent += side.perform(side.session.wake(now)) == KEEPALIVE
        self.assertEqual(sent, 10)

    def test_the_shorter_hold_time_counts_and_none_means_for_ever(self) -> None:
        side = at(State.OPEN_SENT)
        side.hear(their_open(hold_time=3) + KEEPALIVE)
        self.assertEqual(side.wake_at, 1.0)
        side = at(State.OPEN_SENT)
        side.hear(their_open(hold_time=0) + KEEPALIVE)
        self.assertEqual(side.session.wake(1e9), [])

    def test_an_open_is_not_waited_for_for_ever(self) -> None:
        side = at(State.OPEN_SENT)
        self.assertEqual(side.wake_at, OPEN_SECONDS)
        self.assertEqual(side.perform(side.session.wake(OPEN_SECONDS))[18:21], bytes((3, 4, 0)))


class HostileTests(SynchronousTestCase):
    def test_headers(self) -> None:
        long = MARKER + (4097).to_bytes(2) + b"\2"
        for octets, code, subcode in [
            (b"\0" + MARKER[1:] + b"\0\x13\4", Error.HEADER, 1),
            (MARKER + b"\0\x12\4", Error.HEADER, 2),
            (long, Error.HEADER, 2),
            (MARKER + b"\0\x14\4\0", Error.HEADER, 2),
            (MARKER + b"\0\x16\2", Error.HEADER, 2),
            (MARKER + b"\0\x13\0", Error.HEADER, 3),
            (MARKER + b"\0\x13\6", Error.HEADER, 3),
            (message(Kind.ROUTE_REFRESH, b"\0\1\0"), Error.ROUTE_REFRESH, 1),
            (update(USUAL, bytes([33, 1, 2, 3, 4, 5])), Error.UPDATE, 10),
            (message(Kind.UPDATE, b"\xff\xff\0\0"), Error.UPDATE, 1),
        ]:
            with self.subTest(octets=octets.hex()):
                side = at(State.ESTABLISHED)
                self.assertEqual(answer(side, octets), (code, subcode))

    def test_opens(self) -> None:
        fine = their_open()
        for change, subcode in [
            (fine[:19] + b"\3" + fine[20:], 1),
            (their_open(asn=64511), 2),
            (their_open(asn=0), 2),
            (their_open(bgp_id=0), 3),
            (message(Kind.OPEN, fine[19:28] + b"\4\1\2\0\0"), 4),
            (their_open(hold_time=1), 6),
            (their_open(hold_time=2), 6),
            (fine[:28] + b"\xff" + fine[29:], 0),
            (message(Kind.OPEN, fine[19:28] + b"\3\2\4\1"), 0),
            (message(Kind.OPEN, fine[19:28] + b"\5\2\3\1\4\0"), 0),
        ]:
            with self.subTest(octets=change.hex()):
                self.assertEqual(answer(at(State.OPEN_SENT), change), (Error.OPEN, subcode))

    def test_nothing_in_common(self) -> None:
        side = Side(Local(64496, 1, 64497, families=frozenset({6})))
        side.perform(side.session.connected(0.0))
        self.assertEqual(answer(side, their_open(families=frozenset({4}))), (Error.OPEN, 7))

    def test_the_identifier_is_ours(self) -> None:
        side = Side(Local(64496, 1, 64496))
        side.perform(side.session.connected(0.0))
        self.assertEqual(answer(side, Open(64496, 90, 1).message()), (Error.OPEN, 3))

    @given(st.lists(st.integers(1, 40), max_size=30), st.binary(max_size=60))
    def test_slices_do_not_matter(self, sizes: list[int], rest: bytes) -> None:
        octets = their_open() + KEEPALIVE + update(USUAL, ONE) + update() + rest
        whole, sliced = at(State.OPEN_SENT), at(State.OPEN_SENT)
        whole.hear(octets)
        place = 0
        for size in [*sizes, len(octets)]:
            sliced.hear(octets[place : place + size])
            place += size
        self.assertEqual((sliced.sent, sliced.effects), (whole.sent, whole.effects))

    @given(st.sampled_from([State.OPEN_SENT, State.ESTABLISHED]), st.sampled_from(list(Kind)), st.binary(max_size=120))
    def test_whatever_comes_it_goes_on_or_says_why_not(self, state: State, kind: Kind, body: bytes) -> None:
        side = at(state)
        told = side.hear(message(kind, body))
        if side.session.state is State.IDLE and kind is not Kind.NOTIFICATION:
            self.assertEqual(told[18], Kind.NOTIFICATION)

    def test_a_fault_that_is_long_is_cut(self) -> None:
        self.assertEqual(len(Fault(Error.HEADER, 2, "x", bytes(5000)).message()), 4096)


class RealTests(SynchronousTestCase):
    def test_what_gobgp_sent(self) -> None:
        """A full table, as GoBGP 4.8 told it: every octet of it from OPEN on."""
        octets = gzip.decompress(shared("bgp-stream/gobgp-4.8-jinx2014.bgp.raw.gz").read_bytes())
        asn = read_open(octets[: int.from_bytes(octets[16:18])]).asn
        side = Side(Local(4_199_999_999, 1, asn))
        side.perform(side.session.connected(0.0))
        side.hear(octets)
        assert side.session.intake is not None
        batches = list(side.session.intake.take())
        self.assertEqual((side.session.state, side.counts.updates), (State.ESTABLISHED, 78_796))
        self.assertEqual(sum(map(len, batches)), 497_299)
        self.assertEqual((side.counts.announced, side.counts.faulty, side.counts.looped), (497_299, 0, 0))
