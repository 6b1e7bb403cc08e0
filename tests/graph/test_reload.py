"""Another program while an instance runs."""

from __future__ import annotations

from typing import Any

from rotonda.graph.instance import Instance
from rotonda.graph.plan import CannotRun
from twisted.internet.defer import ensureDeferred
from twisted.internet.error import CannotListenError

from rotoro.table import Diff
from tests.graph.worlds import SEVERAL, GraphCase, program_of

FILTER = """
filter-map short {
    define { rx_tx route: Route; }
    action tell { log.send({ message: "long" }); }
    apply { filter match route.prefix.len() <= 16 matching { return accept; }; tell; reject; }
}
output-stream log: Log with config { level: INFO, target: FILE, file: "/dev/null" };
"""
UNITS = (
    FILTER
    + """
unit one: PhysicalRib with config { };
unit two: PhysicalRib with config { filter_map: short, merge_strategy: { overwrite: MOVING_WINDOW_COUNT(5) } };
unit view: VirtualRib with config { filter_map: short };
"""
)
INSTANCE = (
    "instance i: Daemon with config { listen: 0, http: 0, graph: [ w1 -> one -> two, one -> view, val -> one ] };"
)
WORDS = SEVERAL + UNITS + INSTANCE
A, B, C = "10.0.0.0/8", "10.1.0.0/16", "10.1.1.0/24"


