"""Who the other side of a TLS connection is, by the names in its certificate, and why it is refused.

Only names of the subjectAltName extension count; the common name never does (RFC 8210 section 9.2). A wildcard stands
for nobody: certificates of caches should have none, and one that names a whole domain does not name a cache.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

from cryptography import x509
from service_identity import CertificateError, VerificationError
from service_identity.cryptography import extract_patterns
from service_identity.hazmat import DNS_ID, DNSPattern, IPAddress_ID, ServiceID, verify_service_identity

from rotoro.net.tls_errors import PeerRefused, Reason

Address = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class Names:
    """Names of a certificate, or names that are allowed."""

    addresses: frozenset[Address] = frozenset()
    hosts: frozenset[str] = frozenset()

    @classmethod
    def allowed(cls, names: Iterable[str]) -> Names:
        """Names as people write them: addresses and names of hosts.

        >>> Names.allowed(["192.0.2.1", "Router.example.net."])
        Names(addresses=frozenset({IPv4Address('192.0.2.1')}), hosts=frozenset({'router.example.net'}))
        """
        addresses, hosts = set(), set()
        for name in names:
            try:
                addresses.add(plain_address(name))
            except ValueError:
                hosts.add(_lower(name))
        return cls(frozenset(addresses), frozenset(hosts))

    @classmethod
    def of(cls, certificate: x509.Certificate) -> Names:
        """The names that a certificate is for; PeerRefused if it cannot be read."""
        try:
            found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except x509.ExtensionNotFound:
            return cls()
        except Exception as wrong:  # an authority may sign what no decoder takes
            raise PeerRefused(Reason.CERTIFICATE, f"its certificate cannot be read: {wrong}") from None
        addresses = found.get_values_for_type(x509.IPAddress)
        plain = frozenset(_unmapped(each) for each in addresses if isinstance(each, IPv4Address | IPv6Address))
        return cls(plain, frozenset(map(_lower, found.get_values_for_type(x509.DNSName))))

    def __bool__(self) -> bool:
        return bool(self.addresses or self.hosts)

    def __str__(self) -> str:
        """For people, in ASCII, and no more than one reads."""
        shown = [*sorted(self.hosts), *sorted(map(str, self.addresses))] or ["nobody"]
        return ", ".join(ascii(name)[1:-1][:80] for name in shown[:4]) + (", ..." if len(shown) > 4 else "")


def check_client(certificate: x509.Certificate, host: str, allowed: Names) -> None:
    """Whether a client may connect from this address; PeerRefused if not.

    Either the certificate is for that address (RFC 8210 section 9.2), or one of its names is among those allowed.
    """
    names, address = Names.of(certificate), plain_address(host)
    if address in names.addresses or names.addresses & allowed.addresses or names.hosts & allowed.hosts:
        return
    listed = ", and none of its names is on the list" if allowed else ""
    raise PeerRefused(Reason.NAME, f"its certificate is for {names}, not for the address {address}{listed}")


def check_server(certificate: x509.Certificate, identity: ServiceID) -> None:
    """Whether this is the server that we want to connect to; PeerRefused if not."""
    names = Names.of(certificate)
    try:
        patterns = extract_patterns(certificate)
        exact = [found for found in patterns if not (isinstance(found, DNSPattern) and b"*" in found.pattern)]
        verify_service_identity(exact, [identity], [])
    except (VerificationError, CertificateError):
        wanted = identity.hostname.decode() if isinstance(identity, DNS_ID) else str(getattr(identity, "ip", identity))
        note = "" if names else " (the common name does not count)"
        note = " (wildcards do not count)" if any("*" in host for host in names.hosts) else note
        raise PeerRefused(Reason.NAME, f"its certificate is for {names}{note}, not for {wanted}") from None


def server_identity(name: str) -> ServiceID:
    """What a server of that name must have in its certificate; ValueError if no certificate can name it.

    >>> server_identity("2001:db8::1"), server_identity("Cache.example.net")
    (IPAddress_ID(ip=IPv6Address('2001:db8::1')), DNS_ID(hostname=b'cache.example.net'))
    """
    try:
        return IPAddress_ID(str(plain_address(name)))
    except ValueError:
        pass
    try:
        return DNS_ID(name.removesuffix("."))
    except (ValueError, UnicodeError):
        raise ValueError(f"{name!r} is no name that a certificate can have") from None


def plain_address(host: str) -> Address:
    """An address without what only this machine means by it: its scope, or IPv6's way to write IPv4.

    >>> plain_address("::ffff:192.0.2.1"), plain_address("fe80::1%eth0")
    (IPv4Address('192.0.2.1'), IPv6Address('fe80::1'))
    """
    return _unmapped(ip_address(host.partition("%")[0]))


def _unmapped(address: Address) -> Address:
    return getattr(address, "ipv4_mapped", None) or address


def _lower(name: str) -> str:
    return name.lower().removesuffix(".")
