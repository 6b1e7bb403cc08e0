from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from typing import Any

from rotonda.http.answers import Answer, Work, json_answer
from rotonda.http.errors import Refused
from rotonda.http.routing import Asked, Route
from rotonda.http.site import Api, ApiSite, api_site
from twisted.internet import reactor
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.protocol import Protocol, connectionDone
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase, TestCase
from twisted.web.client import ResponseFailed

from tests.http.clients import Client, fetch, listen, parsed

PIECES = [bytes([65 + n]) * 100_000 for n in range(20)]


def broken(asked: Asked) -> Answer:
    raise RuntimeError("secret")


def half() -> Iterator[bytes]:
    yield b"half"
    raise RuntimeError("secret")


ROUTES = [
    Route("GET", "/things", lambda asked: json_answer(dict(asked.parameters), "1"), ("colour", "size")),
    Route("GET", "/things/{name}", lambda asked: json_answer(dict(asked.path))),
    Route("POST", "/things", lambda asked: json_answer({"octets": len(asked.body), "type": asked.content_type})),
    Route("GET", "/broken", broken),
    Route("GET", "/long", lambda asked: Answer(iter(PIECES), "text/plain", "1")),
    Route("GET", "/wide", lambda asked: Answer(b"w" * 500_000, "text/plain")),
    Route("GET", "/half", lambda asked: Answer(half(), "text/plain")),
]


