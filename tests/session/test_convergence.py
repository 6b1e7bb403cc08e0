from functools import partial
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from twisted.trial.unittest import SynchronousTestCase

from rotoro.session.cache import CacheData, CacheSession
from rotoro.session.effects import Effect, Streamed, Update
from rotoro.session.follower import FollowingPeer, Want
from rotoro.session.negotiation import ClientSession, serve
from rotoro.session.negotiation import Mode as Speaks
from rotoro.session.router import RouterSession
from rotoro.session.tables import Scope, ServedTables
from rotoro.table.attributes import AttributeStore
from rotoro.table.slots import RouteSlot
from rotoro.table.snapshot import Snapshot
from rotoro.wire.rotoro import FieldType, Mode, RecordKind, ScopeKind, TableEntry
from rotoro.wire.typed import Field, RecordType
from tests.session.worlds import RPKI, Model, Routes, applied, changes, history, in_version, recounted, snapshot, vrps
from tests.simulator import Client, Server, Simulator, Weather

modest = settings(max_examples=25, stateful_step_count=25, deadline=None)
ROUTES = Routes()


class Net(RuleBasedStateMachine):
    """A server whose table changes while clients come, stall, are cut off and come again."""

    pool: Any = RPKI
    slices = (1, 60)

    def __init__(self) -> None:
        super().__init__()
        self.model: Model = {}
        self.history = history()
        self.digests = {self.history.snapshot.digest}
        self.clients: list[Client] = []

    @initialize(seed=st.integers(0, 1000))
    def begin(self, seed: int) -> None:
        self.simulator = Simulator(seed, Weather(self.slices))
        self.server = Server(self.simulator, self.choose)
        self.connect()

    def choose(self, first: int) -> Any:
        raise NotImplementedError

    def connect(self) -> None:
        raise NotImplementedError

    @rule(data=st.data())
    def commit(self, data: st.DataObject) -> None:
        self.model = applied(self.model, data.draw(changes(self.pool)))
        made = snapshot(self.model)
        self.digests.add(made.digest)
        self.history.commit(made)
        self.server.changed()

    @rule(seconds=st.sampled_from([0.01, 0.1, 1.0, 30.0, 70.0]))
    def wait(self, seconds: float) -> None:
        self.simulator.run(seconds)

    @rule()
    def restart(self) -> None:
        """The server comes back without its history."""
        self.history = history(snapshot(self.model), epoch=self.history.position.epoch + 1, serial=1)
        for client in self.clients:
            client.cut()
        self.restarted()

    def restarted(self) -> None:
        """What else begins anew."""

    @rule(which=st.integers(0, 9))
    def cut(self, which: int) -> None:
        self.clients[which % len(self.clients)].cut()

    @precondition(lambda self: any(client.connected for client in self.clients))
    @rule(which=st.integers(0, 9), octets=st.integers(1, 400))
    def cut_soon(self, which: int, octets: int) -> None:
        client = self.clients[which % len(self.clients)]
        if client.connection is not None:
            client.connection.octets_left = octets

    def heal(self) -> None:
        for client in self.clients:
            if client.connection is not None:
                client.connection.octets_left = None
        self.simulator.weather = Weather((1000, 60_000), (0.0, 0.01))
        self.simulator.run(400)

    def settled(self) -> None:
        raise NotImplementedError

    def teardown(self) -> None:
        if hasattr(self, "simulator"):
            self.heal()
            self.settled()


class RtrNet(Net):
    """A cache that serves some versions, and routers that know some."""

    served: tuple[int, ...] = (0, 1, 2)
    known: tuple[int, ...] = (0, 1, 2)

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Update] = []
        self.allowed: set[int] = set()

    def choose(self, first: int) -> CacheSession:
        return CacheSession(CacheData.of(self.history, 10 * self.history.position.epoch), self.served)

    def connect(self) -> None:
        for version in self.known:
            router = RouterSession("rpki", version)
            client = Client(self.simulator, router, self.server, self._check)
            self.clients.append(client)
            client.connect()

    def _check(self, effect: Effect) -> None:
        if isinstance(effect, Update):
            self.seen.append(effect)

    @invariant()
    def nobody_holds_what_never_was(self) -> None:
        self.allowed |= {in_version(self.history.snapshot, version).digest for version in self.served}
        for update in self.seen:
            assert recounted(update.snapshot).digest == update.snapshot.digest
            assert update.snapshot.digest in self.allowed, update
        self.seen.clear()

    def settled(self) -> None:
        for client, version in zip(self.clients, self.known, strict=True):
            router: Any = client.session
            spoken = router.version  # a router that was cut off twice before the first answer has stepped down
            assert spoken in self.served
            assert spoken <= version
            assert router.held is not None, client.effects
            assert router.held.snapshot == in_version(self.history.snapshot, spoken)
            assert router.held.serial == self.history.serial


class LimitedNet(RtrNet):
    """A cache that stopped at version 1."""

    served = (0, 1)


