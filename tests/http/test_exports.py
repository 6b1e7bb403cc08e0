from __future__ import annotations

import json
import random

import numpy as np
from rotonda.http.exports import aspa_export, csv_export, json_export
from rotonda.rpki.exports import read_export
from rotonda.rpki.records import Vrp
from twisted.trial.unittest import SynchronousTestCase

from rotoro.table import ASPA, EMPTY, ROUTER_KEY, VRP4, VRP6
from tests.http.clients import validated_snapshot


def random_vrps(count: int) -> list[Vrp]:
    chance = random.Random(1)
    vrps = []
    for _ in range(count):
        family, bits = chance.choice(((4, 32), (6, 128)))
        length = chance.randint(0, bits)
        shift = bits - length
        address = chance.getrandbits(bits) >> shift << shift
        if not (family == 6 and address >> 32 in (0, 0xFFFF)):
            vrps.append(
                Vrp(family, address, chance.randint(length, bits), length, chance.choice((0, 9, 64496, 0xFFFFFFFF)))
            )
    return vrps


class ExportTests(SynchronousTestCase):
    def test_what_is_exported_is_what_is_read(self) -> None:
        snapshot = validated_snapshot(random_vrps(20_000), keys=9, aspas=8200)
        for write in (json_export, csv_export):
            export = read_export(b"".join(write(snapshot)), "test", 0)
            self.assertEqual(export.problems, ())
            self.assertTrue(np.array_equal(export.vrps4, snapshot[VRP4].keys))
            self.assertTrue(np.array_equal(export.vrps6, snapshot[VRP6].keys))

    def test_everything_is_in_the_json(self) -> None:
        document = json.loads(b"".join(json_export(validated_snapshot())))
        self.assertEqual(document["roas"][1], {"asn": "AS64497", "prefix": "192.0.2.0/24", "maxLength": 28})
        self.assertEqual(document["routerKeys"], [{"asn": "AS64496", "SKI": "00" * 20, "routerPublicKey": "MAA="}])
        self.assertEqual(document["aspas"], [{"customer": "AS64496", "providers": ["AS1", "AS2"]}])
        many = json.loads(b"".join(json_export(validated_snapshot((), keys=9, aspas=8200))))
        self.assertEqual([len(many[name]) for name in ("roas", "routerKeys", "aspas")], [0, 9, 8200])
        self.assertEqual((len(validated_snapshot()[ROUTER_KEY]), len(validated_snapshot()[ASPA])), (1, 1))

    def test_aspas_alone(self) -> None:
        document = json.loads(b"".join(aspa_export(validated_snapshot(aspas=8200))))
        self.assertEqual(document["aspas"][0], {"customer": "AS64496", "providers": ["AS1", "AS2"]})
        self.assertEqual((list(document), len(document["aspas"])), (["aspas"], 8200))
        self.assertEqual(json.loads(b"".join(aspa_export(EMPTY))), {"aspas": []})

    def test_an_empty_set(self) -> None:
        self.assertEqual(json.loads(b"".join(json_export(EMPTY))), {"roas": [], "routerKeys": [], "aspas": []})
        self.assertEqual(b"".join(csv_export(EMPTY)).count(b"\n"), 1)
