"""Authorities and certificates for tests, good ones by trustme and those that nobody would issue by hand."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, NameOID, ObjectIdentifier

DAY = timedelta(days=1)
CLIENT, SERVER = ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH


class Issued(NamedTuple):
    """A certificate, with what leads to its authority, and its key."""

    certificate: Path
    key: Path

    @property
    def parsed(self) -> x509.Certificate:
        return x509.load_pem_x509_certificates(self.certificate.read_bytes())[0]


class Authority:
    """Signs certificates into files of a folder."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        self._folder, self._name = folder, name
        self._authority = trustme.CA(organization_name=name)
        self._count = 0
        self.certificate = folder / f"{name}.pem"
        self._authority.cert_pem.write_to_path(str(self.certificate))

    def child(self, name: str) -> Authority:
        """An authority below this one; certificates by it lead up to this one."""
        below = Authority.__new__(Authority)
        below._folder, below._name, below._count = self._folder, name, 0
        below._authority = self._authority.create_child_ca()
        below.certificate = self._folder / f"{name}.pem"
        below._authority.cert_pem.write_to_path(str(below.certificate))
        return below

    def issue(self, *names: str) -> Issued:
        """As authorities do it: for hosts and addresses, server and client."""
        made = self._authority.issue_cert(*names)
        chain = b"".join(each.bytes() for each in made.cert_chain_pems)
        return self._write(chain, made.private_key_pem.bytes())

    def issue_oddly(
        self,
        *names: str,
        common_name: str = "test",
        usages: Sequence[ObjectIdentifier] = (CLIENT, SERVER),
        valid: tuple[timedelta, timedelta] = (-DAY, DAY),
        self_signed: bool = False,
        unreadable: bool = False,
    ) -> Issued:
        """As nobody should: without names or with what is none, for other purposes, at other times (from now)."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
        now = datetime.now(UTC)
        made = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject if self_signed else self._parsed.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + valid[0])
            .not_valid_after(now + valid[1])
            .add_extension(x509.ExtendedKeyUsage(list(usages)), critical=False)
        )
        if names:
            made = made.add_extension(x509.SubjectAlternativeName([_general(name) for name in names]), critical=False)
        if unreadable:
            rubbish = x509.UnrecognizedExtension(ExtensionOID.SUBJECT_ALTERNATIVE_NAME, b"rubbish")
            made = made.add_extension(rubbish, critical=False)
        signed = made.sign(key if self_signed else self._key, hashes.SHA256())
        form = serialization.PrivateFormat.PKCS8
        plain = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
        return self._write(signed.public_bytes(serialization.Encoding.PEM), plain)

    def revoke(self, *issued: Issued, valid: tuple[timedelta, timedelta] = (-DAY, DAY)) -> Path:
        """A list of those that are revoked."""
        now = datetime.now(UTC)
        made = x509.CertificateRevocationListBuilder().issuer_name(self._parsed.subject)
        made = made.last_update(now + valid[0]).next_update(now + valid[1])
        for each in issued:
            entry = x509.RevokedCertificateBuilder().serial_number(each.parsed.serial_number)
            made = made.add_revoked_certificate(entry.revocation_date(now - DAY).build())
        path = self._folder / f"{self._name}.crl"
        path.write_bytes(made.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        return path

    @property
    def _parsed(self) -> x509.Certificate:
        return x509.load_pem_x509_certificate(self._authority.cert_pem.bytes())

    @property
    def _key(self) -> ec.EllipticCurvePrivateKey:
        key = serialization.load_pem_private_key(self._authority.private_key_pem.bytes(), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)  # trustme's are
        return key

    def _write(self, certificate: bytes, key: bytes) -> Issued:
        self._count += 1
        made = Issued(*(self._folder / f"{self._name}-{self._count}.{kind}" for kind in ("pem", "key")))
        made.certificate.write_bytes(certificate)
        write_key(made.key, key)
        return made


def write_key(path: Path, octets: bytes) -> None:
    """For its owner's eyes only."""
    path.touch(mode=0o600)
    path.write_bytes(octets)


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)
