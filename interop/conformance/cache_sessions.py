"""C-SS: a cache, its sessions and its serials."""

from __future__ import annotations

from random import Random

from interop.conformance.asking import Asker, Router, served
from interop.conformance.case import INFO, MUST, SHOULD_NOT, case, demand
from interop.conformance.octets import CACHE_RESET, CACHE_RESPONSE, END_OF_DATA, Heard, reset_query, serial_query
from interop.conformance.subject import RESTART, UPDATES, Data, Subject
from interop.conformance.worlds import CHANGED, WORLD, few, many

RESTARTS = 200
STEPS = 12


def _reset(asker: Asker, query: bytes) -> None:
    answer = asker.ask(query)
    octets = b"".join(heard.octets for heard in answer)
    demand([heard.number for heard in answer] == [CACHE_RESET], "no Cache Reset", octets)


@case("C-SS-01", MUST, rfc8210="5.3", bis="5.3")
def nothing_new(subject: Subject) -> None:
    """A Serial Query at the current serial gets Cache Response and End of Data, and nothing between."""
    subject.load(WORLD)
    for version in subject.versions:
        router = served(subject, version)
        demand(len(router.refresh() or ()) == 2, "changes since the current serial")


def _walk(chance: Random) -> Data:
    """Some of two worlds; of a customer with two lists of providers one or the other."""
    vrps = tuple(vrp for vrp in dict.fromkeys(WORLD.vrps + CHANGED.vrps) if chance.random() < 0.6)
    keys = tuple(key for key in dict.fromkeys(WORLD.keys + CHANGED.keys) if chance.random() < 0.6)
    aspas = {**WORLD.aspas, **CHANGED.aspas}
    chosen = {
        customer: chance.choice((WORLD.aspas.get(customer, providers), providers))
        for customer, providers in aspas.items()
        if chance.random() < 0.6
    }
    return Data(vrps, keys, chosen)


@case("C-SS-02", MUST, rfc8210="5.3", bis="5.3", needs=(UPDATES,))
def every_serial(subject: Subject) -> None:
    """From every serial that is kept, the changes lead to exactly the full set, and are no more than needed."""
    chance = Random(7)
    followers: list[tuple[Router, Data]] = []
    for _ in range(STEPS):
        subject.load(_walk(chance))
        followers += [(served(subject, version), subject.data) for version in subject.versions]
    for router, before in followers:
        answer = router.refresh()
        demand(answer is not None, f"a serial {STEPS} updates old is not kept")
        router.exact()
        old, new = before.records(router.version), subject.data.records(router.version)
        least = len(new.items() - old.items()) + len(old.keys() - new.keys())
        told = len(answer or ()) - 2
        demand(told == least, f"{told} changes told where {least} are enough")


@case("C-SS-03", MUST, rfc8210="5.3", bis="5.3", needs=(UPDATES,))
def merged(subject: Subject) -> None:
    """A record that changed several times is announced or withdrawn once."""
    subject.load(few(1, 2))
    router = served(subject, 1)
    for numbers in ((1, 3), (1, 2, 3), (1,), (1, 3)):
        subject.load(few(*numbers))
    told = [heard.announces for heard in (router.refresh() or [])[1:-1]]
    demand(sorted(told) == [False, True], f"announced and withdrawn: {told}")
    router.exact()


@case("C-SS-04", MUST, rfc8210="5.3", bis="5.3")
def come_to_nothing(subject: Subject) -> None:
    """What changed and changed back is not mentioned."""
    subject.load(WORLD)
    routers = [served(subject, version) for version in subject.versions]
    subject.load(CHANGED)
    subject.load(WORLD)
    for router in routers:
        demand(len(router.refresh() or ()) == 2, "changes where everything is as it was")


@case("C-SS-05", MUST, rfc8210="5.9, 8.3", bis="5.6, 8.3")
def too_old(subject: Subject) -> None:
    """A serial from before the cache's memory gets Cache Reset, and the session goes on."""
    subject.load(few(1))
    router = served(subject, 2)
    _reset(router, serial_query(2, router.session, router.serial - 100_000))
    router.load()
    router.exact()


