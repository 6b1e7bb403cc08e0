"""How cases ask a cache: PDU by PDU where that is the question, and as an exact router where the data is."""

from __future__ import annotations

from typing import Protocol

from interop.conformance.case import Inconclusive, demand
from interop.conformance.octets import (
    ASPA,
    CACHE_RESET,
    CACHE_RESPONSE,
    END_OF_DATA,
    ERROR_REPORT,
    SERIAL_NOTIFY,
    Heard,
    reset_query,
    serial_query,
    split,
)
from interop.conformance.subject import SINCE, Line, Records, Subject

LAST = (END_OF_DATA, CACHE_RESET, ERROR_REPORT)
"""What ends an answer."""


class Reached(Protocol):
    """Who connects, or can be connected to, and how long one waits for what it says."""

    patience: float
    quiet: float

    def connect(self) -> Line:
        """The next connection."""


class Asker:
    """One connection, and what was heard on it."""

    def __init__(self, subject: Reached) -> None:
        self.subject = subject
        self.line: Line = subject.connect()
        self._buffer = b""
        self._heard: list[Heard] = []

    def say(self, *octets: bytes) -> Asker:
        """Each in a write of its own."""
        for each in octets:
            self.line.say(each)
        return self

    def pdu(self) -> Heard:
        """The next PDU, whatever it is."""
        while not self._heard and self.hear_some():
            pass
        ended = "the line is closed" if self.line.closed else "nothing came"
        demand(bool(self._heard), f"{ended}, where a PDU was due", self._buffer)
        return self._heard.pop(0)

    def answer(self) -> list[Heard]:
        """All PDUs of an answer, without Serial Notifies before it."""
        found = [self.pdu()]
        while found[0].number == SERIAL_NOTIFY:
            found = [self.pdu()]
        while found[-1].number not in LAST:
            found.append(self.pdu())
        return found

    def ask(self, query: bytes) -> list[Heard]:
        """The answer to this."""
        return self.say(query).answer()

    def silence(self) -> None:
        """Nothing comes, and the line stays open."""
        while self.hear_some(self.subject.quiet):
            pass
        octets = b"".join(pdu.octets for pdu in self._heard) + self._buffer
        demand(not octets, "something is said where nothing may be", octets)
        demand(not self.line.closed, "the line is closed")

    def last_words(self) -> list[Heard]:
        """All that comes before the subject closes, which it has to."""
        while self.hear_some():
            pass
        demand(self.line.closed, "the line stays open")
        demand(not self._buffer, "half a PDU before the line was closed", self._buffer)
        heard, self._heard = self._heard, []
        return heard

    def refused(self, *codes: int, version: int | None = None) -> Heard:
        """One Error Report with one of these codes, and the end."""
        words = self.last_words()
        octets = b"".join(pdu.octets for pdu in words)
        demand([pdu.number for pdu in words] == [ERROR_REPORT], "not one Error Report and no more", octets)
        report = words[0]
        demand(report.field in codes, f"error {report.field}, not {' or '.join(map(str, codes))}", octets)
        demand(version is None or report.version == version, f"an Error Report of version {report.version}", octets)
        return report

    def dropped(self) -> None:
        """The end without a word."""
        words = self.last_words()
        demand(not words, "something is said where nothing may be", b"".join(pdu.octets for pdu in words))

    def hear_some(self, seconds: float | None = None) -> bool:
        """Take what comes next, waiting so long for it; whether anything came."""
        octets = self.line.hear(self.subject.patience if seconds is None else seconds)
        whole, self._buffer = split(self._buffer + octets)
        self._heard += whole
        return bool(octets)


class Router(Asker):
    """A router that holds exactly what it was told, and finds fault with what no cache may say."""

    subject: Subject

    def __init__(self, subject: Subject, version: int) -> None:
        super().__init__(subject)
        self.version = version
        self.held: Records = {}
        self.session = 0
        self.serial = 0

    def load(self) -> list[Heard]:
        """Ask for everything; the answer."""
        answer = self.answered(self.ask(reset_query(self.version)))
        self.take(answer, full=True)
        return answer

    def refresh(self) -> list[Heard] | None:
        """Ask for changes; the answer, or None if it is to start over."""
        answer = self.ask(serial_query(self.version, self.session, self.serial))
        if answer[0].number == CACHE_RESET:
            return None
        self.take(self.answered(answer), full=False)
        return answer

    def receive(self, full: bool) -> None:
        """Take the answer to a query that was sent before, after which exactly the cache's data is held."""
        self.take(self.answered(self.answer()), full)
        self.exact()

    def exact(self) -> None:
        """What is held is what the cache has."""
        right = self.subject.data.records(self.version)
        missing, wrong = right.items() - self.held.items(), self.held.items() - right.items()
        shown = b"".join(key for (_, key), _ in sorted(missing or wrong)[:2])
        demand(not missing and not wrong, f"{len(missing)} records missing, {len(wrong)} too many", shown)

    def answered(self, answer: list[Heard]) -> list[Heard]:
        """The same, which has to bring data."""
        octets = b"".join(pdu.octets for pdu in answer[:4])
        right = answer[0].number == CACHE_RESPONSE and answer[-1].number == END_OF_DATA
        demand(right, f"no answer with data but {answer[0].title}", octets)
        versions = {pdu.version for pdu in answer}
        demand(
            versions == {self.version}, f"versions {sorted(versions)} in an answer of version {self.version}", octets
        )
        demand(answer[0].field == answer[-1].field, "End of Data of another session than Cache Response", octets)
        return answer

    def take(self, answer: list[Heard], full: bool) -> None:
        """Apply an answer; to a Reset Query in the place of everything before."""
        if full:
            self.held = {}
        self.session, self.serial = answer[-1].field, answer[-1].serial
        told: set[tuple[int, bytes, bool]] = set()
        for pdu in answer[1:-1]:
            demand(SINCE.get(pdu.number, 9) <= self.version, f"{pdu.title} in version {self.version}", pdu.octets)
            demand(pdu.announces or not full, "a withdrawal in a full answer", pdu.octets)
            once = (*pdu.key, pdu.announces)
            demand(once not in told, "the same twice in one answer", pdu.octets)
            told.add(once)
            if pdu.announces:
                demand(pdu.number == ASPA or pdu.key not in self.held, "announced what is there already", pdu.octets)
                self.held[pdu.key] = pdu.octets[12:] if pdu.number == ASPA else b""
            else:
                demand(pdu.key in self.held, "withdrew what is not there", pdu.octets)
                del self.held[pdu.key]


def served(subject: Subject, version: int) -> Router:
    """A router that has everything; without one no question about the rest of its life makes sense."""
    router = Router(subject, version)
    try:
        router.load()
    except AssertionError as broken:
        raise Inconclusive(f"no full answer in version {version}: {broken}") from broken
    return router


def survives(subject: Subject) -> None:
    """A fresh router is served as if nothing had happened."""
    router = Router(subject, max(subject.versions))
    router.load()
    router.exact()
    router.line.reset()
