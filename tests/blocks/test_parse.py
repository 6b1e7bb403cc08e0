"""From text to tree: every form of the language, and every mistake of a file told in one go."""

from __future__ import annotations

import doctest
import re
import sys
from types import ModuleType
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from rotonda.blocks import characters, expected, grammar, literals, syntax
from rotonda.blocks.syntax import BlockKind, Direction, Operator, Quantifier, RangeKind
from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.blocks import generated
from tests.blocks.trees import read, whole, without_places
from tests.data import ROOT

SEED = ROOT.parent / "shared" / "seeds" / "004_91f54b304f6ad027.txt"


def seed_blocks() -> list[str]:
    """The examples that the language was first described by, with something in place of what is to be filled in."""
    if not SEED.is_file():
        raise SkipTest("the first description does not lie beside this checkout")
    filled = SEED.read_text(encoding="utf-8").replace("<HOSTNAME>", '"localhost"').replace("<PORT>", "1883")
    return re.findall(r"```\n(.*?)```", filled, re.DOTALL)


def only(text: str) -> Any:
    """The one item of a file."""
    (item,) = whole(text).items
    return item


def expression(text: str) -> Any:
    """A value, without places."""
    return without_places(only(f"x = {text};").value)


class SeedTests(SynchronousTestCase):
    def test_every_example(self) -> None:
        numbers = [len(whole(block).items) for block in seed_blocks()]
        self.assertEqual(numbers, [4, 2, 1, 1, 2, 1])

    def test_all_in_one(self) -> None:
        self.assertEqual(len(whole("\n".join(seed_blocks())).items), 11)

    def test_all_in_a_module(self) -> None:
        module = only("module x {" + "\n".join(seed_blocks()) + "}")
        self.assertEqual(len(module.items), 11)
        self.assertEqual(without_places(module.items), without_places(whole("\n".join(seed_blocks())).items))

    def test_what_is_in_it(self) -> None:
        blocks = {item.name.text: item for item in whole("\n".join(seed_blocks())).items}
        rib = blocks["rib-in"]
        self.assertIsInstance(rib, syntax.Block)
        assert isinstance(rib, syntax.Block)
        assert rib.config is not None
        assert rib.config.reference is not None
        self.assertEqual((rib.kind, rib.type, rib.config.reference.text), (BlockKind.UNIT, None, "rib-in-config"))
        instance = blocks["rotonda-1"]
        assert isinstance(instance, syntax.Block)
        assert instance.config is not None
        assert instance.config.record is not None
        graph = instance.config.record.fields[0].value
        assert isinstance(graph, syntax.List)
        self.assertEqual([len(path.items) for path in graph.items if isinstance(path, syntax.Chain)], [5, 2])


