"""Our daemons in a row: connectors, a RIB that joins them, a RIB east of that, and what each of them holds."""

from __future__ import annotations

import json
from typing import Any

from rotonda.demo.generator import write_table

from interop import cases
from interop.peers import ours, probe
from interop.peers.processes import Daemon, free_ports


class ChainTests(cases.MeetingCase):
    def setUp(self) -> None:
        super().setUp()
        self.table = self.folder / "table.mrt"
        write_table(self.table, prefixes4=3000, prefixes6=400, peers=3)
        one, two, self.middle, self.middle_http, self.east, self.east_http = free_ports(6)
        for port in (one, two):  # two collectors that hear the same peers
            self.keep(ours.start_connector(self.folder, port, vrps=[self.file], mrt=[self.table])).expect_port(port)
        self.middle_rib = self.keep(ours.start_rib(self.folder, self.middle, self.middle_http, [one, two]))
        self.east_rib = self.keep(ours.start_rib(self.folder, self.east, self.east_http, [self.middle]))
        for rib, http in ((self.middle_rib, self.middle_http), (self.east_rib, self.east_http)):
            rib.expect_port(http)
            rib.expect(lambda http=http: ours.status(http)["ready"] or None, "it has everything")  # type: ignore[misc]

    def tables(self, http: int) -> dict[str, tuple[str, dict[str, int]]]:
        """The digest and the counts of each table."""
        found: list[dict[str, Any]] = ours.status(http)["tables"]
        return {table["kind"]: (table["digest"], table["records"]) for table in found}

    def settled(self, rib: Daemon, http: int) -> None:
        """Wait until a RIB has the tables of the one in the middle."""
        wanted = self.tables(self.middle_http)
        rib.expect(lambda: self.tables(http) == wanted or None, "it has the tables of its west", 20, 0.2)

    def test_a_rib_east_of_a_rib_holds_the_same(self) -> None:
        self.settled(self.east_rib, self.east_http)
        _, counts = self.tables(self.east_http)["rib"]
        self.assertGreater(counts["ipv4"], 2 * 3000)
        ingresses = json.loads(ours.get(self.east_http, "/api/v1/ingresses"))["ingresses"]
        self.assertEqual(len(ingresses), 6)
        self.assertTold(self.data, probe.fetch(self.east, 2).data)

    def test_a_changed_file_goes_all_the_way(self) -> None:
        write_table(self.table, prefixes4=2000, prefixes6=400, peers=3, seed=9)
        self.middle_rib.expect(
            lambda: self.tables(self.middle_http)["rib"][1]["ipv4"] < 2 * 3 * 2100 or None, "the new table is there"
        )
        self.settled(self.east_rib, self.east_http)
