"""Our connector with an export on the web, and what it tells of that to people and to Prometheus."""

from __future__ import annotations

import json
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client.parser import text_string_to_metric_families

from interop import cases
from interop.peers import ours, probe
from interop.peers.processes import LOOPBACK, free_ports
from interop.vrps import RpkiData, generate


class Quiet(SimpleHTTPRequestHandler):
    """A server of files, which answers 304 to who has the file already."""

    answers: list[int] = []

    def log_message(self, format: str, *words: object) -> None:
        """Nothing."""

    def send_response(self, code: int, message: str | None = None) -> None:
        self.answers.append(code)
        super().send_response(code, message)


class WebSourceTests(cases.MeetingCase):
    def setUp(self) -> None:
        super().setUp()
        Quiet.answers = []
        self.server = ThreadingHTTPServer((LOOPBACK, 0), partial(Quiet, directory=str(self.folder)))
        thread = threading.Thread(target=self.server.serve_forever)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)
        self.port, self.http = free_ports(2)
        url = f"http://{LOOPBACK}:{self.server.server_port}/{self.file.name}"
        words = ["--vrps", url, "--fetch-seconds", "1", "--http", f"{LOOPBACK}:{self.http}"]
        self.connector = self.keep(ours.start_connector(self.folder, self.port, options=words))

    def served(self, expected: RpkiData) -> RpkiData:
        return probe.fetch_when(self.connector, self.port, 2, expected.vrp_count).data

    def figures(self) -> dict[str, float]:
        page = ours.get(self.http, "/metrics").decode()
        families = text_string_to_metric_families(page)
        return {sample.name: sample.value for family in families for sample in family.samples}

    def test_it_is_fetched_when_it_has_changed(self) -> None:
        self.assertTold(self.data, self.served(self.data))
        self.connector.expect(lambda: 304 in Quiet.answers or None, "it asks whether anything has changed")
        self.assertEqual(Quiet.answers.count(200), 1)
        more = generate(self.data.vrp_count + 500, seed=7, router_keys=3, aspas=5)
        self.write(more)
        self.assertTold(more, self.served(more))
        self.file.write_text('{"roas": [')
        self.connector.expect(lambda: self.links()[0]["state"] == "stale" or None, "the source is stale")
        self.assertTold(more, self.served(more))
        self.write(self.data)
        self.connector.expect(lambda: self.links()[0]["state"] == "current" or None, "the source is current")
        self.assertTold(self.data, self.served(self.data))

    def test_what_it_tells(self) -> None:
        self.served(self.data)
        self.assertEqual(json.loads(ours.get(self.http, "/readyz")), {"ready": True})
        figures = self.figures()
        self.assertEqual(figures["rotonda_ready"], 1)
        self.assertGreaterEqual(figures["rotonda_server_queries_total"], 1)
        self.assertGreater(figures["rotonda_server_sent_bytes_total"], 20 * self.data.vrp_count)
        self.assertEqual(json.loads(ours.get(self.http, "/api/v1/clients"))["serial"], figures["rtr_serial"])

    def write(self, data: RpkiData) -> None:
        """Put a whole file in the place of the other, as those do who mean well."""
        new = self.folder / "new.json"
        data.write_routinator(new)
        new.replace(self.file)

    def links(self) -> list[dict[str, object]]:
        found: list[dict[str, object]] = ours.status(self.http)["links"]
        return found
