from __future__ import annotations

from OpenSSL import SSL
from twisted.trial.unittest import SynchronousTestCase

from rotoro.net.tls_errors import PeerRefused, Reason, TlsFailed, certificate_error, in_words


class WordsTests(SynchronousTestCase):
    def test_what_openssl_says(self) -> None:
        for said, reason, words in (
            ("unexpected eof while reading", Reason.GONE, "it went away"),
            ("unsupported protocol", Reason.VERSION, "no version of TLS that is spoken here"),
            ("wrong version number", Reason.VERSION, "no version of TLS that is spoken here"),
            ("tlsv1 alert protocol version", Reason.VERSION, "refuses our versions"),
            ("no shared cipher", Reason.CIPHER, "no cipher that is used here"),
            ("peer did not return a certificate", Reason.NO_CERTIFICATE, "it shows no certificate"),
            ("tlsv13 alert certificate required", Reason.REFUSES_US, "it wants a certificate from us"),
            ("tlsv1 alert unknown ca", Reason.REFUSES_US, "it refuses us: unknown ca"),
            ("ssl/tls alert bad certificate", Reason.REFUSES_US, "it refuses us: bad certificate"),
            ("ssl/tls alert handshake failure", Reason.REFUSES_US, "no cipher or certificate that it wants"),
            ("tlsv1 alert no application protocol", Reason.ALPN, "it refuses what we want to speak"),
            ("something new", Reason.OTHER, "something new"),
        ):
            with self.subTest(said=said):
                found = in_words(SSL.Error([("SSL routines", "", said)]))
                self.assertIs(found.reason, reason)
                self.assertIn(words, str(found))

    def test_what_it_says_otherwise(self) -> None:
        """The end of a connection has three forms, and a queue may have several words."""
        for error in (SSL.SysCallError(-1, "Unexpected EOF"), SSL.Error([]), SSL.Error()):
            self.assertIs(in_words(error).reason, Reason.GONE)
        several = SSL.Error([("lib", "", "bad thing"), ("lib", "", "worse thing"), ("lib", "", "bad thing")])
        self.assertEqual(str(in_words(several)), "bad thing; worse thing")

    def test_certificates(self) -> None:
        self.assertIs(certificate_error(SSL.X509VerificationCodes.ERR_CERT_REVOKED).reason, Reason.REVOKED)
        unknown = certificate_error(9999)
        self.assertEqual((unknown.reason, str(unknown)), (Reason.CERTIFICATE, "its certificate is bad: OpenSSL 9999"))

    def test_for_those_who_expect_an_error_of_openssl(self) -> None:
        failed = TlsFailed(PeerRefused(Reason.NAME, "it is somebody else"))
        self.assertEqual((str(failed), in_words(failed).reason), ("it is somebody else", Reason.OTHER))
