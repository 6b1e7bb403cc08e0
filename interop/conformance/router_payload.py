"""R-PL, R-AS: a router and the records that a cache sends."""

from __future__ import annotations

from interop.conformance.case import INFO, MUST, MUST_NOT, SHOULD, case
from interop.conformance.octets import (
    ASPA,
    WITHDRAW,
    aspa,
    cache_response,
    end_of_data,
    pdu,
    prefix,
    router_key,
    serial_notify,
)
from interop.conformance.serving import (
    CLOCK,
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
from interop.conformance.worlds import few, key

CORRUPT, INVALID, UNSUPPORTED_PDU, UNKNOWN, DUPLICATE, PROVIDERS = 0, 3, 5, 6, 7, 9
ONE, TWO = (prefix(2, f"10.{number}.0.0/16", 24, 64496 + number) for number in (1, 2))
SIX = prefix(2, "2001:db8::/32", 48, 64496)


def _changing(router: Taker, cache: Cache | None = None, serial: int = SERIAL) -> Cache:
    """A router with data that has asked for changes and been told that they begin."""
    cache = cache or loaded(router)
    cache.say(serial_notify(2, SESSION, serial + 1))
    return cache.asks_for_changes(serial=serial).begin()


def _refused(router: Taker, cache: Cache, codes: tuple[int, ...], *octets: bytes) -> None:
    """An answer of these PDUs is refused with one of these codes, and nothing is used any more."""
    cache.put(*octets).end(SERIAL + 1)
    cache.refused(*codes)
    flushed(router)
    router.tidy()


@case("R-PL-01", SHOULD, rfc8210="5.6", bis="5.9")
def announced_twice(router: Taker) -> None:
    """A record that is announced and there already is Error 7: in one answer, and from one to the next."""
    six_and_key = SIX, router_key(2, *key(1))
    for record in (ONE, *six_and_key):
        _refused(router, asking(router), (DUPLICATE,), record, record)
    _refused(router, _changing(router), (DUPLICATE,), ONE)


@case("R-PL-02", MUST, rfc8210="12", bis="12")
def unknown_withdrawn(router: Taker) -> None:
    """The withdrawal of a record that is not there is Error 6."""
    for record in (
        prefix(2, "10.2.0.0/16", 24, 64498, WITHDRAW),
        prefix(2, "10.1.0.0/16", 25, 64497, WITHDRAW),
        prefix(2, "2001:db8::/32", 48, 1, WITHDRAW),
        router_key(2, *key(1), flags=WITHDRAW),
    ):
        _refused(router, _changing(router), (UNKNOWN,), record)


@case("R-PL-03", MUST, rfc8210="5.5", bis="5.5")
def withdrawn_from_nothing(router: Taker) -> None:
    """A withdrawal in the answer to a Reset Query is an error."""
    _refused(router, asking(router), (UNKNOWN, CORRUPT, INVALID), ONE, prefix(2, "10.1.0.0/16", 24, 64497, WITHDRAW))


@case("R-PL-04", MUST_NOT, rfc8210="5.1", bis="5.1")
def longest_below_length(router: Taker) -> None:
    """A maximum length below the prefix length is Error 0."""
    _refused(router, asking(router), (CORRUPT,), TWO, prefix(2, "10.1.0.0/16", 15, 64497))
    _refused(router, asking(router), (CORRUPT,), prefix(2, "2001:db8::/32", 31, 64497))


@case("R-PL-05", MUST_NOT, rfc8210="5.1", bis="5.1")
def lengths_beyond_the_address(router: Taker) -> None:
    """Lengths of more bits than the address has are Error 0."""
    too_long = bytearray(ONE)
    too_long[9:11] = 33, 33
    for record in (prefix(2, "10.1.0.0/16", 33, 1), bytes(too_long), prefix(2, "2001:db8::/32", 129, 1)):
        _refused(router, asking(router), (CORRUPT,), TWO, record)


@case("R-PL-06", MUST, bis="5.9, 5.10")
def host_bits(router: Taker) -> str | None:
    """Bits behind the prefix length are Error 0, "Corrupt Data", which the draft once calls 1."""
    for record in (prefix(2, "10.1.0.1/16", 24, 1), prefix(2, "2001:db8::1/32", 48, 1)):
        cache = asking(router).put(ONE, record).end()
        report = cache.refused(CORRUPT, 1)
        flushed(router)
        if report.field == 1:
            return "says code 1"
    return None


@case("R-PL-07", MUST, rfc8210="8.1", bis="8.1")
def payload_before_a_response(router: Taker) -> None:
    """Payload before Cache Response, or between answers, is not used and ends the session."""
    cache = Cache(router)
    cache.query()
    cache.put(ONE).closed_somehow()
    flushed(router)
    cache = loaded(router).put(TWO)
    cache.closed_somehow()
    flushed(router)


@case("R-PL-08", MUST, rfc8210="8.1", bis="8.1")
def response_in_a_response(router: Taker) -> None:
    """Cache Response inside an answer is an error."""
    _refused(router, asking(router), (INVALID, CORRUPT), ONE, cache_response(2, SESSION))


@case("R-PL-09", MUST, rfc8210="8.1", bis="8.1")
def end_without_a_response(router: Taker) -> None:
    """So is End of Data without one."""
    cache = Cache(router)
    cache.query()
    cache.end().refused(INVALID, CORRUPT)
    _refused(router, loaded(router), (INVALID, CORRUPT))


@case("R-PL-10", INFO)
def notify_in_an_answer(router: Taker) -> str | None:
    """Serial Notify inside an answer does not disturb it, and what it calls for is asked for after it."""
    cache = asking(router).put(ONE, serial_notify(2, SESSION, SERIAL + 1), TWO)
    cache.silence()
    cache.end()
    kept(router, few(1, 2))
    if CLOCK in router.able:
        router.advance(2)
    if not cache.hear_some():
        return "forgets what it was called for"
    cache.asks_for_changes()
    return None


@case("R-PL-11", SHOULD, bis="11.3")
def cut_off(router: Taker) -> None:
    """Of an answer that is cut off nothing is used; what was held before is."""
    cache = _changing(router).put(TWO)
    cache.line.finish()
    kept(router, few(1))
    router.tidy()
    cache = Cache(router)
    cache.query()
    cache.begin().put(TWO)
    cache.line.reset()
    kept(router, few(1))


@case("R-PL-12", SHOULD, bis="11.4", needs={CLOCK})
def stalled(router: Taker) -> None:
    """An answer that stops, or does not begin, is not waited for without end, and what is held stays in use."""
    for begins in (True, False):
        cache = loaded(router, timers=(60, 600, 7200))
        router.advance(60)
        cache.asks_for_changes()
        if begins:
            cache.begin().put(TWO)
        router.advance(1800)
        cache.closed_somehow()
        kept(router, few(1))


@case("R-PL-13", SHOULD, bis="11.3")
def all_or_nothing(router: Taker) -> None:
    """What is used changes with End of Data, all of it at once."""
    cache = _changing(router)
    for record in (prefix(2, "10.1.0.0/16", 24, 64497, WITHDRAW), TWO, SIX):
        cache.put(record).await_silence()
        kept(router, few(1))
    cache.end(SERIAL + 1)
    kept(router, Data((*few(2).vrps, ("2001:db8::/32", 48, 64496))))


@case("R-PL-14", MUST, rfc8210="5.10", bis="5.11", needs={TABLE})
def keys_differ_in_every_part(router: Taker) -> None:
    """Router keys that differ in their public key or AS only are different records."""
    keys = key(1), key(1, 1), key(1, 64496, 2), key(2)
    cache = asking(router).put(*(router_key(2, *each) for each in keys)).end()
    kept(router, Data(keys=keys))
    _changing(router, cache).put(router_key(2, *keys[2], flags=WITHDRAW)).end(SERIAL + 1)
    kept(router, Data(keys=(keys[0], keys[1], keys[3])))


@case("R-PL-15", MUST, rfc8210="12", bis="12", needs={FRESH})
def records_of_later_versions(router: Taker) -> None:
    """An ASPA in version 1, and a Router Key in version 0, are Error 5."""
    for version, record in ((1, aspa(1, 64496, [1])), (0, router_key(0, *key(1)))):
        cache = Cache(router)
        cache.query_of_any_version()
        cache.version = version
        cache.put(cache_response(version, SESSION), record, end_of_data(version, SESSION, SERIAL))
        cache.refused(UNSUPPORTED_PDU)
        flushed(router)


@case("R-AS-01", MUST, bis="5.12")
def no_provider(router: Taker) -> None:
    """An announcement without a provider is Error 9."""
    _refused(router, asking(router), (PROVIDERS,), ONE, aspa(2, 64496, []))


@case("R-AS-02", MUST, bis="5.12")
def nobody_and_others(router: Taker) -> None:
    """AS 0 beside other providers is Error 9."""
    _refused(router, asking(router), (PROVIDERS,), aspa(2, 64496, [0, 1]))


@case("R-AS-03", MUST, bis="5.12")
def out_of_order(router: Taker) -> None:
    """Providers that do not ascend, or stand there twice, are Error 9."""
    for providers in ([2, 1], [1, 1], [1, 3, 2], [1, 2, 2]):
        _refused(router, asking(router), (PROVIDERS,), aspa(2, 64496, providers))


@case("R-AS-04", MUST, bis="5.12", needs={TABLE})
def replaced(router: Taker) -> None:
    """An announcement takes the place of the one before for the same customer."""
    cache = asking(router).put(aspa(2, 64496, [1, 2]), aspa(2, 64497, [5])).end()
    _changing(router, cache).put(aspa(2, 64496, [2, 3])).end(SERIAL + 1)
    kept(router, Data(aspas={64496: (2, 3), 64497: (5,)}))
    _changing(router, cache, SERIAL + 1).put(aspa(2, 64496, [], WITHDRAW)).end(SERIAL + 2)
    kept(router, Data(aspas={64497: (5,)}))


@case("R-AS-05", MUST, bis="5.12", needs={TABLE})
def withdrawn(router: Taker) -> None:
    """A withdrawal removes the customer, whatever its providers; of an unknown customer it is Error 6."""
    cache = asking(router).put(aspa(2, 64496, [1, 2]), aspa(2, 0, [7])).end()
    _changing(router, cache).put(aspa(2, 0, [], WITHDRAW), aspa(2, 64496, [], WITHDRAW)).end(SERIAL + 1)
    kept(router, Data())
    _refused(router, _changing(router, cache, SERIAL + 1), (UNKNOWN,), aspa(2, 64496, [], WITHDRAW))


@case("R-AS-06", MUST, bis="5.12")
def withdrawn_with_providers(router: Taker) -> None:
    """A withdrawal that names providers is an error."""
    cache = asking(router).put(aspa(2, 64496, [1, 2])).end()
    _refused(router, _changing(router, cache), (CORRUPT, PROVIDERS), aspa(2, 64496, [1, 2], WITHDRAW))


@case("R-AS-07", MUST, bis="5.12")
def half_a_provider(router: Taker) -> None:
    """A length that is no multiple of four is Error 0."""
    for odd in (1, 2, 3):
        record = pdu(2, ASPA, 0x100, bytes(8 + odd))
        _refused(router, asking(router), (CORRUPT,), record)


@case("R-AS-08", MUST)
def layout_of_draft_10(router: Taker) -> str | None:
    """The layout that ASPAs had up to draft 10 is refused, and not read as another customer's."""
    announced = pdu(2, ASPA, 0, bytes.fromhex("01 00 0002 0000fbf0 0000fbf1 0000fbf2"))
    withdrawn_ = pdu(2, ASPA, 0, bytes.fromhex("00 00 0000 0000fbf0"))
    for record in (announced, withdrawn_):
        cache = asking(router).put(record).end()
        report = cache.refused(CORRUPT, PROVIDERS, UNKNOWN)
        flushed(router)
        if b"10" not in report.text:
            return "does not say why"
    return None


@case("R-AS-09", INFO, bis="5.12")
def customer_twice(router: Taker) -> str | None:
    """A customer who is announced twice in one answer is Error 7, or the last announcement counts."""
    cache = asking(router).put(aspa(2, 64496, [1, 2]), aspa(2, 64496, [3])).end()
    cache.await_silence()
    if cache.line.closed:
        cache.refused(DUPLICATE)
        flushed(router)
        return None
    kept(router, Data(aspas={64496: (3,)}))
    return "the last counts"
