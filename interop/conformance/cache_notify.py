"""C-SN: when a cache tells routers that there is something new."""

from __future__ import annotations

from interop.conformance.asking import Asker, Router, served
from interop.conformance.case import INFO, MUST, SHOULD, SHOULD_NOT, case, demand
from interop.conformance.octets import CACHE_RESPONSE, END_OF_DATA, SERIAL_NOTIFY, Heard, reset_query
from interop.conformance.subject import CLOCK, Subject
from interop.conformance.worlds import CHANGED, WORLD, few, many

MINUTE = 60


def _notify(router: Router) -> Heard:
    heard = router.pdu()
    demand(heard.number == SERIAL_NOTIFY and len(heard.octets) == 12, "no Serial Notify", heard.octets)
    return heard


@case("C-SN-01", SHOULD_NOT, rfc8210="7", bis="7")
def not_before_a_version(subject: Subject) -> None:
    """Nobody is notified before a version is agreed."""
    subject.load(few(1))
    mute, begun, refused = Asker(subject), Asker(subject), Asker(subject)
    begun.say(reset_query(2)[:5])
    refused.ask(reset_query(9))
    subject.load(few(2))
    for asker in (mute, begun, refused):
        asker.silence()
    demand(begun.say(reset_query(2)[5:]).pdu().number == CACHE_RESPONSE, "a query after that is not answered")


@case("C-SN-02", MUST, rfc8210="8.2", bis="8.2", needs=(CLOCK,))
def once_a_minute(subject: Subject) -> None:
    """A router is notified once a minute at the most, however often the data changes."""
    subject.load(few(0))
    router = served(subject, 1)
    for number in range(1, 4):
        subject.load(few(number))
        _notify(router)
        for second in range(1, MINUTE):
            subject.advance(1)
            subject.load(few(number, second))
            if second % 20 == 10:
                router.refresh()
            router.silence()
        subject.advance(1)
        _notify(router)
        subject.advance(MINUTE)
        router.refresh()


@case("C-SN-03", SHOULD, rfc8210="8.2", bis="8.2")
def after_a_change(subject: Subject) -> None:
    """When the data has changed, routers are notified."""
    subject.load(WORLD)
    routers = [served(subject, version) for version in subject.versions]
    subject.load(CHANGED)
    for router in routers:
        _notify(router)
        router.refresh()
        router.exact()


@case("C-SN-04", MUST, rfc8210="8.2", bis="8.2", needs=(CLOCK,))
def latest_serial(subject: Subject) -> None:
    """After a burst of changes there is one notify, with the latest serial; none if the router has it already."""
    subject.load(few(0))
    waiting, fetching = served(subject, 2), served(subject, 2)
    for number in range(1, 6):
        subject.load(few(number))
        subject.advance(2)
    latest = served(subject, 2).serial
    for router in (waiting, fetching):
        _notify(router)
        router.silence()
    fetching.refresh()
    subject.advance(MINUTE)
    last = _notify(waiting)
    demand(last.serial == latest, f"serial {last.serial}, not {latest}", last.octets)
    waiting.silence()
    fetching.silence()
    subject.advance(10 * MINUTE)
    waiting.silence()


@case("C-SN-05", MUST, rfc8210="5.2", bis="5.2")
def own_session(subject: Subject) -> None:
    """A notify has session id and version of its session, and the serial that a query then gets."""
    subject.load(few(1))
    routers = [served(subject, version) for version in subject.versions]
    subject.load(few(2))
    for router in routers:
        heard = _notify(router)
        demand((heard.version, heard.field) == (router.version, router.session), "of another session", heard.octets)
        router.refresh()
        demand(router.serial == heard.serial, f"serial {heard.serial}, where {router.serial} is told", heard.octets)


@case("C-SN-06", INFO, needs=(CLOCK,))
def not_inside_an_answer(subject: Subject) -> None:
    """No notify between Cache Response and End of Data; it comes behind it."""
    subject.load(many(4000))
    router = Router(subject, 1)
    router.say(reset_query(1))
    subject.load(few(1))
    subject.advance(MINUTE)
    subject.load(few(2))
    answer = router.answer()
    numbers = {heard.number for heard in answer[1:-1]}
    demand(answer[-1].number == END_OF_DATA and SERIAL_NOTIFY not in numbers, "a notify inside an answer")
    _notify(router)


@case("C-SN-07", MUST)
def slow_neighbour(subject: Subject) -> None:
    """A router that does not read delays neither data nor notifies of others."""
    subject.load(many(4000))
    slow = [Router(subject, 1) for _ in range(10)]
    for router in slow:
        router.say(reset_query(1))
    quick = served(subject, 1)
    subject.load(few(1))
    _notify(quick)
    quick.refresh()
    quick.exact()
    for router in slow:
        demand(router.answer()[-1].number == END_OF_DATA, "the slow one is not served to its end")
