from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, TypeVar

from hypothesis import given, settings
from twisted.trial.unittest import SynchronousTestCase

import rotoro.session.asking
import rotoro.session.cache
import rotoro.session.follower
import rotoro.session.peer
import rotoro.session.router
from rotoro.derive.strategies import pdus
from rotoro.session.base import Session, clean, report
from rotoro.session.cache import CacheData, CacheSession
from rotoro.session.effects import Close, Effect, Send
from rotoro.session.follower import FollowingPeer, follow_all
from rotoro.session.peer import ServingPeer
from rotoro.session.router import RouterSession
from rotoro.session.tables import ServedTables
from rotoro.table.attributes import AttributeStore
from rotoro.wire import PDUS, Decoder, Foreign, encode
from rotoro.wire.bulk import Prefixes
from rotoro.wire.errors import ERRORS, CorruptData, InvalidRequest, LimitExceeded, UnexpectedVersion, code_in
from rotoro.wire.pdu import ROTORO, Pdu
from rotoro.wire.rotoro import Begin, Catalogue, Commit, Hello, HelloAck, Params, RecordKind, Subscribe
from rotoro.wire.rtr import CacheResponse, EndOfData, ErrorReport, Ipv4Prefix, ResetQuery, SerialQuery
from tests.session.worlds import closes, history, sent, vrps
from tests.session.worlds import report as report_in

P = TypeVar("P", CacheSession, RouterSession, ServingPeer, FollowingPeer)
PARAMS = Params(0, 1 << 20, 1 << 20, 20, "tester")
RTR = [Foreign, *{pdu for (version, _), pdu in PDUS.items() if version == 2}]
OURS = [Foreign, *{pdu for (version, _), pdu in PDUS.items() if version == ROTORO}]


@cache
def examples(version: int) -> dict[type[Pdu], Pdu]:
    """One PDU of each class, as a decoder gives them."""
    found: dict[type[Pdu], Pdu] = {Foreign: Foreign(0x7F, 2, bytes.fromhex("7f02000000000008"))}

    def collect(kind: type[Pdu]) -> None:
        @settings(max_examples=1, database=None, deadline=None)
        @given(pdus(kind))
        def one(pdu: Pdu) -> None:
            decoder = Decoder()
            decoder.receive(encode(pdu, version))
            ((_, whole),) = decoder.items()
            found[type(whole)] = whole

        one()

    for kind in {pdu for (known, _), pdu in PDUS.items() if known == version}:
        collect(kind)
    return found


def caching(*received: Pdu) -> CacheSession:
    return _played(CacheSession(CacheData.of(history(vrps(1)), 7)), 2, received)


def answered_cache() -> CacheSession:
    session = caching(ResetQuery())
    session.drained(0.0)
    return session


def router(*received: Pdu) -> RouterSession:
    return _played(RouterSession(), 2, received)


def serving(*received: Pdu) -> ServingPeer:
    tables = ServedTables()
    tables.add("one", RecordKind.RPKI, history(vrps(1)))
    return _played(ServingPeer(tables), ROTORO, received)


def follower(*received: Pdu) -> FollowingPeer:
    return _played(FollowingPeer(follow_all, AttributeStore(), lambda ingress: ingress), ROTORO, received)


def open_follower(*received: Pdu) -> FollowingPeer:
    tables = ServedTables()
    tables.add("one", RecordKind.RPKI, history(vrps(1)))
    return follower(HelloAck(0), PARAMS, Catalogue(tables.entries), *received)


def _played(session: P, version: int, received: tuple[Pdu, ...]) -> P:
    session.start(0.0)
    for pdu in received:
        session.receive(version, pdu, 0.0)
    return session


Make = Callable[[], Any]
SITUATIONS: dict[str, tuple[int, dict[Any, Make], Any, Any]] = {
    "cache": (
        2,
        {
            rotoro.session.cache.State.NEGOTIATING: caching,
            rotoro.session.cache.State.READY: answered_cache,
            rotoro.session.cache.State.ANSWERING: lambda: caching(ResetQuery()),
        },
        rotoro.session.cache.TRANSITIONS,
        rotoro.session.cache.State,
    ),
    "router": (
        2,
        {
            rotoro.session.asking.State.ASKING: router,
            rotoro.session.asking.State.RECEIVING: lambda: router(CacheResponse(7)),
            rotoro.session.asking.State.IDLE: lambda: router(CacheResponse(7), EndOfData(7, 1, 3600, 600, 7200)),
        },
        rotoro.session.router.TRANSITIONS,
        rotoro.session.asking.State,
    ),
    "serving peer": (
        ROTORO,
        {
            rotoro.session.peer.State.GREETING: serving,
            rotoro.session.peer.State.WAITING: lambda: serving(Hello(0)),
            rotoro.session.peer.State.OPEN: lambda: serving(Hello(0), PARAMS),
        },
        rotoro.session.peer.TRANSITIONS,
        rotoro.session.peer.State,
    ),
    "following peer": (
        ROTORO,
        {
            rotoro.session.follower.State.GREETING: follower,
            rotoro.session.follower.State.WAITING: lambda: follower(HelloAck(0)),
            rotoro.session.follower.State.LEARNING: lambda: follower(HelloAck(0), PARAMS),
            rotoro.session.follower.State.OPEN: open_follower,
            rotoro.session.follower.State.IN_BRACKET: lambda: open_follower(Begin(1, 0, 0, 0, 5, 1)),
        },
        rotoro.session.follower.TRANSITIONS,
        rotoro.session.follower.State,
    ),
}


