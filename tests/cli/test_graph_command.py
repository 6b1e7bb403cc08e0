"""`rotonda graph`: pictures of the wiring, as text and as SVG."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

from rotonda.blocks.check import check
from rotonda.blocks.places import Source
from rotonda.blocks.wiring import Layout, layout
from rotonda.blocks.wiring_text import drawn
from twisted.trial.unittest import SynchronousTestCase

from tests.blocks.test_check import MRT, RIB, graph
from tests.cli.runs import rotonda
from tests.cli.test_check_command import EXAMPLE

SPLIT = "unit bgp: BgpConnector with config {};\n" + RIB + graph("bgp -> rib -> bgp")
SVG = "{http://www.w3.org/2000/svg}"


def laid_out(text: str, name: str = "i") -> Layout:
    program, found = check(Source("test.blocks", text))
    assert program is not None, found
    return layout(program, program.instances[name])


class LayoutTests(SynchronousTestCase):
    def test_from_west_to_east(self) -> None:
        """Every edge leads to the next column, over bends where there are columns between."""
        for name in ("west", "core"):
            found = laid_out(EXAMPLE.read_text(encoding="utf-8"), name)
            for way in found.ways:
                columns = [found.place(number).column for number in way]
                self.assertEqual(columns, list(range(columns[0], columns[0] + len(way))))

    def test_nothing_stands_on_something_else(self) -> None:
        found = laid_out(EXAMPLE.read_text(encoding="utf-8"), "west")
        places = [(place.column, place.row) for place in (*found.places, *found.bends.values())]
        self.assertEqual(len(places), len(set(places)))

    def test_a_chain_is_straight(self) -> None:
        units = "".join(f"unit u{n}: PhysicalRib with config {{}};\n" for n in range(5))
        found = laid_out(units + graph(" -> ".join(f"u{n}" for n in range(5))))
        self.assertEqual([(place.column, place.row) for place in found.places], [(n, 0) for n in range(5)])

    def test_a_connector_at_both_ends_is_two(self) -> None:
        found = laid_out(SPLIT)
        self.assertEqual([(node.name, node.half.value) for node in found.nodes],
                         [("bgp", "west half"), ("bgp", "east half"), ("rib", "")])  # fmt: skip
        self.assertEqual([place.column for place in found.places], [0, 2, 1])

    def test_a_way_past_others_has_bends(self) -> None:
        found = laid_out(MRT + RIB + "unit b: PhysicalRib with config {};\n" + graph("mrt -> rib -> b, mrt -> b"))
        self.assertEqual(sorted(map(len, found.ways)), [2, 2, 3])


class TextTests(SynchronousTestCase):
    def test_boxes_and_lines(self) -> None:
        words = MRT + RIB + "unit b: VirtualRib with config {};\n" + graph("mrt -> rib, mrt -> b")
        self.assertEqual(drawn(laid_out(words)), """instance i

┌──────────────┐             ┌─────────────┐
│ mrt          ├─Route───┐   │ rib         │
│ MrtConnector │         ├───> PhysicalRib │
└──────────────┘         │   └─────────────┘
                         │
                         │   ┌─────────────┐
                         │   │ b           │
                         └───> VirtualRib  │
                             └─────────────┘
""")  # fmt: skip

    def test_every_unit_and_every_instance(self) -> None:
        ran = rotonda("graph", str(EXAMPLE))
        self.assertEqual((ran.status, ran.err), (0, ""))
        for words in ("instance west", "instance core", "best-cache", "west.rib-in", "PhysicalRib over Rotoro"):
            self.assertIn(words, ran.out)
        self.assertNotRegex(ran.out, "[\x00-\x09\x0b-\x1f\x7f]")

    def test_one_instance(self) -> None:
        ran = rotonda("graph", str(EXAMPLE), "--instance", "core", "--text")
        self.assertEqual(re.findall("instance .*", ran.out), ["instance core"])

    def test_a_large_graph_is_a_list(self) -> None:
        units = "".join(f"unit u{n}: PhysicalRib with config {{}};\n" for n in range(400))
        listed = drawn(laid_out(units + graph(", ".join(f"u0 -> u{n}" for n in range(1, 400)))))
        self.assertIn("u0: PhysicalRib -> u1, u2", listed)
        self.assertIn("\nu399: PhysicalRib\n", listed)


class SvgTests(SynchronousTestCase):
    def test_what_is_in_it(self) -> None:
        path = Path(self.mktemp())
        self.assertEqual(rotonda("graph", str(EXAMPLE), "--svg", str(path)), (0, "", ""))
        picture = ElementTree.fromstring(path.read_text(encoding="utf-8"))
        texts = {text.text for text in picture.iter(f"{SVG}text")}
        self.assertLessEqual({"instance west", "instance core", "rib-in", "west.rib-in", "VirtualRib", "Vrp"}, texts)
        boxes = [box for box in picture.iter(f"{SVG}rect") if "box" in box.attrib["class"]]
        self.assertEqual(len(boxes), 13)
        kinds = [line.attrib["class"] for line in picture.iter(f"{SVG}path") if "class" in line.attrib]
        self.assertEqual((kinds.count("edge"), kinds.count("edge link")), (10, 1))

    def test_boxes_are_in_the_picture(self) -> None:
        picture = ElementTree.fromstring(rotonda("graph", str(EXAMPLE), "--svg", "-").out)
        width, height = int(picture.attrib["width"]), int(picture.attrib["height"])
        for box in picture.iter(f"{SVG}rect"):
            x, y, wide, high = (int(box.attrib[name]) for name in ("x", "y", "width", "height"))
            self.assertTrue(x >= 0 and x + wide <= width and y >= 0 and y + high <= height)

    def test_nothing_from_elsewhere(self) -> None:
        out = rotonda("graph", str(EXAMPLE), "--svg", "-").out
        self.assertNotRegex(out.replace("http://www.w3.org/2000/svg", ""), "https?:|<script|href")


class MistakeTests(SynchronousTestCase):
    def test_a_wrong_file(self) -> None:
        ran = rotonda("graph", "-", given=(RIB + graph("ribb")).encode())
        self.assertEqual((ran.status, ran.out), (2, ""))
        self.assertIn("did you mean rib?", ran.err)

    def test_an_unknown_instance(self) -> None:
        ran = rotonda("graph", str(EXAMPLE), "--instance", "wst")
        expected = "rotonda: there is no instance wst; there are: west, core; did you mean west?\n"
        self.assertEqual(ran, (2, "", expected))

    def test_no_instance(self) -> None:
        self.assertEqual(rotonda("graph", "-", given=RIB.encode()), (2, "", "rotonda: there is no instance\n"))

    def test_where_nothing_can_be_written(self) -> None:
        ran = rotonda("graph", str(EXAMPLE), "--svg", "/nowhere/x.svg")
        self.assertEqual(ran, (2, "", "rotonda: /nowhere/x.svg: No such file or directory\n"))
