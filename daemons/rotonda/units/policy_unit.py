"""One source of several: `any` uses the best one, `merge` all of them (`rotonda.rpki.policies`).

At the start both wait for what is expected, for a while: a set with parts missing makes routers refuse good routes,
but so does no set at all make them take bad ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from twisted.application.service import MultiService
from twisted.internet.interfaces import IDelayedCall

from rotonda.rpki.policies import Candidate, Merged, choose
from rotonda.rpki.sources import News, SourceState
from rotonda.rpki.unions import left_out, left_out_in_words
from rotonda.units.aside import Aside
from rotonda.units.sources import Life, SourceUnit
from rotonda.views.shown import Link
from rotoro.table import ASPA, EMPTY, Diff, Snapshot

HOLD_SECONDS = 60.0
"""For how long a source must be back before `any` returns to it, or away before it is left while its data is good."""

FIRST_SECONDS = 10.0
"""How long the first data of all sources, or of the preferred one, is waited for."""


@dataclass(eq=False, kw_only=True)
class PolicyUnit(SourceUnit):
    """What both policies have in common."""

    sources: Sequence[SourceUnit]

    def __post_init__(self) -> None:
        super().__post_init__()
        self.aside = Aside()
        self._waiting = True
        self._again: IDelayedCall | None = None
        self._reactor: Any = None

    @property
    def west(self) -> Sequence[SourceUnit]:
        """The sources."""
        return self.sources

    def start(self, parent: MultiService, reactor: Any) -> None:
        """Listen to the sources, which are started too."""
        super().start(parent, reactor)
        self._reactor = reactor
        self.aside.setServiceParent(parent)
        for source in self.sources:
            source.subscribe(partial(self._hear, source))
            source.start(parent, reactor)
        Life(self.begin, self.stop).setServiceParent(parent)

    def stop(self) -> Any:
        """Decide nothing any more."""
        self._wake_in(None)

    def begin(self) -> None:
        """The time to wait for first data begins."""
        self._wake_in(FIRST_SECONDS)

    def _hear(self, source: SourceUnit, news: News) -> None:
        """A source tells something."""
        raise NotImplementedError

    def _decide(self) -> None:
        """It may be time for something that was waited for."""
        raise NotImplementedError

    def _woken(self) -> None:
        self._waiting = False
        self._decide()

    def _wake_in(self, seconds: float | None) -> None:
        if self._again is not None and self._again.active():
            self._again.cancel()
        self._again = None if seconds is None else self._reactor.callLater(max(0.0, seconds), self._woken)

    def _without(self) -> SourceState:
        """The state of having no data."""
        return SourceState.CONNECTING if self.state is SourceState.CONNECTING else SourceState.GONE


@dataclass(eq=False, kw_only=True)
class MergeUnit(PolicyUnit):
    """All that any of the sources says, each record once, for as long as one of them says it."""

    name: str = "merge"

    def __post_init__(self) -> None:
        super().__post_init__()
        self._merged = Merged()
        self._left_out = 0
        """Customers with ASPAs of which the union has none."""
        self._behind: set[SourceUnit] = set()
        """Sources that have told more than is in the union yet."""

    @property
    def complete(self) -> bool:
        """Whether every source has given its data once, and all of it is here."""
        return not self._behind and all(source.complete for source in self.sources)

    def shown(self) -> Link:
        """How it fares, and how much could not be joined."""
        link = super().shown()
        link.left_out = self._left_out
        return link

    def _hear(self, source: SourceUnit, news: News) -> None:
        follows = source not in self._behind
        self._behind.add(source)
        if not self.aside.busy:
            self._update(source, news.snapshot, news.diff if follows else None)

    def _update(self, source: SourceUnit, snapshot: Snapshot | None, diff: Diff | None) -> None:
        update = partial(self._merged.update, source.name, snapshot, diff)
        whole = (snapshot, self._merged.holders.get(source.name))
        records = sum(side.count for side in whole if side is not None) if diff is None else diff.rows
        self.aside.do(records, update, partial(self._updated, source, snapshot, self._merged.snapshot))

    def _updated(self, source: SourceUnit, snapshot: Snapshot | None, before: Snapshot, diff: Diff) -> None:
        """The union has what a source said when it was last looked at; go on with who has said more."""
        if source.snapshot is snapshot:
            self._behind.discard(source)
        if ASPA in diff or self._left_out:
            self._left_out = left_out(self._merged.snapshot, *self._merged.holders.values())
            self.problem = left_out_in_words(self._left_out)
        self._decide(diff if before is self.snapshot else None)
        if self._behind:
            behind = next(iter(self._behind))
            self._update(behind, behind.snapshot, None)

    def _decide(self, diff: Diff | None = None) -> None:
        if not self._behind and all(source.state is not SourceState.CONNECTING for source in self.sources):
            self._waiting = False
        if self._waiting:
            return
        state = min(source.state for source in self.sources)
        if self._merged.holders and state.usable:
            self._tell(state, self._merged.snapshot, diff)
        else:
            self._tell(self._without(), None)


@dataclass(eq=False, kw_only=True)
class AnyUnit(PolicyUnit):
    """What the most preferred source says that can be had (`rotonda.rpki.policies.choose`)."""

    name: str = "any"
    hold: float = HOLD_SECONDS

    def __post_init__(self) -> None:
        super().__post_init__()
        self.used: SourceUnit | None = None
        self._behind = False
        """Whether sources may have told more than was looked at."""

    @property
    def complete(self) -> bool:
        """Whether the source in use has given all of its data."""
        return self.used is not None and self.used.complete

    @property
    def used_west(self) -> Sequence[SourceUnit]:
        """The one in use."""
        return () if self.used is None else (self.used,)

    def _hear(self, source: SourceUnit, news: News) -> None:
        if self.aside.busy:
            self._behind = True
        else:
            self._decide(news if source is self.used and not self._behind else None)

    def _decide(self, news: News | None = None) -> None:
        if self.aside.busy or (self._waiting and self._best_may_come()):
            return
        self._waiting = False
        candidates = [Candidate(own.name, own.preference, own.state, own.since) for own in self.sources]
        now = self._seconds()
        choice = choose(candidates, None if self.used is None else self.used.name, self.hold, now)
        self._wake_in(None if choice.again is None else choice.again - now)
        chosen = next((own for own in self.sources if own.name == choice.name), None)
        if chosen is None or chosen.snapshot is None:
            self.used = None
            self._tell(self._without(), None)
        elif chosen is self.used:
            self._behind = False
            self._tell(chosen.state, chosen.snapshot, None if news is None else news.diff)
        else:
            self._switch(chosen, chosen.snapshot)

    def _best_may_come(self) -> bool:
        """Whether a source without data yet is preferred to all that have some."""
        ranked = sorted(self.sources, key=lambda own: own.preference)
        first = next((own for own in ranked if own.state.usable or own.state is SourceState.CONNECTING), None)
        return first is not None and first.state is SourceState.CONNECTING

    def _switch(self, chosen: SourceUnit, snapshot: Snapshot) -> None:
        """Use this one from now on: all that differs changes at once."""
        before = EMPTY if self.snapshot is None else self.snapshot
        records = min(before.count, snapshot.count)
        self.aside.do(records, partial(before.diff, snapshot), partial(self._switched, chosen, snapshot))

    def _switched(self, chosen: SourceUnit, snapshot: Snapshot, diff: Diff) -> None:
        if chosen.state.usable:
            self.log.info("{name}: using {source}, {n:,} changes", name=self.name, source=chosen.name, n=diff.count)
            self.used, self._behind = chosen, chosen.snapshot is not snapshot
            self._tell(chosen.state, snapshot, diff)
        self._decide()  # as sources may have told something meanwhile
