"""R-ER: a router and errors, those of its cache and its own."""

from __future__ import annotations

import time

from interop.conformance.case import MUST, MUST_NOT, case, demand
from interop.conformance.octets import (
    ERROR_REPORT,
    RESET_QUERY,
    aspa,
    cache_response,
    error_report,
    pdu,
    prefix,
    reset_query,
    serial_notify,
)
from interop.conformance.serving import (
    CLOCK,
    FRESH,
    LOG,
    SERIAL,
    SESSION,
    TIMERS,
    Cache,
    Taker,
    asking,
    flushed,
    kept,
    loaded,
)
from interop.conformance.worlds import few

CORRUPT, NO_DATA, RESTART, SHUTDOWN = 0, 2, 12, 13
FATAL = (0, 1, 3, 5, 6, 7, 8, 9, 10, 11)
SOON, LATE = 30, 700
"""Seconds after which it is time to ask a cache again that had no data, and within which it has to be."""


@case("R-ER-01", MUST, rfc8210="8.4", bis="8.4", needs={CLOCK})
def no_data(router: Taker) -> None:
    """Error 2 does not end the session: what is held stays, and from time to time everything is asked for."""
    cache = loaded(router)
    cache.say(serial_notify(2, SESSION, SERIAL + 1))
    cache.asks_for_changes()
    for _ in range(3):
        cache.say(error_report(2, NO_DATA, text="not yet"))
        router.advance(SOON)
        cache.silence()
        kept(router, few(1))
        for _ in range(LATE - SOON):
            router.advance(1)
            if heard := cache.whatever():
                break
        demand([pdu.number for pdu in heard] == [RESET_QUERY], f"no Reset Query within {LATE} s")
        demand(not cache.line.closed, "the line is closed")
    cache.answer_with(prefix(2, "10.2.0.0/16", 24, 64498))
    kept(router, few(2))


@case("R-ER-02", MUST, rfc8210="12", bis="12")
def fatal(router: Taker) -> None:
    """A fatal error of the cache ends the session without an answer, and its data is given up."""
    for code in FATAL:
        cache = loaded(router)
        cache.say(error_report(2, code, text="over"))
        cache.dropped()
        flushed(router)
        router.tidy()


@case("R-ER-03", MUST, bis="8.5", needs={CLOCK})
def restart(router: Taker) -> None:
    """Error 12 leaves the data in use until it expires; the cache is asked for changes when it is back."""
    cache = loaded(router)
    cache.say(error_report(2, RESTART, text="back soon"))
    cache.await_silence()
    kept(router, few(1))
    cache.line.reset()
    Cache(router).asks_for_changes()
    kept(router, few(1))
    router.tidy()
    router.advance(TIMERS[2])
    flushed(router)


@case("R-ER-04", MUST, bis="8.6")
def shutdown(router: Taker) -> None:
    """Error 13 ends the session, and the data is given up."""
    cache = loaded(router)
    cache.say(error_report(2, SHUTDOWN, text="good bye"))
    cache.dropped()
    flushed(router)


@case("R-ER-05", MUST, rfc8210="12", bis="12")
def unknown_code(router: Taker) -> None:
    """A code that nobody knows ends the session without an answer."""
    for code in (14, 255, 0x8000, 0xFFFF):
        cache = loaded(router)
        cache.say(error_report(2, code))
        cache.dropped()
        flushed(router)
        router.tidy()


@case("R-ER-06", MUST, rfc8210="5.11", bis="5.8")
def report_beyond_its_end(router: Taker) -> None:
    """An Error Report whose parts do not fit into it ends the session without an answer."""
    for wrong in (
        pdu(2, ERROR_REPORT, 0, (4000).to_bytes(4) + bytes(4)),
        pdu(2, ERROR_REPORT, 0, bytes(4) + (4000).to_bytes(4)),
        pdu(2, ERROR_REPORT, 0, (0xFFFFFFFC).to_bytes(4) + bytes(4)),
        pdu(2, ERROR_REPORT, 0, bytes(4)),
        pdu(2, ERROR_REPORT, 0, bytes(12)),
    ):
        cache = loaded(router)
        cache.say(wrong)
        cache.dropped()
        flushed(router)
        router.tidy()


@case("R-ER-07", MUST)
def half_a_report(router: Taker) -> None:
    """Half an Error 4 and the end of the line cost no time."""
    cache = Cache(router)
    cache.query()
    used = time.process_time()
    cache.say(pdu(2, ERROR_REPORT, 4, (8).to_bytes(4) + bytes(4), length=47))
    cache.line.finish()
    cache.await_silence()
    used = time.process_time() - used
    demand(cache.line.closed, "the line stays open")
    demand(used < 1, f"{used} s of work for half a report")


@case("R-ER-08", MUST, needs={LOG})
def text_of_strangers(router: Taker) -> None:
    """The text of a report comes to the log without what a terminal obeys."""
    for text in (b"\x1b[2J\x07", b"one\r\ntwo", b"\xff\xfe\x00", b"%n%s{0}", "\u202egnol".encode(), b"A" * 60_000):
        cache = loaded(router)
        cache.say(error_report(2, 1, text=text))
        cache.dropped()
        router.tidy()
    for line in router.log():
        demand(line.isprintable(), "a control character in the log", line.encode())
        demand(len(line) < 1000, f"a line of {len(line)} characters in the log")


@case("R-ER-09", MUST, rfc8210="5.11", bis="5.8")
def only_what_was_received(router: Taker) -> None:
    """A report shows octets that were received, and no others; its lengths add up."""
    sent = aspa(2, 64496, [2, 1, *range(3, 12_000)])
    for wrong in (pdu(2, 42, 7, length=4000), pdu(2, 4, 0, bytes(2)), pdu(2, 9, 0x100, length=0x7FFFFFFF), sent):
        cache = asking(router)
        cache.put(wrong)
        report = cache.refused(*range(12))
        demand(wrong.startswith(report.offending), "octets that were not sent", report.octets)
        demand(len(report.octets) == 16 + len(report.offending) + len(report.text), "lengths", report.octets)
        demand(len(report.octets) < 65_536, "a report that is too long")
        report.text.decode()


@case("R-ER-10", MUST_NOT, rfc8210="5.11", bis="5.8", needs={FRESH})
def no_report_for_a_report(router: Taker) -> None:
    """An Error Report is not answered with one, whatever its version and code."""
    for version in (2, 1, 0, 3, 255):
        cache = asking(router)
        cache.say(error_report(version, 3, b"", "no"))
        demand(all(pdu.number != ERROR_REPORT for pdu in cache.whatever()), "a report for a report")
        demand(cache.line.closed, "the line stays open")
        cache.line.finish()
    cache = loaded(router)
    cache.say(error_report(2, 3, error_report(2, 3, b"x")))
    cache.dropped()


@case("R-ER-11", MUST, rfc8210="12", bis="12")
def closes_after_its_report(router: Taker) -> None:
    """After its own Error Report a router closes, and hears no more."""
    for wrong in (prefix(2, "10.1.0.0/16", 8, 1), pdu(2, 5), reset_query(2), cache_response(2, SESSION)):
        cache = asking(router)
        cache.put(wrong, prefix(2, "10.1.0.0/16", 24, 64497)).end()
        cache.refused(CORRUPT, 3, 5)
        flushed(router)
        router.tidy()
