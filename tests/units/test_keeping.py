"""Tests for L{rotonda.units.keeping}: whatever happens to process, disk and machine, nobody gets a wrong set."""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

from rotonda.units import keeping
from rotonda.units.keeping import Keeper, new_position
from rotonda.units.state import Folder
from twisted.internet.defer import Deferred, execute
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from rotoro.table import EMPTY, VRP4, History, Position, Records, Snapshot
from rotoro.table.stored import Part
from tests.units.disks import Crash, Disk, fail_at

NOW = 1.8e9
SOURCES = ("/some/vrps.json",)


def table(*numbers: int) -> Snapshot:
    return Snapshot.of({VRP4: Records.of(VRP4, [bytes([192, 0, 2, each, 32, 32, 0, 0, 0, 1]) for each in numbers])})


class Process:
    """A daemon from its start to its end, as far as its table goes."""

    def __init__(
        self,
        folder: Folder,
        wall: Callable[[], float] = lambda: NOW,
        parts: list[Part] | None = None,
        in_thread: Callable[..., Deferred[Any]] = execute,
        sources: tuple[str, ...] = SOURCES,
    ) -> None:
        position = new_position()
        self.clock = Clock()
        self.history = History(position.epoch, position.serial)
        self.sessions = {version: (position.epoch + version) % 0x10000 for version in range(3)}
        self.first_sessions = dict(self.sessions)
        self.lives = 1
        self.fresh = True
        self.keeper = Keeper(
            *(self.clock, folder, "c.rpki", sources, self.history, self.sessions),
            renewed=self._renewed,
            fresh=lambda: self.fresh,
            parts=None if parts is None else lambda wall: parts,
            wall=wall,
            in_thread=in_thread,
        )
        self.parts = self.keeper.restore()
        self.keeper.startService()

    @property
    def resumed(self) -> bool:
        return self.sessions != self.first_sessions and self.lives == 1

    @property
    def place(self) -> tuple[int, Position]:
        """Where it stands, to routers and followers."""
        return self.sessions[2], self.history.position

    def commit(self, *numbers: int) -> None:
        self.history.commit(table(*numbers))

    def wait(self, seconds: float = 1.0) -> None:
        self.clock.advance(seconds)

    def stop(self) -> bool:
        done: list[object] = []
        self.keeper.stopService().addBoth(done.append)
        return bool(done)

    def _renewed(self) -> None:
        self.lives += 1
        self.sessions.update({version: (each + 7) % 0x10000 for version, each in self.sessions.items()})


class KeepingTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.disk = Disk(Random(7))
        self.wall = NOW

    def start(self, **more: Any) -> Process:
        return Process(self.disk.folder(), lambda: self.wall, **more)

    def kept(self, *numbers: int) -> Process:
        """A process that has kept this table."""
        process = self.start()
        process.commit(*numbers)
        process.wait()
        return process

    def test_after_a_stop_in_good_order_it_goes_on_where_it_stood(self) -> None:
        first = self.kept(1)
        first.commit(1, 2)
        self.assertTrue(first.stop())
        second = self.start()
        self.assertEqual((second.place, second.history.snapshot), (first.place, table(1, 2)))
        self.assertEqual(second.history.steps, first.history.steps)

    def test_after_a_kill_it_goes_on_behind_all_that_may_have_been_told(self) -> None:
        first = self.kept(1)
        kept = first.history.position
        first.commit(2)
        lost = first.history.position
        self.disk.crash()
        second = self.start()
        self.assertEqual(second.sessions, first.sessions)
        self.assertEqual(second.history.snapshot, table(1))
        self.assertGreater(second.history.position.serial, lost.serial)
        self.assertEqual(second.history.position.epoch, lost.epoch)
        self.assertIsNone(second.history.since(lost))
        second.commit(3)
        self.assertEqual(second.history.since(kept), table(1).diff(table(3)))

    def test_killed_again_and_again(self) -> None:
        place = self.kept(1).history.position
        for number in range(2, 9):
            self.disk.crash()
            process = self.start()
            self.assertTrue(process.resumed)
            self.assertGreater(process.history.position.serial, place.serial)
            process.commit(number)
            place = process.history.position

    def test_only_what_is_not_kept_waits(self) -> None:
        process = self.kept(1)
        writes: list[str] = []
        self.disk.before = writes.append
        for number in range(2, 9):
            process.commit(number)
            process.wait(0.1)
        self.assertEqual(writes.count("create"), 0)
        process.wait()
        self.assertEqual(writes.count("create"), 1, "one file for all of them, and no promise")
        process.wait()
        self.assertEqual(writes.count("create"), 1)

    def test_no_serial_is_told_that_is_not_promised(self) -> None:
        self.patch(keeping, "PROMISED", 4)
        process = self.kept(1)
        for number in range(2, 30):
            process.commit(number)
            self.assertEqual(process.lives, 1)
        told = process.history.position.serial
        self.disk.crash()
        self.assertGreater(self.start().history.position.serial, told)

    def test_promises_that_cannot_be_renewed_end_the_session(self) -> None:
        self.patch(keeping, "PROMISED", 4)
        process = self.kept(1)
        place = process.place
        self.disk.before = fail_always
        for number in range(2, 30):
            process.commit(number)
        self.assertEqual(process.lives, 2)
        self.assertNotEqual(process.place[0], place[0])
        self.assertNotEqual(process.history.position.epoch, place[1].epoch)
        self.assertEqual(process.history.snapshot, table(29))
        self.disk.before = lambda what: None
        self.disk.crash()
        second = self.start()
        self.assertEqual((second.place[0], second.history.snapshot), (place[0], table(1)))
        self.assertEqual(second.history.since(place[1]), EMPTY.diff(EMPTY))

    def test_a_full_disk_is_served_from_memory(self) -> None:
        process = self.start()
        self.disk.before = fail_always
        for number in range(5):
            process.commit(number)
            process.wait(60)
        self.assertEqual((process.lives, process.history.snapshot), (1, table(4)))
        self.assertIn("No space left", str(process.keeper.problem))
        self.assertEqual(self.disk.names, {}, "nothing in part")
        self.disk.before = lambda what: None
        process.wait(60)
        self.assertIsNone(process.keeper.problem)
        self.assertTrue(process.stop())
        self.assertEqual(self.start().place, process.place)

    def test_a_disk_that_is_full_at_the_start(self) -> None:
        first = self.kept(1)
        self.disk.before = fail_always
        second = self.start()
        self.assertEqual(second.history.snapshot, table(1), "the data is good all the same")
        self.assertFalse(second.resumed)
        self.assertNotEqual(second.history.position.epoch, first.history.position.epoch)

    def test_what_must_not_be_believed_begins_a_new_session(self) -> None:
        first = self.kept(1)
        first.stop()
        names = dict(self.disk.names)
        table_file, promise = (names[f"c.{kind}"] for kind in ("table", "serials"))
        whole = {file: self.disk._files[file] for file in (table_file, promise)}
        for file, octets in [
            (table_file, b""),
            (table_file, whole[table_file][:-1]),
            (table_file, whole[table_file][:60] + bytes([whole[table_file][60] ^ 1]) + whole[table_file][61:]),
            (table_file, whole[promise]),
            (promise, b""),
            (promise, whole[table_file][:100]),
            (promise, whole[promise][:-1] + bytes([whole[promise][-1] ^ 1])),
        ]:
            self.disk._files.update(whole)
            self.disk._files[file] = octets
            second = self.start()
            self.assertFalse(second.history.ready)
            self.assertFalse(second.resumed)
            self.assertNotEqual(second.history.position.epoch, first.history.position.epoch)
        self.disk._files.update(whole)
        del self.disk.names["c.serials"]
        self.assertFalse(self.start().history.ready)
        self.disk.names = names
        self.assertFalse(self.start(sources=("/other/vrps.json",)).history.ready)
        self.assertTrue(self.start().history.ready)

    def test_data_that_is_too_old_or_from_the_future(self) -> None:
        self.kept(1).stop()
        for age, good in [(86_401.0, False), (-1.0, False), (86_000.0, True)]:
            self.wall = NOW + age
            self.assertIs(self.start().history.ready, good)

    def test_its_age_is_that_of_the_sources_and_not_of_the_file(self) -> None:
        self.kept(1).stop()
        self.wall += 50_000
        second = self.start()
        second.fresh = False
        second.wait()
        second.stop()
        self.wall += 50_000
        self.assertFalse(self.start().history.ready)

    def test_what_no_source_confirms_is_served_no_more(self) -> None:
        self.kept(1).stop()
        self.wall += 80_000
        for confirmed in (True, False):
            process = self.start()
            process.fresh = confirmed
            process.wait(86_401)
            self.assertIs(process.history.ready, confirmed)
            process.stop()
        self.assertFalse(self.start().history.ready, "nor after a restart")

    def test_nothing_is_not_kept(self) -> None:
        process = self.start()
        process.wait(4000)
        self.assertTrue(process.stop())
        self.assertEqual(self.disk.names, {})

    def test_a_commit_behind_the_last_writing_is_covered(self) -> None:
        first = self.kept(1)
        jobs: list[Callable[[], None]] = []
        first.keeper._in_thread = lambda call, *words: _later(jobs, call, *words)
        first.commit(2)
        self.assertFalse(first.stop(), "the disk is waited for")
        first.commit(3)
        jobs.pop(0)()
        second = self.start()
        self.assertGreater(second.history.position.serial, first.history.position.serial)
        self.assertEqual(second.history.snapshot, table(2))

    def test_parts(self) -> None:
        part = Part("w", "rtr", 2, Position(1, 2), (3600, 600, 7200), NOW + 7200, table(1))
        first = self.start(parts=[part, replace(part, source="x", expires=NOW + 600)])
        first.commit(1)
        first.stop()
        self.wall += 601
        second = self.start(parts=[])
        self.assertEqual([each.source for each in second.parts], ["w", "x"])
        second.stop()
        self.wall += 7200
        self.assertEqual(self.start(parts=[]).parts, (), "there is nothing left of it")


