"""The demo on a real full table and real VRPs: what it says it loaded is what others read in the same files."""

from __future__ import annotations

import gzip
import json
import subprocess
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from interop.peers import bgpdump
from interop.peers.base import require
from interop.test_demo import DEMO, environment
from tests.data import shared

TABLE = "mrt-rib/routeviews.jinx.rib.20140530.2200.bz2"
VRPS = "rpki/rpki-client.20230504.ripe-prepdev.json.gz"  # all of them have expired
SECONDS = 540


class RealTableTests(SynchronousTestCase):
    def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def test_the_demo_counts_what_bgpdump_and_the_validator_count(self) -> None:
        table, vrps = shared(TABLE), shared(VRPS)
        require(bgpdump.BGPDUMP, self)
        facts = self.facts(table, vrps)
        self.assertEqual((facts["routes"], facts["prefixes"], facts["peers"]), told_by_bgpdump(table))
        self.assertEqual((sum(facts["prefixes"].values()), facts["peers"]), (497_407, 14))
        expected = told_by_validator(vrps)
        self.assertEqual({kind: facts["router"]["records"][kind] for kind in expected}, expected)
        self.assertEqual(sum(expected.values()), 424_223)

    def facts(self, table: Path, vrps: Path) -> dict[str, Any]:
        words = [*DEMO, "--mrt", str(table), "--vrps", str(vrps), "--keep-expired", "--check", "--json", "facts.json"]
        done = subprocess.run(
            words, cwd=self.folder, env=environment(self.folder), capture_output=True, text=True, timeout=SECONDS
        )
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        told: dict[str, Any] = json.loads((self.folder / "facts.json").read_text())
        return told


def told_by_bgpdump(table: Path) -> tuple[dict[str, int], dict[str, int], int]:
    """Routes and distinct prefixes by family, and how many peers have any."""
    routes: Counter[str] = Counter()
    prefixes: set[str] = set()
    peers: set[tuple[str, str]] = set()
    for _, _, kind, peer, asn, prefix, *_ in bgpdump.records(table):
        if kind == "B":
            routes[family(prefix)] += 1
            prefixes.add(prefix)
            peers.add((peer, asn))
    return dict(routes), dict(Counter(map(family, prefixes))), len(peers)


def told_by_validator(vrps: Path) -> dict[str, int]:
    """How many different VRPs of each family the file has."""
    with gzip.open(vrps) as file:
        roas = json.load(file)["roas"]
    distinct = {(roa["asn"], roa["prefix"], roa["maxLength"]) for roa in roas}
    return dict(Counter(family(prefix).replace("ipv", "vrp") for _, prefix, _ in distinct))


def family(prefix: str) -> str:
    return "ipv6" if ":" in prefix else "ipv4"
