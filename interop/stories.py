"""What every RTR client of others has to go through with our cache, told once for all of them.

scripted cache --RTR--> client       what takes luck or an hour: serial wrap, sessions, versions
connector --Rotoro--> RIB --RTR--> client       our daemons, as users run them
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import numpy as np
from twisted.trial.unittest import SkipTest

from interop.cases import MeetingCase
from interop.peers import ours, probe
from interop.peers.base import require
from interop.peers.clients import Client, ClientKind
from interop.peers.processes import Daemon, free_port, free_ports
from interop.peers.scripted_cache import ERROR_REPORT, RESET_QUERY, SERIAL_QUERY, Asked, ScriptedCache
from interop.results import COUNTED, DEFECT, PASSED, RecordedCase, Story
from interop.vrps import RpkiData, generate

WRAP = 0xFFFFFFFE
"""The last serial but one."""

UNICAST = {*range(1, 224)} - {127}
"""First octets of addresses that anybody may have; BIRD takes no others."""

VRPS, CHANGES = 1000, 40

LONG, SHORT = 60.0, 3.0
"""Seconds at most for a client to be in step, and for one of which it is known that it will not be."""


class ClientStories(MeetingCase, RecordedCase):
    """The stories; which of them a client can play is up to its tests."""

    def setUp(self) -> None:
        super().setUp()
        self.states = states(5)
        self.patience = LONG

    def need(self, kind: ClientKind) -> None:
        """The program must be here, and start."""
        require(kind.peer, self)
        if kind.needs_root and os.geteuid() != 0:
            raise SkipTest(f"{kind.peer.name} starts for root only")

    def play_changes(self, kind: ClientKind) -> None:
        """First load, changes, lost connections, the last serial, a new session, and the client's own restart."""
        self.need(kind)
        one, two, three, four, five = self.states
        port = free_port()
        again = SERIAL_QUERY if kind.resumes else RESET_QUERY
        with ScriptedCache(self.folder, port, one, serial=WRAP, session=100) as cache:
            meeting = Meeting(self, kind, port, cache)
            with self.scene(kind, "reset: first load") as story:
                meeting.start()
                story.shows(f"{meeting.came_to(one, RESET_QUERY)}; serial {WRAP}")
            with self.scene(kind, "incremental change") as story:
                cache.load(two)
                story.shows(f"{meeting.came_to(two, SERIAL_QUERY)}; {changes(one, two)} by Serial Query")
            with self.scene(kind, "connection lost, session goes on") as story:
                cache.cut(three)
                how = "by Serial Query" if kind.resumes else "by Reset Query"
                story.shows(f"{meeting.came_to(three, again)}; {changes(two, three)} {how} when it came back")
            meeting.mend(three, story)
            with self.scene(kind, "serial wrap") as story:
                cache.load(four)
                story.shows(
                    f"{meeting.came_to(four, SERIAL_QUERY)}; {changes(three, four)}, serial {WRAP + 1} -> 0 -> 1"
                )
            with self.scene(kind, "session change") as story:
                cache.load(five)
                cache.begin(session=700)
                story.shows(f"{meeting.came_to(five, RESET_QUERY)}; session 100 -> 700")
            with self.scene(kind, "restart of the client") as story:
                meeting.start()
                story.shows(meeting.came_to(five, RESET_QUERY))

    def play_versions(self, kind: ClientKind, lower: Sequence[int]) -> None:
        """Caches that have lower versions only."""
        self.need(kind)
        one, two, *_ = self.states
        for version in lower:
            port = free_port()
            with (
                ScriptedCache(self.folder, port, one, versions=",".join(map(str, range(version + 1)))) as cache,
                self.scene(kind, f"downgrade to version {version}") as story,
            ):
                meeting = Meeting(self, kind, port, cache, version)
                meeting.start()
                story.shows(f"{meeting.came_to(one, RESET_QUERY)}; opens with v{kind.opens_with}")
                cache.load(two)
                meeting.came_to(two, SERIAL_QUERY)
                story.shows(f"{changes(one, two)} by Serial Query")

    def play_daemons(self, kind: ClientKind) -> None:
        """Our connector and RIB: a rewritten export, the RIB's end and return."""
        self.need(kind)
        one, two, three, *_ = self.states
        west, port, http = free_ports(3)
        one.write_routinator(self.file)
        self.keep(ours.start_connector(self.folder, west, vrps=[self.file])).expect_port(west)
        rib = self.start_rib(port, http, west, one)
        meeting = Meeting(self, kind, port)
        with self.scene(kind, "RIB: first load and a rewritten export") as story:
            meeting.start()
            meeting.came_to(one)
            two.write_routinator(self.file)
            story.shows(f"{meeting.came_to(two)}; {changes(one, two)}")
        with self.scene(kind, "RIB: restart") as story:
            rib.stop()
            three.write_routinator(self.file)
            self.start_rib(port, http, west, three)
            story.shows(f"{meeting.came_to(three)}; back on the same port, {changes(two, three)}")

    def start_rib(self, port: int, http: int, west: int, data: RpkiData) -> Daemon:
        """Our RIB, once it serves this."""
        rib = self.keep(ours.start_rib(self.folder, port, http, [west], ["--retry", "1"]))
        probe.fetch_when(rib, port, 1, data.vrp_count)
        return rib

    @contextlib.contextmanager
    def scene(self, kind: ClientKind, name: str) -> Iterator[Story]:
        """Within: a scenario, in which the client may be known to fail."""
        why = kind.defects.get(name)
        self.patience = SHORT if why else LONG
        expected = contextlib.nullcontext() if why is None else self.known_defect(why)
        with self.scenario(kind.peer, name, kind.called) as story:
            with expected:
                yield story
            if kind.counts_only and story.verdict == PASSED:
                story.verdict = COUNTED


