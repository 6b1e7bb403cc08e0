"""What flows from unit to unit, and what units have in common in one process."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread

from rotonda.blocks.types import ROUTE, RecordType
from rotonda.outputs.stream import Stream
from rotonda.rib.ingresses import IngressRegistry
from rotonda.units.brake import Brake
from rotoro.table import AttributeStore, History


@dataclass(frozen=True, eq=False)
class Flow:
    """The table on the east side of a unit: of routes, or of records of another type, which its store keeps."""

    history: History
    record: RecordType
    store: AttributeStore

    @property
    def is_of_routes(self) -> bool:
        """Whether the store has path attributes."""
        return self.record == ROUTE


@dataclass(eq=False)
class Stores:
    """One store for all routes of a process, and one for the records of each type."""

    routes: AttributeStore = field(default_factory=AttributeStore)
    _typed: dict[RecordType, AttributeStore] = field(default_factory=dict)

    def of(self, record: RecordType) -> AttributeStore:
        """The store of this type of records."""
        return self.routes if record == ROUTE else self._typed.setdefault(record, AttributeStore())

    def keep(self, records: Collection[RecordType]) -> None:
        """Only these types of records are in use."""
        for record in [record for record in self._typed if record not in records]:
            del self._typed[record]

    def sweep(self) -> None:
        """Free what no table needs."""
        for store in (self.routes, *self._typed.values()):
            store.sweep()


@dataclass(eq=False)
class Surroundings:
    """What every unit of an instance is given."""

    reactor: Any
    wall: Callable[[], float]
    """Seconds since 1970."""
    instance: str
    in_thread: Callable[..., Deferred[Any]] = deferToThread
    """What does work that would keep the reactor waiting."""
    stores: Stores = field(default_factory=Stores)
    ingresses: IngressRegistry = field(default_factory=lambda: IngressRegistry(by_identity=True))
    brake: Brake = field(init=False)
    """What has connectors wait."""

    def __post_init__(self) -> None:
        self.brake = Brake(self.reactor)

    def heed(self, stream: Stream) -> None:
        """Have connectors wait whenever this stream has no room, and may lose nothing."""
        stream.blocking_changed = lambda: self.brake.press(stream, stream.blocking)