def fail_always(what: str) -> None:
    if what != "remove":
        raise OSError(errno.ENOSPC, "No space left on device")


def _later(jobs: list[Callable[[], None]], call: Callable[..., Any], *words: Any) -> Deferred[Any]:
    done: Deferred[Any] = Deferred()

    def do() -> None:
        try:
            result = call(*words)
        except Exception:
            done.errback()
        else:
            done.callback(result)

    jobs.append(do)
    return done


class Router:
    """Somebody who follows: by session id and serial, as routers do, or by position."""

    def __init__(self) -> None:
        self.held: tuple[int, int | Position, Snapshot] | None = None
        self.changes = 0

    def sync(self, process: Process, by_position: bool) -> Snapshot:
        """Ask, and say what the set is now."""
        history, session = process.history, process.sessions[2]
        start = history.position if by_position else history.serial
        if self.held is not None and (by_position or self.held[0] == session):
            diff = history.since(self.held[1])
            if diff is not None:
                self.held = session, start, diff.apply(self.held[2])
                self.changes += 1
                return self.held[2]
        self.held = session, start, history.snapshot
        return history.snapshot


class WholeStoryTests(SynchronousTestCase):
    """Processes one after the other on one disk, killed and stopped at any time, and who follows them."""

    def test_nobody_ever_has_a_wrong_set(self) -> None:
        self.patch(keeping, "PROMISED", 5)
        changes = resumptions = 0
        for seed in range(150):
            story = Story(seed)
            for _ in range(60):
                story.go_on(self)
            changes += sum(router.changes for router in story.routers)
            resumptions += story.resumptions
        self.assertGreater(resumptions, 300)
        self.assertGreater(changes, 3000)


class Story:
    def __init__(self, seed: int) -> None:
        self.chance = Random(seed)
        self.disk = Disk(self.chance)
        self.jobs: list[Callable[[], None]] = []
        self.routers = [Router() for _ in range(6)]
        self.resumptions = 0
        self.process = self._started()

    def go_on(self, case: SynchronousTestCase) -> None:
        """One thing happens."""
        act = self.chance.choice(
            [self._commit, self._commit, self._sync, self._sync, self._write, self._fail, self._end]
        )
        try:
            act()
        except Crash:
            self._restart()
        if self.process.history.ready:
            number = self.chance.randrange(6)
            shown = self.routers[number].sync(self.process, number % 2 == 1)
            case.assertEqual(shown, self.process.history.snapshot)

    def _commit(self) -> None:
        self.process.commit(*self.chance.sample(range(6), self.chance.randint(0, 6)))

    def _sync(self) -> None:
        if self.process.history.ready:
            self.routers[self.chance.randrange(6)].sync(self.process, False)

    def _write(self) -> None:
        """The disk gets its turn, and perhaps the machine stops meanwhile."""
        if self.chance.random() < 0.3:
            self.disk.before = fail_at(self.chance.randint(0, 15), Crash())
        self.process.wait(self.chance.choice([0.5, 1.0, 60.0]))
        while self.jobs:
            self.jobs.pop(0)()
        self.disk.before = lambda what: None

    def _fail(self) -> None:
        """The disk fails from now on, for a while."""
        self.disk.before = self.chance.choice([fail_always, fail_at(self.chance.randint(0, 9), OSError("failed"))])

    def _end(self) -> None:
        """The process stops in good order, or at least the machine does."""
        if self.chance.random() < 0.5:
            self.process.stop()
            while self.jobs:
                self.jobs.pop(0)()
        if self.chance.random() < 0.7:
            self._restart()
        else:
            self.jobs.clear()
            self.process = self._started()

    def _restart(self) -> None:
        self.jobs.clear()
        self.disk.before = lambda what: None
        self.disk.crash()
        self.process = self._started()

    def _started(self) -> Process:
        process = Process(self.disk.folder(), in_thread=lambda call, *words: _later(self.jobs, call, *words))
        self.resumptions += process.resumed
        return process
