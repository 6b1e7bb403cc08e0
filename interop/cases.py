"""What the tests against peers share: made-up data in a folder of its own, our daemons, and every process ended.

our connector --Rotoro--> our RIB --RTR--> a peer            a peer --RTR--> our router
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from interop.peers import ours, probe
from interop.peers.processes import Daemon, free_ports
from interop.vrps import RpkiData, generate


class MeetingCase(SynchronousTestCase):
    """A test that starts programs; they end with it, whatever happens."""

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="rotoro-interop-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.data = generate(4000, seed=64496, router_keys=20, aspas=50)
        self.file = self.folder / "vrps.json"
        self.data.write_routinator(self.file)

    def keep(self, daemon: Daemon) -> Daemon:
        """See to it that this process ends with the test."""
        self.addCleanup(daemon.stop)
        return daemon

    def start_cache(self) -> int:
        """Our RIB, fed by our connector from the file; the port where it serves RTR, once it has everything."""
        west, port, http = free_ports(3)
        self.keep(ours.start_connector(self.folder, west, vrps=[self.file])).expect_port(west)
        rib = self.keep(ours.start_rib(self.folder, port, http, [west]))
        probe.fetch_when(rib, port, 1, self.data.vrp_count)
        return port

    def ask_router(self, cache: int, mode: str, expected: RpkiData) -> RpkiData:
        """What our router shows when it has as many VRPs as expected from the cache on that port."""
        (http,) = free_ports(1)
        router = self.keep(ours.start_router(self.folder, http, [cache], mode))
        router.expect_port(http)

        def complete() -> RpkiData | None:
            held = ours.router_data(http)
            return held if held is not None and held.vrp_count >= expected.vrp_count else None

        return router.expect(complete, f"{expected.vrp_count} VRPs from the cache on port {cache}", 30, 0.2)

    def assertTold(self, expected: RpkiData, told: RpkiData) -> None:
        """Exactly this was told; nothing more, nothing less, nothing twice."""
        self.assertEqual(expected.differences(told), [])
