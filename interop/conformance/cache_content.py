"""C-QR, C-RK, C-AS: what a cache tells of prefixes, router keys and ASPAs."""

from __future__ import annotations

import json
from itertools import pairwise

from interop.conformance.asking import Asker, Router, served
from interop.conformance.case import INFO, MUST, MUST_NOT, SHOULD_NOT, case, demand
from interop.conformance.octets import (
    ASPA,
    END_OF_DATA,
    ERROR_REPORT,
    IPV4,
    IPV6,
    ROUTER_KEY,
    SERIAL_NOTIFY,
    Heard,
    reset_query,
    serial_query,
)
from interop.conformance.subject import RESTART, SINCE, UPDATES, Data, Subject
from interop.conformance.worlds import CHANGED, WORLD, few, key, many

MOST_PROVIDERS = 16_380
PDUS_PER_WRITE = 20


def _changes(subject: Subject) -> dict[int, list[Heard]]:
    """What routers of `WORLD` hear of `CHANGED`, by their version."""
    subject.load(WORLD)
    routers = [served(subject, version) for version in subject.versions]
    subject.load(CHANGED)
    heard = {}
    for router in routers:
        answer = router.refresh()
        demand(answer is not None, "no changes")
        router.exact()
        heard[router.version] = (answer or [])[1:-1]
    return heard


@case("C-QR-01", MUST, rfc8210="5.5", bis="5.5")
def only_announced(subject: Subject) -> None:
    """The answer to a Reset Query only announces."""
    subject.load(WORLD)
    for version in subject.versions:
        payload = Router(subject, version).load()[1:-1]
        demand(bool(payload) and all(heard.announces for heard in payload), "a withdrawal")


@case("C-QR-02", MUST, rfc8210="5.6", bis="5.9")
def each_once(subject: Subject) -> None:
    """What an export says twice is told once."""
    subject.feed(Data(WORLD.vrps * 2, WORLD.keys * 2, WORLD.aspas).export(), WORLD)
    for version in subject.versions:
        served(subject, version).exact()


@case("C-QR-03", MUST, rfc8210="5.6", bis="5.9")
def no_host_bits(subject: Subject) -> None:
    """Host bits are zero, even if the export has them."""
    wild = Data((("10.1.2.3/8", 8, 1), ("2001:db8::1/32", 32, 1)))
    subject.feed(wild.export(), Data((("10.0.0.0/8", 8, 1), ("2001:db8::/32", 32, 1))))
    served(subject, 1).exact()


@case("C-QR-04", MUST_NOT, rfc8210="5.1", bis="5.1")
def no_bad_lengths(subject: Subject) -> None:
    """Lengths that cannot be are never told, and the rest of such an export is."""
    bad = (("10.0.0.0/16", 15, 1), ("10.0.0.0/16", 33, 1), ("2001:db8::/32", 129, 1), ("2001:db8::/32", 31, 1))
    subject.feed(Data(few(1).vrps + bad).export(), few(1))
    served(subject, 1).exact()


@case("C-QR-05", MUST, rfc8210="5", bis="5", needs=(UPDATES,))
def reserved_is_zero(subject: Subject) -> None:
    """What is reserved is zero in everything that is sent, and so are all flags but the first."""
    changed = _changes(subject)
    for version in subject.versions:
        router = Router(subject, version)
        for heard in (
            *changed[version],
            *router.load(),
            *router.ask(serial_query(version, router.session, router.serial - 9)),
        ):
            octets = heard.octets
            if heard.number in (IPV4, IPV6):
                demand(octets[2:4] == b"\0\0" and octets[8] < 2 and not octets[11], "reserved octets", octets)
            elif heard.number in (ROUTER_KEY, ASPA):
                demand(octets[2] < 2 and not octets[3], "reserved octets", octets)
            elif heard.number == 8:
                demand(octets[2:4] == b"\0\0", "reserved octets", octets)


@case("C-QR-06", MUST, rfc8210="8.4, 12", bis="8.4, 12", needs=(RESTART,))
def no_data_yet(subject: Subject) -> None:
    """Without data queries get Error 2, the session stays, and when there is data the router is notified and served."""
    subject.restart()
    routers = [Router(subject, version) for version in subject.versions]
    for router in routers:
        for query in (reset_query(router.version), serial_query(router.version, 1, 1)):
            heard = router.ask(query)[-1]
            demand((heard.number, heard.field) == (ERROR_REPORT, 2), "no Error 2", heard.octets)
            demand(heard.offending in (b"", query), "an Error 2 about another PDU", heard.octets)
        router.silence()
    subject.load(WORLD)
    for router in routers:
        demand(router.pdu().number == SERIAL_NOTIFY, "no Serial Notify when there is data")
        router.load()
        router.exact()


@case("C-QR-07", INFO, rfc8210="8.4", bis="8.4")
def empty_set(subject: Subject) -> None:
    """A valid set without records is data, not the lack of data."""
    subject.load(Data())
    for version in subject.versions:
        demand(len(Router(subject, version).load()) == 2, "an answer with payload")


@case("C-QR-08", SHOULD_NOT, bis="9")
def packed(subject: Subject) -> None:
    """PDUs travel together: many in each segment."""
    subject.load(many(2000))
    asker = Asker(subject).say(reset_query(1))
    pieces = 0
    octets = b""
    while octets[-24:-22] != bytes([1, END_OF_DATA]) and (piece := asker.line.hear(subject.patience)):
        pieces, octets = pieces + 1, octets + piece
    demand(len(octets) > 2000 * 20, "no full answer", octets)
    demand(pieces * PDUS_PER_WRITE <= 2000, f"2000 PDUs in {pieces} pieces")


