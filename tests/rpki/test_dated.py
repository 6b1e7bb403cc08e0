"""Tests for L{rotonda.rpki.dated}: records leave when they end, each on its own."""

from __future__ import annotations

import json
import random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from rotonda.rpki.exports import read_export
from twisted.trial.unittest import SynchronousTestCase

from rotoro.table import ROUTER_KEY, VRP4, VRP6
from tests.rpki.test_exceptions import ski
from tests.rpki.test_slurm import KEY

ENDS = [None, 100, 200, 300.5]


def random_export(chance: random.Random) -> dict[str, Any]:
    """As rpki-client writes it, with entries that repeat each other but for their end."""

    def dated(entry: dict[str, Any]) -> dict[str, Any]:
        end = chance.choice(ENDS)
        return entry if end is None else {**entry, "expires": end}

    prefixes = ["192.0.2.0/24", "198.51.100.0/24", "2001:db8::/32"]
    keys = [ski(number).hex() for number in range(3)]
    return {
        "roas": [
            dated({"asn": chance.randrange(3), "prefix": chance.choice(prefixes)}) for _ in range(chance.randrange(12))
        ],
        "bgpsec_keys": [dated({"asn": 1, "ski": chance.choice(keys), "pubkey": "MANhYmM="}) for _ in range(3)],
        "aspas": [
            dated({"customer_asid": chance.randrange(1, 3), "providers": [chance.choice([0, 5, 6])]}) for _ in range(4)
        ],
    }


def still_there(document: dict[str, Any], now: float) -> dict[str, Any]:
    return {
        name: [entry for entry in entries if entry.get("expires") is None or entry["expires"] > now]
        for name, entries in document.items()
    }


class DatedTests(SynchronousTestCase):
    @settings(deadline=None, max_examples=80)
    @given(st.integers(0, 1 << 32))
    def test_what_has_ended_leaves_as_if_it_had_not_been_in_the_file(self, seed: int) -> None:
        document = random_export(random.Random(seed))
        export = read_export(json.dumps(document).encode(), "f", 0)
        held = export.snapshot()
        while (now := export.next_end()) is not None:
            export, diff = export.after(now)
            held = diff.apply(held)
            expected = read_export(json.dumps(still_there(document, now)).encode(), "f", 0).snapshot()
            self.assertEqual((held, export.snapshot(), held.count), (expected, expected, expected.count))
            self.assertGreater(diff.count + 1, 0)
        always = {name: [own for own in them if "expires" not in own] for name, them in document.items()}
        self.assertEqual(held, read_export(json.dumps(always).encode(), "f", 0).snapshot())

    def test_nothing_ends_before_its_time(self) -> None:
        roas = [{"asn": 1, "prefix": "192.0.2.0/24", "expires": 100}, {"asn": 1, "prefix": "2001:db8::/32"}]
        export = read_export(json.dumps({"roas": roas}).encode(), "f", 0)
        self.assertEqual(export.next_end(), 100)
        left, diff = export.after(99.9)
        self.assertEqual((left.snapshot(), diff.count), (export.snapshot(), 0))
        self.assertIs(left.snapshot()[VRP4].keys, export.vrps4)
        left, diff = export.after(100)
        self.assertEqual((list(left.snapshot()), diff.count, left.next_end()), ([VRP6], 1, None))

    def test_what_is_kept_never_ends(self) -> None:
        roas = [{"asn": 1, "prefix": "192.0.2.0/24", "expires": 100}]
        for now in (0, 1000):
            export = read_export(json.dumps({"roas": roas}).encode(), "f", now, keep_expired=True)
            self.assertEqual((export.next_end(), export.snapshot().count), (None, 1))

    def test_bad_entries_do_not_cost_the_others_their_end(self) -> None:
        roas = [{"asn": 1, "prefix": "192.0.2.1/24", "expires": 100}, {"asn": 2, "prefix": "2001:db8::/32"}, None]
        export = read_export(json.dumps({"roas": roas}).encode(), "f", 0)
        self.assertEqual((export.problem_count, export.next_end(), export.snapshot().count), (2, 100, 2))

    def test_the_last_of_several_router_keys(self) -> None:
        key = {"asn": 1, "ski": ski(1).hex(), "pubkey": "MANhYmM="}
        document = {"roas": [], "bgpsec_keys": [{**key, "expires": end} for end in (200, 300, 100)]}
        export = read_export(json.dumps(document).encode(), "f", 0)
        self.assertEqual((export.next_end(), export.duplicates), (300, 2))
        self.assertEqual(export.snapshot()[ROUTER_KEY].key(0)[24:-4], KEY)
