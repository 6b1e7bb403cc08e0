"""RIBs at work: what they hold, what their followers are told, and what was before."""

from __future__ import annotations

from typing import Any

from rotonda.graph.stages import PhysicalRibStage
from rotonda.rib.entries import Ended

from rotoro.table import Diff
from tests.graph.worlds import SEVERAL, GraphCase

FILTERS = """
type Seen { first: Asn, length: U32 }
filter-map short with most: U8 {
    define { rx_tx route: Route; }
    apply { filter match route.prefix.len() <= most matching { return accept; }; reject; }
}
filter-map seen {
    define { rx route: Route; tx out: Seen; }
    action fill { out.first.set(route.as_path.first()); out.length.set(route.as_path.len()); }
    apply { filter match route.as_path.len() > 1 matching { fill; return accept; }; reject; }
}
"""
A, B, C = "10.0.0.0/8", "10.1.0.0/16", "10.1.1.0/24"


def instance(graph: str, more: str = "") -> str:
    return f"{SEVERAL}{FILTERS}{more} instance i: Daemon with config {{ graph: [ {graph} ] }};"


class RibTests(GraphCase):
    def test_physical(self) -> None:
        made = self.run_program(
            instance("w1 -> rib, w2 -> rib", "unit rib: PhysicalRib with config { filter_map: short(16) };")
        )
        self.announce(made, "w1", {A: (1, 2), C: (1,)})
        self.assertEqual(self.held(made, "rib"), [A])
        self.announce(made, "w2", {A: (1, 2), B: (3,)}, peer=2)
        self.assertEqual(self.held(made, "rib"), [A, A, B])
        self.announce(made, "w1", {})
        self.assertEqual(self.held(made, "rib"), [A, B])

    def test_names_of_ingresses(self) -> None:
        """What two connectors hear of one peer are two ingresses; what takes two ways is one."""
        views = "unit v: VirtualRib with config { filter_map: short(8) }; unit u: VirtualRib with config { };"
        rib = "unit rib: PhysicalRib with config { };"
        made = self.run_program(instance("w1 -> rib, w2 -> rib", rib))
        self.announce(made, "w1", {A: (1,)})
        self.announce(made, "w2", {A: (1,)})
        self.assertEqual(self.held(made, "rib"), [A, A])
        self.assertEqual([each.name for each in made.ingresses], ["w1", "w2"])
        made = self.run_program(instance("w1 -> v -> rib, w1 -> u -> rib", views + rib))
        self.announce(made, "w1", {A: (1,), B: (2,)})
        self.assertEqual(self.held(made, "rib"), [A, B])

    def test_virtual(self) -> None:
        made = self.run_program(
            instance(
                "w1 -> rib -> v",
                "unit rib: PhysicalRib with config { };"
                "unit v: VirtualRib with config { filter_map: seen, contains: Seen };",
            )
        )
        told: list[Diff] = []
        flow: Any = made.stages["v"].flow
        flow.history.subscribe(told.append)
        self.announce(made, "w1", {A: (1, 2), B: (3,)})
        self.announce(made, "w1", {A: (1, 2), B: (3,), C: (4, 5, 6)})
        self.announce(made, "w1", {B: (3,), C: (4, 5, 6)})
        self.assertEqual(self.held(made, "v"), [C])
        self.assertEqual([diff.count for diff in told], [1, 1, 1])
        self.assertEqual(flow.history.snapshot.nbytes, 0)

    def test_virtual_of_several(self) -> None:
        made = self.run_program(
            instance("w1 -> v, w2 -> v", "unit v: VirtualRib with config { filter_map: short(16) };")
        )
        self.announce(made, "w1", {A: (1,), C: (2,)})
        self.announce(made, "w2", {B: (1,)}, peer=2)
        self.assertEqual(self.held(made, "v"), [A, B])

    def test_announced(self) -> None:
        """The east half of a connector announces what its filter lets pass."""
        east = """unit out: BgpConnector with config {
            topology: EastOnly, listen: 0, my_asn: AS64496, my_bgp_id: 192.0.2.1, east_filter: short(8),
            peers: [ { address: 192.0.2.7, asn: AS64497 } ],
        };"""
        made = self.run_program(instance("w1 -> out", east))
        self.announce(made, "w1", {A: (1,), B: (2,)})
        stage: Any = made.stages["out"]
        self.assertEqual(stage._out.snapshot.count, 1)
        told: list[Diff] = []
        stage._out.subscribe(told.append)
        self.reload(made, instance("w2 -> out, w1 -> out", east))
        self.announce(made, "w2", {B: (1,)}, peer=2)
        self.assertIs(made.stages["out"], stage)  # and its sessions
        self.assertEqual((told, stage._out.snapshot.count), ([], 1))
        self.reload(made, instance("w2 -> out", east))
        self.assertEqual(([diff.count for diff in told], stage._out.snapshot.count), ([1], 0))
        self.reload(made, instance("w1 -> out", east.replace("short(8)", "short(16)")))
        self.announce(made, "w1", {A: (1,), B: (2,), C: (3,)})
        self.assertEqual(stage._out.snapshot.count, 2)


