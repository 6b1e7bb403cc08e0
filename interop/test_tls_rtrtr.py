"""rtrtr over TLS, in both roles: 0.3.2, since 0.3.3 aborts as soon as TLS is configured."""

from __future__ import annotations

from interop import cases
from interop.peers import openssl, ours, probe, rtrtr
from interop.peers.base import require
from interop.peers.processes import LOOPBACK, free_ports
from interop.results import RecordedCase
from interop.stories import counted


class RtrtrTlsTests(cases.MeetingCase, RecordedCase):
    def setUp(self) -> None:
        for peer in (openssl.OPENSSL, rtrtr.RTRTR, rtrtr.RTRTR_TLS):
            require(peer, self)
        super().setUp()
        self.authority = openssl.Authority(self.folder)
        self.issued = self.authority.issue("cache", f"DNS:localhost,IP:{LOOPBACK}")

    def test_it_fetches_from_us(self) -> None:
        plain, secure, passed_on = free_ports(3)
        words = f"tls:{LOOPBACK}:{secure},certificate={self.issued[0]},key={self.issued[1]}"
        connector = self.keep(ours.start_connector(self.folder, plain, [self.file], options=["--listen", words]))
        probe.fetch_when(connector, plain, 2, self.data.vrp_count)
        with self.scenario(rtrtr.RTRTR_TLS, "TLS: it fetches from our connector") as story:
            client = rtrtr.start_tls_client(self.folder, secure, passed_on, self.authority.certificate)
            self.addCleanup(client.stop)
            client.wait_for(self.data, 20)
            story.shows(f"{counted(self.data)}; v2")

    def test_our_router_fetches_from_it(self) -> None:
        plain, secure, http = free_ports(3)
        expected = self.data.without("router_keys")  # its JSON unit reads none
        with self.scenario(rtrtr.RTRTR_TLS, "TLS: our router fetches from it") as story:
            cache = self.keep(rtrtr.start_tls_server(self.folder, self.file, plain, secure, self.issued))
            probe.fetch_when(cache, plain, 2, self.data.vrp_count)
            where = f"tls:{LOOPBACK}:{secure},authority={self.authority.certificate}"
            router = self.keep(ours.start_router(self.folder, http, [], options=["--cache", where]))
            router.expect_port(http)
            held = router.expect(lambda: ours.router_data(http), "it has data", 30, 0.2)
            self.assertTold(expected, held)
            story.shows(counted(expected))

    def test_the_newest_aborts(self) -> None:
        plain, secure = free_ports(2)
        with self.scenario(rtrtr.RTRTR, "TLS: it starts"), self.known_defect("aborts as soon as TLS is configured"):
            words = (self.folder, self.file, plain, secure, self.issued, rtrtr.RTRTR)
            self.keep(rtrtr.start_tls_server(*words)).expect_port(secure)
