"""Values of modules: found from elsewhere by their dotted names, and made of what is known where they stand."""

from __future__ import annotations

from rotonda.blocks.check import check
from rotonda.blocks.places import Source
from rotonda.filters.interpret import Interpreter
from rotonda.filters.world import SmallWorld
from twisted.trial.unittest import SynchronousTestCase

from tests.filters.records import route

SITE = """
base = [AS1];
module site {
    base = [AS65010];
    private = base;
    start = "2001-09-09T01:46:40Z";
    module limits { longest = /24; }
}
"""


def accepts(condition: str) -> bool:
    """Whether a route that a filter asks for the condition fulfils it."""
    program = check(Source("test.blocks", SITE + ruled(condition)))[0]
    assert program is not None
    return not Interpreter(program.filters["f"], {}, SmallWorld()).run(route()).accepted


def refused(text: str) -> list[tuple[str, str]]:
    """What is said of the filter, with hints."""
    return [(one.message, one.hint) for one in check(Source("test.blocks", text))[1] if not one.is_warning]


def ruled(condition: str) -> str:
    """A filter that rejects what fulfils a condition."""
    return (
        "filter-map f { define { rx route: Route; } "
        f"apply {{ filter match {condition} matching {{ reject; }}; accept; }} }}"
    )


class ModuleValueTests(SynchronousTestCase):
    def test_they_are_found(self) -> None:
        self.assertTrue(accepts("route.prefix.len() <= site.limits.longest"))
        self.assertFalse(accepts("route.prefix.len() > site.limits.longest"))
        self.assertTrue(accepts("site.private.len() == 1"))
        self.assertTrue(accepts("site.private.is_empty == false"))
        self.assertTrue(accepts("route.received > site.start"))

    def test_they_are_made_of_what_stands_beside_them(self) -> None:
        self.assertTrue(accepts("AS65010 in site.private"))
        self.assertTrue(accepts("AS1 in base && AS1 not in site.private"))

    def test_names_of_the_filter_come_first(self) -> None:
        text = SITE.replace("module site", "module route") + ruled("route.prefix.len() > /24")
        self.assertEqual(refused(text), [])

    def test_mistakes(self) -> None:
        self.assertEqual(
            refused(SITE + ruled("site.limits.longets == /8")),
            [("there is no site.limits.longets", "did you mean site.limits.longest?")],
        )
        self.assertEqual(
            refused("module a { x = y; } y = a.x;" + ruled("route.med == y")),
            [("the value y is made of itself: y -> a.x -> y", "")],
        )
