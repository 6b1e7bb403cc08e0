"""NLnet Labs' rtrtr on both sides of us, in version 2."""

from __future__ import annotations

from interop import cases
from interop.peers import probe, rtrtr
from interop.peers.base import require
from interop.peers.processes import free_port, free_ports
from interop.vrps import RpkiData


class RtrtrTests(cases.MeetingCase):
    def setUp(self) -> None:
        require(rtrtr.RTRTR, self)
        super().setUp()

    def test_it_fetches_from_our_rib_and_passes_on_exactly_that(self) -> None:
        port, shown = self.pass_on(self.start_cache())
        # ASPAs exist in version 2 only: that they came through says that both links speak it
        self.assertTold(self.data, probe.fetch(port, 2).data)
        self.assertTold(self.data.without("router_keys", "aspas"), shown)

    def test_its_json_has_our_aspas_where_no_router_keys_hide_them(self) -> None:
        self.data = self.data.without("router_keys")
        self.data.write_routinator(self.file)
        _, shown = self.pass_on(self.start_cache())
        self.assertTold(self.data, shown)

    def test_our_router_fetches_from_it(self) -> None:
        port = free_port()
        cache = self.keep(rtrtr.start_from_file(self.folder, self.file, port))
        served = probe.fetch_when(cache, port, 2, self.data.vrp_count).data
        self.assertTold(self.data.without("router_keys"), served)
        for mode in ("rtr", "auto"):
            with self.subTest(mode=mode):
                self.assertTold(served, self.ask_router(port, mode, served))

    def test_what_went_through_all_of_us_is_what_the_file_says(self) -> None:
        port, _ = self.pass_on(self.start_cache())
        self.assertTold(self.data, self.ask_router(port, "auto", self.data))

    def pass_on(self, cache: int) -> tuple[int, RpkiData]:
        """The port where an rtrtr serves all that it has from that cache, and what it shows of that as JSON."""
        port, http = free_ports(2)
        passing = self.keep(rtrtr.start_from_cache(self.folder, cache, port, http))
        probe.fetch_when(passing, port, 2, self.data.vrp_count)
        return port, rtrtr.read_json(passing, http)
