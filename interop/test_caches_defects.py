"""What caches of others do that they should not, and what our router makes of it: strict, and where told not to be.

Each strict refusal is one that the specifications demand; each setting is the way to live with the cache all the same.
"""

from __future__ import annotations

import signal
from dataclasses import replace

from interop.caches import (
    PATIENCE,
    ROUTINATOR,
    RTRTR,
    STAYRTR,
    STAYRTR_06,
    STAYRTR_ASPAS,
    CacheCase,
    CacheKind,
    Line,
    ends,
    errors,
    payload,
    queries,
)
from interop.conformance.octets import RESET_QUERY, SERIAL_QUERY
from interop.stories import counted, states
from interop.traffic.tap import Tap

REFRESHES = 3
"""How often a mute cache would have been asked again, if that were done."""

SHORT = 3.0
"""Seconds for our router to be in step where it is known not to be."""


class FlappingTests(CacheCase):
    """A record goes and comes back while our router hears nothing: for RFC 8210 section 5.6 nothing has happened."""

    def flap(self, kind: CacheKind, settings: str = "") -> Line:
        """Until our router has asked for the changes of a record that was gone for a while."""
        self.whole = kind.expected(states(1)[0], kind.version)
        tap = self.tap(self.serve(kind, self.whole))
        self.start_router(tap.port, settings)
        self.came_to(self.whole)
        line = Line(tap)
        tap.hold()
        line.news()
        fewer = replace(self.whole, vrps4=self.whole.vrps4[1:])
        for serial, data in enumerate((fewer, self.whole), 1):
            self.change(data)
            self.cache.expect_line(f"new serial {serial}")
        tap.release()
        self.asked_again(tap, 2)
        return line

    def asked_again(self, tap: Tap, serial: int) -> None:
        """The cache has told everything up to this serial."""
        self.router.expect(
            lambda: any(end.serial == serial for end in ends(tap.answered())) or None, f"serial {serial}", PATIENCE
        )

    def test_strict(self) -> None:
        with self.scenario(STAYRTR.peer, "our router: a record that went and came back, strict") as story:
            line = self.flap(STAYRTR)
            self.router.expect_line("is announced but there already")
            self.came_to(self.whole)
            asked, answered = line.news()
            self.assertIn((1, 0), [payload(answered[:at]) for at in range(len(answered))])
            self.assertEqual([code for code, _ in errors(asked)], [7])
            self.assertEqual(queries(asked), [(1, SERIAL_QUERY), (1, RESET_QUERY)])
            story.shows("it announces what is held: Error 7, then exact by Reset Query")

    def test_tolerant(self) -> None:
        with self.scenario(STAYRTR.peer, "our router: a record that went and came back, tolerant") as story:
            line = self.flap(STAYRTR, ",tolerant")
            self.router.expect_line("1 records that were there already")
            self.came_to(self.whole)
            asked, answered = line.news()
            self.assertEqual((queries(asked), errors(asked)), ([(1, SERIAL_QUERY)], []))
            self.assertEqual(payload(answered), (1, 0))
            story.shows("it announces what is held: taken, and the session goes on; exact")

    def test_mended(self) -> None:
        with self.scenario(STAYRTR_06.peer, "our router: a record that went and came back, strict") as story:
            line = self.flap(STAYRTR_06)
            self.came_to(self.whole)
            asked, answered = line.news()
            self.assertEqual((queries(asked), errors(asked)), ([(1, SERIAL_QUERY)], []))
            self.assertEqual(payload(answered), (0, 0))
            story.shows("nothing has changed for it; exact")


