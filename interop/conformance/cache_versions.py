"""C-VN: a cache and the version of its routers."""

from __future__ import annotations

from interop.conformance.asking import Asker, Router, served
from interop.conformance.case import MUST, MUST_NOT, case, demand
from interop.conformance.octets import (
    ASPA,
    CACHE_RESPONSE,
    END_OF_DATA,
    ERROR_REPORT,
    ROUTER_KEY,
    error_report,
    pdu,
    reset_query,
    serial_query,
)
from interop.conformance.subject import RESTART, Subject
from interop.conformance.worlds import CHANGED, WORLD

KNOWN = range(14)
CODES = {0: range(8), 1: range(9), 2: KNOWN}
"""The error codes that each version has (RFC 6810, RFC 8210, 8210bis, section 12 or 10 of each)."""


def _full(subject: Subject, version: int, kinds: set[int]) -> None:
    subject.load(WORLD)
    router = Router(subject, version)
    answer = router.load()
    router.exact()
    demand(len(answer[-1].octets) == (24 if version else 12), "End of Data of another version", answer[-1].octets)
    demand({heard.number for heard in answer} & {ROUTER_KEY, ASPA} == kinds, "not the kinds of this version")


@case("C-VN-01", MUST, rfc8210="7", bis="7")
def version_0(subject: Subject) -> None:
    """A Reset Query of version 0 gets a full answer in version 0."""
    _full(subject, 0, set())


@case("C-VN-02", MUST, rfc8210="7", bis="7")
def version_1(subject: Subject) -> None:
    """A Reset Query of version 1 gets a full answer in version 1."""
    _full(subject, 1, {ROUTER_KEY})


@case("C-VN-03", MUST, bis="7")
def version_2(subject: Subject) -> None:
    """A Reset Query of version 2 gets a full answer in version 2."""
    _full(subject, 2, {ROUTER_KEY, ASPA})


@case("C-VN-04", MUST, rfc8210="7", bis="7")
def too_high(subject: Subject) -> None:
    """A query above the cache's versions gets Error 4 in its highest."""
    highest = max(subject.versions)
    for version in (3, 9, 127, 255):
        asker = Asker(subject)
        heard = asker.ask(reset_query(version))[-1]
        demand((heard.number, heard.field) == (ERROR_REPORT, 4), "no Error 4", heard.octets)
        # What looks like version 255 may have come to a protocol of its own that begins at 128.
        right = {highest} if version < 0x80 else {highest, *range(0x80, 0xFF)}
        demand(heard.version in right, f"Error 4 of version {heard.version}, not {highest}", heard.octets)
        demand(heard.offending == reset_query(version), "Error 4 shows another PDU", heard.octets)


@case("C-VN-05", MUST, bis="7")
def second_try(subject: Subject) -> None:
    """After Error 4 a query at the offered version is served on the same connection."""
    subject.load(WORLD)
    router = Router(subject, max(subject.versions))
    for version in (3, 77):
        router.ask(reset_query(version))
    router.ask(serial_query(5, 1, 1))
    router.load()
    router.exact()


@case("C-VN-06", MUST, rfc8210="7", bis="7", needs=(RESTART,))
def too_low(subject: Subject) -> None:
    """A version below the configured ones gets Error 4 in the cache's highest, and the end."""
    subject.restart(versions=(1, 2))
    subject.load(WORLD)
    for query in (reset_query(0), serial_query(0, 1, 1)):
        Asker(subject).say(query).refused(4, version=2)


@case("C-VN-07", MUST, rfc8210="8.1", bis="8.1")
def serial_query_first(subject: Subject) -> None:
    """A Serial Query as the first PDU fixes the version as a Reset Query does."""
    subject.load(WORLD)
    for version in subject.versions:
        router = served(subject, version)
        again = Router(subject, version)
        answer = again.ask(serial_query(version, router.session, router.serial))
        found = [heard.number for heard in answer]
        demand(found == [CACHE_RESPONSE, END_OF_DATA], "no empty answer", answer[0].octets)
        demand({heard.version for heard in answer} == {version}, "an answer of another version", answer[0].octets)
        again.load()


@case("C-VN-08", MUST, rfc8210="7", bis="7")
def all_in_one_version(subject: Subject) -> None:
    """Every PDU of a session carries its version: notifies, changes and resets, too."""
    subject.load(WORLD)
    routers = [served(subject, version) for version in subject.versions]
    subject.load(CHANGED)
    for router in routers:
        notify = router.pdu()
        changes = router.refresh()
        demand(changes is not None, "no changes since the serial before")
        heard = [notify, *(changes or []), *router.ask(serial_query(router.version, router.session, router.serial - 9))]
        demand({each.version for each in heard} == {router.version}, "PDUs of another version", notify.octets)


def _another(subject: Subject, first: int, second: int) -> None:
    for query in (reset_query(second), serial_query(second, 1, 1), pdu(second, 77, length=4)):
        served(subject, first).say(query).refused(8 if first else 3, version=first)


@case("C-VN-09", MUST, rfc8210="7", bis="7")
def raised(subject: Subject) -> None:
    """A higher version in a session is told (8, or 3 where there is no 8) and ends it."""
    subject.load(WORLD)
    for first, second in ((0, 1), (1, 2), (0, 2), (2, 3), (2, 0x80)):
        _another(subject, first, second)


@case("C-VN-10", MUST, rfc8210="7", bis="7")
def lowered(subject: Subject) -> None:
    """A lower version in a session is told (8, or 3 where there is no 8) and ends it."""
    subject.load(WORLD)
    for first, second in ((1, 0), (2, 1), (2, 0)):
        _another(subject, first, second)


@case("C-VN-11", MUST_NOT, rfc8210="7, 5.11", bis="5.8")
def report_of_unknown_version(subject: Subject) -> None:
    """An Error Report is never answered with one, whatever its version."""
    for version in (0, 1, 2, 3, 9, 127):
        Asker(subject).say(error_report(version, 4, reset_query(2), "no")).dropped()
        Asker(subject).say(pdu(version, ERROR_REPORT, 4, length=7)).dropped()
    for version in subject.versions:
        served(subject, version).say(error_report(9, 4)).dropped()
        served(subject, version).say(pdu(9, ERROR_REPORT, 4, length=7)).dropped()


@case("C-VN-12", MUST, bis="12")
def codes_of_the_version(subject: Subject) -> None:
    """Only error codes that the session's version has are sent."""
    subject.load(WORLD)
    mistakes = (pdu(0, 2, length=7), pdu(0, 42), pdu(0, CACHE_RESPONSE), pdu(0, 1), pdu(0, 2, body=bytes(70000)))
    for version in subject.versions:
        for mistake in mistakes:
            for asker in (Asker(subject), served(subject, version)):
                report = asker.say(bytes([version]) + mistake[1:]).last_words()[-1]
                demand(report.field in CODES[version], f"error {report.field} in version {version}", report.octets)
                demand(report.version == version, "an Error Report of another version", report.octets)
        report = served(subject, version).say(reset_query((version + 1) % 3)).last_words()[-1]
        demand(report.field in CODES[version], f"error {report.field} in version {version}", report.octets)


@case("C-VN-13", MUST, bis="14")
def side_by_side(subject: Subject) -> None:
    """Routers of different versions are served at once, each in its own."""
    subject.load(WORLD)
    routers = [Router(subject, version) for version in subject.versions * 2]
    for router in routers:
        router.say(reset_query(router.version))
    for router in routers:
        router.receive(full=True)
