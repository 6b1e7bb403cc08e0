"""The three daemons in one process, over loopback: files in, verdicts out, and all changes on the way."""

from __future__ import annotations

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rotonda.demo.generator import write_table, write_vrps
from rotonda.services import connector, rib, router
from twisted.internet import reactor
from twisted.web.client import Agent

from rotoro.table import Snapshot
from tests.http.clients import Collector
from tests.services.started import DaemonCase


def port_of(service: Any) -> int:
    """Where a service listens that was told to take any port."""
    number: int = service._waitingForPort.result.getHost().port
    return number


class ChainTests(DaemonCase):
    def setUp(self) -> None:
        super().setUp()
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.table, self.vrps = Path(folder.name) / "table.mrt", Path(folder.name) / "vrps.json"
        self.patch(connector, "WATCH_SECONDS", 0.05)
        self.write(1)

    def write(self, seed: int) -> None:
        """Both files, each in one step, as programs that publish files write them."""
        for write, path in ((write_table, self.table), (write_vrps, self.vrps)):
            unfinished = path.with_suffix(".unfinished")
            write(unfinished, prefixes4=300, prefixes6=60, peers=2, seed=seed)
            unfinished.replace(path)

    async def ask(self, service: Any, path: str) -> Any:
        http = next(own for own in service if getattr(own, "_what", "") == "http")
        response = await Agent(reactor).request(b"GET", f"http://127.0.0.1:{port_of(http)}{path}".encode())
        collector = Collector()
        response.deliverBody(collector)
        return json.loads(await collector.whole)

    async def test_files_and_their_changes_go_all_the_way(self) -> None:
        west = self.start(
            connector, connector.Connector, "--mrt", str(self.table), "--vrps", str(self.vrps), "--listen", "0"
        )
        east_of = f"127.0.0.1:{port_of(west.serving.services[0])}"
        middle = self.start(rib, rib.Rib, "--west", east_of, "--listen", "0", "--http", "0")
        cache = f"127.0.0.1:{port_of(middle.unit.serving.services[0])}"
        plain, east = (
            self.start(router, router.Router, "--cache", cache, "--mode", mode, "--http", "0")
            for mode in ("rtr", "auto")
        )

        def data() -> list[Snapshot]:
            return [table.snapshot for table in middle.unit.rib.tables.values()]

        await self.until(lambda: not any(service.unit.missing() for service in (middle, plain, east)))
        routes, rpki = data()
        self.assertGreater(min(routes.count, rpki.count), 100)
        self.assertEqual([plain.unit.history.snapshot, east.unit.history.snapshot], [rpki, rpki])
        self.assertEqual([service.unit.links()[0].mode for service in (plain, east)], ["rtr 2", "rotoro"])
        self.assertEqual((await self.ask(middle, "/readyz"), await self.ask(east, "/readyz")), ({"ready": True},) * 2)
        route = (await self.ask(middle, "/api/v1/routes?limit=1"))["routes"][0]
        verdict = await self.ask(east, f"/api/v1/validity?asn={route['origin_as']}&prefix={route['prefix']}")
        self.assertEqual(verdict["validated_route"]["validity"]["state"], route["rov"])

        tables = list(middle.unit.rib.tables.values())
        before = [table.position.serial for table in tables]
        self.write(2)
        await self.until(lambda: data()[0].digest != routes.digest and data()[1].digest != rpki.digest)
        await self.until(lambda: east.unit.history.snapshot == data()[1])  # the plain one is told once a minute
        moved = [table.position.serial - at for table, at in zip(tables, before, strict=True)]
        self.assertEqual(moved, [1, 1])

        for service in (plain, east, middle, west):
            await service.stopService()
        servers = (west.serving.factory, middle.unit.serving.factory)
        await self.until(lambda: not any(server.connections for server in servers))