@case("C-QR-09", MUST)
def whole_table(subject: Subject) -> None:
    """A table of 10,000 records comes whole and without repetition."""
    subject.load(many(10_000))
    served(subject, 1).exact()


@case("C-RK-01", MUST, rfc8210="5.10", bis="5.11")
def key_layout(subject: Subject) -> None:
    """A router key has 20 octets of identifier, the AS and the exact public key, and nothing more."""
    subject.load(WORLD)
    for version in subject.versions[1:]:
        told = [heard for heard in Router(subject, version).load() if heard.number == ROUTER_KEY]
        right = {ski + asn.to_bytes(4) + spki for ski, asn, spki in WORLD.keys}
        demand({heard.body for heard in told} == right and len(told) == len(right), "other keys than in the export")


@case("C-RK-02", MUST, rfc8210="5.10", bis="5.11", needs=(UPDATES,))
def keys_by_each_part(subject: Subject) -> None:
    """Keys that differ in any of their parts are records of their own, withdrawn one by one."""
    keys = (key(1), key(1, 7), key(1, tail=9))
    subject.load(Data(keys=keys))
    router = served(subject, 1)
    for left in (keys[1:], keys[2:], ()):
        subject.load(Data(keys=left))
        told = (router.refresh() or [])[1:-1]
        demand([heard.announces for heard in told] == [False], "not one withdrawal")
        router.exact()


def _aspas(subject: Subject, data: Data) -> list[Heard]:
    subject.load(data)
    router = Router(subject, 2)
    told = [heard for heard in router.load() if heard.number == ASPA]
    router.exact()
    return told


@case("C-AS-01", MUST, bis="5.12")
def aspa_layout(subject: Subject) -> None:
    """An ASPA has its flags in the header, then the customer, then the providers."""
    told = {heard.octets for heard in _aspas(subject, Data(aspas={64500: (64501, 64502)}))}
    right = bytes.fromhex("020b0100 00000014 0000fbf4 0000fbf5 0000fbf6")
    demand(told == {right}, "another layout", b"".join(told))


@case("C-AS-02", MUST, bis="5.12")
def providers_ascend(subject: Subject) -> None:
    """An announced ASPA has at least one provider; providers ascend and none comes twice."""
    wild = {"customer": "AS1", "providers": ["AS300", "AS2", "AS300", "AS65536", "AS2"]}
    export = json.dumps({"roas": [], "aspas": [wild]}).encode()
    subject.feed(export, Data(aspas={1: (2, 300, 65536)}))
    told = [heard for heard in served(subject, 2).load() if heard.number == ASPA]
    for heard in told + _aspas(subject, WORLD):
        ascending = all(a < b for a, b in pairwise(heard.providers))
        demand(bool(heard.providers) and ascending, "providers missing or out of order", heard.octets)


@case("C-AS-03", MUST_NOT, bis="5.12")
def as_0_alone(subject: Subject) -> None:
    """AS 0 is never told together with other providers."""
    export = Data(aspas={1: (0, 5), 2: (0,)}).export()
    subject.feed(export, Data(aspas={1: (5,), 2: (0,)}))
    served(subject, 2).exact()


@case("C-AS-04", MUST, bis="5.12")
def one_aspa_per_customer(subject: Subject) -> None:
    """Several ASPAs of one customer are one with the providers of all."""
    entries = [{"customer": "AS1", "providers": [f"AS{each}"]} for each in (5, 3, 4)]
    subject.feed(json.dumps({"roas": [], "aspas": entries}).encode(), Data(aspas={1: (3, 4, 5)}))
    served(subject, 2).exact()


@case("C-AS-05", MUST, bis="5.12")
def replaced(subject: Subject) -> None:
    """Other providers of a customer are one announcement, and no withdrawal."""
    told = [heard for heard in _changes(subject)[2] if heard.number == ASPA and heard.octets[8:12] == (256).to_bytes(4)]
    octets = b"".join(heard.octets for heard in told)
    demand(
        [(heard.announces, heard.providers) for heard in told] == [(True, (1, 2, 4))], "not one announcement", octets
    )


@case("C-AS-06", MUST, bis="5.12", needs=(UPDATES,))
def withdrawn(subject: Subject) -> None:
    """The withdrawal of an ASPA has 12 octets and no flag."""
    gone = [heard.octets for heard in _changes(subject)[2] if heard.number == ASPA and not heard.announces]
    right = bytes.fromhex("020b0000 0000000c ffffffff")
    demand(gone == [right], "another withdrawal", b"".join(gone))


@case("C-AS-07", MUST_NOT, bis="5.1")
def too_many_providers(subject: Subject) -> None:
    """No PDU is longer than 65,535 octets: a customer with more providers is left out, the most that fit are told."""
    most = tuple(range(10, 10 + MOST_PROVIDERS))
    kept = Data(aspas={1: most, 3: (4,)})
    subject.feed(Data(aspas={**kept.aspas, 2: (*most, 70_000)}).export(), kept)
    served(subject, 2).exact()
    rest = ({"customer": "AS1", "providers": [f"AS{each}"]} for each in (*most, 70_000))
    subject.feed(json.dumps({"roas": [], "aspas": list(rest)}).encode(), Data())
    served(subject, 2).exact()


@case("C-AS-08", MUST_NOT, rfc8210="14", bis="14", needs=(UPDATES,))
def not_in_older_versions(subject: Subject) -> None:
    """ASPAs are for version 2 only, router keys not for version 0."""
    changed = _changes(subject)
    for version in subject.versions:
        payload = [*changed[version], *Router(subject, version).load()[1:-1]]
        demand(all(SINCE[heard.number] <= version for heard in payload), f"too new for version {version}")