class FormTests(SynchronousTestCase):
    def test_a_filter(self) -> None:
        filter = only(
            """filter-map peer: FilterMap with asn: Asn, others: [Asn] {
                define { rx route: Route; tx out: Out; use mod.ds as data; found = data.find(asn); }
                term good for route: Route with p: Prefix {
                    match { found.matches; !(a && b) || c not in d; }
                    match message with { Up(m) -> m.is_ipv6, Down -> { a; b; } _ -> true }
                }
                action mark { route.local-pref.set(200); tag = 5; helper(1); }
                apply {
                    filter exactly-one good(p) not in x matching { mark; return accept; } not matching { reject; };
                    filter match good { matching { accept; } }
                    match message with { Up(m) | guard(m) -> { accept; }, _ -> { return reject; } };
                    accept;
                }
            }"""
        )
        self.assertEqual((filter.keyword, filter.name.text, filter.type.text), ("filter-map", "peer", "FilterMap"))
        self.assertEqual(
            [(one.name.text, one.type.is_list) for one in filter.arguments], [("asn", False), ("others", True)]
        )
        rx, tx, use, found = filter.define.declarations
        self.assertEqual([rx.direction, tx.direction], [Direction.RX, Direction.TX])
        self.assertEqual((use.source.text, use.alias.text, found.name.text), ("mod.ds", "data", "found"))
        (term,) = filter.terms
        self.assertEqual((term.subject.type.name.text, term.arguments[0].name.text), ("Route", "p"))
        asked, by_variant = term.bodies
        self.assertEqual(asked.quantifier, Quantifier.MATCH)
        self.assertEqual([len(case.conditions) for case in by_variant.cases], [1, 2, 1])
        self.assertIsNone(by_variant.cases[2].variant.name)
        (action,) = filter.actions
        self.assertEqual([type(one) for one in action.statements], [syntax.Call, syntax.Assignment, syntax.Call])
        first, second, variants, last = filter.apply.steps
        self.assertEqual((first.quantifier, first.condition.operator), (Quantifier.EXACTLY_ONE, Operator.NOT_IN))
        self.assertEqual([branch.matching for branch in first.branches], [True, False])
        self.assertEqual([type(step) for step in first.branches[0].steps], [syntax.Do, syntax.Verdict])
        self.assertEqual(len(second.branches), 1)
        self.assertIsInstance(variants.cases[0].guard, syntax.Call)
        self.assertEqual((last.accept, last.returns), (True, False))

    def test_sections_may_stand_in_any_order(self) -> None:
        filter = only("filter a { apply { accept; } term t { match { x; } } define { rx r: T; } }")
        self.assertTrue(filter.define and filter.apply and filter.terms)

    def test_keywords_are_names_where_they_cannot_be_keywords(self) -> None:
        for word in sorted(grammar.tables().words):
            if re.fullmatch(r"[a-z][a-z_-]*", word):
                with self.subTest(word=word):
                    block = only(f"unit u: T with config {{ {word}: 1, a: x.{word}, {word} = x.{word}(1) }};")
                    fields = block.config.record.fields
                    self.assertEqual([field.name.text for field in fields], [word, "a", word])

    def test_how_settings_are_separated_means_nothing(self) -> None:
        forms = ["a: 1, b: [2], c: X", "a = 1; b = [2,]; c = X;", "a: 1 b: [2] c: X", "a: 1 // one\nb = [2]\n\tc: X,"]
        trees = [expression(f"{{ {form} }}") for form in forms]
        self.assertEqual(trees, trees[:1] * len(forms))

    def test_prefix_ranges(self) -> None:
        for words, kind, low, high in [
            ("exact", RangeKind.EXACT, None, None),
            ("longer", RangeKind.LONGER, None, None),
            ("orlonger", RangeKind.OR_LONGER, None, None),
            ("upto /28", RangeKind.UP_TO, None, 28),
            ("upto 28", RangeKind.UP_TO, None, 28),
            ("through /24", RangeKind.THROUGH, None, 24),
            ("prefix-length-range /20-/24", RangeKind.LENGTHS, 20, 24),
            ("prefix-length-range 20 - 24", RangeKind.LENGTHS, 20, 24),
        ]:
            with self.subTest(words=words):
                found = only(f"x = 10.0.0.0/8 {words};").value
                self.assertEqual((found.kind, found.low, found.high), (kind, low, high))
        self.assertEqual(only("x = 10.0.0.0/8 netmask 255.0.0.255;").value.netmask.text, "255.0.0.255")
        self.assertEqual(only("x = 10.0.0.0/8 through 10.1.0.0/16;").value.through.text, "10.1.0.0/16")

    def test_precedence(self) -> None:
        for bare, bracketed in [("a || b && c", "a || (b && c)"), ("!a == b && c", "(!(a == b)) && c"),
                                ("a && b || c && d", "(a && b) || (c && d)")]:  # fmt: skip
            with self.subTest(bare=bare):
                trees = [re.sub(r"\('parenthesised', \w+\)", "", str(expression(text))) for text in (bare, bracketed)]
                self.assertEqual(*trees)
        self.assertTrue(only("x = a && (b || c);").value.right.parenthesised)

    def test_names_with_hyphens(self) -> None:
        self.assertEqual(
            [one.name.text for one in only("x = [as-path->b-2];").value.items[0].items], ["as-path", "b-2"]
        )

    def test_spans(self) -> None:
        text = "/* first */ unit rib-in: VirtualRib with config { filter: a.b };"
        block = only(text)
        for node, shown in [(block, text[12:]), (block.name, "rib-in"), (block.type, "VirtualRib"),
                            (block.config.record.fields[0], "filter: a.b"),
                            (block.config.record.fields[0].value, "a.b")]:  # fmt: skip
            self.assertEqual(text[node.span.start : node.span.end], shown)

    def test_other_forms(self) -> None:
        self.assertEqual(only("output-stream s contains M { a: String }").contains.type.text, "M")
        self.assertEqual(only("type M { a: [Asn] };").record.fields[0].name.text, "a")
        self.assertIsNone(only("unit u: T;").config)
        self.assertEqual(whole("").items, ())
        self.assertEqual(whole("\ufeff// nothing\r\n").items, ())

    def test_examples_in_the_code(self) -> None:
        for module in (characters, expected, literals):
            self.assertEqual(doctest.testmod(module).failed, 0)
            self.assertGreater(doctest.testmod(module).attempted, 0)


