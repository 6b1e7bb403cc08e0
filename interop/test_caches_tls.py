"""Our router fetches over TLS from caches of others: routinator and StayRTR; rtrtr has a file of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from interop import cases
from interop.peers import openssl, ours, probe, routinator, stayrtr
from interop.peers.base import Peer, require
from interop.peers.processes import LOOPBACK, Daemon, free_ports
from interop.results import RecordedCase
from interop.stories import counted
from interop.vrps import RpkiData

Write = Callable[[RpkiData, Path], None]


class TlsTests(cases.MeetingCase, RecordedCase):
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
