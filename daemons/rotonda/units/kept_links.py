"""What a link to the west holds of RPKI data, as parts that last, and back.

Times on the disk are of the clock on the wall: what is left of the life of data is measured across the restart. A part
that has expired meanwhile does not come back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from rotonda.units.link import RTR_TABLE, WestLink
from rotoro.session.followed import FollowedTable, Want
from rotoro.session.held import Held
from rotoro.session.payload import Timers
from rotoro.table import Position
from rotoro.table.stored import Part
from rotoro.wire.pdu import ROTORO
from rotoro.wire.rotoro import RecordKind


def parts_of(links: Iterable[WestLink], clock: Callable[[], float], wall: float) -> list[Part]:
    """What all links hold; `clock` is that of their sessions, `wall` is in seconds since 1970."""
    return [part for link in links for part in _parts_of(link, clock(), wall)]


def resume(links: Sequence[WestLink], parts: Iterable[Part], now: float, wall: float) -> dict[str, Part]:
    """Have links hold what they held; returns the parts that are good still, by the names that links give them."""
    by_name = {link.name: link for link in links}
    resumed = {}
    for part in parts:
        link, left = by_name.get(part.source), min(part.expires - wall, part.timers[2])
        if link is not None and left > 0 and _resume(link, part, now, left):
            resumed[f"{link.name} {part.table}"] = part
    for link in links:
        link.service.watch()
    return resumed


def _parts_of(link: WestLink, now: float, wall: float) -> Iterator[Part]:
    held = link.router.held
    if held is not None:
        timers = (held.timers.refresh, held.timers.retry, held.timers.expire)
        place = Position(held.session, held.serial)
        yield Part(link.name, RTR_TABLE, held.version, place, timers, wall + held.expires - now, held.snapshot)
    seconds = link.follower.expire_seconds
    for table in link.follower.tables.values():
        if table.kind == RecordKind.RPKI and table.position is not None and table.want == Want():
            since = now if table.stale_since is None else table.stale_since
            expires = wall + since + seconds - now
            yield Part(link.name, table.name, ROTORO, table.position, (0, 0, seconds), expires, table.snapshot)


def _resume(link: WestLink, part: Part, now: float, left: float) -> bool:
    refresh, retry, expire = part.timers
    if part.version == ROTORO:
        seconds = link.follower.expire_seconds
        since = now - (seconds - min(left, seconds))
        link.follower.tables[part.table] = FollowedTable(
            part.table,
            RecordKind.RPKI,
            Want(),
            position=part.position,
            snapshot=part.snapshot,
            stale_since=since,
        )
        return True
    try:
        timers = Timers(refresh, retry, expire)
    except ValueError:
        return False
    since = now - (expire - left)
    place = part.position
    held = Held(part.version, place.epoch, place.serial, timers, since, part.snapshot)
    return link.session.resume(held, now)
