"""Our router fetches from StayRTR, which serves one version at a time and closes on what it does not know."""

from __future__ import annotations

from interop import cases
from interop.peers import probe, stayrtr
from interop.peers.base import require
from interop.peers.processes import free_port


class StayrtrTests(cases.MeetingCase):
    def setUp(self) -> None:
        require(stayrtr.STAYRTR, self)
        super().setUp()
        self.data.write_rpki_client(self.file)

    def test_our_router_fetches_in_the_version_that_it_has(self) -> None:
        for version, missing in {0: ("router_keys", "aspas"), 1: ("aspas",)}.items():
            for mode in ("rtr", "auto"):
                with self.subTest(version=version, mode=mode):
                    port = free_port()
                    cache = self.keep(stayrtr.start(self.folder, self.file, port, version))
                    self.assertEqual(probe.fetch_when(cache, port, version, self.data.vrp_count).version, version)
                    expected = self.data.without(*missing)
                    self.assertTold(expected, self.ask_router(port, mode, expected))
