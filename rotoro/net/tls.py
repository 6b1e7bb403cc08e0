"""TLS around sessions, server and client (RFC 8210 section 9.2).

Nothing is ever said in plain instead. Whoever is refused is refused within the handshake, told in one line of the log
and counted by its reason.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from cryptography import x509
from OpenSSL import SSL, crypto
from twisted.internet.interfaces import (
    IDelayedCall,
    IHandshakeListener,
    IOpenSSLClientConnectionCreator,
    IOpenSSLServerConnectionCreator,
    IProtocolNegotiationFactory,
    IReactorTime,
)
from twisted.internet.protocol import connectionDone
from twisted.logger import Logger
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from twisted.python.failure import Failure
from zope.interface import implementer

from rotoro.net.endpoints import ClientTls, ServerTls, address_text
from rotoro.net.limits import Quiet, source
from rotoro.net.tls_contexts import Made, client_context, server_context
from rotoro.net.tls_errors import PeerRefused, Reason, TlsFailed, certificate_error, in_words
from rotoro.net.tls_files import BadFile, Credentials, FromFiles, utc_now
from rotoro.net.tls_names import Names, check_client, check_server, server_identity

HANDSHAKE_SECONDS = 10.0
"""How long a handshake may take from the connection on, however its octets drip in."""

FIRST_RECORDS = (0x16, 0x15)
"""What TLS begins with: a handshake, or an alert that there will be none."""

RECORD = 1 << 14
"""How many octets of ours one record of TLS holds (RFC 8446 section 5.1)."""

SEND_LIMIT = 1 << 20
"""Octets that Twisted offers to the kernel at once: a piece as it is encrypted, where its own 128 KiB would copy it."""

_CODES = SSL.X509VerificationCodes


class Side:
    """What all connections of one listener, or to one server, have in common."""

    log = Logger()
    awaits_words = False
    """Whether it is worth a line that somebody went away who had said nothing."""

    def __init__(self, what: str, paths: Sequence[Path | None], made: Callable[[], Made]) -> None:
        self.what = what
        self.handshakes = 0
        """Handshakes that succeeded."""
        self.refused: Counter[Reason] = Counter()
        """Those that did not."""
        self._files: FromFiles[Made] = FromFiles(what, paths, lambda: self._warned(made()))

    @property
    def not_after(self) -> float | None:
        """When our certificate expires, in seconds since 1970; None if there is none."""
        own = self._files.value.own
        return None if own is None else own.not_after

    @property
    def failures(self) -> int:
        """How many changes of the files could not be used."""
        return self._files.failures

    def renew(self) -> None:
        """Read all files again; connections that there are go on."""
        self._files.renew()

    def connection(self) -> SSL.Connection:
        """A connection by what the files say now."""
        return SSL.Connection(self._files.current().context, None)

    def check(self, certificate: x509.Certificate, host: str) -> None:
        """Whether the other side, whose certificate an authority vouches for, may be who it is; PeerRefused if not."""
        raise NotImplementedError

    def tell(self, peer: str, why: PeerRefused, more: str) -> None:
        """A handshake failed, and `more` of late that were not told."""
        self.log.warn("{peer}: refused by {what}: {why}{more}", peer=peer, what=self.what, why=why, more=more)

    def problems(self, own: Credentials) -> list[str]:
        """What others may not like about our certificate."""
        problem = own.problem(utc_now())
        return [] if problem is None else [problem]

    def _warned(self, made: Made) -> Made:
        for problem in self.problems(made.own) if made.own is not None else ():
            self.log.warn("{what}: our certificate {problem}", what=self.what, problem=problem)
        return made


@implementer(IOpenSSLServerConnectionCreator)
class TlsListener(Side):
    """The TLS of one listener. BadFile, saying why, if its files cannot be used."""

    def __init__(self, settings: ServerTls, what: str, protocols: Sequence[bytes] = ()) -> None:
        self._allowed = Names.allowed(settings.identities)
        files = (settings.certificate, settings.key, settings.authority, settings.revoked)
        super().__init__(what, files, lambda: server_context(settings, protocols, _verified))

    def serverConnectionForTLS(self, protocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        """What Twisted asks for."""
        return self.connection()

    def check(self, certificate: x509.Certificate, host: str) -> None:
        """A client must be who connects from that address, or be on the list."""
        check_client(certificate, host, self._allowed)

    def problems(self, own: Credentials) -> list[str]:
        """Routers look for names of hosts, which should be without wildcards (RFC 8210 section 9.2)."""
        try:
            hosts = Names.of(own.certificate).hosts
        except PeerRefused:
            raise BadFile("the names in our certificate cannot be read") from None
        more = [] if hosts else ["has no dNSName, by which routers know a cache"]
        more += [f"has a wildcard, {host}" for host in sorted(hosts) if "*" in host]
        return super().problems(own) + more

    def wrap(self, factory: Any, clock: IReactorTime, seconds: float = HANDSHAKE_SECONDS) -> TlsFactory:
        """A factory for connections that speak TLS; the given one makes what is spoken within."""
        return TlsFactory(self, False, factory, clock, seconds)


@implementer(IOpenSSLClientConnectionCreator)
class TlsClient(Side):
    """The TLS of one server to connect to. BadFile or ValueError, saying why, if that cannot be."""

    awaits_words = True

    def __init__(
        self,
        settings: ClientTls,
        what: str,
        host: str,
        protocols: Sequence[bytes] = (),
        told: Callable[[str], object] | None = None,
    ) -> None:
        name = settings.name or host
        self._identity, self._told = server_identity(name), told
        self._server_name = getattr(self._identity, "hostname", None)
        super().__init__(
            what,
            (settings.authority, settings.certificate, settings.key),
            lambda: client_context(settings, protocols, _verified),
        )

    def clientConnectionForTLS(self, protocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        """What Twisted asks for."""
        made = self.connection()
        if self._server_name is not None:
            made.set_tlsext_host_name(self._server_name)
        return made

    def check(self, certificate: x509.Certificate, host: str) -> None:
        """A server must have the name that we know it by."""
        check_server(certificate, self._identity)

    def tell(self, peer: str, why: PeerRefused, more: str) -> None:
        """A handshake failed: so there is no connection."""
        if self._told is None:
            super().tell(peer, why, more)
        else:
            self._told(f"no TLS with {peer}: {why}")

    def wrap(self, factory: Any, clock: IReactorTime, seconds: float = HANDSHAKE_SECONDS) -> TlsFactory:
        """A factory for connections that speak TLS; the given one makes what is spoken within."""
        return TlsFactory(self, True, factory, clock, seconds)


def protocols_of(factory: Any) -> Sequence[bytes]:
    """What a factory's connections can speak, by their names of ALPN."""
    return factory.acceptableProtocols() if IProtocolNegotiationFactory.providedBy(factory) else ()


