"""How cases play a cache: a router comes, asks, and gets octets that are right or not."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Self

from interop.conformance.asking import Asker
from interop.conformance.case import Broken, Inconclusive, demand
from interop.conformance.octets import (
    ERROR_REPORT,
    RESET_QUERY,
    SERIAL_QUERY,
    Heard,
    cache_reset,
    cache_response,
    end_of_data,
    prefix,
    reset_query,
    serial_query,
)
from interop.conformance.subject import Data, Line, Records
from interop.conformance.worlds import few

CLOCK, TABLE, LOG, FRESH = "clock", "table", "log", "fresh"
"""What a driver of routers may be able to do: `advance` the time that the router sees, show all that it `holds` and not
only its VRPs, show its `log`, and begin with a router that never had anything to do with a cache."""

HIGHEST = 2
SESSION, SERIAL = 7, 1
TIMERS = (3600, 600, 7200)
DAY = 86_400


class Taker(ABC):
    """A router that connects to the case."""

    able: frozenset[str] = frozenset()
    timers = TIMERS
    """What End of Data tells it where a case does not care."""
    patience = 0.0
    """Seconds for which something is waited for, at most."""
    quiet = 0.0
    """Seconds after which nothing is said to have come."""
    waited = 0.0
    """Seconds between the end of its last connection and this one."""

    @abstractmethod
    def connect(self) -> Line:
        """Its next connection; Broken if there is none within a day."""

    @abstractmethod
    def shows(self, expected: Records) -> None:
        """What it uses is this, or will be within its patience; Broken if not."""

    def advance(self, seconds: float) -> None:
        """So much time goes by."""
        raise NotImplementedError

    def log(self) -> list[str]:
        """The lines that it wrote so far."""
        raise NotImplementedError

    @abstractmethod
    def tidy(self) -> None:
        """Let go of all lines."""


class Cache(Asker):
    """One connection of a router, and the cache that a case plays on it."""

    def __init__(self, router: Taker, version: int = HIGHEST) -> None:
        super().__init__(router)
        self.router = router
        self.version = version

    def query(self, *kinds: int) -> Heard:
        """The query that comes, which has to be of one of these kinds."""
        asked = self.pdu()
        right = kinds or (RESET_QUERY, SERIAL_QUERY)
        demand(asked.number in right, "another PDU where a query was due", asked.octets)
        demand(asked.version == self.version, f"a query of version {asked.version}", asked.octets)
        sound = reset_query(asked.version) if asked.number == RESET_QUERY else None
        demand(
            asked.octets == sound or (asked.number == SERIAL_QUERY and len(asked.octets) == 12),
            "no query",
            asked.octets,
        )
        return asked

    def query_of_any_version(self) -> Heard:
        """The query that comes, in whatever version."""
        asked = self.pdu()
        demand(asked.number in (RESET_QUERY, SERIAL_QUERY), "another PDU where a query was due", asked.octets)
        return asked

    def await_silence(self) -> None:
        """Wait until nothing more comes; what came is not taken."""
        while self.hear_some(self.subject.quiet):
            pass

    def whatever(self) -> list[Heard]:
        """All that comes until nothing more does."""
        self.await_silence()
        heard, self._heard = self._heard, []
        return heard

    def asks_for_all(self) -> Self:
        """A Reset Query comes."""
        self.query(RESET_QUERY)
        return self

    def asks_for_changes(self, session: int = SESSION, serial: int = SERIAL) -> Self:
        """A Serial Query from there comes."""
        asked = self.query(SERIAL_QUERY)
        demand(
            asked.octets == serial_query(self.version, session, serial), "a Serial Query from elsewhere", asked.octets
        )
        return self

    def begin(self, session: int = SESSION) -> Self:
        """Cache Response."""
        self.say(cache_response(self.version, session))
        return self

    def end(self, serial: int = SERIAL, session: int = SESSION, timers: tuple[int, int, int] | None = None) -> Self:
        """End of Data."""
        self.say(end_of_data(self.version, session, serial, timers or self.router.timers))
        return self

    def answer_with(self, *records: bytes, serial: int = SERIAL, timers: tuple[int, int, int] | None = None) -> Self:
        """A whole answer of these PDUs, which is refused if it is wrong."""
        return self.begin().put(*records).end(serial, timers=timers)

    def put(self, *octets: bytes) -> Self:
        """All of these in one write."""
        self.say(b"".join(octets))
        return self

    def load(self, data: Data, serial: int = SERIAL, timers: tuple[int, int, int] | None = None) -> Self:
        """Whatever is asked for, everything is told, and used."""
        return self.tell(self.query(), data, serial, timers)

    def tell(self, asked: Heard, data: Data, serial: int = SERIAL, timers: tuple[int, int, int] | None = None) -> Self:
        """The same, for a query that has come."""
        if asked.number == SERIAL_QUERY:
            self.say(cache_reset(self.version))
            self.query(RESET_QUERY)
        self.answer_with(*vrps(self.version, data), serial=serial, timers=timers)
        self.router.shows(data.records(self.version))
        return self

    def refused(self, *codes: int, version: int | None = None) -> Heard:
        """One Error Report with one of these codes, about octets that were sent, and the end."""
        report = super().refused(*codes, version=self.version if version is None else version)
        self.line.finish()
        return report

    def dropped(self) -> None:
        """The end without a word."""
        super().dropped()
        self.line.finish()

    def closed_somehow(self) -> None:
        """The end, with an Error Report or without."""
        words = self.last_words()
        demand(all(pdu.number == ERROR_REPORT for pdu in words), "more than an Error Report before the end")
        self.line.finish()


def vrps(version: int, data: Data) -> list[bytes]:
    """The VRPs of some data as PDUs."""
    return [prefix(version, text, longest, asn) for text, longest, asn in data.vrps]


def loaded(router: Taker, data: Data | None = None, version: int = HIGHEST, **how: object) -> Cache:
    """A router in its session, with this data; without one no question about the rest of its life makes sense."""
    try:
        return Cache(router, version).load(few(1) if data is None else data, **how)  # type: ignore[arg-type]
    except Broken as broken:
        raise Inconclusive(f"no load in version {version}: {broken}") from broken


def asking(router: Taker, session: int = SESSION) -> Cache:
    """A router that has asked for everything and been told that it begins."""
    cache = Cache(router)
    if cache.query().number == SERIAL_QUERY:
        cache.say(cache_reset(cache.version))
        cache.query(RESET_QUERY)
    return cache.begin(session)


def loads_again(router: Taker) -> None:
    """It connects again, and takes what it is told then."""
    router.tidy()
    cache = Cache(router)
    asked = cache.query_of_any_version()
    cache.version = asked.version
    cache.tell(asked, few(200))


def flushed(router: Taker) -> None:
    """It uses nothing."""
    router.shows({})


def kept(router: Taker, data: Data) -> None:
    """It still uses this."""
    router.shows(data.records(HIGHEST))
