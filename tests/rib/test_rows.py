from __future__ import annotations

import numpy as np
from rotonda.rib.attributes_index import AttributesIndex
from rotonda.rib.query import Query, answer
from rotonda.rib.rows import prefix_keys, shown
from rotonda.rpki.paths import Direction
from rotonda.rpki.records import Vrp
from rotonda.rpki.validation import ValidatedSet
from twisted.trial.unittest import SynchronousTestCase

from rotoro.table import AttributeStore
from tests.rib.tables import PlainRoute, attribute_set, ingresses, key, snapshot_of
from tests.rpki.attestations import aspa_set


class VerdictTests(SynchronousTestCase):
    def test_routes_are_judged_by_prefix_and_origin(self) -> None:
        vrps4 = np.array([Vrp(4, 0xC0000200, 24, 24, 64496).key()], "S10")
        vrps6 = np.array([Vrp(6, 0x20010DB8 << 96, 48, 32, 64496).key()], "S22")
        validated = ValidatedSet(vrps4, vrps6)
        ingress = ingresses(1)[0]
        cases = (
            (PlainRoute(4, 0x0A000000, 8, 0, ingress, attribute_set(64496), 0), "not-found"),
            (PlainRoute(4, 0xC0000200, 24, 1, ingress, attribute_set(64496), 0), "valid"),
            (PlainRoute(4, 0xC0000200, 24, 2, ingress, attribute_set(64497), 0), "invalid"),
            (PlainRoute(4, 0xC0000200, 24, 3, ingress, attribute_set(None), 0), "invalid"),
            (PlainRoute(6, 0x20010DB8 << 96, 48, 0, ingress, attribute_set(64496), 0), "valid"),
            (PlainRoute(6, 0x20010DB8 << 96, 49, 0, ingress, attribute_set(64496), 0), "invalid"),
        )
        store = AttributeStore()
        index = AttributesIndex(store)
        page = answer(snapshot_of([route for route, _ in cases], store), Query(), index).page()
        rows = list(shown(page, index, validated=validated))
        self.assertEqual([row["rov"] for row in rows], [state for _, state in cases])

    def test_paths_are_judged_where_it_is_told_where_they_come_from(self) -> None:
        ingress = ingresses(1)[0]
        routes = [PlainRoute(4, 0, 8, at, ingress, attribute_set(asn), 0) for at, asn in enumerate((1, 2, 3, None))]
        store = AttributeStore()
        index = AttributesIndex(store)
        page = answer(snapshot_of(routes, store), Query(), index).page()
        attested = aspa_set({1: {64500}, 2: {64501}})  # all paths begin with AS 64500
        for direction, states in (
            (Direction.UPSTREAM, ["valid", "invalid", "unknown", "invalid"]),
            (Direction.DOWNSTREAM, ["valid", "valid", "valid", "invalid"]),
        ):
            rows = list(shown(page, index, verified=(attested, direction), fields=("prefix", "aspa")))
            self.assertEqual(rows, [{"prefix": "0.0.0.0/8", "aspa": state} for state in states])

    def test_prefixes_of_keys(self) -> None:
        for family, width in ((4, 9), (6, 21)):
            keys = np.array([key(family, 0, 0, 0), key(family, 7, 9, 300)], f"S{width}")
            expected = key(family, 0, 0)[:-4] + key(family, 7, 9)[:-4]
            self.assertEqual(prefix_keys(keys, family).tobytes(), expected)
