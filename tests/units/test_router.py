"""Tests for L{rotonda.units.router}: the validated set of several caches, and of the best of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from rotonda.units.link import WestLink
from rotonda.units.router import RouterUnit
from rotonda.units.serving import Serving, new_history
from twisted.application.service import MultiService
from twisted.internet.error import ConnectionRefusedError as Refusal
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from rotoro.net.endpoints import Connect, HostPort, Listen
from rotoro.session.negotiation import Mode
from rotoro.table import ASPA, OCTETS, Diff, Records, Snapshot
from tests.session.worlds import vrps
from tests.units.joined import Joined
from tests.units.puppets import Thread


def cache(port: int, preference: int = 0) -> Connect:
    return Connect(HostPort("127.0.0.1", port), None, preference)


def aspa(customer: int, *providers: int) -> Snapshot:
    value = np.empty(1, OCTETS)
    value[0] = b"".join(provider.to_bytes(4) for provider in providers)
    return Snapshot.of({ASPA: Records.of(ASPA, [customer.to_bytes(4)], value)})


class RouterCase(SynchronousTestCase):
    caches: tuple[Connect, ...] = (cache(1001), cache(1002))
    mode = Mode.RTR

    def setUp(self) -> None:
        self.reactor: Any = MemoryReactorClock()
        self.unit = RouterUnit(self.reactor, self.caches, self.mode)
        self.seen: list[Diff] = []
        self.unit.history.subscribe(self.seen.append)
        parent = MultiService()
        self.unit.attach(parent)
        parent.startService()
        self.addCleanup(parent.stopService)
        self.histories = [new_history() for _ in self.caches]
        self.servers = [
            Serving(self.reactor, "cache", Listen(HostPort("127.0.0.1", 0)), None, history)
            for history in self.histories
        ]

    def join(self, number: int) -> Joined:
        """Connect a cache that has been asked for, in the newest of its attempts."""
        joined = Joined(self.reactor, self.unit.caches[number], self.servers[number])
        self.servers[number].report(self.servers[number].rpki, complete=True)
        joined.carry()
        return joined

    def pass_time(self, seconds: int, *connections: Joined) -> None:
        """Some seconds, in which these connections live."""
        for _ in range(seconds):
            self.reactor.advance(1)
            for connection in connections:
                connection.carry()

    def asked(self) -> list[int]:
        """The caches that are to be connected now."""
        return [number for number, link in enumerate(self.unit.caches) if link.service._client.running]

    @property
    def held(self) -> Snapshot:
        return self.unit.history.snapshot

    def refuse(self, link: WestLink) -> None:
        """The newest attempt to connect fails."""
        client = next(own for own in reversed(self.reactor.tcpClients) if own[1] == link.service.to.where.port)
        client[2].clientConnectionFailed(None, Failure(Refusal()))
        self.reactor.advance(1)  # for as long other addresses of the host may be tried


class EqualCachesTests(RouterCase):
    def test_one_cache_is_enough(self) -> None:
        self.assertEqual(self.unit.missing(), ["127.0.0.1:1001", "127.0.0.1:1002"])
        self.histories[1].commit(vrps(1))
        self.join(1)
        self.assertEqual((self.unit.missing(), self.held), ([], vrps(1)))
        self.assertEqual([link.state for link in self.unit.links()], ["disconnected", "idle"])

    def test_a_withdrawal_counts_when_it_is_the_last(self) -> None:
        """R-MC-02."""
        joined = []
        for number, (history, data) in enumerate(zip(self.histories, (vrps(1, 2), vrps(2, 3)), strict=True)):
            history.commit(data)
            joined.append(self.join(number))
        for number, (data, held) in enumerate(((vrps(1), vrps(1, 2, 3)), (vrps(3), vrps(1, 3)))):
            self.histories[number].commit(data)
            self.servers[number].changed()
            self.pass_time(61, *joined)
            self.assertEqual(self.held, held)

    def test_the_union_of_what_caches_say_until_it_expires(self) -> None:
        for history, data in zip(self.histories, (vrps(1, 2), vrps(2, 3)), strict=True):
            history.commit(data)
        first, _ = self.join(0), self.join(1)
        self.assertEqual(self.held, vrps(1, 2, 3))
        first.lose()
        self.assertEqual(self.held, vrps(1, 2, 3), "it is good until it expires")
        self.reactor.advance(7100)
        self.assertEqual(self.held.count, 3)
        self.reactor.advance(200)
        self.assertNotIn(vrps(1, 2, 3), [self.held])

    def test_as0_of_one_cache_and_providers_of_another(self) -> None:
        """R-AS-10, draft-ietf-sidrops-8210bis-27 section 10: AS 0 goes out of the merged list."""
        for history, data in zip(self.histories, (aspa(9, 0), aspa(9, 7)), strict=True):
            history.commit(data)
        self.join(0)
        self.assertEqual(self.held, aspa(9, 0))
        joined = self.join(1)
        self.assertEqual(self.held, aspa(9, 7))
        joined.lose()
        self.reactor.advance(7201)
        self.assertEqual([link.records for link in self.unit.links()], [0, 0])
        self.assertEqual((self.held.count, self.unit.missing() != []), (0, True), "nothing that is old is used")

    def test_why_a_cache_is_away(self) -> None:
        self.refuse(self.unit.caches[0])
        shown = self.unit.links()[0]
        self.assertEqual(shown.last_error, "no connection: Connection was refused by other side.")
        self.assertEqual((shown.in_use, shown.records, shown.preference), (False, 0, 0))


class PreferenceTests(RouterCase):
    caches = (cache(1001, 1), cache(1002, 2), cache(1003, 2))
    state = "idle"

    def setUp(self) -> None:
        super().setUp()
        for history, data in zip(self.histories, (vrps(1, 2), vrps(2, 3), vrps(4)), strict=True):
            history.commit(data)

    def in_use(self) -> list[bool | None]:
        return [link.in_use for link in self.unit.links()]

    def fall_back(self) -> Joined:
        """The preferred cache has given its data and gone; the next one has told everything."""
        first = self.join(0)
        first.lose()
        self.reactor.pump([1] * 11)
        return self.join(1)

    def test_only_the_preferred_one_is_asked(self) -> None:
        """R-MC-01."""
        self.assertEqual(self.asked(), [0])
        self.pass_time(30, self.join(0))
        self.assertEqual((self.asked(), self.held, self.in_use()), ([0], vrps(1, 2), [True, False, False]))
        self.assertEqual([link.state for link in self.unit.links()], [self.state, "standing by", "standing by"])

    def test_the_next_ones_at_once_if_there_is_nothing_to_keep(self) -> None:
        self.refuse(self.unit.caches[0])
        self.assertEqual(self.asked(), [0, 1, 2])
        self.join(1)
        self.assertEqual((self.held, self.in_use()), (vrps(2, 3), [False, True, False]))

    def test_there_and_back_in_one_step_each(self) -> None:
        self.fall_back()
        self.assertEqual((self.held, self.in_use(), len(self.seen)), (vrps(2, 3), [False, True, False], 2))
        self.assertEqual(self.seen[1].count, 2, "what both have stays")
        self.assertEqual(self.asked(), [0, 1, 2])
        self.histories[0].commit(vrps(1, 9))
        back = self.join(0)
        self.assertEqual((self.held, self.in_use(), len(self.seen)), (vrps(1, 9), [True, False, False], 3))
        self.assertEqual(self.asked(), [0])
        self.histories[0].commit(vrps(8))
        self.servers[0].changed()
        self.pass_time(61, back)
        self.assertEqual((self.held, len(self.seen)), (vrps(8), 4), "and then its changes")

    def test_what_caches_say_while_a_thread_compares_two_sets(self) -> None:
        thread = Thread()
        self.unit.aside._small, self.unit.aside._in_thread = 0, thread
        self.join(0).lose()
        self.reactor.pump([1] * 11)
        second = self.join(1)
        self.assertEqual((self.held, self.in_use(), thread.waiting), (vrps(1, 2), [False, True, False], 1))
        self.histories[1].commit(vrps(3, 5))
        self.servers[1].changed()
        self.pass_time(61, second)
        thread.run()
        self.assertEqual(self.held, vrps(2, 3))
        thread.run()
        self.assertEqual((self.held, thread.waiting), (vrps(3, 5), 0))
        self.histories[1].commit(vrps(5, 6))
        self.servers[1].changed()
        self.pass_time(61, second)
        self.assertEqual((self.held, thread.waiting), (vrps(5, 6), 0), "in step again")

    def test_old_data_stays_until_the_new_set_is_whole(self) -> None:
        """R-MC-04."""
        self.join(0).lose()
        self.reactor.pump([1] * 11)
        self.assertEqual((self.asked(), self.held), ([0, 1, 2], vrps(1, 2)))

    def test_an_absence_that_is_short_is_not_noticed(self) -> None:
        self.join(0).lose()
        self.reactor.pump([1] * 5)
        self.pass_time(30, self.join(0))
        self.assertEqual((self.asked(), len(self.seen)), ([0], 1))

    def test_what_the_others_say_is_kept_and_resumed(self) -> None:
        """R-MC-03."""
        second = self.fall_back()
        self.join(0)
        second.lose()
        self.assertEqual([link.records for link in self.unit.links()], [2, 2, 0])
        self.reactor.advance(7300)
        self.assertEqual([link.records for link in self.unit.links()][1], 0, "until it expires, also when nobody asks")


class FollowedPreferenceTests(PreferenceTests):
    """The same between programs of ours."""

    mode = Mode.ROTORO
    state = "open"
