"""Clients with TLS as they meet all kinds of servers, over loopback."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from OpenSSL import SSL
from twisted.internet.protocol import Protocol
from twisted.internet.task import deferLater

from rotoro.net.connecting import Connecting
from rotoro.net.endpoints import Clients, ClientTls, Connect, HostPort, ServerTls
from rotoro.net.tls import TlsClient
from rotoro.net.tls_errors import Reason
from rotoro.session.base import Session
from rotoro.session.effects import Effect, Note, Update
from rotoro.session.negotiation import ALPN_ROTORO, ALPN_RTR, Mode
from rotoro.wire import encode
from rotoro.wire.rtr import CacheResponse, EndOfData
from tests.net.certificates import CLIENT, DAY, Authority, Issued
from tests.net.clients import client
from tests.net.tls_peers import LOOPBACK, Context, Peers, PlainPeer, TlsCase, port_of
from tests.session.worlds import vrps

NAME = "cache.example.net"
Change = Callable[[SSL.Context], object]


class Selecting:
    """A server that selects a protocol of its own liking."""

    def __init__(self, selected: bytes) -> None:
        self.selected = selected

    def __call__(self, context: SSL.Context) -> None:
        context.set_alpn_select_callback(lambda _, offered: self.selected)


class ClientCase(TlsCase):
    def setUp(self) -> None:
        super().setUp()
        self.tls = ClientTls(self.authority.certificate, NAME)
        self.effects: list[Effect] = []

    def follow(self, port: int, tls: ClientTls | None = None, mode: Mode = Mode.AUTO) -> Connecting:
        """Our client, until the test ends."""
        to = Connect(HostPort(LOOPBACK, port), tls or self.tls)
        made = Connecting(self.net, to, client(mode), self._take)
        made.startService()
        self.addCleanup(made.stopService)
        return made

    async def stop(self, made: Connecting) -> None:
        """Not within the service's own steps, in which its end is told."""
        await made.stopService()
        await deferLater(self.net, 0, lambda: None)

    def _take(self, session: Session, effect: Effect) -> None:
        self.effects.append(effect)

    def updates(self) -> list[Update]:
        return [effect for effect in self.effects if isinstance(effect, Update)]


class FollowingTests(ClientCase):
    """Our client and our server."""

    async def test_what_is_spoken(self) -> None:
        service = await self.serve(ServerTls(self.cache.certificate, self.cache.key))
        for mode, speaks in ((Mode.AUTO, "rotoro"), (Mode.ROTORO, "rotoro"), (Mode.RTR, "rtr 2")):
            with self.subTest(mode=mode):
                self.effects.clear()
                made = self.follow(port_of(service), mode=mode)
                await self.until(self.updates)
                self.assertEqual((self.updates()[-1].snapshot, made.session.speaks), (vrps(1, 2), speaks))
                assert made.tls is not None
                self.assertEqual((made.tls.handshakes, dict(made.tls.refused)), (1, {}))
        self.assertEqual(self.told(), [])

    async def test_changes_and_the_end(self) -> None:
        service = await self.serve(ServerTls(self.cache.certificate, self.cache.key))
        made = self.follow(port_of(service))
        await self.until(self.updates)
        self.table.commit(vrps(2, 3))
        self.factory.changed()
        await self.until(lambda: self.updates()[-1].snapshot == vrps(2, 3))
        self.factory.goodbye("the test is over", retry=60)
        await self.until(lambda: not self.factory.connections)
        self.assertEqual(made.session.retry_seconds, 60)

    async def test_both_show_certificates(self) -> None:
        """R-TLS-04."""
        ours = self.authority.issue(LOOPBACK)
        server = ServerTls(self.cache.certificate, self.cache.key, Clients.REQUIRED, self.authority.certificate)
        service = await self.serve(server)
        made = self.follow(port_of(service), replace(self.tls, certificate=ours.certificate, key=ours.key))
        await self.until(self.updates)
        assert made.tls is not None
        self.assertEqual(made.tls.not_after, ours.parsed.not_valid_after_utc.timestamp())

    async def test_a_server_that_wants_a_certificate(self) -> None:
        """With TLS 1.3 a client learns of it only after its own handshake is done."""
        server = ServerTls(self.cache.certificate, self.cache.key, Clients.REQUIRED, self.authority.certificate)
        made = self.follow(port_of(await self.serve(server)))
        assert made.tls is not None
        refused = made.tls.refused
        await self.until(lambda: refused[Reason.REFUSES_US])
        await self.until(lambda: refused[Reason.REFUSES_US] > 1)
        self.assertEqual(self.updates(), [])
        (line,) = [line for line in self.told() if "no TLS with" in line]  # the other lines are of our server
        self.assertIn("it wants a certificate from us", line)
        self.assertIn(Note(line.partition(": ")[2], warning=True), self.effects)