class ReloadTests(GraphCase):
    def setUp(self) -> None:
        super().setUp()
        self.made = self.run_program(WORDS)
        self.say(self.made, "val", (7, B, 16))
        self.announce(self.made, "w1", {A: (1,), B: (2,), C: (3,)})
        self.assertEqual(self.tables(), ([A, B, C], [A, B], [A, B]))

    def tables(self) -> tuple[list[str], list[str], list[str]]:
        one, two, view = (self.held(self.made, name) for name in ("one", "two", "view"))
        return one, two, view

    def change(self, *changes: tuple[str, str]) -> str:
        words = WORDS
        for before, after in changes:
            self.assertIn(before, words)
            words = words.replace(before, after)
        return self.reload(self.made, words)

    def assertRefused(self, words: str, why: str) -> None:
        with self.assertRaisesRegex(CannotRun, why):
            failed = self.failureResultOf(ensureDeferred(self.made.reload(program_of(words))))
            failed.raiseException()

    def told(self, *names: str) -> list[Diff]:
        """What these tables tell from now on."""
        heard: list[Diff] = []
        for name in names:
            flow = self.made.stages[name].flow
            assert flow is not None
            flow.history.subscribe(heard.append)
        return heard

    def test_the_same(self) -> None:
        stages, heard = dict(self.made.stages), self.told("one", "two", "view")
        self.assertIn("5 kept", self.change(("{ };", "{  };")))
        self.assertEqual((dict(self.made.stages), heard), (stages, []))
        self.announce(self.made, "w1", {A: (1,)})
        self.assertEqual(self.tables(), ([A], [A], [A]))

    def test_another_filter(self) -> None:
        """What differs is told; messages were sent for what is stored already."""
        stages, heard = dict(self.made.stages), self.told("one", "two", "view")
        sent = self.made.sending()[0].sent
        self.assertIn("2 with other filters", self.change(("<= 16", "<= 8")))
        self.assertEqual(self.tables(), ([A, B, C], [A], [A]))
        self.assertEqual([diff.count for diff in heard], [1, 1])
        self.assertEqual((dict(self.made.stages), self.made.sending()[0].sent), (stages, sent))
        self.announce(self.made, "w1", {A: (1,), B: (4,), C: (3,)})
        self.assertEqual(self.tables(), ([A, B, C], [A], [A]))

    def test_another_stream(self) -> None:
        (before,) = self.made.filters.streams.values()
        self.change(("level: INFO", "level: WARN"))
        (after,) = self.made.filters.streams.values()
        self.assertIsNot(before, after)
        self.assertEqual((bool(before.running), bool(after.running)), (False, False))
        self.reactor.advance(1)
        self.assertEqual((bool(before.running), bool(after.running)), (False, True))

    def test_another_west(self) -> None:
        """What the old one said goes when the new one says something; who is further east follows."""
        past: Any = self.made.stages["two"]
        self.change(
            (
                "w1: BgpConnector with config { topology: WestOnly }",
                "w1: BgpConnector with config { topology: WestEastSplit }",
            )
        )
        self.announce(self.made, "w1", {B: (2,)})
        self.assertEqual(self.tables(), ([B], [B], [B]))
        self.assertIs(self.made.stages["two"], past)
        self.announce(self.made, "w1", {B: (2,), A: (2,)})
        self.assertEqual(self.tables(), ([A, B], [A, B], [A, B]))

    def test_another_rib_in_the_middle(self) -> None:
        self.change(
            ("unit one: PhysicalRib with config { };", "unit one: PhysicalRib with config { filter_map: short };")
        )
        self.assertEqual(self.tables(), ([A, B], [A, B], [A, B]))
        self.announce(self.made, "w1", {A: (1,), C: (3,)})
        self.assertEqual(self.tables(), ([A], [A], [A]))

    def test_other_paths(self) -> None:
        self.change(("w1 -> one -> two, one -> view", "w1 -> two, w2 -> one -> view"))
        self.assertEqual(self.tables(), ([], [A, B], []))
        self.announce(self.made, "w2", {A: (1,)}, peer=2)
        self.assertEqual(self.tables(), ([A], [A, B], [A]))

    def test_rpki_data_goes_and_comes(self) -> None:
        """Routers are served the data of who had it last; a RIB without it has none."""
        history = self.made.history
        self.assertEqual(history.snapshot.count, 1)
        self.change(("val -> one", "val -> two"))
        self.assertEqual([name for name in ("one", "two", "view") if self.made.stages[name].rpki is not None], ["two"])
        self.reactor.advance(1.5)
        self.assertEqual(self.made.history.snapshot.count, 1)
        self.say(self.made, "val", (7, B, 16), (8, B, 16))
        self.assertEqual(self.made.history.snapshot.count, 2)

    def test_whose_data_routers_get(self) -> None:
        """The last unit that has some; those who are served stay with theirs, unless another one is named."""
        self.assertEqual(self.made.server.routers, "view")
        more = ("one -> view", "one -> view -> more"), ("unit one:", "unit more: VirtualRib with config { }; unit one:")
        self.change(*more)
        self.assertEqual(self.made.server.routers, "view")
        self.change(*more, ("listen: 0", "listen: [0, 0]"))
        self.assertEqual(self.made.server.routers, "view")
        server = self.made.server
        self.change(*more, ("listen: 0", "rtr: val, listen: 0"))
        self.assertEqual(self.made.server.routers, "val")
        self.assertIsNot(self.made.server, server)
        self.assertEqual(self.made.history.snapshot.count, 1)

    def test_new_filter_of_a_new_unit(self) -> None:
        words = WORDS.replace("one -> view", "one -> view -> more")
        words += FILTER.partition("output-stream")[0].replace("short", "long").replace("<= 16", "> 8")
        self.reload(self.made, words + "unit more: PhysicalRib with config { filter_map: long };")
        self.assertEqual(self.held(self.made, "more"), [B])
        self.assertEqual([each.unit for each in self.made.filtered()].count("more"), 1)
        self.reload(self.made, WORDS)
        self.assertNotIn("more", self.made.stages)
        self.assertEqual([each.unit for each in self.made.filtered()], ["two", "view"])

    def test_refused_before_anything_is_touched(self) -> None:
        stages, bound = dict(self.made.stages), {unit: list(own) for unit, own in self.made.filters.bound.items()}
        for words, why in (
            (WORDS.replace("http: 0", 'http: "0.0.0.0:1"'), "http: anybody who reaches"),
            (
                WORDS.replace("w1 -> one", "mrt -> one, w1 -> one")
                + 'unit mrt: MrtConnector with config { files: ["/nowhere"] };',
                "no file",
            ),
            (
                WORDS.replace("w1 -> one", "bmp -> one")
                + 'unit bmp: BmpConnector with config { listen: "0.0.0.0:7" };',
                "bmp: listen",
            ),
            (WORDS.replace("instance i:", "instance j:"), "no instance i"),
        ):
            self.assertRefused(words, why)
            self.assertEqual((dict(self.made.stages), self.made.filters.bound), (stages, bound))
            self.assertEqual(self.tables(), ([A, B, C], [A, B], [A, B]))
        self.announce(self.made, "w1", {A: (1,)})
        self.assertEqual(self.tables(), ([A], [A], [A]))

    def test_taken_back(self) -> None:
        """A port that somebody takes at the last moment: the same stages run on, with all that they hold."""
        stages = dict(self.made.stages)
        listen, ports = self.reactor.listenTCP, []

        def refuse(port: int, *rest: Any, **more: Any) -> Any:
            ports.append(port)
            if port == 65000:
                raise CannotListenError("127.0.0.1", port, OSError("taken"))
            return listen(port, *rest, **more)

        self.patch(self.reactor, "listenTCP", refuse)
        bmp = "unit bmp: BmpConnector with config { listen: 65000 };"
        changed = (
            WORDS.replace("<= 16", "<= 8")
            .replace("COUNT(5)", "COUNT(6)")
            .replace("val -> one", "val -> one, w2 -> one")
        )
        for words in (
            changed.replace("listen: 0", "listen: 65000"),
            changed.replace("http: 0", "http: 65000"),
            changed.replace("w2 -> one", "w2 -> one, bmp -> one") + bmp,
        ):
            heard = self.told("one", "two", "view")
            self.assertRefused(words, "everything is as before")
            self.assertEqual(dict(self.made.stages), stages)
            self.assertEqual(self.tables(), ([A, B, C], [A, B], [A, B]))
            self.assertEqual([each.unit for each in self.made.filtered()], ["two", "view"])
            self.assertLessEqual(len(heard), 2)  # view, there and back
        self.assertIn(65000, ports)
        self.announce(self.made, "w1", {A: (1,), C: (5,)})
        self.assertEqual(self.tables(), ([A, C], [A], [A]))
        self.change(("<= 16", "<= 24"))
        self.assertEqual(self.tables(), ([A, C], [A, C], [A, C]))

    def test_nothing_is_left(self) -> None:
        changes = [
            (("<= 16", "<= 8"),),
            (("COUNT(5)", "COUNT(6)"),),
            (("w1 -> one", "w1 -> one, w2 -> one"),),
            (("val -> one", "val -> two"),),
            (("listen: 0", "listen: [0, 0]"),),
            (("level: INFO", "level: WARN"),),
        ]

        def everything() -> tuple[int, ...]:
            made: Instance = self.made
            histories = [stage.flow.history for stage in made.stages.values() if stage.flow is not None]
            return (
                sum(len(history._listeners) for history in histories),
                sum(len(stage.rpki._east) for stage in made.stages.values() if stage.rpki is not None),
                sum(len(list(stage)) for stage in made.stages.values()),
                len(list(made.server)),
                len(list(made)),
                len(made.filters.bound),
            )

        self.change(("<= 16", "<= 16 "))
        before, calls = everything(), len(self.reactor.getDelayedCalls())
        for _ in range(3):
            for change in changes:
                self.change(*change)
                self.change(("<= 16", "<= 16 "))
        self.assertEqual(everything(), before)
        self.reactor.advance(70)
        self.assertLessEqual(len(self.reactor.getDelayedCalls()), calls)
        self.assertEqual(self.tables(), ([A, B, C], [A, B], [A, B]))
