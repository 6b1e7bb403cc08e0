"""What the gateway shows of an instance: its units, those of others, and the hosts of RIS Live."""

from __future__ import annotations

from rotonda.graph.api import gateway_limits
from rotonda.graph.gateway_units import GraphUnits

from rotoro.table import Ingress, IngressKind
from tests.graph.worlds import SEVERAL, GraphCase

WORDS = (
    SEVERAL
    + """
type Seen { first: Asn }
filter-map seen {
    define { rx route: Route; tx out: Seen; }
    action fill { out.first.set(route.as_path.first()); }
    apply { fill; accept; }
}
unit rib: PhysicalRib with config { };
unit view: VirtualRib with config { filter_map: seen, contains: Seen };
instance i: Daemon with config { listen: 127.0.0.1:8324, graph: [ w1 -> rib -> view, val -> rib ] };
instance e: Daemon with config { graph: [ i.rib -> end ] };
unit end: PhysicalRib with config { };
"""
)


class UnitsTests(GraphCase):
    def test_tables(self) -> None:
        units = GraphUnits(self.run_program(WORDS, "i"))
        self.assertEqual(sorted(units.names()), ["rib", "val", "view", "w1"])
        self.assertEqual(list(units.tables("rib")), ["rib", "rpki"])
        self.assertEqual([each.record for each in units.tables("rib").values()], ["Route", "RPKI"])
        self.assertEqual(list(units.tables("val")), ["rpki"])
        self.assertEqual([each.record for each in units.tables("view").values()], ["Seen", "RPKI"])
        self.assertIs(units.tables("rib")["rib"].words, units.tables("w1")["rib"].words)
        self.assertIsNot(units.tables("rib")["rib"].words, units.tables("view")["rib"].words)

    def test_hosts(self) -> None:
        made = self.run_program(WORDS, "i")
        units = GraphUnits(made)
        self.announce(made, "w1", {"10.0.0.0/8": (1,)})
        self.assertEqual((list(units.defaults()), list(units.histories())), (["w1"], ["w1", "rib"]))
        (ingress,) = units.ingresses
        self.assertEqual(units.host_of(ingress), "w1")

    def test_without_connectors_the_tables_of_others(self) -> None:
        made = self.run_program(WORDS, "e")
        units = GraphUnits(made)
        self.assertEqual((list(units.defaults()), list(units.histories())), (["i.rib"], ["i.rib", "end"]))
        ingress = made.around.ingresses.adopt("i", Ingress(1, IngressKind.BGP, bytes(4), 1, name="w1"))
        self.assertEqual(units.host_of(ingress), "i.rib")

    def test_limits(self) -> None:
        made = self.run_program(WORDS, "i")
        self.assertEqual((gateway_limits(made).clients, gateway_limits(made).per_address), (512, 64))
        limits = "limits: { gateway_clients: 7, gateway_clients_per_address: 3 }"
        self.reload(made, WORDS.replace("listen: 127.0.0.1:8324", f"{limits}, listen: 127.0.0.1:8324"))
        self.assertEqual((gateway_limits(made).clients, gateway_limits(made).per_address), (7, 3))

    def test_words_of_a_type_that_is_gone_go(self) -> None:
        made = self.run_program(WORDS, "i")
        units = GraphUnits(made)
        units.tables("view"), units.tables("rib")
        self.assertEqual(len(units._words), 2)
        self.reload(made, WORDS.replace("first: Asn", "one: Asn").replace("out.first", "out.one"))
        units.tables("view")
        self.assertEqual(len(units._words), 2)
