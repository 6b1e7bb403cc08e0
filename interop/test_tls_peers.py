"""TLS with programs of others in the roles that `test_caches_tls` and `test_tls_rtrtr` leave: who is refused, and how.

Certificates are those of the OpenSSL command line.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from interop.caches import PATIENCE, CacheCase, write_export
from interop.peers import openssl, ours, probe, routinator, rtrmon, rtrtr, stayrtr
from interop.peers.base import Peer, require
from interop.peers.clients import Client
from interop.peers.debian import AptPeer, UnpackedPeer
from interop.peers.processes import LOOPBACK, Daemon, PeerFailed, free_ports
from interop.stories import counted

Issued = tuple[Path, Path]
HERE = f"DNS:localhost,IP:{LOOPBACK}"
ELSEWHERE = "DNS:elsewhere.example.net,IP:192.0.2.1"


class TlsCase(CacheCase):
    def setUp(self) -> None:
        require(openssl.OPENSSL, self)
        super().setUp()
        self.data = self.data.without("aspas")
        self.authority = openssl.Authority(self.folder)
        self.issued = self.authority.issue("cache", HERE)


class OurListenerTests(TlsCase):
    """rtrdump and rtrtr fetch from our connector."""

    def listen(self, *settings: str) -> int:
        """Our connector with TLS; the port of that."""
        plain, secure = free_ports(2)
        words = [f"tls:{LOOPBACK}:{secure}", f"certificate={self.issued[0]}", f"key={self.issued[1]}", *settings]
        options = ["--listen", ",".join(words), "--refresh", "1"]
        self.connector = self.keep(ours.start_connector(self.folder, plain, [self.file], options=options))
        self.data.write_routinator(self.file)
        probe.fetch_when(self.connector, plain, 2, self.data.vrp_count)
        return secure

    def follow(self, port: int) -> Client:
        """rtrtr that asks our connector there."""
        client = rtrtr.start_tls_client(self.folder, port, free_ports(1)[0], self.authority.certificate)
        self.addCleanup(client.stop)
        return client

    def test_rtrdump(self) -> None:
        port = self.listen()
        for peer, versions in ((rtrmon.RTRDUMP, (0, 1, 2)), (rtrmon.RTRDUMP_06, (0, 1))):
            require(peer, self)
            for version in versions:
                with self.subTest(peer=peer.name, version=version):
                    self.dumps(peer, port, version)

    def dumps(self, peer: AptPeer | UnpackedPeer, port: int, version: int) -> None:
        expected = self.data if version else self.data.without("router_keys")
        with self.scenario(peer, f"TLS: load in v{version}") as story:
            told = rtrmon.dump(self.folder, port, version, peer, authority=self.authority.certificate)
            self.assertTold(expected, told)
            story.shows(counted(expected))

    def test_rtrdump_does_not_take_us_for_somebody_else(self) -> None:
        require(rtrmon.RTRDUMP, self)
        self.issued = self.authority.issue("elsewhere", ELSEWHERE)
        port = self.listen()
        with self.scenario(rtrmon.RTRDUMP, "TLS: our certificate is for another address") as story:
            with self.assertRaisesRegex(PeerFailed, "certificate is valid for 192.0.2.1"):
                rtrmon.dump(self.folder, port, 1, authority=self.authority.certificate)
            line = self.connector.expect_line("it refuses us: ")
            self.assertNotIn("Traceback", "\n".join(self.connector.lines()))
            story.shows(f"it refuses; ours says: {line.partition('] ')[2][:120]}")

    def test_who_shows_no_certificate_where_one_is_required(self) -> None:
        for peer in (rtrtr.RTRTR_TLS, rtrmon.RTRDUMP):
            require(peer, self)
        port = self.listen("clients=required", f"authority={self.authority.certificate}")
        with self.scenario(rtrmon.RTRDUMP, "TLS: we require certificates of clients") as story:
            with self.assertRaises(PeerFailed):
                rtrmon.dump(self.folder, port, 1, authority=self.authority.certificate)
            self.connector.expect_line("it shows no certificate")
            story.shows("it has none and is refused with a line that says so")
        with self.scenario(rtrtr.RTRTR_TLS, "TLS: we require certificates of clients") as story:
            refused = self.refusals()
            self.follow(port)
            self.connector.expect(lambda: self.refusals() > refused or None, "it is refused", PATIENCE)
            story.shows("it has none and is refused with a line that says so")

    def refusals(self) -> int:
        return sum("it shows no certificate" in line for line in self.connector.lines())

    def test_a_new_certificate_and_a_change(self) -> None:
        """Who is connected stays and gets the change; who comes later sees the new certificate."""
        for peer in (rtrtr.RTRTR_TLS, rtrmon.RTRDUMP):
            require(peer, self)
        port = self.listen()
        client = self.follow(port)
        client.wait_for(self.data, PATIENCE)
        with self.scenario(rtrtr.RTRTR_TLS, "TLS: change, and our certificate is renewed") as story:
            renewed = self.authority.issue("renewed", ELSEWHERE)
            for new, used in zip(reversed(renewed), reversed(self.issued), strict=True):
                shutil.copy(new, used.with_suffix(".new"))
                used.with_suffix(".new").replace(used)
            changed = replace(self.data, vrps4=self.data.vrps4[10:], router_keys=frozenset())
            write_export(changed, self.file)
            client.wait_for(changed, PATIENCE)
            self.assertNotIn("connection lost", "\n".join(self.connector.lines()))
            with self.assertRaisesRegex(PeerFailed, "certificate is valid for 192.0.2.1"):
                rtrmon.dump(self.folder, port, 1, authority=self.authority.certificate)
            story.shows(f"{counted(changed)}, in the same session; later ones see the new certificate")


class OurRouterTests(TlsCase):
    """Our router does not go where the certificate does not hold; where it does, no ALPN means RTR."""

    def test_routinator(self) -> None:
        self.play(routinator.ROUTINATOR, lambda *where: routinator.start(self.folder, self.file, *where))

    def test_rtrtr(self) -> None:
        self.data = self.data.without("router_keys")
        self.play(rtrtr.RTRTR_TLS, lambda *where: rtrtr.start_tls_server(self.folder, self.file, *where))

    def test_stayrtr(self) -> None:
        self.play(stayrtr.STAYRTR, lambda *where: stayrtr.start_tls(self.folder, self.file, *where))

    def play(self, peer: Peer, start: Callable[[int, int, Issued], Daemon]) -> None:
        require(peer, self)
        if peer is routinator.ROUTINATOR:
            routinator.write_exceptions(self.data, self.file)
        elif peer is stayrtr.STAYRTR:
            self.data.write_rpki_client(self.file)
        else:
            self.data.write_routinator(self.file)
        plain, secure = free_ports(2)
        cache = self.keep(start(plain, secure, self.issued))
        probe.fetch_when(cache, plain, 1, self.data.vrp_count)
        others = openssl.Authority(self.folder, "others").certificate
        where, trusted = f"tls:{LOOPBACK}:{secure}", f"authority={self.authority.certificate}"
        refused = {
            "another name": (f"{where},{trusted},name=other.example.net", "not for other.example.net"),
            "another authority": (f"{where},authority={others}", "authority that is not ours"),
            "plain TCP": (f"{LOOPBACK}:{secure}", "hung up without an answer"),
        }
        for what, (words, said) in refused.items():
            with self.scenario(peer, f"TLS: our router expects {what}") as story:
                self.start_at(words)
                told = self.router.expect(lambda: self.link().get("last_error"), "the reason is shown", PATIENCE)
                self.assertIn(said, told)
                self.assertIsNone(ours.router_data(self.http))
                self.router.stop()
                story.shows(told[:120])
        with self.scenario(peer, "TLS: our router asks nobody what it speaks") as story:
            self.start_at(f"{where},{trusted}", "auto")
            self.came_to(self.data)
            self.assertFalse([line for line in self.router.lines() if "HELLO" in line])
            story.shows(f"{counted(self.data)}; no ALPN, so plain RTR at once")

    def start_at(self, words: str, mode: str = "rtr") -> None:
        (self.http,) = free_ports(1)
        self.router = self.keep(ours.start_router(self.folder, self.http, [], mode, ["--cache", words]))
        self.router.expect_port(self.http, PATIENCE)
