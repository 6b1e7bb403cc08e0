from __future__ import annotations

import gzip
from collections.abc import Callable, Generator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rotonda.units.export_source import CannotFetch, Fetched
from rotonda.units.web_fetch import MAX_REDIRECTS, WebFetch
from twisted.internet import reactor
from twisted.internet._sslverify import IOpenSSLTrustRoot
from twisted.internet.defer import ensureDeferred, inlineCallbacks
from twisted.trial.unittest import TestCase
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request, Site
from zope.interface import implementer

from rotoro.net.endpoints import ServerTls
from rotoro.net.tls import TlsListener
from tests.net.certificates import Authority

BODY = b'{"roas":[]}' * 50
Answer = Callable[[Request], Any]


def coded(code: int, body: bytes = b"") -> Answer:
    """An answer with another status."""

    def answer(request: Request) -> bytes:
        request.setResponseCode(code)
        return body

    return answer


def redirected(target: bytes) -> Answer:
    """An answer that leads elsewhere, and there the body."""

    def answer(request: Request) -> bytes:
        if request.path == b"/there":
            return BODY
        request.redirect(target)
        return b""

    return answer


def encoded(encoding: bytes) -> Answer:
    """A compressed body, called so."""

    def answer(request: Request) -> bytes:
        request.setHeader(b"content-encoding", encoding)
        return gzip.compress(BODY)

    return answer


@implementer(IOpenSSLTrustRoot)
class Trust:
    """Only this authority."""

    def __init__(self, authority: Path) -> None:
        self._authority = authority

    def _addCACertsToContext(self, context: Any) -> None:
        context.load_verify_locations(str(self._authority))


class Page(Resource):
    """One page that answers as the test wants, and keeps what it was asked."""

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.answer: Answer = lambda request: BODY
        self.asked: list[Request] = []

    def render_GET(self, request: Request) -> Any:
        self.asked.append(request)
        return self.answer(request)


