"""Contexts of OpenSSL: what a side shows, whom it believes, and what it speaks, out of files (BCP 195).

Only TLS 1.2 and 1.3 with forward secrecy and authenticated encryption; no compression, no renegotiation, no resumption:
every connection shows its certificates, so that one that was revoked or that moved to another address is not let in by
a ticket.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from OpenSSL import SSL, crypto

from rotoro.net.endpoints import Clients, ClientTls, ServerTls
from rotoro.net.tls_errors import PeerRefused, Reason, TlsFailed, in_words
from rotoro.net.tls_files import BadFile, Credentials, certificates, credentials, revocation_lists
from rotoro.net.tls_names import server_identity

CIPHERS = b"ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL"
"""For TLS 1.2 what RFC 9325 section 4.2 recommends; all suites of TLS 1.3 are as good."""

Verify = Callable[[SSL.Connection, crypto.X509, int, int, int], bool]
"""Whether a certificate of a chain will do: asked with OpenSSL's error or 0, its depth, and whether all is well."""

_FLAGS = crypto.X509StoreFlags


@dataclass(frozen=True, slots=True)
class Made:
    """What is made of the files of one side."""

    context: SSL.Context
    own: Credentials | None


def check_files(settings: ServerTls | ClientTls, host: str) -> None:
    """Whether this could be used now; ValueError, saying why, if not."""
    if isinstance(settings, ServerTls):
        server_context(settings, (), _never)
    else:
        server_identity(settings.name or host)
        client_context(settings, (), _never)


def server_context(settings: ServerTls, protocols: Sequence[bytes], verify: Verify) -> Made:
    """How a listener speaks; BadFile, saying why, if its files cannot be used."""
    context = _context()
    own = credentials(settings.certificate, settings.key)
    _present(context, own, settings.certificate)
    if settings.clients is not Clients.OFF:
        assert settings.authority is not None  # or it would not have been parsed
        _trust(context, settings.authority, settings.revoked, ask=True)
        must = SSL.VERIFY_FAIL_IF_NO_PEER_CERT if settings.clients is Clients.REQUIRED else 0
        context.set_verify(SSL.VERIFY_PEER | must, verify)
    if protocols:
        context.set_alpn_select_callback(lambda _, offered: _selected(protocols, offered))
    return Made(context, own)


def client_context(settings: ClientTls, protocols: Sequence[bytes], verify: Verify) -> Made:
    """How a client speaks; BadFile, saying why, if its files cannot be used."""
    context, own = _context(), None
    if settings.certificate is not None and settings.key is not None:
        own = credentials(settings.certificate, settings.key)
        _present(context, own, settings.certificate)
    if settings.authority is not None:
        _trust(context, settings.authority, None)
    else:
        context.set_default_verify_paths()
    context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, verify)
    if protocols:
        context.set_alpn_protos(list(protocols))
    return Made(context, own)


def _context() -> SSL.Context:
    context = SSL.Context(SSL.TLS_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_options(SSL.OP_NO_COMPRESSION | SSL.OP_NO_RENEGOTIATION | SSL.OP_NO_TICKET)
    context.set_options(SSL.OP_CIPHER_SERVER_PREFERENCE)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_session_id(b"rotoro")  # without it OpenSSL ends the handshake of who tries to resume
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)  # thousands of routers are silent most of the time
    context.set_cipher_list(CIPHERS)
    return context


def _present(context: SSL.Context, own: Credentials, path: Path) -> None:
    try:
        context.use_certificate(own.certificate)
        for certificate in own.chain:
            context.add_extra_chain_cert(certificate)
        context.use_privatekey(own.key)
        context.check_privatekey()
    except SSL.Error as wrong:
        raise BadFile(f"{path} and its key cannot be used: {in_words(wrong)}") from None


def _trust(context: SSL.Context, authority: Path, revoked: Path | None, ask: bool = False) -> None:
    """Whom to believe; who is named is believed, be it a root or not."""
    store = context.get_cert_store()
    assert store is not None  # every context has one
    for certificate in certificates(authority):
        store.add_cert(crypto.X509.from_cryptography(certificate))
        if ask:
            context.add_client_ca(certificate)
    flags = _FLAGS.PARTIAL_CHAIN
    if revoked is not None:
        flags |= _FLAGS.CRL_CHECK | _FLAGS.CRL_CHECK_ALL
        for revocations in revocation_lists(revoked):
            store.add_crl(revocations)
    store.set_flags(flags)


def _never(*_: object) -> bool:
    return False


def _selected(protocols: Sequence[bytes], offered: Sequence[bytes]) -> bytes:
    for protocol in protocols:
        if protocol in offered:
            return protocol
    # What is raised here becomes the alert that RFC 7301 section 3.2 wants.
    shown = ", ".join(ascii(name[:40].decode("latin-1"))[1:-1] for name in offered[:4])
    raise TlsFailed(PeerRefused(Reason.ALPN, f"it wants to speak {shown}, which is not spoken here"))
