"""TLS with the OpenSSL command line on the other side, in both roles: none of our libraries is in it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from interop import cases
from interop.peers import openssl, ours, probe
from interop.peers.base import require
from interop.peers.processes import LOOPBACK, Daemon, free_port, free_ports, listens, wait_until
from interop.results import RecordedCase

NAME = "cache.example.net"
HELLO = bytes.fromhex("8002000000000008")
ANSWER = bytes.fromhex(
    "0203000700000008"  # Cache Response of session 7
    "020400000000001401181800cb0071000000fbf0"
    "020700070000001800000001000002580000003c00000e10"  # End of Data: serial 1, timers
)


class TlsCase(cases.MeetingCase, RecordedCase):
    def setUp(self) -> None:
        require(openssl.OPENSSL, self)
        super().setUp()
        self.authority = openssl.Authority(self.folder)
        self.issued = self.authority.issue("cache", f"DNS:{NAME},IP:{LOOPBACK}")


class ServerTests(TlsCase):
    """openssl s_client and our connector."""

    def start(self, *settings: str) -> int:
        plain, secure = free_ports(2)
        words = [f"tls:{LOOPBACK}:{secure}", f"certificate={self.issued[0]}", f"key={self.issued[1]}", *settings]
        connector = ours.start_connector(self.folder, plain, [self.file], options=["--listen", ",".join(words)])
        self.connector = self.keep(connector)
        connector.expect_port(secure)
        self.octets = probe.fetch_when(connector, plain, 2, self.data.vrp_count).octets
        return secure

    def ask(self, port: int, octets: bytes, options: Sequence[str | Path] = ()) -> tuple[bytes, str]:
        """What the client hears in answer, and what it says of the connection."""
        expected = self.octets if octets == probe.query(2) else 8
        with openssl.client(self.folder, port, self.authority, ["-verify_hostname", NAME, *options]) as talk:
            talk.say(octets)
            return talk.heard(expected), talk.told()

    def test_all_that_is_served(self) -> None:
        port = self.start()
        for version in ("-tls1_2", "-tls1_3"):
            with self.subTest(version=version), self.scenario(openssl.OPENSSL, f"s_client {version}, load") as story:
                heard, told = self.ask(port, probe.query(2), [version])
                self.assertTold(self.data, probe.parse(memoryview(heard)).data)
                self.assertIn("verify return:1", told)
                story.shows(f"{len(heard):,} octets")

    def test_what_is_agreed_on(self) -> None:
        port = self.start()
        heard, _ = self.ask(port, HELLO, ["-alpn", "rotoro/1,rpki-rtr"])
        self.assertEqual(heard[:2], b"\x80\x03")
        heard, _ = self.ask(port, HELLO, ["-alpn", "rpki-rtr"])
        self.assertEqual(heard, b"")
        self.connector.expect_line("agreed on rpki-rtr by ALPN, but speaks Rotoro")
        heard, told = self.ask(port, HELLO, ["-alpn", "h2"])
        self.assertEqual(heard, b"")
        self.assertIn("alert no application protocol", told)

    def test_old_versions(self) -> None:
        heard, told = self.ask(self.start(), probe.query(2), ["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"])
        self.assertEqual(heard, b"")
        self.assertIn("alert protocol version", told)
        self.connector.expect_line("it speaks no version of TLS that is spoken here")

    def test_certificates_of_clients(self) -> None:
        port = self.start("clients=required", f"authority={self.authority.certificate}")
        others = self.folder / "others"
        others.mkdir()
        foreign = openssl.Authority(others, "foreign").issue("router", f"IP:{LOOPBACK}")
        good = self.authority.issue("router", f"IP:{LOOPBACK}")
        for shown, said in (
            (None, "it shows no certificate"),
            (foreign, "by an authority that is not ours"),
            (self.authority.issue("elsewhere", "IP:192.0.2.1"), "is for 192.0.2.1, not for the address 127.0.0.1"),
            (self.authority.issue(LOOPBACK), "is for nobody, not for the address 127.0.0.1"),
            (good, ""),
        ):
            name = f"s_client to clients=required: {said or 'served'}"
            with self.subTest(said=said), self.scenario(openssl.OPENSSL, name):
                options: list[str | Path] = ["-cert", shown[0], "-key", shown[1]] if shown else []
                heard, told = self.ask(port, probe.query(2), options)
                if said:
                    self.assertEqual(heard, b"")
                    self.assertIn("alert", told)
                    self.connector.expect_line(said)
                else:
                    self.assertTold(self.data, probe.parse(memoryview(heard)).data)

    def test_it_does_not_renegotiate(self) -> None:
        """The command line does so at a line that begins with R."""
        port = self.start()
        with openssl.Talk(self.folder, "s_client", "-connect", f"{LOOPBACK}:{port}", "-tls1_2") as talk:
            wait_until(lambda: b"Verify return code" in talk.heard(0) or None, 10)
            talk.say(b"R\n")
            wait_until(talk.process.poll, 10)
            self.assertIn("no renegotiation", talk.told())

    def test_keys_that_others_can_read(self) -> None:
        """Attack test 45, as a user meets it."""
        self.issued[1].chmod(0o644)
        words = f"tls:{LOOPBACK}:{free_port()},certificate={self.issued[0]},key={self.issued[1]}"
        connector = self.keep(ours.start_connector(self.folder, 0, [self.file], options=["--listen", words]))
        self.assertNotEqual(connector.process.wait(20), 0)
        self.assertTrue([line for line in connector.lines() if "(mode 0644); chmod 600 it" in line])
        self.assertFalse([line for line in connector.lines() if "Traceback" in line])


class ClientTests(TlsCase):
    """openssl s_server and our router."""

    def meet(self, issued: tuple[Path, Path], *settings: str, options: Sequence[str | Path] = ()) -> Daemon:
        """Our router, with a server of that certificate to connect to."""
        port, http = free_ports(2)
        self.talk = openssl.server(self.folder, port, issued, options)
        self.addCleanup(self.talk.__exit__)
        wait_until(lambda: listens(port), 10)
        words = ",".join([f"tls:{LOOPBACK}:{port}", f"authority={self.authority.certificate}", *settings])
        self.http = http
        return self.keep(ours.start_router(self.folder, http, [], options=["--cache", words]))

    def answered(self, router: Daemon) -> None:
        """Whether the router takes what it asked for."""
        self.assertEqual(self.talk.heard(8), probe.query(2))
        self.talk.say(ANSWER)
        router.expect_port(self.http)
        held = router.expect(lambda: ours.router_data(self.http), "the VRP")
        self.assertEqual(held.vrp_count, 1)

    def test_what_it_is_told(self) -> None:
        """By the address that it connects to, and without a probe as nothing was agreed on."""
        with self.scenario(openssl.OPENSSL, "s_server, load"):
            self.answered(self.meet(self.issued))

    def test_both_show_certificates(self) -> None:
        certificate, key = self.authority.issue("router", f"IP:{LOOPBACK}")
        wants: list[str | Path] = ["-Verify", "1", "-verify_return_error", "-CAfile", self.authority.certificate]
        shown = [f"name={NAME}", f"certificate={certificate}", f"key={key}"]
        with self.scenario(openssl.OPENSSL, "s_server -Verify, load"):
            self.answered(self.meet(self.issued, *shown, options=[*wants, "-alpn", "rpki-rtr"]))

    def test_whom_it_does_not_believe(self) -> None:
        others = self.folder / "others"
        others.mkdir()
        for issued, options, said in (
            (self.authority.issue(NAME), [], "is for nobody (the common name does not count), not for " + NAME),
            (self.authority.issue("wild", "DNS:*.example.net"), [], "(wildcards do not count), not for " + NAME),
            (openssl.Authority(others).issue("other", f"DNS:{NAME}"), [], "by an authority that is not ours"),
            (self.issued, ["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"], "it refuses our versions of TLS, 1.2 and 1.3"),
        ):
            with self.subTest(said=said), self.scenario(openssl.OPENSSL, f"s_server refused: {said}"):
                router = self.meet(issued, f"name={NAME}", options=options)
                router.expect_line(said)
                self.assertEqual(self.talk.heard(0), b"")
                router.stop()
