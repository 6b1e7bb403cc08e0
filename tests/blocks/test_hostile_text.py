"""Texts that nobody writes by mistake: told, not obeyed, in bounded time and memory."""

from __future__ import annotations

import time
import tracemalloc

from hypothesis import given, settings
from hypothesis import strategies as st
from rotonda.blocks import render
from rotonda.blocks.diagnostics import MOST_SHOWN, Complaints
from rotonda.blocks.format import CannotFormat, formatted
from rotonda.blocks.grammar import tables
from rotonda.blocks.parse import MOST_CHARACTERS, MOST_NESTED, MOST_WORDS, parse
from rotonda.blocks.places import Source
from twisted.trial.unittest import SynchronousTestCase

from tests.blocks import generated
from tests.blocks.trees import read, whole

MILLION = 1_000_000
SECONDS = 20
"""What a slow and busy computer may take for what is done in two at most."""

FLOODS = {
    "braces": "{" * MILLION,
    "settings": "unit a: T with config " + "{x:" * 300_000,
    "brackets": "x = " + "[" * MILLION,
    "calls": "x = " + "f(" * 400_000,
    "modules": "module a {" * 100_000,
    "negations": "x = " + "!" * MILLION,
    "fields": "x = a" + ".a" * 500_000,
    "conditions": "x = a" + "&&a" * 300_000,
    "closed": "}" * MILLION,
    "pairs": "{}" * 500_000,
    "semicolons": ";" * MILLION,
    "names": "a " * 500_000,
    "numbers": "1 " * 500_000,
    "strange": "@ " * 500_000,
    "quotes": '"' * MILLION,
    "escapes": '"\\' * 500_000,
    "single quotes": "'" * MILLION,
    "comments": "/*" * 500_000,
    "hashes": "#" * MILLION,
    "digits": "x = " + "9" * MILLION + ";",
    "colons": "x = " + ":" * MILLION + ";",
    "address": "x = " + "a:" * 500_000,
    "assignments": "x = a;" * 170_000,
    "list": "x = [" + "1," * 500_000 + "];",
    "record": "x = {" + "a:1 " * 250_000 + "};",
    "blocks": "unit a: T with config {\n" * 40_000,
    "placeholders": "<A>" * 300_000,
    "returns": "\r" * MILLION,
    "nothing": "\0" * MILLION,
    "lines": "\n" * MILLION,
    "bad texts": 'x = "\\q";\n' * 90_000,
    "too much": "x" * (50 << 20),
}


class FloodTests(SynchronousTestCase):
    def test_time_and_number_are_bounded(self) -> None:
        tables()
        for name, text in FLOODS.items():
            with self.subTest(name=name):
                began = time.monotonic()
                _, found = read(text)
                shown = render.text(Source("x", text), found)
                self.assertLess(time.monotonic() - began, SECONDS)
                self.assertLessEqual(len(found), MOST_SHOWN + 1)
                self.assertEqual(bool(found), name != "lines")
                self.assertLess(len(shown), 500_000)

    def test_memory_is_bounded(self) -> None:
        for name in ("assignments", "digits"):
            with self.subTest(name=name):
                tracemalloc.start()
                self.addCleanup(tracemalloc.stop)
                read(FLOODS[name])
                self.assertLess(tracemalloc.get_traced_memory()[1], 150 << 20)
                tracemalloc.stop()

    def test_limits_are_told(self) -> None:
        for text, message in [
            ("x" * (MOST_CHARACTERS + 1), f"this file is too large: {MOST_CHARACTERS + 1} characters"),
            ("x=1;" * MOST_WORDS, f"this file is too long: more than {MOST_WORDS} words"),
            ("x = " + "(" * (MOST_NESTED + 1) + "1", f"this is nested more than {MOST_NESTED} deep"),
            ("x = a" + " || a" * (MOST_NESTED + 1) + ";", f"this is nested more than {MOST_NESTED} deep"),
        ]:
            self.assertEqual([one.message for one in read(text)[1]], [message])

    def test_what_is_allowed_within_them(self) -> None:
        whole("x = " + "(" * MOST_NESTED + "1" + ")" * MOST_NESTED + ";")
        whole("x = a" + " || a" * MOST_NESTED + ";" + " y = [" + "a.b, " * 1000 + "];")
        rule = "filter match a.b && c matching { accept; }\n"
        whole("filter f { apply {" + rule * 200 + "} }")
        deep = "x = " + "{a:" * MOST_NESTED + "1" + "}" * MOST_NESTED + ";"
        self.assertEqual(formatted(Source("x", deep)).count("{"), MOST_NESTED)

    def test_what_was_read_before_is_there(self) -> None:
        file, found = read("unit a: T;\n" * 3 + "x = " + "[" * 1000)
        self.assertEqual((len(file.items), len(found)), (3, 1))


class HiddenTests(SynchronousTestCase):
    def test_everywhere(self) -> None:
        for character in "\0\x1b\x7f\x85\u200b\u200f\u202a\u202e\u2066\u2069\ufeff\U000e0041\ud800":
            for text in (
                f"x{character} = 1;",
                f'x = "{character}";',
                f"x = 1; // {character}",
                f"x = 1; /*{character}*/",
            ):
                with self.subTest(text=text):
                    _, found = read(text)
                    number = f"U+{ord(character):04X}"
                    message = f"the character {number} is not allowed: it would not be seen"
                    self.assertEqual([one.message for one in found], [message])
                    self.assertEqual(text[found[0].span.start : found[0].span.end], character)
                    with self.assertRaises(CannotFormat):
                        formatted(Source("x", text))

    def test_a_lone_return(self) -> None:
        _, found = read("x = 1; // hidden\ry = 2;")
        self.assertEqual(len(found), 1)

    def test_what_is_no_harm(self) -> None:
        self.assertEqual(len(whole('\ufeffx = 1;\r\n\ty = "h\u00e9 \u4f60 \U0001f600"; // \u00e9\r\n').items), 2)


PIECES = st.sampled_from(
    [*sorted(tables().words), "x", "T", "1", "AS1", "10.0.0.0/8", '"', "/*", "*/", "//", "\n", "'", "\\", "\0", "é"]
)


class AnyTextTests(SynchronousTestCase):
    def _survives(self, text: str) -> None:
        source = Source("x", text)
        complaints = Complaints(source)
        file = parse(source, complaints)
        for found in complaints.found:
            self.assertTrue(0 <= found.span.start <= found.span.end <= len(text))
        render.text(source, complaints.ordered(), colour=True)
        if not complaints.has_errors:
            formatted(source)
        self.assertLessEqual(len(complaints.found), MOST_SHOWN + 1)
        self.assertTrue(all(item.span.end <= len(text) for item in file.items))

    @settings(max_examples=300, deadline=None)
    @given(st.lists(PIECES, max_size=60))
    def test_words_in_any_order(self, pieces: list[str]) -> None:
        self._survives(" ".join(pieces))

    @settings(max_examples=200, deadline=None)
    @given(st.text(max_size=100))
    def test_any_text(self, text: str) -> None:
        self._survives(text)

    @settings(max_examples=150, deadline=None)
    @given(generated.files(), st.data())
    def test_one_word_too_few_or_too_many(self, items: list[list[str]], data: st.DataObject) -> None:
        words = [word for item in items for word in item]
        at = data.draw(st.integers(0, len(words)))
        self._survives(" ".join([*words[:at], *words[at + 1 :]]))
        self._survives(" ".join([*words[:at], data.draw(PIECES), *words[at:]]))