@case("C-SS-06", MUST, rfc8210="5.9", bis="5.6")
def in_the_future(subject: Subject) -> None:
    """A serial that is yet to come gets Cache Reset, not an empty answer."""
    subject.load(few(1))
    for version in subject.versions:
        router = served(subject, version)
        for ahead in (1, 2, 1000, (1 << 31) - 1):
            _reset(router, serial_query(version, router.session, router.serial + ahead))


@case("C-SS-07", MUST, rfc8210="4", bis="4", needs=(RESTART,))
def serials_begin_again(subject: Subject) -> None:
    """Changes are told across the serial 0 that follows 2^32 - 1."""
    subject.restart(serial=0xFFFFFFFE)
    subject.load(few(1))
    routers = [served(subject, version) for version in subject.versions]
    for numbers in ((1, 2), (2, 3), (3, 4)):
        subject.load(few(*numbers))
        for router in routers[:2]:
            demand(router.refresh() is not None, f"no changes from serial {router.serial}")
            router.exact()
    demand(routers[2].refresh() is not None, "no changes from before 0 to behind it")
    routers[2].exact()
    demand({router.serial for router in routers} == {1}, "serials do not go 2^32 - 1, 0, 1")


@case("C-SS-08", MUST, rfc8210="4", bis="4")
def half_the_circle(subject: Subject) -> None:
    """A serial that is exactly 2^31 away gets Cache Reset: it is neither old nor new."""
    subject.load(few(1))
    router = served(subject, 1)
    _reset(router, serial_query(1, router.session, router.serial + (1 << 31)))


@case("C-SS-09", MUST, rfc8210="5.1", bis="5.1, 5.3")
def wrong_session(subject: Subject) -> None:
    """Another session id in an established session gets Error 0 and the end."""
    subject.load(few(1))
    for version in subject.versions:
        fresh, known = served(subject, version), Router(subject, version)
        known.session, known.serial = fresh.session, fresh.serial
        known.refresh()
        for router in (fresh, known):
            query = serial_query(version, router.session ^ 0x8000, router.serial)
            report = router.say(query).refused(0, version=version)
            demand(report.offending == query, "the Error Report shows another PDU", report.octets)


@case("C-SS-10", MUST, bis="5.3")
def unknown_session(subject: Subject) -> None:
    """Another session id in the first query of a connection gets Cache Reset, and the session goes on."""
    subject.load(WORLD)
    for version in subject.versions:
        session = served(subject, version).session
        router = Router(subject, version)
        _reset(router, serial_query(version, session ^ 0x8000, 1))
        router.load()
        router.exact()


@case("C-SS-11", MUST, rfc8210="2", bis="2")
def reconnected(subject: Subject) -> None:
    """Who comes back with a session and serial that hold gets the changes only."""
    subject.load(WORLD)
    left = [served(subject, version) for version in subject.versions]
    for router in left:
        router.line.reset()
    subject.load(CHANGED)
    for before in left:
        router = Router(subject, before.version)
        router.held, router.session, router.serial = before.held, before.session, before.serial
        demand(router.refresh() is not None, "to start over where the changes are known")
        router.exact()


def _of_another_version(subject: Subject) -> list[tuple[int, Router]]:
    return [(version, served(subject, other)) for version in subject.versions for other in subject.versions]


@case("C-SS-12", MUST, rfc8210="5.1", bis="5.1")
def session_of_another_version(subject: Subject) -> None:
    """A session id that was learnt in another version is not the same session."""
    subject.load(WORLD)
    for version, known in _of_another_version(subject):
        if version != known.version:
            _reset(Asker(subject), serial_query(version, known.session, known.serial))


@case("C-SS-13", SHOULD_NOT, rfc8210="5.1", bis="5.1")
def sessions_differ(subject: Subject) -> None:
    """The versions of a cache have session ids that differ."""
    subject.load(WORLD)
    ids = {version: served(subject, version).session for version in subject.versions}
    demand(len(set(ids.values())) == len(ids), f"session ids {ids}")


