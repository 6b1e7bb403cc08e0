"""A cache as a source of RPKI data: over RTR or Rotoro, with TLS or without.

What a cache said last is used until it expires by the timers that came with it, whatever the cache does meanwhile:
neither its absence nor the nonsense that it may talk takes good data away before its time. Only the cache itself may
take its data back (draft-ietf-sidrops-8210bis section 12, error 13).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import inf
from typing import Any

from twisted.application.service import MultiService

from rotonda.rpki.policies import Merged
from rotonda.rpki.sources import SourceState
from rotonda.units.link import RTR_TABLE, GivenUp, WestLink
from rotonda.units.sources import NO_CHANGE, SourceUnit
from rotonda.units.timer import Timer
from rotonda.views.shown import Link
from rotoro.net.endpoints import Connect
from rotoro.session.effects import Update
from rotoro.session.follower import follow_rpki
from rotoro.session.negotiation import Mode
from rotoro.table import AttributeStore, Diff

LOOK_SECONDS = 1.0
"""How often it is looked whether the cache is there and the data still good."""


@dataclass(eq=False, kw_only=True)
class RtrSource(SourceUnit):
    """RPKI data of a cache. With `keep_stale`, what has expired is used until there is something newer."""

    to: Connect
    mode: Mode = Mode.AUTO
    keep_stale: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        self._tables = Merged()
        """What the cache's tables hold: one with RTR, any number with Rotoro."""
        self._ends: dict[str, float] = {}
        """Until when the data of each table is good; infinity as long as a Rotoro server answers for it."""
        self._given_up: set[str] = set()
        """Tables that the session holds no more, though they may be good still: its diffs start from nothing."""
        self._begun = False
        """Whether everything has come once."""
        self._link: WestLink

    def start(self, parent: MultiService, reactor: Any) -> None:
        """Follow the cache."""
        super().start(parent, reactor)
        self._link = WestLink(
            *(reactor, self.to, self.mode, follow_rpki, AttributeStore(), lambda ingress: ingress),
            *(self._take, self._look),
        )
        self._link.service.setServiceParent(parent)
        Timer(self._look, reactor, LOOK_SECONDS).setServiceParent(parent)

    def shown(self) -> Link:
        """The session, and what is held of it."""
        link, own = self._link.shown(), super().shown()
        link.state, link.preference, link.records = own.state, own.preference, own.records
        end = min((self._ends[table] for table in self._tables.holders), default=inf)
        link.expires_in = None if end == inf else end - self._seconds()
        return link

    def _take(self, table: str, update: Update) -> None:
        if isinstance(update, GivenUp):
            self._give_up(table, update.ended)
            return
        diff = self._tables.update(table, update.snapshot, None if table in self._given_up else update.diff)
        self._given_up.discard(table)
        held = self._link.router.held if update.table == RTR_TABLE else None
        self._ends[table] = inf if held is None else held.expires
        self._judge(diff)

    def _give_up(self, table: str, ended: bool) -> None:
        """The session must not use the data any more: because of its age, the cache's wish, or the cache's errors."""
        self._failed(self._link.problem or "given up")
        if table in self._tables.holders:
            self._given_up.add(table)
            if ended:
                self._ends[table] = self._seconds()
            elif self._ends[table] == inf:
                self._ends[table] = self._seconds() + self._link.follower.expire_seconds
        self._look()

    def _look(self) -> None:
        """The cache may fare differently, or the data have come to its end."""
        self._judge(NO_CHANGE)

    def _judge(self, diff: Diff) -> None:
        """Tell what is so, after such a change of the data."""
        synced, self.problem = self._link.synced, self._link.problem
        if synced and self._given_up:
            # What is here now stands in the place of all that was given up.
            diff = self._without(self._given_up, diff)
            self._given_up.clear()
        if not self._tables.holders or not (self._begun or self._link.complete):
            return
        self._begun = True
        ended = {table for table in self._tables.holders if self._seconds() >= self._ends[table]}
        if ended and not self.keep_stale:
            diff = self._without(ended, diff)
            self._given_up |= ended
        if not self._tables.holders:
            self._tell(SourceState.GONE, None)
        elif ended == self._tables.holders.keys():
            self._tell(SourceState.EXPIRED, self._tables.snapshot, diff)
        else:
            self._tell(SourceState.CURRENT if synced else SourceState.STALE, self._tables.snapshot, diff)

    def _without(self, tables: Iterable[str], diff: Diff) -> Diff:
        """Drop the data of these tables; returns what that changes, and what changed before, as one."""
        return Diff.chain([diff, *(self._tables.update(table, None) for table in tables)])
