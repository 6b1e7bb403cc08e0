"""C-FR: a cache and the octets of its routers, however they come and whatever they are."""

from __future__ import annotations

from interop.conformance.asking import Asker, Router, served
from interop.conformance.case import INFO, MUST, SHOULD, case, demand
from interop.conformance.octets import (
    CACHE_RESPONSE,
    END_OF_DATA,
    ERROR_REPORT,
    SERIAL_QUERY,
    aspa,
    cache_reset,
    cache_response,
    end_of_data,
    pdu,
    prefix,
    reset_query,
    router_key,
    serial_notify,
    serial_query,
)
from interop.conformance.subject import CLOCK, Subject
from interop.conformance.worlds import CHANGED, WORLD, few

CLIENT_HELLO = bytes.fromhex("1603010200010001fc0303") + bytes(500)
HTTP = b"GET / HTTP/1.1\r\nHost: cache.example\r\n\r\n"
SSH = b"SSH-2.0-OpenSSH_9.9\r\n"


def _new(subject: Subject, version: int) -> tuple[Asker, Asker]:
    """Somebody who has said nothing yet, and a router in its session."""
    return Asker(subject), served(subject, version)


@case("C-FR-01", MUST)
def split_anywhere(subject: Subject) -> None:
    """A query that is split at any octet is answered."""
    subject.load(WORLD)
    for version in subject.versions:
        known = served(subject, version)
        for query in (reset_query(version), serial_query(version, known.session, known.serial)):
            for at in range(1, len(query)):
                answer = Asker(subject).say(query[:at], query[at:]).answer()
                demand(answer[-1].number == END_OF_DATA, f"no answer to a query split at {at}", answer[-1].octets)
        octet_by_octet = [reset_query(version)[at : at + 1] for at in range(8)]
        demand(Asker(subject).say(*octet_by_octet).answer()[-1].number == END_OF_DATA, "no answer to single octets")


@case("C-FR-02", MUST)
def split_around_an_update(subject: Subject) -> None:
    """A query is answered whose halves come before and after an update of the data."""
    subject.load(WORLD)
    fresh, known = Router(subject, 2), served(subject, 2)
    query = serial_query(2, known.session, known.serial)
    fresh.say(reset_query(2)[:3])
    known.say(query[:5])
    subject.load(CHANGED)
    fresh.say(reset_query(2)[3:])
    known.say(query[5:])
    fresh.receive(full=True)
    known.receive(full=False)


@case("C-FR-03", MUST)
def two_resets(subject: Subject) -> None:
    """Two Reset Queries in one segment get two full answers in their order."""
    subject.load(WORLD)
    router = Router(subject, 1)
    router.say(reset_query(1) * 2)
    for _ in range(2):
        router.receive(full=True)
    router.silence()


@case("C-FR-04", MUST)
def reset_and_serial(subject: Subject) -> None:
    """A Reset Query and a Serial Query in one segment are both answered."""
    subject.load(WORLD)
    known = served(subject, 1)
    router = Router(subject, 1)
    first = router.ask(reset_query(1) + serial_query(1, known.session, known.serial))
    second = router.answer()
    demand(first[-1].number == END_OF_DATA and len(first) > 2, "the Reset Query is not answered", first[0].octets)
    found = [heard.number for heard in second]
    demand(found == [CACHE_RESPONSE, END_OF_DATA], "the Serial Query is not answered", second[0].octets)


@case("C-FR-05", MUST, rfc8210="5.1, 12", bis="5.1, 12")
def no_length(subject: Subject) -> None:
    """A length below that of a header gets Error 0 and the end."""
    for version in subject.versions:
        for number in (SERIAL_QUERY, 2):
            for length in range(8):
                for asker in _new(subject, version):
                    asker.say(pdu(version, number, length=length) + bytes(4)).refused(0, version=version)


@case("C-FR-06", MUST, rfc8210="12", bis="12")
def long_reset_query(subject: Subject) -> None:
    """A Reset Query of 12 octets gets Error 0, and its body is never taken for a PDU."""
    for version in subject.versions:
        for asker in _new(subject, version):
            asker.say(pdu(version, 2, body=reset_query(version)[:4]) + reset_query(version)).refused(0, 3)


@case("C-FR-07", MUST, rfc8210="12", bis="12")
def odd_serial_query(subject: Subject) -> None:
    """A Serial Query of another length than 12 gets Error 0 and the end."""
    for version in subject.versions:
        for size in (0, 3, 8):
            for asker in _new(subject, version):
                asker.say(pdu(version, SERIAL_QUERY, 1, bytes(size)) + reset_query(version)).refused(0, 3)