class MistakeTests(SynchronousTestCase):
    """Where, what, what was expected, a hint; and which blocks are there all the same."""

    def _check(self, text: str, *told: tuple[str, str, str, str], there: str = "", broken: str = "") -> None:
        file, found = read(text)
        with self.subTest(text=text):
            shown = [(text[one.span.start : one.span.end], one.message, one.expected, one.hint) for one in found]
            self.assertEqual(shown, list(told))
            self.assertEqual([item.name.text for item in file.items], there.split())
            self.assertEqual(" ".join(file.broken), broken)

    def test_what_is_missing(self) -> None:
        self._check("unit a: T\nunit b: T;", ("", "';' is missing before 'unit'", "';' or 'with'", ""), there="a b")
        self._check(
            "unit a: T with c { port 1, q: [1 2] };",
            ("", "':' is missing before '1'", "':' or '='", ""),
            ("", "',' is missing before '2'", "',' or ']'", ""),
            there="a",
        )
        self._check(
            "filter x { term a { match { a } } }", ("", "';' is missing before '}'", "';'", ""), there="x"
        )  # fmt: skip
        self._check(
            "filter x { term a { match { } } }", ("}", "a condition is missing here", "a condition", ""), there="x"
        )  # fmt: skip

    def test_misspelt_keywords(self) -> None:
        self._check(
            "filter x { trem a { match { a; } } apply { filter match a machting { accept; } } }",
            ("trem", "unexpected 'trem'", "'action', 'apply', 'define', 'term' or '}'", "did you mean term?"),
            ("machting", "unexpected 'machting'", "'matching' or 'not'", "did you mean matching?"),
            there="x",
        )
        self._check("unti a: T;", ("a", "unexpected 'a'", "'='", "did you mean unit?"), broken="a")
        self._check("filter map x { } unit b: T;",
                    ("x", "unexpected 'x'", "':', 'for', 'with' or '{'", "filter-map is one word"),
                    there="b", broken="map")  # fmt: skip

    def test_other_languages(self) -> None:
        self._check("x = a and b;", ("and", "unexpected 'and'", "';'", "did you mean &&?"), there="x")
        self._check("x = a & b;", ("&", "'&' means nothing here", "", "did you mean &&?"), there="x")
        self._check("x = -1;", ("-", "unexpected '-'", "a value", "there are no numbers below zero"), broken="x")
        self._check("x = 'a';", ("'a'", "texts stand in double quotes", "'\"'", ""), there="x")
        self._check("# no\nx = 1;", ("#", "'#' means nothing here", "", "comments begin with //"), there="x")
        capital = "types begin with a capital letter, all other names with a small one"
        self._check("unit a: t;", ("t", "unexpected 't'", "a type", capital), there="a")
        self._check("unit a: T with c { h: <HOST> };",
                    ("<HOST>", "a value is missing in place of <HOST>", "a value", ""), there="a")  # fmt: skip
        self._check("x = 1;; y = 2;", (";", "unexpected ';'", "a block, an assignment or the end of the file", ""),
                    there="x y")  # fmt: skip

    def test_what_is_written_elsewhere(self) -> None:
        """Only the hints: the rest is as with other mistakes."""
        for text, hint in (
            ("x = 10.0.0.0/8+;", "a prefix with all that it covers is written `192.0.2.0/24 orlonger`"),
            ("x = 10.0.0.0/8{8,24};", "lengths are written `prefix-length-range /8-/24`, or upto /24"),
            ("x = a 10.0.0.0/8;", "ranges are asked with 'in': prefix in 192.0.2.0/24 orlonger"),
            ("x = 10.0.0.0/8 or-longer;", "did you mean orlonger?"),
            ("x = a in 1..5;", "there are no ranges of numbers: compare with >= and <="),
            ("x = Community.NO_EXPORT;", "constants of types are written Type::NO_EXPORT, or NO_EXPORT alone"),
            ("x = 2024-01-01;", 'moments are written as texts, "2026-01-31T12:00:00Z"'),
            ("x = AS1:2;", "communities are written 1:1"),
            ("x = a.b[0];", "items of lists are asked for by .first(), .last() and .contains(...)"),
            ("x = not a;", "'not' before a condition is written !"),
            (
                "x = a ~ b;",
                "there are no patterns in this language: ask contains(...), starts_with(...), first(), last()",
            ),
            ("filter x { apply { match a { accept; } } }", "rules are written 'filter match TERM matching { ... };'"),
            ("filter x { apply { filter a matching { } } }", "rules are written 'filter match TERM matching { ... };'"),
            ("filter x { action a { return accept; } }", "actions decide nothing: verdicts stand in rules"),
            ("filter x { action a { r.med = 5; } }", "fields are changed by .set(...)"),
        ):
            with self.subTest(text=text):
                self.assertIn(hint, [one.hint for one in read(text)[1]])

    def test_misspelt_words_within_values(self) -> None:
        """They stand for what was meant."""
        for text in ("x = 10.0.0.0/8 or-longer;", "filter x { apply { filter matchs a matching { accept; } } }",
                     "filter x { term a { al { b; } } }"):  # fmt: skip
            self._check_one(text)

    def _check_one(self, text: str) -> None:
        file, found = read(text)
        self.assertEqual(([item.name.text for item in file.items], len(found)), (["x"], 1), text)

    def test_brackets(self) -> None:
        never = "this '{' is never closed"
        self._check("unit a: T with c {\n x: { y: 1,\n};\nunit b: T;", ("{", never, "'}'", ""), there="b", broken="a")
        self._check("filter a {\n term t {\n  match { x; }\n}\nfilter b { }", ("{", never, "'}'", ""),
                    there="b", broken="a")  # fmt: skip
        self._check("x = f(1, 2; y = 3;", ("(", "this '(' is never closed", "')'", ""), there="x y")
        self._check("x = [1, 2; y = 3;", ("[", "this '[' is never closed", "']'", ""), there="x y")
        self._check("x = 1; } y = 2;", ("}", "'}' closes nothing", "", ""), there="x y")
        self._check("x = 1; unit y: T with c { a: 1", ("{", never, "'}'", ""), there="x", broken="y")

    def test_the_unclosed_bracket_is_the_one_that_is_told(self) -> None:
        text = "unit a: T with c {\n x: 1,\n};\nunit b: T with c {\n y: 2,\n\nunit d: T with c { };\n"
        _, found = read(text)
        self.assertEqual([text.count("\n", 0, one.span.start) for one in found], [3])

    def test_texts_and_comments(self) -> None:
        self._check('unit a: T with c { x: "abc\n, y: 1 };',
                    ('"', "this text never ends", "'\"' in the same line", ""), there="a")  # fmt: skip
        self._check("x = 1; /* never", ("/*", "this comment never ends", "'*/'", ""), there="x")

    def test_all_in_one_go(self) -> None:
        self._check(
            "unit a: T with c { x: , y: 1 };\nunit b: T;\n"
            "filter c { term t { match { a b; } } action u { d e; } }\nx = 1;",
            (",", "unexpected ','", "a value", ""),
            ("b", "unexpected 'b'", "';'", ""),
            ("e", "unexpected 'e'", "';' or '='", ""),
            there="b x",
            broken="a c",
        )

    def test_blocks_beside_a_broken_one_in_a_module(self) -> None:
        file, found = read("module m { unit a: T; unit b: ; unit c: T; } unit d: T;")
        module = file.items[0]
        assert isinstance(module, syntax.Module)
        self.assertEqual([item.name.text for item in module.items], ["a", "c"])
        self.assertEqual((len(file.items), len(found), file.broken), (2, 1, ("b",)))

    def test_twice(self) -> None:
        _, found = read("filter a { define { } define { } apply { } }")
        self.assertEqual([one.message for one in found], ["a filter has one 'define' only"])


