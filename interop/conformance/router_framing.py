"""R-FR: a router and the octets of its cache, however they come and whatever they are."""

from __future__ import annotations

from interop.conformance.case import MUST, case, demand
from interop.conformance.octets import (
    ASPA,
    CACHE_RESPONSE,
    END_OF_DATA,
    IPV4,
    ROUTER_KEY,
    aspa,
    cache_response,
    end_of_data,
    pdu,
    prefix,
    reset_query,
    serial_query,
)
from interop.conformance.serving import (
    FRESH,
    SERIAL,
    SESSION,
    TABLE,
    Cache,
    Taker,
    asking,
    flushed,
    kept,
    loaded,
)
from interop.conformance.subject import Data
from interop.conformance.worlds import few

CORRUPT, INVALID, UNSUPPORTED_PDU = 0, 3, 5
ONE = prefix(2, "10.1.0.0/16", 24, 64497)


def _all_refused(router: Taker, codes: tuple[int, ...], *octets: bytes) -> None:
    """Each of these ends the session with one of these codes, in an answer and between answers."""
    for each in octets:
        for start in (asking, loaded):
            cache = start(router)
            cache.say(each)
            report = cache.refused(*codes)
            demand(each.startswith(report.offending[:8]), "the report shows other octets than were sent", report.octets)
            flushed(router)
            router.tidy()


@case("R-FR-01", MUST)
def octet_by_octet(router: Taker) -> None:
    """An answer that comes octet by octet is taken."""
    cache = asking(router)
    answer = ONE + prefix(2, "2001:db8::/32", 48, 1) + end_of_data(2, SESSION, SERIAL, router.timers)
    cache.say(*(answer[at : at + 1] for at in range(len(answer))))
    kept(router, Data(vrps=(*few(1).vrps, ("2001:db8::/32", 48, 1))))


@case("R-FR-02", MUST, rfc8210="5.1, 12", bis="5.1, 12")
def impossible_length(router: Taker) -> None:
    """A length of less than a header is Error 0."""
    _all_refused(
        router, (CORRUPT,), *(pdu(2, kind, 0, length=length) for kind in (0, 3, 4, 11) for length in (0, 4, 7))
    )


@case("R-FR-03", MUST, rfc8210="12", bis="12")
def too_short(router: Taker) -> None:
    """A PDU that is shorter than its type allows is Error 0."""
    _all_refused(
        router,
        (CORRUPT,),
        pdu(2, IPV4, 0, bytes(4)),
        pdu(2, 6, 0, bytes(12)),
        pdu(2, 0, SESSION, bytes(2)),
        pdu(2, ROUTER_KEY, 0x100, bytes(12)),
        pdu(2, ASPA, 0x100),
    )


@case("R-FR-04", MUST, rfc8210="12", bis="12")
def too_long(router: Taker) -> None:
    """A PDU that is longer than its type allows is Error 0."""
    _all_refused(
        router,
        (CORRUPT,),
        pdu(2, IPV4, 0, ONE[8:] + bytes(4)),
        pdu(2, CACHE_RESPONSE, SESSION, bytes(4)),
        pdu(2, 8, 0, bytes(4)),
        pdu(2, 0, SESSION, bytes(8)),
        pdu(2, END_OF_DATA, SESSION, bytes(20)),
    )


@case("R-FR-05", MUST, rfc8210="5.8", bis="5.7", needs={FRESH})
def end_of_data_of_another_version(router: Taker) -> None:
    """End of Data without timers in version 1 or 2, and with timers in version 0, is Error 0."""
    cache = asking(router)
    cache.say(end_of_data(2, SESSION, SERIAL, timed=False))
    cache.refused(CORRUPT)
    for version in (1, 0):
        cache = Cache(router)
        cache.query_of_any_version()
        cache.version = version
        untimed, timed = end_of_data(1, SESSION, SERIAL, timed=False), pdu(0, END_OF_DATA, SESSION, bytes(16))
        cache.put(cache_response(version, SESSION), untimed if version else timed)
        cache.refused(CORRUPT)


@case("R-FR-06", MUST, bis="5.1")
def endless(router: Taker) -> None:
    """A Router Key or ASPA of 4 GiB is Error 0 at once, without its body."""
    _all_refused(
        router,
        (CORRUPT,),
        *(pdu(2, kind, 0x100, length=length) for kind in (ROUTER_KEY, ASPA) for length in (0xFFFFFFF0, 0x10000)),
    )


@case("R-FR-07", MUST, rfc8210="12", bis="12")
def unknown_type(router: Taker) -> None:
    """A type that nobody knows is Error 5."""
    _all_refused(router, (UNSUPPORTED_PDU,), *(pdu(2, kind, 0) for kind in (12, 32, 200, 255)))


@case("R-FR-08", MUST, rfc8210="12", bis="12")
def reserved_type(router: Taker) -> None:
    """So is type 5, which is reserved."""
    _all_refused(router, (UNSUPPORTED_PDU,), pdu(2, 5, 0))


@case("R-FR-09", MUST, rfc8210="12", bis="12")
def query_from_the_cache(router: Taker) -> None:
    """A query of the cache is an error."""
    _all_refused(router, (INVALID, CORRUPT, UNSUPPORTED_PDU), reset_query(2), serial_query(2, SESSION, SERIAL))


@case("R-FR-10", MUST, rfc8210="5", bis="5", needs={TABLE})
def reserved_fields(router: Taker) -> None:
    """Fields that are reserved are ignored, whatever they say."""
    cache = Cache(router)
    if cache.query().number == 1:
        cache.say(pdu(2, 8, 0xBEEF))
        cache.query()
    one, key = bytearray(ONE), bytearray(aspa(2, 64496, [1, 2]))
    one[2:4], one[11], key[3] = b"\xbe\xef", 0xFF, 0xFF
    cache.answer_with(bytes(one), bytes(key))
    kept(router, Data(few(1).vrps, aspas={64496: (1, 2)}))


@case("R-FR-11", MUST, rfc8210="5.1", needs={TABLE})
def reserved_flags(router: Taker) -> None:
    """Of the flags only the lowest counts."""
    cache = asking(router)
    cache.put(prefix(2, "10.1.0.0/16", 24, 64497, flags=0xFF), aspa(2, 64496, [1, 2], flags=0x81)).end()
    kept(router, Data(few(1).vrps, aspas={64496: (1, 2)}))


@case("R-FR-12", MUST, bis="5.1", needs={TABLE})
def longest(router: Taker) -> None:
    """The longest ASPA that can be, of 65,532 octets, is taken."""
    providers = tuple(range(1, 16_381))
    asking(router).put(aspa(2, 64496, providers)).end()
    kept(router, Data(aspas={64496: providers}))
