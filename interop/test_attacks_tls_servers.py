"""Servers that are not who our router looks for: it says what is wrong, once, and tells them nothing."""

from __future__ import annotations

import contextlib
import ssl
import warnings
from typing import ClassVar

from interop.attacks.cases import HostileLine
from interop.attacks.hostile import SESSION, HostileCacheCase, answer
from interop.attacks.octets import VERSION
from interop.conformance.octets import cache_response, prefix, reset_query, serial_query
from interop.peers.processes import LOOPBACK
from tests.net.certificates import Authority, Issued

NAME = "cache.example.net"
OTHER = prefix(VERSION, "198.51.100.0/24", 24, 64497)
QUERIES = reset_query(VERSION), serial_query(VERSION, SESSION, 1)
HANDSHAKE = b"\x16\x03"
"""What everything begins with that a client of TLS says."""


class ServerCase(HostileCacheCase):
    """Our router, which looks for a server of some name or address."""

    authority: ClassVar[Authority]
    good: ClassVar[Issued]
    name: ClassVar[str | None] = NAME

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.authority = Authority(cls.folder)
        cls.good = cls.authority.issue(NAME, LOOPBACK)

    @classmethod
    def target(cls) -> str:
        name = f",name={cls.name}" if cls.name else ""
        return f"tls:{super().target()},authority={cls.authority.certificate}{name}"

    def accept(self, seconds: float = 15) -> HostileLine:
        """It comes, and finds whom it looks for."""
        line = super().accept(seconds)
        line.connection = context(self.good).wrap_socket(line.connection, server_side=True)
        self.addCleanup(line.connection.close)
        return line

    def visited(self, tls: ssl.SSLContext | None) -> bytes:
        """What it tells a server with this TLS; without TLS, all that it says to one that has data for it."""
        self.hang_up()
        plain = super().accept().connection
        heard = b""
        with contextlib.suppress(OSError):
            if tls is None:
                plain.sendall(answer(OTHER))
                while octets := plain.recv(1 << 16):
                    heard += octets
                return heard
            with tls.wrap_socket(plain, server_side=True) as made:
                while octets := made.recv(1 << 16):
                    heard += octets
        return heard

    def hang_up(self) -> None:
        """End the connection that there is."""
        made = type(self)
        if made.line is not None:
            made.line.close()
            made.line = None


class NameTests(ServerCase):
    def test_servers_of_other_names(self) -> None:
        """Attacks 30-32, 34 and 35: a common name, a wildcard, another name, its own signature, old TLS, no TLS."""
        oddly, issue = self.authority.issue_oddly, self.authority.issue
        with self.attack("no TLS with", lines=6):
            for certificate, change, said in (
                (oddly(common_name=NAME), same, rf"for nobody \(the common name does not count\), not for {NAME}"),
                (oddly("*.example.net"), same, rf"\(wildcards do not count\), not for {NAME}"),
                (issue("other.example.net"), same, rf"for other.example.net, not for {NAME}"),
                (oddly(NAME, self_signed=True), same, "its certificate is self-signed"),
                (self.good, old, "it refuses our versions of TLS|speaks no version of TLS"),
            ):
                tls = context(certificate)
                change(tls)
                before = self.told(said)
                self.assertEqual(self.visited(tls), b"")
                self.attacked.expect(lambda said=said: self.told(said) or None, said, 5)  # type: ignore[misc]
                self.assertEqual(self.told(said), before + 1)
            heard = self.visited(None)
            self.assertEqual(heard[:2], HANDSHAKE)
            self.assertFalse(any(query in heard for query in QUERIES))
            self.behave()

    def test_an_end_without_close_notify(self) -> None:
        """Attack 36: half a load is none, and what was held stays."""
        with self.attack("connection lost", lines=20):
            line = self.come()
            line.say(cache_response(VERSION, SESSION) + OTHER)
            self.hang_up()
            self.come().say(answer())


class AddressTests(ServerCase):
    name = None

    def test_an_address_that_is_not_in_the_certificate(self) -> None:
        """Attack 33: who is known by an address must have it in the certificate; a name does not help."""
        with self.attack(f"for {NAME}, not for {LOOPBACK}"):
            tls = context(self.authority.issue(NAME))
            self.assertEqual([self.visited(tls) for _ in range(2)], [b"", b""])


def context(shown: Issued) -> ssl.SSLContext:
    """A server that shows this."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(shown.certificate, shown.key)
    return made


def same(tls: ssl.SSLContext) -> None:
    """Nothing else is wrong with it."""


def old(tls: ssl.SSLContext) -> None:
    """It speaks TLS 1.0, as nobody should."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        tls.set_ciphers("ALL:@SECLEVEL=0")
        tls.minimum_version = tls.maximum_version = ssl.TLSVersion.TLSv1