class ExhaustiveTests(SynchronousTestCase):
    """Every PDU in every state: listed, or the end with one right Error Report."""

    def pairs(self) -> Iterator[tuple[str, int, Any, Make, Pdu, Any]]:
        for name, (version, states, table, _) in SITUATIONS.items():
            found = examples(version)
            for state, make in states.items():
                self.assertIs(make().state, state)
                for pdu in found.values():
                    yield name, version, state, make, pdu, table

    def test_what_is_not_listed_ends_the_session(self) -> None:
        tried = 0
        for name, version, state, make, pdu, table in self.pairs():
            if (state, type(pdu)) in table:
                continue
            tried += 1
            with self.subTest(side=name, state=state.value, pdu=pdu.title):
                session = make()
                effects = session.receive(pdu.version if isinstance(pdu, Foreign) else version, pdu, 1.0)
                self.assertTrue(closes(effects))
                self.assertIs(session.state, session.closed)
                told = report_in(effects)
                if isinstance(pdu, ErrorReport):
                    self.assertIsNone(told)
                else:
                    self.assertIsNotNone(told)
                    expected = UnexpectedVersion if isinstance(pdu, Foreign) else InvalidRequest
                    assert told is not None
                    self.assertEqual(told.code, expected.code)
                    self.assertTrue(told.offending)
                    self.assertLess(len(encode(told, version)), 400)
                self.assertEqual(session.receive(version, pdu, 2.0), [])
                self.assertEqual(session.fail(CorruptData("again")), [])
        self.assertGreater(tried, 100)

    def test_no_listed_pair_raises_anything_else(self) -> None:
        for name, version, state, make, pdu, table in self.pairs():
            if (state, type(pdu)) in table:
                with self.subTest(side=name, state=state.value, pdu=pdu.title):
                    effects = make().receive(pdu.version if isinstance(pdu, Foreign) else version, pdu, 1.0)
                    told = [pdu for pdu in sent(effects) if isinstance(pdu, ErrorReport)]
                    self.assertLessEqual(len(told), 1)
                    if isinstance(pdu, ErrorReport):
                        self.assertFalse(told)

    def test_all_classes_were_tried(self) -> None:
        single = {Ipv4Prefix, PDUS[2, 6]}  # decoders give runs of these
        for version, listed in ((2, RTR), (ROTORO, OURS)):
            with self.subTest(version=version):
                self.assertEqual(set(examples(version)), (set(listed) - single) | {Prefixes})

    def test_every_state_but_the_closed_one_is_tried(self) -> None:
        for name, (_, states, table, kinds) in SITUATIONS.items():
            with self.subTest(side=name):
                self.assertEqual(set(states), {state for state, _ in table})
                self.assertEqual(len(states), len(kinds) - 1)


class ReportTests(SynchronousTestCase):
    def test_only_codes_of_the_version_and_short(self) -> None:
        for version in (0, 1, 2, ROTORO):
            for error in ERRORS.values():
                with self.subTest(version=version, error=error.title):
                    told = report(error("ü" * 1000, bytes(100_000)), version)
                    self.assertLess(len(encode(told, version)), 400)
                    self.assertLessEqual(told.code, {0: 7, 1: 8, 2: 13, ROTORO: 0xFFFF}[version])
                    self.assertEqual(told.code, code_in(version, error.code))

    def test_limits_are_an_internal_error_to_plain_peers(self) -> None:
        self.assertEqual(report(LimitExceeded("x"), 2).code, 1)

    def test_a_broken_error_report_is_not_answered(self) -> None:
        for octets in ("020a0000 00000008", "020a0003 00000014 000000ff 00000000 00000000", "090a0000 00000000"):
            with self.subTest(octets=octets):
                session, decoder = caching(), Decoder()
                decoder.receive(bytes.fromhex(octets))
                try:
                    effects = [effect for item in decoder.items() for effect in session.receive(*item, 0.0)]
                except Exception as broken:
                    effects = session.broken(broken, 0.0)  # type: ignore[arg-type]
                self.assertIsNone(report_in(effects))
                self.assertTrue(closes(effects))

    def test_a_report_whose_text_grows_when_it_is_read_is_not_answered(self) -> None:
        session = serving()
        text = ErrorReport(1, b"", "\\xff" * 300_000)  # as the decoder writes 300,000 octets that are no UTF-8
        self.assertIsNone(report_in(session.receive(ROTORO, text, 0.0)))

    def test_names_of_a_peer_reach_no_log_as_they_are(self) -> None:
        effects = caching().fail(CorruptData("table a\nb\x1b[0m"))
        self.assertEqual(
            [effect.reason for effect in effects if isinstance(effect, Close)], ["Corrupt Data: table a\\x0ab\\x1b[0m"]
        )

    def test_text_of_a_peer_is_made_harmless(self) -> None:
        self.assertEqual(clean("a\x1b[31m\nb\u202ec"), "a\\x1b[31m\\x0ab\\x202ec")
        self.assertEqual(len(clean("x" * 100_000)), 256)


class OnceTests(SynchronousTestCase):
    """A closed session is silent."""

    def test_nothing_is_said_after_the_end(self) -> None:
        for name, (version, states, _, _) in SITUATIONS.items():
            for make in states.values():
                with self.subTest(side=name):
                    session: Session = make()
                    first: list[Effect] = session.fail(CorruptData("bad"))
                    self.assertEqual(len([effect for effect in first if isinstance(effect, Close)]), 1)
                    for pdu in (ResetQuery(), SerialQuery(1, 1), Hello(0), Commit(1, 1, 1, 1, 1), Subscribe):
                        if isinstance(pdu, Pdu):
                            self.assertEqual(session.receive(version, pdu, 1.0), [])
                    self.assertEqual([e for e in session.drained(2.0) if isinstance(e, Send | Close)], [])
