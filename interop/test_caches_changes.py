"""Our router and caches of others on a tapped line: what is asked when, what comes, and how little of it is needed."""

from __future__ import annotations

from interop.caches import (
    ROUTINATOR,
    RTRTR,
    STAYRTR,
    STAYRTR_06,
    CacheCase,
    CacheKind,
    Line,
    ends,
    errors,
    payload,
    queries,
)
from interop.conformance.octets import CACHE_RESET, RESET_QUERY, SERIAL_QUERY
from interop.stories import counted, states
from interop.vrps import RpkiData


class ChangeTests(CacheCase):
    """A cut line, a change, our router's own restart, the cache's restart."""

    def test_routinator(self) -> None:
        self.play(ROUTINATOR)

    def test_rtrtr(self) -> None:
        """Tolerantly, since it names providers where it withdraws ASPAs."""
        self.play(RTRTR, ",tolerant")

    def test_stayrtr(self) -> None:
        self.play(STAYRTR)

    def test_stayrtr_06(self) -> None:
        self.play(STAYRTR_06)

    def play(self, kind: CacheKind, settings: str = "") -> None:
        one, two, three, four, five = (kind.expected(data, kind.version) for data in states(5))
        port, version = self.serve(kind, one), kind.version
        tap = self.tap(port)
        line = Line(tap)
        kept = ["--state", str(self.folder / "state")]
        self.start_router(tap.port, settings, options=kept)
        self.came_to(one)
        asked, answered = line.news()
        self.assertEqual((queries(asked)[-1][1], ends(answered)[-1].version), (RESET_QUERY, version))
        with self.scenario(kind.peer, "our router on a tapped line: change") as story:
            self.change(two)
            self.came_to(two)
            story.shows(self.resumed(line, version, one, two))
        with self.scenario(kind.peer, "our router on a tapped line: cut, session goes on") as story:
            tap.cut()
            self.link_says("state", "idle")
            self.change(three)
            self.came_to(three)
            story.shows(self.resumed(line, version, two, three))
        with self.scenario(kind.peer, "our router on a tapped line: restart of the router") as story:
            self.router.stop()
            self.change(four)
            self.served(port, kind.expected(four, 0))
            self.start_router(tap.port, settings, options=kept)
            self.came_to(four)
            story.shows(self.resumed(line, version, three, four))
        with self.scenario(kind.peer, "our router on a tapped line: restart of the cache") as story:
            self.cache.stop()
            self.serve(kind, five, port)
            self.came_to(five)
            asked, answered = line.news()
            self.assertEqual(queries(asked)[-1], (version, RESET_QUERY))
            self.assertEqual(errors(asked), [])
            said = [f"Error {code}" for code, _ in errors(answered)]
            said += ["Cache Reset"] if CACHE_RESET in [pdu.number for pdu in answered] else []
            story.shows(f"{counted(five)}; it says {said[0] if said else 'nothing'} to the session of before")

    def resumed(self, line: Line, version: int, before: RpkiData, after: RpkiData) -> str:
        """Nothing but Serial Queries were sent, and nothing but what differs came; for the table."""
        asked, answered = line.news()
        self.assertEqual({*queries(asked)}, {(version, SERIAL_QUERY)}, asked)
        self.assertEqual(errors(asked) + errors(answered), [])
        self.assertEqual(payload(answered), difference(before, after))
        return "{}; +{} -{} by Serial Query and nothing else".format(counted(after), *payload(answered))


def difference(before: RpkiData, after: RpkiData) -> tuple[int, int]:
    """The fewest records that lead from one to the other: announced, withdrawn."""
    old, new = (set(data.rows()) | data.router_keys for data in (before, after))
    replaced = set(after.aspas.items()) - set(before.aspas.items())
    return len(new - old) + len(replaced), len(old - new) + len(set(before.aspas) - set(after.aspas))