class TlsTransport(TLSMemoryBIOProtocol):
    """One connection: what is spoken within begins when the handshake is done (`IHandshakeListener`)."""

    factory: TlsFactory

    def makeConnection(self, transport: Any) -> None:
        """A connection is up; the handshake is next."""
        self.side = self.factory.side
        self.peer = address_text(transport.getPeer())
        self.host: str = getattr(transport.getPeer(), "host", "")
        self._heard = False
        self._told: PeerRefused | None = None
        seconds = self.factory.seconds
        self._deadline: IDelayedCall | None = self.factory.clock.callLater(seconds, self._late, seconds)
        transport.SEND_LIMIT = SEND_LIMIT
        super().makeConnection(transport)

    def dataReceived(self, octets: bytes) -> None:
        """Octets, cut anywhere."""
        if not self._heard:
            self._heard = True
            if octets[0] not in FIRST_RECORDS:
                self._tlsShutdownFinished(Failure(TlsFailed(_no_tls(octets))))
        if self._told is None:
            super().dataReceived(octets)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is gone."""
        self._in_time()
        super().connectionLost(reason)

    def _write(self, octets: bytes) -> None:
        """Encrypt and send: record by record, so that OpenSSL's buffer stays as small as one, but handed on at once."""
        if len(octets) <= RECORD or self._lostTLSConnection:
            super()._write(octets)
            return
        transport: Any = self.transport
        connection, view, sent, records = self._tlsConnection, memoryview(octets), 0, []
        try:
            while sent < len(view):
                sent += connection.send(view[sent : sent + RECORD])
                records.append(connection.bio_read(2 * RECORD))
        except SSL.Error:
            transport.writeSequence(records)
            super()._write(octets[sent:])  # which knows what each error means
        else:
            transport.writeSequence(records)

    def refuse(self, why: PeerRefused) -> None:
        """The handshake is going to fail for this reason, which is better than the one that OpenSSL will give."""
        if self._told is None:
            self._told = why
            self._reason = Failure(TlsFailed(why))
            self._count(why)

    def _checkHandshakeStatus(self) -> None:
        super()._checkHandshakeStatus()
        if self._handshakeDone and self._deadline is not None:
            self._in_time()
            self.side.handshakes += 1
            self._introduce()
            if not IHandshakeListener.providedBy(self.wrappedProtocol):
                # `ClientService` wraps protocols in what passes on the call, but not the interface.
                getattr(self.wrappedProtocol, "handshakeCompleted", lambda: None)()

    def _tlsShutdownFinished(self, reason: Failure | None) -> None:
        """Twisted's one place for all that ends TLS; None if the other side ended it in good order."""
        failed = self._failed(reason.value) if reason is not None else None
        if failed is not None:
            self.refuse(failed)
        super()._tlsShutdownFinished(reason)

    def _failed(self, error: BaseException | None) -> PeerRefused | None:
        """Why TLS failed; None if only the connection was lost, which is for who speaks within to say."""
        if isinstance(error, TlsFailed):
            return error.why
        why = in_words(error) if error is not None else PeerRefused(Reason.GONE, "it went away")
        return None if self._handshakeDone and why.reason is Reason.GONE else why

    def _introduce(self) -> None:
        """Say in the log who it is, where that is known for certain."""
        certificate: x509.Certificate | None = self._tlsConnection.get_peer_certificate(as_cryptography=True)
        if certificate is None:
            return
        more = self.factory.worth(self.host, None)
        if more is not None:
            version, names = self._tlsConnection.get_protocol_version_name(), Names.of(certificate)
            said = "{peer}: {version} with a certificate for {names}{more}"
            self.side.log.info(said, peer=self.peer, version=version, names=names, more=more)

    def _late(self, seconds: float) -> None:
        self._deadline = None
        self.refuse(PeerRefused(Reason.TIMEOUT, f"the handshake was not done in {seconds:.0f} s"))
        self.abortConnection()

    def _in_time(self) -> None:
        if self._deadline is not None and self._deadline.active():
            self._deadline.cancel()
        self._deadline = None

    def _count(self, why: PeerRefused) -> None:
        if self._handshakeDone and why.reason is not Reason.REFUSES_US:
            return  # it is a connection that fails now; but in TLS 1.3 servers refuse clients behind the handshake
        self.side.refused[why.reason] += 1
        if self._heard or self.side.awaits_words or why.reason is not Reason.GONE:
            more = self.factory.worth(self.host, why.reason)
            if more is not None:
                self.side.tell(self.peer, why, more)