class OldNet(RtrNet):
    """A cache of the first version only."""

    served = (0,)
    known = (0, 2)


class RotoroNet(Net):
    """Followers in the three modes, and a router, on one port."""

    record: RecordType | None = None
    pool = {**RPKI, **ROUTES.pool}
    wants = (
        Want(),
        Want(Mode.SNAPSHOT),
        Want(ingress=7),
        Want(families=1),
        Want(scope=ScopeKind.COVERED, scope_address=b"\x0a\0\0\0", scope_length=9),
    )

    def choose(self, first: int) -> Any:
        return serve(first, self.tables, CacheData.of(self.history, 77))

    def restarted(self) -> None:
        self.tables = ServedTables()
        kind = RecordKind.ROUTES if self.record is None else RecordKind.TYPED
        self.tables.add("all", kind, self.history, self.record)

    @rule(which=st.integers(0, 9), number=st.integers(1, 3))
    def damage(self, which: int, number: int) -> None:
        """The memory of a follower fails."""
        follower = self.clients[which % len(self.clients)].session.follower  # type: ignore[attr-defined]
        for table in follower.tables.values():
            if table.want.mode is not Mode.STREAM:
                self.damaged = True
                table.snapshot = Snapshot.of({**table.snapshot, **vrps(number)})

    def heal(self) -> None:
        super().heal()
        self.history.commit(vrps(9))
        self.server.changed()
        self.simulator.run(60)
        self.digests.add(self.history.snapshot.digest)

    def connect(self) -> None:
        self.damaged = False
        self.restarted()
        for want in (*self.wants, Want(Mode.STREAM)):
            store = AttributeStore()
            follower = FollowingPeer(partial(_wanted, want), store, lambda ingress: ingress)
            session = ClientSession(Speaks.ROTORO, follower, RouterSession())
            client = Client(self.simulator, session, self.server, self._streamed if want.mode == Mode.STREAM else None)
            self.clients.append(client)
            client.connect()
        self.pairs: dict[Any, Any] | None = None

    def _streamed(self, effect: Effect) -> None:
        """A reader of single pairs, who gets a whole table only when there is no other way."""
        if isinstance(effect, Update):
            self.pairs = _contents(effect.snapshot)
        if not isinstance(effect, Streamed) or self.pairs is None:
            return
        for rows in effect.rows:
            for place, announced in enumerate(rows.announced.tolist()):
                key = (
                    rows.slot.order,
                    rows.keys[place : place + 1].tobytes() if rows.keys.dtype != object else rows.keys[place],
                )
                self.pairs.pop(key, None)
                if announced:
                    self.pairs[key] = _value(rows.slot, rows.values, place)

    def settled(self) -> None:
        for client, want in zip(self.clients, self.wants, strict=False):
            follower = client.session.follower  # type: ignore[attr-defined]
            table = follower.tables["all"]
            assert follower.mismatches == 0 or self.damaged, client.effects
            assert self.damaged or recounted(table.snapshot).digest == table.snapshot.digest
            if want.mode is Mode.FOLLOW:
                scope = Scope(want.families, want.ingress, want.scope, want.scope_address, want.scope_length)
                expected = scope.restrict(self.history.snapshot)
                assert table.snapshot.digest == expected.digest, want
                assert table.snapshot.count == expected.count
            elif not self.damaged:
                assert table.snapshot.digest in self.digests
        if self.pairs is not None:
            assert self.pairs == _contents(self.history.snapshot)


SEEN = RecordType("Seen", (Field("count", FieldType.U32), Field("tags", FieldType.STRING, repeated=True)))
RECORDS = [(SEEN.encode(values), 0) for values in ((1, None), (2, ("a",)), (None, ()))]


class TypedNet(RotoroNet):
    """The same with records of a declared type, which followers check."""

    record = SEEN
    pool = dict.fromkeys(ROUTES.pool, RECORDS)


def _wanted(want: Want, entry: TableEntry) -> Want:
    return want


def _value(slot: Any, values: Any, place: int) -> Any:
    if isinstance(slot, RouteSlot):
        return slot.attributes.octets[values[place]]
    return None if values is None else values[place]


def _contents(table: Any) -> dict[Any, Any]:
    return {
        (slot.order, own.key(place)): _value(slot, own.values, place)
        for slot, own in table.items()
        for place in range(len(own))
    }


class ConvergenceTests(SynchronousTestCase):
    """However the network behaves, in the end both sides hold the same."""

    def test_routers_of_all_versions(self) -> None:
        run_state_machine_as_test(RtrNet, settings=modest)

    def test_routers_step_down_to_what_a_cache_can(self) -> None:
        run_state_machine_as_test(LimitedNet, settings=modest)
        run_state_machine_as_test(OldNet, settings=settings(modest, max_examples=10))

    def test_followers_in_all_modes(self) -> None:
        run_state_machine_as_test(RotoroNet, settings=modest)

    def test_followers_of_typed_records(self) -> None:
        run_state_machine_as_test(TypedNet, settings=settings(modest, max_examples=10))
