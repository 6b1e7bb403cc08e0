"""Every error of the checker once, with its place; and all errors of a file in one go."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rotonda.blocks.check import check
from rotonda.blocks.places import Source
from twisted.trial.unittest import SynchronousTestCase

MISTAKES = Path(__file__).with_name("mistakes.txt")

MRT = 'unit mrt: MrtConnector with config { files: ["a"] };\n'
RIB = "unit rib: PhysicalRib with config {};\n"


def graph(paths: str) -> str:
    """An instance with this graph."""
    return f"instance i: Daemon with config {{ graph: [{paths}] }};\n"


def told(text: str) -> list[str]:
    """What is said of a text, with its places, in the order of the text."""
    source = Source("test.blocks", text)
    lines = []
    for found in check(source)[1]:
        line, column = source.place(found.span.start)
        lines.append(f"{line}:{column} {'warning: ' if found.is_warning else ''}{found.message}")
    return lines


def mistakes() -> Iterator[tuple[str, list[str]]]:
    """The cases of `mistakes.txt`: texts, and what is to be said of each."""
    for case in MISTAKES.read_text(encoding="utf-8").split("\n\n")[1:]:
        lines = case.strip().splitlines()
        if not lines[0].startswith("=="):
            text = "".join(f"{line}\n" for line in lines if not line.startswith("!"))
            yield text, [line[2:] for line in lines if line.startswith("! ")]


class MessageTests(SynchronousTestCase):
    def test_each_mistake(self) -> None:
        tried = 0
        for text, expected in mistakes():
            tried += 1
            with self.subTest(text=text):
                self.assertEqual(told(text), expected)
        self.assertGreater(tried, 100)

    def test_limits_of_record_types(self) -> None:
        wide = f"type A {{ {', '.join(f'f{n}: U8' for n in range(256))} }}"
        self.assertEqual(told(wide), ["1:8 a record type of 256 fields; 255 are allowed"])
        many = f"type A {{ {', '.join(f'f{n}: U8' for n in range(200))} }}\n"
        many += f"type B {{ {', '.join(f'f{n}: [A]' for n in range(5))} }}"
        self.assertEqual(told(many), ["2:8 a record type of 1005 fields, those within it included"])
        deep = "".join(f"type A{n} {{ a: A{n + 1} }}\n" for n in range(20)) + "type A20 { a: U8 }"
        self.assertEqual(told(deep), ["20:15 types are within types more than 20 deep"])


class AllAtOnceTests(SynchronousTestCase):
    def test_errors_of_all_kinds(self) -> None:
        text = """type T { a: Asm }
unit mrt: MrtConnector with config { file: ["a"], speed: 7 };
unit rib: PhysicalRib with config { filter_map: keep, on_failure: MAYBE };
data-source s: Rib with config { related: mrt };
filter-map keep {
    define { rx route: Route; }
    apply { filter match route.med > "high" matching { accept; }; reject; }
}
instance i: Daemon with config { graph: [mrt -> ribs] };
"""
        self.assertEqual(
            told(text),
            [
                "1:13 there is no type Asm",
                "2:51 MrtConnector has no setting speed",
                "3:67 MAYBE cannot be meant",
                "7:38 this is of type String",
                "9:49 there is no ribs",
            ],
        )

    def test_expectation_and_hint(self) -> None:
        source = Source("test.blocks", MRT + RIB + graph("mrt -> ribb"))
        (found,) = check(source)[1]
        self.assertEqual((found.expected, found.hint), ("a unit", "did you mean rib?"))
        self.assertEqual(source.text[found.span.start : found.span.end], "ribb")

    def test_a_program_only_without_errors(self) -> None:
        self.assertIsNone(check(Source("test.blocks", RIB + graph("ribb")))[0])
        program = check(Source("test.blocks", MRT + RIB + graph("mrt -> rib")))[0]
        assert program is not None
        self.assertEqual(program.instances["i"].edges, (("mrt", "rib"),))
        self.assertEqual(list(program.units), ["mrt", "rib"])