class WebFetchTests(TestCase):
    timeout = 30

    def setUp(self) -> None:
        self.page = Page()
        self.net: Any = reactor
        site: Any = Site(self.page)
        port: Any = self.net.listenTCP(0, site, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        self.url = f"http://127.0.0.1:{port.getHost().port}/vrps.json"
        self.fetch = WebFetch(self.net, self.url, max_octets=100_000)

    @inlineCallbacks
    def test_https(self) -> Generator[Any, Any, None]:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        authority = Authority(Path(folder.name))
        issued = authority.issue("localhost")
        site = TlsListener(ServerTls(issued.certificate, issued.key), "web").wrap(Site(self.page), self.net)
        port: Any = self.net.listenTCP(0, site, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        url = f"https://localhost:{port.getHost().port}/vrps.json"
        trust = Trust(authority.certificate)
        fetched: Fetched = yield self.get(WebFetch(self.net, url, trust=trust))
        self.assertEqual(fetched.octets, BODY)
        for address, whom in ((url, None), (url.replace("localhost", "127.0.0.1"), trust)):
            yield self.assertFailure(self.get(WebFetch(self.net, address, trust=whom)), CannotFetch)
        self.page.answer = redirected(self.url.encode())
        wrong = yield self.assertFailure(self.get(WebFetch(self.net, url, trust=trust)), CannotFetch)
        self.assertIn("where it must not lead", str(wrong))

    def get(self, fetch: WebFetch | None = None) -> Any:
        return ensureDeferred((fetch or self.fetch).fetch())

    @inlineCallbacks
    def refused(self, why: str, fetch: WebFetch | None = None) -> Generator[Any, Any, None]:
        wrong = yield self.assertFailure(self.get(fetch), CannotFetch)
        self.assertIn(why, str(wrong))
        self.assertIn("http://127.0.0.1", str(wrong))

    @inlineCallbacks
    def test_what_has_not_changed_is_not_sent_again(self) -> Generator[Any, Any, None]:
        def answer(request: Request) -> bytes:
            request.setETag(b'"one"')
            request.setHeader(b"last-modified", b"Wed, 01 Jan 2025 00:00:00 GMT")
            return b"" if request.getHeader("if-none-match") == '"one"' else BODY

        self.page.answer = answer
        first: Fetched = yield self.get()
        self.assertEqual((first.octets, first.modified), (BODY, 1735689600.0))
        # not accepted yet: if it was of no use, all of it must come again
        again: Fetched = yield self.get()
        self.assertEqual(again.octets, BODY)
        again.accepted()
        unchanged = yield self.get()
        self.assertIsNone(unchanged)
        self.assertEqual(self.page.asked[-1].getHeader("if-modified-since"), "Wed, 01 Jan 2025 00:00:00 GMT")

    @inlineCallbacks
    def test_compressed(self) -> Generator[Any, Any, None]:
        for encoding in (b"gzip", b"identity"):  # on the way, or as it lies there
            self.page.answer = encoded(encoding)
            fetched: Fetched = yield self.get()
            self.assertEqual(fetched.octets, BODY)

    @inlineCallbacks
    def test_too_much(self) -> Generator[Any, Any, None]:
        self.page.answer = lambda request: bytes(100_001)
        yield self.refused("100,001 octets, where 100,000 are the most")
        self.page.answer = lambda request: gzip.compress(bytes(10_000_000))
        yield self.refused("longer than 100,000 octets")
        self.page.answer = lambda request: gzip.compress(bytes(50_000))  # far smaller than a hundredth
        yield self.refused("longer than")

        def endless(request: Request) -> int:
            def more() -> None:
                if not request._disconnected:
                    request.write(bytes(10_000))
                    self.net.callLater(0, more)

            more()
            return NOT_DONE_YET

        self.page.answer = endless
        yield self.refused("more than 100,000 octets")

    @inlineCallbacks
    def test_too_slow(self) -> Generator[Any, Any, None]:
        def drip(request: Request) -> int:
            request.write(b"{")
            return NOT_DONE_YET

        self.page.answer = drip
        yield self.refused("not complete in 0.2 s", WebFetch(self.net, self.url, max_seconds=0.2))
        self.page.answer = lambda request: NOT_DONE_YET
        yield self.refused("not complete in 0.2 s", WebFetch(self.net, self.url, max_seconds=0.2))

    @inlineCallbacks
    def test_cut(self) -> Generator[Any, Any, None]:
        def cut(request: Request) -> int:
            request.setHeader(b"content-length", b"100")
            request.write(BODY[:50])
            channel: Any = request.channel
            channel.transport.loseConnection()
            return NOT_DONE_YET

        self.page.answer = cut
        yield self.refused("the answer ended after 50 octets")
        self.page.answer = lambda request: gzip.compress(BODY)[:-4]
        yield self.refused("no end")

    @inlineCallbacks
    def test_redirects(self) -> Generator[Any, Any, None]:
        self.page.answer = redirected(b"/again")
        yield self.refused(f"more than {MAX_REDIRECTS} redirects")
        self.assertEqual(len(self.page.asked), MAX_REDIRECTS + 1)
        self.page.answer = redirected(b"file:///etc/passwd")
        yield self.refused("where it must not lead")
        for nowhere in (b"http://[", b"http://\xff/", b"http://a b/", b"http://127.0.0.1:x/", b"/\xc3\xbc"):
            self.page.answer = redirected(nowhere)
            yield self.refused("")
        self.page.answer = redirected(b"there")
        fetched: Fetched = yield self.get()
        self.assertEqual(fetched.octets, BODY)

    @inlineCallbacks
    def test_other_answers(self) -> Generator[Any, Any, None]:
        self.page.answer = coded(503, BODY)
        yield self.refused("answered 503 Service Unavailable")
        self.page.answer = coded(304)
        yield self.refused("answered 304")
        yield self.refused("refused", WebFetch(self.net, "http://127.0.0.1:1/"))
