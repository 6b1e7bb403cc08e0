"""Servers with TLS as all kinds of clients meet them, over loopback."""

from __future__ import annotations

from dataclasses import replace
from operator import methodcaller
from typing import Any

import numpy as np
from OpenSSL import SSL
from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.task import Clock, deferLater

from rotoro.net.endpoints import ServerTls
from rotoro.net.tls import HANDSHAKE_SECONDS, TlsListener
from rotoro.net.tls_errors import Reason
from rotoro.net.tls_files import BadFile
from rotoro.session.negotiation import ALPN_ROTORO, ALPN_RTR
from rotoro.table import Snapshot
from rotoro.table.records import Records
from rotoro.table.slots import VRP4
from rotoro.wire import encode
from rotoro.wire.rotoro import Hello
from rotoro.wire.rtr import CacheResponse
from tests.net.certificates import DAY, write_key
from tests.net.tls_peers import LOOPBACK, QUERY, Context, Peer, Peers, PlainPeer, ServingCase, port_of

HELLO = encode(Hello(0), 0x80)
RESPONSE = encode(CacheResponse(7), 2)


class HandshakeTests(ServingCase):
    async def tls(self, **more: Any) -> tuple[int, TlsListener]:
        service = await self.serve(self.settings(**more))
        assert service.tls is not None
        return port_of(service), service.tls

    async def test_any_client_without_alpn(self) -> None:
        port, tls = await self.tls()
        for version, name in ((SSL.TLS1_2_VERSION, "TLSv1.2"), (SSL.TLS1_3_VERSION, "TLSv1.3")):
            with self.subTest(version=name):
                change = methodcaller("set_max_proto_version", version)
                peer = await self.heard(port, Context(change=change))
                self.assertServed(peer)
                self.assertIsNone(peer.agreed)
                transport: Any = peer.transport
                handle = transport.getHandle()
                self.assertEqual(handle.get_protocol_version_name(), name)
                self.assertIn("GCM", handle.get_cipher_name())
        self.assertEqual((tls.handshakes, dict(tls.refused), self.told()), (2, {}, []))
        self.assertEqual(tls.not_after, self.cache.parsed.not_valid_after_utc.timestamp())

    async def test_what_is_agreed_on(self) -> None:
        port, _ = await self.tls()
        for offers, says, agreed in (
            ((ALPN_RTR, ALPN_ROTORO), HELLO, ALPN_ROTORO),
            ((b"h2", ALPN_RTR), QUERY, ALPN_RTR),
        ):
            with self.subTest(offers=offers):
                peer = await self.heard(port, Context(offers=offers), says)
                self.assertEqual((peer.agreed, peer.lost), (agreed, None))
                self.assertEqual(peer.heard[:2], {HELLO: b"\x80\x03", QUERY: b"\x02\x03"}[says])

    async def test_what_was_agreed_on_holds(self) -> None:
        port, _ = await self.tls()
        for offered, says, said in ((ALPN_RTR, HELLO, "speaks Rotoro"), (ALPN_ROTORO, QUERY, "speaks RTR")):
            with self.subTest(offered=offered):
                peer = await self.connect(port, Context(offers=[offered]), says)
                await self.until(lambda: peer.lost)  # noqa: B023
                self.assertEqual(peer.heard, b"")
                lines = [str(event.get("text", "")) for event in self.events]
                self.assertTrue([line for line in lines if f"agreed on {offered.decode()} by ALPN, but {said}" in line])

    async def test_nothing_in_common_to_speak(self) -> None:
        """RFC 7301 section 3.2 has an alert for it."""
        port, tls = await self.tls()
        peer = await self.heard(port, Context(offers=[b"h2", b"http/1.1"]))
        self.assertRefused(peer, tls, Reason.ALPN, "it wants to speak h2, http/1.1, which is not spoken here")
        self.assertIn("no application protocol", str(peer.lost))

    async def test_old_versions(self) -> None:
        """C-TLS-07."""
        port, tls = await self.tls()

        def old(context: SSL.Context) -> None:
            context.set_cipher_list(b"ALL:@SECLEVEL=0")
            context.set_min_proto_version(SSL.TLS1_VERSION)
            context.set_max_proto_version(SSL.TLS1_1_VERSION)

        peer = await self.heard(port, Context(change=old))
        self.assertRefused(peer, tls, Reason.VERSION, "no version of TLS that is spoken here, 1.2 or 1.3")

    async def test_weak_ciphers(self) -> None:
        port, tls = await self.tls()

        def weak(context: SSL.Context) -> None:
            context.set_max_proto_version(SSL.TLS1_2_VERSION)
            context.set_cipher_list(b"ECDHE-ECDSA-AES128-SHA:AES128-GCM-SHA256")

        peer = await self.heard(port, Context(change=weak))
        self.assertRefused(peer, tls, Reason.CIPHER, "it has no cipher that is used here")

    async def test_no_renegotiation(self) -> None:
        """C-TLS-07: who asks is told no, which is more than most clients bear."""
        port, tls = await self.tls()
        peer = await self.heard(port, Context(change=lambda made: made.set_max_proto_version(SSL.TLS1_2_VERSION)))
        transport: Any = peer.transport
        handle = transport.getHandle()
        handle.renegotiate()
        self.assertRaises(SSL.WantReadError, handle.do_handshake)
        transport._flushSendBIO()
        await self.until(lambda: peer.lost)
        self.assertIn("no renegotiation", str(peer.lost))
        self.assertEqual(tls.handshakes, 1)

    async def test_without_tls(self) -> None:
        """C-TLS-08; what comes back is not taken for RTR by anybody."""
        for says, said in (
            (QUERY, "it speaks RTR or Rotoro without TLS (first octets 02 02"),
            (HELLO, "it speaks RTR or Rotoro without TLS (first octets 80 02"),
            (b"GET / HTTP/1.1\r\n\r\n", "it does not speak TLS"),
        ):
            with self.subTest(says=says):
                self.events.clear()
                port, tls = await self.tls()
                peer = await self.connect(port, None, says)
                await self.until(lambda: peer.lost)  # noqa: B023
                self.assertRefused(peer, tls, Reason.PLAIN, said)

    async def test_tls_on_a_plain_port(self) -> None:
        port = port_of(await self.serve(None))
        peer = await self.heard(port, Context())
        self.assertEqual((peer.heard, peer.handshakes), (b"", 0))

    async def test_connections_that_are_reset(self) -> None:
        """Attack test 1, within the handshake: nothing is left of them, and no line is written for each."""
        port, tls = await self.tls()
        for _ in range(50):
            peer = PlainPeer(b"")
            peers = Peers(lambda: peer)  # noqa: B023
            await TCP4ClientEndpoint(self.net, LOOPBACK, port).connect(peers)
            transport: Any = peer.transport
            transport.abortConnection()
        await self.until(lambda: tls.refused[Reason.GONE] == 50 and not self.factory.connections)
        self.assertEqual(self.told(), [])
        self.assertServed(await self.heard(port, Context()))

    async def test_a_handshake_in_drops(self) -> None:
        """C-TLS-09, attack test 5: the deadline does not move, and nobody else has to wait."""
        service = await self.serve(self.settings())
        assert service.tls is not None
        tls, clock, hello = service.tls, Clock(), self.client_hello()
        port: Any = service
        port._waitingForPort.result.factory.clock = clock
        peer = await self.connect(port_of(service), None, b"")
        transport: Any = peer.transport
        await self.until(lambda: clock.calls)
        for octet in hello[: int(HANDSHAKE_SECONDS)]:
            self.assertFalse(peer.lost)
            transport.write(bytes([octet]))
            clock.advance(0.99)
        self.assertServed(await self.heard(port_of(service), Context()))
        clock.advance(0.2)
        await self.until(lambda: peer.lost)
        self.assertEqual(tls.refused[Reason.TIMEOUT], 1)
        self.assertIn("the handshake was not done in 10 s", self.told()[0])

    async def test_who_only_shakes_hands_makes_room(self) -> None:
        """Attack test 2: connections that have not shown yet what they want are the first to go."""
        self.factory.limits = replace(self.factory.limits, connections=1)
        port, tls = await self.tls()
        stalled = await self.connect(port, None, self.client_hello()[:50])
        await self.until(lambda: self.factory.connections)
        self.assertServed(await self.heard(port, Context()))
        await self.until(lambda: stalled.lost)
        self.assertEqual((self.factory.counters.shed, tls.handshakes), (1, 1))

    def client_hello(self) -> bytes:
        made = SSL.Connection(SSL.Context(SSL.TLS_METHOD), None)
        made.set_connect_state()
        with self.assertRaises(SSL.WantReadError):
            made.do_handshake()
        return made.bio_read(1 << 14)

    async def test_cut_handshakes(self) -> None:
        """Every length of a ClientHello, then silence or rubbish."""
        port, tls = await self.tls()
        hello = self.client_hello()
        for length in range(1, len(hello), 41):
            peer = await self.connect(port, None, hello[:length] + bytes(600))
            transport: Any = peer.transport
            await deferred(self.net)
            transport.loseConnection()
            await self.until(lambda: peer.lost)  # noqa: B023
        await self.until(lambda: not self.factory.connections)
        self.assertGreater(tls.refused.total(), 5)
        self.assertServed(await self.heard(port, Context()))

    async def test_an_end_without_close_notify(self) -> None:
        """C-TLS-10: who is cut off is told from who leaves."""
        port, _ = await self.tls()
        peer = await self.heard(port, Context(), QUERY + QUERY[:3])
        transport: Any = peer.transport
        transport.transport.loseConnection()
        await self.until(lambda: not self.factory.connections)
        lines = [str(event.get("text", "")) for event in self.events]
        self.assertIn("non-clean fashion", next(line for line in lines if line.startswith("connection lost")))

    async def test_rubbish_after_the_handshake(self) -> None:
        """It ends the connection, and is no handshake that failed."""
        port, tls = await self.tls()
        peer = await self.heard(port, Context())
        transport: Any = peer.transport
        transport.transport.write(bytes(64))
        await self.until(lambda: not self.factory.connections)
        self.assertEqual((tls.handshakes, dict(tls.refused), self.told()), (1, {}, []))


