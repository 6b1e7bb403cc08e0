"""Tests for L{rotonda.sources.rpki}: columns say what single questions say, and VRPs are records."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from rotonda.bgp.as_path import AsPath
from rotonda.blocks.types import DIRECTION, PATH_STATE, ROV
from rotonda.blocks.values import Constant, Prefix
from rotonda.rib.validated import aspa_set
from rotonda.sources.rpki import RpkiView
from twisted.trial.unittest import SynchronousTestCase

from tests.session.worlds import aspa, patient, providers, snapshot, vrp
from tests.sources.plain import keys, prefixes

TABLE = snapshot(
    {
        vrp("10.0.0.0/8", 16, 1): None,
        vrp("10.0.0.0/8", 24, 2): None,
        vrp("10.1.0.0/16", 16, 2): None,
        vrp("2001:db8::/32", 48, 1): None,
        vrp("a00::/8", 128, 3): None,
        aspa(1): providers(2),
        aspa(2): providers(3),
    }
)
DIRECTIONS = [Constant(DIRECTION.name, name) for name in DIRECTION.constants]
PATHS = st.lists(
    st.tuples(st.integers(1, 4), st.lists(st.integers(0, 4), min_size=1, max_size=3).map(tuple)), max_size=3
)


class RpkiViewTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.view = RpkiView(TABLE, aspa_set(TABLE), version=1)

    def test_origins(self) -> None:
        for prefix, origin, state in [("10.1.0.0/16", 2, "VALID"), ("10.1.1.0/24", 1, "INVALID"),
                                      ("11.0.0.0/8", 1, "NOT_FOUND"), ("2001:db8:1::/48", 1, "VALID"),
                                      ("10.1.0.0/16", 0, "INVALID")]:  # fmt: skip
            found = self.view.validate(Prefix.parse(prefix), origin)
            self.assertEqual(found, Constant("Rov", state))

    def test_paths(self) -> None:
        path: AsPath = ((2, (3, 2, 1)),)
        upstream, downstream = DIRECTIONS
        self.assertEqual(self.view.verify(path, upstream), Constant("PathState", "VALID"))
        self.assertEqual(self.view.verify(((2, (1, 2, 1)),), upstream), Constant("PathState", "INVALID"))
        self.assertEqual(self.view.verify(((2, (4, 5)),), downstream), Constant("PathState", "VALID"))
        self.assertEqual(self.view.verify(((1, (1,)), *path), upstream), Constant("PathState", "INVALID"))
        self.assertEqual(self.view.verify(((3, (9,)), *path), upstream), Constant("PathState", "VALID"))

    @patient
    @given(st.lists(prefixes(), max_size=20), st.integers(0, 3))
    def test_columns_of_origins(self, asked: list[Prefix], origin: int) -> None:
        for bits in (32, 128):
            own = [prefix for prefix in asked if prefix.bits == bits]
            states = self.view.validate_column(keys(own, bits), np.full(len(own), origin, np.uint32))
            single = [ROV.constants.index(self.view.validate(prefix, origin).name) for prefix in own]
            self.assertEqual(states.tolist(), single)

    @patient
    @given(st.lists(PATHS.map(tuple), max_size=20), st.sampled_from(DIRECTIONS))
    def test_columns_of_paths(self, paths: list[AsPath], direction: Constant) -> None:
        single = [PATH_STATE.constants.index(self.view.verify(path, direction).name) for path in paths]
        self.assertEqual(self.view.verify_column(paths, direction).tolist(), single)

    def test_vrps_are_records(self) -> None:
        found = self.view.less_specifics(Prefix.parse("10.1.2.0/24"))
        told = [(str(one.get("prefix")), one.get("max_length"), one.get("asn")) for one in found]
        self.assertEqual(told, [("10.0.0.0/8", 16, 1), ("10.0.0.0/8", 24, 2), ("10.1.0.0/16", 16, 2)])
        six = Prefix.parse("2001:db8::/32")
        self.assertEqual([one.get("prefix") for one in self.view.exact_match(six)], [six])
        self.assertEqual([one.get("prefix") for one in self.view.longest_match(six)], [six])
        self.assertEqual(len(self.view.more_specifics(Prefix(bytes(16), 0))), 2)
        self.assertEqual(len(self.view.find("asn", 2)), 2)
        self.assertTrue(self.view.contains("asn", 3))
        self.assertEqual(self.view.contains_column("asn", [3, 4]).tolist(), [True, False])
        self.assertEqual(self.view.count_column("longest_match", keys([six], 128)).tolist(), [1])
