"""Generated questions: they say what the interpreter says, and no word of an operator gets into them."""

from __future__ import annotations

import random
import re
from types import CodeType

from hypothesis import given, settings
from hypothesis import strategies as st
from rotonda.blocks.lower_walk import everything, expressions
from rotonda.blocks.typed import Expr, TypedFilter
from rotonda.filters.generated import MOST_NAMES, question
from rotonda.filters.interpret import Evaluator, Failed
from rotonda.filters.world import Record, SmallWorld
from twisted.trial.unittest import SynchronousTestCase

from tests.blocks import filters as files
from tests.filters.compared import MADE, SOURCES
from tests.filters.programs import Programs
from tests.filters.records import BARE, EVERYTHING, WITH_SET, route

ARGUMENTS = {"my_asn": 64497, "limit": 3}
NAMES = re.compile(r"[cve][0-9]+|came|goes|get|variant")
ROUTES = [
    route(attributes, prefix) for attributes in (EVERYTHING, BARE, WITH_SET) for prefix in ("10.1.2.0/24", "::/0")
]


def asked(filter: TypedFilter) -> list[Expr]:
    """The expressions of a filter that can be asked by themselves."""
    return list(expressions(filter.steps))


class GeneratedTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.patch(files, "TYPES", {**files.TYPES, "Made": MADE})
        self.world = SmallWorld(SOURCES)

    def outcome(self, ask: object, came: Record, goes: Record) -> object:
        try:
            return ask(came, goes)  # type: ignore[operator]
        except Failed as failed:
            return type(failed), failed.failure.span

    @given(st.integers(0, 2**32))
    @settings(max_examples=60, deadline=None)
    def test_questions_and_interpreter_agree(self, seed: int) -> None:
        chance = random.Random(seed)
        filter, _ = files.complained(Programs(chance).program())
        for wanted in asked(filter) if filter else ():
            own = question(wanted, ARGUMENTS, self.world)
            for came in ROUTES:
                goes = chance.choice(ROUTES)
                expected = self.outcome(
                    lambda came, goes, wanted=wanted: Evaluator(ARGUMENTS, self.world, came, goes).value(wanted),
                    came,
                    goes,
                )
                self.assertEqual(self.outcome(own, came, goes), expected)

    def test_names_and_constants_are_our_own(self) -> None:
        text = files.on_route(
            'route.peer_name == "import os" && String.format("{}__class__", route.med).contains("exec")'
            ' && names.find("c1").matches() && route.as_path.contains(AS64496);',
            "use names; eval = route.peer_name; __import__ = route.med.exists();".replace("__import__", "_import_"),
        )
        for wanted in asked(files.lowered(text)):
            code = question(wanted, {}, self.world).__code__
            for name in (*code.co_names, *code.co_varnames):
                self.assertRegex(name, f"^({NAMES.pattern})$")
            self.assertTrue(
                all(isinstance(own, bool | int | None | CodeType) for own in code.co_consts), code.co_consts
            )

    def test_a_question_sees_nothing_of_python(self) -> None:
        (wanted, *_) = asked(files.lowered(files.on_route("route.med == 1;")))
        self.assertEqual(question(wanted, {}, self.world).__globals__["__builtins__"], {})

    def test_long_ones_are_left_to_the_interpreter(self) -> None:
        many = "route.as_path.contains(route.peer_asn); " * 90
        terms = "".join(f"term t{at} {{ match {{ {many} }} }} " for at in range(40))
        whole = "".join(f"t{at}; " for at in range(40))
        (wanted, *_) = asked(files.lowered(files.on_route(whole, more=terms)))
        self.assertGreater(len(list(everything(wanted))), MOST_NAMES)
        self.assertEqual(question(wanted, {}, self.world)(ROUTES[0], ROUTES[0]), True)

    def test_deep_ones_can_be_asked(self) -> None:
        deep = "route.atomic_aggregate"
        for _ in range(30):
            deep = f"({deep}).exists()"
        (wanted, *_) = asked(files.lowered(files.on_route(f"{deep};")))
        self.assertEqual(question(wanted, {}, self.world)(ROUTES[0], ROUTES[0]), True)
