"""What happens to the tables of all hosts, as messages of RIS Live, from the moment on at which somebody listens."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Protocol

from rotonda.gateway.holds import Holds
from rotonda.gateway.ris_subscriptions import Group
from rotonda.gateway.ris_updates import Told, Updates
from rotonda.gateway.steps import KeptStep, Steps
from rotonda.rib.ingresses import IngressRegistry
from rotoro.table import EMPTY, History, Ingress, IngressState, Position


class Hosts(Protocol):
    """Whose tables are told. What it answers may change at any time."""

    def histories(self) -> Mapping[str, History]:
        """The table of routes of every host that there is, by name."""

    def defaults(self) -> Collection[str]:
        """Those that are meant by who asks for no host."""

    def host_of(self, ingress: Ingress) -> str | None:
        """The host that hears an ingress, if it is one."""

    @property
    def ingresses(self) -> IngressRegistry:
        """Where routes come from."""


class RisFeed:
    """Follows the tables that somebody has subscribed to. `changed` is called when there is something to take."""

    def __init__(self, hosts: Hosts, wall: Callable[[], float], changed: Callable[[], None], holds: Holds) -> None:
        self.idle = True
        """Whether there is nothing to do before something changes."""
        self.left_out = 0
        """Rows of changes that could not be told, because more came than can be told."""
        self._hosts, self._wall, self._changed, self._holds = hosts, wall, changed, holds
        self._followed: dict[str, _Followed] = {}
        self._updates: dict[str, Updates] = {}
        self._states: dict[int, IngressState] = {}
        self._revision = -1
        self._waiting: list[Told] = []

    def use(self, groups: Collection[Group]) -> None:
        """These are all subscriptions that there are."""
        wanted: dict[str, None] = {}
        for group in groups:
            wanted.update(dict.fromkeys(group.hosts or self._hosts.defaults()))
        histories = self._hosts.histories()
        for name in [name for name, own in self._followed.items() if own.history is not histories.get(name)]:
            self._followed.pop(name).close()
        for name in [name for name in self._followed if name not in wanted]:
            self._followed.pop(name).close()
        if wanted and not self._followed:
            self._revision = self._hosts.ingresses.revision
            self._states = {each.number: each.state for each in self._hosts.ingresses}
        for name in wanted:
            if name in histories and name not in self._followed:
                updates = self._updates.setdefault(name, Updates(name))
                self._followed[name] = _Followed(histories[name], updates, self._wall, self._wake, self._holds)

    def look(self) -> None:
        """See whether ingresses have come up or gone down."""
        registry = self._hosts.ingresses
        if not self._followed or registry.revision == self._revision:
            return
        self._revision = registry.revision
        for ingress in registry:
            if self._states.get(ingress.number, IngressState.DOWN) != ingress.state and ingress.address:
                host = self._hosts.host_of(ingress)
                if host in self._followed and host is not None:
                    self._waiting.append(self._updates[host].state(ingress, self._wall()))
            self._states[ingress.number] = ingress.state
        if self._waiting:
            self._wake()

    def take(self) -> Told | None:
        """What is told next, or None: if there is nothing just now, it is `idle`."""
        self.look()
        if self._waiting:
            return self._waiting.pop(0)
        for name, own in self._followed.items():
            if own.busy:
                self._followed[name] = self._followed.pop(name)  # so that each has its turn
                return own.take()
        self.idle = True
        return None

    def lost(self) -> dict[str, int]:
        """Of which hosts changes were left out since this was asked last, and how many rows at least."""
        found = {name: own.lost for name, own in self._followed.items() if own.lost}
        for own in self._followed.values():
            own.lost = 0
        self.left_out += sum(found.values())
        return found

    def close(self) -> None:
        """Nobody listens any more."""
        for own in self._followed.values():
            own.close()
        self._followed = {}

    def _wake(self) -> None:
        self.idle = False
        self._changed()


class _Followed:
    """The table of one host."""

    def __init__(
        self,
        history: History,
        updates: Updates,
        wall: Callable[[], float],
        changed: Callable[[], None],
        holds: Holds,
    ) -> None:
        self.history = history
        self.lost = 0
        self._updates, self._wall = updates, wall
        self._at: Position = history.position
        self._fresh = not history.ready
        self._target = self._at
        self._work: Iterator[Told | None] | None = None
        self._steps = Steps(history, changed, holds)
        self._steps.trim_to(lambda: self._at.serial)

    @property
    def busy(self) -> bool:
        """Whether there is something to take."""
        return self._work is not None or self._at != self.history.position or (self._fresh and self.history.ready)

    def take(self) -> Told | None:
        """What is told next; None if that is nothing yet."""
        if self._work is None:
            self._work = self._next()
        told = next(self._work, self)
        if told is self:
            self._work, self._at = None, self._target
            return None
        return told  # type: ignore[return-value]  # what is not this is of the iterator

    def close(self) -> None:
        """Follow it no more."""
        self._work = None
        self._steps.close()

    def _next(self) -> Iterator[Told | None]:
        history = self.history
        if self._fresh and history.ready:  # the first data is a change, too, of nothing
            self._fresh = False
            self._target = history.position
            return self._updates.of(_all_of(history, self._steps.holds), history.snapshot, self._wall())
        step = self._steps.after(self._at)
        if step is None:
            self.lost += max(1, history.position.serial - self._at.serial)
            self._target = history.position
            return iter(())
        self._target = step.end
        return self._updates.of(step, history.snapshot, self._wall())


def _all_of(history: History, holds: Holds) -> KeptStep:
    """What led from nothing to a table that has only begun."""
    return KeptStep(history.position.serial, EMPTY.diff(history.snapshot), history.position, holds)
