"""R-SS, R-TM: a router, its sessions with a cache, and the time that it is given."""

from __future__ import annotations

from interop.conformance.case import MAY, MUST, MUST_NOT, SHOULD_NOT, case, demand
from interop.conformance.octets import (
    RESET_QUERY,
    SERIAL_QUERY,
    cache_reset,
    cache_response,
    error_report,
    prefix,
    serial_notify,
)
from interop.conformance.serving import (
    CLOCK,
    FRESH,
    SERIAL,
    SESSION,
    TIMERS,
    Cache,
    Taker,
    asking,
    flushed,
    kept,
    loaded,
    vrps,
)
from interop.conformance.worlds import few

CORRUPT, INTERNAL, INVALID = 0, 1, 3
REFRESH, RETRY, EXPIRE = TIMERS
TWO = prefix(2, "10.2.0.0/16", 24, 64498)


@case("R-SS-01", MUST, rfc8210="5.1", bis="5.5")
def response_of_another_session(router: Taker) -> None:
    """Cache Response of another session to a Serial Query is Error 0, and the data is given up."""
    cache = loaded(router)
    cache.say(serial_notify(2, SESSION, SERIAL + 1))
    cache.asks_for_changes()
    cache.put(cache_response(2, SESSION + 1), TWO).end(SERIAL + 1, SESSION + 1)
    cache.refused(CORRUPT)
    flushed(router)


@case("R-SS-02", MUST, rfc8210="5.8", bis="5.7")
def end_of_another_session(router: Taker) -> None:
    """End of Data of another session than Cache Response is Error 0."""
    cache = asking(router)
    cache.put(TWO).end(session=SESSION + 1)
    cache.refused(CORRUPT)
    flushed(router)


@case("R-SS-03", MUST, rfc8210="5.1", bis="5.2")
def notify_of_another_session(router: Taker) -> None:
    """Serial Notify of another session is Error 0 or leads to a Reset Query, never to a Serial Query."""
    cache = loaded(router)
    cache.say(serial_notify(2, SESSION + 1, SERIAL + 1))
    heard = cache.whatever()
    if cache.line.closed:
        demand([pdu.field for pdu in heard] == [CORRUPT], "not one Error Report of code 0")
        cache.line.finish()
        flushed(router)
    else:
        demand([pdu.number for pdu in heard] == [RESET_QUERY], "no Reset Query", b"".join(pdu.octets for pdu in heard))


@case("R-SS-04", MAY, rfc8210="5.3", bis="5.3")
def reconnect(router: Taker) -> str | None:
    """Who comes back asks for the changes since what it holds."""
    loaded(router).line.reset()
    asked = Cache(router).query()
    if asked.number == RESET_QUERY:
        return "asks for everything"
    demand((asked.field, asked.serial) == (SESSION, SERIAL), "asks from elsewhere", asked.octets)
    return None


@case("R-SS-05", MUST, rfc8210="12", bis="12")
def after_a_fatal_error(router: Taker) -> None:
    """After a fatal error everything is asked for, also when no load was ever complete."""
    cache = asking(router)
    cache.put(prefix(2, "10.2.0.0/16", 8, 64498))
    cache.refused(CORRUPT)
    cache = Cache(router).asks_for_all()
    cache.answer_with(*vrps(2, few(1)))
    kept(router, few(1))
    cache.say(error_report(2, INTERNAL))
    cache.dropped()
    flushed(router)
    Cache(router).asks_for_all()


@case("R-SS-06", MUST, rfc8210="5.1", bis="5.1", needs={FRESH})
def after_another_version(router: Taker) -> None:
    """After a change of version everything is asked for."""
    loaded(router).line.reset()
    cache = Cache(router)
    cache.query()
    cache.say(error_report(1, 4, b"", "no"))
    cache.version = 1
    cache.await_silence()
    (Cache(router, 1) if cache.line.closed else cache).asks_for_all()


@case("R-SS-07", MUST, rfc8210="8.3", bis="8.3")
def cache_reset_leads_to_everything(router: Taker) -> None:
    """Cache Reset leads to a Reset Query; what is held stays in use until the new set is whole."""
    cache = loaded(router)
    cache.say(serial_notify(2, SESSION, SERIAL + 1))
    cache.asks_for_changes()
    cache.say(cache_reset(2))
    cache.asks_for_all()
    kept(router, few(1))
    cache.begin(SESSION + 2).put(TWO)
    kept(router, few(1))
    cache.end(5, SESSION + 2)
    kept(router, few(2))


@case("R-SS-08", MUST, rfc8210="8.3", bis="8.3")
def what_is_absent_is_gone(router: Taker) -> None:
    """What is not in the answer to a Reset Query is not used any more, in the same session neither."""
    cache = loaded(router, few(1, 2, 3))
    cache.say(serial_notify(2, SESSION, SERIAL + 1))
    cache.asks_for_changes()
    cache.say(cache_reset(2))
    cache.asks_for_all().answer_with(*vrps(2, few(2)), serial=SERIAL + 1)
    kept(router, few(2))