class OldAspaTests(CacheCase):
    """StayRTR 0.5.1 in version 2: ASPAs of draft 10, one for each address family."""

    def test_refused_in_words(self) -> None:
        data = states(1)[0]
        tap = self.tap(self.serve(STAYRTR_ASPAS, data))
        with self.scenario(STAYRTR_ASPAS.peer, "our router: ASPAs of an old draft, strict") as story:
            self.start_router(tap.port)
            self.router.expect(lambda: errors(tap.asked()) or None, "it is refused", PATIENCE)
            told = self.router.expect(lambda: self.link().get("last_error"), "the reason is shown", PATIENCE)
            ((code, text),) = errors(tap.asked())
            self.assertEqual(code, 0)
            for words in (text, told, self.router.expect_line("closing: ")):
                self.assertIn("layout that drafts of 8210bis had up to 10", words)
            self.assertEqual(self.link()["records"], 0)
            story.shows(f"Error {code}, {text!r}")

    def test_read_if_told_to(self) -> None:
        one, two, *_ = states(2)
        tap = self.tap(self.serve(STAYRTR_ASPAS, one))
        line = Line(tap)
        with self.scenario(STAYRTR_ASPAS.peer, "our router: ASPAs of an old draft, with old-aspa") as story:
            self.start_router(tap.port, ",old-aspa")
            self.came_to(one)
            self.change(two)
            self.came_to(two)
            asked, _ = line.news()
            self.assertEqual((queries(asked), errors(asked)), ([(2, RESET_QUERY)] * 2, []))
            story.shows(f"{counted(two)}; changes by Reset Query")


class AspaTests(CacheCase):
    """rtrtr withdraws an ASPA with its providers, in 16 octets or more; 8210bis section 5.12 has 12."""

    def test_withdrawn(self) -> None:
        one = RTRTR.expected(self.data, 2)
        two = replace(one, aspas=dict(list(one.aspas.items())[5:]))
        why = "names providers where it withdraws an ASPA, which 8210bis section 5.12 forbids"
        for settings, name in ((",tolerant", "tolerant"), ("", "strict")):
            with self.subTest(settings=settings):
                tap = self.tap(self.serve(RTRTR, one))
                self.start_router(tap.port, settings)
                self.came_to(one)
                with self.scenario(RTRTR.peer, f"our router: ASPAs withdrawn, {name}") as story:
                    self.change(two)
                    if settings:
                        self.came_to(two)
                        self.assertEqual(errors(tap.asked()), [])
                        story.shows(counted(two))
                        continue
                    with self.known_defect(why):
                        self.came_to(two, SHORT)
                self.assertEqual([code for code, _ in errors(tap.asked())], [0])
                self.router.expect_line(" providers [020b0000")


class TimerTests(CacheCase):
    """routinator counts its refresh timer down to its next run: 1, 0, 1, 0 ... with a run every second."""

    def test_zero_is_clamped_and_a_mute_cache_not_asked_twice(self) -> None:
        one, two, *_ = (ROUTINATOR.expected(data, 2) for data in states(2))
        tap = self.tap(self.serve(ROUTINATOR, one))
        line = Line(tap)
        with self.scenario(ROUTINATOR.peer, "our router: refresh of 0 seconds") as story:
            self.start_router(tap.port)
            self.came_to(one)
            self.router.expect(lambda: [e for e in ends(tap.answered()) if e.timers[0] == 0] or None, "0 s", PATIENCE)
            self.router.expect_line("are not allowed; taken as ")
            self.assertGreaterEqual(self.link()["refresh"], 1)
            started = ends(tap.answered())
            self.router.expect(lambda: len(ends(tap.answered())) >= len(started) + REFRESHES or None, "it asks on")
            self.assertEqual(errors(tap.asked()), [])
            story.shows("taken as 1 s: it asks by Serial Query, each second at most")
        with self.scenario(ROUTINATOR.peer, "our router: a cache that falls mute") as story:
            self.cache.process.send_signal(signal.SIGSTOP)
            self.addCleanup(self.cache.process.send_signal, signal.SIGCONT)
            line.news()
            age = self.link()["age"]
            self.router.expect(lambda: self.link()["age"] > age + REFRESHES + 1 or None, "time goes by", PATIENCE)
            asked, answered = line.news()
            self.assertLessEqual(len(asked), 1)
            self.assertEqual(answered, [])
            self.came_to(one, SHORT)
            told = self.link()
            self.assertAlmostEqual(told["age"] + told["expires_in"], told["expire"], 3)
            self.cache.process.send_signal(signal.SIGCONT)
            self.change(two)
            self.came_to(two)
            self.assertEqual(len(tap.conversations), 1)
            story.shows(f"one query waits, the data stays and ages; {counted(two)} when it speaks again")
