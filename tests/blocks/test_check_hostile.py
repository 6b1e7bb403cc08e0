"""Files that mean harm, and files that went wrong somehow: an answer in bounded time, never an exception."""

from __future__ import annotations

import random
import re
from time import process_time

from hypothesis import given, settings
from hypothesis import strategies as st
from rotonda.blocks.check import check
from rotonda.blocks.diagnostics import MOST_SHOWN, Diagnostic
from rotonda.blocks.places import Source
from rotonda.blocks.render import text
from twisted.trial.unittest import SynchronousTestCase

from interop.bench.checking import long_file
from tests.blocks import generated
from tests.blocks.test_check import MRT, RIB, graph, told
from tests.blocks.test_check_seed import EXAMPLE

SLOW = 20.0
"""Seconds that nothing here may take, on any machine."""
WORDS = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*|[0-9][^\s,;{}()\[\]]*|\"[^\"]*\"|\s+|.", re.DOTALL)
PIECES = (
    *"{}[]();:,.=!<>|&-/\"'\\\n\x00\u202e\ufeff", "->", "::", "with", "config", "filter", "filter-map", "module",
    "unit",
    "instance", "use", "rx", "tx", "rx_tx", "match", "matching", "not", "in", "accept", "return", "/24", "10.0.0.0/8",
    "AS0", "AS4294967296", "18446744073709551616", "0.0.0.0:70000", "HOURS(1)", "Route", "Route::prefix", "rib-in",
    "west", "core", "policy", "our-asn", "FILTER.none", "null", "\"", "/*", "//", "\u00e9",
)  # fmt: skip


def checked(words: str) -> list[Diagnostic]:
    """What is said of a text; that it can be shown is tried, too."""
    source = Source("test.blocks", words)
    program, found = check(source)
    text(source, found)
    assert (program is None) == any(not each.is_warning for each in found)
    return found


class SizeTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.began = process_time()

    def tearDown(self) -> None:
        self.assertLess(process_time() - self.began, SLOW)

    def test_ten_thousand_units(self) -> None:
        words = "".join(f"unit u{n}: PhysicalRib with config {{}};\n" for n in range(10_000))
        self.assertEqual({each.is_warning for each in checked(words)}, {True})

    def test_ten_thousand_unknown_names(self) -> None:
        words = "".join(f"unit u{n}: PhysicalRib with x{n};\n" for n in range(10_000))
        errors = told(words)
        self.assertEqual(len(errors), MOST_SHOWN + 1)
        self.assertEqual(errors[-1], "101:29 this is one mistake too many: the rest of the file is not checked")

    def test_duplicate_names(self) -> None:
        self.assertEqual(len(told("unit a: PhysicalRib with config {};\n" * 10_000)), MOST_SHOWN + 1)

    def test_a_long_chain_of_units(self) -> None:
        units = "".join(f"unit u{n}: PhysicalRib with config {{}};\n" for n in range(8000))
        chain = " -> ".join(f"u{n}" for n in range(8000))
        self.assertEqual(told(units + graph(chain)), ["8001:42 warning: u0 has nothing west of it and stays empty"])

    def test_a_long_way_round(self) -> None:
        units = "".join(f"unit u{n}: PhysicalRib with config {{}};\n" for n in range(8000))
        chain = " -> ".join(f"u{n % 8000}" for n in range(8001))
        (found,) = [each for each in checked(units + graph(chain)) if not each.is_warning]
        self.assertLess(len(found.message), 200)

    def test_a_dense_graph(self) -> None:
        units = "".join(f"unit u{n}: PhysicalRib with config {{}};\n" for n in range(200))
        pairs = [(west, east) for east in range(200) for west in range(east)]
        self.assertEqual(len(checked(units + graph(", ".join(f"u{a} -> u{b}" for a, b in pairs)))), 1)
        back = ", ".join(f"u{b} -> u{a}" for a, b in pairs)
        self.assertEqual(len(told(units + graph(back + ", u0 -> u199"))), 10)

    def test_a_hundred_thousand_edges(self) -> None:
        words = MRT + RIB + graph(", ".join(["mrt -> rib"] * 100_000))
        self.assertRegex(told(words)[0], "3:.* this file is too long: more than 100000 words|too large")

    def test_deep_modules(self) -> None:
        deep = "".join(f"module m{n} {{\n" for n in range(90)) + RIB + "}\n" * 90
        self.assertEqual(len(checked(deep)), 1)
        self.assertIn("nested more than", told("module m {\n" * 10_000)[0])

    def test_types_that_grow(self) -> None:
        doubling = "".join(f"type A{n} {{ a: A{n + 1}, b: A{n + 1} }}\n" for n in range(19)) + "type A19 { a: U8 }\n"
        self.assertIn("those within it included", told(doubling)[0])
        chain = "".join(f"type A{n} {{ a: A{n + 1} }}\n" for n in range(10_000))
        self.assertTrue(told(chain))

    def test_values_that_grow(self) -> None:
        words = "".join(f"x{n} = [x{n + 1}, x{n + 1}];\n" for n in range(60)) + "x60 = 1;\n"
        users = (
            "unit a: MrtConnector with config { files: x0 };\nfilter f { define { rx r: Route; } apply { filter match"
        )
        self.assertTrue(told(words + users + " r.peer_asn in x0 matching { accept; }; } }"))

    def test_numbers_out_of_range(self) -> None:
        words = 'unit a: JsonConnector with config { file: "x", preference: NUMBER, max_age: WEEKS(NUMBER) };'
        for number in (
            "18446744073709551615",
            "9" * 30,
            "9" * 5000,
            "1e999",
            "1.5",
            "-1",
            "0x" + "f" * 16,
            "0x" + "f" * 99,
        ):
            with self.subTest(number=number[:30]):
                self.assertTrue(checked(words.replace("NUMBER", number)))

    def test_many_filters(self) -> None:
        words = "".join(f"filter f{n} {{ define {{ rx r: Route; }} }}\n" for n in range(7000))
        self.assertTrue(checked(words))

    def test_a_long_file(self) -> None:
        self.assertEqual(checked(long_file(2000)), [])


class BrokenTests(SynchronousTestCase):
    """Nothing that is done to a file makes the checker fail."""

    @settings(max_examples=60, deadline=None)
    @given(st.text(max_size=300))
    def test_any_text(self, words: str) -> None:
        checked(words)

    @settings(max_examples=60, deadline=None)
    @given(generated.texts())
    def test_made_up_files(self, words: str) -> None:
        checked(words)

    @settings(max_examples=60, deadline=None)
    @given(st.randoms(use_true_random=False), st.integers(1, 6))
    def test_changed_words(self, chance: random.Random, changes: int) -> None:
        words = WORDS.findall(EXAMPLE.read_text(encoding="utf-8"))
        for _ in range(changes):
            at = chance.randrange(len(words))
            kind = chance.randrange(4)
            if kind == 0:
                del words[at]
            elif kind == 1:
                words.insert(at, chance.choice(PIECES))
            else:
                words[at] = chance.choice(PIECES if kind == 2 else words)
        checked("".join(words))

    @settings(max_examples=40, deadline=None)
    @given(st.randoms(use_true_random=False), st.integers(1, 10))
    def test_changed_characters(self, chance: random.Random, changes: int) -> None:
        words = list(EXAMPLE.read_text(encoding="utf-8"))
        for _ in range(changes):
            words[chance.randrange(len(words))] = chr(
                chance.choice((chance.randrange(32, 127), chance.randrange(0x3000)))
            )
        checked("".join(words))

    @settings(max_examples=30, deadline=None)
    @given(st.randoms(use_true_random=False))
    def test_cut_off(self, chance: random.Random) -> None:
        words = EXAMPLE.read_text(encoding="utf-8")
        checked(words[chance.randrange(len(words)) :])
        checked(words[: chance.randrange(len(words))])
