from __future__ import annotations

from rotonda.http import router_site
from twisted.trial.unittest import SynchronousTestCase

from tests.http.clients import Client, clock, router_daemon


class RouterApiTests(SynchronousTestCase):
    def test_status(self) -> None:
        status = Client(router_site(router_daemon(), clock)).ask("/api/v1/status").json
        self.assertEqual((status["name"], status["uptime"]), ("rotonda-router", 100.0))
        self.assertEqual(status["tables"][0]["records"], {"vrp4": 2, "vrp6": 1, "router_key": 1, "aspa": 1})
        self.assertEqual(status["links"], [
            {"name": "cache", "peer": "192.0.2.9:323", "state": "current", "mode": "rtr", "version": 2,
             "session": 7, "serial": 3, "age": 5.0},
        ])  # fmt: skip

    def test_without_data_nothing_is_said_about_routes(self) -> None:
        client = Client(router_site(router_daemon(ready=False), clock))
        for path in ("/api/v1/validity/AS1/192.0.2.0/24", "/api/v1/vrps"):
            reply = client.ask(path)
            self.assertEqual((reply.status, reply.headers["retry-after"]), (503, "5"))
        self.assertEqual(client.ask("/api/v1/validity", "POST", b'{"routes":[]}').status, 503)
        self.assertEqual(client.ask("/api/v1/status").status, 200)
        self.assertEqual(client.ask("/healthz").status, 200)
