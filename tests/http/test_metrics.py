"""What Prometheus is told, read back by its own parsers."""

from __future__ import annotations

import re
from collections.abc import Generator
from typing import Any

from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as plain
from rotonda.http.connector_api import connector_site
from rotonda.http.metrics import MAX_CLIENTS
from rotonda.views.served import Client as ShownClient
from rotonda.views.served import Listener, Served
from rotonda.views.shown import Link
from twisted.internet.defer import ensureDeferred, inlineCallbacks
from twisted.trial.unittest import SynchronousTestCase, TestCase

from rotoro.table import VRP4, History, Records, Snapshot
from tests.http.clients import NOW, Client, Reply, clock, fetch

OPENMETRICS = "application/openmetrics-text; version=1.0.0"


def client(number: int, **more: Any) -> ShownClient:
    return ShownClient(
        peer=f'192.0.2.{number % 256}:{number}"\\\n',  # nobody has such a name, and nobody may break the page with one
        protocol="rtr 2",
        state="ready",
        since=NOW - 5,
        octets_in=8,
        octets_out=100 + number,
        pdus_in=1,
        queries=1,
        errors_sent=0,
        errors_received=0,
        **more,
    )


class Shown:
    """A connector without insides."""

    name, version, started = "rotonda-connector", "1.2.3", NOW - 10

    def __init__(self) -> None:
        self.history = History(1, 7)
        self.history.commit(Snapshot.of({VRP4: Records.of(VRP4, [b"\xc0\x00\x02\x00\x18\x18\x00\x00\xfb\xf0"])}))
        self.clients = [client(1, session=5, serial=6, lag=1), client(2)]

    @property
    def tables(self) -> dict[str, History]:
        return {"rpki": self.history}

    def links(self) -> list[Link]:
        up = Link(name="a", peer="a", state="current", version=2, serial=3, age=4.0, expires_in=6.0, in_use=True)
        return [up, Link(name="b", peer="b", state="connecting", last_error="refused\n")]

    def missing(self) -> list[str]:
        return []

    def served(self) -> Served:
        secure = Listener(name="tls:[::1]:324", handshakes=3, refused={"expired": 2}, certificate_ends=NOW + 1)
        return Served(
            serial=7,
            accepted=9,
            refused={"too many connections": 1},
            shed=0,
            delayed=0,
            pauses=0,
            late={"header": 2},
            octets_in=1,
            octets_out=2,
            pdus_in=3,
            queries=4,
            errors_sent={0: 1},
            errors_received={},
            listeners=[Listener(name="127.0.0.1:323"), secure],
            clients=self.clients,
        )


Values = dict[tuple[str, tuple[str, ...]], float]


def values_of(text: str) -> Values:
    """Figures by name and the values of the labels, which come in the order of their names."""
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in openmetrics(text)
        for sample in family.samples
    }


class MetricsTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.shown = Shown()
        self.client = Client(connector_site(self.shown, clock))

    def page(self, accept: str = "") -> tuple[str, str]:
        reply = self.client.ask("/metrics", accept=accept)
        self.assertEqual(reply.status, 200)
        return reply.body.decode(), reply.headers["content-type"]

    def values(self) -> Values:
        return values_of(self.page(OPENMETRICS)[0])

    def test_both_formats_are_what_their_parsers_take(self) -> None:
        for accept, parse, kind in (("", plain, "text/plain"), (OPENMETRICS, openmetrics, "openmetrics-text")):
            text, content_type = self.page(accept)
            self.assertIn(kind, content_type)
            families = [family.name for family in parse(text)]
            self.assertEqual(len(families), len(set(families)))
            for comment in ("HELP", "TYPE"):
                named = re.findall(rf"^# {comment} (\S+)", text, re.MULTILINE)
                self.assertEqual(len(named), len(set(named)))
                self.assertEqual(len(named), len(families))

    def test_whoever_asks_for_what_is_no_version_gets_the_usual(self) -> None:
        text, content_type = self.page("application/openmetrics-text; version=x; escaping=allow-utf-8")
        self.assertIn("text/plain", content_type)
        self.assertTrue(list(plain(text)))

    def test_figures(self) -> None:
        values = self.values()
        one = self.shown.clients[0].peer
        for name, labels, value in (
            ("rotonda_info", ("rotonda-connector", "1.2.3"), 1),
            ("rotonda_table_records", ("rpki", "vrp4", "rotonda-connector"), 1),
            ("rpki_vrps", ("ipv4",), 1),
            ("rtr_serial", (), 7),
            ("rtr_clients", (), 2),
            ("rotonda_source_state", ("b", "connecting"), 1),
            ("rotonda_source_failing", ("b",), 1),
            ("rotonda_source_updated_timestamp_seconds", ("a",), NOW - 4),
            ("rotonda_source_expiry_timestamp_seconds", ("a",), NOW + 6),
            ("rotonda_server_connections_accepted_total", (), 9),
            ("rotonda_server_connections_refused_total", ("too many connections",), 1),
            ("rotonda_server_deadlines_missed_total", ("header",), 2),
            ("rotonda_server_errors_sent_total", ("0",), 1),
            ("rotonda_tls_refused_total", ("tls:[::1]:324", "expired"), 2),
            ("rotonda_tls_certificate_expiry_timestamp_seconds", ("tls:[::1]:324",), NOW + 1),
            ("rotonda_client_lag", (one,), 1),
            ("rotonda_client_sent_bytes_total", (one,), 101),
            ("rotonda_client_connected_timestamp_seconds", (one,), NOW - 5),
        ):
            with self.subTest(name=name):
                self.assertEqual(values[name, labels], value)
        self.assertNotIn(("rotonda_client_lag", (self.shown.clients[1].peer,)), values)

    def test_the_rest_of_the_site(self) -> None:
        status = self.client.ask("/api/v1/status").json
        self.assertEqual((status["name"], status["ready"]), ("rotonda-connector", True))
        self.assertEqual([link["name"] for link in status["links"]], ["a", "b"])
        served = self.client.ask("/api/v1/clients").json
        self.assertEqual((served["accepted"], served["clients"][0]["lag"]), (9, 1))
        self.assertEqual(self.client.ask("/readyz").status, 200)


class LongTests(TestCase):
    """Answers that a buffer does not hold."""

    timeout = 30

    @inlineCallbacks
    def test_too_many_clients_have_no_series_of_their_own(self) -> Generator[Any, Any, None]:
        shown = Shown()
        shown.clients = [client(number) for number in range(MAX_CLIENTS + 3)]
        reply: Reply = yield ensureDeferred(fetch(connector_site(shown, clock), "/metrics", accept=OPENMETRICS))
        values = values_of(reply.body.decode())
        self.assertEqual(sum(name == "rotonda_client_queries_total" for name, _ in values), MAX_CLIENTS)
        self.assertEqual(values["rotonda_clients_left_out", ()], 3)
        self.assertEqual(values["rtr_clients", ()], MAX_CLIENTS + 3)
