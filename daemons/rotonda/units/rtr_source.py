"""A cache as a source of RPKI data: over RTR or Rotoro, with TLS or without.

What a cache said last is used until it expires by the timers that came with it, whatever the cache does meanwhile:
neither its absence nor the nonsense that it may talk takes good data away before its time. Only the cache itself may
take its data back (draft-ietf-sidrops-8210bis section 12, error 13).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Any

from twisted.application.service import MultiService

from rotonda.rpki.policies import Merged
from rotonda.rpki.sources import SourceState
from rotonda.units.link import NOWHERE, WestLink
from rotonda.units.sources import NO_CHANGE, SourceUnit
from rotonda.units.timer import Timer
from rotonda.views.shown import Link
from rotoro.net.endpoints import Connect
from rotoro.session.effects import Update
from rotoro.session.follower import follow_rpki
from rotoro.session.negotiation import Mode
from rotoro.table import AttributeStore, Diff
from rotoro.wire.errors import CacheShutdown

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
        self._given_up: set[str] = set()
        """Tables that the session does not hold any more, but that are still good: its diffs start from nothing."""
        self._expires = inf
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
        if self._expires != inf:
            link.expires_in = self._expires - self._seconds()
        return link

    def _take(self, table: str, update: Update) -> None:
        if update.position == NOWHERE and not update.snapshot:
            self._give_up(table)
            return
        diff = self._tables.update(table, update.snapshot, None if table in self._given_up else update.diff)
        self._given_up.discard(table)
        held = self._link.router.held
        self._expires = inf if held is None else held.expires
        self._judge(diff)

    def _give_up(self, table: str) -> None:
        """The session must not use the data any more: because of its age, the cache's wish, or the cache's errors."""
        self._failed(self._link.problem or "given up")
        self._given_up.add(table)
        taken_back = f"error {CacheShutdown.code}" in self.problem if self.problem else False
        if taken_back or self._expires == inf:
            self._expires = self._seconds()
        self._look()

    def _look(self) -> None:
        """The cache may fare differently, or the data have come to its end."""
        self._judge(NO_CHANGE)

    def _judge(self, diff: Diff) -> None:
        """Tell what is so, after such a change of the data."""
        synced, self.problem = self._link.synced, self._link.problem
        if synced:
            # What is here now stands in the place of all that was given up.
            diff = Diff.chain([diff, *(self._tables.update(table, None) for table in self._given_up)])
            self._given_up.clear()
        if not self._tables.holders or not (self._begun or self._link.complete):
            return
        self._begun = True
        if self._seconds() >= self._expires:
            self._expired()
        else:
            self._tell(SourceState.CURRENT if synced else SourceState.STALE, self._tables.snapshot, diff)

    def _expired(self) -> None:
        if self.keep_stale:
            self._tell(SourceState.EXPIRED, self._tables.snapshot, NO_CHANGE)
            return
        for table in list(self._tables.holders):
            self._given_up.add(table)
            self._tables.update(table, None)
        self._expires = inf
        self._tell(SourceState.GONE, None)
