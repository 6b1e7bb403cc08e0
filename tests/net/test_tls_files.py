from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import trustme
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dsa, x448
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from rotoro.net import tls_files
from rotoro.net.tls_files import BadFile, FromFiles, certificates, credentials, private_key, revocation_lists
from tests.net.certificates import DAY, Authority, write_key


class FilesCase(SynchronousTestCase):
    def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.authority = Authority(self.folder)

    def write(self, octets: bytes, name: str = "file") -> Path:
        path = self.folder / name
        path.unlink(missing_ok=True)
        write_key(path, octets)
        return path


class CredentialsTests(FilesCase):
    def test_as_issued(self) -> None:
        issued = self.authority.issue("cache.example.net")
        own = credentials(issued.certificate, issued.key)
        self.assertEqual(own.certificate, issued.parsed)
        self.assertIsNone(own.problem(datetime.now(UTC)))
        self.assertEqual(own.not_after, issued.parsed.not_valid_after_utc.timestamp())

    def test_when_it_is_valid(self) -> None:
        for valid, said in (((-2 * DAY, -DAY), "expired at"), ((DAY, 2 * DAY), "is not valid before")):
            own = credentials(*self.authority.issue_oddly("x", valid=valid))
            self.assertIn(said, str(own.problem(datetime.now(UTC))))

    def test_keys_of_other_certificates(self) -> None:
        one, other = self.authority.issue("one.example.net"), self.authority.issue("other.example.net")
        error = self.assertRaises(BadFile, credentials, one.certificate, other.key)
        self.assertEqual(str(error), f"{other.key} is not the key of the certificate in {one.certificate}")

    def test_keys_that_others_may_use(self) -> None:
        """Attack test 45."""
        key = self.authority.issue("x").key
        for mode in (0o644, 0o640, 0o660, 0o604, 0o606):
            key.chmod(mode)
            self.assertIn(f"(mode {mode:04o}); chmod 600", str(self.assertRaises(BadFile, private_key, key)))
        key.chmod(0o400)
        private_key(key)

    def test_what_is_no_key(self) -> None:
        key = trustme.CA().issue_cert("x").private_key_pem.bytes()
        parsed = serialization.load_pem_private_key(key, None)
        pem, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
        encrypted = parsed.private_bytes(pem, form, serialization.BestAvailableEncryption(b"secret"))
        foreign = x448.X448PrivateKey.generate().private_bytes(pem, form, serialization.NoEncryption())
        old = dsa.generate_private_key(2048).private_bytes(pem, form, serialization.NoEncryption())
        for octets, said in (
            (b"", "has no private key in PEM"),
            (key[:100], "has no private key in PEM"),
            (encrypted, "the key is encrypted"),
            (foreign, "a key of a kind that TLS does not use"),
            (old, "a key of a kind that TLS does not use"),
        ):
            with self.subTest(said=said):
                self.assertIn(said, str(self.assertRaises(BadFile, private_key, self.write(octets))))

    def test_what_cannot_be_read(self) -> None:
        self.patch(tls_files, "MAX_OCTETS", 10)
        for path, said in (
            (self.folder / "nothing", "cannot be read: No such file"),
            (self.folder, "cannot be read: Is a directory"),
            (self.write(b"x" * 11, "long"), "more than 10 octets"),
            (self.write(b"x"), "has no certificate in PEM"),
        ):
            with self.subTest(said=said):
                error = str(self.assertRaises(BadFile, certificates, path))
                self.assertIn(said, error)
                self.assertIn(str(path), error)


class RevocationTests(FilesCase):
    def test_one_or_several(self) -> None:
        issued = self.authority.issue("x")
        path = self.authority.revoke(issued)
        other = Authority(self.folder, "other").revoke()
        (one,) = revocation_lists(path)
        self.assertIsNotNone(one.get_revoked_certificate_by_serial_number(issued.parsed.serial_number))
        self.assertEqual(len(revocation_lists(self.write(path.read_bytes() + other.read_bytes()))), 2)
        der = one.public_bytes(serialization.Encoding.DER)
        self.assertEqual(revocation_lists(self.write(der)), [one])

    def test_what_is_none(self) -> None:
        for octets, said in (
            (b"", "that cannot be read"),
            (b"-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n", "that cannot be read"),
            (self.authority.certificate.read_bytes(), "has no list"),
        ):
            self.assertIn(said, str(self.assertRaises(BadFile, revocation_lists, self.write(octets))))


class FromFilesTests(FilesCase):
    def test_they_are_read_again_when_they_change(self) -> None:
        path = self.write(b"1")
        made: FromFiles[int] = FromFiles("test", (path, None), lambda: self._number(path))
        self.assertEqual(made.current(), 1)
        self.write(b"22")
        self.assertEqual(made.current(), 22)

    def test_what_was_stays_when_they_cannot_be_used(self) -> None:
        """Attack test 47; and it is said once, not whenever somebody connects."""
        path = self.write(b"1")
        made: FromFiles[int] = FromFiles("test", (path,), lambda: self._number(path))
        with capturedLogs() as events:
            self.write(b"nonsense")
            self.assertEqual([made.current() for _ in range(3)], [1, 1, 1])
            path.unlink()
            self.assertEqual(made.current(), 1)
            self.write(b"2")
            self.assertEqual(made.current(), 2)
        told = [formatEvent(event) for event in events]
        self.assertEqual(told[0], "test: not a number; what was read before stays in use")
        self.assertEqual((len(told), told[2]), (3, "test: certificates read again"))
        self.assertEqual(made.failures, 2)

    def test_not_even_our_own_mistakes_cost_what_was(self) -> None:
        path = self.write(b"1")
        made: FromFiles[float] = FromFiles("test", (path,), lambda: 1 / self._number(path))
        self.write(b"00")
        self.assertEqual((made.current(), made.failures), (1, 1))
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)

    def test_the_first_time_it_has_to_be_possible(self) -> None:
        path = self.write(b"nonsense")
        self.assertRaises(BadFile, FromFiles, "test", (path,), lambda: self._number(path))

    def _number(self, path: Path) -> int:
        try:
            return int(path.read_bytes())
        except (ValueError, OSError):
            raise BadFile("not a number") from None
