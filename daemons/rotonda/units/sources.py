"""Sources of RPKI data as units: each is its configuration, can be started, and has an east side that is told.

A unit may be a source to another: caches and exports, then a policy that makes one of several, then local exceptions.
Whatever it does, it tells whole states and the difference between them (`rotonda.rpki.sources.News`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

from twisted.application.service import MultiService, Service
from twisted.logger import Logger

from rotonda.rpki.sources import Listener, News, SourceState
from rotonda.views.shown import Link
from rotoro.table import Diff, Snapshot

NO_CHANGE = Diff({}, 0)


@dataclass(eq=False, kw_only=True)
class SourceUnit:
    """What all sources have in common. Where several are used by preference, the lowest comes first."""

    name: str
    preference: int = 0

    log = Logger()

    def __post_init__(self) -> None:
        self.state = SourceState.CONNECTING
        self.since = -inf
        """When it came into its state; minus infinity if it was never in another one with data."""
        self.snapshot: Snapshot | None = None
        """What it says; None as long as its state is not usable."""
        self.problem: str | None = None
        """What is wrong with it now, in words."""
        self.errors = 0
        """How often something went wrong."""
        self._seconds: Callable[[], float] = lambda: 0.0
        self._east: list[Listener] = []
        self._lost: set[Listener] = set()
        """Who could not take the last news: diffs do not start from what these have."""

    @property
    def complete(self) -> bool:
        """Whether everything that is expected of it has come once."""
        return self.state.usable

    @property
    def west(self) -> Sequence[SourceUnit]:
        """What it is made from."""
        return ()

    @property
    def used_west(self) -> Sequence[SourceUnit]:
        """Those of them whose data is in what it says now."""
        return [source for source in self.west if source.state.usable]

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Have a listener told of each change of the state or of the data, until the returned function is called."""
        self._east.append(listener)
        return lambda: self._east.remove(listener) if listener in self._east else None

    def start(self, parent: MultiService, reactor: Any) -> None:
        """Work when the parent does, by the clock of the reactor."""
        self._seconds = reactor.seconds

    def stop(self) -> Any:
        """Begin nothing any more; may return a Deferred that fires when all has ended."""
        return None

    def shown(self) -> Link:
        """How it fares, for people."""
        return Link(
            name=self.name,
            peer=self.name,
            state=self.state.word,
            preference=self.preference,
            records=0 if self.snapshot is None else self.snapshot.count,
            last_error=self.problem,
        )

    def _failed(self, problem: str) -> None:
        """Something went wrong: it is shown until something goes right, and counted for good."""
        self.problem = problem
        self.errors += 1

    def _tell(self, state: SourceState, snapshot: Snapshot | None, diff: Diff | None = None) -> None:
        """This is so now. Nobody is told what is so already."""
        if state is self.state and snapshot is self.snapshot:
            return
        if state is not self.state:
            if self.state is not SourceState.CONNECTING:
                self.since = self._seconds()
            self._say(state)
        known = NO_CHANGE if snapshot is self.snapshot else diff if self.snapshot is not None else None
        self.state, self.snapshot = state, snapshot
        for listener in list(self._east):
            self._pass_on(listener, News(state, snapshot, None if listener in self._lost else known))

    def _pass_on(self, listener: Listener, news: News) -> None:
        """Tell one listener. Whatever is wrong there, neither this source nor its session with a cache suffers."""
        try:
            listener(news)
        except Exception:
            self._lost.add(listener)
            self.log.failure("{name}: news could not be taken; the next ones bring everything", name=self.name)
        else:
            self._lost.discard(listener)

    def _say(self, state: SourceState) -> None:
        say = self.log.info if state is SourceState.CURRENT else self.log.warn
        why = f": {self.problem}" if self.problem else ""
        say("{name}: {before}, now {state}{why}", name=self.name, before=self.state.word, state=state.word, why=why)


class Life(Service):
    """Begins something when the daemon starts, not when it is put together, and ends it when the daemon stops."""

    def __init__(self, begin: Callable[[], object], end: Callable[[], Any]) -> None:
        self._begin, self._end = begin, end

    def startService(self) -> None:
        """Begin."""
        super().startService()
        self._begin()

    def stopService(self) -> Any:
        """End; may return a Deferred."""
        super().stopService()
        return self._end()
