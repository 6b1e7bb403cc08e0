"""`rotonda explain`: asks the instances of a file, the western ones first, and puts their answers together."""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import parse_qs, urlsplit

from rotonda.http.errors import Refused
from twisted.trial.unittest import SynchronousTestCase

from tests.cli.runs import Ran, rotonda

FILE = """
unit archive: MrtConnector with config {{ files: ["table.mrt"] }};
unit rib-in: PhysicalRib with config {{ }};
unit rib-loc: PhysicalRib with config {{ }};
instance core: Daemon with config {{
    {core}
    west: {{ address: 127.0.0.1:8282 }},
    graph: [ Rib(west.rib-in) -> Rib(rib-loc) ]
}};
instance west: Daemon with config {{ {west} listen: 127.0.0.1:8282, graph: [ Connector(archive) -> Rib(rib-in) ] }};
"""


class _Instance(ThreadingHTTPServer):
    """Answers as an instance does, and remembers what it was asked."""

    def __init__(self, name: str) -> None:
        super().__init__(("127.0.0.1", 0), _Answering)
        self.name = name
        self.asked: list[dict[str, list[str]]] = []
        self.refusal: bytes | None = None
        Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    @property
    def setting(self) -> str:
        """Where it answers, as the file says it."""
        return f"http: 127.0.0.1:{self.server_port},"

    def end(self) -> None:
        """Answer no more."""
        self.shutdown()
        self.server_close()


class _Answering(BaseHTTPRequestHandler):
    server: _Instance

    def do_GET(self) -> None:
        """Answer one question."""
        address = urlsplit(self.path)
        asked = parse_qs(address.query)
        self.server.asked.append({"path": [address.path], **asked})
        body = self.server.refusal
        self.send_response(200 if body is None else 400)
        self.end_headers()
        if body is None and asked["format"] == ["json"]:
            body = json.dumps({"routes": [{"unit": f"unit of {self.server.name}"}]}).encode()
        self.wfile.write(body if body is not None else f"words of {self.server.name}".encode())

    def log_message(self, format: str, *words: object) -> None:
        """Say nothing."""


class ExplainTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.west, self.core = _Instance("west"), _Instance("core")
        for instance in (self.west, self.core):
            self.addCleanup(instance.end)

    def explain(self, *words: str, core: str | None = None, west: str | None = None) -> Ran:
        path = Path(self.mktemp())
        settings = {
            "core": self.core.setting if core is None else core,
            "west": self.west.setting if west is None else west,
        }
        path.write_text(FILE.format(**settings), encoding="utf-8")
        return rotonda("explain", str(path), "192.0.2.0/24", *words)

    def test_the_western_instance_speaks_first(self) -> None:
        ran = self.explain()
        self.assertEqual(ran.status, 0, ran.err)
        self.assertEqual(ran.out, "--- west ---\nwords of west\n--- core ---\nwords of core\n")

    def test_the_question_is_passed_on(self) -> None:
        self.explain("--peer", "192.0.2.7", "--unit", "rib-loc")
        wanted = {
            "path": ["/api/v1/explain"],
            "prefix": ["192.0.2.0/24"],
            "peer": ["192.0.2.7"],
            "unit": ["rib-loc"],
            "format": ["text"],
        }
        self.assertEqual(self.core.asked, [wanted])

    def test_json_is_one_list(self) -> None:
        ran = self.explain("--json")
        wanted = [{"instance": name, "unit": f"unit of {name}"} for name in ("west", "core")]
        self.assertEqual(json.loads(ran.out), wanted)

    def test_who_does_not_answer_is_told_and_the_others_are_asked(self) -> None:
        ran = self.explain(west="http: 127.0.0.1:1,")
        self.assertEqual((ran.status, ran.out), (1, "--- core ---\nwords of core\n"))
        self.assertIn("rotonda: west: http://127.0.0.1:1/", ran.err)

    def test_what_an_instance_refuses_is_told_in_its_words(self) -> None:
        self.west.refusal = Refused(400, "prefix: that is none", "write 192.0.2.0/24\x1b").body
        ran = self.explain()
        self.assertEqual(ran.status, 1)
        self.assertIn("rotonda: west: prefix: that is none; write 192.0.2.0/24<U+001B>", ran.err)

    def test_a_refusal_without_words(self) -> None:
        self.west.refusal = b"<html>"
        self.assertIn("rotonda: west: it answers 400", self.explain().err)

    def test_a_file_whose_instances_answer_nowhere(self) -> None:
        ran = self.explain(core="", west="")
        self.assertEqual((ran.status, ran.out), (2, ""))
        self.assertIn("http: 127.0.0.1:8080", ran.err)

    def test_a_file_with_mistakes(self) -> None:
        self.assertEqual(self.explain(core="htp: 1,").status, 2)
