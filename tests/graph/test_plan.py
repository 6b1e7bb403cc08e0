"""What an instance runs, and what it has from others."""

from __future__ import annotations

from rotonda.graph.plan import CannotRun, West, has_rpki, plan
from twisted.trial.unittest import SynchronousTestCase

from tests.graph.worlds import program_of

UNITS = """
unit bgp: BgpConnector with config { topology: WestEastSplit };
unit val: RtrConnector with config { server: 127.0.0.1:323 };
unit one: PhysicalRib with config { };
unit two: PhysicalRib with config { };
unit view: VirtualRib with config { };
"""


class PlanTests(SynchronousTestCase):
    def test_units_stand_behind_their_wests(self) -> None:
        made = plan(
            program_of(
                UNITS + "instance i: Daemon with config { graph: [ two -> view, one -> two, bgp -> one, val -> one ] };"
            )
        )
        order = list(made.units)
        for west, east in (("bgp", "one"), ("val", "one"), ("one", "two"), ("two", "view")):
            self.assertLess(order.index(west), order.index(east))
        self.assertEqual(made.units["one"].wests, (West("bgp"), West("val")))
        self.assertEqual(made.remotes, {})

    def test_edges_once_and_in_order(self) -> None:
        made = plan(
            program_of(
                UNITS + "instance i: Daemon with config { graph: [ bgp -> two, bgp -> one -> two, bgp -> two ] };"
            )
        )
        self.assertEqual([west.name for west in made.units["two"].wests], ["bgp", "one"])

    def test_both_halves_in_one_instance(self) -> None:
        made = plan(program_of(UNITS + "instance i: Daemon with config { graph: [ bgp -> one -> two -> bgp ] };"))
        self.assertEqual(made.units["bgp"].wests, (West("two"),))
        self.assertEqual(set(made.units), {"bgp", "one", "two"})

    def test_halves_in_two_instances(self) -> None:
        """The connector lives where its west half is; its instance follows the table that leads to the east half."""
        words = (
            UNITS
            + """
        instance west: Daemon with config { listen: 127.0.0.1:1001, graph: [ bgp -> one ] };
        instance core: Daemon with config { listen: 127.0.0.1:1002, graph: [ west.one -> two -> bgp ] };
        """
        )
        program = program_of(words)
        west, core = plan(program, "west"), plan(program, "core")
        self.assertEqual(set(west.units), {"bgp", "one"})
        self.assertEqual(west.units["bgp"].wests, (West("two", "core"),))
        self.assertEqual([str(west.remotes["core"].address), list(west.followed("core"))], ["127.0.0.1:1002", ["two"]])
        self.assertEqual(set(core.units), {"two"})
        self.assertEqual(core.units["two"].wests, (West("one", "west"),))
        self.assertEqual(list(core.followed("west")), ["one"])

    def test_how_others_are_reached(self) -> None:
        words = (
            UNITS
            + """
        instance west: Daemon with config { LISTEN graph: [ bgp -> one ] };
        instance core: Daemon with config { REMOTE graph: [ west.one -> two ] };
        """
        )
        told = program_of(words.replace("LISTEN", "").replace("REMOTE", "west: { address: 192.0.2.1:99, mode: AUTO },"))
        self.assertEqual(str(plan(told, "core").remotes["west"].address), "192.0.2.1:99")
        self.assertEqual(plan(told, "core").remotes["west"].mode, "AUTO")

    def test_which_instance(self) -> None:
        words = (
            UNITS
            + """
        instance west: Daemon with config { graph: [ bgp -> one ] };
        instance core: Daemon with config { graph: [ val -> two ] };
        """
        )
        with self.assertRaisesRegex(CannotRun, "there are: west, core"):
            plan(program_of(words))
        with self.assertRaisesRegex(CannotRun, "no instance other"):
            plan(program_of(words), "other")

    def test_who_has_rpki_data(self) -> None:
        words = (
            UNITS
            + """
        instance west: Daemon with config { listen: 127.0.0.1:1001, graph: [ bgp -> one, val ] };
        instance core: Daemon with config { graph: [ west.one -> two -> view, west.val -> two ] };
        """
        )
        program = program_of(words)
        told = {name: has_rpki(program, name) for name in program.units}
        self.assertEqual(told, {"bgp": False, "val": True, "one": False, "two": True, "view": True})
