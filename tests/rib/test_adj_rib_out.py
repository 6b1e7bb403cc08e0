"""Tests for L{rotonda.rib.adj_rib_out}: a peer that applies what it hears has what the table has."""

from __future__ import annotations

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st
from rotonda.bgp.attributes import decoded
from rotonda.bgp.intake import Intake, Receiving, Taken
from rotonda.bgp.written import Telling, Writer
from rotonda.rib.adj_rib_out import AdjRibOut
from rotonda.rib.best import Choice
from twisted.trial.unittest import SynchronousTestCase

from rotoro.table import AttributeStore, History, RouteSlot, Snapshot
from tests.rib.tables import ingresses, random_routes, snapshot_of

TELLING = Telling(65000, True, True, bytes((192, 0, 2, 1)), bytes(15) + b"\1")


class Hearing:
    """A peer: what it has by what it was told."""

    def __init__(self) -> None:
        self.ends: list[int] = []
        self.origins: dict[bytes, int | None] = {}
        self.messages = 0

    def hear(self, messages: Iterable[bytes]) -> None:
        reader = Intake(Receiving(1, 1, True), Taken())
        for message in messages:
            self.messages += 1
            family = reader.update(message, 0)
            if family is not None:
                self.ends.append(family)
        for batch in reader.take():
            for row, announced in enumerate(batch.announce.tolist()):
                prefix = batch.keys[row : row + 1].tobytes()[:-4]
                if announced:
                    self.origins[prefix] = decoded(reader.sets[batch.attributes[row]]).origin_as
                else:
                    self.origins.pop(prefix, None)


def wanted(table: Snapshot, without: int | None = None) -> dict[bytes, int | None]:
    """What a peer should have of a table of best routes, without those of one ingress."""
    return {
        own.key(row)[:-4]: decoded(slot.attributes.octets[number]).origin_as
        for slot, own in table.items()
        if isinstance(slot, RouteSlot) and slot.number != without and own.values is not None
        for row, number in enumerate(own.values.tolist())
    }


class AdjRibOutTests(SynchronousTestCase):
    def setUp(self) -> None:
        self.begin()

    def begin(self, diffs: int = 128) -> None:
        self.store, self.choice = AttributeStore(), Choice()
        self.best = History(1, diffs=diffs)
        self.peer = Hearing()

    def commit(self, seed: int, count: int = 60) -> None:
        self.best.commit(self.choice.whole(snapshot_of(random_routes(seed, count, ingresses()), self.store)))

    def out(self, without: int | None = None, families: tuple[int, ...] = (4, 6)) -> AdjRibOut:
        return AdjRibOut(self.best, Writer(TELLING), families, lambda slot: slot.number != without)

    @given(
        st.lists(st.tuples(st.integers(0, 1 << 30), st.integers(0, 60), st.booleans()), max_size=8),
        st.sampled_from((0, 1, 128)),
    )
    def test_however_often_it_is_told(self, steps: list[tuple[int, int, bool]], diffs: int) -> None:
        """Also when it comes too late for differences."""
        self.begin(diffs)
        out = self.out(without=2)
        for seed, count, told in [*steps, (1, 50, True)]:
            self.commit(seed, count)
            if told and out.behind:
                self.peer.hear(out.take())
                self.assertEqual(self.peer.origins, wanted(self.best.snapshot, without=2))
        self.assertFalse(out.behind)
        self.assertEqual(self.peer.ends, [4, 6])

    def test_a_peer_of_one_family(self) -> None:
        self.commit(1)
        self.peer.hear(self.out(families=(6,)).take())
        self.assertEqual({len(prefix) for prefix in self.peer.origins}, {17})
        self.assertEqual(self.peer.ends, [6])

    def test_nothing_to_say(self) -> None:
        out = self.out()
        self.assertFalse(out.behind, "there is no table yet")
        self.commit(1)
        self.assertTrue(out.behind)
        self.peer.hear(out.take())
        self.assertFalse(out.behind)
        self.assertEqual(out.announced, len(self.peer.origins))

    def test_asked_again(self) -> None:
        self.commit(1)
        out = self.out()
        self.peer.hear(out.take())
        held, self.peer = self.peer.origins, Hearing()
        out.refresh(6)
        self.assertTrue(out.behind)
        self.peer.hear(out.take())
        self.assertEqual(self.peer.origins, {prefix: origin for prefix, origin in held.items() if len(prefix) == 17})
        self.assertFalse(out.behind)

    def test_allowed(self) -> None:
        def allowed(table: Snapshot) -> Snapshot:
            return Snapshot.of({slot: own for slot, own in table.items() if slot.order[1] == 1})

        out = AdjRibOut(self.best, Writer(TELLING), (4, 6), lambda slot: True, allowed)
        for seed in (1, 2, 3):
            self.commit(seed)
            self.peer.hear(out.take())
            self.assertEqual(self.peer.origins, wanted(allowed(self.best.snapshot)))

    def test_what_is_being_written_is_not_changed_by_what_comes(self) -> None:
        """Numbers of attribute sets may mean other sets before the end is written."""
        self.commit(1)
        expected = wanted(self.best.snapshot)
        messages = self.out().take()
        self.best.commit(Snapshot.of({}))
        self.best.renew(self.best.position)
        for _ in range(3):
            self.store.sweep()
        self.assertEqual(len(self.store), 0)
        self.peer.hear(messages)
        self.assertEqual(self.peer.origins, expected)
