"""What the language was first described by, and the example of the specification, are sound."""

from __future__ import annotations

from rotonda.blocks.check import check
from rotonda.blocks.configs import BLOCKS, BgpConnector, PhysicalRib, VirtualRib
from rotonda.blocks.format import formatted
from rotonda.blocks.places import Source
from rotonda.blocks.program import Program
from rotonda.blocks.render import text
from rotonda.blocks.settings import Window
from rotonda.blocks.syntax import BlockKind
from rotonda.blocks.types import ROUTE
from twisted.trial.unittest import SynchronousTestCase

from tests.blocks.test_parse import seed_blocks
from tests.data import ROOT

EXAMPLE = ROOT / "spec" / "examples" / "edge.blocks"
MISSING = """
filter unicast-v4-v6-filter {
    define { rx message: RawBgpMessage; }
    term unicast { match { message.nlris.afi in [IPV4, IPV6]; message.nlris.safi == UNICAST; } }
    apply { filter match unicast matching { accept; }; reject; }
}
filter-map peer-filter {
    define { rx_tx route: Route; use ds-rib-loc; use customers-list as customers; }
    term known { match { route.origin_asn in customers.longest_match(route.prefix).first().allowed_asns; } }
    term new { match { !ds-rib-loc.exact_match(route.prefix).matches; } }
    action tell { mqtt.send({ message: String.format("new: {}", route.prefix), from_asn: route.peer_asn }); }
    action prefer { route.local-pref.set(200); route.communities.push(65010:77); }
    apply {
        filter match known matching { prefer; return accept; };
        filter match new matching { tell; };
        accept;
    }
}
filter-map my-asn-filter {
    define { rx route: Route; tx seen: AsPathsSeen; }
    action see {
        seen.as_path.set(route.as_path);
        seen.peer_as.set(route.peer_asn);
        seen.timestamp.set(route.received);
    }
    apply {
        filter match route.as_path.contains(AS65010) matching {
            logging.send({ message: "seen" });
            see;
            return accept;
        };
        reject;
    }
}
unit rib-out: PhysicalRib with config { filter_map: FILTER.none };
"""
"""What the description names and leaves to its readers."""


class SoundTests(SynchronousTestCase):
    def sound(self, words: str) -> Program:
        source = Source("test.blocks", words)
        program, found = check(source)
        assert program is not None, text(source, found)
        self.warnings = [each.message for each in found]
        return program

    def test_first_description(self) -> None:
        program = self.sound("\n".join(seed_blocks()) + MISSING)
        self.assertEqual(self.warnings, ["bmp-1 is in no graph"])
        self.assertEqual(len(program.instances["rotonda-1"].edges), 5)
        rib = program.units["rib-loc"].config
        assert isinstance(rib, PhysicalRib)
        self.assertEqual(rib.merge_strategy.overwrite, Window())
        self.assertEqual((rib.contains, program.units["rib-in"].config), (ROUTE, PhysicalRib()))
        view = program.units["rib-mon"]
        assert isinstance(view.config, VirtualRib)
        assert view.gives is not None
        self.assertEqual((view.takes, view.gives.name), (ROUTE, "AsPathsSeen"))
        connector = program.units["bgp-1"].config
        assert isinstance(connector, BgpConnector)
        self.assertEqual((connector.east_filter, connector.topology), (None, "WestEastSplit"))

    def test_first_description_in_a_module(self) -> None:
        program = self.sound("module x {\n" + "\n".join(seed_blocks()) + MISSING + "}")
        self.assertEqual(program.instances["x.rotonda-1"].edges[0], ("x.bgp-1", "x.rib-in"))

    def test_example(self) -> None:
        program = self.sound(EXAMPLE.read_text(encoding="utf-8"))
        self.assertEqual(self.warnings, [])
        self.assertEqual(list(program.instances), ["west", "core"])

    def test_all_examples(self) -> None:
        for path in sorted(EXAMPLE.parent.glob("*.blocks")):
            with self.subTest(name=path.name):
                self.sound(path.read_text(encoding="utf-8"))

    def test_example_has_every_kind_of_block(self) -> None:
        program = self.sound(EXAMPLE.read_text(encoding="utf-8"))
        used = {
            each.config.WORD for blocks in (program.sources, program.streams) for each in blocks.values() if each.config
        }
        wanted = {word for kind, word in BLOCKS if kind in (BlockKind.SOURCE, BlockKind.STREAM)}
        self.assertEqual(used, wanted)
        self.assertLess({"PhysicalRib", "VirtualRib", "BgpConnector", "BmpConnector", "MrtConnector", "RtrConnector",
                         "JsonConnector"}, {unit.config.WORD for unit in program.units.values()})  # fmt: skip

    def test_example_has_the_canonical_layout(self) -> None:
        words = EXAMPLE.read_text(encoding="utf-8")
        self.assertEqual(formatted(Source("edge.blocks", words)), words)
