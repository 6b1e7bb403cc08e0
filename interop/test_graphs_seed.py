"""The example that the language was first described by runs as it stands, at the very address that it names."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

from twisted.trial.unittest import SkipTest

from interop.graphs import GraphCase
from interop.peers.ours import ENVIRONMENT
from tests.blocks.test_check_seed import MISSING
from tests.blocks.test_parse import seed_blocks
from tests.data import ROOT

PEERS = """topology: WestEastSplit,
    my_asn: AS64496,
    peers: [ { address: 192.168.178.50, asn: AS64497 }, { address: 192.168.178.51, asn: AS64498 } ],"""
CUSTOMERS = [{"customer_id": "one", "prefix": "198.51.100.0/24", "allowed_asns": [64500]}]


class SeedTests(GraphCase):
    """With who the peers are, where questions are answered, and a file of customers: what it leaves open."""

    def seed(self) -> str:
        return "\n".join(seed_blocks()) + MISSING

    def tell(self, text: str) -> dict[str, Any]:
        if os.geteuid() != 0:
            raise SkipTest("a network of its own, with the address that the example names, is for root")
        text = text.replace("topology: WestEastSplit,", PEERS)
        text = text.replace("graph = [", "http: 127.0.0.1:8080,\n    graph = [").replace(
            "./file_name", "./customers.json"
        )
        self.write(text)
        (self.folder / "customers.json").write_text(json.dumps(CUSTOMERS))
        command = ["unshare", "--net", sys.executable, "-m", "interop.graph_seed", str(self.folder)]
        environment = {**os.environ, **ENVIRONMENT}
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, timeout=90, check=False)
        self.assertEqual(done.returncode, 0, done.stderr.decode()[-3000:])
        told: dict[str, Any] = json.loads(done.stdout)
        return told

    def test_as_it_stands(self) -> None:
        self.write(self.seed())
        running = self.run_instance("rotonda-1", 0)
        running.daemon.expect_line("bgp-1 has no peers")
        running.daemon.expect_line("starting up")
        self.assertIsNone(running.daemon.process.poll())

    def test_at_work(self) -> None:
        told = self.tell(self.seed())
        tables = told["tables"]
        counts = {name: len(rows) for name, rows in tables.items()}
        self.assertEqual(counts, {"bgp-1": 3, "rib-in": 3, "rib-loc": 1, "rib-out": 1, "rib-mon": 1})
        self.assertEqual((told["sent_on"], told["sent_back"]), (True, False))
        (seen,) = tables["rib-mon"]
        self.assertEqual((seen["prefix"], seen["peer_as"]), ("198.51.100.0/24", 64497))
        self.assertIn("65010", json.dumps(seen["as_path"]))
        preferred = {row["prefix"]: row.get("local_pref") for row in tables["rib-loc"]}
        self.assertEqual(preferred, {"198.51.100.0/24": 200})
        self.assertTrue([line for line in told["log"] if "seen" in line and "message=" in line], told["log"])
        filters = {each["filter"]: each for each in told["filters"]["filters"]}
        self.assertEqual(sum(filters["peer-filter"]["failures"].values()), 2)  # for whom the table has no customer
        self.assertEqual((filters["peer-filter"]["rejected"], filters["my-asn-filter"]["accepted"]), (2, 1))
        streams = {each["name"]: each for each in told["filters"]["streams"]}
        self.assertEqual((streams["mqtt"]["sent"], streams["logging"]["written"]), (0, 1))
        rules = {each["unit"]: each["explanation"] for each in told["explained"]["routes"]}
        self.assertEqual(list(rules), ["rib-loc", "rib-mon"])
        self.assertTrue(all(each["accepted"] for each in rules.values()), rules)

    def test_log_to_a_file(self) -> None:
        self.tell(self.seed().replace("target: STDERR", "target: FILE"))
        self.assertIn("seen", (self.folder / "rotonda.log").read_text())