class TlsFactory(TLSMemoryBIOFactory):
    """Connections of a listener, or to a server, that speak TLS."""

    protocol = TlsTransport

    def __init__(self, side: Any, is_client: bool, factory: Any, clock: IReactorTime, seconds: float) -> None:
        super().__init__(side, is_client, factory, clock)
        self.side: Side = side
        self.clock, self.seconds = clock, seconds
        self._quiet: Quiet | None = getattr(factory, "quiet", None)

    def worth(self, host: str, reason: Reason | None) -> str | None:
        """Whether a line is worth its place in the log: what to add to it, or None."""
        return "" if self._quiet is None else self._quiet.worth((source(host), reason), self.clock.seconds())


def _no_tls(octets: bytes) -> PeerRefused:
    shown = octets[:8].hex(" ")
    if len(octets) >= 4 and (octets[0] <= 2 or octets[0] == 0x80):
        return PeerRefused(Reason.PLAIN, f"it speaks RTR or Rotoro without TLS (first octets {shown})")
    return PeerRefused(Reason.PLAIN, f"it does not speak TLS (first octets {shown})")


def _verified(connection: SSL.Connection, certificate: crypto.X509, error: int, depth: int, fine: int) -> bool:
    """What OpenSSL asks, for each certificate of a chain; an exception would get lost in it."""
    transport: TlsTransport = connection.get_app_data()
    try:
        if error == _CODES.ERR_UNABLE_TO_GET_CRL and depth > 0:
            return True  # lists of those that sign lists are not always to be had; the leaf's must be
        if not fine:
            raise certificate_error(error)  # noqa: TRY301
        if depth == 0:
            transport.side.check(certificate.to_cryptography(), transport.host)
    except PeerRefused as refused:
        transport.refuse(refused)
        return False
    except Exception as bug:
        Side.log.failure("while a certificate is checked")
        transport.refuse(PeerRefused(Reason.CERTIFICATE, f"its certificate cannot be checked: {type(bug).__name__}"))
        return False
    return True
