"""Certificates, keys and lists of revoked certificates out of files.

Whatever is wrong with a file is said in one sentence that names it, as people made the file and will mend it. What was
made of files is made anew when they change; if that fails, what was stays in use.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Generic, TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from twisted.logger import Logger

from rotoro.net.files import look_at

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey
"""Keys that certificates of TLS have today."""

MAX_OCTETS = 16 << 20
"""No file here is longer, lists of revoked certificates included."""

OTHERS = stat.S_IRWXG | stat.S_IRWXO
"""What group and others may do with a file."""

T = TypeVar("T")


class BadFile(ValueError):
    """A file that TLS needs cannot be used; says which one, and why."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who one side is: its certificate, those that lead from it to an authority, and the key."""

    certificate: x509.Certificate
    chain: Sequence[x509.Certificate]
    key: Key

    @property
    def not_after(self) -> float:
        """When the certificate expires, in seconds since 1970."""
        return self.certificate.not_valid_after_utc.timestamp()

    def problem(self, now: datetime) -> str | None:
        """Why nobody may accept the certificate at this time, if that is so."""
        if now > self.certificate.not_valid_after_utc:
            return f"expired at {self.certificate.not_valid_after_utc:%Y-%m-%d %H:%M} UTC"
        if now < self.certificate.not_valid_before_utc:
            return f"is not valid before {self.certificate.not_valid_before_utc:%Y-%m-%d %H:%M} UTC"
        return None


def credentials(certificate: Path, key: Path) -> Credentials:
    """A certificate with its chain, and its key; BadFile if they are none, or do not belong together."""
    first, *rest = certificates(certificate)
    own = private_key(key)
    try:
        together = first.public_key() == own.public_key()
    except (ValueError, UnsupportedAlgorithm):
        raise BadFile(f"{certificate} is for a key of a kind that TLS does not use") from None
    if not together:
        raise BadFile(f"{key} is not the key of the certificate in {certificate}")
    return Credentials(first, rest, own)


def certificates(path: Path) -> list[x509.Certificate]:
    """One certificate or several, in PEM."""
    data = _read(path)
    try:
        return x509.load_pem_x509_certificates(data)
    except ValueError:
        raise BadFile(f"{path} has no certificate in PEM, or one that cannot be read") from None


def revocation_lists(path: Path) -> list[x509.CertificateRevocationList]:
    """One list of revoked certificates or several, in PEM, or one in DER, as authorities publish them."""
    data = _read(path)
    try:
        if b"-----BEGIN" not in data:
            return [x509.load_der_x509_crl(data)]
        mark = b"-----BEGIN X509 CRL-----"
        lists = [x509.load_pem_x509_crl(mark + each) for each in data.split(mark)[1:]]
    except ValueError:
        raise BadFile(f"{path} has a list of revoked certificates that cannot be read") from None
    if not lists:
        raise BadFile(f"{path} has no list of revoked certificates")
    return lists


def private_key(path: Path) -> Key:
    """A key in PEM that nobody but its owner may read, without a passphrase: a daemon has nobody to ask for it."""
    data = _read(path, "key")
    try:
        key = serialization.load_pem_private_key(data, None)
    except TypeError:
        raise BadFile(f"{path}: the key is encrypted; give it without a passphrase") from None
    except (ValueError, UnsupportedAlgorithm):
        raise BadFile(f"{path} has no private key in PEM, or one that cannot be read") from None
    if not isinstance(key, Key):
        raise BadFile(f"{path}: a key of a kind that TLS does not use; RSA, ECDSA and EdDSA are")
    return key


def secret(path: Path) -> str:
    """A password: the first line of a file that nobody but its owner may read. Raises BadFile."""
    lines = _read(path, "password").splitlines()
    try:
        password = lines[0].decode() if lines else ""
    except UnicodeDecodeError:
        raise BadFile(f"{path} has a password that is not UTF-8") from None
    if not password:
        raise BadFile(f"{path} has no password")
    return password


def _read(path: Path, secret: str = "") -> bytes:
    """The whole of a file; its rights are those of the very file that is read, so nobody can swap it in between."""
    try:
        with path.open("rb") as file:
            state = os.fstat(file.fileno())
            if not stat.S_ISREG(state.st_mode):
                raise BadFile(f"{path} is not a file")
            if secret and state.st_mode & OTHERS:
                mode = stat.S_IMODE(state.st_mode)
                raise BadFile(f"{path}: others than its owner may use the {secret} (mode {mode:04o}); chmod 600 it")
            data = file.read(MAX_OCTETS + 1)
    except OSError as wrong:
        raise BadFile(f"{path} cannot be read: {wrong.strerror}") from None
    if len(data) > MAX_OCTETS:
        raise BadFile(f"{path} has more than {MAX_OCTETS:,} octets")
    return data


class FromFiles(Generic[T]):
    """What is made of files, and made anew when they change. BadFile if it cannot be made the first time."""

    log = Logger()

    def __init__(self, what: str, paths: Iterable[Path | None], make: Callable[[], T]) -> None:
        self._what = what
        self._paths = tuple(path for path in paths if path is not None)
        self._make = make
        self._seen = look_at(self._paths)
        self.value = make()
        """What was made last."""
        self.failures = 0
        """How many changes of the files could not be used."""

    def current(self) -> T:
        """What the files say, or said when they last could be used."""
        if look_at(self._paths) != self._seen:
            self.renew()
        return self.value

    def renew(self) -> None:
        """Read the files again."""
        self._seen = look_at(self._paths)  # first: a change while they are read is noticed the next time
        try:
            self.value = self._make()
        except BadFile as bad:
            self.failures += 1
            self.log.error("{what}: {bad}; what was read before stays in use", what=self._what, bad=bad)
        except Exception:  # whoever has just connected is not to pay for what we have not thought of
            self.failures += 1
            self.log.failure("{what}: what was read before stays in use", what=self._what)
        else:
            self.log.info("{what}: certificates read again", what=self._what)


def utc_now() -> datetime:
    """The time by the wall clock: certificates are dated by it."""
    return datetime.now(UTC)
