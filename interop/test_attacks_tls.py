"""Attacks on our listeners and clients with TLS: whoever is refused gets a line in the log, and no octet of data."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import ssl
import time
from datetime import timedelta
from pathlib import Path
from typing import ClassVar

from interop.attacks.bystander import tls_context
from interop.attacks.cases import CacheCase, twistd, until_closed
from interop.conformance.octets import (
    END_OF_DATA,
    reset_query,
    split,
)
from interop.peers.processes import LOOPBACK, free_port, free_ports
from tests.net.certificates import DAY, Authority, Issued

VERSION = 2
MAPPED = "::ffff:127.0.0.1"
CACHE = "cache.example.net"


class ListenerCase(CacheCase):
    """Our connector, which wants certificates of its clients."""

    vrps = 20_000
    authority: ClassVar[Authority]
    cache: ClassVar[Issued]
    good: ClassVar[Issued]
    taken_back: ClassVar[Issued]
    revoked: ClassVar[Path]

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.authority = Authority(cls.folder)
        cls.cache, cls.good = cls.authority.issue(CACHE), cls.authority.issue(LOOPBACK)
        cls.taken_back = cls.authority.issue(LOOPBACK)
        cls.revoked = cls.authority.revoke(cls.taken_back)

    def setUp(self) -> None:
        self.port, self.tls = free_ports(2)
        clients = f"clients=required,authority={self.authority.certificate},revoked={self.revoked}"
        self.words = f"certificate={self.cache.certificate},key={self.cache.key},{clients}"
        self.start("--listen", f"tls:{LOOPBACK}:{self.tls},{self.words}", *self.more())
        self.stand_by("router", self.tls, self.authority.certificate, *self.good)

    def more(self) -> list[str]:
        """Further words of the command line."""
        return ["--handshake-seconds", "2"]

    def ask(self, shown: Issued | None, port: int | None = None) -> bytes:
        """What a client with this certificate gets when it asks for everything; nothing if it is refused."""
        context = tls_context(str(self.authority.certificate), *map(str, shown or self.good))
        if shown is None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname = False
            context.load_verify_locations(self.authority.certificate)
        heard = b""
        plain = socket.create_connection((LOOPBACK, port or self.tls), 10)
        with contextlib.suppress(ssl.SSLError, ConnectionError), plain, context.wrap_socket(plain) as made:
            made.sendall(reset_query(VERSION))
            while octets := made.recv(1 << 18):
                heard += octets
                if heard[-24:-22] == bytes([VERSION, END_OF_DATA]):
                    break
        return heard


class ListenerTests(ListenerCase):
    def test_a_handshake_that_drips(self) -> None:
        """Attack 5: the deadline is absolute, whoever drips and whoever says nothing."""
        with self.attack("the handshake was not done in 2 s", lines=2):
            silent = socket.create_connection((LOOPBACK, self.tls), 10)
            drips = socket.create_connection((LOOPBACK, self.tls), 10)
            self.addCleanup(silent.close)
            self.addCleanup(drips.close)
            started = time.monotonic()
            drips.settimeout(0.1)
            for octet in client_hello():
                with contextlib.suppress(TimeoutError, ConnectionError):
                    drips.send(bytes([octet]))
                    if drips.recv(1) == b"":
                        break
                if time.monotonic() > started + 10:
                    break
            self.assertLess(time.monotonic() - started, 5)
            silent.settimeout(5)
            self.assertEqual(until_closed(silent), b"")

    def test_certificates_that_do_not_do(self) -> None:
        """Attacks 22-27 and 29: none, another authority's, dated, for another address, for no address, revoked."""
        others = Authority(self._others(), "others")
        far = timedelta(days=10)
        for shown, said in (
            (None, "it shows no certificate"),
            (others.issue(LOOPBACK), "its certificate is by an authority that is not ours"),
            (self.authority.issue_oddly(LOOPBACK, valid=(-far, -DAY)), "its certificate has expired"),
            (self.authority.issue_oddly(LOOPBACK, valid=(DAY, far)), "its certificate is not valid yet"),
            (self.authority.issue("192.0.2.1"), "its certificate is for 192.0.2.1, not for the address 127.0.0.1"),
            (self.authority.issue("router.example.net"), "its certificate is for router.example.net, not for the"),
            (self.authority.issue_oddly(common_name=LOOPBACK), "its certificate is for nobody, not for the address"),
            (self.taken_back, "its certificate is revoked"),
        ):
            with self.subTest(said=said), self.attack(f"refused by tls:.*{said}"):
                self.assertEqual(self.ask(shown), b"")

    def _others(self) -> Path:
        folder = self.folder / "others"
        folder.mkdir(exist_ok=True)
        return folder

    def test_files_that_break(self) -> None:
        """Attacks 45 and 47: what was read stays in use, and SIGHUP says at once that nothing else can be."""
        key, certificate = self.cache.key.read_bytes(), self.cache.certificate.read_bytes()
        self.addCleanup(self.cache.key.chmod, 0o600)
        self.addCleanup(self.cache.key.write_bytes, key)
        self.addCleanup(self.cache.certificate.write_bytes, certificate)
        wanted = len(split(self.ask(self.good))[0])
        for said, spoil in (
            (r"\(mode 0644\); chmod 600 it; what was read before stays in use", lambda: self.cache.key.chmod(0o644)),
            ("has no private key in PEM", self.no_key),
            ("has no certificate in PEM", lambda: self.cache.certificate.write_bytes(certificate[:100])),
            ("cannot be read: No such file", self.cache.certificate.unlink),
        ):
            with self.subTest(said=said), self.attack(said, lines=2):
                spoil()
                os.kill(self.attacked.pid, signal.SIGHUP)
                self.attacked.expect(lambda said=said: self.told(said) or None, said, 5)  # type: ignore[misc]
                self.assertEqual(len(split(self.ask(self.good))[0]), wanted)

    def no_key(self) -> None:
        """What only its owner can read, and nobody can use."""
        self.cache.key.chmod(0o600)
        self.cache.key.write_bytes(b"x")

    def test_keys_that_others_can_read(self) -> None:
        """Attack 45: a daemon does not start with one, and says so in one line; one that runs goes on."""
        issued = self.authority.issue(CACHE)
        issued.key.chmod(0o644)
        with self.attack():
            words = f"tls:{LOOPBACK}:{free_port()},certificate={issued.certificate},key={issued.key}"
            other = twistd(self.folder, ["rotonda-connector", "--vrps", str(self.file), "--listen", words])
            self.keep(other)
            self.assertNotEqual(other.process.wait(20), 0)
            self.assertEqual(len([line for line in other.lines() if "(mode 0644); chmod 600 it" in line]), 1)
            self.assertFalse([line for line in other.lines() if "Traceback" in line])


class MappedTests(ListenerCase):
    """A listener of IPv6 to which IPv4 comes."""

    def more(self) -> list[str]:
        self.mapped = free_port()
        return ["--listen", f"tls:[{MAPPED}]:{self.mapped},{self.words}"]

    def test_mapped_addresses(self) -> None:
        """Attack 28: IPv4 in the clothes of IPv6 is who it is; another address is not, in the same clothes."""
        with self.attack("its certificate is for 192.0.2.1, not for the address 127.0.0.1"):
            self.assertEqual(len(split(self.ask(self.good, port=self.mapped))[0]), self.vrps + 2)
            self.assertEqual(self.ask(self.authority.issue("192.0.2.1"), port=self.mapped), b"")


def client_hello() -> bytes:
    """What a client begins with."""
    out = ssl.MemoryBIO()
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).wrap_bio(ssl.MemoryBIO(), out, server_hostname=CACHE)
    with contextlib.suppress(ssl.SSLWantReadError):
        client.do_handshake()
    return out.read()
