"""C-OR: in which order a cache tells what there is to tell (8210bis section 11.2; older versions SHOULD as well).

Records are compared as numbers, field by field. The one field that no rule of the list looks at is enough to show an
order by something else, so the world has records that differ in one field only, and numbers whose octets in another
order would sort another way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import groupby

from interop.conformance.asking import Router, served
from interop.conformance.case import MUST, case, demand
from interop.conformance.octets import ASPA, IPV4, IPV6, ROUTER_KEY, Heard
from interop.conformance.subject import UPDATES, Data, Subject
from interop.conformance.worlds import CHANGED, WORLD

PREFIXES = (IPV4, IPV6)


def _answers(subject: Subject) -> Iterator[tuple[int, list[Heard]]]:
    """The payload of full answers and of changes, both ways, in every version."""
    for before, after in ((WORLD, CHANGED), (CHANGED, WORLD), (WORLD, Data()), (Data(), WORLD)):
        subject.load(before)
        routers = [served(subject, version) for version in subject.versions]
        subject.load(after)
        for router in routers:
            answer = router.refresh()
            demand(answer is not None, "no changes")
            yield router.version, (answer or [])[1:-1]
            yield router.version, Router(subject, router.version).load()[1:-1]


def _prefix(heard: Heard) -> tuple[int, ...]:
    """Address, longest length, length, AS number."""
    octets = heard.octets
    return int.from_bytes(octets[12:-4]), octets[10], octets[9], int.from_bytes(octets[-4:])


def _key(heard: Heard) -> tuple[int, int, bytes, int]:
    """Identifier, length of the public key, public key, AS number."""
    octets = heard.octets
    return int.from_bytes(octets[8:28]), len(octets) - 32, octets[32:], int.from_bytes(octets[28:32])


def _customer(heard: Heard) -> int:
    return int.from_bytes(heard.octets[8:12])


def _demand_order(
    subject: Subject,
    numbers: Iterable[int],
    announced: bool | None,
    rank: Callable[[Heard], object],
    *,
    descending: bool = False,
) -> None:
    """Of these types, what is announced (or withdrawn, or both by themselves) comes in this order, in all answers."""
    seen = 0
    for version, payload in _answers(subject):
        chosen = [heard for heard in payload if heard.number in numbers]
        for flag in (True, False):
            for number in numbers if announced in (None, flag) else ():
                told = [heard for heard in chosen if heard.number == number and heard.announces is flag]
                ranks = [rank(heard) for heard in told]
                right = sorted(ranks, reverse=descending)  # type: ignore[type-var]
                demand(ranks == right, f"another order in version {version}", b"".join(h.octets for h in told))
                seen += len(told) > 1
    demand(seen > 0, "nothing to be ordered was told")


@case("C-OR-01", MUST, bis="11.2", needs=(UPDATES,))
def types(subject: Subject) -> None:
    """Types ascend: IPv4, IPv6, router keys, ASPAs."""
    for version, payload in _answers(subject):
        numbers = [heard.number for heard in payload]
        demand(numbers == sorted(numbers), f"types {numbers} in version {version}")


@case("C-OR-02", MUST, bis="11.2", needs=(UPDATES,))
def announcements_first(subject: Subject) -> None:
    """Of each type announcements come before withdrawals."""
    for _, payload in _answers(subject):
        for number, told in groupby(payload, lambda heard: heard.number):
            flags = [heard.announces for heard in told]
            demand(flags == sorted(flags, reverse=True), f"a withdrawal before an announcement of type {number}")


@case("C-OR-03", MUST, bis="11.2", needs=(UPDATES,))
def announced_prefixes(subject: Subject) -> None:
    """Announced prefixes descend by address, longest length, length and AS number."""
    _demand_order(subject, PREFIXES, True, _prefix, descending=True)


@case("C-OR-04", MUST, bis="11.2", needs=(UPDATES,))
def withdrawn_prefixes(subject: Subject) -> None:
    """Withdrawn prefixes ascend by address, longest length, length and AS number."""
    _demand_order(subject, PREFIXES, False, _prefix)


@case("C-OR-05", MUST, bis="11.2", needs=(UPDATES,))
def as_0(subject: Subject) -> None:
    """Of one prefix and longest length, AS 0 is announced last and withdrawn first."""
    seen = set()
    for _, payload in _answers(subject):
        told = [heard for heard in payload if heard.number in PREFIXES]
        for (_, announces), same in groupby(told, lambda heard: (_prefix(heard)[:3], heard.announces)):
            asns = [_prefix(heard)[3] for heard in same]
            if 0 in asns and len(asns) > 1:
                seen.add(announces)
                demand(asns.index(0) == (len(asns) - 1 if announces else 0), f"AS 0 among {asns}")
    demand(seen == {True, False}, "AS 0 was not told beside another")


@case("C-OR-06", MUST, bis="11.2", needs=(UPDATES,))
def router_keys(subject: Subject) -> None:
    """Router keys ascend by identifier, length of the public key, public key and AS number."""
    _demand_order(subject, (ROUTER_KEY,), None, _key)


@case("C-OR-07", MUST, bis="11.2", needs=(UPDATES,))
def aspas(subject: Subject) -> None:
    """ASPAs ascend by customer."""
    _demand_order(subject, (ASPA,), None, _customer)


@case("C-OR-08", MUST, bis="11.2")
def by_number(subject: Subject) -> None:
    """What is ordered is numbers, not octets in the order of some machine."""
    subject.load(Data((("1.0.0.0/32", 32, 1), ("0.0.0.1/32", 32, 1), ("9.0.0.0/8", 8, 256), ("9.0.0.0/8", 8, 1))))
    told = [_prefix(heard) for heard in served(subject, 2).load()[1:-1]]
    right = [(0x09000000, 8, 8, 256), (0x09000000, 8, 8, 1), (0x01000000, 32, 32, 1), (1, 32, 32, 1)]
    subject_order = [Router(subject, version).load()[1:-1] for version in subject.versions]
    demand(told == right, f"{told}")
    demand(all([_prefix(heard) for heard in each] == right for each in subject_order), "another order in old versions")
