"""The PDUs of RPKI-to-Router: versions 0 (RFC 6810), 1 (RFC 8210) and 2 (draft-ietf-sidrops-8210bis-27).

Rotoro carries the data PDUs and the Error Report unchanged, with its own version octet.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from typing import ClassVar

from rotoro.wire.errors import AspaProviderListError, CorruptData
from rotoro.wire.fields import (
    Asn,
    ErrorCode,
    ErrorText,
    Expire,
    Flags,
    HeaderFlags,
    HeaderZero8,
    KeyId,
    KeyInfo,
    MaxLength,
    OffendingPdu,
    Prefix4,
    Prefix6,
    PrefixLength,
    Providers,
    Refresh,
    Retry,
    Serial,
    SessionId,
    Zero8,
)
from rotoro.wire.pdu import ROTORO, RTR_VERSIONS, Pdu, pdu

ANNOUNCE = 1
"""The flag that tells an announcement from a withdrawal; the other seven bits are ignored."""


@pdu(0, versions=RTR_VERSIONS)
class SerialNotify(Pdu):
    """The cache holds data newer than the router's (RFC 8210 section 5.2)."""

    session: SessionId
    serial: Serial


@pdu(1, versions=RTR_VERSIONS)
class SerialQuery(Pdu):
    """The router asks for all changes since its serial (RFC 8210 section 5.3)."""

    session: SessionId
    serial: Serial


@pdu(2, versions=RTR_VERSIONS)
class ResetQuery(Pdu):
    """The router asks for everything (RFC 8210 section 5.4)."""


@pdu(3, versions=RTR_VERSIONS)
class CacheResponse(Pdu):
    """The cache starts to answer a query; data follows (RFC 8210 section 5.5)."""

    session: SessionId


def _check_prefix(flagged: Ipv4Prefix | Ipv6Prefix, address: IPv4Address | IPv6Address) -> None:
    bits = address.max_prefixlen
    if not flagged.prefix_length <= flagged.max_length <= bits:
        raise CorruptData(f"prefix length {flagged.prefix_length} and maximum {flagged.max_length}, of {bits} bits")
    if int(address) & ((1 << (bits - flagged.prefix_length)) - 1):
        raise CorruptData(f"{address}/{flagged.prefix_length} has bits set behind its prefix length")


@pdu(4, versions=(*RTR_VERSIONS, ROTORO))
class Ipv4Prefix(Pdu):
    """One IPv4 prefix and the origin that may announce it (RFC 8210 section 5.6)."""

    flags: Flags
    prefix_length: PrefixLength
    max_length: MaxLength
    zero: ClassVar[Zero8]
    prefix: Prefix4
    asn: Asn

    def must_hold(self) -> None:
        """Lengths in order, no host bits (8210bis section 5.9)."""
        _check_prefix(self, self.prefix)


@pdu(6, versions=(*RTR_VERSIONS, ROTORO))
class Ipv6Prefix(Pdu):
    """One IPv6 prefix and the origin that may announce it (RFC 8210 section 5.7)."""

    flags: Flags
    prefix_length: PrefixLength
    max_length: MaxLength
    zero: ClassVar[Zero8]
    prefix: Prefix6
    asn: Asn

    def must_hold(self) -> None:
        """Lengths in order, no host bits (8210bis section 5.10)."""
        _check_prefix(self, self.prefix)


@pdu(7, versions=(0,))
class EndOfDataV0(Pdu):
    """All data up to this serial has been sent (RFC 6810 section 5.8)."""

    session: SessionId
    serial: Serial


@pdu(7, versions=(1, 2))
class EndOfData(Pdu):
    """All data up to this serial has been sent; here is when to ask again (RFC 8210 section 5.8)."""

    session: SessionId
    serial: Serial
    refresh: Refresh
    retry: Retry
    expire: Expire


@pdu(8, versions=RTR_VERSIONS)
class CacheReset(Pdu):
    """The cache cannot answer from that serial; the router must start over (RFC 8210 section 5.9)."""


@pdu(9, versions=(1, 2, ROTORO))
class RouterKey(Pdu):
    """One BGPsec router key (RFC 8210 section 5.10)."""

    flags: HeaderFlags
    header_zero: ClassVar[HeaderZero8]
    key_id: KeyId
    asn: Asn
    key_info: KeyInfo


@pdu(10, versions=(*RTR_VERSIONS, ROTORO))
class ErrorReport(Pdu):
    """The sender tells what went wrong (RFC 8210 section 5.11)."""

    code: ErrorCode
    offending: OffendingPdu
    text: ErrorText


@pdu(11, versions=(2, ROTORO))
class Aspa(Pdu):
    """All providers of one customer AS; replaces what was announced before (8210bis section 5.12)."""

    flags: HeaderFlags
    header_zero: ClassVar[HeaderZero8]
    customer: Asn
    providers: Providers

    def must_hold(self) -> None:
        """Announced with ascending providers, AS 0 only alone; withdrawn with none (8210bis section 5.12)."""
        if not self.flags & ANNOUNCE:
            self._must_be_bare()
            return
        if not self.providers:
            raise AspaProviderListError(f"AS{self.customer} announced without a provider")
        if any(a >= b for a, b in zip(self.providers, self.providers[1:], strict=False)):
            raise AspaProviderListError(f"the providers of AS{self.customer} are not in ascending order")
        if self.providers[0] == 0 and len(self.providers) > 1:
            raise AspaProviderListError(f"AS{self.customer} has AS 0 beside other providers")

    def _must_be_bare(self) -> None:
        # Where drafts up to 10 have a count, the customer's lower half stands now (rotoro/wire/lenient.py).
        if self.providers and self.customer & 0xFFFF == len(self.providers) - 1:
            raise CorruptData("an ASPA in the layout that drafts of 8210bis had up to 10")
        if self.providers:
            raise CorruptData(f"the withdrawal of AS{self.customer} names {len(self.providers)} providers")