class RenewalTests(ServingCase):
    async def test_new_files_for_new_connections(self) -> None:
        """Sessions go on; attack test 47: files that cannot be used change nothing."""
        service = await self.serve(self.settings())
        tls, port = service.tls, port_of(service)
        assert tls is not None
        old = await self.heard(port, Context())
        later = self.authority.issue_oddly("cache.example.net", valid=(-DAY, 9 * DAY))
        for ours, theirs in zip(self.cache, later, strict=True):
            ours.unlink()
            write_key(ours, theirs.read_bytes())
        new = await self.heard(port, Context())
        self.assertEqual([serial(old) == serial(new), serial(new)], [False, later.parsed.serial_number])
        self.assertEqual(tls.not_after, later.parsed.not_valid_after_utc.timestamp())

        self.cache.key.write_bytes(self.authority.issue("x").key.read_bytes())
        self.assertEqual(serial(await self.heard(port, Context())), later.parsed.serial_number)
        tls.renew()
        self.assertEqual([f"{self.cache.key} is not the key of" in line for line in self.told()], [True, True])
        self.assertEqual((tls.failures, old.lost), (2, None))

    async def test_what_others_may_not_like(self) -> None:
        """C-TLS-06: our own certificate is used all the same, and the log says what is wrong with it."""
        for issued, said in (
            (self.authority.issue_oddly("cache.example.net", valid=(-2 * DAY, -DAY)), "our certificate expired at"),
            (self.authority.issue_oddly(LOOPBACK), "has no dNSName"),
            (self.authority.issue_oddly("*.example.net"), "has a wildcard, *.example.net"),
        ):
            self.events.clear()
            TlsListener(ServerTls(issued.certificate, issued.key), "tls:test")
            (line,) = self.told()
            self.assertIn(said, line)

    async def test_names_that_cannot_be_read(self) -> None:
        issued = self.authority.issue_oddly(unreadable=True)
        settings = ServerTls(issued.certificate, issued.key)
        self.assertIn("names in our certificate", str(self.assertRaises(BadFile, TlsListener, settings, "tls:test")))