class RecoveryTests(SynchronousTestCase):
    @settings(max_examples=60, deadline=None)
    @given(
        st.lists(generated.items(), min_size=1, max_size=3),
        st.sampled_from(
            ["unit broken: ;", "filter broken { term { } }", "broken = = 1;", "unit broken: T with c { 1 };"]
        ),
        st.data(),
    )
    def test_a_broken_block_hides_no_other(self, items: list[list[str]], bad: str, data: st.DataObject) -> None:
        texts = [generated.plain(item) for item in items]
        alone = [without_places(item) for text in texts for item in whole(text).items]
        at = data.draw(st.integers(0, len(texts)))
        file, found = read("\n".join([*texts[:at], bad, *texts[at:]]))
        self.assertEqual([without_places(item) for item in file.items], alone)
        self.assertEqual((len(found), file.broken), (1, ("broken",)), found)


class TableTests(SynchronousTestCase):
    """The derived tables only save time."""

    def _with_module(self, **names: object) -> grammar.Tables:
        module = ModuleType("rotonda.blocks._tables")
        vars(module).update(names)
        self.patch(sys, "modules", {**sys.modules, "rotonda.blocks._tables": module})
        return grammar.tables.__wrapped__()  # not what was read before

    def test_derived_module(self) -> None:
        names: dict[str, Any] = {}
        exec(grammar.derived_module(), names)
        self.assertEqual(names["GRAMMAR"], grammar.GRAMMAR)
        self.assertEqual(self._with_module(GRAMMAR=names["GRAMMAR"], TABLES=names["TABLES"]), grammar.compiled())

    def test_one_of_another_grammar_is_not_used(self) -> None:
        self.assertEqual(self._with_module(GRAMMAR="start:", TABLES=b"{}"), grammar.compiled())

    def test_a_damaged_one_is_not_used(self) -> None:
        for damaged in (b"", b"{}", b"[]"):
            self.assertEqual(self._with_module(GRAMMAR=grammar.GRAMMAR, TABLES=damaged), grammar.compiled())
        self.assertEqual(self._with_module(), grammar.compiled())

    def test_what_this_checkout_has_is_current(self) -> None:
        self.assertEqual(grammar.tables(), grammar.compiled())