@case("C-SS-14", MUST, rfc8210="5.1", bis="5.1", needs=(RESTART,))
def restarted(subject: Subject) -> None:
    """After a restart without memory no earlier session and serial are taken for the cache's own."""
    earlier: list[Router] = []
    for _ in range(RESTARTS):
        subject.restart()
        for numbers in ((1,), (2,)):
            subject.load(few(*numbers))
        for before in earlier[-20:]:
            _reset(Asker(subject), serial_query(2, before.session, before.serial))
        earlier.append(served(subject, 2))
    ids = {router.session for router in earlier}
    demand(len(ids) > RESTARTS // 2, f"{len(ids)} session ids in {RESTARTS} lives")
    lives = {(router.session, router.serial) for router in earlier}
    demand(len(lives) == RESTARTS, "a session and serial of an earlier life")


@case("C-SS-15", MUST, rfc8210="5.1", bis="5.1", needs=(RESTART,))
def continued_or_new(subject: Subject) -> None:
    """After a restart an old session goes on with the right changes, or starts over."""
    subject.load(WORLD)
    router = served(subject, 2)
    router.line.reset()
    subject.restart()
    subject.load(CHANGED)
    back = Router(subject, 2)
    back.held, back.session, back.serial = dict(router.held), router.session, router.serial
    if back.refresh() is None:
        back.load()
    back.exact()


@case("C-SS-16", MUST, rfc8210="5.8", bis="5.7")
def same_session_at_the_end(subject: Subject) -> None:
    """End of Data has session and version of its Cache Response."""
    subject.load(WORLD)
    routers = [served(subject, version) for version in subject.versions]
    subject.load(CHANGED)
    for router in routers:
        for answer in (router.refresh() or [], router.load(), router.refresh() or []):
            ends = {(heard.version, heard.field) for heard in (answer[0], answer[-1])}
            demand(ends == {(router.version, router.session)}, f"an answer of {ends}")


@case("C-SS-17", MUST, rfc8210="2", bis="2")
def update_in_an_answer(subject: Subject) -> None:
    """An answer during which the data changes is of one state, payload and serial."""
    subject.load(many(4000))
    known = served(subject, 2)
    slow = Router(subject, 2)
    slow.say(reset_query(2))
    subject.load(few(9))
    answer = slow.answer()
    octets = (answer[0].octets + answer[-1].octets)[:48]
    told = len(answer) - 2, answer[-1].serial
    new = served(subject, 2)
    states = {(4000, known.serial), (1, new.serial)}
    demand(told in states, f"{told[0]} records and serial {told[1]} of {sorted(states)}", octets)
    slow.session, slow.serial = answer[-1].field, answer[-1].serial
    slow.held = {heard.key: b"" for heard in answer[1:-1]}
    slow.refresh()
    slow.exact()


@case("C-SS-18", MUST, rfc8210="8.2", bis="8.2")
def same_content(subject: Subject) -> None:
    """An export with the same content makes no new serial, and nobody is notified."""
    subject.load(WORLD)
    router = served(subject, 2)
    turned = Data(WORLD.vrps[::-1] + WORLD.vrps[:3], WORLD.keys[::-1], dict(reversed(list(WORLD.aspas.items()))))
    subject.feed(turned.export(), WORLD)
    router.silence()
    demand(served(subject, 2).serial == router.serial, "a new serial")


@case("C-SS-19", INFO, needs=(UPDATES,))
def memory(subject: Subject) -> str | None:
    """How many updates back a router may come and still get changes."""
    subject.load(few(0))
    router = served(subject, 1)
    for number in range(1, STEPS + 1):
        subject.load(few(number))
    answer: list[Heard] | None = router.refresh()
    return None if answer and answer[0].number == CACHE_RESPONSE and answer[-1].number == END_OF_DATA else "not 12"