@case("R-SS-09", MUST, needs={CLOCK, FRESH})
def nothing_but_cache_resets(router: Taker) -> None:
    """Cache Reset in answer to Reset Queries makes no loop."""
    queries, seconds, cache = 0, 0, Cache(router)
    while seconds < 60:
        for pdu in cache.whatever():
            if pdu.number == RESET_QUERY:
                queries += 1
                cache.say(cache_reset(2))
        if cache.line.closed:
            break
        router.advance(1)
        seconds += 1
    demand(queries <= 4, f"{queries} queries in {seconds} s")


@case("R-SS-10", MUST, rfc8210="5.2", bis="5.2")
def serial_after_the_last(router: Taker) -> None:
    """Serial 0 after 4294967295 is newer."""
    cache = loaded(router, serial=0xFFFFFFFF)
    cache.say(serial_notify(2, SESSION, 0))
    cache.asks_for_changes(serial=0xFFFFFFFF)
    cache.answer_with(TWO, serial=0)
    kept(router, few(1, 2))


@case("R-SS-11", MUST, needs={CLOCK})
def a_thousand_notifies(router: Taker) -> None:
    """However many Serial Notifies come, queries stay few."""
    cache, queries = loaded(router), 0
    for number in range(3000):
        cache.say(serial_notify(2, SESSION, SERIAL + 1 + number))
        for pdu in cache.whatever():
            queries += pdu.number == SERIAL_QUERY
            cache.answer_with(serial=SERIAL + 1 + number)
        router.advance(0.001)
    demand(0 < queries <= 4, f"{queries} queries in three seconds")


@case("R-TM-01", SHOULD_NOT, rfc8210="6", bis="6", needs={CLOCK})
def refresh(router: Taker) -> None:
    """There is a query when Refresh is over, and none before."""
    cache = loaded(router)
    router.advance(REFRESH - 1)
    cache.silence()
    router.advance(1)
    cache.asks_for_changes()


@case("R-TM-02", MAY, rfc8210="5.2", bis="5.2")
def notify_leads_to_a_query(router: Taker) -> str | None:
    """Serial Notify leads to a query at once, and one of the serial that is held does not."""
    cache = loaded(router)
    cache.say(serial_notify(2, SESSION, SERIAL))
    cache.silence()
    cache.say(serial_notify(2, SESSION, SERIAL + 1))
    if not cache.hear_some():
        return "waits for Refresh"
    cache.asks_for_changes()
    return None


@case("R-TM-03", SHOULD_NOT, rfc8210="6", bis="6", needs={CLOCK, FRESH})
def retry(router: Taker) -> None:
    """After a query that failed there is none before Retry, which is 600 s where nothing else was said."""
    cache = asking(router)
    cache.say(error_report(2, INTERNAL))
    cache.dropped()
    cache = Cache(router)
    demand(RETRY - 1 <= router.waited <= 2 * RETRY, f"back after {router.waited} s")
    cache.load(few(1), timers=(REFRESH, 60, EXPIRE))
    cache.say(serial_notify(2, SESSION, SERIAL + 1))
    cache.asks_for_changes()
    cache.put(TWO)
    cache.refused(INVALID)
    Cache(router)
    demand(59 <= router.waited <= 120, f"back after {router.waited} s where Retry is 60 s")


@case("R-TM-04", MUST_NOT, rfc8210="6", bis="6", needs={CLOCK, FRESH})
def expire(router: Taker) -> None:
    """Data is given up when Expire is over, not before and not a second later: connected to a mute cache, or not."""
    for refresh_seconds, connected in ((3601, True), (REFRESH, True), (REFRESH, False)):
        timers = (refresh_seconds, RETRY, 3602 if refresh_seconds > REFRESH else EXPIRE)
        cache = loaded(router, timers=timers)
        if not connected:
            cache.line.reset()
        router.advance(timers[2] - 60)
        kept(router, few(1))
        router.advance(59)
        kept(router, few(1))
        router.advance(1)
        flushed(router)
        router.tidy()


@case("R-TM-05", MUST, rfc8210="6", bis="6", needs={CLOCK, FRESH})
def timers_out_of_range(router: Taker) -> None:
    """Timers that are not allowed are an error, or are taken as the nearest that are; they make no loop."""
    huge = 0xFFFFFFFF
    for timers in ((0, 0, 0), (0, RETRY, EXPIRE), (REFRESH, RETRY, 10), (REFRESH, RETRY, REFRESH), (huge, huge, huge)):
        cache = asking(router).put(*vrps(2, few(1))).end(timers=timers)
        seconds, queries = 0, 0
        while seconds < 30 and not cache.line.closed:
            router.advance(1)
            seconds += 1
            for pdu in cache.whatever():
                queries += pdu.number == SERIAL_QUERY
                cache.say(cache_response(2, SESSION))
                cache.end(timers=timers)
        demand(queries <= 31, f"{queries} queries in {seconds} s for timers of {timers}")
        if not cache.line.closed:
            kept(router, few(1))
        cache.line.reset()
        router.tidy()
