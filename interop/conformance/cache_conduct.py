"""C-ER, C-TM, C-RS, C-TP: how a cache reports errors, keeps time, says goodbye and uses transports."""

from __future__ import annotations

from interop.conformance.asking import Asker, Router, served
from interop.conformance.case import MUST, MUST_NOT, SHOULD, Broken, case, demand
from interop.conformance.octets import (
    CACHE_RESPONSE,
    END_OF_DATA,
    ERROR_REPORT,
    error_report,
    pdu,
    reset_query,
    serial_query,
)
from interop.conformance.subject import CLOCK, GOODBYE, PLACES, RESTART, Subject
from interop.conformance.worlds import WORLD, bulky, few, many

LONGEST_REPORT = 400
INTERVALS = ((1, 86_400), (1, 7_200), (600, 172_800))
"""Refresh, retry and expire in seconds, least and most (RFC 8210 section 6)."""
RESTARTED, SHUT_DOWN = 12, 13


# --- Error Reports ---------------------------------------------------------------------------------------------------


@case("C-ER-01", MUST, rfc8210="12", bis="12")
def told_of_a_fatal_error(subject: Subject) -> None:
    """A router that reports a fatal error is dropped without a reply."""
    for version in subject.versions:
        for code in (0, 1, 3, 4, 5, 6, 7):
            for asker in (Asker(subject), served(subject, version)):
                asker.say(error_report(version, code, reset_query(version), "fatal")).dropped()


@case("C-ER-02", MUST_NOT, rfc8210="5.11", bis="5.8")
def malformed_report(subject: Subject) -> None:
    """A malformed Error Report is not replied to; the router is dropped."""
    for version in subject.versions:
        for wrong in (
            pdu(version, ERROR_REPORT, 0, (4000).to_bytes(4) + bytes(8)),
            pdu(version, ERROR_REPORT, 0, bytes(4) + (4000).to_bytes(4)),
            pdu(version, ERROR_REPORT, 0, b"\xff" * 8),
            pdu(version, ERROR_REPORT, 0, bytes(12)),
            pdu(version, ERROR_REPORT, 0, bytes(4)),
            pdu(version, ERROR_REPORT),
            pdu(version, ERROR_REPORT, length=3),
            error_report(version, 0, text=b"\xff\xfe"),
        ):
            for asker in (Asker(subject), served(subject, version)):
                asker.say(wrong + reset_query(version)).dropped()


@case("C-ER-03", MUST_NOT, rfc8210="5.11", bis="12")
def unknown_code(subject: Subject) -> None:
    """An Error Report with an unknown code is not replied to; the router is dropped."""
    for version in subject.versions:
        for code in (14, 255, 0xFFFF):
            served(subject, version).say(error_report(version, code)).dropped()


@case("C-ER-04", MUST, rfc8210="12", bis="12")
def closes_after_its_report(subject: Subject) -> None:
    """Whoever sends a fatal error closes, and parses nothing more."""
    for version in subject.versions:
        for asker in (Asker(subject), served(subject, version)):
            asker.say(pdu(version, 42) + reset_query(version), reset_query(version)).refused(5)


@case("C-ER-05", MUST, rfc8210="12", bis="12")
def report_arrives(subject: Subject) -> None:
    """The Error Report arrives, however much was still on the way to the cache."""
    for _ in range(10):
        served(subject, 1).say(pdu(1, 42) + reset_query(1) * 10_000, *[bytes(1000)] * 10).refused(5)


@case("C-ER-06", MUST, rfc8210="5.11", bis="5.8")
def report_is_exact(subject: Subject) -> None:
    """An Error Report shows the offending PDU or its beginning, its lengths add up, and it is short."""
    for version in subject.versions:
        for offender in (
            pdu(version, 42, 7, bytes(range(20))),
            pdu(version, 42, 7, bytes(range(256)) * 255),
            pdu(version, 2, body=b"\xee" * 4),
            pdu(version, CACHE_RESPONSE, 77),
            pdu(version, 2, length=7),
        ):
            report = served(subject, version).say(offender).last_words()[-1]
            shown = report.offending
            inside = len(report.octets) == 16 + len(shown) + len(report.text)
            text = int.from_bytes(report.octets[12 + len(shown) : 16 + len(shown)])
            demand(inside and text == len(report.text), "lengths that do not add up", report.octets)
            demand(len(shown) >= 4 and offender.startswith(shown), "not the offending PDU", report.octets)
            demand(len(report.octets) < LONGEST_REPORT, f"an Error Report of {len(report.octets)} octets")


@case("C-ER-07", MUST, rfc8210="5.11", bis="5.8", needs=(CLOCK,))
def nothing_to_show(subject: Subject) -> None:
    """An error that no PDU led to shows none."""
    asker = served(subject, 2).say(reset_query(2)[:5])
    subject.advance(600)
    report = asker.refused(1, 10)
    demand(not report.offending, "a PDU in a report about none", report.octets)


@case("C-ER-08", MUST, rfc8210="5.11", bis="5.8")
def text_is_text(subject: Subject) -> None:
    """The text of an Error Report is UTF-8 without control characters."""
    for wrong in (pdu(1, 42), pdu(1, 2, length=1), pdu(1, CACHE_RESPONSE), reset_query(2), b"\x01\x0d\r\n\0\0\0\x08"):
        text = served(subject, 1).say(wrong).last_words()[-1].text
        try:
            demand(text.decode().isprintable(), "control characters", text)
        except UnicodeDecodeError:
            raise Broken(f"not UTF-8: {text[:64]!r}") from None


