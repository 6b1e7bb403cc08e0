"""Caches of others and our router: the set of their file, a change of it, their end and return, and over TLS."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from pathlib import Path

from interop import cases
from interop.peers import openssl, ours, probe, routinator, rtrtr, stayrtr
from interop.peers.base import Peer, require
from interop.peers.processes import LOOPBACK, Daemon, PeerFailed, free_ports
from interop.results import RecordedCase
from interop.stories import changes, counted, states
from interop.vrps import RpkiData

Write = Callable[[RpkiData, Path], None]
Start = Callable[[Path, Path, int], Daemon]

FIRST, CHANGE, RESTART = "our router: first load", "our router: change", "our router: restart of the cache"
LONG, SHORT = 40.0, 5.0
"""Seconds at most for our router to be in step, and where it is known not to be in time."""


class CacheTests(cases.MeetingCase, RecordedCase):
    """The plain ones."""

    def test_routinator(self) -> None:
        self.play(routinator.ROUTINATOR, routinator.write_exceptions, routinator.start, ("aspas",))

    def test_stayrtr(self) -> None:
        def start(folder: Path, file: Path, port: int) -> Daemon:
            return stayrtr.start(folder, file, port, refresh=1)

        why = "answers a Serial Query of its former session with an Error 0 instead of a Cache Reset"
        self.play(stayrtr.STAYRTR, RpkiData.write_rpki_client, start, ("aspas",), {RESTART: why})

    def test_stayrtr_06(self) -> None:
        def start(folder: Path, file: Path, port: int) -> Daemon:
            return stayrtr.start(folder, file, port, 1, stayrtr.STAYRTR_06, 1)

        self.play(stayrtr.STAYRTR_06, RpkiData.write_rpki_client, start, ("aspas",))

    def test_rtrtr(self) -> None:
        self.play(rtrtr.RTRTR, RpkiData.write_routinator, start_rtrtr, ("router_keys", "aspas"))

    def test_rtrtr_with_aspas(self) -> None:
        why = "withdraws an ASPA with its providers in the PDU, which 8210bis section 5.12 calls an error"
        self.play(
            *(rtrtr.RTRTR, RpkiData.write_routinator, start_rtrtr, ("router_keys",)),
            defects={CHANGE: why, RESTART: why},
            suffix=", ASPAs too",
        )

    def play(
        self,
        peer: Peer,
        write: Write,
        start: Start,
        missing: tuple[str, ...],
        defects: Mapping[str, str] | None = None,
        suffix: str = "",
    ) -> None:
        """The cache from its start to its return; `missing` is what it does not know or is not asked for."""
        require(peer, self)
        self.peer, self.defects, self.suffix = peer, defects or {}, suffix
        one, two, three = (state.without(*missing) for state in states(3))
        port, self.http = free_ports(2)
        write(one, self.file)
        cache = self.keep(start(self.folder, self.file, port))
        probe.fetch_when(cache, port, 1, one.vrp_count)
        self.router = self.keep(ours.start_router(self.folder, self.http, [port]))
        self.router.expect_port(self.http)
        self.came_to(FIRST, one)
        write(two, self.file)
        self.came_to(CHANGE, two, changes(one, two))
        cache.stop()
        write(three, self.file)
        self.keep(start(self.folder, self.file, port))
        self.came_to(RESTART, three, f"new session, {changes(two, three)}")

    def came_to(self, name: str, expected: RpkiData, evidence: str = "") -> None:
        """A scenario: our router comes to hold exactly this."""
        why = self.defects.get(name)
        outcome = contextlib.nullcontext() if why is None else self.known_defect(why)
        with self.scenario(self.peer, name + self.suffix) as story, outcome:
            self.wait_for(expected, LONG if why is None else SHORT)
            story.shows(counted(expected))
            if evidence:
                story.shows(evidence)

    def wait_for(self, expected: RpkiData, seconds: float) -> None:
        """Until our router has exactly this."""
        last: list[str] = []

        def exact() -> bool | None:
            held = ours.router_data(self.http)
            last[:] = ["no data"] if held is None else expected.differences(held)
            return None if last else True

        try:
            self.router.expect(exact, "our router has exactly the set", seconds, 0.2)
        except PeerFailed as late:
            raise PeerFailed(f"{'; '.join(last)}\n{late}") from late


def start_rtrtr(folder: Path, file: Path, port: int) -> Daemon:
    """rtrtr as a cache that looks at its file every second."""
    return rtrtr.start_from_file(folder, file, port, refresh=1)


class TlsCacheTests(cases.MeetingCase, RecordedCase):
    """Those with TLS; rtrtr has a file of its own."""

    def test_stayrtr(self) -> None:
        def start(plain: int, secure: int, issued: tuple[Path, Path]) -> Daemon:
            return stayrtr.start_tls(self.folder, self.file, plain, secure, issued)

        self.play(stayrtr.STAYRTR, RpkiData.write_rpki_client, start)

    def test_stayrtr_06(self) -> None:
        def start(plain: int, secure: int, issued: tuple[Path, Path]) -> Daemon:
            return stayrtr.start_tls(self.folder, self.file, plain, secure, issued, stayrtr.STAYRTR_06)

        self.play(stayrtr.STAYRTR_06, RpkiData.write_rpki_client, start)

    def test_routinator(self) -> None:
        def start(plain: int, secure: int, issued: tuple[Path, Path]) -> Daemon:
            return routinator.start(self.folder, self.file, plain, secure, issued)

        self.play(routinator.ROUTINATOR, routinator.write_exceptions, start)

    def play(self, peer: Peer, write: Write, start: Callable[[int, int, tuple[Path, Path]], Daemon]) -> None:
        """Our router fetches over TLS, having checked the address in the certificate."""
        for each in (peer, openssl.OPENSSL):
            require(each, self)
        authority = openssl.Authority(self.folder)
        expected = self.data.without("aspas")
        write(expected, self.file)
        plain, secure, http = free_ports(3)
        with self.scenario(peer, "our router: over TLS") as story:
            cache = self.keep(start(plain, secure, authority.issue("cache", f"DNS:localhost,IP:{LOOPBACK}")))
            probe.fetch_when(cache, plain, 1, expected.vrp_count)
            where = f"tls:{LOOPBACK}:{secure},authority={authority.certificate}"
            router = self.keep(ours.start_router(self.folder, http, [], options=["--cache", where]))
            router.expect_port(http)
            self.assertTold(expected, router.expect(lambda: ours.router_data(http), "it has data", 30, 0.2))
            story.shows(counted(expected))