class PastTests(GraphCase):
    def past(self, made: Any, unit: str) -> list[tuple[str, int]]:
        """State and time of the entries of the one slot that has a past."""
        stage = made.stages[unit]
        assert isinstance(stage, PhysicalRibStage)
        assert stage.flow is not None
        (slot,) = stage.past.slots
        entries = stage.past.entries(slot, stage.flow.history.snapshot.records(slot))
        return [
            (Ended(state).name, time)
            for state, time in zip(entries.states.tolist(), entries.received.tolist(), strict=True)
        ]

    def rib(self, strategy: str, more: str = "") -> str:
        return f"unit rib: PhysicalRib with config {{ merge_strategy: {{ {strategy} }}, {more} }};"

    def test_hash_and_window(self) -> None:
        """MED and communities are not part of the hash, so that only other paths make entries."""
        made = self.run_program(
            instance(
                "w1 -> rib",
                self.rib("hash: (Route::prefix, Route::peer_id, Route::as_path), overwrite: MOVING_WINDOW_COUNT(3)"),
            )
        )
        for time, path in enumerate([(1,), (1, 2), (1, 2), (1, 3), (1, 4), ()]):
            self.announce(made, "w1", {A: path} if path else {}, time=time)
        self.assertEqual(self.past(made, "rib"), [("REPLACED", 1), ("REPLACED", 3), ("WITHDRAWN", 4)])

    def test_window_of_time(self) -> None:
        made = self.run_program(instance("w1 -> rib", self.rib("overwrite: MOVING_WINDOW_TIME_MINUTES(1)")))
        start = int(self.now)
        for time, path in ((0, (1,)), (50, (1, 2)), (100, (1, 3))):
            self.now = start + time
            self.announce(made, "w1", {A: path}, time=start + time)
        self.assertEqual(self.past(made, "rib"), [("REPLACED", start), ("REPLACED", start + 50)])
        made._forget()
        self.assertEqual(self.past(made, "rib"), [("REPLACED", start + 50)])

    def test_records(self) -> None:
        """Of records, the chosen fields are hashed: here the first AS, and not how long the path is."""
        hashed = "filter_map: seen, contains: Seen"
        made = self.run_program(
            instance("w1 -> rib", self.rib("hash: (Seen::first, peer_id), overwrite: MOVING_WINDOW_COUNT(9)", hashed))
        )
        for time, path in enumerate([(1, 2), (1, 2, 3), (4, 2), (4, 2, 2), (5, 1)]):
            self.announce(made, "w1", {A: path}, time=time)
        self.assertEqual(self.past(made, "rib"), [("REPLACED", 1), ("REPLACED", 3)])

    def test_records_as_a_whole(self) -> None:
        hashed = "filter_map: seen, contains: Seen"
        made = self.run_program(
            instance(
                "w1 -> rib",
                self.rib("hash: (Seen::first, Seen::length, peer_id), overwrite: MOVING_WINDOW_COUNT(9)", hashed),
            )
        )
        for time, path in enumerate([(1, 2), (1, 2, 3), (1, 3, 3), (4, 2)]):
            self.announce(made, "w1", {A: path}, time=time)
        self.assertEqual(self.past(made, "rib"), [("REPLACED", 0), ("REPLACED", 1)])
