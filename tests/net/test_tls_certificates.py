"""Certificates of clients as our server judges them, over loopback."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from OpenSSL import SSL

from rotoro.net.endpoints import Clients
from rotoro.net.tls import TlsListener
from rotoro.net.tls_errors import Reason
from tests.net.certificates import CLIENT, DAY, SERVER, Authority, Issued
from tests.net.tls_peers import LOOPBACK, Context, Peer, ServingCase, port_of


class ClientCertificateTests(ServingCase):
    clients = Clients.REQUIRED

    async def meet(self, shown: Issued | None, source: str = LOOPBACK, **more: Any) -> tuple[Peer, TlsListener]:
        self.events.clear()
        service = await self.serve(self.settings(**more))
        assert service.tls is not None
        return await self.heard(port_of(service), Context(shows=shown), source=source), service.tls

    async def test_for_the_address(self) -> None:
        """C-TLS-02."""
        peer, tls = await self.meet(self.authority.issue(LOOPBACK))
        self.assertServed(peer)
        self.assertEqual(tls.handshakes, 1)

    async def test_addresses_of_both_families(self) -> None:
        """Attack test 28: a socket for both tells IPv4 addresses as IPv6 addresses."""
        service = await self.serve(self.settings(), "::ffff:127.0.0.1")
        self.assertServed(await self.heard(port_of(service), Context(shows=self.authority.issue(LOOPBACK))))

    async def test_names_on_the_list(self) -> None:
        router = self.authority.issue("router.example.net")
        peer, _ = await self.meet(router, identities=("router.example.net",))
        self.assertServed(peer)
        peer, tls = await self.meet(router, identities=("other.example.net",))
        self.assertRefused(peer, tls, Reason.NAME, "is for router.example.net, not for the address 127.0.0.1")

    async def test_none(self) -> None:
        """C-TLS-01, attack test 22."""
        self.assertRefused(*await self.meet(None), Reason.NO_CERTIFICATE, "it shows no certificate")

    async def test_certificates_that_do_not_hold(self) -> None:
        """C-TLS-03 to 05, attack tests 23 to 27: who, why, once."""
        odd = self.authority.issue_oddly
        for shown, reason, said in (
            (Authority(self.folder, "other").issue(LOOPBACK), Reason.AUTHORITY, "by an authority that is not ours"),
            (odd(LOOPBACK, self_signed=True), Reason.AUTHORITY, "self-signed"),
            (odd(LOOPBACK, valid=(-2 * DAY, -DAY)), Reason.EXPIRED, "has expired"),
            (odd(LOOPBACK, valid=(DAY, 2 * DAY)), Reason.NOT_YET_VALID, "not valid yet"),
            (odd(LOOPBACK, usages=[SERVER]), Reason.PURPOSE, "for another purpose"),
            (odd("127.0.0.2"), Reason.NAME, "is for 127.0.0.2, not for the address 127.0.0.1"),
            (odd("router.example.net", common_name=LOOPBACK), Reason.NAME, "is for router.example.net, not for"),
            (odd(common_name=LOOPBACK), Reason.NAME, "is for nobody, not for the address 127.0.0.1"),
        ):
            with self.subTest(said=said):
                self.assertRefused(*await self.meet(shown), reason, said)

    async def test_another_address(self) -> None:
        shown = self.authority.issue(LOOPBACK)
        self.assertRefused(*await self.meet(shown, "127.0.0.2"), Reason.NAME, "not for the address 127.0.0.2")

    async def test_only_for_clients(self) -> None:
        peer, _ = await self.meet(self.authority.issue_oddly(LOOPBACK, usages=[CLIENT]))
        self.assertServed(peer)

    async def test_revoked(self) -> None:
        """Attack test 29."""
        good, bad = self.authority.issue(LOOPBACK), self.authority.issue(LOOPBACK)
        revoked = self.authority.revoke(bad)
        peer, _ = await self.meet(good, revoked=revoked)
        self.assertServed(peer)
        self.assertRefused(*await self.meet(bad, revoked=revoked), Reason.REVOKED, "is revoked")

    async def test_lists_that_cannot_tell(self) -> None:
        """Nobody is let in whose revocation we could not see."""
        good = self.authority.issue(LOOPBACK)
        foreign = Authority(self.folder, "other").revoke()
        refused = await self.meet(good, revoked=foreign)
        self.assertRefused(*refused, Reason.REVOCATION_UNKNOWN, "has no list in the file of revoked certificates")
        old = self.authority.revoke(valid=(-2 * DAY, -timedelta(hours=1)))
        self.assertRefused(*await self.meet(good, revoked=old), Reason.REVOCATION_UNKNOWN, "out of date: renew")

    async def test_authorities_below_authorities(self) -> None:
        """Of each that signs certificates of clients a list must be there, of those above it may be."""
        below = self.authority.child("below")
        good, bad = below.issue(LOOPBACK), below.issue(LOOPBACK)
        revoked = below.revoke(bad)
        peer, _ = await self.meet(good, revoked=revoked)
        self.assertServed(peer)
        self.assertRefused(*await self.meet(bad, revoked=revoked), Reason.REVOKED, "is revoked")
        upper = self.authority.revoke().read_bytes()
        revoked.write_bytes(revoked.read_bytes() + upper)
        peer, _ = await self.meet(good, revoked=revoked)
        self.assertServed(peer)

    async def test_who_is_named_is_believed(self) -> None:
        """An authority below another will do, without the one above it."""
        below = self.authority.child("below")
        self.authority.certificate = below.certificate
        peer, _ = await self.meet(below.issue(LOOPBACK))
        self.assertServed(peer)

    async def test_no_session_is_resumed(self) -> None:
        """Who was let in once shows its certificate again."""
        service = await self.serve(self.settings())
        assert service.tls is not None
        context = Context(shows=self.authority.issue(LOOPBACK))
        first = await self.heard(port_of(service), context)
        transport: Any = first.transport
        session = transport.getHandle().get_session()
        makes = context.clientConnectionForTLS

        def resuming(protocol: Any) -> SSL.Connection:
            made = makes(protocol)
            made.set_session(session)
            return made

        context.clientConnectionForTLS = resuming  # type: ignore[method-assign]
        refused = await self.heard(port_of(service), context, source="127.0.0.2")
        self.assertEqual((refused.heard, service.tls.refused[Reason.NAME]), (b"", 1))
        self.assertServed(await self.heard(port_of(service), context))


class OptionalTests(ServingCase):
    clients = Clients.OPTIONAL

    async def test_none_or_a_good_one(self) -> None:
        service = await self.serve(self.settings())
        for shown in (None, self.authority.issue(LOOPBACK)):
            self.assertServed(await self.heard(port_of(service), Context(shows=shown)))
        refused = await self.heard(port_of(service), Context(shows=self.authority.issue("127.0.0.2")))
        self.assertEqual(refused.heard, b"")