class EveryStory:
    """What a test of a client has beside `ClientStories`: the stories that all of them can play."""

    kind: ClassVar[ClientKind]

    def test_changes(self: Any) -> None:
        self.play_changes(self.kind)

    def test_our_daemons(self: Any) -> None:
        self.play_daemons(self.kind)


class EveryStoryInLowerVersions(EveryStory):
    """And the one of caches that only know versions below the client's."""

    lower: ClassVar[Sequence[int]] = (0,)

    def test_versions(self: Any) -> None:
        self.play_versions(self.kind, self.lower)


class Meeting:
    """A client and its cache, and what they came to."""

    def __init__(
        self, case: ClientStories, kind: ClientKind, port: int, cache: ScriptedCache | None = None, version: int = -1
    ) -> None:
        self.kind = kind
        self._case = case
        self._port = port
        self._cache = cache
        self._version = kind.opens_with if version < 0 else version
        self._client: Client | None = None
        self._seen = 0
        """How many PDUs of routers have been looked at."""

    def start(self) -> None:
        """Start the client, or end it and start it again."""
        if self._client is not None:
            self._client.stop()
        self._asked()
        self._client = self.kind.start(self._case.folder, self._port)
        self._case.addCleanup(self._client.stop)

    def mend(self, data: RpkiData, story: Story) -> None:
        """Start the client again if that story was too much for it, and wait until it has this."""
        if story.verdict == DEFECT:
            self.start()
            self.came_to(data, RESET_QUERY)

    def came_to(self, data: RpkiData, query: int | None = None) -> str:
        """The client comes to hold exactly this, by a query of this kind in the right version; for the table.

        Where that is a Serial Query, the client has not asked for everything in between.
        """
        assert self._client is not None
        expected = self.kind.expected(data, self._version)
        self._client.wait_for(expected, min(self._case.patience, self.kind.patience))
        if query is None:
            return counted(expected)
        asked = self._asked()
        self._case.assertIn((self._version, query), [(each.version, each.kind) for each in asked])
        if query == SERIAL_QUERY:
            self._case.assertNotIn(RESET_QUERY, [each.kind for each in asked])
        errors = [each for each in asked if each.kind == ERROR_REPORT]
        self._case.assertEqual(errors, [], asked)
        return f"{counted(expected)}; v{self._version}"

    def _asked(self) -> list[Asked]:
        """What routers have sent since this was asked last."""
        asked = [] if self._cache is None else self._cache.asked()
        news, self._seen = asked[self._seen :], len(asked)
        return news


def states(count: int) -> list[RpkiData]:
    """Sets that follow each other: each loses some records of every kind and gets some new ones."""
    told = []
    whole = generate(VRPS + CHANGES * count, seed=64511, router_keys=5 + count, aspas=8 + count)
    vrps4 = np.array([key for key in whole.vrps4 if key[0] in UNICAST])
    keys, customers = sorted(whole.router_keys), sorted(whole.aspas)
    for step in range(count):
        first4, first6 = step * CHANGES * 3 // 4, step * CHANGES // 4
        told.append(
            RpkiData(
                vrps4[first4 : first4 + len(vrps4) - count * CHANGES * 3 // 4],
                whole.vrps6[first6 : first6 + len(whole.vrps6) - count * CHANGES // 4],
                frozenset(keys[step : step + 5]),
                {customer: whole.aspas[customer] for customer in customers[step : step + 8]},
            )
        )
    return told


def counted(data: RpkiData) -> str:
    """How many of which, for the table."""
    parts = [f"{len(data.vrps4)} + {len(data.vrps6)} VRPs"]
    parts += [f"{len(data.router_keys)} router keys"] if data.router_keys else []
    parts += [f"{len(data.aspas)} ASPAs"] if data.aspas else []
    return ", ".join(parts)


def changes(before: RpkiData, after: RpkiData) -> str:
    """How many VRPs came and went."""
    one, two = set(before.rows()), set(after.rows())
    return f"+{len(two - one)} -{len(one - two)}"
