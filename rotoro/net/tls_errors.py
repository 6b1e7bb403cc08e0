"""Why there is no TLS connection: a word to count by, and a sentence for people.

OpenSSL says it in its own words, or by number; here is what they mean to who runs a cache or a router.
"""

from __future__ import annotations

import re
from enum import Enum

from OpenSSL import SSL


class Reason(Enum):
    """The words that are counted by."""

    PLAIN = "plain"
    VERSION = "version"
    CIPHER = "cipher"
    ALPN = "alpn"
    TIMEOUT = "timeout"
    GONE = "gone"
    NO_CERTIFICATE = "no-certificate"
    AUTHORITY = "authority"
    EXPIRED = "expired"
    NOT_YET_VALID = "not-yet-valid"
    PURPOSE = "purpose"
    REVOKED = "revoked"
    REVOCATION_UNKNOWN = "revocation-unknown"
    NAME = "name"
    CERTIFICATE = "certificate"
    REFUSES_US = "refuses-us"
    OTHER = "other"


class PeerRefused(Exception):
    """The other side is not who it must be, or does not speak as it must; says why."""

    def __init__(self, reason: Reason, why: str) -> None:
        super().__init__(why)
        self.reason = reason


class TlsFailed(SSL.Error):
    """The same as an error of OpenSSL's, for those who expect one; it reads as the sentence."""

    def __init__(self, why: PeerRefused) -> None:
        super().__init__([("tls", "", str(why))])
        self.why = why

    def __str__(self) -> str:
        return str(self.why)


_CODES = SSL.X509VerificationCodes

_CERTIFICATES = {
    _CODES.ERR_CERT_NOT_YET_VALID: (Reason.NOT_YET_VALID, "its certificate is not valid yet"),
    _CODES.ERR_CERT_HAS_EXPIRED: (Reason.EXPIRED, "its certificate has expired"),
    _CODES.ERR_DEPTH_ZERO_SELF_SIGNED_CERT: (Reason.AUTHORITY, "its certificate is self-signed"),
    _CODES.ERR_SELF_SIGNED_CERT_IN_CHAIN: (Reason.AUTHORITY, "its certificate is by an authority that is not ours"),
    _CODES.ERR_UNABLE_TO_GET_ISSUER_CERT: (Reason.AUTHORITY, "its certificate is by an authority that is not ours"),
    _CODES.ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY: (
        Reason.AUTHORITY,
        "its certificate is by an authority that is not ours, or lacks what leads to it",
    ),
    _CODES.ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE: (Reason.AUTHORITY, "its certificate is by an unknown authority"),
    _CODES.ERR_CERT_SIGNATURE_FAILURE: (Reason.AUTHORITY, "its certificate has a signature that does not hold"),
    _CODES.ERR_INVALID_CA: (Reason.AUTHORITY, "its certificate is by one that may not sign certificates"),
    _CODES.ERR_INVALID_PURPOSE: (Reason.PURPOSE, "its certificate is for another purpose (extended key usage)"),
    _CODES.ERR_CERT_REVOKED: (Reason.REVOKED, "its certificate is revoked"),
    _CODES.ERR_UNABLE_TO_GET_CRL: (
        Reason.REVOCATION_UNKNOWN,
        "its authority has no list in the file of revoked certificates",
    ),
    _CODES.ERR_CRL_HAS_EXPIRED: (
        Reason.REVOCATION_UNKNOWN,
        "our list of revoked certificates is out of date: renew the file",
    ),
    _CODES.ERR_CRL_NOT_YET_VALID: (Reason.REVOCATION_UNKNOWN, "our list of revoked certificates is not valid yet"),
    _CODES.ERR_CRL_SIGNATURE_FAILURE: (
        Reason.REVOCATION_UNKNOWN,
        "our list of revoked certificates has a signature that does not hold",
    ),
}
"""By OpenSSL's numbers for what is wrong with a certificate."""

_WORDS = (
    (r"unexpected eof", Reason.GONE, "it went away"),
    (r"alert protocol version", Reason.VERSION, "it refuses our versions of TLS, 1.2 and 1.3"),
    (r"alert handshake failure", Reason.REFUSES_US, "it refuses: we have no cipher or certificate that it wants"),
    (r"alert no application protocol", Reason.ALPN, "it refuses what we want to speak"),
    (r"alert close notify|shutdown while in init", Reason.GONE, "it went away"),
    (r"alert certificate required", Reason.REFUSES_US, "it wants a certificate from us"),
    (r"alert (?:number )?(.+)", Reason.REFUSES_US, r"it refuses us: \1"),
    (r"unsupported protocol|version too low|wrong version|unsupported versions?", Reason.VERSION,
     "it speaks no version of TLS that is spoken here, 1.2 or 1.3"),
    (r"no shared cipher|no suitable|no ciphers", Reason.CIPHER, "it has no cipher that is used here"),
    (r"peer did not return a certificate", Reason.NO_CERTIFICATE, "it shows no certificate"),
    (r"http request|https proxy request", Reason.PLAIN, "it does not speak TLS"),
)  # fmt: skip
"""By words of OpenSSL's; the first that fits."""


def certificate_error(number: int) -> PeerRefused:
    """What a number of OpenSSL's says of a certificate."""
    return PeerRefused(*_CERTIFICATES.get(number, (Reason.CERTIFICATE, f"its certificate is bad: OpenSSL {number}")))


def in_words(error: BaseException) -> PeerRefused:
    """What an error of OpenSSL's says.

    >>> in_words(SSL.Error([("SSL routines", "", "tlsv1 alert unknown ca")])).args
    ('it refuses us: unknown ca',)
    """
    said = _reason(error)
    for words, reason, meaning in _WORDS:
        found = re.search(words, said, re.IGNORECASE)
        if found:
            return PeerRefused(reason, found.expand(meaning))
    return PeerRefused(Reason.OTHER, said)


def _reason(error: BaseException) -> str:
    """The words for one of OpenSSL's errors: the last of its queue, as each names what the one before led to."""
    if isinstance(error, SSL.SysCallError):
        return str(error.args[-1])
    queue = error.args[0] if error.args else ()
    if not queue:
        return "unexpected eof"
    return "; ".join(dict.fromkeys(each[-1] for each in queue)) if isinstance(queue, list) else str(error)
