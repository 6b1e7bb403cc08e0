from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from rotoro.net.tls_errors import PeerRefused, Reason
from rotoro.net.tls_names import Names, check_client, check_server, server_identity
from tests.net.certificates import Authority


class NamesCase(SynchronousTestCase):
    def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.authority = Authority(Path(folder.name))

    def certificate(self, *names: str, common_name: str = "test") -> Any:
        return self.authority.issue_oddly(*names, common_name=common_name).parsed

    def refused(self, *arguments: Any) -> str:
        error = self.assertRaises(PeerRefused, *arguments)
        self.assertIs(error.reason, Reason.NAME)
        return str(error)


class ClientTests(NamesCase):
    def test_the_address_that_it_connects_from(self) -> None:
        """C-TLS-02, and the forms in which a socket tells addresses (attack test 28)."""
        for name, host in (
            ("192.0.2.1", "192.0.2.1"),
            ("192.0.2.1", "::ffff:192.0.2.1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("2001:db8::1", "2001:db8::1"),
            ("fe80::1", "fe80::1%eth0"),
        ):
            with self.subTest(name=name, host=host):
                check_client(self.certificate("x.example.net", name), host, Names())

    def test_names_on_the_list(self) -> None:
        allowed = Names.allowed(["Router.Example.net.", "192.0.2.9"])
        check_client(self.certificate("router.example.NET"), "192.0.2.1", allowed)
        check_client(self.certificate("192.0.2.9"), "192.0.2.1", allowed)
        self.assertIn("none of its names is on the list", self.refused(
            check_client, self.certificate("other.example.net"), "192.0.2.1", allowed))  # fmt: skip

    def test_all_others(self) -> None:
        """C-TLS-03 and 04: the common name never counts, a dNSName only if it is on the list."""
        for names, common_name in (
            (("192.0.2.2",), "192.0.2.1"),
            (("router.example.net",), "192.0.2.1"),
            ((), "192.0.2.1"),
            (("192.0.2.11",), "test"),
        ):
            with self.subTest(names=names):
                certificate = self.certificate(*names, common_name=common_name)
                said = self.refused(check_client, certificate, "192.0.2.1", Names())
                self.assertIn(f"is for {', '.join(names) or 'nobody'}, not for the address 192.0.2.1", said)

    def test_a_name_that_reads_like_an_address_is_none(self) -> None:
        certificate = self.certificate("router.example.net")
        self.patch(Names, "of", lambda _: Names(frozenset(), frozenset({"192.0.2.1"})))
        for allowed in (Names(), Names.allowed(["192.0.2.1"])):
            self.refused(check_client, certificate, "192.0.2.1", allowed)


class ServerTests(NamesCase):
    def test_the_name_that_it_is_known_by(self) -> None:
        for names, wanted in (
            (("cache.example.net",), "Cache.example.net."),
            (("a.example.net", "b.example.net"), "b.example.net"),
            (("192.0.2.1",), "192.0.2.1"),
            (("2001:db8::1",), "2001:db8::1"),
            (("bücher.example".encode("idna").decode(),), "bücher.example"),
        ):
            with self.subTest(wanted=wanted):
                check_server(self.certificate(*names), server_identity(wanted))

    def test_all_others(self) -> None:
        """R-TLS-01 to 03, attack tests 30 to 33."""
        for names, wanted, said in (
            ((), "cache.example.net", "nobody (the common name does not count), not for cache.example.net"),
            (("*.example.net",), "cache.example.net", "*.example.net (wildcards do not count), not for cache"),
            (("other.example.net",), "cache.example.net", "is for other.example.net, not for cache.example.net"),
            (("cache.example.net",), "192.0.2.1", "is for cache.example.net, not for 192.0.2.1"),
            (("192.0.2.2",), "192.0.2.1", "is for 192.0.2.2, not for 192.0.2.1"),
        ):
            with self.subTest(names=names):
                certificate = self.certificate(*names, common_name=wanted)
                self.assertIn(said, self.refused(check_server, certificate, server_identity(wanted)))

    def test_names_that_no_certificate_can_have(self) -> None:
        for name in ("", "a b", "x" * 300 + "\u20ac", "1234"):
            self.assertIn(repr(name), str(self.assertRaises(ValueError, server_identity, name)))

    def test_long_lists_are_told_in_short(self) -> None:
        names = Names.of(self.certificate(*(f"h{number}.example.net" for number in range(9))))
        self.assertEqual(str(names), "h0.example.net, h1.example.net, h2.example.net, h3.example.net, ...")
