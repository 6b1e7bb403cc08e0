"""A router without routes: follows caches, keeps the validated set, and answers what it would do.

What each cache says is kept for itself. The caches of the best preference that can be had are used together
(`rotonda.rpki.preferences`); whoever asks sees their set change by whole updates, and one set replaced by another in
one step.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from time import time
from typing import Any

from twisted.application.service import MultiService
from twisted.logger import Logger

from rotonda import VERSION
from rotonda.rpki.policies import Merged
from rotonda.rpki.preferences import CacheState, Preferences
from rotonda.rpki.unions import left_out
from rotonda.units.aside import Aside
from rotonda.units.keeping import KeepAt, Keeper
from rotonda.units.kept_links import parts_of, resume
from rotonda.units.link import GivenUp, WestLink
from rotonda.units.serving import new_history
from rotonda.units.state import Folder
from rotonda.units.timer import Timer
from rotonda.views.shown import Link
from rotoro.net.endpoints import Connect
from rotoro.session.effects import Update
from rotoro.session.follower import follow_rpki
from rotoro.session.negotiation import Mode
from rotoro.table import EMPTY, AttributeStore, Diff, Snapshot

PATIENCE_SECONDS = 10.0
"""How long the preferred caches may be away before the next ones are asked."""

LOOK_SECONDS = 1.0
"""How often it is looked whether they are."""


class RouterUnit:
    """The validated set of a daemon: the union of what its preferred caches say."""

    log = Logger()
    name = "rotonda-router"
    version = VERSION

    def __init__(self, reactor: Any, caches: Sequence[Connect], mode: Mode, patience: float = PATIENCE_SECONDS) -> None:
        self.started = time()
        self.history = new_history()
        """The table of RPKI data that is used."""
        self._reactor, self._clock = reactor, reactor.seconds
        self._keeper: Keeper | None = None
        self._preferences = Preferences({to.preference for to in caches}, patience)
        self._sets = {to.preference: Merged() for to in caches}
        """What the caches of each preference say together."""
        self._held: list[dict[str, Snapshot]] = [{} for _ in caches]
        """What each cache says, by table."""
        self._used: int | None = None
        """The preference whose set is in the history now."""
        store = AttributeStore()
        self.caches = [
            WestLink(
                *(reactor, to, mode, follow_rpki, store, lambda ingress: ingress),
                *(partial(self._take, number), self._look),
                at_once=to.preference <= self._preferences.asked,
            )
            for number, to in enumerate(caches)
        ]
        self._looking = Timer(self._look, reactor, LOOK_SECONDS)
        self.aside = Aside()
        self._in_step = True
        """Whether the history has the set in use as it is now, so that changes of the one are those of the other."""

    def attach(self, parent: MultiService) -> None:
        """Follow when the daemon starts."""
        self.aside.setServiceParent(parent)
        for cache in self.caches:
            cache.service.setServiceParent(parent)
        if len(self._sets) > 1:
            self._looking.setServiceParent(parent)

    def keep(self, at: KeepAt) -> Keeper:
        """Keep what each cache said on the disk, so that it can be asked for what has changed since."""
        table = "router.rpki"
        self._keeper = Keeper(
            *(self._reactor, Folder(at.folder, table), table, [cache.name for cache in self.caches], self.history, {}),
            renewed=lambda: None,  # nobody follows the table of a router
            fresh=lambda: self._used is not None,
            parts=partial(parts_of, self.caches, self._clock),
            max_age=at.max_age,
        )
        return self._keeper

    def restore(self) -> None:
        """Begin with what was kept, as far as it is good still; for the time before anything is started."""
        if self._keeper is None:
            return
        parts = self._keeper.restore()
        for name, part in resume(self.caches, parts, self._clock(), time()).items():
            number = next(number for number, cache in enumerate(self.caches) if cache.name == part.source)
            self._take(number, name, Update(part.table, part.position, part.snapshot, None))

    def links(self) -> Sequence[Link]:
        """The sessions with the caches, which of them are used, and what is held of each."""
        links = [cache.shown() for cache in self.caches]
        for link, cache, held in zip(links, self.caches, self._held, strict=True):
            link.preference = cache.service.to.preference
            link.in_use = bool(held) and link.preference == self._used
            link.records = sum(snapshot.count for snapshot in held.values())
            link.left_out = left_out(self._sets[link.preference].snapshot, *held.values())
            if link.preference > self._preferences.asked:
                link.state = "standing by"
        return links

    def missing(self) -> Sequence[str]:
        """Nothing, as long as data of some cache is used."""
        return [cache.name for cache in self.caches] if self._used is None else []

    # --- what caches say ---------------------------------------------------------------------------------------------

    def _take(self, number: int, table: str, update: Update) -> None:
        if self._keeper is not None:
            self._keeper.touch()
        held, preference = self._held[number], self.caches[number].service.to.preference
        if isinstance(update, GivenUp):
            held.pop(table, None)
            diff = self._sets[preference].update(table, None)
        else:
            held[table] = update.snapshot
            diff = self._sets[preference].update(table, update.snapshot, update.diff)
        self._preferences.decide(self._states(), self._clock())
        if preference == self._used == self._preferences.used:
            if self._in_step:
                self._tell(table, self.history.commit(self._sets[preference].snapshot, diff))
            else:
                self._catch_up()
        self._settle()

    def _look(self) -> None:
        """A cache may fare differently, or have been away for too long."""
        self._preferences.decide(self._states(), self._clock())
        self._settle()

    def _settle(self) -> None:
        """Do what was decided: use another set, and ask more caches or fewer."""
        if self._preferences.used != self._used:
            self._switch(self._preferences.used)
        for cache in self.caches:
            if cache.service.to.preference <= self._preferences.asked:
                cache.service.go()
            else:
                cache.service.stand_by()

    def _states(self) -> list[CacheState]:
        return [self._state(cache, held) for cache, held in zip(self.caches, self._held, strict=True)]

    def _state(self, cache: WestLink, held: dict[str, Snapshot]) -> CacheState:
        return CacheState(cache.service.to.preference, cache.synced, bool(held), cache.problem is not None)

    def _switch(self, used: int | None) -> None:
        self._used = used
        self.log.info("using {caches}", caches=self._in_use or "no cache: all data has expired or was given up")
        self._catch_up()

    @property
    def _in_use(self) -> str:
        return ", ".join(cache.name for cache in self.caches if cache.service.to.preference == self._used)

    @property
    def _set(self) -> Snapshot:
        return EMPTY if self._used is None else self._sets[self._used].snapshot

    def _catch_up(self) -> None:
        """Bring the history to the set in use, whatever it has now."""
        self._in_step = False
        if not self.aside.busy:
            before, after = self.history.snapshot, self._set
            records = min(before.count, after.count)
            self.aside.do(records, partial(before.diff, after), partial(self._caught_up, after))

    def _caught_up(self, snapshot: Snapshot, diff: Diff) -> None:
        self._in_step = self._set is snapshot
        self._tell(self._in_use or "no cache", self.history.commit(snapshot, diff))
        if not self._in_step:  # the caches, or which of them are used, have changed meanwhile
            self._catch_up()

    def _tell(self, link: str, changed: Diff | None) -> None:
        if changed is not None:
            count, total = changed.count, self.history.snapshot.count
            self.log.info("{link}: {count:,} changes; {total:,} records", link=link, count=count, total=total)
