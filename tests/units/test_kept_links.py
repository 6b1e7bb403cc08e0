"""Tests for L{rotonda.units.kept_links}: RIBs and routers that begin with what their wests had said."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rotonda.units import physical_rib, router
from rotonda.units.keeping import KeepAt, Keeper
from rotonda.units.physical_rib import RibUnit
from rotonda.units.router import RouterUnit
from rotonda.units.serving import Serving, new_history
from twisted.application.service import MultiService
from twisted.internet.defer import execute
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from rotoro.net.endpoints import Connect, HostPort, Listen
from rotoro.session.negotiation import Mode
from rotoro.table import EMPTY, Snapshot
from tests.session.worlds import vrps
from tests.units.joined import Joined

NOW = 1.8e9
WESTS = [Connect(HostPort("127.0.0.1", 1001)), Connect(HostPort("127.0.0.1", 1002))]
NOWHERE = Listen(HostPort("127.0.0.1", 0))
EXPIRE = 7200


class West:
    """A server with RPKI data, which outlives those who follow it."""

    def __init__(self, *numbers: int) -> None:
        self.history = new_history()
        self.history.commit(vrps(*numbers))
        self.serving = Serving(MemoryReactorClock(), "w", NOWHERE, None, self.history)
        self.serving.report(self.serving.rpki, complete=True)


class Life:
    """A RIB from its start to its end."""

    def __init__(self, folder: Path, wests: Sequence[Connect], mode: Mode, wall: float) -> None:
        self.reactor: Any = MemoryReactorClock()
        self.reactor.advance(wall % 977)  # another clock in each life
        self.unit = RibUnit(self.reactor, "rib", wests, mode, NOWHERE)
        self.keeper = kept(self.unit.keep(KeepAt(folder)), wall)
        self.parent = MultiService()
        self.unit.attach(self.parent)
        self.keeper.setServiceParent(self.parent)
        self.unit.restore()
        self.parent.startService()

    @property
    def shown(self) -> Snapshot:
        return self.unit.rib.rpki.history.snapshot

    def join(self, number: int, west: West) -> Joined:
        return Joined(self.reactor, self.unit.wests[number], west.serving)

    def stop(self) -> None:
        self.parent.stopService()


def kept(keeper: Keeper, wall: float) -> Keeper:
    """Without threads, at a time of ours."""
    keeper._in_thread, keeper._wall = execute, lambda: wall
    return keeper


class KeptCase(SynchronousTestCase):
    """Two servers to follow, a folder, and a clock on the wall."""

    def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name) / "state"
        self.wall = NOW
        for module in (physical_rib, router):
            self.patch(module, "time", lambda: self.wall)
        self.one, self.two = West(1, 2), West(2, 3)


class RibTests(KeptCase):
    mode = Mode.ROTORO

    def start(self, wests: Sequence[Connect] = WESTS) -> Life:
        life = Life(self.folder, wests, self.mode, self.wall)
        self.addCleanup(life.stop)
        return life

    def first_life(self) -> Life:
        life = self.start()
        joined = [life.join(0, self.one), life.join(1, self.two)]
        self.assertEqual(life.shown, vrps(1, 2, 3))
        life.reactor.advance(1)
        for each in joined:
            each.lose()
        life.stop()
        return life

    def test_it_begins_with_what_all_wests_had_said(self) -> None:
        first = self.first_life()
        second = self.start()
        history = second.unit.rib.rpki.history
        self.assertEqual((second.shown, history.position), (vrps(1, 2, 3), first.unit.rib.rpki.history.position))

    def test_wests_are_asked_for_what_has_changed(self) -> None:
        self.first_life()
        second = self.start()
        history = second.unit.rib.rpki.history
        place = history.position
        self.one.history.commit(vrps(2, 4))
        joined = second.join(0, self.one)
        self.assertEqual(second.shown, vrps(2, 3, 4))
        self.assertEqual(history.position.serial, place.serial + 1)
        self.assertEqual(history.since(place), vrps(1).diff(vrps(4)))
        joined.lose()

    def test_a_west_that_says_nothing_any_more_expires(self) -> None:
        self.first_life()
        self.wall += EXPIRE - 600
        second = self.start()
        second.join(1, self.two).lose()
        second.reactor.advance(598)
        self.assertEqual(second.shown, vrps(1, 2, 3))
        second.reactor.advance(2.5)
        self.assertEqual(second.shown, vrps(2, 3), "what only the other one had said is gone")

    def test_what_expired_meanwhile_is_not_served(self) -> None:
        first = self.first_life()
        self.wall += EXPIRE
        second = self.start()
        self.assertEqual((second.shown, second.unit.rib.rpki.history.ready), (EMPTY, False))
        self.assertNotEqual(second.unit.rib.rpki.history.position.epoch, first.unit.rib.rpki.history.position.epoch)

    def test_other_wests_begin_anew(self) -> None:
        self.first_life()
        self.assertFalse(self.start(WESTS[:1]).unit.rib.rpki.history.ready)


class RtrRibTests(RibTests):
    mode = Mode.RTR


class RouterTests(KeptCase):
    """The same for a router daemon, as far as it goes."""

    def router(self, mode: Mode) -> tuple[RouterUnit, Any]:
        reactor: Any = MemoryReactorClock()
        unit = RouterUnit(reactor, WESTS[:1], mode)
        keeper = kept(unit.keep(KeepAt(self.folder)), self.wall)
        parent = MultiService()
        unit.attach(parent)
        keeper.setServiceParent(parent)
        unit.restore()
        parent.startService()
        self.addCleanup(parent.stopService)
        self.stop = parent.stopService
        return unit, reactor

    def test_a_router(self) -> None:
        for mode in (Mode.RTR, Mode.ROTORO):
            with self.subTest(mode=mode):
                self.folder = self.folder / mode.value
                self.folder.mkdir(0o700, parents=True)
                unit, reactor = self.router(mode)
                Joined(reactor, unit.caches[0], self.one.serving).lose()
                self.stop()
                self.wall += 100
                unit, reactor = self.router(mode)
                self.assertEqual((unit.history.snapshot, list(unit.missing())), (self.one.history.snapshot, []))
                queries = unit.caches[0].router.queries
                self.one.history.commit(vrps(1, 9))
                Joined(reactor, unit.caches[0], self.one.serving).lose()
                self.assertEqual(unit.history.snapshot, vrps(1, 9))
                self.assertEqual(unit.caches[0].router.queries - queries, int(mode is Mode.RTR))
                self.stop()
                self.wall += EXPIRE
                unit, _ = self.router(mode)
                self.assertEqual(list(unit.missing()), ["127.0.0.1:1001"])
                self.stop()
                self.one.history.commit(vrps(1, 2))