class AlpnTests(ClientCase):
    """What other servers say in the handshake, and what our client does then."""

    async def said(self, change: Change, mode: Mode) -> bytes:
        """The first octets of our client, which come without a probe."""
        peers = Peers()
        port = await self.serve_oddly(Context(self.cache, change=change), peers)
        made = self.follow(port, mode=mode)
        await self.until(lambda: peers.peers and peers.peers[-1].heard)
        await self.stop(made)
        return bytes(peers.peers[-1].heard)

    async def test_no_probe(self) -> None:
        for selected, mode, octets in (
            (None, Mode.AUTO, b"\x02\x02"),
            (ALPN_RTR, Mode.AUTO, b"\x02\x02"),
            (ALPN_ROTORO, Mode.AUTO, b"\x80\x02"),
            (None, Mode.ROTORO, b"\x80\x02"),
            (None, Mode.RTR, b"\x02\x02"),
        ):
            with self.subTest(selected=selected, mode=mode):
                said = await self.said(Selecting(selected) if selected else lambda _: None, mode)
                self.assertEqual(said[:2], octets)

    async def test_what_is_offered(self) -> None:
        offers: list[list[bytes]] = []

        def select(_: Any, offered: list[bytes]) -> bytes:
            offers.append(offered)
            return offered[0]

        for mode in Mode:
            await self.said(lambda context: context.set_alpn_select_callback(select), mode)
        self.assertEqual(offers, [[ALPN_ROTORO, ALPN_RTR], [ALPN_RTR], [ALPN_ROTORO]])