@case("C-FR-08", MUST, bis="5.1")
def huge_length(subject: Subject) -> None:
    """A length beyond 65,535 is refused as soon as the header is there."""
    for version in subject.versions:
        for length in (65_536, 1 << 31, (1 << 32) - 1):
            for number in (SERIAL_QUERY, 2, ERROR_REPORT):
                for asker in _new(subject, version):
                    asker.say(pdu(version, number, length=length))
                    asker.dropped() if number == ERROR_REPORT else asker.refused(0)


@case("C-FR-09", MUST, rfc8210="5", bis="5")
def reserved_field(subject: Subject) -> None:
    """What is reserved in a Reset Query is ignored."""
    for version in subject.versions:
        answer = Asker(subject).ask(reset_query(version, 0xBEEF))
        demand(answer[-1].number == END_OF_DATA, "no answer", answer[0].octets)


@case("C-FR-10", MUST, rfc8210="12", bis="12")
def unknown_type(subject: Subject) -> None:
    """An unknown type gets Error 5 with a copy, and the end."""
    for version in subject.versions:
        for number in (12, 42, 254):
            for asker in _new(subject, version):
                wrong = pdu(version, number, 7, b"body")
                report = asker.say(wrong).refused(5, version=version)
                demand(wrong.startswith(report.offending) and len(report.offending) >= 8, "no copy", report.octets)


@case("C-FR-11", MUST, rfc8210="5", bis="5")
def reserved_type(subject: Subject) -> None:
    """The reserved types 5 and 255 get Error 5 and the end."""
    for version in subject.versions:
        for number in (5, 255):
            for asker in _new(subject, version):
                asker.say(pdu(version, number)).refused(5, version=version)


@case("C-FR-12", MUST, rfc8210="12", bis="12")
def sent_by_caches(subject: Subject) -> None:
    """PDUs that only caches send get Error 3 (5 where the version lacks the type) and the end."""
    for version in subject.versions:
        key, aspas = router_key(version, bytes(20), 1, b"\x30\0"), aspa(version, 1, [2])
        for wrong, code in (
            (serial_notify(version, 1, 1), 3),
            (cache_response(version, 1), 3),
            (prefix(version, "192.0.2.0/24", 24, 1), 3),
            (prefix(version, "2001:db8::/32", 32, 1), 3),
            (end_of_data(version, 1, 1), 3),
            (cache_reset(version), 3),
            (key, 3 if version >= 1 else 5),
            (aspas, 3 if version >= 2 else 5),
        ):
            for asker in _new(subject, version):
                asker.say(wrong).refused(code, version=version)


@case("C-FR-13", SHOULD)
def other_protocols(subject: Subject) -> None:
    """HTTP, TLS and SSH get one Error Report at the most, and the end."""
    for words in (HTTP, CLIENT_HELLO, SSH):
        heard = Asker(subject).say(words).last_words()
        octets = b"".join(each.octets for each in heard)
        demand([each.number for each in heard] in ([], [ERROR_REPORT]), "more than one Error Report", octets)


@case("C-FR-14", MUST)
def half_closed(subject: Subject) -> None:
    """Who closes its side behind a query still gets the whole answer."""
    subject.load(WORLD)
    for version in subject.versions:
        for queries in (1, 2):
            router = Router(subject, version)
            router.say(reset_query(version) * queries)
            router.line.finish()
            for _ in range(queries):
                router.receive(full=True)
            router.dropped()


@case("C-FR-15", MUST)
def connect_and_reset(subject: Subject) -> None:
    """A thousand connections that are reset at once harm nobody."""
    subject.load(few(1, 2))
    for number in range(1000):
        line = subject.connect()
        if number % 3:
            line.say(reset_query(number % 3)[: number % 9])
        line.reset()
    served(subject, 2).exact()


@case("C-FR-16", SHOULD, needs=(CLOCK,))
def dripping(subject: Subject) -> None:
    """Who drips a header is closed in time, and others are served meanwhile."""
    for fresh in (True, False):
        asker = Asker(subject) if fresh else served(subject, 1)
        for octet in range(7):
            asker.say(reset_query(1)[octet : octet + 1])
            subject.advance(9)
            served(subject, 1)
        asker.refused(1, 10)


@case("C-FR-17", INFO, needs=(CLOCK,))
def idle(subject: Subject) -> None:
    """A router that is silent for an hour is kept; who never says anything is not."""
    router, mute = served(subject, 2), Asker(subject)
    subject.advance(3600)
    mute.dropped()
    router.silence()
    router.load()
