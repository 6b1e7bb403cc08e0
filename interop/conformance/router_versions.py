"""R-VN: a router and the version of its cache."""

from __future__ import annotations

from interop.conformance.case import MAY, MUST, SHOULD, case, demand
from interop.conformance.octets import error_report, prefix, reset_query, serial_notify
from interop.conformance.serving import (
    CLOCK,
    FRESH,
    HIGHEST,
    SERIAL,
    SESSION,
    Cache,
    Taker,
    asking,
    flushed,
    kept,
    loaded,
)
from interop.conformance.worlds import few

UNSUPPORTED, UNEXPECTED = 4, 8
NOT_SOONER = 0.05
"""Seconds: who comes back sooner, again and again, is in a loop."""


def _refuse(cache: Cache, version: int) -> None:
    """Say that the version of the query is not spoken, in this version."""
    cache.say(error_report(version, UNSUPPORTED, reset_query(cache.version), "no"))


def _next(router: Taker, cache: Cache) -> Cache:
    """The connection on which a router goes on with the next lower version: the same or a new one."""
    lower = cache.version - 1
    cache.await_silence()
    if cache.line.closed:
        cache.line.finish()
        return Cache(router, lower)
    cache.version = lower
    return cache


@case("R-VN-01", MUST, rfc8210="7, 8.1", bis="7, 8.1", needs={FRESH})
def highest_first(router: Taker) -> None:
    """The first PDU is a query in the highest version."""
    cache = Cache(router)
    cache.asks_for_all()
    cache.silence()


@case("R-VN-02", SHOULD, rfc8210="7", bis="7", needs={FRESH})
def offered_version(router: Taker) -> None:
    """Error 4 in a lower version leads to a query in it."""
    cache = Cache(router).asks_for_all()
    for version in (1, 0):
        _refuse(cache, version)
        cache = _next(router, cache).asks_for_all()
    cache.answer_with(prefix(0, "10.1.0.0/16", 24, 64497))
    router.shows(few(1).records(0))


@case("R-VN-03", MUST, rfc8210="7", bis="7", needs={CLOCK, FRESH})
def no_loop(router: Taker) -> None:
    """Error 4 in a version that is not lower ends the connection, and makes no loop."""
    for version in (2, 3, 255):
        for attempt in range(8):
            cache = Cache(router)
            demand(not attempt or router.waited >= NOT_SOONER, f"back after {router.waited} s")
            cache.version = cache.query_of_any_version().version
            cache.say(error_report(version, UNSUPPORTED, reset_query(cache.version), "no"))
            demand(len(cache.whatever()) < HIGHEST + 1, "the router goes on asking")
            cache.line.reset()


@case("R-VN-04", MUST, rfc8210="7", bis="7", needs={CLOCK, FRESH})
def nothing_below_zero(router: Taker) -> None:
    """Error 4 to version 0 ends the session, and Retry is waited for."""
    cache = Cache(router).asks_for_all()
    for version in (1, 0):
        _refuse(cache, version)
        cache = _next(router, cache).asks_for_all()
    _refuse(cache, 0)
    cache.dropped()
    Cache(router, HIGHEST).asks_for_all()
    demand(router.waited >= router.timers[1] - 1, f"back after {router.waited} s")


@case("R-VN-05", MUST, rfc8210="7", bis="7", needs={FRESH})
def lower_answer(router: Taker) -> str | None:
    """A Cache Response in a lower version is taken as the session's, or ends it."""
    cache = Cache(router).asks_for_all()
    cache.version = 1
    cache.answer_with(prefix(1, "10.1.0.0/16", 24, 64497))
    cache.whatever()
    if cache.line.closed:
        return "takes no lower version from a Cache Response"
    router.shows(few(1).records(1))
    return None


@case("R-VN-06", MAY, rfc8210="7", bis="7", needs={FRESH})
def closed_without_a_word(router: Taker) -> None:
    """Who is closed on without a word may try a lower version, and keeps what it has."""
    loaded(router, few(1)).line.reset()
    for _ in range(3):
        cache = Cache(router)
        cache.query_of_any_version()
        cache.line.reset()
        kept(router, few(1))


@case("R-VN-07", MUST, rfc8210="5.2, 7", bis="5.2, 7")
def early_notify(router: Taker) -> None:
    """Serial Notify before the first Cache Response, of any version, is ignored."""
    cache = Cache(router)
    cache.query()
    for version in (2, 1, 0, 3, 255):
        cache.say(serial_notify(version, SESSION + 1, 99))
    cache.silence()
    cache.line.reset()
    cache = Cache(router)
    cache.query()
    cache.say(serial_notify(0, 1, 1))
    cache.silence()


@case("R-VN-08", MUST, rfc8210="7", bis="7")
def other_version_in_payload(router: Taker) -> None:
    """Payload of another version than the session's is Error 8."""
    for version in (1, 0, 3):
        cache = asking(router)
        cache.put(prefix(HIGHEST, "10.1.0.0/16", 24, 1), prefix(version, "10.2.0.0/16", 24, 1)).end()
        cache.refused(UNEXPECTED)
        flushed(router)


@case("R-VN-09", MUST, rfc8210="7", bis="7")
def other_version_in_notify(router: Taker) -> None:
    """So is a Serial Notify between answers."""
    for version in (1, 0, 7):
        cache = loaded(router)
        cache.say(serial_notify(version, SESSION, SERIAL + 1))
        cache.refused(UNEXPECTED)
        flushed(router)
