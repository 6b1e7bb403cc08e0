from __future__ import annotations

import json
from typing import cast

from rotonda.http.answers import json_answer
from rotonda.http.channel import MOST_OCTETS
from rotonda.http.routing import Route
from rotonda.http.site import api_site
from twisted.logger import ILogObserver, LogEvent, globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from tests.http.clients import Client

ROUTES = [Route("POST", "/things", lambda asked: json_answer({"octets": len(asked.body)}))]


class ChannelTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.client = Client(api_site(ROUTES))
        self.lines: list[str] = []
        observer = cast(ILogObserver, self.note)
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)

    def note(self, event: LogEvent) -> None:
        if event.get("log_namespace") == "rotonda.http.channel":
            self.lines.append("{client} {method} {uri}: {status} {what}".format_map(event))

    def test_a_body_may_be_as_long_as_the_limit(self) -> None:
        self.assertEqual(self.client.ask("/things", "POST", bytes(MOST_OCTETS)).json["octets"], MOST_OCTETS)

    def test_a_body_that_is_too_long_is_refused_before_it_is_there(self) -> None:
        head = b"POST /things HTTP/1.1\r\nHost: x\r\n"
        chunk = b"100000\r\n" + bytes(1 << 20) + b"\r\n"
        for octets in (
            head + b"Content-Length: 99999999999\r\n\r\n" + bytes(1000),
            head + b"Transfer-Encoding: chunked\r\n\r\n" + chunk * 65,
        ):
            client = Client(api_site(ROUTES))
            reply = client.send(octets)
            self.assertTrue(reply.startswith(b"HTTP/1.1 413 "), reply[:100])
            self.assertEqual(json.loads(reply.partition(b"\r\n\r\n")[2])["error"]["status"], 413)
            self.assertTrue(client.transport.disconnecting)
            self.assertEqual(client.send(bytes(1000)), b"")

    def test_what_is_no_request_is_refused_in_the_same_shape(self) -> None:
        for octets in (
            b"nonsense\r\n\r\n",
            b"GET / HTTP/1.1\r\nno header\r\n\r\n",
            b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
            b"GET / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            b"POST /things HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nnonsense\r\n",
            b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\n\r\n",
            b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 5000 + b"\r\n",
            b"\x16\x03\x01" + b"\0" * 20_000,
        ):
            with self.subTest(octets[:40]):
                client = Client(api_site(ROUTES))
                head, _, body = client.send(octets).partition(b"\r\n\r\n")
                self.assertTrue(head.startswith(b"HTTP/1.1 400 Bad Request"), head)
                self.assertEqual(json.loads(body)["error"]["status"], 400)
                self.assertTrue(client.transport.disconnecting)

    def test_each_refusal_is_one_line_of_the_log(self) -> None:
        self.client.ask("/nothing")
        self.client.ask("/things", "POST", b"")
        self.client.send(b"nonsense\r\n\r\n")
        self.assertEqual(len(self.lines), 2)
        self.assertEqual(self.lines[0], "192.168.1.1 GET /nothing: 404 there is nothing at '/nothing'")
