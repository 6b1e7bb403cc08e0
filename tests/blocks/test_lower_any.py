"""Whatever stands in a filter, the checker ends soon and says what is wrong."""

from __future__ import annotations

import time

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from rotonda.blocks import syntax
from rotonda.blocks.diagnostics import Complaints
from rotonda.blocks.lower import lower
from rotonda.blocks.lower_walk import everything, expressions
from rotonda.blocks.parse import parse
from rotonda.blocks.places import Source
from rotonda.blocks.syntax import Operator
from rotonda.blocks.typed import Named, TypedFilter
from twisted.trial.unittest import SynchronousTestCase

from tests.blocks.filters import FileScope, complained, on_route
from tests.blocks.random_filters import RandomFilters

DEEP = "terms and bindings"
SECONDS = 10.0
"""That a hostile filter may take on a slow machine; honest ones take milliseconds."""


class AnythingTests(SynchronousTestCase):
    @settings(max_examples=400, deadline=None)
    @given(st.integers(0, 1 << 32))
    def test_random_trees_never_raise(self, seed: int) -> None:
        complaints = Complaints(Source("random.blocks", " " * 10_000))
        file = syntax.File(span=RandomFilters(seed).span(), items=())
        found = lower(RandomFilters(seed).filter(), "test", FileScope(file, complaints), complaints)
        self.assertEqual(complaints.has_errors, not isinstance(found, TypedFilter), complaints.found)
        self.assertNotIn("", [said.message for said in complaints.found])

    def test_random_trees_are_not_all_wrong(self) -> None:
        """Or the test above would not test much."""
        right = 0
        for seed in range(1000):
            complaints = Complaints(Source("random.blocks", " " * 10_000))
            file = syntax.File(span=RandomFilters(seed).span(), items=())
            right += lower(RandomFilters(seed).filter(), "test", FileScope(file, complaints), complaints) is not None
        self.assertGreater(right, 1)


class SizeTests(SynchronousTestCase):
    def _refused(self, text: str, message: str) -> None:
        begun = time.perf_counter()
        made, said = complained(text)
        self.assertLess(time.perf_counter() - begun, SECONDS)
        self.assertIsNone(made)
        self.assertTrue([one for one in said if message in one.message], said[:3])

    def test_terms_within_terms(self) -> None:
        terms = "".join(f"term t{at} {{ match {{ !t{at + 1}; }} }} " for at in range(1000))
        text = on_route("t0;", more=f"{terms} term t1000 {{ match {{ route.med == 1; }} }}")
        self._refused(text, DEEP)

    def test_terms_in_the_other_order(self) -> None:
        terms = "".join(f"term t{at} {{ match {{ !t{at - 1}; }} }} " for at in range(1, 1000))
        text = on_route("t999;", more=f"term t0 {{ match {{ route.med == 1; }} }} {terms}")
        self._refused(text, DEEP)

    def test_bindings_within_bindings(self) -> None:
        bindings = "".join(f"b{at} = !b{at + 1}; " for at in range(1000))
        self._refused(on_route("b0;", f"{bindings} b1000 = route.med == 1;"), DEEP)

    def test_long_ways_through_names(self) -> None:
        """Terms and bindings take more of the stack than other expressions; both limits are reached in good order."""
        for body, head, called in (
            ("t{};", "", ""), ("(t{} || false) && true;", "", ""), ("t{}(x);", "with x: U32", "(1)"),
            ("!!!t{};", "", ""),
        ):  # fmt: skip
            for count in (10, 24, 40, 200):
                for order in (1, -1):
                    terms = [f"term t{at} {head} {{ match {{ {body.format(at + 1)} }} }}" for at in range(count)]
                    last = f"term t{count} {head} {{ match {{ route.med == 1; }} }}"
                    text = on_route(f"t0{called};", more=" ".join([*terms, last][::order]))
                    with self.subTest(body=body, count=count, order=order):
                        self.assertIs(complained(text)[0] is None, count > 20)

    def test_terms_that_double(self) -> None:
        terms = "".join(f"term t{at} {{ match {{ t{at + 1} && !t{at + 1}; }} }} " for at in range(20))
        text = on_route("t0;", more=f"{terms} term t20 {{ match {{ route.med == 1; }} }}")
        self._refused(text, "this has more than 100000 expressions")

    def test_terms_with_arguments_that_double(self) -> None:
        terms = "".join(
            f"term t{at} with x: U32 {{ match {{ t{at + 1}(x) && t{at + 1}(route.med); }} }} " for at in range(22)
        )
        text = on_route("t0(1);", more=f"{terms} term t22 with x: U32 {{ match {{ route.med == x; }} }}")
        self._refused(text, "terms call terms too often")

    def test_many_conditions_in_a_row_are_no_nesting(self) -> None:
        complaints = Complaints(Source("test.blocks", on_route("route.med != 1;")))
        file = parse(complaints.source, complaints)
        written = file.items[0]
        assert isinstance(written, syntax.Filter)
        (body,) = written.terms[0].bodies
        assert isinstance(body, syntax.Conditions)
        (one,) = many = body.conditions
        for _ in range(2000):
            many = (syntax.Binary(span=one.span, operator=Operator.AND, left=many[0], right=one),)
        term = replace(written.terms[0], bodies=(replace(body, conditions=many),))
        scope = FileScope(file, complaints)
        self.assertIsNotNone(lower(replace(written, terms=(term,)), "test", scope, complaints), complaints.found)

    def test_long_lists(self) -> None:
        numbers = ", ".join(f"AS{number}" for number in range(20_000))
        begun = time.perf_counter()
        self.assertIsNotNone(complained(on_route(f"route.peer_asn in [{numbers}];"))[0])
        self.assertLess(time.perf_counter() - begun, SECONDS)

    def test_terms_that_are_shared_are_one_object(self) -> None:
        made, _ = complained(on_route("t; !t;", more="term t { match { route.med == 1; route.med != 2; } }"))
        assert made is not None
        terms = [one for one in everything(*expressions(made.steps)) if isinstance(one, Named) and one.name == "t"]
        self.assertEqual(2, len(terms))
        self.assertIs(terms[0].value, terms[1].value)
