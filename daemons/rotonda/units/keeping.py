"""Keeps a table of RPKI data on the disk, so that a restart serves it at once and routers go on from where they stood.

Who follows the table never waits for the disk. Before any serial is told, the disk has a promise that covers it (see
`rotoro.table.stored`); the table itself follows within about a second, written in a thread. So after a stop in good
order the table goes on at its very serial; after any other, behind all that may have been told, and who had seen what
was lost starts over.

When the disk fails, the table is served from memory, and that is said. When a promise is used up and cannot be
renewed, or what is there cannot be believed, a new life begins: another epoch, other session ids, the same data.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from secrets import randbits
from time import monotonic, time
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.threads import deferToThread
from twisted.logger import Logger
from twisted.python.failure import Failure

from rotonda.units.promises import Promises
from rotonda.units.state import Folder, Refused
from rotoro.table import Diff, History, Position, State, Step
from rotoro.table.sealed import BadStored
from rotoro.table.stored import MAX_OCTETS, PROMISED, Part, Stored, read_table, resumed, write_table

TABLE = "table"
"""The kind of file that a table is."""

WRITE_SECONDS = 1.0
"""How long changes are gathered before the table is written."""

WRITE_SHARE = 20
"""So many times as long as the last writing took is waited before the next."""

REFRESH_SECONDS = 1800.0
"""How often the table is written even if nothing has changed, since its age counts."""

RETRY_SECONDS = 60.0
"""When it is tried again after the disk has failed."""

MAX_AGE_SECONDS = 86_400.0
"""How old data may be to be served after a restart, unless somebody says otherwise."""

_LONG = 1000


@dataclass(frozen=True, slots=True)
class KeepAt:
    """Where tables are kept, and how old their data may be, in seconds, to be served after a restart."""

    folder: Path
    max_age: float = MAX_AGE_SECONDS


def new_position() -> Position:
    """Where a life begins: no serial of another life with the same session id, by chance, means anything in it."""
    return Position(randbits(64), randbits(31))


class Keeper(Service):
    """Keeps one table, from `restore` until the daemon stops.

    `sessions` has the session id of each RTR version; they are replaced by those that are kept. `renewed` is called
    when a new life has begun under the feet of those who are connected. `fresh` says whether the table is now what its
    sources say; `parts`, if there are any, what each source said. `in_thread` is for tests.
    """

    log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        folder: Folder,
        owner: str,
        sources: Sequence[str],
        history: History,
        sessions: dict[int, int],
        *,
        renewed: Callable[[], None],
        fresh: Callable[[], bool],
        parts: Callable[[float], Sequence[Part]] | None = None,
        max_age: float = MAX_AGE_SECONDS,
        wall: Callable[[], float] = time,
        in_thread: Callable[..., Deferred[Any]] = deferToThread,
    ) -> None:
        self.problem: str | None = None
        """Why the table is not kept now."""
        self._clock, self._folder, self._history, self._sessions = clock, folder, history, sessions
        self._owner, self._sources = owner, _short("\n".join(sources))
        self._renewed, self._is_fresh, self._parts = renewed, fresh, parts
        self._max_age, self._wall, self._in_thread = max_age, wall, in_thread
        self._promises = Promises(folder)
        self._fresh = 0.0
        """When the data was last known to be what its sources say."""
        self._ceiling: int | None = None
        """Up to which serial this life may go; any as long as the disk has nothing of it."""
        self._exposed: int | None = None
        """Of which life the disk may have a table."""
        self._written: Position | None = None
        """What of this table is on the disk for certain."""
        self._opened = self._stopping = False
        self._pause = WRITE_SECONDS
        self._call: IDelayedCall | None = None
        self._overdue: IDelayedCall | None = None
        self._job: Deferred[None] | None = None
        self._again = False

    # --- beginning ---------------------------------------------------------------------------------------------------

    def restore(self) -> tuple[Part, ...]:
        """Go on where the last process stopped, if that can be; returns what each source had said.

        For the time before anybody is connected.
        """
        try:
            self._folder.open()
        except (Refused, OSError) as wrong:
            self._trouble(f"{wrong}: nothing is kept")
            return ()
        self._opened = True
        parts = self._resume()
        self._history.subscribe(self._changed)
        if self._history.ready:
            self.touch()
        return parts

    def _resume(self) -> tuple[Part, ...]:
        try:
            stored = self._read()
            if stored is None:
                return ()
            self._check_age(stored)
            state, steps = resumed(stored, self._promises.read())
        except (BadStored, Refused, OSError) as wrong:
            self.log.error(
                "{file}: {wrong}: not used; a new session begins", file=self._folder.shown(TABLE), wrong=str(wrong)
            )
            return ()
        self._fresh = stored.fresh
        self._go_on(stored, state, steps)
        if self._parts is None:
            left = self._max_age - (self._wall() - stored.fresh)
            self._overdue = self._clock.callLater(left, self._too_old)
        return stored.parts

    def _go_on(self, stored: Stored, state: State, steps: Sequence[Step]) -> None:
        try:
            self._promises.raise_to(state.position.epoch, state.position.serial + PROMISED)
        except OSError as wrong:
            # Without a promise no further serial of that life may be used; the data is good all the same.
            self._trouble(f"{wrong}: serials cannot be promised; a new session begins, with the data that was kept")
            self._history.resume(State(self._history.position, state.snapshot), ())
            return
        self._history.resume(state, steps)
        self._sessions.update(stored.sessions)
        self._ceiling, self._exposed = state.position.serial + PROMISED, state.position.epoch
        self.log.info(
            "{file}: {records:,} records of {age:,.0f} s ago, at serial {serial}",
            file=self._folder.shown(TABLE),
            records=state.snapshot.count,
            age=self._wall() - stored.fresh,
            serial=state.position.rtr_serial,
        )

    def _read(self) -> Stored | None:
        octets = self._folder.read(TABLE, MAX_OCTETS)
        if octets is None:
            self.log.info("{file}: nothing kept yet", file=self._folder.shown(TABLE))
            return None
        stored = read_table(octets, self._owner, self._sources)
        if stored.sessions.keys() != self._sessions.keys() or len(set(stored.sessions.values())) < len(self._sessions):
            raise BadStored(f"session ids {stored.sessions}, for versions {sorted(self._sessions)}")
        return stored

    def _check_age(self, stored: Stored) -> None:
        age = self._wall() - stored.fresh
        if not stored.fresh:
            raise BadStored("no source stood behind this data any more")
        if not 0 <= age <= self._max_age:
            raise BadStored(f"data of {age:,.0f} s ago, where 0 to {self._max_age:,.0f} s are allowed")
        if self._parts is not None and all(part.expires <= self._wall() for part in stored.parts):
            raise BadStored("all that the sources said has expired")

    # --- while it goes on --------------------------------------------------------------------------------------------

    def touch(self) -> None:
        """There is something new to keep."""
        if self._job is not None:
            self._again = True
        elif self._opened and not self._stopping:
            self._write_in(self._pause)

    def _changed(self, diff: Diff) -> None:
        """The table has a new serial, of which nobody has been told yet: only if it is promised may anybody be."""
        position = self._history.position
        if self._ceiling is not None and position.serial > self._ceiling and not self._promised(position):
            self._begin_anew()
        self.touch()

    def _promised(self, position: Position) -> bool:
        try:
            self._promises.raise_to(position.epoch, position.serial + PROMISED)
        except OSError as wrong:
            self._trouble(f"{wrong}: the promised serials are used up; a new session begins")
            return False
        self._ceiling = position.serial + PROMISED
        return True

    def _begin_anew(self) -> None:
        self._history.renew(new_position())
        self._ceiling = None
        self._renewed()

    def _confirmed(self) -> None:
        self._fresh = self._wall()
        if self._overdue is not None and self._overdue.active():
            self._overdue.cancel()

    def _too_old(self) -> None:
        """Since the restart no source has confirmed what is served: nobody may rely on it any longer."""
        self._overdue = None
        if not self._is_fresh() and self._history.ready:
            self.log.error("no source has confirmed the data that was kept; it is too old now and served no more")
            self._history.suspend()
            self.touch()

    # --- writing -----------------------------------------------------------------------------------------------------

    def _write_in(self, seconds: float) -> None:
        """Write then, or earlier if that is wished already."""
        if self._call is not None and self._call.active():
            if self._call.getTime() <= self._clock.seconds() + seconds:
                return
            self._call.cancel()
        self._call = self._clock.callLater(seconds, self._write)

    def _write(self) -> Deferred[None]:
        """Write the table as it stands; the Deferred fires with None when it is on the disk or cannot be."""
        self._call, self._again = None, False
        if not self._history.ready and self._exposed != self._history.position.epoch:
            return succeed(None)
        if self._is_fresh():
            self._confirmed()
        # Data that is not served now is not served after a restart, either.
        fresh = self._fresh if self._history.ready else 0.0
        state, steps = self._history.state, self._history.steps
        parts = tuple(self._parts(self._wall())) if self._parts is not None else ()
        stored = Stored(self._owner, self._sources, fresh, dict(self._sessions), state, steps, parts)
        if self._ceiling is None:
            self._ceiling = state.position.serial + PROMISED
        self._job = job = self._in_thread(self._save, stored, self._ceiling)
        job.addCallbacks(self._saved, self._failed)
        return job

    def _save(self, stored: Stored, ceiling: int) -> tuple[Position, int, float]:
        """In a thread. First what covers the serials to come, then the table; returns what the disk has now."""
        started, position = monotonic(), stored.state.position
        if ceiling < position.serial + PROMISED // 2:
            ceiling = position.serial + PROMISED
        self._promises.raise_to(position.epoch, ceiling)
        self._exposed = position.epoch
        self._folder.replace(TABLE, write_table(stored))
        return position, ceiling, monotonic() - started

    def _saved(self, done: tuple[Position, int, float]) -> None:
        self._written, ceiling, seconds = done
        if self._ceiling is not None and self._written.epoch == self._history.position.epoch:
            self._ceiling = max(self._ceiling, ceiling)
        if self.problem is not None:
            self.log.info("{folder}: the table is kept again", folder=self._folder.path)
        self.problem, self._job = None, None
        self._pause = max(WRITE_SECONDS, WRITE_SHARE * seconds)
        self._next(self._pause if self._again else REFRESH_SECONDS)

    def _failed(self, failure: Failure) -> None:
        self._job = None
        if self._exposed != self._history.position.epoch:
            self._ceiling = None
        if failure.check(OSError):
            self._trouble(f"{failure.getErrorMessage()}: the table is served from memory and not kept")
        else:
            self.log.failure("the table cannot be written", failure)
            self.problem = failure.getErrorMessage()
        self._next(RETRY_SECONDS)

    def _next(self, seconds: float) -> None:
        if self._opened and not self._stopping:
            self._write_in(seconds)

    def _trouble(self, why: str) -> None:
        if why != self.problem:
            self.log.error("{folder}: {why}", folder=self._folder.path, why=why)
        self.problem = why

    # --- the end -----------------------------------------------------------------------------------------------------

    def stopService(self) -> Deferred[None]:
        """Write a last time, and say on the disk that it was the last."""
        super().stopService()
        self._stopping = True
        for call in (self._call, self._overdue):
            if call is not None and call.active():
                call.cancel()
        if not self._opened:
            return succeed(None)
        under_way = self._job if self._job is not None else succeed(None)
        last: Deferred[None] = Deferred()
        under_way.addBoth(lambda _: self._write().addBoth(self._close).chainDeferred(last))
        return last

    def _close(self, _: object) -> None:
        """If the disk has all that was told, let it say so; no serial after that one may be told any more."""
        position = self._history.position
        self._opened = False
        if self.problem is None and self._written == position:
            try:
                self._promises.end_at(position.epoch, position.serial)
                self._ceiling = position.serial
            except OSError as wrong:
                self._trouble(f"{wrong}: the next start goes on behind all promised serials")
        self._folder.close()


def _short(text: str) -> str:
    """Itself, or its digest if it is long."""
    return text if len(text) <= _LONG else blake2b(text.encode(), digest_size=32).hexdigest()
