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


class FilesOfStreamsTests(SynchronousTestCase):
    def test_a_file_is_of_one_stream(self) -> None:
        """Two that write records to one would mix them; several logs may share theirs."""
        words = """
        output-stream one: FIRST;
        output-stream two: SECOND;
        filter-map f {
            define { rx_tx route: Route; }
            action a { one.send({ message: "1" }); two.send({ message: "2" }); }
            apply { a; accept; }
        }
        unit mrt: MrtConnector with config { files: ["a"] };
        unit rib: PhysicalRib with config { filter_map: f };
        instance i: Daemon with config { graph: [mrt -> rib] };
        """
        file = 'File with config { path: "PATH", rx: NAME { message: String } }'
        log = 'Log with config { target: FILE, file: "PATH" }'
        same = ["two writes to the file of one"]
        for first, second, paths, expected in (
            (file, file, ("a.jsonl", "./a.jsonl"), same), (file, file, ("a.jsonl", "b.jsonl"), []),
            (file, log, ("a", "a"), same), (log, file, ("a", "a"), same), (log, log, ("a", "a"), []),
        ):  # fmt: skip
            with self.subTest(first=first, second=second, paths=paths):
                text = words.replace("FIRST", first.replace("PATH", paths[0]).replace("NAME", "One"))
                text = text.replace("SECOND", second.replace("PATH", paths[1]).replace("NAME", "Two"))
                self.assertEqual([each.message for each in check(Source("test.blocks", text))[1]], expected)