@case("C-ER-09", MUST, rfc8210="12", bis="12")
def one_report(subject: Subject) -> None:
    """However much is wrong, there is one fatal Error Report."""
    mess = b"".join(pdu(1, number, number, bytes(number)) for number in range(20, 60))
    for asker in (Asker(subject), served(subject, 1)):
        asker.say(mess, mess, pdu(0, 2), error_report(1, 0)).refused(5)


# --- timers ----------------------------------------------------------------------------------------------------------


@case("C-TM-01", MUST, rfc8210="6", bis="6")
def intervals(subject: Subject) -> None:
    """Refresh, retry and expire are within their limits."""
    for version in subject.versions[1:]:
        end = served(subject, version).ask(reset_query(version))[-1]
        for value, (least, most) in zip(end.timers, INTERVALS, strict=True):
            demand(least <= value <= most, f"{value} s, not {least} to {most}", end.octets)


@case("C-TM-02", MUST, rfc8210="6", bis="6")
def expire_is_longest(subject: Subject) -> None:
    """The expire interval is longer than refresh and retry."""
    for version in subject.versions[1:]:
        end = served(subject, version).ask(reset_query(version))[-1]
        refresh, retry, expire = end.timers
        demand(expire > max(refresh, retry), f"expire {expire}, refresh {refresh}, retry {retry}", end.octets)


@case("C-TM-03", MUST, rfc8210="5.8", bis="5.7")
def length_of_the_end(subject: Subject) -> None:
    """End of Data has 12 octets in version 0 and 24 in others, in all answers."""
    subject.load(WORLD)
    for version in subject.versions:
        router = served(subject, version)
        for query in (reset_query(version), serial_query(version, router.session, router.serial)):
            end = router.ask(query)[-1]
            right = 24 if version else 12
            demand(len(end.octets) == right, f"{len(end.octets)} octets, not {right}", end.octets)


# --- the end ---------------------------------------------------------------------------------------------------------


def _farewell(subject: Subject, code: int) -> None:
    subject.load(many(4000))
    idle, busy, slow = served(subject, 2), Router(subject, 2), Router(subject, 2)
    busy.say(reset_query(2))
    slow.say(reset_query(2)[:4])
    subject.goodbye(restart=code == RESTARTED)
    idle.refused(code, version=2)
    words = busy.last_words()
    demand(words[-2].number == END_OF_DATA, "an answer that is cut off", words[-2].octets)
    demand((words[-1].number, words[-1].field) == (ERROR_REPORT, code), f"no Error {code}", words[-1].octets)
    slow.dropped()
    subject.restart()
    subject.load(few(1))


@case("C-RS-01", MUST, bis="8.5", needs=(GOODBYE, RESTART))
def planned_restart(subject: Subject) -> None:
    """Before a restart routers of version 2 get Error 12, behind what they were being told."""
    _farewell(subject, RESTARTED)


@case("C-RS-02", MUST, bis="8.6", needs=(GOODBYE, RESTART))
def planned_shutdown(subject: Subject) -> None:
    """Before a shutdown routers of version 2 get Error 13, behind what they were being told."""
    _farewell(subject, SHUT_DOWN)


@case("C-RS-03", MUST_NOT, bis="12", needs=(GOODBYE, RESTART))
def no_words_for_it(subject: Subject) -> None:
    """Routers of versions 0 and 1, and who has not spoken yet, are left without a word."""
    for restart in (True, False):
        askers = [served(subject, 0), served(subject, 1), Asker(subject)]
        subject.goodbye(restart=restart)
        for asker in askers:
            asker.dropped()
        subject.restart()
        subject.load(WORLD)


# --- transport -------------------------------------------------------------------------------------------------------


@case("C-TP-01", SHOULD, rfc8210="9", bis="9")
def keepalive(subject: Subject) -> None:
    """TCP keepalive is on."""
    router = served(subject, 1)
    demand(router.line.kept_alive, "no keepalive")


@case("C-TP-02", SHOULD, bis="9", needs=(CLOCK,))
def stalled(subject: Subject) -> None:
    """Who takes nothing for three times the retry interval is told (10) and dropped; who takes a little is not."""
    subject.load(bulky(600))
    dead, slow = Router(subject, 2), Router(subject, 2)
    retry = served(subject, 2).ask(reset_query(2))[-1].timers[1]
    for router in (dead, slow):
        router.say(reset_query(2))
    for _ in range(3):
        subject.advance(retry - 1)
        slow.hear_some()
    subject.advance(63)
    demand(not slow.line.closed, "a router that reads slowly is dropped")
    while dead.hear_some():
        pass
    demand(dead.line.closed, "the line stays open")
    slow.receive(full=True)


@case("C-TP-03", MUST, needs=(RESTART,))
def too_many(subject: Subject) -> None:
    """Beyond the limit connections are closed cleanly, and those that are there live on."""
    subject.restart(connections=5)
    subject.load(few(1))
    routers = [served(subject, version) for version in (0, 1, 2, 1, 2)]
    for _ in range(3):
        Asker(subject).dropped()
    for router in routers:
        router.load()
        router.exact()
    routers[0].line.reset()
    served(subject, 2).exact()
    subject.restart()
    subject.load(few(1))


@case("C-TP-04", MUST, needs=(PLACES,))
def several_places(subject: Subject) -> None:
    """Whoever connects to another port or by IPv6 is served the same, in the same session."""
    subject.load(WORLD)
    here = served(subject, 2)
    for other in subject.elsewhere():
        there = served(other, 2)
        there.exact()
        demand((there.session, there.serial) == (here.session, here.serial), "another session or serial")