class RefusingTests(ClientCase):
    """R-TLS-01 to 06, attack tests 30 to 35: no octet of ours within TLS, and nothing in plain instead."""

    async def refuse(
        self, shown: Issued, reason: Reason, said: str, tls: ClientTls | None = None, change: Change = lambda _: None
    ) -> None:
        self.effects.clear()
        self.events.clear()
        peers = Peers()
        made = self.follow(await self.serve_oddly(Context(shown, change=change), peers), tls)
        assert made.tls is not None
        refused = made.tls.refused
        await self.until(lambda: refused[reason] >= 2 or refused.total() > refused[reason] or self.updates())
        await self.stop(made)
        self.assertEqual((list(refused), made.tls.handshakes), ([reason], 0), self.told())
        (line,) = self.told()  # however often it was tried
        self.assertIn(said, line)
        self.assertIn(Note(line.partition(": ")[2], warning=True), self.effects)
        await self.until(lambda: all(peer.lost for peer in peers.peers))
        self.assertEqual([peer.heard for peer in peers.peers], [b""] * len(peers.peers))

    async def test_certificates_that_do_not_hold(self) -> None:
        odd = self.authority.issue_oddly
        for shown, reason, said in (
            (odd(common_name=NAME), Reason.NAME, "is for nobody (the common name does not count), not for " + NAME),
            (odd("*.example.net"), Reason.NAME, "is for *.example.net (wildcards do not count)"),
            (odd("other.example.net"), Reason.NAME, "is for other.example.net, not for " + NAME),
            (odd(NAME, self_signed=True), Reason.AUTHORITY, "self-signed"),
            (Authority(self.folder, "other").issue(NAME), Reason.AUTHORITY, "by an authority that is not ours"),
            (odd(NAME, valid=(-2 * DAY, -DAY)), Reason.EXPIRED, "has expired"),
            (odd(NAME, valid=(DAY, 2 * DAY)), Reason.NOT_YET_VALID, "not valid yet"),
            (odd(NAME, usages=[CLIENT]), Reason.PURPOSE, "for another purpose"),
        ):
            with self.subTest(said=said):
                await self.refuse(shown, reason, said)

    async def test_addresses_need_addresses(self) -> None:
        """Attack test 33: who connects to an address wants a certificate for it, unless a name is given."""
        shown = self.authority.issue("127.0.0.2", NAME)
        await self.refuse(shown, Reason.NAME, "not for 127.0.0.1", ClientTls(self.authority.certificate))

    async def test_authorities_of_the_system_do_not_know_ours(self) -> None:
        await self.refuse(self.cache, Reason.AUTHORITY, "by an authority that is not ours", ClientTls(name=NAME))

    async def test_old_versions(self) -> None:
        def old(context: SSL.Context) -> None:
            context.set_cipher_list(b"ALL:@SECLEVEL=0")
            context.set_max_proto_version(SSL.TLS1_VERSION)

        await self.refuse(self.cache, Reason.VERSION, "it refuses our versions of TLS, 1.2 and 1.3", change=old)

    async def test_a_server_without_tls(self) -> None:
        """It hears a ClientHello and nothing else, ever; what it says is not taken for data."""
        answer = encode(CacheResponse(7), 2) + encode(EndOfData(7, 1, 3600, 600, 7200), 2)
        peers = Peers(lambda: PlainPeer(answer))
        made = self.follow(await self.serve_oddly(None, peers))
        assert made.tls is not None
        refused = made.tls.refused
        await self.until(lambda: refused[Reason.PLAIN] >= 2)
        await self.stop(made)
        await self.until(lambda: all(peer.lost for peer in peers.peers))
        self.assertEqual({peer.heard[:2] for peer in peers.peers}, {b"\x16\x03"})
        (line,) = self.told()
        self.assertIn("it speaks RTR or Rotoro without TLS", line)
        self.assertEqual(self.updates(), [])

    async def test_servers_that_say_nothing(self) -> None:
        """They are left in time, or leave, and that is told as well."""
        self.patch(TlsClient.wrap, "__defaults__", (0.05,))
        for silent, reason, said in (
            (True, Reason.TIMEOUT, "the handshake was not done in 0 s"),
            (False, Reason.GONE, "it went away"),
        ):
            with self.subTest(said=said):
                self.events.clear()
                peers = Peers(Protocol if silent else Leaving)
                made = self.follow(await self.serve_oddly(None, peers))
                assert made.tls is not None
                refused = made.tls.refused
                await self.until(lambda: refused[reason] >= 2)  # noqa: B023
                await self.stop(made)
                (line,) = self.told()
                self.assertIn(said, line)

    async def test_the_address_itself(self) -> None:
        service = await self.serve(ServerTls(self.cache.certificate, self.cache.key))
        self.follow(port_of(service), ClientTls(self.authority.certificate))
        await self.until(self.updates)


class Leaving(Protocol):
    """A server that leaves at once."""

    def connectionMade(self) -> None:
        transport: Any = self.transport
        transport.loseConnection()


class Cutting(Protocol):
    """A cache that ends its answer in the middle of a PDU, with or without word that it does."""

    def __init__(self, clean: bool) -> None:
        self.clean = clean

    def dataReceived(self, data: bytes) -> None:
        transport: Any = self.transport
        transport.write(encode(CacheResponse(7), 2) + encode(EndOfData(7, 1, 3600, 600, 7200), 2)[:-1])
        if self.clean:
            transport.loseConnection()
        else:
            transport.transport.loseConnection()


class CutTests(ClientCase):
    async def test_no_half_answers(self) -> None:
        """C-TLS-10, attack test 36: what is cut off is no data, and it shows who cut it."""
        for clean, said in ((False, "non-clean fashion"), (True, "closed cleanly")):
            with self.subTest(clean=clean):
                self.effects.clear()
                self.events.clear()
                peers = Peers(lambda: Cutting(clean))  # noqa: B023
                made = self.follow(await self.serve_oddly(Context(self.cache), peers), mode=Mode.RTR)
                await self.until(lambda: len(peers.peers) >= 2)  # noqa: B023
                await self.stop(made)
                self.assertEqual(self.updates(), [])
                lines = [str(event.get("text", "")) for event in self.events]
                self.assertIn(said, next(line for line in lines if line.startswith("connection lost")))