class AsideTests(SynchronousTestCase):
    """What takes long is done elsewhere; here it is done when the test says so."""

    def setUp(self) -> None:
        self.waiting: list[tuple[Callable[[], Answer], Deferred[Answer]]] = []
        self.site = api_site([Route("GET", "/{name}", self.handle)], self.aside)

    def handle(self, asked: Asked) -> Work:
        def find() -> Answer:
            if asked.path["name"] == "refused":
                raise Refused(409, "not now")
            return json_answer(asked.path["name"] or broken(asked))

        return Work(find)

    def aside(self, find: Callable[[], Answer]) -> Deferred[Answer]:
        later: Deferred[Answer] = Deferred()
        self.waiting.append((find, later))
        return later

    def work(self) -> None:
        find, later = self.waiting.pop(0)
        maybeDeferred(find).chainDeferred(later)

    def test_answers_come_when_they_are_found_and_few_at_a_time(self) -> None:
        clients = [Client(self.site) for _ in range(3)]
        for number, client in enumerate(clients):
            self.assertEqual(client.send(f"GET /{number} HTTP/1.1\r\nHost: x\r\n\r\n".encode()), b"")
        self.assertEqual(len(self.waiting), 2)
        for number, client in enumerate(clients):
            self.work()
            self.assertEqual(parsed(client.send(b"")).json, str(number))

    def test_refusals_and_faults_are_told_as_ever(self) -> None:
        for name, status in (("refused", 409), ("", 500)):
            client = Client(self.site)
            client.send(f"GET /{name} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            self.work()
            reply = parsed(client.send(b""))
            self.assertEqual(reply.status, status)
            self.assertNotIn("secret", str(reply.json))
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_who_has_gone_gets_nothing(self) -> None:
        client = Client(self.site)
        client.send(b"GET /1 HTTP/1.1\r\nHost: x\r\n\r\n")
        client.go()
        self.work()
        self.assertEqual(client.send(b""), b"")


class SiteTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.client = Client(api_site(ROUTES))

    def test_an_answer(self) -> None:
        reply = self.client.ask("/things?colour=r%C3%B6d&size=")
        self.assertEqual((reply.status, reply.json), (200, {"colour": "röd", "size": ""}))
        self.assertEqual(reply.headers["content-type"], "application/json")
        self.assertEqual(reply.headers["x-content-type-options"], "nosniff")
        self.assertEqual(self.client.ask("/things/a%2Fb").json, {"name": "a/b"})
        self.assertEqual(self.client.ask("/things/").status, 200)

    def test_every_refusal_has_one_shape(self) -> None:
        cases = {
            ("GET", "/thing"): (404, "there is nothing at '/thing'", "did you mean /things?"),
            ("GET", "/"): (404, "there is nothing at '/'", None),
            ("GET", "/things?color=red"): (400, "there is no parameter 'color' here", "did you mean colour?"),
            ("GET", "/things?colour=a&colour=b"): (400, "the parameter colour is given 2 times", "give it once"),
            ("GET", "/things?colour=%FF"): (400, "the parameter colour is not UTF-8", None),
            ("GET", "/%FF"): (400, "the path is not UTF-8", None),
            ("GET", "/things/x?a=b"): (400, "there is no parameter 'a' here", "there are none"),
            ("DELETE", "/things"): (405, "'DELETE' is not possible here", "use GET, HEAD, POST"),
            ("POST", "/long"): (405, "'POST' is not possible here", "use GET, HEAD"),
        }
        for (method, path), (status, what, hint) in cases.items():
            with self.subTest(path):
                reply = self.client.ask(path, method)
                error = reply.json["error"]
                self.assertEqual((reply.status, error["status"], error["what"]), (status, status, what))
                self.assertEqual(reply.headers["x-content-type-options"], "nosniff")
                if hint is not None:
                    self.assertEqual(error["hint"], hint)
        self.assertEqual(self.client.ask("/things", "PUT").headers["allow"], "GET, HEAD, POST")

    def test_control_characters_of_clients_stay_out_of_messages(self) -> None:
        error = self.client.ask("/%1b[31m%0a" + "x" * 5000).json["error"]
        self.assertNotIn("\x1b", error["what"])
        self.assertNotIn("\n", error["what"])
        self.assertLess(len(error["what"]), 200)

    def test_what_is_our_fault_is_logged_and_not_told(self) -> None:
        reply = self.client.ask("/broken")
        self.assertEqual(reply.status, 500)
        self.assertNotIn(b"secret", reply.body)
        self.assertNotIn(b"Traceback", reply.body)
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    def test_head_is_get_without_its_body(self) -> None:
        for path in ("/things", "/things?x=y", "/long"):
            with self.subTest(path):
                head = self.client.ask(path, "HEAD")
                self.assertEqual(head.body, b"")
        get, head = self.client.ask("/things"), self.client.ask("/things", "HEAD")
        self.assertEqual(head.headers["content-length"], get.headers["content-length"])
        self.assertEqual(head.headers["etag"], get.headers["etag"])

    def test_what_the_client_has_is_not_sent_again(self) -> None:
        tag = self.client.ask("/things").headers["etag"]
        for known in (tag, f'"x", {tag}', tag.removeprefix("W/"), "*"):
            with self.subTest(known):
                reply = self.client.ask("/things", If_None_Match=known)
                self.assertEqual((reply.status, reply.body), (304, b""))
                self.assertEqual(reply.headers["etag"], tag)
        self.assertEqual(self.client.ask("/things", If_None_Match='"x"').status, 200)
        self.assertEqual(self.client.ask("/things/x", If_None_Match="*").status, 200)

    def test_bodies_come_with_their_type(self) -> None:
        reply = self.client.ask("/things", "POST", b"12345", Content_Type="Text/CSV; charset=utf-8")
        self.assertEqual(reply.json, {"octets": 5, "type": "text/csv"})
        form = self.client.ask("/things", "POST", b"colour=red", Content_Type="application/x-www-form-urlencoded")
        self.assertEqual(form.json["octets"], 10)

    def test_long_enough_bodies_are_compressed_for_who_wants_it(self) -> None:
        name = "x" * 2000
        for wanted, expected in {
            "gzip": True,
            "br, GZIP;q=0.5": True,
            "*": True,
            "gzip;q=0": False,
            "gzip; q=0.000": False,
            "identity": False,
            "": False,
        }.items():
            with self.subTest(wanted):
                reply = self.client.ask(f"/things/{name}", Accept_Encoding=wanted)
                self.assertEqual("content-encoding" in reply.headers, expected)
                self.assertEqual(reply.json, {"name": name})
        self.assertNotIn("content-encoding", self.client.ask("/things", Accept_Encoding="gzip").headers)

    def test_who_reads_no_more_is_given_up(self) -> None:
        site = api_site(ROUTES)
        time = Clock()
        site.reactor = time
        client = Client(site)
        client.send(b"GET /long HTTP/1.1\r\nHost: x\r\n\r\n")
        time.advance(59)
        self.assertFalse(client.transport.disconnecting)
        time.advance(1)
        self.assertTrue(client.transport.disconnecting)
        client.go()

    def test_a_refusal_may_have_headers(self) -> None:
        def refuse(asked: Asked) -> Answer:
            raise Refused(503, "later", None, {"Retry-After": "5"})

        reply = Client(api_site([Route("GET", "/", refuse)])).ask("/")
        self.assertEqual((reply.status, reply.headers["retry-after"]), (503, "5"))
        self.assertEqual(reply.json, {"error": {"status": 503, "what": "later"}})


class Impatient(Protocol):
    """Asks for much, reads a little, and goes."""

    def __init__(self) -> None:
        self.gone: Deferred[None] = Deferred()

    def connectionMade(self) -> None:
        assert self.transport is not None
        self.transport.write(b"GET /long HTTP/1.1\r\nHost: x\r\n\r\n")

    def dataReceived(self, data: bytes) -> None:
        assert self.transport is not None
        self.transport.loseConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.gone.callback(None)


class LoopbackTests(TestCase):
    def setUp(self) -> None:
        self.site = api_site(ROUTES)

    async def test_long_answers_come_in_pieces(self) -> None:
        reply = await fetch(self.site, "/long")
        self.assertEqual(reply.body, b"".join(PIECES))
        self.assertNotIn("content-length", reply.headers)
        self.assertEqual((await fetch(self.site, "/wide")).body, b"w" * 500_000)

    async def test_and_compressed(self) -> None:
        for path, expected in (("/long", b"".join(PIECES)), ("/wide", b"w" * 500_000)):
            reply = await fetch(self.site, path, Accept_Encoding="gzip")
            self.assertEqual(reply.headers["content-encoding"], "gzip")
            self.assertEqual(gzip.decompress(reply.body), expected)

    async def test_an_answer_that_breaks_off_is_seen_to(self) -> None:
        with self.assertRaises(ResponseFailed):
            await fetch(self.site, "/half")
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)

    async def test_clients_may_go_at_any_time(self) -> None:
        port = listen(self.site)
        self.addCleanup(port.stopListening)
        endpoint = TCP4ClientEndpoint(reactor, "127.0.0.1", port.getHost().port)
        await (await connectProtocol(endpoint, Impatient())).gone
        self.assertEqual((await fetch(self.site, "/things?size=1")).json, {"size": "1"})

    async def test_small_answers_do_not_wait_for_acknowledgements(self) -> None:
        channels: list[Any] = []

        class Noting(ApiSite):
            def buildProtocol(self, address: object) -> Any:
                channels.append(super().buildProtocol(address))
                return channels[-1]

        self.site.__class__ = Noting
        route = Route("GET", "/", lambda asked: json_answer(channels[0].transport.getTcpNoDelay()))
        self.site.resource = Api([route])
        self.assertTrue((await fetch(self.site, "/")).json)
