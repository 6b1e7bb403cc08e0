"""What can be wrong with what a peer sends; each error carries the code that answers it.

Codes 0 to 13 are RTR's (RFC 8210 section 12, draft-ietf-sidrops-8210bis-27 section 12), codes from 0x8000 are Rotoro's.
"""

from __future__ import annotations

from typing import ClassVar

SHOWN_OCTETS = 64
"""How much of an offending PDU is kept: enough to see what it was, little enough that an answer stays small."""


class ProtocolError(Exception):
    """The peer broke the protocol: what happened, and the octets that show it."""

    code: ClassVar[int]
    title: ClassVar[str]
    since: ClassVar[int] = 0
    """The first RTR version that has the code."""

    def __init__(self, message: str, offending: bytes | bytearray | memoryview = b"") -> None:
        super().__init__(message)
        self.offending = bytes(offending[:SHOWN_OCTETS])


class CorruptData(ProtocolError):
    """The octets do not form the PDU that they claim to be."""

    code, title = 0, "Corrupt Data"


class InternalError(ProtocolError):
    """Something failed on our side; the peer is not to blame."""

    code, title = 1, "Internal Error"


class NoDataAvailable(ProtocolError):
    """There is nothing to answer a query with yet; the session goes on."""

    code, title = 2, "No Data Available"


class InvalidRequest(ProtocolError):
    """A known PDU where it has no place."""

    code, title = 3, "Invalid Request"


class UnsupportedVersion(ProtocolError):
    """The peer speaks a version that we do not."""

    code, title = 4, "Unsupported Protocol Version"


class UnsupportedPdu(ProtocolError):
    """The peer sent a PDU type that its version does not have."""

    code, title = 5, "Unsupported PDU Type"


class UnknownWithdrawal(ProtocolError):
    """A record was withdrawn that was never announced."""

    code, title = 6, "Withdrawal of Unknown Record"


class DuplicateAnnouncement(ProtocolError):
    """A record was announced that is there already."""

    code, title = 7, "Duplicate Announcement Received"


class UnexpectedVersion(ProtocolError):
    """A PDU of another version than the session's."""

    code, title, since = 8, "Unexpected Protocol Version", 1


class AspaProviderListError(ProtocolError):
    """An ASPA whose providers are none, unsorted, repeated, or AS 0 beside others."""

    code, title, since = 9, "ASPA Provider List Error", 2


class TransportFailed(ProtocolError):
    """The peer has stopped taking octets, or sending what it has begun."""

    code, title, since = 10, "Transport Failed", 2


class OrderingError(ProtocolError):
    """The records of a version 2 response came in the wrong order."""

    code, title, since = 11, "Ordering Error", 2


class CacheRestart(ProtocolError):
    """The cache goes away for a moment; its data stays good until it expires."""

    code, title, since = 12, "Cache Restart", 2


class CacheShutdown(ProtocolError):
    """The cache goes away for good; its data must be dropped."""

    code, title, since = 13, "Cache Shutdown", 2


class NotAuthorised(ProtocolError):
    """The peer may not ask for this."""

    code, title, since = 0x8000, "Not Authorised", 0x80


class DigestMismatch(ProtocolError):
    """After a commit the two sides hold different tables."""

    code, title, since = 0x8001, "Digest Mismatch", 0x80


class UnknownTable(ProtocolError):
    """A table, or a record type, that the catalogue does not have."""

    code, title, since = 0x8002, "Unknown Table", 0x80


class LimitExceeded(ProtocolError):
    """More than the receiver is prepared to take."""

    code, title, since = 0x8003, "Limit Exceeded", 0x80


class BadTypeDefinition(ProtocolError):
    """A record type that cannot be, or that contradicts an earlier definition."""

    code, title, since = 0x8004, "Bad Type Definition", 0x80


class BadConfiguration(ProtocolError):
    """Configuration text that was refused."""

    code, title, since = 0x8005, "Bad Configuration", 0x80


ERRORS: dict[int, type[ProtocolError]] = {error.code: error for error in ProtocolError.__subclasses__()}
"""Every error by its code."""

NOT_FATAL = frozenset({NoDataAvailable.code, CacheRestart.code})
"""Codes after which a router keeps what it has (8210bis section 12), as it does after 4 during negotiation."""

_OLDER = {
    UnexpectedVersion.code: InvalidRequest.code,
    AspaProviderListError.code: CorruptData.code,
    TransportFailed.code: InternalError.code,
    OrderingError.code: InvalidRequest.code,
}


def code_in(version: int, code: int) -> int:
    """The nearest code that a protocol version has: older ones lack the newer codes (8210bis section 12).

    >>> code_in(2, 8), code_in(0, 8), code_in(1, 9)
    (8, 3, 0)
    """
    error = ERRORS.get(code)
    return code if error is None or error.since <= version else _OLDER.get(code, InternalError.code)