def serial(peer: Peer) -> int:
    """Of the certificate that the server showed."""
    transport: Any = peer.transport
    number: int = transport.getPeerCertificate().get_serial_number()
    return number


async def deferred(net: Any) -> None:
    """Let the reactor turn a few times."""
    for _ in range(4):
        await deferLater(net, 0)


class LargeAnswerTests(ServingCase):
    """What is encrypted for one client is a piece at a time, however much there is and however slowly it reads."""

    def setUp(self) -> None:
        super().setUp()
        numbers = np.arange(400_000, dtype=np.uint32)
        keys = np.zeros((len(numbers), 10), np.uint8)
        keys[:, :4] = (numbers << 8).astype(">u4").view(np.uint8).reshape(-1, 4)
        keys[:, 4:6] = 24
        self.table.commit(Snapshot.of({VRP4: Records(keys.view("S10").ravel())}))

    async def test_a_client_that_does_not_read(self) -> None:
        port = port_of(await self.serve(self.settings()))
        peer = await self.connect(port, Context())
        await self.until(lambda: peer.handshakes)
        transport: Any = peer.transport
        transport.pauseProducing()
        (server,) = self.factory.connections
        await self.until(lambda: server.octets_out)
        sent, stood = -1, 0
        while stood < 10:  # nothing moves any more
            await deferLater(self.net, 0.01, lambda: None)
            stood = stood + 1 if server.octets_out == sent else 0
            sent = server.octets_out
        waiting = server.transport.transport
        self.assertLess(len(waiting.dataBuffer) + waiting._tempDataLen, 2 << 20)
        transport.resumeProducing()
        expected = 8 + 400_000 * 20 + 24
        await self.until(lambda: len(peer.heard) >= expected)
        self.assertEqual((len(peer.heard), peer.heard[-24:-22]), (expected, b"\x02\x07"))

    async def test_a_client_that_goes_in_the_middle(self) -> None:
        port = port_of(await self.serve(self.settings()))
        peer = await self.heard(port, Context())
        transport: Any = peer.transport
        transport.abortConnection()
        await self.until(lambda: not self.factory.connections)
        self.assertServed(await self.heard(port, Context()))
